//! Memory of activations on the CPU, kept from layer to layer: the system's fresh pages cost as much time as the arithmetic
//! on them.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
use cubecl::bytes::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};

/// Buffers smaller than this the allocator itself keeps.
const LARGE: usize = 1 << 16;

/// Most that is kept, in bytes: two of the largest activations of a batch, as much as Burn's convolution took for layouts
/// of its own.
const KEPT_BYTES: usize = 512 << 20;

/// Buffers that no tensor holds any more, the last one that came last.
static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Values of a tensor to be; of arbitrary content at first.
pub struct Buffer {
    values: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// With room for so many.
    pub fn new(len: usize) -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        // At most three quarters of it unused: the maps of a network become so much smaller at a time.
        let fits = |values: &Vec<f32>| (len..=4 * len).contains(&values.len());
        let best = (0..free.len()).filter(|&n| fits(&free[n])).min_by_key(|&n| free[n].len());
        let values = best.map(|best| free.remove(best));
        drop(free);
        Self { values: values.unwrap_or_else(|| vec![0.0; len]), len }
    }

    /// As a tensor; nothing is copied.
    pub fn into_tensor<const D: usize>(self, shape: [usize; D]) -> Tensor<D> {
        assert_eq!(self.len, shape.iter().product::<usize>(), "a value for every unit");
        let bytes = self.len * size_of::<f32>();
        // SAFETY: all bytes of a buffer are initialised.
        let bytes = unsafe { Bytes::from_controller(Box::new(self), bytes) };
        Tensor::from_primitive::<Flex>(FlexTensor::from_data(TensorData::from_bytes(bytes, shape, DType::F32)))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.values.len() < LARGE {
            return;
        }
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.values));
        while free.iter().map(|values| size_of_val(&values[..])).sum::<usize>() > KEPT_BYTES {
            free.remove(0);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.len]
    }
}

impl AllocationController for Buffer {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(&mut self, _: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(self);
        // SAFETY: bytes may be seen as perhaps not initialised; the caller writes none that are not.
        Ok(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let bytes: &[u8] = bytemuck::cast_slice(self);
        // SAFETY: bytes may be seen as perhaps not initialised.
        Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) })
    }
}
