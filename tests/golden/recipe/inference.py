"""p-values by their definitions, the 1 vs. 2 test, and rsatoolbox's noise ceilings.  usage: inference.py OUT.json
(numpy 2, rsatoolbox 0.3.2)"""
import json, sys
import numpy as np, rsatoolbox
from rsatoolbox.inference import boot_noise_ceiling

rng = np.random.default_rng(2018)

# A family: layers of different spread and a shared part, the observed value first.
layers, draws, scaling, h = 5, 400, 101, 5
shared = rng.normal(size=draws)
spread = np.array([3.0, 40.0, 12.0, 7.0, 90.0])
points = np.rint(500 + spread[:, None] * (0.6 * shared + 0.8 * rng.normal(size=(layers, draws)))).astype(int)
points[:, 0] = np.rint(500 + spread * np.array([3.2, 0.3, -2.9, 1.8, 2.4])).astype(int)

def orient(x, tail):
    return {"upper": x, "lower": -x, "two": np.abs(x)}[tail]

def fraction(observed, null, stop_after):
    """Besag & Clifford: (1 + b) / (1 + m) over the draws before the h-th that reaches the observed value."""
    reached = 0
    for m, value in enumerate(null):
        reached += value >= observed
        if reached == stop_after:
            return reached / (m + 1)
    return (1 + reached) / (1 + len(null))

tests = []
for tail in ["upper", "lower", "two"]:
    for stop_after in [None, h]:
        scale = points[:, : scaling if stop_after else None]
        z = (points - scale.mean(axis=1, keepdims=True)) / scale.std(axis=1, keepdims=True)
        z = np.round(orient(z, tail), 12)  # equal points are equal
        maximum = z[:, 1:].max(axis=0)
        tests.append(dict(
            tail=tail, stop_after=stop_after,
            p_value=[fraction(z[l, 0], z[l, 1:], stop_after) for l in range(layers)],
            p_fwer=[fraction(z[l, 0], maximum, stop_after) for l in range(layers)]))

# 1 vs. 2: 14 concepts, 3 words of other classes; concepts 0 to 3 are misclassified, the others right.
concepts, words = 14, 17
word_rsm = np.corrcoef(rng.normal(size=(words, 9)))
image_rsm = np.corrcoef(rng.normal(size=(concepts, 25)))
correct = list(range(4, concepts))
mistakes = [(0, 5), (1, 15), (2, 13), (3, 1)]
permutations = [list(range(words))] + [rng.permutation(words).tolist() for _ in range(3)]
def margin(truth, predicted, columns, p):
    seen = image_rsm[truth, columns]
    near = lambda word: np.corrcoef(seen, word_rsm[p[word]][[p[j] for j in columns]])[0, 1]
    return near(truth) - near(predicted)
margins = {
    rule: [[margin(a, b, [j for j in correct if rule == "paper" or j not in (a, b)], p) for a, b in mistakes]
           for p in permutations]
    for rule in ["paper", "others"]}

# Noise ceilings of four noisy groups; entries in steps of 1/8, so that some tie.
pairs = 8 * 7 // 2
truth = rng.normal(size=pairs)
triangles = np.clip(np.round(8 * (0.3 * truth + 0.3 * rng.normal(size=(4, pairs)))) / 8, -1, 1)
rdms = rsatoolbox.rdm.RDMs(1 - triangles)
ceilings = {ours: list(boot_noise_ceiling(rdms, method=theirs))
            for ours, theirs in [("pearson", "corr"), ("spearman", "spearman"), ("kendall-tau-a", "tau-a")]}

json.dump(dict(
    family=dict(points=points.tolist(), tests=tests),
    one_vs_two=dict(word_rsm=word_rsm.tolist(), image_rsm=image_rsm.tolist(), correct=correct, mistakes=mistakes,
                    permutations=permutations, margins=margins),
    ceilings=dict(triangles=triangles.tolist(), expected=ceilings)), open(sys.argv[1], "w"))
