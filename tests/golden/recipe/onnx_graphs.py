#!/usr/bin/env python3
"""Small networks with seeded random weights, exported by PyTorch's two exporters, and what ONNX Runtime computes of them:
tests/golden/onnx_graphs/. Needs torch 2.15, torchvision, timm, onnx, onnxscript, onnxruntime.

    python3 onnx_graphs.py ../onnx_graphs [NETWORK ...]

Beside every `{network}.{exporter}.onnx` lies a `.json`: of every value that has the images first, its number of units, the
root of its mean square and six of its values of the second of two images; of every block, the same of what PyTorch itself
computes at the module's output.
"""
import gzip, json, sys, warnings, logging
from pathlib import Path

import numpy as np, onnx, onnxruntime as ort, timm, torch, torchvision
from torch import nn

warnings.filterwarnings("ignore"); logging.disable(logging.WARNING); ort.set_default_logger_severity(3)
OUT = Path(sys.argv[1]); SIZE = 32


class Mixed(nn.Module):
    """What small networks of phones are made of: poolings that round up, shuffled channels, gates, several branches."""
    def __init__(s):
        super().__init__()
        s.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        s.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        s.blocks = nn.ModuleList([Gated(8), Gated(8)])
        s.loose = nn.BatchNorm2d(8)
        s.average = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        s.head = nn.Linear(16, 10)
    def forward(s, x):
        x = s.pool(s.stem(x))
        for block in s.blocks: x = block(x)
        x = torch.relu(s.loose(x))
        x = torch.cat([s.average(x), s.average(x).abs().sqrt()], 1)
        return s.head(x.mean((2, 3)))


class Stem(nn.Module):
    """A list that ends with a convolution whose normalization stands outside of it, and is folded into it."""
    def __init__(s):
        super().__init__()
        s.stem, s.bn, s.head = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 6, 3, 2, 1)), nn.BatchNorm2d(6), nn.Linear(6, 10)
    def forward(s, x): return s.head(torch.relu(s.bn(s.stem(x))).mean((2, 3)))


class Gated(nn.Module):
    def __init__(s, c):
        super().__init__()
        s.expand = nn.Sequential(nn.Conv2d(c // 2, 2 * c, 1), nn.ReLU6())
        s.depth = nn.Conv2d(2 * c, 2 * c, 3, 1, 1, groups=2 * c)
        s.down, s.up = nn.Conv2d(2 * c, 4, 1), nn.Conv2d(4, 2 * c, 1)
        s.project = nn.Conv2d(2 * c, c // 2, 1)
    def forward(s, x):
        a, b = x.chunk(2, 1)
        y = nn.functional.silu(s.depth(s.expand(b)))
        y = y * nn.functional.hardsigmoid(s.up(torch.relu(s.down(y.mean((2, 3), keepdim=True)))))
        y = torch.cat([a, s.project(y)], 1)
        n, c, h, w = y.shape
        return x + y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


NETWORKS = {
    "vit_timm": lambda: timm.models.VisionTransformer(img_size=SIZE, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=10),
    "vit_torchvision": lambda: torchvision.models.VisionTransformer(SIZE, 8, 2, 3, 24, 48, num_classes=10),
    "siglip": lambda: timm.models.VisionTransformer(img_size=SIZE, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=0, class_token=False, global_pool="map"),
    "convnext": lambda: timm.models.ConvNeXt(depths=(1, 2, 1, 1), dims=(8, 8, 12, 16), num_classes=10, ls_init_value=1.0),
    "swin": lambda: timm.models.SwinTransformer(img_size=SIZE, patch_size=4, window_size=4, embed_dim=12, depths=(2, 2), num_heads=(2, 3), num_classes=10),
    "swin_v2": lambda: torchvision.models.SwinTransformer([4, 4], 12, [2, 2], [2, 3], [4, 4], num_classes=10, stochastic_depth_prob=0.0, block=torchvision.models.swin_transformer.SwinTransformerBlockV2, downsample_layer=torchvision.models.swin_transformer.PatchMergingV2),
    "resnet": lambda: timm.models.ResNet(timm.models.resnet.Bottleneck, [1, 2, 1, 1], channels=(4, 4, 8, 8), stem_width=8, num_classes=10),
    "mixed": Mixed, "stem": Stem,
}


def lively(model):
    """Random statistics and scales, so that no normalization is the identity and no head is zero."""
    for name, p in model.named_parameters():
        with torch.no_grad():
            if p.dim() == 1: p.copy_(torch.randn_like(p) * 0.2 + (1.0 if name.endswith("weight") or "gamma" in name else 0.0))
            elif p.abs().max() < 1e-3: p.copy_(torch.randn_like(p) * 0.3)
    for name, b in model.named_buffers():
        if name.endswith("running_mean"): b.copy_(torch.randn_like(b) * 0.2)
        if name.endswith("running_var"): b.copy_(torch.rand_like(b) + 0.5)
    return model.eval()


def sample(values):
    """Of the second image: units, root mean square, six values."""
    v = np.asarray(values, np.float64)[1].ravel()
    places = [(2 * n + 1) * len(v) // 12 for n in range(6)]
    return [len(v), float(f"{np.sqrt((v ** 2).mean()):.7g}"), [float(f"{v[p]:.7g}") for p in places]]


def export(model, x, path, exporter):
    if exporter == "dynamo":
        torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},), external_data=False, verbose=False)
    else:
        torch.onnx.export(model, (x,), path, dynamo=False, opset_version=17, dynamic_axes={"x": {0: "batch"}}, input_names=["x"])
    graph = onnx.load(path)
    for node in graph.graph.node:
        node.doc_string = ""
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]; node.metadata_props.extend(kept)
    del graph.metadata_props[:]; del graph.graph.metadata_props[:]; del graph.graph.value_info[:]
    for tensor in graph.graph.initializer: del tensor.metadata_props[:]
    onnx.save(graph, path)
    return graph


