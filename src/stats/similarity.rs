//! Representational similarity: the Pearson correlations of all pairs of activation vectors (section 3 of the paper).
//!
//! With `x_i` the vector of image `i` over `n` units, `c_ij = sum_u (x_iu - m_i)(x_ju - m_j)` and
//! `r_ij = c_ij / sqrt(c_ii c_jj)`.
//!
//! Early layers have millions of units and mean correlations near 1, so the sums must not cancel. Every activation is
//! read once: a shift near the row's mean (from a sample of its units) is subtracted, products of the differences `d`
//! are summed in f32 over a few hundred units and from there on in f64 (CPU) or two floats (GPU), and what the shift
//! missed is removed exactly at the end: `c_ij = sum d_i d_j - sum d_i sum d_j / n`. A constant vector of ones rides
//! along as one image more; its products are the sums.

use burn::tensor::Tensor;
use burn_flex::Flex;

use super::Rsm;
use crate::kernels::gpu::{Gpu, GpuError};

mod cpu;
mod gpu;
mod streamed;
#[cfg(test)]
mod tests;

pub use gpu::{KERNELS, scratch_bytes};
pub use streamed::{Standard, Streamed};

/// A vector is constant where its variance is at most this fraction of its squared mean.
///
/// `(4 u)^2` with `u = 2^-24`, the relative rounding error of f32: equal activations that went through a handful of
/// roundings differ by no more, and a correlation of such differences would be one of rounding errors.
pub const CONSTANT_VARIANCE: f64 = 1.0 / (1_u64 << 44) as f64;

/// How far a shift may be from the mean, as squared distance in variances. The rounding error of a product sum is
/// relative to `variance + distance^2`; up to here it at most doubles. Beyond, the sums are repeated from the mean.
const FAR_SHIFT: f64 = 1.0;

