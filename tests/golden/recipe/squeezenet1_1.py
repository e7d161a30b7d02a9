"""squeezenet1_1-formula.json: SqueezeNet 1.1 in numpy (im2col), f64 and f32, with the formula's weights and images.

usage: squeezenet1_1.py OUT.json [WEIGHTS.safetensors]     with a weights file: its weights, not the formula's
"""
import json, struct, sys
import numpy as np
import common as C
SIZE = 227
FIRES = [("fire2", 16, 64), ("fire3", 16, 64), ("fire4", 32, 128), ("fire5", 32, 128), ("fire6", 48, 192), ("fire7", 48, 192), ("fire8", 64, 256), ("fire9", 64, 256)]
def parameters():
    P = [C.conv("conv1.weight", 64, 3, 3, 3, 0.006), C.vec("conv1.bias", "bias", 64)]; cin = 64
    for n, s, e in FIRES:
        for part, o, i, k in [("squeeze1x1", s, cin, 1), ("expand1x1", e, s, 1), ("expand3x3", e, s, 3)]:
            P += [C.conv(f"{n}.{part}.weight", o, i, k, k, 2.0), C.vec(f"{n}.{part}.bias", "bias", o)]
        cin = 2 * e
    return P + [C.conv("conv10.weight", 1000, cin, 1, 1, 2.0), C.vec("conv10.bias", "bias", 1000)]
def read(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]; header = json.loads(f.read(n)); data = f.read()
    return {k: np.frombuffer(data[v["data_offsets"][0]:v["data_offsets"][1]], "<f4").reshape(v["shape"]) for k, v in header.items() if k != "__metadata__"}
def conv(x, W, name, stride=1, pad=0):
    w, b = W[name + ".weight"].astype(x.dtype), W[name + ".bias"].astype(x.dtype); o, i, k, _ = w.shape
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    v = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]              # n i y x k k
    n, _, h, wd = v.shape[:4]; cols = v.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * wd, i * k * k)
    return (cols @ w.reshape(o, -1).T + b).reshape(n, h, wd, o).transpose(0, 3, 1, 2)
def pool(x): return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))   # windows that fit
def relu(x): return np.maximum(x, 0)
def run(x, W):
    yield "conv1", (x := relu(conv(x, W, "conv1", 2)))
    for n, _, _ in FIRES:
        if n in ("fire2", "fire4", "fire6"): x = pool(x)
        s = relu(conv(x, W, n + ".squeeze1x1"))
        yield n, (x := np.concatenate([relu(conv(s, W, n + ".expand1x1")), relu(conv(s, W, n + ".expand3x3", pad=1))], 1))
    yield "conv10", (x := relu(conv(x, W, "conv10")))
    yield "logits", x.mean((2, 3))
def stat(name, a64, a32):
    f = a64.reshape(2, -1).astype(np.float64); idx = C.sample_idx(name, f.shape[1])
    return dict(name=name, shape=list(a64.shape[1:]), f32_max_abs_err=float(np.abs(f - a32.reshape(2, -1)).max()), pearson=float(np.corrcoef(f)[0, 1]),
                images=[dict(mean=float(v.mean()), std=float(v.std()), l2=float(np.sqrt((v * v).sum())), values=[[i, float(str(np.float32(v[i])))] for i in idx]) for v in f])
def main(out, weights=None):
    W = read(weights) if weights else {p["name"]: C.make(p) for p in parameters()}
    img = np.stack([C.image(0, SIZE), C.image(1, SIZE)]); raw = img.transpose(0, 3, 1, 2); x = C.preprocess(img, "caffe").transpose(0, 3, 1, 2)
    taps = [stat("pixels_raw", raw, raw), stat("pixels_input", x, x)]
    for (name, a64), (_, a32) in zip(run(x.astype(np.float64), W), run(x, W)): taps.append(stat(name, a64, a32))
    with open(out, "w") as f: json.dump(dict(network="squeezenet1_1", size=SIZE, taps=taps), f, separators=(",", ":"))
    for t in taps: print(t["name"], t["shape"], "std %.3g" % t["images"][0]["std"], "f32 error / std %.1e" % (t["f32_max_abs_err"] / t["images"][0]["std"]))
main(*sys.argv[1:])
