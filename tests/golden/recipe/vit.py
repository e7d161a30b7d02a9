"""vit-*.json, vit_b16-torchvision.json: vision transformers of torchvision, timm, Hugging Face and OpenCLIP in f64 and f32,
with the formula's weights and images. `vit-*` are reduced: 128 dimensions, 2 heads, 2 blocks.

usage: vit.py OUTDIR [NAME ...]      needs torch, torchvision, timm, transformers, open_clip_torch; DINOV2 names a checkout of
                                     facebookresearch/dinov2 (for `dinov2`)
"""
import json, os, sys
import numpy as np, torch, torchvision
import common as C
torch.set_grad_enabled(False)
SIZE = 224
def preprocess(img, mode):
    if mode != "clip": return C.preprocess(img, mode)
    f = np.float32; x = img.astype(f)
    return (x / f(255) - np.array([0.48145466, 0.4578275, 0.40821073], f)) / np.array([0.26862954, 0.26130258, 0.27577711], f)
def make(p):
    if p["kind"] == "embedding": return (np.float32(0.5) * C.uniform(p["name"], int(np.prod(p["shape"])))).reshape(p["shape"])
    return C.make(p)

# ---------------------------------------------------------------- canonical parameters
def emb(name, *shape): return dict(name=name, kind="embedding", shape=list(shape))
def norm(n, w): return [C.vec(n + ".gamma", "gamma", w), C.vec(n + ".beta", "beta", w)]
def parameters(s, places, fused, pre_norm, scaled, head):
    w, P = s["width"], []
    def dense(n, o, i, scale=False):
        P.extend([C.dense(n + ".weight", o, i, 2.0), C.vec(n + ".bias", "bias", o)] + ([C.vec(n + ".scale", "gamma", o)] if scale else []))
    P.append(C.conv("patches.weight", w, 3, s["patch"], s["patch"], 2.0))
    if not pre_norm: P.append(C.vec("patches.bias", "bias", w))
    P += [emb("embedding.class", w), emb("embedding.positions", 1 + places, w)]
    if pre_norm: P += norm("embedding.norm", w)
    for b in range(1, s["blocks"] + 1):
        n = f"block{b}."
        P += norm(n + "norm1", w)
        if fused: dense(n + "qkv", 3 * w, w)
        else: [dense(n + p, w, w) for p in ("query", "key", "value")]
        dense(n + "attention", w, w, scaled); P += norm(n + "norm2", w)
        dense(n + "inner", 4 * w, w); dense(n + "outer", w, 4 * w, scaled)
    P += norm("norm", w)
    if head == "logits": dense("logits", s["outputs"], w)
    if head == "projection": P.append(C.dense("projection.weight", s["outputs"], w, 2.0))
    return {p["name"]: make(p) for p in P}

# ---------------------------------------------------------------- names
def state(values, names):
    """names: canonical owner -> (module, blocks from 0 as {b}); what has another layout is told as a function."""
    out = {}
    for name, v in values.items():
        owner, part = name.rsplit(".", 1); b = ""
        if owner.startswith("block"): block, owner = owner.split(".", 1); b = str(int(block[5:]) - 1); owner = "block." + owner
        key = names.get(f"{owner}.{part}") or names[owner]
        if callable(key): key, v = key(v)
        elif f"{owner}.{part}" not in names:
            key += {"gamma": "weight", "beta": "bias"}.get(part, part)
        out[key.replace("{}", b)] = torch.from_numpy(np.ascontiguousarray(v))
    return out
def lead(key, axes): return lambda v: (key, v.reshape((1,) * axes + v.shape))
L = "encoder.layers.encoder_layer_{}."
TV = {"patches": "conv_proj.", "embedding.class": lead("class_token", 2), "embedding.positions": lead("encoder.pos_embedding", 1), "block.norm1": L + "ln_1.",
      "block.qkv": L + "self_attention.in_proj_", "block.attention": L + "self_attention.out_proj.", "block.norm2": L + "ln_2.", "block.inner": L + "mlp.0.",
      "block.outer": L + "mlp.3.", "norm": "encoder.ln.", "logits": "heads.head."}
T = "blocks.{}."
TIMM = {"patches": "patch_embed.proj.", "embedding.class": lead("cls_token", 2), "embedding.positions": lead("pos_embed", 1), "block.norm1": T + "norm1.", "block.qkv": T + "attn.qkv.",
        "block.attention": T + "attn.proj.", "block.attention.scale": T + "ls1.gamma", "block.norm2": T + "norm2.", "block.inner": T + "mlp.fc1.", "block.outer": T + "mlp.fc2.",
        "block.outer.scale": T + "ls2.gamma", "norm": "norm.", "logits": "head."}