/// Why there is no RSM of a group.
#[derive(Debug, thiserror::Error)]
pub enum SimilarityError {
    /// A vector that cannot be correlated.
    #[error(
        "vector {image} of the group (counted from 0) has values that are NaN, infinite or beyond 1e15, expected \
         finite activations: check the weights and the input of that image"
    )]
    NotFinite {
        /// Index of the image in the group.
        image: usize,
    },
    /// The running sums do not fit into one buffer of the device.
    #[error(
        "the sums of {concepts} concepts need a buffer of {needed} bytes, the GPU binds at most {limit}: use fewer \
         concepts, or the CPU"
    )]
    TooManyConcepts {
        /// Images in the group.
        concepts: usize,
        /// Size of the buffer.
        needed: usize,
        /// The adapter's limit.
        limit: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// The RSM of one layer over one group of images, on the device that the activations are on.
///
/// An image whose activations are constant has no correlations: its row and column are NaN off the diagonal (see
/// [`Rsm::constant`]). The same batches on the same device give the same bits, whatever the number of threads and
/// however the group is cut into batches.
///
/// # Shapes
/// `batches` are the group's images in order, each `[images, units]` of f32; the RSM is `[concepts, concepts]` with
/// one concept per image. On a GPU a batch has fewer than 2^32 activations.
///
/// # Errors
/// [`SimilarityError::NotFinite`] names the first image with a NaN or infinite activation. Products are f32, so
/// activations whose distance from their mean lies beyond 1e15 count as infinite, and below 1e-18 as 0.
///
/// # Panics
/// If a batch has no images, there are no units, the batches differ in units, or one is not f32.
///
/// # Cost
/// [`multiply_adds`] and [`bytes_moved`]; beside the input, [`scratch_bytes`] on a GPU, and on the CPU about
/// `concepts * (12 concepts + 4160)` bytes per thread.
pub fn rsm(batches: &[Tensor<2>]) -> Result<Rsm, SimilarityError> {
    let units = batches.first().expect("a group has images").dims()[1];
    assert!(batches.iter().all(|batch| batch.dims()[0] > 0 && units > 0), "a batch has images, a layer units");
    assert!(batches.iter().all(|batch| batch.dims()[1] == units), "the batches of a layer have the same units");
    measured(batches, |measure| correlate(measure))
}

/// Product sums of a group for the shifts asked for, or for shifts of its choice.
type Measure<'a> = dyn Fn(Option<&[f32]>) -> Result<Moments, SimilarityError> + 'a;

/// Hands `then` the batches' product sums, formed on the device that the batches are on.
fn measured<T>(
    batches: &[Tensor<2>],
    then: impl FnOnce(&Measure) -> Result<T, SimilarityError>,
) -> Result<T, SimilarityError> {
    let units = batches[0].dims()[1];
    match Gpu::of(&batches[0].device()) {
        Some(gpu) => {
            let on_gpu = |batch: &Tensor<2>| {
                let (_, activations) = Gpu::buffer(batch.clone()).expect("batches are on one device");
                gpu::Batch { images: batch.dims()[0], activations }
            };
            let batches: Vec<_> = batches.iter().map(on_gpu).collect();
            then(&|shifts| gpu::moments(&gpu, &batches, units, shifts))
        }
        None => {
            let batches: Vec<_> = batches
                .iter()
                .map(|batch| batch.clone().try_into_primitive::<Flex>().expect("batches are on one device"))
                .map(|batch| batch.to_contiguous())
                .collect();
            let rows: Vec<&[f32]> = batches
                .iter()
                .flat_map(|batch| batch.as_slice::<f32>().expect("activations are f32").chunks_exact(units))
                .collect();
            then(&|shifts| Ok(cpu::moments(&rows, shifts)))
        }
    }
}

/// The RSM of vectors in memory: word vectors, pixels, features of another program. As [`rsm`] on the CPU.
///
/// # Shapes
/// `rows` is `[concepts, units]`, row-major.
///
/// # Errors
/// [`SimilarityError::NotFinite`], as [`rsm`].
///
/// # Panics
/// If `rows` does not hold `concepts * units` numbers, or none.
pub fn rsm_of_rows(rows: &[f32], concepts: usize, units: usize) -> Result<Rsm, SimilarityError> {
    assert!(!rows.is_empty() && rows.len() == concepts * units, "{concepts} concepts of {units} units are a matrix");
    let rows: Vec<&[f32]> = rows.chunks_exact(units).collect();
    correlate(|shifts| Ok(cpu::moments(&rows, shifts)))
}

/// [`rsm`] by its definition, in f64 and two passes: what the fast forms are held to. Does not look for NaN.
pub fn rsm_reference(rows: &[&[f32]]) -> Rsm {
    let centred: Vec<Option<Vec<f64>>> = rows
        .iter()
        .map(|row| {
            let units = row.len() as f64;
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / units;
            let centred: Vec<f64> = row.iter().map(|&x| f64::from(x) - mean).collect();
            let squares = centred.iter().map(|d| d * d).sum::<f64>();
            let constant = squares / units <= CONSTANT_VARIANCE * mean * mean;
            (!constant).then(|| centred.iter().map(|d| d / squares.sqrt()).collect())
        })
        .collect();
    let mut values = Vec::with_capacity(rows.len() * rows.len());
    for (i, a) in centred.iter().enumerate() {
        for (j, b) in centred.iter().enumerate() {
            values.push(match (a, b) {
                _ if i == j => 1.0,
                (Some(a), Some(b)) => a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>().clamp(-1.0, 1.0),
                _ => f64::NAN,
            });
        }
    }
    Rsm::new(rows.len(), values)
}

/// Multiply-adds of a layer's RSM: one per unit and pair of images, the diagonal included.
pub fn multiply_adds(concepts: usize, units: usize) -> u64 {
    (concepts * (concepts + 1) / 2) as u64 * units as u64
}

/// Bytes that a GPU moves at least for a layer's RSM: activations in, packed out, packed in.
pub fn bytes_moved(concepts: usize, units: usize) -> u64 {
    (4 * units) as u64 * (concepts + 2 * gpu::padded(concepts)) as u64
}

/// Sums over a layer's units, of activations less a shift per image.
struct Moments {
    units: usize,
    shifts: Vec<f32>,
    /// `[images + 1, images + 1]`, lower triangle: sums of products; the last row, of a vector of ones, holds sums.
    products: Vec<f64>,
}

impl Moments {
    fn sum(&self, i: usize) -> f64 {
        self.products[self.shifts.len() * (self.shifts.len() + 1) + i]
    }

    /// `c_ij / n`, for `i >= j`.
    fn covariance(&self, i: usize, j: usize) -> f64 {
        let units = self.units as f64;
        self.products[i * (self.shifts.len() + 1) + j] / units - self.sum(i) / units * (self.sum(j) / units)
    }

    fn mean(&self, i: usize) -> f64 {
        f64::from(self.shifts[i]) + self.sum(i) / self.units as f64
    }

    /// The largest variance at which image `i` counts as constant.
    fn constant_variance(&self, i: usize) -> f64 {
        CONSTANT_VARIANCE * self.mean(i).powi(2)
    }

    /// Whether the shift of image `i` costs digits, and is not as near to the mean as f32 gets.
    fn is_far(&self, i: usize) -> bool {
        let distance = (self.sum(i) / self.units as f64).powi(2);
        distance > self.constant_variance(i) && distance > FAR_SHIFT * self.covariance(i, i)
    }
}

/// Correlations from moments; `measure` gives them for the shifts asked for, or for shifts of its choice.
fn correlate(measure: impl Fn(Option<&[f32]>) -> Result<Moments, SimilarityError>) -> Result<Rsm, SimilarityError> {
    let mut moments = measure(None)?;
    let concepts = moments.shifts.len();
    if let Some(image) = (0..concepts).find(|&i| !moments.covariance(i, i).is_finite()) {
        return Err(SimilarityError::NotFinite { image });
    }
    if (0..concepts).any(|i| moments.is_far(i)) {
        let means: Vec<f32> = (0..concepts).map(|i| moments.mean(i) as f32).collect();
        moments = measure(Some(&means))?;
    }
    Ok(correlations(&moments))
}

fn correlations(moments: &Moments) -> Rsm {
    let concepts = moments.shifts.len();
    let deviations: Vec<f64> = (0..concepts)
        .map(|i| moments.covariance(i, i))
        .enumerate()
        .map(|(i, variance)| if variance <= moments.constant_variance(i) { f64::NAN } else { variance.sqrt() })
        .collect();
    let mut values = vec![1.0; concepts * concepts];
    for i in 0..concepts {
        for j in 0..i {
            let r = (moments.covariance(i, j) / (deviations[i] * deviations[j])).clamp(-1.0, 1.0);
            values[i * concepts + j] = r;
            values[j * concepts + i] = r;
        }
    }
    Rsm::new(concepts, values)
}
