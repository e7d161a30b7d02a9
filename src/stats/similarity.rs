//! Representational similarity: the Pearson correlations of all pairs of activation vectors (section 3 of the paper).
//!
//! With `x_i` the vector of image `i` over `n` units, `c_ij = sum_u (x_iu - m_i)(x_ju - m_j)` and
//! `r_ij = c_ij / sqrt(c_ii c_jj)`.
//!
//! # Double precision
//! Word vectors, features of other programs, layers of at most [`DOUBLE_UNITS`] units and whole numbers of any length
//! (0/1, counts, one-hot) are correlated in f64 (`double`). Of `n` whole numbers of at most `w`, `4 n w^2 <= 2^53`, every
//! sum is exact: their `r` is the rational number rounded, to 2 units in the last place. Larger ones are standardised first,
//! as what is not whole.
//!
//! # Single precision
//! The products of larger layers are f32 (`cpu`, `shaders/rsm_*.wgsl`), of residuals: what all images have in common is
//! taken out first, `e_iu = x_iu - shift_i - contrast_i m_u - offset_i` (`frame`), and put back into the sums in f64
//! (`Moments`). Mean correlations near 1, where `1 - r` is what counts, lose no digits by it:
//! the error of `r_ij` is that of `sum e_i e_j` over `sqrt(c_ii c_jj)`. A chain of L additions errs as a random walk,
//! `u/3 sqrt(L)` of its sum with `u = 2^-24`; L is at most 512 and an RSM has n / L chains and more:
//!
//! `|error of r| < 4 u/3 L / sqrt(n) |e_i| |e_j| / sqrt(c_ii c_jj)`, 4 standard deviations; the quotient is at most 2, with
//! `contrast m` in the place of `e` too, and `1 - r` where images are alike (else the sums are repeated in a better frame).
//! Where whole chains of products are equal (features of few values that are no whole numbers) they round alike: at worst
//! `L/2 u` instead. And where one chain holds nearly all of a sum (rows near one-hot, or with a unit far above all others that few
//! images share), no other errors average with its own: `8 u/3 sqrt(L)`, 3.6e-6 (drawn rows: up to 2.8e-6), of images that have
//! that unit in common.
//!
//! # Equals
//! All pairs' products are added in one order, and everything else is a function of one row and of what all share. So
//! rows that are equal bit for bit have equal correlations bit for bit, and 1 with each other, on every device and
//! whatever the order of the images, the batches and the threads.

use burn::tensor::{Device, Tensor};
use burn_flex::Flex;
use rayon::prelude::*;

use self::frame::Frame;
use self::moments::Moments;
use super::Rsm;
use super::alignment::Scales;
use crate::kernels::gpu::{Gpu, GpuError};

mod cpu;
mod double;
mod frame;
mod gpu;
mod gram;
mod moments;
#[cfg(test)]
mod precision;
mod streamed;
#[cfg(test)]
mod tests;

pub use gpu::KERNELS;
pub use streamed::{Standard, Streamed};

/// A vector is constant where its variance is at most this fraction of its squared mean.
///
/// `(4 u)^2` with `u = 2^-24`, the relative rounding error of f32: equal activations that went through a handful of
/// roundings differ by no more, and a correlation of such differences would be one of rounding errors.
pub const CONSTANT_VARIANCE: f64 = 1.0 / (1_u64 << 44) as f64;

/// Layers of up to so many units are correlated in f64, on the CPU.
pub const DOUBLE_UNITS: usize = 1024;

/// How often sums are repeated in a better frame, at most: the first may have lost what all frames are made of.
const REPEATS: usize = 2;

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
/// however the group is cut into batches. How far rounding puts it off: see the module's documentation.
///
/// # Shapes
/// `batches` are the group's images in order, each `[images, units]` of f32; the RSM is `[concepts, concepts]` with
/// one concept per image. On a GPU a batch has fewer than 2^32 activations.
///
/// # Errors
/// [`SimilarityError::NotFinite`] names the first image with a NaN or infinite activation. Products of large layers are
/// f32, so activations whose distance from their mean lies beyond 1e15 count as infinite, and below 1e-18 as 0.
///
/// # Panics
/// If a batch has no images, there are no units, the batches differ in units, or one is not f32.
///
/// # Cost
/// [`multiply_adds`] and [`bytes_moved`]; beside the input, packed activations and sums on a GPU (some 64 MiB each at most), and on
/// the CPU what `gram` takes.
pub fn rsm(batches: &[Tensor<2>]) -> Result<Rsm, SimilarityError> {
    Ok(reduced(batches)?.0)
}

/// [`rsm`] and what it leaves out of the vectors, from the same sums: all that any measure needs of a layer.
///
/// # Errors
/// As [`rsm`].
///
/// # Panics
/// As [`rsm`].
pub fn reduced(batches: &[Tensor<2>]) -> Result<(Rsm, Scales), SimilarityError> {
    let units = batches.first().expect("a group has images").dims()[1];
    assert!(batches.iter().all(|batch| batch.dims()[0] > 0 && units > 0), "a batch has images, a layer units");
    assert!(batches.iter().all(|batch| batch.dims()[1] == units), "the batches of a layer have the same units");
    match Gpu::of(&batches[0].device()) {
        Some(gpu) if units > DOUBLE_UNITS => on_gpu(&gpu, batches, units),
        Some(_) => on_cpu(&fetched(batches), units),
        None => on_cpu(batches, units),
    }
}

