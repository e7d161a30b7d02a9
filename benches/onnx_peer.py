"""Networks in ONNX Runtime, for comparison with `semgpu bench --config`: images per second of a whole network.

Needs onnx and onnxruntime. The graphs are built here, with random weights and batch normalization folded, as ONNX Runtime
folds it, or read from files: onnx_peer.py [--threads 2] [--batch 16] [--runs 5] [network | file.onnx ...]
"""

import argparse
import os
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Nodes one after the other; shapes without the batch."""

    def __init__(self, size, batch):
        self.batch = batch
        self.nodes, self.weights, self.shapes = [], [], {"x": (3, size, size)}
        self.random = np.random.default_rng(0)

    def add(self, op, inputs, shape, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        self.shapes[name] = shape
        return name

    def constant(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def parameters(self, shape):
        scale = np.sqrt(2 / np.prod(shape[1:]))
        values = self.random.standard_normal(shape, np.float32) * np.float32(scale)
        return self.constant(values), self.constant(np.zeros(shape[0], np.float32))

    def window(self, x, size, stride, pads):
        top, left, bottom, right = pads
        _, height, width = self.shapes[x]
        return (height + top + bottom - size[0]) // stride + 1, (width + left + right - size[1]) // stride + 1

    def conv(self, x, out, size, stride=1, pad=0, groups=1, act="Relu"):
        size = (size, size) if isinstance(size, int) else size
        pads = pads_of(pad)
        weights = self.parameters((out, self.shapes[x][0] // groups, *size))
        shape = (out, *self.window(x, size, stride, pads))
        x = self.add("Conv", [x, *weights], shape, kernel_shape=size, strides=(stride, stride), pads=pads, group=groups)
        return self.act(x, act)

    def act(self, x, act):
        if act == "Relu6":
            bounds = [self.constant(np.array(bound, np.float32)) for bound in (0, 6)]
            return self.add("Clip", [x, *bounds], self.shapes[x])
        return self.add(act, [x], self.shapes[x]) if act else x

    def pool(self, x, kind, size, stride, pad=0):
        pads = pads_of(pad)
        shape = (self.shapes[x][0], *self.window(x, (size, size), stride, pads))
        return self.add(kind, [x], shape, kernel_shape=(size, size), strides=(stride, stride), pads=pads)

    def concat(self, xs):
        shape = (sum(self.shapes[x][0] for x in xs), *self.shapes[xs[0]][1:])
        return self.add("Concat", xs, shape, axis=1)

    def sum(self, x, y, act="Relu"):
        return self.act(self.add("Add", [x, y], self.shapes[x]), act)

    def mean(self, x):
        return self.add("GlobalAveragePool", [x], (self.shapes[x][0], 1, 1))

    def flat(self, x):
        return self.add("Flatten", [x], (int(np.prod(self.shapes[x])),), axis=1)

    def dense(self, x, out, act=None):
        x = self.add("Gemm", [x, *self.parameters((out, self.shapes[x][0]))], (out,), transB=1)
        return self.add("Softmax", [x], (out,), axis=1) if act == "Softmax" else self.act(x, act)

    def model(self, batch, last):
        value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, (batch, *self.shapes[name]))
        graph = helper.make_graph(self.nodes, "network", [value("x")], [value(last)], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=8)


def pads_of(pad):
    """Top, left, bottom, right from one number, (vertical, horizontal), or all four."""
    if isinstance(pad, int):
        return (pad,) * 4
    return tuple(pad) * 2 if len(pad) == 2 else tuple(pad)


def vgg16(g):
    x = "x"
    for channels, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(count):
            x = g.conv(x, channels, 3, pad=1)
        x = g.pool(x, "MaxPool", 2, 2)
    x = g.dense(g.dense(g.flat(x), 4096, "Relu"), 4096, "Relu")
    return g.dense(x, 1000, "Softmax")


def resnet50(g):
    x = g.pool(g.conv("x", 64, 7, 2, 3), "MaxPool", 3, 2, 1)
    for group, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for block in range(blocks):
            stride = 2 if group and not block else 1
            y = g.conv(g.conv(x, width, 1), width, 3, stride, 1)
            y = g.conv(y, 4 * width, 1, act=None)
            x = g.sum(y, x if block else g.conv(x, 4 * width, 1, stride, act=None))
    return g.dense(g.flat(g.mean(x)), 1000, "Softmax")


def inception_v3(g):
    def pooled(x, channels):
        return g.conv(g.pool(x, "AveragePool", 3, 1, 1), channels, 1)

    x = g.conv(g.conv(g.conv("x", 32, 3, 2), 32, 3), 64, 3, pad=1)
    x = g.pool(g.conv(g.conv(g.pool(x, "MaxPool", 3, 2), 80, 1), 192, 3), "MaxPool", 3, 2)
    for channels in (32, 64, 64):
        a = g.conv(g.conv(x, 48, 1), 64, 5, pad=2)
        b = g.conv(g.conv(g.conv(x, 64, 1), 96, 3, pad=1), 96, 3, pad=1)
        x = g.concat([g.conv(x, 64, 1), a, b, pooled(x, channels)])
    a = g.conv(g.conv(g.conv(x, 64, 1), 96, 3, pad=1), 96, 3, 2)
    x = g.concat([g.conv(x, 384, 3, 2), a, g.pool(x, "MaxPool", 3, 2)])
    row, column = ((1, 7), (0, 3)), ((7, 1), (3, 0))
    for width in (128, 160, 160, 192):
        step = lambda x, out, of: g.conv(x, out, of[0], pad=of[1])
        a = step(step(g.conv(x, width, 1), width, row), 192, column)
        b = g.conv(x, width, 1)
        for out, of in [(width, column), (width, row), (width, column), (192, row)]:
            b = step(b, out, of)
        x = g.concat([g.conv(x, 192, 1), a, b, pooled(x, 192)])
    a = g.conv(g.conv(x, 192, 1), 320, 3, 2)
    b = g.conv(step(step(g.conv(x, 192, 1), 192, row), 192, column), 192, 3, 2)
    x = g.concat([a, b, g.pool(x, "MaxPool", 3, 2)])
    for _ in range(2):
        split = lambda x: [g.conv(x, 384, (1, 3), pad=(0, 1)), g.conv(x, 384, (3, 1), pad=(1, 0))]
        a = split(g.conv(x, 384, 1))
        b = split(g.conv(g.conv(x, 448, 1), 384, 3, pad=1))
        x = g.concat([g.conv(x, 320, 1), *a, *b, pooled(x, 192)])
    return g.dense(g.flat(g.mean(x)), 1000, "Softmax")


def squeezenet1_1(g):
    x = g.pool(g.conv("x", 64, 3, 2), "MaxPool", 3, 2)
    for fire, (squeezed, expanded) in enumerate([(16, 64), (16, 64), (32, 128), (32, 128)] + [(48, 192)] * 2 + [(64, 256)] * 2):
        if fire in (2, 4):
            x = g.pool(x, "MaxPool", 3, 2)
        x = g.conv(x, squeezed, 1)
        x = g.concat([g.conv(x, expanded, 1), g.conv(x, expanded, 3, pad=1)])
    x = g.flat(g.mean(g.conv(x, 1000, 1)))
    return g.add("Softmax", [x], (1000,), axis=1)


def efficientnet_lite0(g):
    x = g.conv("x", 32, 3, 2, (0, 0, 1, 1), act="Relu6")
    blocks = [(1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2), (6, 320, 1, 3, 1)]
    for expansion, out, repeats, size, stride in blocks:
        for repeat in range(repeats):
            step, inputs = 1 if repeat else stride, g.shapes[x][0]
            y = g.conv(x, expansion * inputs, 1, act="Relu6") if expansion > 1 else x
            pad = size // 2 if step == 1 else (size // 2 - 1, size // 2 - 1, size // 2, size // 2)
            y = g.conv(y, expansion * inputs, size, step, pad, groups=expansion * inputs, act="Relu6")
            y = g.conv(y, out, 1, act=None)
            x = g.sum(y, x, None) if repeat else y
    x = g.flat(g.mean(g.conv(x, 1280, 1, act="Relu6")))
    return g.dense(x, 1000, "Softmax")


def vit(g, patch, width, heads, blocks, head, pre_norm=False, gelu="Gelu"):
    """Tokens are products with a bias; attention is ONNX Runtime's own (com.microsoft), its fastest."""
    ones = lambda value, n: g.constant(np.full(n, value, np.float32))
    norm = lambda x: g.add("LayerNormalization", [x, ones(1, width), ones(0, width)], g.shapes[x], axis=-1, epsilon=1e-6)

    def product(x, out):
        tokens, inputs = g.shapes[x]
        scale = np.float32(np.sqrt(1 / inputs))
        weights = g.constant(g.random.standard_normal((inputs, out), np.float32) * scale)
        return g.add("Add", [g.add("MatMul", [x, weights], (tokens, out)), ones(0, out)], (tokens, out))

    def perceptron(x):
        y = product(x, 4 * width)
        if gelu == "Gelu":
            erf = g.add("Erf", [g.add("Div", [y, ones(np.sqrt(2), 1)], g.shapes[y])], g.shapes[y])
            y = g.add("Mul", [g.add("Mul", [y, g.add("Add", [erf, ones(1, 1)], g.shapes[y])], g.shapes[y]), ones(0.5, 1)], g.shapes[y])
        else:
            y = g.add("QuickGelu", [y], g.shapes[y], domain="com.microsoft", alpha=1.702)
        return product(y, width)

    side = g.shapes["x"][1] // patch
    tokens = side * side + 1
    x = g.conv("x", width, patch, patch, act=None)
    x = g.add("Reshape", [x, g.constant(np.array([0, width, side * side], np.int64))], (width, side * side))
    x = g.add("Transpose", [x], (side * side, width), perm=(0, 2, 1))
    classes = g.add("Expand", [ones(0, (1, 1, width)), g.constant(np.array([g.batch, 1, width], np.int64))], (1, width))
    x = g.add("Concat", [classes, x], (tokens, width), axis=1)
    x = g.add("Add", [x, ones(0.1, (1, tokens, width))], (tokens, width))
    if pre_norm:
        x = norm(x)
    for _ in range(blocks):
        y = norm(x)
        parts = [product(y, width) for _ in range(3)]
        y = g.add("MultiHeadAttention", parts, (tokens, width), domain="com.microsoft", num_heads=heads)
        x = g.sum(product(y, width), x, None)
        x = g.sum(perceptron(norm(x)), x, None)
    x = norm(x)
    if not head:
        return x
    x = g.add("Gather", [x, g.constant(np.array(0, np.int64))], (width,), axis=1)
    return g.dense(x, head)


