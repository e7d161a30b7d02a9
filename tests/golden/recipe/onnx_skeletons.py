"""onnx_skeletons.py FILES NAMES.json OUT: skeletons of the ONNX files that exporters write of whole networks.

FILES holds them (torch.onnx legacy and dynamo, Keras 3 export, of models with the formula's weights); NAMES.json says for
each parameter which initializer it is in, found by comparing values. A skeleton has every node and every initializer's
name, type and shape; floating-point values are said to be in a file `zeros`, which a test makes as a sparse file.
tf2onnx's are built here from the node names, order and initializers that NAMES.json has of its real files.
Writes OUT/<file>.gz and OUT/names.tsv.gz: file, parameter (canonical), initializer.
"""
import gzip, json, os, sys
import onnx
from onnx import TensorProto, helper as h

FILES, NAMES, OUT = sys.argv[1:]
names = json.load(open(NAMES))


def write(path, text):
    with gzip.GzipFile(path, "wb", 9, mtime=0) as f:
        f.write(text)


def outside(i):
    """An initializer without its values."""
    t = TensorProto(name=i.name, data_type=i.data_type, dims=i.dims, data_location=TensorProto.EXTERNAL)
    t.external_data.add(key="location", value="zeros")
    return t


def skeleton(model):
    g = model.graph
    for n in g.node:
        del n.metadata_props[:]
        n.doc_string = ""
    kept = [i if i.data_type == 7 or (i.data_type == 1 and len(i.dims) == 0) else outside(i) for i in g.initializer]
    graph = h.make_graph(list(g.node), g.name, [], [h.make_empty_tensor_value_info(o.name) for o in g.output], kept)
    return h.make_model(graph, producer_name=model.producer_name, opset_imports=model.opset_import)