def reference(graph, x):
    names = [o for n in graph.graph.node for o in n.output if o and n.op_type != "Constant"]
    outputs = [o.name for o in graph.graph.output]
    inferred = onnx.shape_inference.infer_shapes(graph)
    kinds = {v.name: v.type.tensor_type.elem_type for v in inferred.graph.value_info}
    wanted = [n for n in names if kinds.get(n) == onnx.TensorProto.FLOAT and n not in outputs]
    for n in wanted: graph.graph.output.append(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions(); options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(graph.SerializeToString(), options)
    found = dict(zip(outputs + wanted, session.run(outputs + wanted, {session.get_inputs()[0].name: x})))
    return {n: sample(v) for n, v in found.items() if v.ndim > 1 and v.shape[0] == len(x)}


def quantised(path):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    class Reader(CalibrationDataReader):
        def __init__(s): s.left = [{"x": image(n)} for n in range(4)]
        def get_next(s): return s.left.pop() if s.left else None
    out = OUT / "quantised.script.onnx"
    quantize_static(path, out, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return out


def zoo():
    """As the networks of 2012 to 2014 are in ONNX's zoo: local response normalization, nodes without names; and a transposed convolution."""
    random, made = np.random.default_rng(2018), []
    def weight(name, *shape):
        made.append(onnx.numpy_helper.from_array((random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32), name))
        return name
    node = onnx.helper.make_node
    nodes = [
        node("Conv", ["data", weight("c1w", 9, 3, 3, 3), weight("c1b", 9)], ["conv1"], pads=[1] * 4, strides=[2, 2]),
        node("Relu", ["conv1"], ["relu1"]),
        node("LRN", ["relu1"], ["norm1"], size=5, alpha=0.5, beta=0.75, bias=2.0),
        node("MaxPool", ["norm1"], ["pool1"], kernel_shape=[3, 3], strides=[2, 2]),
        node("Conv", ["pool1", weight("c2w", 8, 9, 3, 3), weight("c2b", 8)], ["conv2"], pads=[1] * 4),
        node("Relu", ["conv2"], ["relu2"]),
        node("LRN", ["relu2"], ["norm2"], size=3, alpha=0.1),
        node("ConvTranspose", ["norm2", weight("uw", 8, 1, 3, 3), weight("ub", 2)], ["up"], pads=[1] * 4, strides=[2, 2], output_padding=[1, 1], group=2),
        node("Relu", ["up"], ["relu_up"]),
        node("Flatten", ["relu_up"], ["flat"]),
        node("Gemm", ["flat", weight("f1w", 12, 392), weight("f1b", 12)], ["fc1"], transB=1),
        node("Relu", ["fc1"], ["relu3"]),
        node("Gemm", ["relu3", weight("f2w", 10, 12), weight("f2b", 10)], ["fc2"], transB=1),
        node("Softmax", ["fc2"], ["prob"]),
    ]
    info = lambda name, shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    graph = onnx.helper.make_graph(nodes, "zoo", [info("data", ["n", 3, SIZE, SIZE])], [info("prob", ["n", 10])], made)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), OUT / "zoo.made.onnx")
    return OUT / "zoo.made.onnx"


