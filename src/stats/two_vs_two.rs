//! The 2 vs. 2 test of every pair of concepts, for many draws against many image RSMs.
//!
//! A pair (a, b) *passes* if its two words are closer to their own images than to each other's, by the Pearson
//! correlation of their RSM rows with the columns a and b left out:
//!
//! `corr(w_a, i_a) + corr(w_b, i_b) > corr(w_a, i_b) + corr(w_b, i_a)`; the difference is the pair's *margin*.
//!
//! # Closed form
//! Let A (words) and B (images) be the RSM rows, centred over their k-1 entries off the diagonal, scaled to unit length,
//! 0 on the diagonal; `n = k-2`, `c = 1 + 1/n`, `M = A B^T` and `r(x) = 1 / sqrt(1 - c x^2)`. Then
//!
//! ```text
//! corr(w_a, i_a) = (M[a,a] - c A[a,b] B[a,b])     r(A[a,b]) r(B[a,b])
//! corr(w_a, i_b) = (M[a,b] - A[a,b] B[b,a] / n)   r(A[a,b]) r(B[b,a])
//! ```
//!
//! and the other two with a and b exchanged. A draw p permutes the words, `A_p[a,j] = A[p(a), p(j)]`, so a draw costs
//! one k x k x k product and O(k^2) on top; on the CPU less where the word vectors have few dimensions (`low_rank`).
//!
//! # Exact counts
//! The product runs in f32 (`cpu`, `shaders/two_vs_two_*.wgsl`). Wherever an f32 margin is not further from 0
//! than its rounding bound, or a correlation loses too many digits (`1 - c x^2 < 1/16`), the pair is decided again in
//! f64; it is one in thousands. So every device, batch size and number of threads gives the same counts: those of the
//! f64 definition. The bound: with the unit roundoff u = 2^-24, an inner product of unit vectors errs by less than
//! `4 sqrt(k / 3) u`, 4 standard deviations (each of k partial sums of at most 1 is rounded; the errors behave as
//! independent, Higham & Mary 2019, and even within u), the operations after it by less than 8 u; it enters the margin
//! with the weights `r(A) r(B)`, whose sum over the four correlations is
//! `(r(A[a,b]) + r(A[b,a])) (r(B[a,b]) + r(B[b,a]))`. Errors seen are a tenth of the bound.
//!
//! # Undefined correlations
//! A vector without variance has no correlation. A constant word is an error; a constant image takes its pairs out of
//! every count, in every draw, and correlates 0 with the other images. A row that is constant only once a and b are left
//! out correlates 0 in that pair.

pub(super) mod cpu;
pub(super) mod double;
mod gpu;
mod low_rank;
mod products;
mod reference;
pub(super) mod rows;
mod statistic;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::ops::{ControlFlow, Range};

use burn::tensor::Device;
use rayon::prelude::*;

use super::permutation::Permutations;
use super::rsa::dot;
use super::scoring::{Outcome, Ties};
use super::{Interrupted, Progress, Rsm, report};
use crate::kernels::gpu::{Gpu, GpuError, Kernel};
use crate::kernels::product::{Matrix, multiply};

pub use products::products;
pub use reference::margins_reference;
#[cfg(test)]
pub(super) use reference::pearson;
use rows::UnitRows;
pub use statistic::TwoVsTwoTest;

/// Fewest concepts that can be tested: k-2 entries must leave a correlation some freedom.
pub const FEWEST_CONCEPTS: usize = 5;

/// A margin within this many times the sum of its weights is a tie: 2^10 roundoffs of f64, so that rounding cannot
/// decide between equals (the inner products of 2,000 concepts err by less than 200), and no real difference is lost.
pub(super) const TIE: f64 = 1.0 / (1u64 << 43) as f64;

/// A row whose variance is within this fraction of its square sum does not vary: 2^-92 is a spread of 2^-46, a hundred
/// roundoffs of its entries.
pub(super) const FLAT_ROW: f64 = 1.0 / (1u128 << 92) as f64;

/// A row of which this fraction of the square sum remains once a pair is left out does not vary there: `1 - c x^2` errs
/// by a few roundoffs (2^-53).
pub(super) const FLAT_REST: f64 = 1.0 / (1u64 << 44) as f64;

