//! Statistics of representational similarity: matrices in, counts and p-values out. Opens no files.

pub mod alignment;
pub mod bootstrap;
pub mod calibrated;
#[cfg(test)]
mod calibration;
pub mod ceiling;
pub mod generalise;
pub mod inference;
pub mod influence;
mod kendall;
mod lines;
pub mod one_vs_two;
pub mod paired;
pub mod partial;
pub mod partition;
pub mod permutation;
pub mod rsa;
pub mod scoring;
pub mod similarity;
mod student;
pub mod two_vs_two;

use std::ops::ControlFlow;

use crate::kernels::gpu::Kernel;

/// The level of every confidence interval: the share of worlds in which it is to hold the truth.
pub const LEVEL: f64 = 0.95;

/// Every kernel of a statistic.
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    [similarity::KERNELS, two_vs_two::KERNELS, alignment::neighbours::KERNELS].into_iter().flatten().copied()
}

/// Told the units of work done since it was last called, from any thread; may ask to stop.
pub type Progress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// A [`Progress`] asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Tells `progress` of work done.
fn report(progress: &Progress, work: u64) -> Result<(), Interrupted> {
    if progress(work).is_break() { Err(Interrupted) } else { Ok(()) }
}

/// A representational similarity matrix: the Pearson correlations of one space's concept vectors.
///
/// Kept in `f64` until its rows are centred and scaled (statistics need the digits: early layers have mean
/// correlations near 1). The diagonal is 1. The row and column of a concept whose vector is constant (no variance, so
/// no correlation) are NaN off the diagonal; such concepts are listed in [`Rsm::constant`].
///
/// # Shapes
/// `values` is `[concepts, concepts]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Rsm {
    concepts: usize,
    values: Vec<f64>,
}

impl Rsm {
    /// Wraps `[concepts, concepts]` correlations.
    ///
    /// # Panics
    /// If `values` does not hold `concepts * concepts` numbers.
    pub fn new(concepts: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), concepts * concepts, "an RSM of {concepts} concepts is square");
        Self { concepts, values }
    }

    /// Number of concepts (rows).
    pub fn concepts(&self) -> usize {
        self.concepts
    }

    /// All values, row-major `[concepts, concepts]`.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Row `a`: the correlations of concept `a` with every concept.
    pub fn row(&self, a: usize) -> &[f64] {
        &self.values[a * self.concepts..(a + 1) * self.concepts]
    }

    /// Concepts without a correlation to any other: their vectors are constant.
    pub fn constant(&self) -> Vec<usize> {
        (0..self.concepts)
            .filter(|&a| (0..self.concepts).all(|b| a == b || self.values[a * self.concepts + b].is_nan()))
            .collect()
    }
}