def fused():
    """Operators that are several in one, as ONNX Runtime's optimizer writes them and as ONNX 23 has them, and layer
    normalizations in pieces."""
    random, made, nodes = np.random.default_rng(2018), [], []
    def weight(*shape, scale=None, plus=0.0):
        values = random.standard_normal(shape) * (scale or 1 / np.sqrt(shape[0])) + plus
        made.append(onnx.numpy_helper.from_array(values.astype(np.float32), f"w{len(made)}"))
        return made[-1].name
    def number(value):
        made.append(onnx.numpy_helper.from_array(np.array(value, np.float32), f"w{len(made)}"))
        return made[-1].name
    def whole(*values):
        made.append(onnx.numpy_helper.from_array(np.array(values, np.int64), f"w{len(made)}"))
        return made[-1].name
    def node(operator, inputs, output, domain="", **settings):
        outputs = output if isinstance(output, list) else [output]
        nodes.append(onnx.helper.make_node(operator, inputs, outputs, domain=domain, **settings))
        return outputs[0]
    def runtimes(operator, inputs, output, **settings): return node(operator, inputs, output, "com.microsoft", **settings)
    def dense(x, inputs, outputs, name): return node("MatMul", [x, weight(inputs, outputs)], name)
    def pieces(x, name, squared="Pow"):
        mean = node("ReduceMean", [x, whole(-1)], f"{name}_mean")
        centred = node("Sub", [x, mean], f"{name}_centred")
        squares = node("Pow", [centred, number(2)], f"{name}_squares") if squared == "Pow" else node("Mul", [centred, centred], f"{name}_squares")
        variance = node("ReduceMean", [squares, whole(2)], f"{name}_variance", keepdims=1)
        deviation = node("Sqrt", [node("Add", [variance, number(1e-5)], f"{name}_more")], f"{name}_deviation")
        x = node("Div", [centred, deviation], f"{name}_quotient")
        x = node("Mul", [x, weight(24, scale=0.2, plus=1.0)], f"{name}_scaled")
        return node("Add", [x, weight(24, scale=0.2)], name)
    x = node("Conv", ["data", weight(24, 3, 8, 8, scale=0.07), weight(24)], "patches", strides=[8, 8])
    x = node("Reshape", [x, whole(0, 24, 16)], "flat")
    tokens = node("Transpose", [x], "tokens", perm=[0, 2, 1])
    x = runtimes("Attention", [tokens, weight(24, 72), weight(72, scale=0.2)], "attention1", num_heads=3)
    x = runtimes("SkipLayerNormalization", [x, tokens, weight(24, scale=0.2, plus=1.0), weight(24), weight(24)], ["norm1", "", "", "sum1"], epsilon=1e-5)
    x = runtimes("BiasGelu", [dense(x, 24, 48, "up1"), weight(48)], "gelu1")
    block1 = node("Add", ["sum1", node("Add", [dense(x, 48, 24, "down1"), weight(24)], "mlp1")], "block1")
    norm2 = pieces(block1, "norm2")
    q, k, v = (dense(norm2, 24, 24, f"{n}2") for n in "qkv")
    x = runtimes("MultiHeadAttention", [q, k, v, weight(72, scale=0.2), "", weight(1, 3, 16, 16, scale=0.5)], "attention2", num_heads=3, scale=0.3)
    x = runtimes("SkipLayerNormalization", [x, block1, weight(24, scale=0.2, plus=1.0)], ["norm3", "", "", "block2"], epsilon=1e-6)
    x = runtimes("FastGelu", [dense(x, 24, 48, "up3"), weight(48)], "gelu3")
    x = runtimes("QuickGelu", [dense(x, 48, 24, "down3")], "quick3", alpha=1.702)
    x = block3 = node("Add", [x, "block2"], "block3")
    q, k, v = (dense(x, 24, 24, f"{n}4") for n in "qkv")
    x = node("Attention", [q, k, v, weight(16, 16, scale=0.5)], "attention4", q_num_heads=4, kv_num_heads=4)
    x = norm4 = pieces(node("Add", [x, block3], "block4"), "norm4", "Mul")
    q, k, v = (node("Transpose", [node("Reshape", [dense(x, 24, 24, f"{n}5"), whole(0, 0, 3, 8)], f"{n}5_heads")], f"{n}5_turned", perm=[0, 2, 1, 3]) for n in "qkv")
    x = node("Transpose", [node("Attention", [q, k, v], "attention5", scale=0.4)], "turned5", perm=[0, 2, 1, 3])
    x = node("Add", [node("Reshape", [x, whole(0, 0, 24)], "flat5"), norm4], "block5")
    q, k, v = (dense(x, 24, 24, f"{n}6") for n in "qkv")
    x = node("Add", [runtimes("MultiHeadAttention", [q, k, v], "attention6", num_heads=6), x], "block6")
    x = runtimes("Attention", [x, weight(24, 60), weight(60), "", "", weight(1, 3, 16, 16, scale=0.5)], "attention7", num_heads=3, qkv_hidden_sizes=[24, 24, 12])
    x = runtimes("Gelu", [x], "gelu7")
    x = node("ReduceMean", [x, whole(1)], "mean", keepdims=0)
    node("Gemm", [x, weight(12, 10), weight(10)], "classes")
    info = lambda name, shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    named = [info(o, None) for n in nodes for o in n.output if o and o != "classes"]
    graph = onnx.helper.make_graph(nodes, "fused", [info("data", ["n", 3, SIZE, SIZE])], [info("classes", ["n", 10])], made, value_info=named)
    opsets = [onnx.helper.make_opsetid("", 23), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), OUT / "fused.made.onnx")
    return OUT / "fused.made.onnx"