/// The kernels of the test on the GPU, in the order of their launches.
pub const KERNELS: &[&Kernel] = gpu::KERNELS;

/// Floating-point operations of the products, the floor that the test is measured against.
pub fn operations(concepts: usize, draws: u64, images: usize) -> u64 {
    2 * (concepts as u64).pow(3) * draws * images as u64
}

/// What became of the pairs of one draw against one image RSM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pairs with a positive margin.
    pub passed: u32,
    /// Pairs whose margin is 0 to rounding; in no other count. Whether they are lost, won or half is the caller's rule.
    pub ties: u32,
}

/// The counts of every draw against every image RSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawTable {
    /// The draws of the rows.
    pub draws: Range<u64>,
    /// Image RSMs, the columns.
    pub images: usize,
    /// `[draws, images]`, row-major.
    pub counts: Vec<Counts>,
    /// `[images]`: pairs tested, those without a constant image.
    pub tested: Vec<u32>,
    /// Pairs of concepts, tested or not.
    pub pairs: u32,
}

impl DrawTable {
    /// The counts of draw `t` against every image RSM.
    pub fn row(&self, t: u64) -> &[Counts] {
        let row = (t - self.draws.start) as usize;
        &self.counts[row * self.images..(row + 1) * self.images]
    }

    /// The half-points of draw `t` against image RSM `image`, out of twice the pairs; a pair with a constant image scores
    /// half.
    pub fn half_points(&self, t: u64, image: usize, ties: Ties) -> u64 {
        let counts = self.row(t)[image];
        let untested = self.pairs - self.tested[image];
        ties.score(counts.passed.into(), counts.ties.into(), untested.into())
    }
}

/// A tested pair of the observed (identity) draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestedPair {
    /// First concept, below `b`.
    pub a: u32,
    /// Second concept.
    pub b: u32,
    /// Sum of the correlations of the words with their own images.
    pub matched: f64,
    /// Sum of the correlations of the words with each other's images.
    pub mismatched: f64,
    /// As counted.
    pub outcome: Outcome,
    /// Whether a word's row does not vary once the pair is left out: it correlates 0 with both images.
    pub flat_words: bool,
    /// Whether an image's row does not.
    pub flat_images: bool,
}

impl TestedPair {
    /// Matched minus mismatched sum.
    pub fn margin(&self) -> f64 {
        self.matched - self.mismatched
    }
}

/// Which matrix an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The word RSM.
    Words,
    /// The image RSM at this index.
    Image(usize),
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Words => write!(f, "the word RSM"),
            Self::Image(index) => write!(f, "image RSM {index}"),
        }
    }
}

