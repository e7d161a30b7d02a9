"""Our RDMs against rsatoolbox's (0.3.2), both ways.  usage: rsatoolbox_peer.py path/to/semgpu   (needs rsatoolbox)"""
import os, subprocess, sys, tempfile
import numpy as np, rsatoolbox

CLOSE = 1e-6  # single-precision products against double ones
semgpu = os.path.abspath(sys.argv[1])
os.chdir(tempfile.mkdtemp())
rng = np.random.default_rng(2018)
latent = rng.normal(size=(40, 10))
words = latent @ rng.normal(size=(10, 50)) + rng.normal(size=(40, 50))
images = np.stack([latent @ rng.normal(size=(10, 900)) + 5 * rng.normal(size=(40, 900)) for _ in range(3)])
np.save("images.npy", images)
np.save("words.npy", np.corrcoef(words))

def theirs(features, name):
    rdms = rsatoolbox.rdm.calc_rdm([rsatoolbox.data.Dataset(f) for f in features], method="correlation")
    rdms.save(name, file_type="hdf5")
    return rdms

expected = theirs(images, "theirs.h5")
theirs([words], "words.h5")
subprocess.run([semgpu, "-q", "similarity", "images.npy", "--out", "ours.h5"], check=True)
found = rsatoolbox.rdm.load_rdm("ours.h5")
apart = np.abs(found.dissimilarities - expected.dissimilarities).max()
print(f"RDMs apart by {apart:.1e}; {found.n_rdm} x {found.n_cond}")
assert apart < CLOSE and (found.n_rdm, found.n_cond) == (3, 40)

def tested(words, images, out):
    subprocess.run([semgpu, "-q", "test", "--words", f"W={words}", "--images", f"L={images}", "--out", out], check=True)
    return open(f"{out}/groups.csv").read()

assert tested("words.npy", "ours.h5", "a") == tested("words.h5", "theirs.h5", "b")
print("the same counts from both")