class Made:
    """A graph of single nodes, weights by chance."""
    def __init__(s, seed=2018): s.random, s.made, s.nodes, s.whole = np.random.default_rng(seed), [], [], set()
    def constant(s, values, kind=np.float32):
        s.made.append(onnx.numpy_helper.from_array(np.array(values, kind), f"w{len(s.made)}"))
        return s.made[-1].name
    def weight(s, *shape, scale=None, plus=0.0):
        return s.constant(s.random.standard_normal(shape) * (scale or 1 / np.sqrt(np.prod(shape[1:]) or 1)) + plus)
    def node(s, operator, inputs, output, **settings):
        s.nodes.append(onnx.helper.make_node(operator, [inputs] if isinstance(inputs, str) else inputs, [output], **settings))
        return output
    def conv(s, x, inputs, outputs, name, size=1, **settings):
        return s.node("Conv", [x, s.weight(outputs, inputs, size, size), s.weight(outputs, scale=0.2)], name, **settings)
    def save(s, name, x, classes, inputs, opset):
        s.node("Gemm", [s.node("Flatten", x, "flat"), s.weight(inputs, classes, scale=1 / np.sqrt(inputs)), s.weight(classes)], "classes")
        info = lambda name, shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        named = [info(o, None) for n in s.nodes for o in n.output if o != "classes" and o not in s.whole]
        graph = onnx.helper.make_graph(s.nodes, name, [info("data", ["n", 3, SIZE, SIZE])], [info("classes", ["n", classes])], s.made, value_info=named)
        path = OUT / f"{name}.made.onnx"
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=min(11, 4 if opset < 11 else 11)), path)
        return path


