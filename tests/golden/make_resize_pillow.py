"""resize_pillow.json: Pillow's output on formula images, for every resize rule (see README.md). Needs numpy, Pillow."""
import json
import os

import numpy as np
import PIL
from PIL import Image


def fnv1a(data):
    h = 0x811C9DC5
    for byte in data:
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def random(name, n):
    x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(fnv1a(name.encode()))
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def image(n, width, height):
    fine = (random(f"image{n}", width * height * 3) >> np.uint32(24)).reshape(height, width, 3)
    coarse = (random(f"image{n}.coarse", 64 * 64 * 3) >> np.uint32(24)).reshape(64, 64, 3)
    squares = coarse[np.arange(height) >> 5][:, np.arange(width) >> 5]
    return Image.fromarray(((3 * squares + fine) >> np.uint32(2)).astype(np.uint8))


FILTERS = dict(nearest=Image.NEAREST, bilinear=Image.BILINEAR, bicubic=Image.BICUBIC)


def resize(im, size, rule, crop_pct):
    how, name = rule.split("-")
    if how == "squash":
        return im.resize((size, size), FILTERS[name])
    w, h = im.size
    short = round(size / crop_pct)
    w, h = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    im = im.resize((w, h), FILTERS[name])
    left, top = int(round((w - size) / 2.0)), int(round((h - size) / 2.0))
    return im.crop((left, top, left + size, top + size))


cases = []
for n, width, height in [(3, 256, 256), (4, 640, 480), (5, 341, 500), (6, 100, 80), (7, 1500, 9), (8, 227, 227)]:
    for size in (224, 227, 299):
        for rule in ("squash-nearest", "squash-bilinear", "squash-bicubic", "crop-bilinear", "crop-bicubic"):
            crop_pct = 1.0 if n == 8 else 0.875
            a = np.asarray(resize(image(n, width, height), size, rule, crop_pct))
            flat = a.reshape(-1)
            index = [int(v) % flat.size for v in random(f"{n}-{size}-{rule}", 4)]
            cases.append(dict(pillow=PIL.__version__, image=n, width=width, height=height, size=size, rule=rule,
                              crop_pct=crop_pct, fnv1a32="%08x" % fnv1a(flat.tobytes()),
                              values=[[i, int(flat[i])] for i in index]))
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "resize_pillow.json")
with open(out, "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
