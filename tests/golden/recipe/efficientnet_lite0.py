"""efficientnet_lite0-formula.json: EfficientNet-Lite0 of PyPI efficientnet-lite-pytorch 0.1.0 on torch, f64 and f32, with the formula's weights and images.

usage: efficientnet_lite0.py OUT.json
"""
import json, sys
import numpy as np, torch
import common as C
from efficientnet_lite_pytorch import EfficientNet
SIZE = 224
torch.set_grad_enabled(False)
def canonical(key):
    """The parameter of ours that fills a tensor of the package."""
    owner, variable = key.rsplit(".", 1); parts = owner.split("."); layer = parts[-1]
    norms = {"_bn0": "stem", "_bn1": "head_conv"} if len(parts) == 1 else {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}
    at = f"block{int(parts[1]):02}." if len(parts) > 1 else ""
    if layer == "_fc": return f"logits.{variable}"
    if layer in norms: return f"{at}{norms[layer]}.bn." + {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}[variable]
    return at + {"_conv_stem": "stem", "_conv_head": "head_conv", "_expand_conv": "expand", "_depthwise_conv": "depthwise", "_project_conv": "project"}[layer] + ".conv.weight"
def parameter(name, shape):
    kind = name.rsplit(".", 1)[1]
    if kind == "weight": return dict(name=name, kind="conv", shape=shape, fan_in=int(np.prod(shape[1:])), gain=2.0)
    return C.vec(name, kind, shape[0])
def model():
    m = EfficientNet.from_name("efficientnet-lite0").eval()
    for key, tensor in m.state_dict().items():
        if not key.endswith("num_batches_tracked"): tensor.copy_(torch.from_numpy(C.make(parameter(canonical(key), list(tensor.shape)))))
    return m
def run(x, dtype):
    m = model().to(dtype); taps = []
    relu6 = torch.nn.functional.relu6
    def tap(module, name, f=lambda v: v): module.register_forward_hook(lambda _, __, out: taps.append((name, f(out).numpy().copy())))
    tap(m._bn0, "stem", relu6)
    for i, block in enumerate(m._blocks): tap(block, f"block{i:02}")
    tap(m._bn1, "head_conv", relu6); tap(m._avg_pooling, "avgpool", lambda v: v.flatten(1)); tap(m._fc, "logits")
    m(torch.from_numpy(np.ascontiguousarray(x)).to(dtype))
    return taps
def stat(name, a64, a32):
    f = a64.reshape(2, -1).astype(np.float64); idx = C.sample_idx(name, f.shape[1])
    return dict(name=name, shape=list(a64.shape[1:]), f32_max_abs_err=float(np.abs(f - a32.reshape(2, -1)).max()), pearson=float(np.corrcoef(f)[0, 1]),
                images=[dict(mean=float(v.mean()), std=float(v.std()), l2=float(np.sqrt((v * v).sum())), values=[[i, float(str(np.float32(v[i])))] for i in idx]) for v in f])
def main(out):
    raw = np.stack([C.image(0, SIZE), C.image(1, SIZE)]).transpose(0, 3, 1, 2); x = (raw.astype(np.float32) - np.float32(127)) / np.float32(128)
    taps = [stat("pixels_raw", raw, raw), stat("pixels_input", x, x)]
    for (name, a64), (_, a32) in zip(run(x, torch.float64), run(x, torch.float32)): taps.append(stat(name, a64, a32))
    with open(out, "w") as f: json.dump(dict(network="efficientnet_lite0", size=SIZE, taps=taps), f, separators=(",", ":"))
    for t in taps: print(t["name"], t["shape"], "mean %.3g std %.3g" % (t["images"][0]["mean"], t["images"][0]["std"]), "f32 error / std %.1e" % (t["f32_max_abs_err"] / t["images"][0]["std"]))
main(*sys.argv[1:])
