"""resnet18-torchvision.json: torchvision's resnet18 in f64 and f32, with the formula's weights and images.

usage: resnet18.py OUT.json
"""
import json, sys
import numpy as np, torch, torchvision
import common as C
torch.set_grad_enabled(False)
SIZE, WIDTHS = 224, [(2, 64), (3, 128), (4, 256), (5, 512)]
def parameters():
    P = []
    def normalised(conv, bn, o, i, k): P.extend([C.conv(conv + ".weight", o, i, k, k, 2.0)] + C._bn(bn, o))
    normalised("stem.conv", "stem.bn", 64, 3, 7); cin = 64
    for s, w in WIDTHS:
        for b in (1, 2):
            p = f"stage{s}.block{b}"
            normalised(p + ".conv1", p + ".bn1", w, cin, 3); normalised(p + ".conv2", p + ".bn2", w, w, 3)
            if cin != w: normalised(p + ".shortcut.conv", p + ".shortcut.bn", w, cin, 1)
            cin = w
    return P + [C.dense("predictions.weight", 1000, 512, 2.0), C.vec("predictions.bias", "bias", 1000)]
def run(x, dtype):
    m = torchvision.models.resnet18(weights=None).to(dtype).eval(); taps = []
    state = {C.tv_key("resnet50", p["name"]): torch.from_numpy(C.make(p)) for p in parameters()}
    missing, unexpected = m.load_state_dict(state, strict=False)
    assert not unexpected and all(k.endswith("num_batches_tracked") for k in missing), (missing, unexpected)
    def tap(_module, _input, output): taps.append((f"activation_{len(taps) + 1}", output.clone().numpy()))
    for name, module in m.named_modules():
        if name.split(".")[-1] == "relu": module.register_forward_hook(tap)
    m.avgpool.register_forward_hook(lambda _module, _input, output: taps.append(("avg_pool", output.numpy().reshape(2, -1))))
    logits = m(torch.from_numpy(np.ascontiguousarray(x)).to(dtype))
    return taps + [("predictions", torch.softmax(logits, 1).numpy())]
def stat(name, a64, a32):
    f = a64.reshape(2, -1).astype(np.float64); idx = C.sample_idx(name, f.shape[1])
    return dict(name=name, shape=list(a64.shape[1:]), f32_max_abs_err=float(np.abs(f - a32.reshape(2, -1)).max()), pearson=float(np.corrcoef(f)[0, 1]),
                images=[dict(mean=float(v.mean()), std=float(v.std()), l2=float(np.sqrt((v * v).sum())), values=[[i, float(str(np.float32(v[i])))] for i in idx]) for v in f])
def main(out):
    img = np.stack([C.image(0, SIZE), C.image(1, SIZE)]); raw = img.transpose(0, 3, 1, 2); x = C.preprocess(img, "torch").transpose(0, 3, 1, 2)
    taps = [stat("pixels_raw", raw, raw), stat("pixels_input", x, x)]
    for (name, a64), (_, a32) in zip(run(x, torch.float64), run(x, torch.float32)): taps.append(stat(name, a64, a32))
    with open(out, "w") as f: json.dump(dict(network="resnet18", size=SIZE, taps=taps), f, separators=(",", ":"))
    for t in taps: print(t["name"], t["shape"], "std %.3g" % t["images"][0]["std"], "f32 error / std %.1e" % (t["f32_max_abs_err"] / t["images"][0]["std"]))
main(*sys.argv[1:])