def functions():
    """Normalizations of groups and of instances, activations of every kind, shuffled pixels, borders, a convolution of a line,
    reductions."""
    g = Made()
    x = g.conv("data", 3, 12, "stem", 3, strides=[2, 2], pads=[1] * 4)
    x = g.node("InstanceNormalization", [x, g.weight(12, scale=0.2, plus=1.0), g.weight(12, scale=0.2)], "instance", epsilon=1e-4)
    x = g.node("PRelu", [x, g.weight(12, 1, 1, scale=0.2, plus=0.2)], "sloped")
    x = g.node("GroupNormalization", [g.conv(x, 12, 12, "mixed"), g.weight(12, scale=0.2, plus=1.0), g.weight(12, scale=0.2)], "grouped", num_groups=3)
    x = g.node("Mish", x, "mish")
    x = g.node("Softplus", g.conv(g.node("SpaceToDepth", x, "deep", blocksize=2), 48, 16, "squeezed"), "softplus")
    for operator, settings in [("Celu", {"alpha": 0.7}), ("Selu", {}), ("Elu", {"alpha": 0.5}), ("Softsign", {}), ("Swish", {"alpha": 1.3}),
                               ("ThresholdedRelu", {"alpha": 0.2}), ("Sin", {}), ("Cos", {}), ("Sign", {}), ("Exp", {}), ("Tanh", {})]:
        y = g.node(operator, g.conv(x, 16, 16, f"{operator}_of"), operator, **settings)
        x = g.node("Add", [x, g.node("Mul", [y, g.constant(0.3)], f"{operator}_part")], f"after_{operator}")
    x = g.node("Add", [g.conv(g.node("DepthToSpace", x, "rows", blocksize=2), 4, 16, "wide"), g.conv(g.node("DepthToSpace", x, "columns", blocksize=2, mode="CRD"), 4, 16, "high")], "larger")
    x = g.node("Add", [g.node("LogSoftmax", x, "log_softmax", axis=1), g.node("LogSoftmax", x, "log_softmax_rows")], "logs")
    x = g.node("RMSNormalization", [x, g.weight(16, scale=0.2, plus=1.0)], "rms")
    x = g.node("Add", [g.node("LpNormalization", x, "unit", axis=1, p=2), g.node("LpNormalization", x, "shares", p=1)], "units")
    whole = lambda *values: g.constant(values, np.int64)
    x = g.node("Pad", [x, whole(0, 0, 1, 2, 0, 0, 2, 3)], "reflected", mode="reflect")
    x = g.node("Pad", [x, whole(0, 0, 2, 0, 0, 0, 1, 2)], "edge", mode="edge")
    x = g.node("Pad", [x, whole(0, 0, 0, 3, 0, 0, 2, 1)], "wrapped", mode="wrap")
    x = g.node("Pad", [x, whole(0, 0, -3, -5, 0, 0, -5, -7), g.constant(0.5)], "cut")
    x = g.node("Pad", [x, whole(0, 0, 2, 0, 0, 0, 0, 1), g.constant(0.5)], "bordered")
    line = g.node("Transpose", g.node("Squeeze", [g.node("ReduceMean", [x, whole(2, 3)], "averages"), whole(3)], "column"), "line", perm=[0, 2, 1])
    line = g.node("Conv", [line, g.weight(1, 1, 3, scale=1.0), g.weight(1)], "of_line", pads=[1, 1], kernel_shape=[3])
    line = g.node("Unsqueeze", [g.node("Transpose", line, "turned", perm=[0, 2, 1]), whole(3)], "gates")
    x = g.node("Mul", [x, g.node("Sigmoid", line, "gate")], "gated")
    x = g.node("Add", [x, g.node("Mul", [g.node("CumSum", [x, g.constant(3, np.int64)], "sums"), g.constant(0.1)], "part_of_sums")], "with_sums")
    square = g.node("Pow", [x, g.constant(2.0)], "square")
    round = g.node("Round", g.node("Mul", [x, g.constant(4.0)], "larger_steps"), "steps")
    above = g.node("Add", [square, g.constant(0.5)], "above")
    columns = g.constant([3], np.int64)
    parts = [g.node("ReduceL1", [x, columns], "l1", keepdims=0), g.node("ReduceSumSquare", [x, columns], "squares", keepdims=0), g.node("ReduceLogSum", [above, columns], "log_sum", keepdims=0),
             g.node("ReduceLogSumExp", [x, columns], "log_sum_exp", keepdims=0), g.node("ReduceProd", [above, columns], "product", keepdims=0), g.node("ReduceMean", [g.node("Log", above, "log"), columns], "log_mean", keepdims=0),
             g.node("ReduceMean", [round, columns], "mean_step", keepdims=0)]
    x = g.node("ReduceMean", [g.node("Concat", parts, "parts", axis=1), g.constant([2], np.int64)], "means")
    return g.save("functions", x, 10, 7 * 16, 24)


