"""The two halves of semgpu on arrays: similarity matrices, tests; and its results as tables.

The program itself, as an extension module: the numbers are those of ``semgpu similarity`` and ``semgpu test``, to the last
digit. An array is anything that NumPy understands, or a torch tensor. One in C order on the CPU is read where it lies,
whatever the type of its real numbers; copied are other orders (slices with steps, transposed arrays), lists, tensors of
another device or of bfloat16. Do not write into an array while it is read: other threads run meanwhile, for the GIL is
released. Tables are dicts of columns, ``pandas.DataFrame(table)`` takes them as they are.

A wrong input raises `ValueError` with the program's message before anything is computed, a failure `RuntimeError`; Ctrl-C
stops the work and raises `KeyboardInterrupt`.
"""

from __future__ import annotations

import csv
import io
import json
import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import _semgpu

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    #: Anything ``numpy.asarray`` takes, or a torch tensor.
    Array = Any
    Table = dict[str, list[Any]]
    #: One space, or several by their names.
    Spaces = Union[Array, Mapping[str, Array]]

__all__ = ["read", "rsm", "test"]


def rsm(x: Array, *, device: str = "auto") -> NDArray[np.float64]:
    """Pearson correlations of all rows: the representational similarity matrix of a space.

    ``x`` is ``[concepts, units]`` and gives ``[concepts, concepts]``, or ``[groups, concepts, units]`` and gives
    ``[groups, concepts, concepts]``. In double precision, which only the CPU has; a ``device`` that is named has to be there.
    """
    import numpy as np

    return np.asarray(_semgpu.rsm("x", _array("x", x), device), dtype=np.float64)


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

    ``words`` and ``layers`` are arrays by name: features ``[concepts, units]`` or matrices as `rsm` gives them, a layer's
    also ``[groups, ...]``; their rows are the same concepts in the same order. A square array with a diagonal of 1 that
    is its own transpose is a matrix. ``measure`` is one of ``semgpu test --measure``'s; those that need vectors (``cka``,
    ``mknn``, ...) take features alone. ``out`` keeps the results directory with figures and page; without it nothing is
    written.
    """
    return _table(
        _semgpu.test(
            _named("words", "words", words),
            _named("layers", "images", layers),
            _count("permutations", permutations),
            measure,
            _count("seed", seed),
            None if concepts is None else [str(name) for name in concepts],
            device,
            out,
        )
    )


def read(results_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """A results directory: each of its tables by name, ``run`` (``run.json``), ``rsm`` (matrices by layer).

    ``scales`` is what the matrices leave out of each vector: mean, standard deviation, units.
    """
    import numpy as np

    directory = Path(results_dir)
    if not (directory / "run.json").is_file():
        raise ValueError(f"{directory}: no run.json, expected a results directory of semgpu")
    tables = sorted(directory.glob("*.csv"))
    found: dict[str, Any] = {path.stem: _table(path.read_text(encoding="utf-8")) for path in tables}
    found["run"] = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    found["rsm"], found["scales"] = {}, {}
    for path in sorted((directory / "rsm").glob("*.npy")):
        name = path.stem
        if name.startswith(("scales.", "words.scales.")):
            found["scales"][name.replace("scales.", "", 1)] = np.load(path)
        elif name != "predicted_classes":
            found["rsm"][name] = np.load(path)
    return found


def _array(called: str, x: Array) -> NDArray[Any]:
    """As NumPy has it, in C order; a torch tensor comes from its device, bfloat16 as float32."""
    import numpy as np

    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
        x = x.numpy()
    array = np.asarray(x)
    if array.ndim not in (2, 3):
        shape = list(array.shape)
        raise ValueError(f"{called}: shape {shape}, expected [concepts, units] or [groups, concepts, units]")
    return np.ascontiguousarray(array)


def _named(called: str, alone: str, spaces: Spaces) -> list[tuple[str, str, NDArray[Any]]]:
    """Each space's name, what messages call it, and its array; one that has no name is ``alone``."""
    from collections.abc import Mapping

    if not isinstance(spaces, Mapping):
        return [(alone, called, _array(called, spaces))]
    if not spaces:
        raise ValueError(f"{called}: expected at least one array")
    named = [(str(name), f'{called}["{name}"]', space) for name, space in spaces.items()]
    return [(name, called, _array(called, space)) for name, called, space in named]


def _count(called: str, number: int) -> int:
    whole = operator.index(number) if hasattr(number, "__index__") else -1
    if not 0 <= whole < 2**64:
        raise ValueError(f"{called} {number}: expected a whole number, 0 to 2**64 - 1")
    return whole


def _table(text: str) -> Table:
    header, *rows = csv.reader(io.StringIO(text, newline=""))
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
