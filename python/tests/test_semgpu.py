"""The module against NumPy and the command; `.ci/wheel` runs it in a fresh environment. Plain asserts: needs no runner."""

import json
import math
import os
import runpy
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np

import semgpu

#: Correlations of float32 features of size 1, summed in float64: half a unit in the last place of a feature.
ROUNDED = 1e-6

PROGRAM = str(Path(sysconfig.get_path("scripts"), "semgpu"))

random = np.random.default_rng(1)


def raises(kind, call, *words):
    try:
        call()
    except kind as error:
        assert all(word in str(error) for word in words), error
        return
    raise AssertionError(f"expected {kind.__name__}")


def command(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_rsm_is_numpys():
    x = random.normal(size=(12, 30))
    for kind in (np.float64, np.float32):
        assert np.abs(semgpu.rsm(x.astype(kind), device="cpu") - np.corrcoef(x)).max() < ROUNDED
    groups = random.normal(size=(2, 12, 30))
    expected = np.stack([np.corrcoef(group) for group in groups])
    assert np.abs(semgpu.rsm(groups, device="cpu") - expected).max() < ROUNDED


def test_every_layout_and_type_is_read_as_it_is():
    x = random.integers(0, 100, size=(9, 40))
    expected = semgpu.rsm(x.astype(np.float64))
    for kind in ("<f2", ">f4", "<f8", ">f8", "i1", "<i4", ">i8", "u1", "<u8"):
        assert np.array_equal(semgpu.rsm(x.astype(kind)), expected), kind
    assert np.array_equal(semgpu.rsm(x > 50), semgpu.rsm((x > 50).astype(float)))
    for other in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[:, ::-1][:, ::-1], x.tolist()):
        assert np.array_equal(semgpu.rsm(other), expected)
    found = semgpu.rsm(x)
    found[0, 0] = 2.0
    assert found.flags.owndata is False and found.dtype == np.float64 and found[0, 0] == 2.0
    for wrong in (x.astype(complex), x.astype("U3"), x.astype(object), x.astype("M8[s]")):
        raises(ValueError, lambda wrong=wrong: semgpu.rsm(wrong), "x: values of type")


def test_an_array_is_read_where_it_lies():
    try:
        import resource
    except ImportError:
        return
    unit = 1 if sys.platform == "darwin" else 1024
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    x = random.normal(size=(40, 1_200_000))
    before = peak()
    semgpu.rsm(x)
    # Beside the array there are 64 MiB of standardised values.
    assert peak() - before < x.nbytes / 2, peak() - before


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
    try:
        import torch
    except ImportError:
        return
    tensor = torch.tensor(x, requires_grad=True)
    assert np.array_equal(semgpu.rsm(tensor), semgpu.rsm(x))
    assert np.array_equal(semgpu.rsm(tensor.bfloat16()), semgpu.rsm(tensor.bfloat16().float()))


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


def test_matrices_are_told_by_their_diagonal():
    words, layer = random.normal(size=(9, 8)), random.normal(size=(9, 8))
    options = {"permutations": 9, "measure": "rsa-pearson", "device": "cpu"}
    expected = semgpu.test(words, layer, **options)["value"]
    for matrix in (semgpu.rsm, lambda x: 1 - semgpu.rsm(x), np.corrcoef):
        found = semgpu.test(matrix(words), matrix(layer), **options)["value"]
        assert np.abs(np.array(found) - expected).max() < 1e-12
    wrong = semgpu.rsm(layer)
    wrong[2, 2] = 1.01
    raises(ValueError, lambda: semgpu.test(words, wrong), "layers", "the diagonal has 1.01 in row 2")
    raises(ValueError, lambda: semgpu.test(words, layer @ layer.T), "layers", "the diagonal")
    layer[4] = 1.0
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        raises(ValueError, lambda: semgpu.test(words, np.corrcoef(layer)), "layers", "concept 4")


def test_what_the_program_warns_of_is_a_warning():
    words, layer = random.normal(size=(9, 8)), random.normal(size=(9, 8))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        flat = np.repeat(layer[:1], 9, 0)
        table = semgpu.test(words, {"a": layer, "b": flat}, permutations=9, measure="cka", device="cpu")
    assert table["layer"] == ["a"] and any("b: left out" in str(warning.message) for warning in caught)
    # CKA does not know how large values are.
    for scale in (1e-120, 1e80, 1e140):
        scaled = semgpu.test(words, layer * scale, permutations=9, measure="cka", device="cpu")
        assert abs(scaled["value"][0] - table["value"][0]) < 1e-12, scale
    few = semgpu.test(words, layer, permutations=9, measure="mknn", neighbours=3, device="cpu")
    assert few["neighbours"] == [3]