def enlarged():
    """Maps in another size as before ONNX 11."""
    paths = []
    g = Made()
    x = g.conv("data", 3, 6, "stem", 3, strides=[4, 4], pads=[1] * 4)
    x = g.node("Upsample", [x, g.constant([1, 1, 3, 2])], "nearest", mode="nearest")
    x = g.conv(x, 6, 6, "conv", 3, strides=[2, 2], pads=[1] * 4)
    x = g.node("Upsample", [x, g.constant([1, 1, 2, 2])], "linear", mode="linear")
    paths.append(g.save("upsample", g.node("GlobalAveragePool", x, "means"), 10, 6, 9))
    g = Made()
    x = g.conv("data", 3, 6, "stem", 3, strides=[2, 2], pads=[1] * 4)
    x = g.node("Resize", [x, g.constant([1, 1, 0.4, 1.5])], "nearest", mode="nearest")
    paths.append(g.save("resize10", g.node("GlobalAveragePool", x, "means"), 10, 6, 10))
    return paths


def largest():
    """Places of the largest and smallest, of equal ones the first or the last."""
    g = Made()
    x = g.node("Relu", g.conv("data", 3, 12, "stem", 8, strides=[8, 8]), "relu")
    parts = []
    def places(operator, output, **settings):
        g.whole.add(g.node(operator, x, f"{output}_whole", **settings))
        parts.append(g.node("Flatten", g.node("Cast", f"{output}_whole", output, to=1), f"{output}_flat"))
    places("ArgMax", "channel", axis=1, keepdims=0)
    places("ArgMin", "first", axis=1)
    places("ArgMin", "last", axis=-1, select_last_index=1)
    places("ArgMax", "row", axis=2, select_last_index=1, keepdims=0)
    for name, k, axis, largest in [("most", 5, 1, 1), ("least", 3, -1, 0)]:
        g.nodes.append(onnx.helper.make_node("TopK", [x, g.constant([k], np.int64)], [name, f"{name}_whole"], axis=axis, largest=largest))
        g.whole.add(f"{name}_whole")
        parts += [g.node("Flatten", o, f"{o}_flat") for o in (name, g.node("Cast", f"{name}_whole", f"{name}_places", to=1))]
    return g.save("largest", g.node("Concat", parts, "parts", axis=1), 10, 16 + 16 + 48 + 48 + 2 * 80 + 2 * 144, 20)