/// Why a test could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TwoVsTwoError {
    /// k-2 entries leave no freedom.
    #[error("the 2 vs. 2 test needs {FEWEST_CONCEPTS} concepts or more, found {concepts}")]
    TooFewConcepts { concepts: usize },
    /// One matrix of products, or the list of its pairs that tie, exceeds what the device binds, or its pairs what it launches.
    #[error("{concepts} concepts, the GPU takes at most {most}: use fewer concepts, or the CPU")]
    TooManyConcepts { concepts: usize, most: usize },
    /// Matrices or draws of different sizes.
    #[error("{what} of {found} concepts, expected the word RSM's {expected}")]
    Concepts { what: &'static str, found: usize, expected: usize },
    /// A constant word vector.
    #[error("the word vector of concept {concept} is constant: it has no correlation (leave the concept out)")]
    ConstantWord { concept: usize },
    /// A NaN or infinity where a correlation should be.
    #[error("{side}: the entry of concepts {row} and {column} is {value}, expected a correlation")]
    NotFinite { side: Side, row: usize, column: usize, value: f64 },
    /// A concept that is equally similar to all others.
    #[error("{side}: concept {concept} is equally similar to all others: its row has no correlation (leave it out)")]
    FlatRow { side: Side, concept: usize },
    /// `progress` asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

impl From<Interrupted> for TwoVsTwoError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// Counts the passed pairs and ties of every draw of `range` against every image RSM.
///
/// Draws re-order the words; draw 0 is the observed order. Counts do not depend on the device, the batches or the
/// number of threads (see the module's "Exact counts"). `progress` is told the tests, (draw, image RSM), done. On the CPU
/// the work is spread over the current rayon pool.
///
/// # Shapes
/// All RSMs are `[concepts, concepts]`.
///
/// # Errors
/// [`TwoVsTwoError`]; every error of the user's data is found before the first product.
///
/// # Cost
/// `2 k^3` operations per draw and image RSM. On the CPU, where these are `low_rank::FEWEST_PRODUCTS` or more, `4 k^2 r` where the
/// word RSM, but for its diagonal, has rank r and that is less: r is at most the number of dimensions of the word vectors.
pub fn two_vs_two<R: Borrow<Rsm> + Sync>(
    words: &Rsm,
    images: &[R],
    draws: &Permutations,
    range: Range<u64>,
    device: &Device,
    progress: &Progress,
) -> Result<DrawTable, TwoVsTwoError> {
    let concepts = words.concepts();
    if draws.concepts() != concepts {
        return Err(TwoVsTwoError::Concepts { what: "draws", found: draws.concepts(), expected: concepts });
    }
    count(words, images, &|t| draws.draw(t), range, device, progress)
}

/// Whether [`two_vs_two`] can be made: every error of the user's data, and nothing counted. An error's image RSM is at
/// that index of `images`.
///
/// # Errors
/// [`TwoVsTwoError`].
pub fn check(words: &Rsm, images: &[Rsm], draws: &Permutations) -> Result<(), TwoVsTwoError> {
    let go_on = |_| ControlFlow::Continue(());
    two_vs_two(words, images, draws, 0..0, &Device::flex(), &go_on).map(|_| ())
}

/// A concept that an image RSM finds equally similar to all others, if there is one: it cannot be tested.
pub fn flat_row(image: &Rsm) -> Option<usize> {
    match UnitRows::image(image, image.concepts(), 0) {
        Err(TwoVsTwoError::FlatRow { concept, .. }) => Some(concept),
        _ => None,
    }
}

/// Draw `t` as a permutation of the concepts.
type Draw<'a> = dyn Fn(u64) -> Vec<u32> + Sync + 'a;

/// [`two_vs_two`] over any draws.
fn count<R: Borrow<Rsm> + Sync>(
    words: &Rsm,
    images: &[R],
    draw: &Draw,
    range: Range<u64>,
    device: &Device,
    progress: &Progress,
) -> Result<DrawTable, TwoVsTwoError> {
    let concepts = words.concepts();
    let words = UnitRows::words(words)?;
    let tested = (0..images.len())
        .into_par_iter()
        .map(|n| Ok(UnitRows::image(images[n].borrow(), concepts, n)?.pairs()))
        .collect::<Result<_, TwoVsTwoError>>()?;
    let draws = range.end.saturating_sub(range.start) as usize;
    let counts = vec![Counts::default(); draws * images.len()];
    let pairs = (concepts * (concepts - 1) / 2) as u32;
    let mut table = DrawTable { draws: range.clone(), images: images.len(), counts, tested, pairs };
    if table.counts.is_empty() {
        return Ok(table);
    }
    let gpu = Gpu::of(device);
    let low_rank = if gpu.is_none() { low_rank::LowRank::new(&words, table.counts.len()) } else { None };
    let batch = |gpu| gpu::Batch::checked(gpu, concepts, draws as u64, images.len()).map(|batch| (gpu, batch));
    let gpu = gpu.as_ref().map(batch).transpose()?;
    let chunk = gpu.map_or_else(|| cpu::images_at_once(concepts, images.len()), |(_, batch)| batch.images);
    for first in (0..images.len()).step_by(chunk) {
        let chunk = first..images.len().min(first + chunk);
        let rows = chunk
            .clone()
            .into_par_iter()
            .map(|n| UnitRows::image(images[n].borrow(), concepts, n))
            .collect::<Result<Vec<_>, _>>()?;
        let part = match gpu {
            Some((gpu, batch)) => {
                let batch = gpu::Batch { images: rows.len(), ..batch };
                gpu::count(gpu, batch, &words, &rows, draw, range.clone(), progress)?
            }
            None => cpu::count(&words, low_rank.as_ref(), &rows, draw, range.clone(), progress)?,
        };
        for (row, part) in table.counts.chunks_exact_mut(images.len()).zip(part.chunks_exact(rows.len())) {
            row[chunk.clone()].copy_from_slice(part);
        }
    }
    Ok(table)
}

/// Every tested pair of the observed order, in f64, in row order (a ascending, then b); its outcomes add up to the
/// counts of draw 0. The means of `matched` and `mismatched` over pairs and groups are the paper's two sums.
///
/// # Errors
/// As [`two_vs_two`].
pub fn pairs(words: &Rsm, image: &Rsm) -> Result<Vec<TestedPair>, TwoVsTwoError> {
    let k = words.concepts();
    let words = UnitRows::words(words)?;
    let image = UnitRows::image(image, k, 0)?;
    let mut products = vec![0.0; k * k];
    let [left, right] = [&words.values, &image.values].map(|rows| Matrix::rows(rows, k));
    multiply([k; 3], (&mut products, k), left, right.turned(), false);
    let m = |a: usize, b: usize| products[a * k + b];
    let tested = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b))).filter(|&(a, b)| image.tests(a, b));
    Ok(tested
        .map(|(a, b)| {
            let entries = [words.at(a, b), words.at(b, a), image.at(a, b), image.at(b, a)];
            decide(k, (a, b), entries, [m(a, a), m(b, b), m(a, b), m(b, a)])
        })
        .collect())
}