NETWORKS = {
    "vit_b16": (lambda g: vit(g, 16, 768, 12, 12, 1000), 224),
    "deit_s16": (lambda g: vit(g, 16, 384, 6, 12, 1000), 224),
    "clip_vit_b32": (lambda g: vit(g, 32, 768, 12, 12, 512, pre_norm=True, gelu="QuickGelu"), 224),
    "dinov2_b14": (lambda g: vit(g, 14, 768, 12, 12, None), 224),
    "vgg16": (vgg16, 224),
    "resnet50": (resnet50, 224),
    "inception_v3": (inception_v3, 299),
    "squeezenet1_1": (squeezenet1_1, 227),
    "efficientnet_lite0": (efficientnet_lite0, 224),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="network", help=", ".join(NETWORKS) + ", a file.onnx; all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print(f"ONNX Runtime {onnxruntime.__version__}, {arguments.threads} threads, batch {arguments.batch}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    for name in arguments.networks or NETWORKS:
        if name.endswith(".onnx"):
            model = name
        else:
            build, size = NETWORKS[name]
            graph = Graph(size, arguments.batch)
            model = graph.model(arguments.batch, build(graph))
            onnx.checker.check_model(model)
            model = model.SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        taken = session.get_inputs()[0]
        images = np.random.default_rng(1).standard_normal((arguments.batch, *taken.shape[1:]), np.float32)
        seconds = []
        for _ in range(arguments.runs + 1):
            started = time.perf_counter()
            session.run(None, {taken.name: images})
            seconds.append(time.perf_counter() - started)
        seconds = sorted(seconds[1:])
        rate = lambda seconds: arguments.batch / seconds
        median = rate(seconds[len(seconds) // 2])
        print(f"{os.path.basename(name)}: {median:.1f} images/s ({rate(seconds[-1]):.1f} .. {rate(seconds[0]):.1f})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
