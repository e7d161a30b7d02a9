//! Arrays on both sides of the border by NumPy's `__array_interface__`, without copies.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use semgpu::arrays::{self, StoredArray};
use semgpu::error::Error;

use super::work::raised;

/// The bytes of a NumPy array where they lie.
struct Lent {
    /// Keeps them.
    _array: Py<PyAny>,
    start: *const u8,
    bytes: usize,
}

// SAFETY: the bytes are only read, and kept by the array.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        if self.bytes == 0 {
            return &[];
        }
        // SAFETY: NumPy says that so many bytes are there, and the array keeps them. That another thread of Python's writes
        // into an array that is being read, the module's documentation forbids, as NumPy's does.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }
}

/// A NumPy array in C order, whose values stay where they are; `called` is its name in messages.
///
/// # Errors
/// `TypeError` if it is no such array, `ValueError` for values that are no real numbers.
pub fn lent(called: &str, array: &Bound<PyAny>) -> PyResult<StoredArray> {
    let numpy = array.py().import("numpy")?;
    if !array.is_instance(&numpy.getattr("ndarray")?)? {
        return Err(PyTypeError::new_err(format!("{called}: expected a numpy.ndarray")));
    }
    let interface = array.getattr("__array_interface__")?;
    if !interface.get_item("strides")?.is_none() {
        return Err(PyTypeError::new_err(format!("{called}: expected an array in C order")));
    }
    let shape: Vec<usize> = interface.get_item("shape")?.extract()?;
    let kind: String = interface.get_item("typestr")?.extract()?;
    let (start, _): (usize, bool) = interface.get_item("data")?.extract()?;
    let bytes = array.getattr("nbytes")?.extract()?;
    let lent = Lent { _array: array.clone().unbind(), start: start as *const u8, bytes };
    arrays::lent(called, &shape, &kind, bytes::Bytes::from_owner(lent)).map_err(|error| raised(Error::input(error)))
}

/// Matrices that `numpy.asarray` takes where they lie.
#[pyclass(frozen)]
pub struct Matrices {
    shape: Vec<usize>,
    /// Written by whoever has the array.
    values: *mut [f64],
}

// SAFETY: the values are not looked at from here; Python sees to who writes them.
unsafe impl Send for Matrices {}
// SAFETY: likewise.
unsafe impl Sync for Matrices {}

impl Matrices {
    /// `values` fill `shape`, the last axis running fastest.
    pub fn new(shape: Vec<usize>, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values fill the shape {shape:?}");
        Self { shape, values: Box::into_raw(values.into_boxed_slice()) }
    }
}

impl Drop for Matrices {
    fn drop(&mut self) {
        // SAFETY: from `Box::into_raw`, and an array of them keeps this alive.
        drop(unsafe { Box::from_raw(self.values) });
    }
}

#[pymethods]
impl Matrices {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", pyo3::types::PyTuple::new(py, &self.shape)?)?;
        interface.set_item("typestr", if cfg!(target_endian = "big") { ">f8" } else { "<f8" })?;
        interface.set_item("data", (self.values.cast::<f64>() as usize, false))?;
        Ok(interface)
    }
}