/// Copies of a GPU's batches on the CPU.
fn fetched(batches: &[Tensor<2>]) -> Vec<Tensor<2>> {
    batches.iter().map(|batch| Tensor::from_data(batch.to_data(), &Device::flex())).collect()
}

fn on_cpu(batches: &[Tensor<2>], units: usize) -> Result<(Rsm, Scales), SimilarityError> {
    let batches: Vec<_> = batches
        .iter()
        .map(|batch| batch.clone().try_into_primitive::<Flex>().expect("batches are on one device"))
        .map(|batch| batch.to_contiguous())
        .collect();
    let rows: Vec<&[f32]> = batches
        .iter()
        .flat_map(|batch| batch.as_slice::<f32>().expect("activations are f32").chunks_exact(units))
        .collect();
    if units <= DOUBLE_UNITS || double::are_whole(&rows) {
        double::reduced(&rows)
    } else {
        correlate(Frame::new(&cpu::sample(&rows), rows.len()), |frame| Ok(cpu::moments(&rows, frame)))
    }
}

fn on_gpu(gpu: &Gpu, batches: &[Tensor<2>], units: usize) -> Result<(Rsm, Scales), SimilarityError> {
    let on_gpu = |batch: &Tensor<2>| {
        let (_, activations) = Gpu::buffer(batch.clone()).expect("batches are on one device");
        gpu::Batch { images: batch.dims()[0], activations }
    };
    let handles: Vec<_> = batches.iter().map(on_gpu).collect();
    let sample = gpu::sample(gpu, &handles, units)?;
    if double::are_whole(&[&sample]) {
        return on_cpu(&fetched(batches), units);
    }
    let images = handles.iter().map(|batch| batch.images).sum();
    correlate(Frame::new(&sample, images), |frame| gpu::moments(gpu, &handles, units, frame))
}

/// The RSM of vectors in memory, in f64: word vectors.
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
    Ok(reduced_rows(rows, concepts, units)?.0)
}

/// [`rsm_of_rows`] and what it leaves out of the vectors.
///
/// # Errors
/// As [`rsm_of_rows`].
///
/// # Panics
/// As [`rsm_of_rows`].
pub fn reduced_rows(rows: &[f32], concepts: usize, units: usize) -> Result<(Rsm, Scales), SimilarityError> {
    assert!(!rows.is_empty() && rows.len() == concepts * units, "{concepts} concepts of {units} units are a matrix");
    double::reduced(&rows.chunks_exact(units).collect::<Vec<_>>())
}

/// Whether a vector has no correlations: [`rsm_of_rows`] leaves its row and column NaN.
pub fn is_constant(row: &[f32]) -> bool {
    Standard::of(row).is_constant(false)
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

/// Correlations of what `measure` sums, in `frame` or a better one.
fn correlate(
    frame: Frame,
    measure: impl Fn(Frame) -> Result<Moments, SimilarityError>,
) -> Result<(Rsm, Scales), SimilarityError> {
    let images = frame.shifts.len();
    let unusable = |moments: &Moments| (0..images).find(|&i| !moments.covariance(i, i).is_finite());
    let mut moments = measure(frame)?;
    if unusable(&moments).is_some() {
        // It may have spoiled the others by what they have in common.
        moments = measure(Frame::plain(moments.frame.shifts))?;
        if let Some(image) = unusable(&moments) {
            return Err(SimilarityError::NotFinite { image });
        }
    }
    for _ in 0..REPEATS {
        let (better, left) = moments.better_frame();
        if !left.into_iter().enumerate().any(|(i, left)| moments.is_far(i, left)) {
            break;
        }
        moments = measure(better)?;
    }
    let scales = Scales {
        units: moments.units,
        means: (0..images).map(|i| moments.mean(i)).collect(),
        deviations: (0..images).map(|i| moments.covariance(i, i).max(0.0).sqrt()).collect(),
    };
    Ok((correlations(images, |i, j| moments.covariance(i, j), |i| moments.is_constant(i)), scales))
}

/// From covariances of any scale, of `i >= j`; NaN where a vector `is_constant`.
fn correlations(
    concepts: usize,
    covariance: impl Fn(usize, usize) -> f64 + Sync,
    is_constant: impl Fn(usize) -> bool,
) -> Rsm {
    let variances: Vec<f64> = (0..concepts).map(|i| if is_constant(i) { f64::NAN } else { covariance(i, i) }).collect();
    let mut values = vec![1.0; concepts * concepts];
    values.par_chunks_mut(concepts).enumerate().for_each(|(i, row)| {
        for (j, r) in row[..i].iter_mut().enumerate() {
            // The root of a square is exact: equal rows correlate 1.
            *r = (covariance(i, j) / (variances[i] * variances[j]).sqrt()).clamp(-1.0, 1.0);
        }
    });
    mirror(&mut values, concepts);
    Rsm::new(concepts, values)
}

/// Copies the lower triangle to the upper one, in blocks that the cache holds.
fn mirror(values: &mut [f64], side: usize) {
    const BLOCK: usize = 32;
    for (first_row, first_column) in (0..side).step_by(BLOCK).flat_map(|i| (0..=i).step_by(BLOCK).map(move |j| (i, j)))
    {
        for i in first_row..side.min(first_row + BLOCK) {
            for j in first_column..i.min(first_column + BLOCK) {
                values[j * side + i] = values[i * side + j];
            }
        }
    }
}
