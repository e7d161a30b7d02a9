"""Networks of timm and torchvision with random weights as ONNX files, for `[network] file` and onnx_peer.py:

    python3 benches/onnx_exports.py models [NAME ...]

Needs torch, torchvision, timm, onnx and onnxscript; written by PyTorch's newer exporter with a dynamic batch, by the older one
where that refuses (BEiT).
"""

import pathlib
import sys
import warnings

import timm
import torch
import torchvision

TIMM = """beit_base_patch16_224 cait_xxs24_224 coatnet_0_rw_224 convnext_tiny convnextv2_tiny deit_tiny_patch16_224 dm_nfnet_f0
    efficientnet_b0 eva02_small_patch14_224 maxvit_tiny_tf_224 mixer_b16_224 mobilenetv3_large_100 mobilevit_s resnet50
    resnetv2_50 swin_tiny_patch4_window7_224 vit_base_patch16_224 vit_base_patch16_siglip_224 vit_base_patch32_clip_224
    vit_small_patch14_dinov2 vit_small_patch16_dinov3""".split()
TORCHVISION = """densenet121 googlenet mnasnet1_0 mobilenet_v2 regnet_y_400mf shufflenet_v2_x1_0 swin_v2_t""".split()
# Other than the network's own size of images, and what else it is made with.
SIZES = {"vit_small_patch14_dinov2": 224}
OPTIONS = {"vit_small_patch14_dinov2": {"img_size": 224}, "googlenet": {"init_weights": False}}


def network(name):
    """The network and the size of its images."""
    options = OPTIONS.get(name, {})
    if name in TORCHVISION:
        return getattr(torchvision.models, name)(weights=None, **options), 224
    model = timm.create_model(name, pretrained=False, **options)
    return model, SIZES.get(name, model.default_cfg["input_size"][-1])


def main():
    warnings.filterwarnings("ignore")
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    for name in sys.argv[2:] or TIMM + TORCHVISION:
        torch.manual_seed(2018)
        model, size = network(name)
        images = torch.randn(2, 3, size, size)
        path = folder / f"{name}.onnx"
        model.eval()
        try:
            torch.onnx.export(model, (images,), str(path), dynamo=True, dynamic_shapes=(batch,), external_data=False, verbose=False)
        except torch.onnx.errors.OnnxExporterError:
            axes = {"images": {0: "batch"}}
            torch.onnx.export(model, (images,), str(path), dynamo=False, input_names=["images"], dynamic_axes=axes, opset_version=17)
        print(path)


if __name__ == "__main__":
    main()
