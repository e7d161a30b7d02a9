"""Bootstraps over groups and concepts by rsatoolbox 0.3.2 on its demo data.
usage: generalise.py 92_brainRDMs.mat 92_modelRDMs.mat OUT.json

The files are demos/92imageData/ of https://github.com/rsatoolbox/rsatoolbox (MIT); 23 of the 92 images are kept, four
subjects' first sessions, two models, rounded to five decimals, as similarities 1 - d.
"""
import json, sys
import numpy as np, rsatoolbox, scipy.io
from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
from rsatoolbox.rdm import RDMs, compare
from rsatoolbox.util.inference_util import extract_variances

brain = scipy.io.loadmat(sys.argv[1])["RDMs"]["RDM"][0]
models = scipy.io.loadmat(sys.argv[2])["Models"][0]
MODELS = ["animacy", "monkeyIT"]
kept = np.arange(92)[1::4]
above = np.triu_indices(len(kept), 1)

def similarities(matrix):
    return np.round(1 - matrix[np.ix_(kept, kept)].astype(float)[above], 5)

groups = np.stack([similarities(brain[subject, 0]) for subject in range(4)])
matrices = {str(model["name"][0]): model["RDM"] for model in models}
spaces = np.stack([similarities(matrices[name]) for name in MODELS])
G, k = len(groups), len(kept)
rng = np.random.default_rng(15)

# Index sets as rsatoolbox draws them; none of one group alone, which here has no ceiling.
draws = []
while len(draws) < 12:
    group, concept = rng.integers(0, G, G), rng.integers(0, k, k)
    if len(set(group)) > 1:
        draws.append((group, concept))

data, predicted = RDMs(1 - groups), RDMs(1 - spaces)
methods = {"pearson": "corr", "spearman": "spearman", "kendall-tau-a": "tau-a"}
expected = {}
for ours, theirs in methods.items():
    values = np.zeros((3, len(draws), len(spaces) + 1))
    for t, (group, concept) in enumerate(draws):
        both = data.subsample("index", group).subsample_pattern("index", concept)
        for b, (sample, model) in enumerate([
                (both, predicted.subsample_pattern("index", concept)),
                (data.subsample("index", group), predicted),
                (data.subsample_pattern("index", concept), predicted.subsample_pattern("index", concept))]):
            values[b, t, :-1] = compare(model, sample, method=theirs).mean(axis=1)
            values[b, t, -1] = boot_noise_ceiling(sample, method=theirs)[0]
    # eval_dual_bootstrap's covariances; the upper ceiling, which is not compared, stands in as the lower one.
    matrix = np.concatenate([values, values[:, :, -1:]], axis=2)
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    covariance = np.einsum("bij,bil->bjl", matrix, matrix) / (len(draws) - 1)
    of_models, of_differences, to_ceiling = extract_variances(covariance, True, G, k)
    expected[ours] = dict(
        values=values.tolist(), models=of_models.tolist(), difference=float(of_differences[0]),
        ceiling=to_ceiling[:, 0].tolist(),
        groups=[float(v) for v in extract_variances(covariance[1], True, n_rdm=G)[0]],
        concepts=[float(v) for v in extract_variances(covariance[2], True, n_pattern=k)[0]])

triples = rng.uniform(0, 1, (20, 3)) * [1.5, 1, 1]
dual = [dict(variances=list(map(float, triple)), groups=int(g), concepts=int(c), expected=float(
    rsatoolbox.util.inference_util._dual_bootstrap(triple, g, c)))
    for triple, g, c in zip(triples, rng.integers(2, 12, 20), rng.integers(12, 60, 20))]

json.dump(dict(
    groups=groups.tolist(), models=dict(zip(MODELS, spaces.tolist())),
    resamples=[dict(groups=np.bincount(group, minlength=G).tolist(), concepts=np.bincount(concept, minlength=k).tolist())
               for group, concept in draws],
    expected=expected, dual=dual), open(sys.argv[3], "w"))