def tf2onnx(net, file):
    """The graph tf2onnx writes of Keras' network: structure from keras.applications, names and order from NAMES.json."""
    known = {p["name"]: (p["onnx"][file], p["shape"]) for p in names[net]["params"] if file in p.get("onnx", {})}
    keras2_1, nchw = "keras2_1" in file, "nchw" in file
    nodes, inits, count = [], [], [0]

    def value():
        count[0] += 1
        return f"v{count[0]}"

    def add(op, inputs, rank, name=None, **attributes):
        out = value()
        nodes.append((rank, h.make_node(op, inputs, [out], name or f"{op}__{count[0]}", **attributes)))
        return out

    last = [-1]

    def rank():
        """After the convolution added last."""
        return last[0]

    def conv(x, name, stride, pads):
        d, shape = known[name + ".weight"]
        last[0] = d["order"]
        inits.append((d["initializer"], shape)); inits.append((d["bias"], shape[:1]))
        extra = dict(pads=pads) if any(pads) else {}
        x = add("Conv", [x, d["initializer"], d["bias"]], rank(), d["node"], strides=[stride] * 2, kernel_shape=shape[2:], **extra)
        return x

    relu = lambda x: add("Relu", [x], rank())
    x = "input_1"
    if not nchw:
        x = add("Transpose", [x], -1, perm=[0, 3, 1, 2])
    if net == "resnet50":
        x = relu(conv(x, "stem.conv", 2, [2, 2, 3, 3] if keras2_1 else [3] * 4))
        if not keras2_1:
            x = add("Pad", [x, "pads"], rank())
        x = add("MaxPool", [x], rank(), kernel_shape=[3, 3], strides=[2, 2])
        for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
            for b in range(1, blocks + 1):
                q, stride = f"stage{stage}.block{b}", 2 if b == 1 and stage > 2 else 1
                y = relu(conv(x, q + ".conv1", stride, [0] * 4))
                y = relu(conv(y, q + ".conv2", 1, [1] * 4))
                y = conv(y, q + ".conv3", 1, [0] * 4)
                s = conv(x, q + ".shortcut.conv", stride, [0] * 4) if b == 1 else x
                x = relu(add("Add", [y, s] if keras2_1 else [s, y], rank()))
        x = add("AveragePool", [x], rank(), kernel_shape=[7, 7], strides=[7, 7]) if keras2_1 else add("GlobalAveragePool", [x], rank())
    else:
        c = lambda x, name, stride=1, pad=(0, 0): relu(conv(x, name + ".conv", stride, [*pad, *pad]))
        pool = lambda x: add("MaxPool", [x], rank(), kernel_shape=[3, 3], strides=[2, 2])
        mean = lambda x: add("AveragePool", [x], rank(), kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
        cat = lambda *xs: add("Concat", list(xs), rank(), axis=1)
        x = c(c(c(x, "stem.conv1", 2), "stem.conv2"), "stem.conv3", 1, (1, 1))
        x = pool(c(c(pool(x), "stem.conv4"), "stem.conv5"))
        for m in (0, 1, 2):
            q = f"mixed{m}.branch"
            x = cat(c(x, q + "1x1"), c(c(x, q + "5x5_1"), q + "5x5_2", 1, (2, 2)),
                    c(c(c(x, q + "3x3dbl_1"), q + "3x3dbl_2", 1, (1, 1)), q + "3x3dbl_3", 1, (1, 1)), c(mean(x), q + "_pool"))
        x = cat(c(x, "mixed3.branch3x3", 2), c(c(c(x, "mixed3.branch3x3dbl_1"), "mixed3.branch3x3dbl_2", 1, (1, 1)), "mixed3.branch3x3dbl_3", 2), pool(x))
        r, d = (0, 3), (3, 0)
        for m in (4, 5, 6, 7):
            q = f"mixed{m}.branch"
            y = c(c(c(x, q + "7x7_1"), q + "7x7_2", 1, r), q + "7x7_3", 1, d)
            z = c(x, q + "7x7dbl_1")
            for k, pad in enumerate((d, r, d, r), 2):
                z = c(z, f"{q}7x7dbl_{k}", 1, pad)
            x = cat(c(x, q + "1x1"), y, z, c(mean(x), q + "_pool"))
        q = "mixed8.branch"
        z = c(c(c(c(x, q + "7x7x3_1"), q + "7x7x3_2", 1, r), q + "7x7x3_3", 1, d), q + "7x7x3_4", 2)
        x = cat(c(c(x, q + "3x3_1"), q + "3x3_2", 2), z, pool(x))
        for m in (9, 10):
            q = f"mixed{m}.branch"
            y, z = c(x, q + "3x3_1"), c(c(x, q + "3x3dbl_1"), q + "3x3dbl_2", 1, (1, 1))
            x = cat(c(x, q + "1x1"), c(y, q + "3x3_2a", 1, (0, 1)), c(y, q + "3x3_2b", 1, (1, 0)),
                    c(z, q + "3x3dbl_3a", 1, (0, 1)), c(z, q + "3x3dbl_3b", 1, (1, 0)), c(mean(x), q + "_pool"))
        x = add("GlobalAveragePool", [x], rank())
    end = 1000
    x = add("Reshape", [x, "shape"], end) if keras2_1 else add("Squeeze", [x, "axes"], end)
    d, shape = known["predictions.weight"]
    inits.append((d["initializer"], shape[::-1])); inits.append((d["bias"], shape[:1]))
    x = add("MatMul", [x, d["initializer"]], end, d["node"])
    x = add("Add", [x, d["bias"]], end)
    nodes.append((end, h.make_node("Softmax", [x], ["predictions"], "Softmax")))
    # In tf2onnx's order, as far as each node follows its inputs.
    left, done, order = sorted(nodes, key=lambda t: t[0]), {"input_1", "pads", "shape", "axes"} | {i for i, _ in inits}, []
    while left:
        at = next(k for k, (_, n) in enumerate(left) if all(i in done for i in n.input))
        _, n = left.pop(at)
        done |= set(n.output); order.append(n)
    whole = [h.make_tensor("pads", 7, [8], [0, 0, 1, 1, 0, 0, 1, 1]), h.make_tensor("shape", 7, [2], [-1, 2048]), h.make_tensor("axes", 7, [2], [2, 3])]
    tensors = [outside(TensorProto(name=n, dims=s, data_type=1)) for n, s in inits] + whole
    graph = h.make_graph(order, net, [], [h.make_empty_tensor_value_info("predictions")], tensors)
    return h.make_model(graph, producer_name="tf2onnx", opset_imports=[h.make_opsetid("", 13)])


rows = []
for net in ("vgg16", "resnet50", "inception_v3"):
    for file in sorted(names[net]["onnx_files"]):
        if "embedded" in file:   # the same graph as dynamo.onnx
            continue
        model = tf2onnx(net, file) if "tf2onnx" in file else skeleton(onnx.load(f"{FILES}/{file}", load_external_data=False))
        write(f"{OUT}/{file}.gz", model.SerializeToString(deterministic=True))
        for p in names[net]["params"]:
            d = p.get("onnx", {}).get(file)
            if d:
                rows.append((file, p["name"], d["initializer"]))
                if "bias" in d:
                    rows.append((file, p["name"][:-6] + "bias", d["bias"]))
                if "bn" in d:
                    o = p["name"][:-7]
                    bn = o[:-4] + "bn" if o.endswith(".conv") else o.replace(".conv", ".bn")
                    rows += [(file, f"{bn}.{v}", i) for v, i in zip(("gamma", "beta", "mean", "var"), d["bn"]["inputs"])]
write(f"{OUT}/names.tsv.gz", "".join("\t".join(r) + "\n" for r in rows).encode())