def hugging_face(prefix, layer, scales):
    L = prefix + layer
    return {"patches": prefix + "embeddings.patch_embeddings.projection.", "embedding.class": lead(prefix + "embeddings.cls_token", 2),
            "embedding.positions": lead(prefix + "embeddings.position_embeddings", 1), "block.query": L + "attention.q_proj.", "block.key": L + "attention.k_proj.",
            "block.value": L + "attention.v_proj.", "block.attention": L + "attention.o_proj.", "block.inner": L + "mlp.fc1.", "block.outer": L + "mlp.fc2.", "norm": prefix + "layernorm.",
            "logits": "classifier.", "block.norm1": L + ("norm1." if scales else "layernorm_before."), "block.norm2": L + ("norm2." if scales else "layernorm_after."),
            "block.attention.scale": L + "layer_scale1.lambda1", "block.outer.scale": L + "layer_scale2.lambda1"}
R = "transformer.resblocks.{}."
OPENAI = {"patches": "conv1.", "embedding.class": "class_embedding", "embedding.positions": "positional_embedding", "embedding.norm": "ln_pre.", "block.norm1": R + "ln_1.",
          "block.qkv": R + "attn.in_proj_", "block.attention": R + "attn.out_proj.", "block.norm2": R + "ln_2.", "block.inner": R + "mlp.c_fc.", "block.outer": R + "mlp.c_proj.",
          "norm": "ln_post.", "projection.weight": lambda v: ("proj", v.T)}
V = "vision_model."; E = V + "encoder.layers.{}."
HF_CLIP = {"patches": V + "embeddings.patch_embedding.", "embedding.class": V + "embeddings.class_embedding", "embedding.positions": V + "embeddings.position_embedding.weight",
           "embedding.norm": V + "pre_layrnorm.", "block.norm1": E + "layer_norm1.", "block.query": E + "self_attn.q_proj.", "block.key": E + "self_attn.k_proj.",
           "block.value": E + "self_attn.v_proj.", "block.attention": E + "self_attn.out_proj.", "block.norm2": E + "layer_norm2.", "block.inner": E + "mlp.fc1.", "block.outer": E + "mlp.fc2.",
           "norm": V + "post_layernorm.", "projection": "visual_projection."}

# ---------------------------------------------------------------- networks: module, state, what is tapped
def load(m, state, also=()):
    missing, unexpected = m.load_state_dict(state, strict=False)
    assert not unexpected and all(k in also or k.endswith("position_ids") for k in missing), (missing, unexpected)
    return m.eval()
def taps_of(m, x, embedding, blocks, norm, last, head):
    """Hooks: embedding is what the first block takes, blocks what they give."""
    taps = {}
    first = lambda v: v[0] if isinstance(v, tuple) else v
    blocks[0].register_forward_pre_hook(lambda _m, args, kwargs: taps.__setitem__("embedding", first(args) if args else kwargs["hidden_states"]), with_kwargs=True)
    for n, b in enumerate(blocks): b.register_forward_hook(lambda _m, _i, o, n=n: taps.__setitem__(f"block{n + 1}", first(o)))
    y = m(x)
    # A class token normalised alone (CLIP) stands for what is normalised of all.
    out = [("embedding", taps["embedding"])] + [(f"block{n + 1}", taps[f"block{n + 1}"]) for n in range(len(blocks))]
    out.append(("norm", norm(out[-1][1])))
    if head: out.append((head, last(y)))
    return [(n, v.numpy()) for n, v in out]
