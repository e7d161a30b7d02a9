"""Arrays as other programs store them: reading.zip. Needs numpy, h5py, scipy.

Element [i, j] of every array is ((7 i + 3 j + i j) mod 23 - 11) / 4, exact in every type; [12, 30] unless said.
"""
import io, os, sys, tempfile, zipfile
import h5py, numpy as np, scipy.io

def features(concepts=12, units=30):
    i, j = np.indices((concepts, units))
    return ((7 * i + 3 * j + i * j) % 23 - 11) / 4

work = tempfile.mkdtemp()
at = lambda name: os.path.join(work, name)
a = features()
names = np.array(["concept %d" % i for i in range(12)], dtype=object)

scipy.io.savemat(at("v5.mat"), {"features": a}, do_compression=True)
scipy.io.savemat(at("v5_plain.mat"), {"features": a.astype("f4"), "concepts": names.reshape(-1, 1), "more": {"x": 1.0}})
scipy.io.savemat(at("v5_whole.mat"), {"features": np.round(a * 4).astype("i1")})
scipy.io.savemat(at("v5_complex.mat"), {"features": a + 1j})

def matlab_7_3(name, **arrays):
    """As MATLAB writes it: a text of 512 bytes before the HDF5 file, every array's first axis last."""
    with h5py.File(at(name), "w", userblock_size=512) as file:
        for key, array in arrays.items():
            dataset = file.create_dataset(key, data=np.ascontiguousarray(array.T), compression="gzip")
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    with open(at(name), "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 .".ljust(124) + b"\0\2IM")

matlab_7_3("v73.mat", features=a)
matlab_7_3("v73_renamed.h5", features=a)

def hdf5(name, array, libver="latest", **options):
    with h5py.File(at(name), "w", libver=libver) as file:
        file.create_dataset("features", data=array, **options)

hdf5("half.h5", a.astype("f2"))
with h5py.File(at("brain.h5"), "w") as file:
    brain = h5py.h5t.IEEE_F16LE.copy()
    brain.set_fields(15, 7, 8, 0, 7)
    brain.set_ebias(127)
    dataset = h5py.h5d.create(file.id, b"features", brain, h5py.h5s.create_simple(a.shape))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, a)
hdf5("big_endian.h5", a.astype(">f8"), libver="earliest")
hdf5("wide_fixed.h5", a, chunks=(5, 7), maxshape=(12, 90), compression="gzip", shuffle=True)
hdf5("wide_fixed_both.h5", a.astype("f4"), chunks=(5, 7), maxshape=(40, 90))
hdf5("wide_extensible.h5", a, chunks=(5, 7), maxshape=(None, 90), compression="gzip")
hdf5("wide_tree.h5", a, chunks=(5, 7), maxshape=(None, None), compression="gzip")
with h5py.File(at("wide_implicit.h5"), "w", libver="latest") as file:
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((5, 7))
    create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    space = h5py.h5s.create_simple((12, 30), (12, 90))
    dataset = h5py.h5d.create(file.id, b"features", h5py.h5t.IEEE_F64LE, space, create)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(a))
with h5py.File(at("wide_filled.h5"), "w", libver="latest") as file:
    dataset = file.create_dataset("features", (12, 30), "f8", chunks=(5, 7), maxshape=(12, 90), fillvalue=2.5)
    dataset[:5, :7] = a[:5, :7]
hdf5("lzf.h5", a, compression="lzf")

with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for name in sorted(os.listdir(work)):
        archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), open(at(name), "rb").read(), zipfile.ZIP_DEFLATED)
