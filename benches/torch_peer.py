"""Networks in PyTorch on a GPU, for comparison with `semgpu bench --config`: images per second of a whole network.

Needs torch and torchvision with CUDA, and timm. Random weights, single precision throughout (no TF32), cuDNN picks its kernels
before it is timed: torch_peer.py [--batch 64] [--runs 10] [network ...]. Other networks than the built-in ones are those of
onnx_exports.py.
"""

import argparse

import torch
import torchvision.models as models

import onnx_exports


NETWORKS = {
    "vgg16": (224, models.vgg16),
    "resnet50": (224, models.resnet50),
    "inception_v3": (299, lambda: models.inception_v3(init_weights=False)),
    "squeezenet1_1": (227, models.squeezenet1_1),
    "vit_b16": (224, models.vit_b_16),
}


def milliseconds(run, runs):
    for _ in range(3):
        run()
    times = []
    for _ in range(runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    times.sort()
    return times[len(times) // 2], times[0], times[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=[*NETWORKS, "efficientnet_lite0"], metavar="network")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    print(f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}")
    for name in options.networks:
        if name in NETWORKS:
            size, build = NETWORKS[name]
            network = build()
        else:
            network, size = onnx_exports.network(name)
        network = network.eval().cuda()
        images = torch.rand(options.batch, 3, size, size, device="cuda")
        with torch.inference_mode():
            median, fastest, slowest = milliseconds(lambda: network(images), options.runs)
        rate = [1e3 * options.batch / ms for ms in (median, slowest, fastest)]
        print(f"{name}: {rate[0]:.0f} images/s ({rate[1]:.0f} .. {rate[2]:.0f})")


if __name__ == "__main__":
    main()
