"""alexnet-torchvision.json: torchvision's alexnet in f64 and f32, with the formula's weights and images.

usage: alexnet.py OUT.json
"""
import json, sys
import numpy as np, torch, torchvision
import common as C
torch.set_grad_enabled(False)
SIZE = 224
CONVS = [("conv1", "features.0", 64, 3, 11), ("conv2", "features.3", 192, 64, 5), ("conv3", "features.6", 384, 192, 3), ("conv4", "features.8", 256, 384, 3), ("conv5", "features.10", 256, 256, 3)]
DENSE = [("fc6", "classifier.1", 4096, 9216), ("fc7", "classifier.4", 4096, 4096), ("fc8", "classifier.6", 1000, 4096)]
def run(x, dtype):
    m = torchvision.models.alexnet(weights=None).to(dtype).eval(); taps = []
    P = [(module, C.conv(n + ".weight", o, i, k, k, 2.0), C.vec(n + ".bias", "bias", o)) for n, module, o, i, k in CONVS]
    P += [(module, C.dense(n + ".weight", o, i, 2.0), C.vec(n + ".bias", "bias", o)) for n, module, o, i in DENSE]
    m.load_state_dict({f"{module}.{part}": torch.from_numpy(C.make(p)) for module, w, b in P for part, p in (("weight", w), ("bias", b))})
    names = iter([n for n, *_ in CONVS] + ["fc6", "fc7"])
    for module in m.modules():
        if isinstance(module, torch.nn.ReLU): module.register_forward_hook(lambda _m, _i, o: taps.append((next(names), o.clone().numpy())))
    logits = m(torch.from_numpy(np.ascontiguousarray(x)).to(dtype))
    return taps + [("fc8", logits.numpy())]
def stat(name, a64, a32):
    f = a64.reshape(2, -1).astype(np.float64); idx = C.sample_idx(name, f.shape[1])
    return dict(name=name, shape=list(a64.shape[1:]), f32_max_abs_err=float(np.abs(f - a32.reshape(2, -1)).max()), pearson=float(np.corrcoef(f)[0, 1]),
                images=[dict(mean=float(v.mean()), std=float(v.std()), l2=float(np.sqrt((v * v).sum())), values=[[i, float(str(np.float32(v[i])))] for i in idx]) for v in f])
def main(out):
    img = np.stack([C.image(0, SIZE), C.image(1, SIZE)]); raw = img.transpose(0, 3, 1, 2); x = C.preprocess(img, "torch").transpose(0, 3, 1, 2)
    taps = [stat("pixels_raw", raw, raw), stat("pixels_input", x, x)]
    for (name, a64), (_, a32) in zip(run(x, torch.float64), run(x, torch.float32)): taps.append(stat(name, a64, a32))
    with open(out, "w") as f: json.dump(dict(network="alexnet", size=SIZE, taps=taps), f, separators=(",", ":"))
    for t in taps: print(t["name"], t["shape"], "std %.3g" % t["images"][0]["std"], "f32 error / std %.1e" % (t["f32_max_abs_err"] / t["images"][0]["std"]))
main(*sys.argv[1:])
