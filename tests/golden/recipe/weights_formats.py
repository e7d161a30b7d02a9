"""weights_formats.py   tiny networks in every weights format, by the programs that write them -> ../weights_formats.zip

Element i of tensor t (its place in NAMES or KERAS) is ((7 i + i // 32 + 5 t) mod 32 - 16) / 8 in the layout of the file:
exact in float16 and bfloat16. Needs torch, keras (on the torch backend) and h5py.
"""
import os, shutil, tempfile, zipfile
os.environ["KERAS_BACKEND"] = "torch"
import h5py, keras, numpy as np, torch
from keras import layers
from keras.src.legacy.saving import legacy_h5_format
from safetensors.torch import save_file

OUT = tempfile.mkdtemp()
def out(name): return os.path.join(OUT, name)
def value(t, shape):
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    return (((7 * i + i // 32 + 5 * t) % 32 - 16) / 8).astype(np.float32).reshape(shape)

# ---------------------------------------------------------------- PyTorch
class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.bn = torch.nn.BatchNorm2d(4)
        self.dw = torch.nn.Conv2d(4, 4, 3, groups=4, bias=False)
        self.fc = torch.nn.Linear(4, 2)
NAMES = ["conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "dw.weight", "fc.weight", "fc.bias"]
tiny = Tiny()
state = tiny.state_dict()
assert [k for k in state if not k.endswith("num_batches_tracked")] == NAMES
for t, name in enumerate(NAMES): state[name].copy_(torch.from_numpy(value(t, state[name].shape)))
torch.save(state, out("tiny.pth"))
torch.save(state, out("tiny_legacy.pth"), _use_new_zipfile_serialization=False)
torch.save(tiny, out("tiny_module.pth"))
save_file({k: v.contiguous() for k, v in state.items()}, out("tiny.safetensors"))
torch.save({k: v.to({"conv": torch.float16, "bn": torch.bfloat16, "dw": torch.float32, "fc": torch.float64}[k.split(".")[0]])
            for k, v in state.items() if "num_batches" not in k}, out("tiny_types.pth"))
# Views: channels-last, transposed, and two halves of one storage.
views = dict(state)
views["conv.weight"] = state["conv.weight"].contiguous(memory_format=torch.channels_last)
views["fc.weight"] = state["fc.weight"].t().contiguous().t()
both = torch.cat([state["bn.running_mean"], state["bn.running_var"]])
views["bn.running_mean"], views["bn.running_var"] = both[:4], both[4:]
assert not views["conv.weight"].is_contiguous() and not views["fc.weight"].is_contiguous() and both[4:].storage_offset() == 4
torch.save(views, out("tiny_views.pth"))
step = torch.optim.Adam(tiny.parameters())
for p in tiny.parameters(): p.grad = torch.zeros_like(p)
step.step()
torch.save({"epoch": 3, "arch": "tiny", "args": {"lr": 0.1}, "state_dict": {"module." + k: v for k, v in state.items()},
            "optimizer": step.state_dict()}, out("tiny_checkpoint.pth"))

# ---------------------------------------------------------------- Keras
def skip(layer, n):  # a session that built other models before: automatic names have an offset
    for _ in range(n): layer()
def model():
    keras.utils.clear_session()
    skip(lambda: layers.Conv2D(1, 1), 9); skip(layers.BatchNormalization, 9); skip(lambda: layers.Dense(1), 3)
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(x)                       # conv2d_9
    x = layers.BatchNormalization(scale=False)(x)    # batch_normalization_9
    x = layers.Conv2D(4, 1, use_bias=False)(x)       # conv2d_10
    x = layers.BatchNormalization()(x)               # batch_normalization_10
    x = layers.DepthwiseConv2D(3, use_bias=False, name="dw")(x)
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.5)(x))
    x = layers.Dense(5, name="fc1")(x)
    return keras.Model(inputs, layers.Dense(2)(x))   # dense_3
KERAS = [("conv2d_9", "kernel"), ("conv2d_9", "bias"), ("batch_normalization_9", "beta"),
         ("batch_normalization_9", "moving_mean"), ("batch_normalization_9", "moving_variance"), ("conv2d_10", "kernel"),
         ("batch_normalization_10", "gamma"), ("batch_normalization_10", "beta"), ("batch_normalization_10", "moving_mean"),
         ("batch_normalization_10", "moving_variance"), ("dw", "kernel"), ("fc1", "kernel"), ("fc1", "bias"),
         ("dense_3", "kernel"), ("dense_3", "bias")]
def fill(m):
    found = [(l.name, w.name) for l in m.layers for w in l.weights]
    assert found == KERAS, found
    for l in m.layers: l.set_weights([value(KERAS.index((l.name, w.name)), w.shape) for w in l.weights])
    return m
def values(): return {(l.name, w.name): keras.ops.convert_to_numpy(w) for l in m.layers for w in l.weights}
m = fill(model())
m.save_weights(out("tiny.weights.h5"))
m.save(out("tiny.keras"))
m.compile(optimizer="adam", loss="mse")
m.train_on_batch(np.zeros((1, 8, 8, 3), np.float32), np.zeros((1, 2), np.float32)); fill(m)
m.save(out("tiny_trained.keras"))
m.save(out("tiny_whole.h5"))
with h5py.File(out("tiny_only.h5"), "w") as f: legacy_h5_format.save_weights_to_hdf5_group(f, m)

def unnamed(source, target):  # as older releases of Keras 3 wrote it: no attribute `name`
    shutil.copy(source, target)
    with h5py.File(target, "a") as f:
        found = []
        f.visit(lambda path: found.append(path) if path.endswith("vars") else None)
        for path in found: del f[path].attrs["name"]
unnamed(out("tiny.weights.h5"), out("tiny_unnamed.weights.h5"))
with tempfile.TemporaryDirectory() as d, zipfile.ZipFile(out("tiny.keras")) as old:
    old.extractall(d)
    unnamed(os.path.join(d, "model.weights.h5"), os.path.join(d, "unnamed.h5"))
    with zipfile.ZipFile(out("tiny_unnamed.keras"), "w", zipfile.ZIP_DEFLATED) as new:
        for name in ("metadata.json", "config.json"): new.write(os.path.join(d, name), name)
        new.write(os.path.join(d, "unnamed.h5"), "model.weights.h5")

# Keras 2 and Keras 1, whose releases no longer install: the layout as they write it, by h5py.
VARIABLES = ["kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"]
KERAS1 = dict(kernel="W", bias="b", gamma="gamma", beta="beta", moving_mean="running_mean", moving_variance="running_std")
def imitation(path, spelled, types=lambda t: {}):
    v, order = values(), [l.name for l in m.layers]
    with h5py.File(path, "w") as f:
        f.attrs["layer_names"] = [n.encode() for n in order]; f.attrs["backend"] = b"tensorflow"; f.attrs["keras_version"] = b"2.1.2"
        for layer in order:
            g = f.create_group(layer); mine = [k for k in KERAS if k[0] == layer]
            g.attrs["weight_names"] = [spelled(*k).encode() for k in mine]
            for k in mine: g.create_dataset(spelled(*k), data=v[k], **types(KERAS.index(k)))
imitation(out("tiny_keras2.h5"), lambda l, v: f"{l}/depthwise_kernel:0" if l == "dw" else f"{l}/{v}:0")
imitation(out("tiny_keras1.h5"), lambda l, v: f"{l}_{KERAS1[v]}_1:0")
imitation(out("tiny_types.h5"), lambda l, v: f"{l}/{v}:0",
          lambda t: [dict(dtype="<f2"), dict(dtype="<f8"), dict(dtype=">f4"), dict(dtype=">f8"), dict(chunks=True, compression="gzip", shuffle=True)]
          [4 if t in (0, 5, 11) else t % 4])

# A model inside a model.
def nested():
    keras.utils.clear_session()
    i = keras.Input((8, 8, 3)); inner = keras.Model(i, layers.Conv2D(4, 3, name="block2")(layers.Conv2D(4, 1, name="block1")(i)), name="base")
    x = inputs = keras.Input((8, 8, 3))
    m = keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(inner(x))))
    for t, w in enumerate(m.weights): w.assign(value(t, w.shape))
    return m
