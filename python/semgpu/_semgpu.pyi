"""The extension module: python/src/lib.rs."""

import os
from typing import Any, final

from numpy.typing import NDArray

@final
class Matrices:
    """Matrices that ``numpy.asarray`` takes where they lie."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...

def rsm(called: str, array: NDArray[Any], device: str) -> Matrices: ...
def test(
    words: list[tuple[str, str, NDArray[Any]]],
    layers: list[tuple[str, str, NDArray[Any]]],
    permutations: int,
    measure: str,
    neighbours: int,
    seed: int,
    concepts: list[str] | None,
    device: str,
    out: str | os.PathLike[str] | None,
) -> tuple[str, list[str]]: ...
def main(arguments: list[str]) -> int: ...
