"""The two halves of semgpu on arrays: similarity matrices, tests; and its results as tables.

A thin layer over the program: arrays go to it as temporary ``.npy`` files and tables come back, so that the numbers are
those of ``semgpu similarity`` and ``semgpu test``, to the last digit. An array is anything that NumPy understands, or a
torch tensor on any device. Tables are dicts of columns, ``pandas.DataFrame(table)`` takes them as they are.

A wrong input raises `ValueError` with the program's message before anything is computed, a failure `RuntimeError`;
Ctrl-C ends the program too.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

__all__ = ["program", "read", "rsm", "test"]

#: Anything ``numpy.asarray`` takes, or a torch tensor.
Array = Any
Table = dict[str, list[Any]]
#: One space, or several by their names.
Spaces = Union[Array, Mapping[str, Array]]

#: By how much a diagonal may miss 1, and two halves of a matrix each other, as the program takes it.
_RSM_TOLERANCE = 1e-4


def program() -> str:
    """Path of the program: ``$SEMGPU``, this environment's, or the first on the search path."""
    name = "semgpu.exe" if os.name == "nt" else "semgpu"
    own = Path(sysconfig.get_path("scripts")) / name
    found = os.environ.get("SEMGPU") or (str(own) if own.exists() else shutil.which(name))
    if found is None:
        raise RuntimeError("the program semgpu is not installed: pip install semgpu, or set SEMGPU to its path")
    return found


def rsm(x: Array, *, device: str = "auto") -> NDArray[np.float64]:
    """Pearson correlations of all rows: the representational similarity matrix of a space.

    ``x`` is ``[concepts, units]`` and gives ``[concepts, concepts]``, or ``[groups, concepts, units]`` and gives
    ``[groups, concepts, concepts]``.
    """
    array = _array(x)
    with tempfile.TemporaryDirectory(prefix="semgpu-") as folder:
        features, out = Path(folder, "features.npy"), Path(folder, "rsm.npy")
        np.save(features, array)
        groups = ["--groups", str(array.shape[0])] if array.ndim == 3 else []
        _call(["similarity", str(features), "--out", str(out), "--device", device, *groups])
        return np.asarray(np.load(out), dtype=np.float64)


def test(
    words: Spaces,
    layers: Spaces,
    *,
    permutations: int = 1000,
    measure: str = "2v2",
    seed: int = 2018,
    concepts: Sequence[str] | None = None,
    device: str = "auto",
    out: str | os.PathLike[str] | None = None,
) -> Table:
    """Tests word models against layers; a row for each layer and word model.

    ``words`` and ``layers`` are arrays by name: vectors ``[concepts, units]`` or matrices as `rsm` gives them, a layer's
    also ``[groups, ...]``; their rows are the same concepts in the same order. A square array with a diagonal of 1 that
    is its own transpose is a matrix. ``out`` keeps the results directory with figures and page.
    """
    with tempfile.TemporaryDirectory(prefix="semgpu-") as folder:
        arguments = ["test", "--permutations", str(permutations), "--seed", str(seed), "--device", device]
        for side, spaces in (("words", words), ("images", layers)):
            named = spaces if isinstance(spaces, Mapping) else {side: spaces}
            if not named:
                raise ValueError(f"{side}: expected at least one array")
            for number, (name, space) in enumerate(named.items()):
                array = _array(space)
                path = Path(folder, f"{side}{number}.npy")
                np.save(path, array if _is_rsm(array) else rsm(array, device=device))
                arguments += [f"--{side}", f"{name}={path}"]
        if concepts is not None:
            names = Path(folder, "concepts.txt")
            names.write_text("".join(f"{name}\n" for name in concepts), encoding="utf-8")
            arguments += ["--concepts", str(names)]
        if measure != "2v2":
            arguments += ["--measure", measure]
        directory = Path(out) if out is not None else Path(folder, "results")
        _call([*arguments, "--similarities", "--out", str(directory)])
        return _table(directory / ("accuracy.csv" if measure == "2v2" else "measures.csv"))


def read(results_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """A results directory: each of its tables by name, ``run`` (``run.json``) and ``rsm`` (matrices by layer)."""
    directory = Path(results_dir)
    if not (directory / "run.json").is_file():
        raise ValueError(f"{directory}: no run.json, expected a results directory of semgpu")
    found: dict[str, Any] = {path.stem: _table(path) for path in sorted(directory.glob("*.csv"))}
    found["run"] = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    matrices = sorted((directory / "rsm").glob("*.npy"))
    found["rsm"] = {path.stem: np.load(path) for path in matrices if path.stem != "predicted_classes"}
    return found


def _array(x: Array) -> NDArray[Any]:
    """As NumPy has it; a torch tensor comes from its device, bfloat16 as float32."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
        x = x.numpy()
    array = np.asarray(x)
    if array.ndim not in (2, 3):
        raise ValueError(f"shape {list(array.shape)}, expected [concepts, units] or [groups, concepts, units]")
    return np.ascontiguousarray(array)


def _is_rsm(array: NDArray[Any]) -> bool:
    if array.shape[-1] != array.shape[-2] or not np.issubdtype(array.dtype, np.floating):
        return False
    diagonal = np.diagonal(array, axis1=-2, axis2=-1)
    near = {"rtol": 0, "atol": _RSM_TOLERANCE, "equal_nan": True}
    return bool(np.allclose(diagonal, 1, **near) and np.allclose(array, np.swapaxes(array, -1, -2), **near))


def _call(arguments: list[str]) -> None:
    done = subprocess.run([program(), "--quiet", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    said = done.stderr.decode("utf-8", "replace").strip().removeprefix("error: ")
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode == 2:
        raise ValueError(said)
    if done.returncode != 0:
        raise RuntimeError(said or f"semgpu ended with {done.returncode}")


def _table(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {name: _column([row[n] for row in rows]) for n, name in enumerate(header)}


def _column(cells: list[str]) -> list[Any]:
    """Whole numbers, numbers with NaN where a cell is empty, or text."""
    try:
        return [int(cell) for cell in cells]
    except ValueError:
        pass
    try:
        return [float(cell) if cell else float("nan") for cell in cells]
    except ValueError:
        return list(cells)