def drawings():
    """Trained on embedded drawings scaled to 0 ... 1: its first normalization has the statistics of the first two groups, its
    classes are the first twelve concepts, each known by the features of its drawing in the first."""
    import csv
    from PIL import Image
    quickstart = Path(__file__).resolve().parents[3] / "data/quickstart"
    rows = [r for r in csv.DictReader(open(quickstart / "manifest.csv")) if r["group"] in "12"]
    concepts = list(dict.fromkeys(r["concept"] for r in rows))[:12]
    paths = [next(r["path"] for r in rows if (r["concept"], r["group"]) == (c, g)) for g in "12" for c in concepts]
    def load(path):
        drawing = Image.open(quickstart / path).convert("RGBA")
        white = Image.new("RGBA", drawing.size, "white"); white.alpha_composite(drawing)
        return np.asarray(white.convert("RGB").resize((SIZE, SIZE), Image.BICUBIC), np.float32)
    x = torch.from_numpy(np.stack([load(p) for p in paths]).transpose(0, 3, 1, 2) / 255)
    torch.manual_seed(2018)
    model = nn.Sequential()
    model.add_module("stem", nn.Conv2d(3, 8, 3, 2, 1, bias=False)); model.add_module("norm", nn.BatchNorm2d(8))
    model.add_module("relu", nn.ReLU()); model.add_module("conv", nn.Conv2d(8, 32, 3, 2, 1))
    model.add_module("relu2", nn.ReLU()); model.add_module("pool", nn.AdaptiveAvgPool2d(2)); model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(128, 12))
    with torch.no_grad():
        # Without the border, which at this size pads much of the map.
        seen = model.stem(x)[:, :, 1:-1, 1:-1].permute(1, 0, 2, 3).flatten(1)
        model.norm.running_mean.copy_(seen.mean(1)); model.norm.running_var.copy_(seen.var(1))
        x = x[:12]
        features = model.eval()[:-1](x)
        centred = features - features.mean(0)
        model.head.weight.copy_(nn.functional.normalize(centred) * 8); model.head.bias.copy_(-(model.head.weight @ features.mean(0)))
        assert (model(x).argmax(1) == torch.arange(12)).all()
    path = OUT / "drawings.script.onnx"
    torch.onnx.export(model, (x,), path, dynamo=False, opset_version=17, dynamic_axes={"x": {0: "batch"}}, input_names=["x"],
                      output_names=["classes"], training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    path.with_suffix(".txt").write_text("".join(f"{c}\n" for c in concepts))
    return path


def image(n):
    return np.random.default_rng(n).integers(0, 256, (2, 3, SIZE, SIZE)).astype(np.float32) / np.float32(127.5) - np.float32(1)


def main():
    # What the tests feed: bytes that a formula gives, as semgpu's `inception` makes numbers of them.
    index = np.arange(2 * SIZE * SIZE * 3, dtype=np.int64)
    rgb = ((index * 7919 + index // 97 * 31) % 256).astype(np.uint8).reshape(2, SIZE, SIZE, 3)
    x = (rgb.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)).copy()
    for name, make in NETWORKS.items():
        if sys.argv[2:] and name not in sys.argv[2:]: continue
        for exporter in ("script", "dynamo"):
            torch.manual_seed(2018)
            model, path = lively(make()), OUT / f"{name}.{exporter}.onnx"
            seen = {}
            hooks = [m.register_forward_hook(lambda m, i, o, p=p: seen.setdefault(p, o) if torch.is_tensor(o) else None)
                     for p, m in model.named_modules() if p]
            with torch.no_grad(): result = model(torch.from_numpy(x))
            for h in hooks: h.remove()
            modules = {p: sample(o.numpy()) for p, o in seen.items() if o.shape[0] == 2 and o.dim() > 1}
            graph = export(model, torch.from_numpy(x), str(path), exporter)
            values = reference(graph, x)
            path.with_suffix(".json").write_text(json.dumps({"values": values, "modules": modules}, separators=(",", ":")) + "\n")
            print(path.name, path.stat().st_size, len(values), len(modules), flush=True)
    makers = {"quantised": lambda: [quantised(OUT / "resnet.script.onnx")], "zoo": lambda: [zoo()], "fused": lambda: [fused()],
              "drawings": lambda: [drawings()], "functions": lambda: [functions()], "enlarged": enlarged, "largest": lambda: [largest()]}
    for out in (path for name, make in makers.items() if not sys.argv[2:] or name in sys.argv[2:] for path in make()):
        out.with_suffix(".json").write_text(json.dumps({"values": reference(onnx.load(out), x), "modules": {}}, separators=(",", ":")) + "\n")
    for path in OUT.glob("*.onnx"):
        path.with_suffix(".onnx.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0)); path.unlink()


main()
