"""stats_controls.safetensors: partial tests and variance partitioning by their definitions, NumPy float64.

    python controls.py OUT.safetensors

No closed form: residuals by numpy.linalg.lstsq, the 2 vs. 2 test by numpy.corrcoef of shortened rows, every draw anew.
"""
import itertools
import sys

import numpy as np
from safetensors.numpy import save_file
from scipy.stats import rankdata

K, GROUPS, DRAWS = 12, 2, 8
rng = np.random.default_rng(2018)
UPPER = np.triu_indices(K, 1)


def rsm(features):
    return np.corrcoef(features)


def square(entries):
    out = np.eye(K)
    out[UPPER] = entries
    return out + np.triu(out, 1).T


def residual(entries, given):
    design = np.column_stack([np.ones(len(entries))] + given)
    return entries - design @ np.linalg.lstsq(design, entries, rcond=None)[0]


def two_vs_two(words, images):
    passed = 0
    for a, b in itertools.combinations(range(K), 2):
        rest = [j for j in range(K) if j not in (a, b)]
        corr = lambda w, i: np.corrcoef(words[w, rest], images[i, rest])[0, 1]
        passed += corr(a, a) + corr(b, b) > corr(a, b) + corr(b, a)
    return passed


base, low = rng.standard_normal((K, 5)), rng.standard_normal((GROUPS, K, 4))
words = rsm(np.hstack([base, low.mean(0), rng.standard_normal((K, 4))]))
pixels = np.stack([rsm(np.hstack([low[g], rng.standard_normal((K, 3))])) for g in range(GROUPS)])
layer = np.stack([rsm(np.hstack([base, low[g], rng.standard_normal((K, 6))])) for g in range(GROUPS)])
kind = np.arange(K) % 4
category = (kind[:, None] == kind[None]).astype(float)
other = rsm(np.hstack([base, rng.standard_normal((K, 6))]))
draws = np.stack([np.arange(K)] + [rng.permutation(K) for _ in range(DRAWS - 1)])

pearson, spearman = np.zeros(DRAWS), np.zeros(DRAWS)
passed = np.zeros((DRAWS, GROUPS), np.int64)
for g in range(GROUPS):
    for scale, out in ((lambda x: x, pearson), (rankdata, spearman)):
        given = [scale(space[UPPER]) for space in (pixels[g], category)]
        left_words, left_layer = residual(scale(words[UPPER]), given), residual(scale(layer[g][UPPER]), given)
        for t, draw in enumerate(draws):
            again = residual(square(left_words)[np.ix_(draw, draw)][UPPER], given)
            out[t] += np.corrcoef(again, left_layer)[0, 1] / GROUPS
            if out is pearson:
                passed[t, g] = two_vs_two(square(again), square(left_layer))


def explained(entries, spaces):
    return 1 - np.var(residual(entries, spaces)) / np.var(entries)


names = range(3)
shares = np.zeros(8)
for g in range(GROUPS):
    spaces = [space[UPPER] for space in (pixels[g], category, other)]
    y = layer[g][UPPER]
    r2 = lambda which: explained(y, [spaces[n] for n in which]) if which else 0.0
    for bits in range(1, 8):
        inside = [n for n in names if bits >> n & 1]
        outside = [n for n in names if not bits >> n & 1]
        for size in range(len(inside) + 1):
            for some in itertools.combinations(inside, size):
                shares[bits - 1] += (-1) ** (size + 1) * r2(list(some) + outside) / GROUPS
    shares[7] += r2(list(names)) / GROUPS

save_file(
    dict(words=words, layer=layer, pixels=pixels, category=category, other=other, draws=draws, pearson=pearson,
         spearman=spearman, passed=passed, shares=shares),
    sys.argv[1],
)
print(pearson, spearman, passed, shares, shares[:7].sum())
