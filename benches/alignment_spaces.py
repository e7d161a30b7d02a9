"""Two spaces of 24 random layers over 1,024 items, half of each shared, for all measures at the size of current practice:

    python3 benches/alignment_spaces.py spaces
    for side in words images; do semgpu similarity spaces/$side/*.npy --out spaces/rsm_$side; done
    semgpu test --words words=spaces/rsm_words --images images=spaces/rsm_images --measure cka --permutations 1000 \
        --out spaces/out
"""

import pathlib
import sys

import numpy as np

random = np.random.default_rng(0)
shared = random.standard_normal((1024, 64))
for side in ("words", "images"):
    folder = pathlib.Path(sys.argv[1]) / side
    folder.mkdir(parents=True, exist_ok=True)
    for layer in range(24):
        values = shared + random.standard_normal(shared.shape)
        np.save(folder / f"layer{layer:02}.npy", values.astype("f4"))
