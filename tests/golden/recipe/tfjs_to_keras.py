#!/usr/bin/env python3
"""A TensorFlow.js layers model as a weights file of Keras: python3 tfjs_to_keras.py MODEL out.h5. Needs numpy and h5py.

MODEL is a model.json with its shards beside it, or a folder of JavaScript modules that hold the same, as the npm package nsfwjs
has them (`package/dist/models/inception_v3`: MIT, trained, weights in eight bits); those are unwrapped by node.
"""
import base64
import json
import pathlib
import subprocess
import sys

import h5py
import numpy as np

UNWRAP = """const out = {}, path = require('path')
for (const file of require('fs').readdirSync('.').filter(name => name.endsWith('.min.js'))) {
  const module = {exports: {}}; new Function('module', 'exports', require('fs').readFileSync(file, 'utf8'))(module, module.exports)
  out[file.replace('.min.js', '')] = module.exports
}
console.log(JSON.stringify(out))"""

model, out = map(pathlib.Path, sys.argv[1:])
if model.is_dir():
    modules = json.loads(subprocess.run(["node", "-e", UNWRAP], cwd=model, check=True, capture_output=True).stdout)
    described, shard = modules["model"], lambda name: base64.b64decode(modules[name])
else:
    described, shard = json.loads(model.read_text()), lambda name: (model.parent / name).read_bytes()

layers = {}
for group in described["weightsManifest"]:
    stored, at = b"".join(map(shard, group["paths"])), 0
    for weight in group["weights"]:
        count, quantised = int(np.prod(weight["shape"], dtype=np.int64)), weight.get("quantization", {})
        dtype = np.dtype(quantised.get("dtype", weight["dtype"])).newbyteorder("<")
        values = np.frombuffer(stored, dtype, count, at).astype(np.float32)
        at += count * dtype.itemsize
        if "scale" in quantised:
            values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
        layer, variable = weight["name"].rsplit("/", 1)
        layers.setdefault(layer, []).append((variable, values.reshape(weight["shape"])))
    assert at == len(stored), f"{at} of {len(stored)} bytes are described"

with h5py.File(out, "w") as file:
    file.attrs["layer_names"] = [layer.encode() for layer in layers]
    for layer, variables in layers.items():
        group = file.create_group(layer)
        group.attrs["weight_names"] = [f"{layer}/{variable}:0".encode() for variable, _ in variables]
        for variable, values in variables:
            group.create_dataset(f"{layer}/{variable}:0", data=values)
