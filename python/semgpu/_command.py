"""The command ``semgpu`` of an environment."""

import os
import sys

from . import _semgpu


def main() -> int:
    # The number of a stream that was closed is free: the next file that is opened would be taken for it.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    return _semgpu.main(sys.argv)
