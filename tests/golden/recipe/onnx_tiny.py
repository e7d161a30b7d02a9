"""onnx_tiny.py OUT: one small network as PyTorch's exporters write it, and as Keras and TensorFlow would.

tiny.safetensors is its state_dict. Needs torch, onnx, onnxscript, safetensors.
"""
import os, sys
import numpy as np, onnx, torch
from onnx import helper as h, numpy_helper as nh
from safetensors.torch import save_file
from torch import nn

out = sys.argv[1]
torch.manual_seed(2018)
torch.set_grad_enabled(False)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Conv2d(8, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(6 * 2 * 2, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(torch.relu(self.bn(self.body(self.stem(x))))), 1))


model = Tiny().eval()
for bn in (model.stem[1], model.bn):
    for p in (bn.weight, bn.running_var):
        p.uniform_(0.5, 1.5)
    for p in (bn.bias, bn.running_mean):
        p.uniform_(-0.5, 0.5)
state = {k: v.contiguous() for k, v in model.state_dict().items()}
save_file({k: v for k, v in state.items() if v.dtype == torch.float32}, f"{out}/tiny.safetensors")
x = torch.zeros(1, 3, 8, 8)
torch.onnx.export(model, (x,), f"{out}/tiny.legacy.onnx", dynamo=False)
torch.onnx.export(model, (x,), f"{out}/tiny.legacy-unfolded.onnx", dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
torch.onnx.export(model, (x,), f"{out}/tiny.dynamo.onnx", dynamo=True)   # tiny.dynamo.onnx.data beside it
m = onnx.load(f"{out}/tiny.dynamo.onnx", load_external_data=False)
for n in m.graph.node:
    del n.metadata_props[:]
    n.doc_string = ""
del m.graph.metadata_props[:], m.graph.value_info[:]
onnx.save(m, f"{out}/tiny.dynamo.onnx")

# As Keras 3 exports: channels last, a bias and a normalization of single operations; as tf2onnx: MatMul and Add.
w = {k: v.numpy() for k, v in state.items()}
nodes, inits = [], []


def const(name, value):
    inits.append(nh.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
    return name


def add(op, *inputs, **attributes):
    o = f"{op}_{len(nodes)}_output_0"
    nodes.append(h.make_node(op, list(inputs), [o], f"/{op}_{len(nodes)}", **attributes))
    return o


def conv_norm(x, conv, bn, **attributes):
    # The kernel through a Transpose, as some converters leave it: [height, width, in, out].
    k = add("Transpose", const(f"{conv}_hwio", w[conv + ".weight"].transpose(2, 3, 1, 0)), perm=[3, 2, 0, 1])
    x = add("Conv", add("Transpose", x, perm=[0, 3, 1, 2]), k, **attributes)
    x = add("Cast", add("Transpose", x, perm=[0, 2, 3, 1]), to=1)
    if conv + ".bias" in w:
        x = add("Add", x, const(conv + "_b", w[conv + ".bias"].reshape(1, 1, 1, -1)))
    x = add("Sub", x, const(bn + "_mean", w[bn + ".running_mean"].reshape(1, 1, 1, -1)))
    x = add("Mul", x, const(bn + "_scale", (w[bn + ".weight"].astype(float) / np.sqrt(w[bn + ".running_var"].astype(float) + 1e-5)).reshape(1, 1, 1, -1)))
    return add("Relu", add("Add", x, const(bn + "_beta", w[bn + ".bias"].reshape(1, 1, 1, -1))))


x = conv_norm("input", "stem.0", "stem.1", strides=[2, 2], pads=[1, 1, 1, 1])
x = conv_norm(x, "body", "bn", pads=[1, 1, 1, 1])
x = add("Transpose", add("MaxPool", add("Transpose", x, perm=[0, 3, 1, 2]), kernel_shape=[2, 2], strides=[2, 2]), perm=[0, 2, 3, 1])
inits.append(nh.from_array(np.array([-1, 24]), "shape"))
kernel = w["fc.weight"].reshape(5, 6, 2, 2).transpose(2, 3, 1, 0).reshape(24, 5)
x = add("MatMul", add("Reshape", x, "shape"), const("fc_io", kernel))
x = add("Softmax", add("Add", x, const("fc_b", w["fc.bias"])))
graph = h.make_graph(nodes, "tiny", [h.make_tensor_value_info("input", 1, [1, 8, 8, 3])], [h.make_tensor_value_info(x, 1, None)], inits)
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)]), f"{out}/tiny.channels-last.onnx")

# The two say the same?
from onnx.reference import ReferenceEvaluator
image = torch.rand(1, 3, 8, 8)
expected = torch.softmax(model(image), 1).numpy()
found = ReferenceEvaluator(f"{out}/tiny.channels-last.onnx").run(None, {"input": image.permute(0, 2, 3, 1).numpy()})[0]
assert np.abs(found - expected).max() < 1e-6, np.abs(found - expected).max()