def test_numbers_are_the_commands_to_the_bit():
    words, layers = random.normal(size=(11, 20)), {"a": random.normal(size=(3, 11, 50)), "b": random.normal(size=(3, 11, 7))}
    names = [f"c{n}" for n in range(11)]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.save(folder / "words.npy", words)
        (folder / "concepts.txt").write_text("\n".join(names))
        images = []
        for name, layer in layers.items():
            np.save(folder / f"{name}.npy", layer.astype(np.float32))
            images += ["--images", f"{name}={folder / name}.npy"]
            done = command("similarity", folder / f"{name}.npy", "--groups", 3, "--out", folder / "rsm.npy")
            assert done.returncode == 0, done.stderr
            assert np.array_equal(np.load(folder / "rsm.npy"), semgpu.rsm(layer.astype(np.float32)))
        layers = {name: layer.astype(np.float32) for name, layer in layers.items()}
        for measure, table in (("2v2", "accuracy"), ("cka", "measures"), ("rsa-spearman", "measures")):
            out, own = folder / measure, folder / f"own-{measure}"
            asked = ["--permutations", 30, "--seed", 7, "--device", "cpu", "--concepts", folder / "concepts.txt"]
            asked += [] if measure == "2v2" else ["--measure", measure]
            done = command("test", "--words", f"w={folder / 'words.npy'}", *images, "--features", *asked, "--out", out)
            assert done.returncode == 0, done.stderr
            options = {"permutations": 30, "seed": 7, "measure": measure, "device": "cpu", "concepts": names}
            found = semgpu.test({"w": words}, layers, **options)
            # As text: cells without a number are NaN, which equals nothing.
            assert repr(found) == repr(semgpu.read(out)[table])
            assert repr(found) == repr(semgpu.test({"w": words}, layers, **options, out=own))
            for path in [*out.glob("*.csv"), *out.glob("rsm/*.npy")]:
                assert path.read_bytes() == (own / path.relative_to(out)).read_bytes(), path


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
        assert {name: rsm.shape for name, rsm in found["rsm"].items()} == {"images": (1, 6, 6), "words.words": (6, 6)}
        assert np.allclose(found["scales"]["words.words"], [[row.mean(), row.std(), 9] for row in words])
        assert found["scales"].keys() == found["rsm"].keys() and found["run"]["command"] == "test"
        assert found["concepts"]["concept"] == names
        assert (out / "report.html").exists()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results")
        x = random.normal(size=(6, 9))
        spaces = {name: x for name in ("a/b", "scales.x", "007", 'is "it"? <*|>', "aux")}
        table = semgpu.test({"scales.v": x}, spaces, permutations=9, concepts=["1", "2", "3", "nan", "5", "006"], out=out)
        found = semgpu.read(out)
        assert table["layer"] == found["accuracy"]["layer"] == list(spaces)
        assert found["concepts"]["concept"][3:6] == ["nan", "5", "006"]
        assert set(found["rsm"]) == set(found["scales"]) == {*spaces, "words.scales.v"}
        assert found["rsm"]["a/b"].shape == (1, 6, 6) and found["scales"]["scales.x"].shape[-1] == 3
        assert semgpu._part_of_file("é" * 150) == "é" * 91 + "-cb1fa3158102cb16"
        (out / "mine.csv").write_bytes("a;b\ncafé\n".encode("cp1252"))
        assert semgpu.read(out).keys() == found.keys()
        (out / "accuracy.csv").write_text("")
        raises(ValueError, lambda: semgpu.read(out), "accuracy.csv")


