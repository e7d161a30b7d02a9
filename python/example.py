"""Do three layers of a network agree with word vectors? On arrays of one's own: here invented ones.

Run by the tests; prints a row for each layer.
"""

import numpy as np

import semgpu

concepts, groups = 40, 3
random = np.random.default_rng(7)

# What is to be found: a meaning of 20 dimensions that the words have, and the later layers more than the earlier ones.
meaning = random.normal(size=(concepts, 20))
words = {"words": np.hstack([meaning, random.normal(size=(concepts, 10))])}


def layer(share: float) -> np.ndarray:
    """Features [groups, concepts, units]: so much of the meaning, the rest noise of each image."""
    noise = random.normal(size=(groups, concepts, 20))
    return share * meaning + (1 - share) * noise


layers = {"early": layer(0.0), "middle": layer(0.3), "late": layer(0.6)}

result = semgpu.test(words, layers, permutations=200)
for name, accuracy, p in zip(result["layer"], result["accuracy"], result["p_fwer"]):
    print(f"{name:7} {accuracy:.3f}  p {p:.3f}")

# Similarity matrices alone; pandas takes the table as it is: pandas.DataFrame(result).
matrix = semgpu.rsm(layers["late"])
assert matrix.shape == (groups, concepts, concepts)
assert result["accuracy"][0] < result["accuracy"][1] < result["accuracy"][2]