/// The f32 rounding bound of a margin over the sum of its weights (the module's "Exact counts").
fn rounding(concepts: usize) -> f32 {
    (4.0 * (concepts as f32 / 3.0).sqrt() + 8.0) * (f32::EPSILON / 2.0)
}

/// The pair (a, b) under `draw`, decided in f64.
fn decide_exactly(words: &UnitRows, image: &UnitRows, draw: &[u32], a: usize, b: usize) -> TestedPair {
    let [p, q] = [draw[a] as usize, draw[b] as usize];
    let permuted = |word: usize| -> Vec<f64> {
        let row = words.row(word);
        draw.iter().map(|&j| row[j as usize]).collect()
    };
    let (word_a, word_b, image_a, image_b) = (permuted(p), permuted(q), image.row(a), image.row(b));
    let products = [dot(&word_a, image_a), dot(&word_b, image_b), dot(&word_a, image_b), dot(&word_b, image_a)];
    let entries = [words.at(p, q), words.at(q, p), image.at(a, b), image.at(b, a)];
    decide(words.concepts, (a, b), entries, products)
}

/// `r(x)` of the module documentation, with its `c`; 0 where the row does not vary once the pair is left out.
fn weight(c: f64, x: f64) -> f64 {
    let rest = 1.0 - c * x * x;
    if rest <= FLAT_REST { 0.0 } else { rest.sqrt().recip() }
}

/// The closed form in f64: entries `A[a,b], A[b,a], B[a,b], B[b,a]`, products `M[a,a], M[b,b], M[a,b], M[b,a]`.
fn decide(k: usize, (a, b): (usize, usize), [a_ab, a_ba, b_ab, b_ba]: [f64; 4], m: [f64; 4]) -> TestedPair {
    let n = (k - 2) as f64;
    let c = 1.0 + 1.0 / n;
    let [w_ab, w_ba, v_ab, v_ba] = [a_ab, a_ba, b_ab, b_ba].map(|x| weight(c, x));
    let matched = w_ab * v_ab * (m[0] - c * a_ab * b_ab) + w_ba * v_ba * (m[1] - c * a_ba * b_ba);
    let mismatched = w_ab * v_ba * (m[2] - a_ab * b_ba / n) + w_ba * v_ab * (m[3] - a_ba * b_ab / n);
    let margin = matched - mismatched;
    let outcome = if margin.abs() <= TIE * (w_ab + w_ba) * (v_ab + v_ba) {
        Outcome::Tie
    } else if margin > 0.0 {
        Outcome::Passed
    } else {
        Outcome::Lost
    };
    let [flat_words, flat_images] = [[w_ab, w_ba], [v_ab, v_ba]].map(|weights| weights.contains(&0.0));
    TestedPair { a: a as u32, b: b as u32, matched, mismatched, outcome, flat_words, flat_images }
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Tie => self.ties += 1,
            Outcome::Lost => {}
        }
    }
}