def test_wrong_input_is_said():
    raises(ValueError, lambda: semgpu.rsm([1.0, 2.0]), "x: shape [2]")
    raises(ValueError, lambda: semgpu.rsm(np.full((5, 3), math.nan)), "x: ", "row 0")
    x = random.normal(size=(8, 5))
    raises(ValueError, lambda: semgpu.test(x, x[:7], permutations=1), "layers: 7 concepts, expected 8 as in words")
    flat = x.copy()
    flat[3] = 1.0
    raises(ValueError, lambda: semgpu.test({"w": x}, {"a": x, "b/c": flat}), 'layers["b/c"]: ', "row 3")
    raises(ValueError, lambda: semgpu.test(x, {}), "layers: expected at least one array")
    raises(ValueError, lambda: semgpu.test(x, x, measure="ckb"), "ckb", "cka")
    for wrong in (-1, 2**64, 1.5):
        raises(ValueError, lambda wrong=wrong: semgpu.test(x, x, permutations=wrong), f"permutations {wrong}: expected a")
    raises(ValueError, lambda: semgpu.test(x, x, concepts=["a"] * 8), "stands twice")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        semgpu.test(x, {"few": x[:, :2]}, measure="cka", permutations=30, device="cpu")
    assert any('layers["few"]: 2 units' in str(warning.message) for warning in said), said
    raises(ValueError, lambda: semgpu.test(semgpu.rsm(x), x, measure="cka"), "words: a matrix of correlations")
    raises(ValueError, lambda: semgpu.test(np.triu(semgpu.rsm(x)), x, measure="cka"), "words: a matrix of correlations")
    uneven = semgpu.rsm(x)
    uneven[5, 2] += 0.1
    raises(ValueError, lambda: semgpu.test(uneven, x), "words: ", "row 2", "mirror image")
    raises(ValueError, lambda: semgpu.rsm(x, device="gpu:999"), "gpu:999")
    raises(ValueError, lambda: semgpu.rsm(x, device="tpu"), "tpu")
    raises(ValueError, lambda: semgpu.test(x, x, concepts="abcdefgh"), "concepts", "a list")
    raises(ValueError, lambda: semgpu.test(x, x, out=""), "out: empty")
    raises(ValueError, lambda: semgpu.rsm(np.ma.array(x, mask=x > 1)), "x: masked")
    raises(MemoryError, lambda: semgpu.rsm(np.zeros((40_000_000, 2))), "40000000")

    class Frame:
        """What is used of pandas'."""

        iloc = None

        def __init__(self, values, index, columns=()):
            self.values, self.index, self.columns = values, index, columns

        def __array__(self, *arguments, **options):
            return self.values

    named = Frame(x, list("abcdefgh"))
    semgpu.test(named, {"a": named, "b": x}, permutations=1, device="cpu")
    raises(ValueError, lambda: semgpu.test(named, {"a": Frame(x, list("bacdefgh"))}), 'layers["a"]: rows of other names')
    raises(ValueError, lambda: semgpu.test(named, [named, Frame(x, list("bacdefgh"))]), "layers[1]: rows of other names")
    turned = Frame(semgpu.rsm(x), list("abcdefgh"), list("bacdefgh"))
    raises(ValueError, lambda: semgpu.test({"w": turned}, x), 'words["w"]: columns called as the rows')
    counted = Frame(x, range(8))
    semgpu.test(named, counted, permutations=1, device="cpu")
    raises(ValueError, lambda: semgpu.test(counted, Frame(x, range(7, -1, -1))), "layers: rows of other names")
    raises(ValueError, lambda: semgpu.test(named, x, concepts=list("hgfedcba")), "words: rows of other names")
    raises(ValueError, lambda: semgpu.test(x, [np.ma.array(x, mask=x > 1), x]), "layers: masked")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mine").write_text("mine")
        raises(ValueError, lambda: semgpu.test(x, x, out=folder), "not a results directory")
    raises(ValueError, lambda: semgpu.read("nowhere"), "no run.json")


#: A test that takes minutes.
def long():
    x = random.normal(size=(150, 20))
    semgpu.test(x, {str(n): random.normal(size=(5, 150, 20)) for n in range(20)}, permutations=100_000, device="cpu")