n = nested(); n.save(out("nested.keras")); n.save(out("nested.h5"))

# bfloat16 weights.
keras.utils.clear_session(); keras.config.set_dtype_policy("bfloat16")
b = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="dense_b")])
for t, w in enumerate(b.weights): w.assign(torch.from_numpy(value(t, w.shape)).to(torch.bfloat16))
b.save_weights(out("bfloat16.weights.h5"))

# Odd ones: a list of layers in two parts, as Keras writes one too long for HDF5; four terabytes that were never written;
# groups inside each other.
def conv(f, layer, **kernel):
    g = f.create_group(layer); g.attrs["weight_names"] = [f"{layer}/kernel:0".encode()]
    g.create_dataset(f"{layer}/kernel:0", **kernel)
with h5py.File(out("split.h5"), "w") as f:
    f.attrs["layer_names0"] = [b"a/first"]; f.attrs["layer_names1"] = [b"second"]
    conv(f, "a/first", data=value(0, (3, 2))); conv(f, "second", data=value(1, (2, 3)))
with h5py.File(out("odd_sparse.h5"), "w") as f:
    f.attrs["layer_names"] = [b"conv"]; conv(f, "conv", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1024, 1024))
with h5py.File(out("odd_cycle.weights.h5"), "w") as f:
    layers = f.create_group("layers"); layers.create_group("conv2d")["again"] = layers
with h5py.File(out("odd_theano.h5"), "w") as f:
    f.attrs["layer_names"] = [b"conv"]; f.attrs["backend"] = b"theano"; conv(f, "conv", data=value(0, (3, 2)))

with zipfile.ZipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "weights_formats.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    for name in sorted(os.listdir(OUT)):
        with open(out(name), "rb") as f: z.writestr(zipfile.ZipInfo(name), f.read(), zipfile.ZIP_DEFLATED, 9)
shutil.rmtree(OUT)
