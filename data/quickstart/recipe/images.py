"""Packs the drawings as lossless RGB WebP, writes the manifest, and checks both.

Usage: python images.py RENDERED OUT
RENDERED is what render.mjs wrote; OUT/images/<set>/<concept>.webp and OUT/manifest.csv are written.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from concepts import CONCEPTS

SIZE = 224
MARGIN = 18
SETS = ["noto", "noto-v1", "twemoji", "fluent-emoji-flat", "emojione"]  # groups 1 to 5


def drawing(path):
    """The drawing as [SIZE, SIZE, 3] uint8; an opaque picture with something on it and a white margin."""
    image = Image.open(path)
    assert image.size == (SIZE, SIZE), f"{path}: {image.size}"
    rgba = np.asarray(image.convert("RGBA"))
    assert (rgba[..., 3] == 255).all(), f"{path}: not opaque"
    rgb = rgba[..., :3]
    inked = (rgb < 250).any(axis=-1)
    assert inked.mean() > 0.02, f"{path}: blank"
    inner = np.zeros_like(inked)
    inner[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
    assert not inked[~inner].any(), f"{path}: draws over the margin"
    return rgb


def main(rendered, out):
    seen = {}
    rows = []
    for concept, category in CONCEPTS.items():
        for group, name in enumerate(SETS, start=1):
            rgb = drawing(rendered / name / f"{concept}.png")
            twin = seen.setdefault(rgb.tobytes(), f"{name}/{concept}")
            assert twin == f"{name}/{concept}", f"{name}/{concept} is the same picture as {twin}"
            path = Path("images") / name / f"{concept}.webp"
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rgb).save(out / path, lossless=True, quality=100, method=6)
            back = Image.open(out / path)
            assert back.mode == "RGB" and back.size == (SIZE, SIZE), path
            assert (np.asarray(back) == rgb).all(), f"{path}: pixels changed"
            rows.append([path.as_posix(), concept, group, category])
    with open(out / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "concept", "group", "category"])
        writer.writerows(rows)
    print(f"{len(rows)} images, {len(CONCEPTS)} concepts x {len(SETS)} groups")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