def test_other_threads_run_meanwhile():
    x, count, done = random.normal(size=(60, 300_000)), 0, threading.Event()

    def counts():
        nonlocal count
        while not done.is_set():
            count += 1
            time.sleep(0.001)

    other = threading.Thread(target=counts)
    other.start()
    started = time.monotonic()
    semgpu.rsm(x)
    taken, counted = time.monotonic() - started, count
    done.set()
    other.join()
    assert taken > 0.05 and counted > 100 * taken, (taken, counted)
    results = []
    words, layer = random.normal(size=(9, 8)), random.normal(size=(9, 8))
    call = lambda: results.append(semgpu.test(words, layer, permutations=50, device="cpu"))
    threads = [threading.Thread(target=call) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(results) == 4 and len(set(map(repr, results))) == 1


def test_ctrl_c_stops_a_test():
    if sys.platform == "win32":
        return
    # A shell's job in the background is started without.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed = None

    def press():
        nonlocal pressed
        pressed = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(1.5, press).start()
    raises(KeyboardInterrupt, long)
    taken = time.monotonic() - pressed
    assert taken < 2, taken
    # And it goes on.
    test_rsm_is_numpys()


def test_a_forked_process_is_told():
    if not hasattr(os, "fork"):
        return
    semgpu.rsm(random.normal(size=(5, 6)))
    child = os.fork()
    if child == 0:
        try:
            semgpu.rsm(random.normal(size=(5, 6)))
        except RuntimeError as error:
            os._exit(0 if "forked" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_command_is_the_program():
    assert command("--version").stdout.split()[1] == metadata.version("semgpu")
    assert command("layers", "vgg16").returncode == 0
    wrong = command("layers", "nonet")
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: ") and not wrong.stdout
    assert command("nonsense").returncode == 2
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.csv").write_text("1,2,x\n3,4,5\n")
        assert command("similarity", Path(folder, "a.csv"), "--out", Path(folder, "b.npy")).returncode == 2
    if sys.platform == "win32":
        return
    # `| head`
    child = subprocess.Popen([PROGRAM, "layers", "vgg16", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert child.wait() == 0 and not child.stderr.read()
    child.stderr.close()
    # Closed: what it writes goes into no file.
    with tempfile.TemporaryDirectory() as folder:
        started = f'"{PROGRAM}" init "{folder}/start" >&- <&-'
        closed = subprocess.run(["sh", "-c", started], stderr=subprocess.PIPE, text=True, check=False)
        assert closed.returncode == 0, closed.stderr
        again = subprocess.run([PROGRAM, "init", f"{folder}/start"], capture_output=True, text=True, check=False)
        assert again.returncode == 0, "every file is as it should be: " + again.stderr
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            full = subprocess.run([PROGRAM, "layers"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert full.returncode == 1 and "stdout" in full.stderr


def test_ctrl_c_stops_the_command():
    if sys.platform == "win32":
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = [PROGRAM, "quickstart", "--out", f"{folder}/out", "--device", "cpu"]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in child.stderr:
            if line.startswith("memory"):
                break
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 130, (child.returncode, said)
        assert "Traceback" not in said


def test_types_hold():
    try:
        import mypy.api
    except ImportError:
        print("(mypy is not installed) ", end="")
        return
    with tempfile.TemporaryDirectory() as folder:
        user = Path(folder, "user.py")
        user.write_text(
            "import numpy as np\nimport semgpu\n"
            "x = np.zeros((3, 4))\n"
            "matrix = semgpu.rsm(x, device='cpu')\n"
            "reveal_type(matrix)\n"
            "table: dict[str, list[object]] = semgpu.test({'w': x}, x, permutations=9, concepts=['a', 'b', 'c'], out=None)\n"
            "rows: int = len(semgpu.read('somewhere')['accuracy']['layer'])\n"
            "semgpu.test(x, x, permutations='many')  # type: ignore[arg-type]\n"
        )
        said, wrong, code = mypy.api.run(["--strict", "--cache-dir", folder, "-p", "semgpu"])
        assert code == 0, said + wrong
        said, wrong, code = mypy.api.run(["--strict", "--cache-dir", folder, str(user)])
        assert code == 0 and "numpy.ndarray" in said and "float" in said, said + wrong


def test_the_notebook_says_what_it_shows():
    path = Path(__file__).parents[1] / "example.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = [text(cell["outputs"]) for cell in cells]
    assert any(shown)
    try:
        import ipykernel  # noqa: F401
        import nbclient
        import nbformat
    except ImportError:
        print("(nbclient is not installed: its cells alone) ", end="")
        run("\n".join("".join(cell["source"]) for cell in cells))
        return
    executed = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(executed, timeout=120, resources={"metadata": {"path": folder}}).execute()
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [text(cell.outputs) for cell in cells] == shown


def text(outputs):
    """What a cell prints."""
    return "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")


def run(code):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notebook.py")
        path.write_text(code, encoding="utf-8")
        here = os.getcwd()
        os.chdir(folder)
        try:
            runpy.run_path(str(path))
        finally:
            os.chdir(here)


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("test_"):
            check()
            print(f"{name} ok", flush=True)
