"""The module against NumPy; `.ci/wheel` runs it in a fresh environment. Plain asserts: needs no test runner."""

import math
import runpy
import tempfile
from pathlib import Path

import numpy as np

import semgpu

#: Correlations of float32 features of size 1, summed in float64: half a unit in the last place of a feature.
ROUNDED = 1e-6

random = np.random.default_rng(1)


def raises(kind, call, *words):
    try:
        call()
    except kind as error:
        assert all(word in str(error) for word in words), error
        return
    raise AssertionError(f"expected {kind.__name__}")


def test_rsm_is_numpys():
    x = random.normal(size=(12, 30))
    for kind in (np.float64, np.float32):
        assert np.abs(semgpu.rsm(x.astype(kind), device="cpu") - np.corrcoef(x)).max() < ROUNDED
    groups = random.normal(size=(2, 12, 30))
    expected = np.stack([np.corrcoef(group) for group in groups])
    assert np.abs(semgpu.rsm(groups, device="cpu") - expected).max() < ROUNDED


def test_a_tensor_is_an_array():
    class Tensor:
        """What is used of torch's."""

        dtype = "torch.float32"

        def __init__(self, values):
            self.values = values

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.values

    x = random.normal(size=(6, 9)).astype(np.float32)
    assert np.array_equal(semgpu.rsm(Tensor(x), device="cpu"), semgpu.rsm(x, device="cpu"))


def accuracy(w, i):
    """The 2 vs. 2 test by its definition."""
    k, passed = len(w), 0
    for a in range(k):
        for b in range(a + 1, k):
            rest = [c for c in range(k) if c not in (a, b)]
            r = lambda x, y: np.corrcoef(w[x, rest], i[y, rest])[0, 1]
            passed += r(a, a) + r(b, b) > r(a, b) + r(b, a)
    return passed / (k * (k - 1) / 2)


def test_the_test_is_its_definition():
    words, one, two = (random.normal(size=(10, 8)) for _ in range(3))
    table = semgpu.test({"w": words}, {"one": one, "two": semgpu.rsm(two), "three": words}, permutations=20, device="cpu")
    assert table["layer"] == ["one", "two", "three"] and table["permutations"] == [20] * 3
    expected = [accuracy(np.corrcoef(words), np.corrcoef(x)) for x in (one, two, words)]
    assert np.abs(np.array(table["accuracy"]) - expected).max() < 1e-12
    assert table["accuracy"][2] == 1.0
    again = semgpu.test(words, {"one": one, "two": two, "three": words}, permutations=20, device="cpu")
    assert again["accuracy"] == table["accuracy"] and again["p_value"] == table["p_value"]


def test_results_are_read():
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results")
        words = random.normal(size=(6, 9))
        names = [f"c{n}" for n in range(6)]
        table = semgpu.test(words, words, permutations=9, concepts=names, out=out, device="cpu")
        found = semgpu.read(out)
        assert {name: found["accuracy"][name] for name in ("layer", "accuracy")} == {
            name: table[name] for name in ("layer", "accuracy")
        }
        assert found["rsm"]["images"].shape[-2:] == (6, 6) and found["run"]["command"] == "test"
        assert found["concepts"]["concept"] == names
        assert (out / "report.html").exists()


def test_wrong_input_is_said():
    raises(ValueError, lambda: semgpu.rsm([1.0, 2.0]), "shape [2]")
    raises(ValueError, lambda: semgpu.rsm(np.full((5, 3), math.nan)), "features.npy")
    x = random.normal(size=(8, 5))
    raises(ValueError, lambda: semgpu.test(x, x[:7], permutations=1), "concepts")
    raises(ValueError, lambda: semgpu.read("nowhere"), "no run.json")


def test_the_example_runs():
    runpy.run_path(str(Path(__file__).parents[1] / "example.py"))


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("test_"):
            check()
            print(f"{name} ok")
