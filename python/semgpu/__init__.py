"""The two halves of semgpu on arrays: similarity matrices, tests; and its results as tables.

The program itself, as an extension module: the numbers are those of ``semgpu similarity`` and ``semgpu test``, to the last
digit. An array is anything that NumPy understands, or a torch tensor. One in C order on the CPU is read where it lies,
whatever the type of its real numbers; copied are other orders (slices with steps, transposed arrays), lists, tensors of
another device or of bfloat16. Do not write into an array while it is read: other threads run meanwhile, for the GIL is
released. Tables are dicts of columns, ``pandas.DataFrame(table)`` takes them as they are.

A wrong input raises `ValueError` with the program's message before a draw is made, a failure `RuntimeError`; what the
program warns of is a Python warning; Ctrl-C stops the work and raises `KeyboardInterrupt`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import operator
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import _semgpu

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    #: Anything ``numpy.asarray`` takes, or a torch tensor.
    Array = Any
    Table = dict[str, list[Any]]
    #: One space, or several by their names.
    Spaces = Union[Array, Mapping[str, Array]]

__all__ = ["read", "rsm", "test"]

#: Columns of names, which may look like numbers.
_TEXT = {
    *("network", "layer", "layer_a", "layer_b", "less_layer", "lost_from", "label", "words", "words_a", "words_b", "less"),
    *("words_layer", "concept", "concept_a", "concept_b", "group", "path", "predicted", "predicted_class", "measure"),
    *("method", "kind", "over", "given", "spaces", "part"),
}


def rsm(x: Array, *, device: str = "auto") -> NDArray[np.float64]:
    """Pearson correlations of all rows: the representational similarity matrix of a space.

    ``x`` is ``[concepts, units]`` and gives ``[concepts, concepts]``, or ``[groups, concepts, units]`` and gives
    ``[groups, concepts, concepts]``. In double precision, which only the CPU has; a ``device`` that is named has to be there.
    """
    import numpy as np

    array = _array("x", x)
    # Rust without memory ends the process: NumPy raises `MemoryError`.
    np.empty((2, *array.shape[:-1], array.shape[-2]))
    return np.asarray(_semgpu.rsm("x", array, device), dtype=np.float64)


def test(
    words: Spaces,
    layers: Spaces,
    *,
    permutations: int = 1000,
    measure: str = "2v2",
    neighbours: int = 10,
    seed: int = 2018,
    concepts: Sequence[str] | None = None,
    device: str = "auto",
    out: str | os.PathLike[str] | None = None,
) -> Table:
    """Tests word models against layers; a row for each layer and word model.

    ``words`` and ``layers`` are arrays by name: features ``[concepts, units]`` or matrices as `rsm` gives them, a layer's
    also ``[groups, ...]``; their rows are the same concepts in the same order. A square array of floats is a matrix if it
    is its own transpose or has the diagonal of one: of correlations 1, of distances 1 - r 0. ``measure`` is one of
    ``semgpu test --measure``'s; those that need vectors (``cka``, ``mknn``, ...) take features alone; ``neighbours`` are
    those of ``mknn`` and ``cknna``. ``out`` keeps the results directory with figures and page; without it nothing is
    written.
    """
    if isinstance(concepts, (str, bytes)):
        raise ValueError(f"concepts: {concepts!r}, expected a list of names")
    if out is not None and not str(out):
        raise ValueError("out: empty, expected a directory")
    named_words, named_layers = _named("words", "words", words), _named("layers", "images", layers)
    names = None if concepts is None else [str(name) for name in concepts]
    _same_rows({**({"concepts": names} if names else {}), **_labels("words", words), **_labels("layers", layers)})
    table, said = _semgpu.test(
        named_words,
        named_layers,
        _count("permutations", permutations),
        measure,
        _count("neighbours", neighbours),
        _count("seed", seed),
        names,
        device,
        out,
    )
    for warning in said:
        warnings.warn(warning, stacklevel=2)
    return _table(table)


def read(results_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """A results directory: each of its tables by name, ``run`` (``run.json``), ``rsm`` (matrices by layer).

    ``scales`` is what the matrices leave out of each vector: mean, standard deviation, units.
    """
    import numpy as np

    directory = Path(results_dir)
    if not (directory / "run.json").is_file():
        raise ValueError(f"{directory}: no run.json, expected a results directory of semgpu")
    run = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    tables = [path for path in sorted(directory.glob("*.csv")) if path.is_file() and path.name[0] != "."]
    # What the record does not list is the user's own; that of an earlier version lists nothing.
    tables = [path for path in tables if path.name in (run.get("files") or [path.name])]
    found: dict[str, Any] = {path.stem: _table(path.read_text(encoding="utf-8"), str(path)) for path in tables}
    found["run"] = run

    def column(table: str, name: str) -> list[Any]:
        return list(found.get(table, {}).get(name, []))

    layers = column("layers", "layer_a") + column("measures", "layer")
    models = column("words", "words_a") + column("accuracy", "words") + column("measures", "words")
    models += [f"{a} {b}" for a, b in zip(column("measures", "words"), column("measures", "words_layer"))]
    names = {_part_of_file(name): name for name in layers}
    names.update({f"words.{_part_of_file(name)}": f"words.{name}" for name in models})
    found["rsm"], found["scales"] = {}, {}
    for path in sorted((directory / "rsm").glob("*.npy")):
        of = path.stem.replace("scales.", "", 1)
        if path.stem not in names and path.stem.startswith(("scales.", "words.scales.")):
            found["scales"][names.get(of, of)] = np.load(path)
        elif path.stem in names or path.stem != "predicted_classes":
            found["rsm"][names.get(path.stem, path.stem)] = np.load(path)
    return found


#: Names that Windows keeps for devices, whatever follows a dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])\s*(\.|$)", re.IGNORECASE)


def _part_of_file(name: str) -> str:
    """What a layer's or a word model's matrix is called by its name: `file_name` in src/results/directory.rs."""
    part = re.sub(r'[/\\:*?"<>|]', "_", name)
    part = f"_{part}" if _DEVICE.match(part) else part
    if len(part.encode()) <= 200:
        return part
    return part.encode()[:183].decode(errors="ignore") + "-" + hashlib.sha256(name.encode()).hexdigest()[:16]


def _labels(called: str, spaces: Spaces) -> dict[str, list[str]]:
    """The index of every data frame, also of those that are groups of one layer, by what messages call it."""
    from collections.abc import Mapping

    named = spaces.items() if isinstance(spaces, Mapping) else [(None, spaces)]
    found: dict[str, list[str]] = {}
    for name, space in named:
        of = called if name is None else f'{called}["{name}"]'
        groups = list(space) if isinstance(space, (list, tuple)) else []
        for place, frame in [(of, space), *((f"{of}[{n}]", group) for n, group in enumerate(groups))]:
            if not hasattr(frame, "iloc") or getattr(frame, "ndim", 2) != 2:
                continue
            rows, columns = ([str(label) for label in labels] for labels in (frame.index, getattr(frame, "columns", ())))
            if len(columns) == len(rows) and columns != rows and sorted(columns) == sorted(rows):
                raise ValueError(f"{place}: columns called as the rows, in another order: reindex(columns=….index)")
            found[place] = rows
    return found


def _same_rows(labels: dict[str, list[str]]) -> None:
    """Rows go by their place: what names them in different orders is no pair. Numbers from 0 on are no names beside others."""
    for (one, a), (other, b) in itertools.combinations(labels.items(), 2):
        counts = [str(n) for n in range(len(a))]
        if a != b and (counts not in (a, b) or set(a) == set(b)):
            raise ValueError(f"{other}: rows of other names than those of {one}, or in another order: reindex one")


def _array(called: str, x: Array) -> NDArray[Any]:
    """As NumPy has it, in C order; a torch tensor comes from its device, bfloat16 as float32."""
    import numpy as np

    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.resolve_neg() if hasattr(x, "resolve_neg") else x
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
        x = x.numpy()
    if any(np.ma.is_masked(part) for part in (x if isinstance(x, (list, tuple)) else [x])):
        raise ValueError(f"{called}: masked values, which no correlation leaves out; fill them or drop their units")
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


def _table(text: str, called: str = "table") -> Table:
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"{called}: expected a table with as many cells in every line")
    return {name: _column(name, [row[n] for row in rows[1:]]) for n, name in enumerate(rows[0])}


def _column(name: str, cells: list[str]) -> list[Any]:
    """Names, whole numbers, numbers with NaN where a cell is empty, or text."""
    if name in _TEXT:
        return cells
    try:
        return [int(cell) for cell in cells]
    except ValueError:
        pass
    try:
        return [float(cell) if cell else float("nan") for cell in cells]
    except ValueError:
        return list(cells)
