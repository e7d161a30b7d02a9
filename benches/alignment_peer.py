"""calibrated-similarity (PyPI, torch) on the sizes of `semgpu bench`'s rows of alignment, one thread:

    python3 benches/alignment_peer.py        # beside: RAYON_NUM_THREADS=1 semgpu bench --device cpu
"""

import time

import torch
from calibrated_similarity import calibrate_layers

torch.set_num_threads(1)


def mutual_knn(x, y, k=10):
    """platonic-rep's, on vectors of unit length."""

    def nearest(feats):
        return (feats @ feats.T).fill_diagonal_(-1e8).argsort(dim=1, descending=True)[:, :k]

    n = x.shape[0]
    masks = []
    for feats in (x, y):
        mask = torch.zeros(n, n)
        mask[torch.arange(n).unsqueeze(1), nearest(feats)] = 1.0
        masks.append(mask)
    return ((masks[0] * masks[1]).sum(dim=1) / k).mean()


def cka(x, y):
    """The package's own example."""
    x, y = x - x.mean(0), y - y.mean(0)
    k, l = x @ x.T, y @ y.T
    return (k * l).sum() / k.norm() / l.norm()


for concepts, layers, draws in [(166, 17, 20), (1024, 24, 2)]:
    torch.manual_seed(0)
    x = [torch.nn.functional.normalize(torch.randn(concepts, 64), dim=1)]
    y = [torch.nn.functional.normalize(torch.randn(concepts, 64), dim=1) for _ in range(layers)]
    for name, measure in [("mknn", mutual_knn), ("cka", cka)]:
        calibrate_layers(x, y[:1], measure, K=1)
        started = time.perf_counter()
        calibrate_layers(x, y, measure, K=draws)
        seconds = time.perf_counter() - started
        rate = (draws + 1) * layers / seconds
        print(f"{name} k {concepts}, 1 x {layers} layers: {rate:.1f} layer-permutations/s")
