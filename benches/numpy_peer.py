"""The 2 vs. 2 test in NumPy, for comparison with `semgpu bench`: permutations per second (one draw against one RSM).

Needs only NumPy. `closed form`: one float32 matrix product per draw and the pairs vectorised, as careful Python does it.
`loop`: the definition, pair by pair, as lab scripts do it; a few pairs are timed and scaled up.
"""

import sys
import time

import numpy as np


def rsm(concepts, units, seed):
    return np.corrcoef(np.random.default_rng(seed).normal(size=(concepts, units)))


def normalised(matrix):
    k = len(matrix)
    rows = matrix[~np.eye(k, dtype=bool)].reshape(k, k - 1)
    rows = rows - rows.mean(1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    out = np.zeros((k, k), np.float32)
    out[~np.eye(k, dtype=bool)] = rows.ravel()
    return out


def closed_form(a, b, weights_b, upper):
    n = len(a) - 2
    c = np.float32(1 + 1 / n)
    weights_a = 1 / np.sqrt(1 - c * a * a)
    product = a @ b.T
    own = (np.diag(product)[:, None] - c * a * b) * weights_b
    other = (product - a * b.T / np.float32(n)) * weights_b.T
    terms = weights_a * (own - other)
    return np.count_nonzero((terms + terms.T)[upper] > 0)


def loop(words, images, pairs):
    passed = 0
    for a, b in pairs:
        keep = np.ones(len(words), bool)
        keep[[a, b]] = False
        r = lambda x, y: np.corrcoef(x[keep], y[keep])[0, 1]
        matched = r(words[a], images[a]) + r(words[b], images[b])
        mismatched = r(words[a], images[b]) + r(words[b], images[a])
        passed += matched > mismatched
    return passed


def main():
    print(f"NumPy {np.__version__}")
    for k, draws in [(166, 200), (1000, 5)]:
        words, images = rsm(k, 300, 0), rsm(k, 400, 1)
        a, b = normalised(words), normalised(images)
        weights = 1 / np.sqrt(1 - np.float32(1 + 1 / (k - 2)) * b * b)
        upper = np.triu_indices(k, 1)
        random = np.random.default_rng(2)
        seconds = []
        for _ in range(6):
            started = time.perf_counter()
            for _ in range(draws):
                p = random.permutation(k)
                closed_form(a[np.ix_(p, p)], b, weights, upper)
            seconds.append(time.perf_counter() - started)
        seconds = sorted(seconds[1:])
        print(f"k {k}: closed form {draws / seconds[2]:.1f} permutations/s ({draws / seconds[4]:.1f} .. {draws / seconds[0]:.1f})")
        pairs = list(zip(*upper))
        some = pairs[:: len(pairs) // 300]
        started = time.perf_counter()
        passed = loop(words, images, some)
        each = (time.perf_counter() - started) / len(some)
        print(f"k {k}: loop {1 / (each * len(pairs)):.5f} permutations/s ({len(some)} pairs timed, {passed} passed)")


if __name__ == "__main__":
    sys.exit(main())
