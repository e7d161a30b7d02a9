"""Two spaces of 24 random layers over 1,024 items, half of each shared, for all measures at the size of current practice:

    python3 benches/alignment_spaces.py spaces
    semgpu test --features --words words=spaces/words.npz --images images=spaces/images.npz --measure cka \
        --permutations 1000 --device cpu --out spaces/out
"""

import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(0)
shared = random.standard_normal((1024, 64))
for side in ("words", "images"):
    layers = {f"layer{n:02}": (shared + random.standard_normal(shared.shape)).astype("f4") for n in range(24)}
    np.savez(folder / f"{side}.npz", **layers)
