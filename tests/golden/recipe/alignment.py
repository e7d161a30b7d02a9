"""Measures of alignment by NumPy from their definitions (Kornblith et al. 2019; Song et al. 2012, eq. 5; Huh et al. 2024 and
the functions of platonic-rep's metrics.py, MIT), and their calibration by the PyPI package calibrated-similarity 0.1.1 (torch).

    python3 alignment.py ../alignment.json
"""

import json
import sys

import numpy as np
import torch
from calibrated_similarity import calibrate, calibrate_layers

CONCEPTS, NEIGHBOURS, DRAWS, SEED = 40, 10, 99, 2018
MASK = (1 << 64) - 1


def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def draw(seed, t, concepts):
    """semgpu's draw t: Fisher-Yates on SplitMix64."""
    state = mix((mix(seed ^ 0x9E3779B97F4A7C15) + t) & MASK)

    def below(bound):
        nonlocal state
        while True:
            state = (state + 0x9E3779B97F4A7C15) & MASK
            product = (mix(state) >> 32) * bound
            if product & 0xFFFFFFFF >= ((1 << 32) - bound) % bound:
                return product >> 32

    order = list(range(concepts))
    for i in range(concepts - 1, 0, -1):
        j = below(i + 1)
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def normalise(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def nearest(x):
    gram = x @ x.T
    np.fill_diagonal(gram, -1e8)
    return np.argsort(-gram, axis=1)[:, :NEIGHBOURS]


def hsic_biased(k, l):
    h = np.eye(len(k)) - 1 / len(k)
    return np.trace(k @ h @ l @ h)


def hsic_unbiased(k, l):
    m = len(k)
    k, l = k * (1 - np.eye(m)), l * (1 - np.eye(m))
    value = np.sum(k * l.T) + k.sum() * l.sum() / ((m - 1) * (m - 2)) - 2 * np.sum(k @ l) / (m - 2)
    return value / (m * (m - 3))


def cka(x, y, hsic=hsic_biased):
    k, l = x @ x.T, y @ y.T
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def mutual_knn(x, y):
    x, y = nearest(normalise(x)), nearest(normalise(y))
    return np.mean([len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(x, y)])


def cknna(x, y):
    x, y = normalise(x), normalise(y)
    k, l = x @ x.T, y @ y.T

    def mask(gram):
        gram = gram.copy()
        np.fill_diagonal(gram, -np.inf)
        out = np.zeros_like(gram)
        np.put_along_axis(out, np.argsort(-gram, axis=1)[:, :NEIGHBOURS], 1.0, axis=1)
        return out

    def similarity(k, l):
        both = mask(k) * mask(l)
        return hsic_unbiased(both * k, both * l)

    return similarity(k, l) / (np.sqrt(similarity(k, k) * similarity(l, l)) + 1e-6)


MEASURES = {
    "cka": cka,
    "cka-debiased": lambda x, y: cka(x, y, hsic_unbiased),
    "mknn": mutual_knn,
    "cknna": cknna,
}


def main():
    rng = np.random.default_rng(7)
    shared = rng.standard_normal((CONCEPTS, 6))

    def layer(units, weight):
        mixed = weight * shared @ rng.standard_normal((6, units)) + rng.standard_normal((CONCEPTS, units)) + 0.3
        return mixed.astype(np.float32).astype(np.float64)

    words = [layer(24, 0.2), layer(17, 0.6)]
    images = [layer(30, 0.3), layer(12, 0.1), layer(50, 0.5)]
    draws = [draw(SEED, t, CONCEPTS) for t in range(1, DRAWS + 1)]
    out = {"concepts": CONCEPTS, "neighbours": NEIGHBOURS, "draws": DRAWS, "seed": SEED}
    out["words"] = [x.tolist() for x in words]
    out["images"] = [y.tolist() for y in images]
    out["first_draw"] = draws[0].tolist()
    out["nearest"] = [nearest(normalise(x)).tolist() for x in words]
    out["measures"] = {}
    for name, measure in MEASURES.items():
        # The package permutes its second argument; ours are the words.
        def sim(y, x):
            return float(measure(x.numpy(), y.numpy()))

        def permuted():
            left = iter(draws)
            return lambda n, device: torch.from_numpy(next(left))

        torch_words, torch_images = [[torch.from_numpy(x) for x in side] for side in (words, images)]
        pairs = []
        for x in torch_words:
            for y in torch_images:
                score, p, tau = calibrate(y, x, sim, K=DRAWS, perm_fn=permuted())
                value = measure(x.numpy(), y.numpy())
                second = measure(x.numpy()[draws[0]], y.numpy())
                pairs.append([value, second, float(score), float(p), float(tau)])
        best, p, tau = calibrate_layers(torch_images, torch_words, sim, K=DRAWS, perm_fn=permuted())
        out["measures"][name] = {"pairs": pairs, "best": [float(best), float(p), float(tau)]}
    with open(sys.argv[1], "w") as file:
        json.dump(out, file, separators=(",", ":"))
        file.write("\n")


main()