def whole(name, dtype, x):
    from functools import partial
    s = dict(patch=16, width=128, heads=2, blocks=2, outputs=1000)
    if name == "vit_b16-torchvision": s = dict(patch=16, width=768, heads=12, blocks=12, outputs=1000)
    w, h, n = s["width"], s["heads"], s["blocks"]
    ids = lambda y: y
    if name in ("vit_b16-torchvision", "vit-torchvision"):
        m = torchvision.models.VisionTransformer(image_size=SIZE, patch_size=16, num_layers=n, num_heads=h, hidden_dim=w, mlp_dim=4 * w)
        m = load(m, state(parameters(s, 196, True, False, False, "logits"), TV)).to(dtype)
        return taps_of(m, x, None, list(m.encoder.layers), m.encoder.ln, ids, "logits")
    if name in ("vit-timm", "vit-deit"):
        import timm
        m = timm.models.VisionTransformer(img_size=SIZE, patch_size=16, embed_dim=w, depth=n, num_heads=h)
        m = load(m, state(parameters(s, 196, True, False, False, "logits"), TIMM)).to(dtype)
        return taps_of(m, x, None, list(m.blocks), m.norm, ids, "logits")
    if name == "vit-huggingface":
        from transformers import ViTConfig, ViTForImageClassification
        m = ViTForImageClassification(ViTConfig(hidden_size=w, num_hidden_layers=n, num_attention_heads=h, intermediate_size=4 * w, num_labels=1000))
        m = load(m, state(parameters(s, 196, False, False, False, "logits"), hugging_face("vit.", "layers.{}.", False))).to(dtype)
        return taps_of(m, x, None, list(m.vit.layers), m.vit.layernorm, lambda y: y.logits, "logits")
    if name.startswith("vit-clip"):
        s.update(patch=32, outputs=64)
        if name == "vit-clip-huggingface":
            from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
            m = CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_size=w, num_hidden_layers=n, num_attention_heads=h, intermediate_size=4 * w, projection_dim=64, image_size=SIZE, patch_size=32))
            m = load(m, state(parameters(s, 49, False, True, False, "projection"), HF_CLIP)).to(dtype)
            return taps_of(m, x, None, list(m.vision_model.encoder.layers), m.vision_model.post_layernorm, lambda y: y.image_embeds, "projection")
        from open_clip.transformer import VisionTransformer, QuickGELU, LayerNorm
        act = QuickGELU if name == "vit-clip-openai" else torch.nn.GELU
        m = VisionTransformer(image_size=SIZE, patch_size=32, width=w, layers=n, heads=h, mlp_ratio=4.0, output_dim=64, act_layer=act, norm_layer=LayerNorm)
        m = load(m, state(parameters(s, 49, True, True, False, "projection"), OPENAI)).to(dtype)
        return taps_of(m, x, None, list(m.transformer.resblocks), m.ln_post, ids, "projection")
    s.update(patch=14)
    if name == "vit-dinov2":
        sys.path.insert(0, os.environ["DINOV2"])
        from dinov2.models.vision_transformer import DinoVisionTransformer
        from dinov2.layers import NestedTensorBlock
        from dinov2.layers.attention import Attention
        m = DinoVisionTransformer(img_size=518, patch_size=14, embed_dim=w, depth=n, num_heads=h, init_values=1.0, block_chunks=0, block_fn=partial(NestedTensorBlock, attn_class=Attention))
        m = load(m, state(parameters(s, 37 * 37, True, False, True, None), TIMM), ["mask_token"]).to(dtype)
        return taps_of(m, x, None, list(m.blocks), m.norm, ids, None)
    if name == "vit-dinov2-timm":
        import timm
        from timm.layers import resample_abs_pos_embed
        m = timm.models.VisionTransformer(img_size=SIZE, patch_size=14, embed_dim=w, depth=n, num_heads=h, init_values=1.0, num_classes=0)
        values = state(parameters(s, 37 * 37, True, False, True, None), TIMM)
        # As timm's checkpoint_filter_fn does it when a file of 518 pixels is loaded into a network of 224.
        values["pos_embed"] = resample_abs_pos_embed(values["pos_embed"], new_size=(16, 16), num_prefix_tokens=1, interpolation="bicubic", antialias=True)
        return taps_of(load(m, values).to(dtype), x, None, list(m.blocks), m.norm, ids, None)
    if name == "vit-dinov2-huggingface":
        from transformers import Dinov2Config, Dinov2Model
        m = Dinov2Model(Dinov2Config(hidden_size=w, num_hidden_layers=n, num_attention_heads=h, mlp_ratio=4, image_size=518, patch_size=14))
        m = load(m, state(parameters(s, 37 * 37, False, False, True, None), hugging_face("", "encoder.layer.{}.", True)), ["embeddings.mask_token"]).to(dtype)
        return taps_of(m, x, None, list(m.encoder.layer), m.layernorm, ids, None)
    raise SystemExit(f"no network {name}")
MODES = {"vit-timm": "tf", "vit-huggingface": "tf", "vit-clip-openai": "clip", "vit-clip-open_clip": "clip", "vit-clip-huggingface": "clip"}
NAMES = ["vit-torchvision", "vit-timm", "vit-deit", "vit-huggingface", "vit-clip-openai", "vit-clip-open_clip", "vit-clip-huggingface",
         "vit-dinov2", "vit-dinov2-timm", "vit-dinov2-huggingface", "vit_b16-torchvision"]
def stat(name, a64, a32):
    f = a64.reshape(2, -1).astype(np.float64); idx = C.sample_idx(name, f.shape[1])
    return dict(name=name, shape=list(a64.shape[1:]), f32_max_abs_err=float(np.abs(f - a32.reshape(2, -1)).max()), pearson=float(np.corrcoef(f)[0, 1]),
                images=[dict(mean=float(v.mean()), std=float(v.std()), l2=float(np.sqrt((v * v).sum())), values=[[i, float(str(np.float32(v[i])))] for i in idx]) for v in f])
def main(out, *names):
    for name in names or NAMES:
        img = np.stack([C.image(0, SIZE), C.image(1, SIZE)]); raw = img.transpose(0, 3, 1, 2); x = preprocess(img, MODES.get(name, "torch")).transpose(0, 3, 1, 2)
        taps = [stat("pixels_raw", raw, raw), stat("pixels_input", x, x)]
        x = np.ascontiguousarray(x); run = lambda dtype: whole(name, dtype, torch.from_numpy(x).to(dtype))
        for (tap, a64), (_, a32) in zip(run(torch.float64), run(torch.float32)): taps.append(stat(tap, a64, a32))
        network = "vit_b16" if name.startswith("vit_b16") else "reduced"
        with open(f"{out}/{name}.json", "w") as f: json.dump(dict(network=network, size=SIZE, taps=taps), f, separators=(",", ":"))
        print(name)
        for t in taps: print(" ", t["name"], t["shape"], "std %.3g" % t["images"][0]["std"], "f32 error / std %.1e" % (t["f32_max_abs_err"] / t["images"][0]["std"]))
main(*sys.argv[1:])
