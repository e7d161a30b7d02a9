//! The 2 vs. 2 test on the CPU: a single-precision product per draw and image RSM, whole or of low rank, block by block
//! of rows; the margins of a block's pairs follow while it is in the cache.

mod permuted;
#[cfg(test)]
mod tests;

use std::ops::Range;

use rayon::prelude::*;

use self::permuted::{PANEL, Panels, Product};
use super::low_rank::LowRank;
use super::{Counts, Draw, Progress, TwoVsTwoError, UnitRows, decide_exactly, report, rounding};
use crate::kernels::transposed;
use crate::stats::lines::Lines;
use crate::stats::permutation::invert;

/// Rows are padded to whole blocks of this many entries, so that no inner loop has a remainder.
const BLOCK: usize = 16;

/// Rows of M made at a time, whole blocks and tiles of every height: they and their words stay in a second-level cache.
const ROWS: usize = 48;

/// Memory for what is kept of the image RSMs, in bytes: it stays in a last-level cache from draw to draw.
const IMAGES_BYTES: usize = 16 << 20;

/// Image RSMs that share the cost of permuting the words; as many products stay in a second-level cache.
const IMAGES: usize = 8;

/// Rounding of a weight r over its square: `1 - c x^2` errs by `(5 c x^2 + 1 - c x^2) u`, so r by half of that times `r^2`,
/// and by 2 u for the root and its inverse.
const WEIGHT_ROUNDING: f32 = 2.5 * f32::EPSILON / 2.0;

/// Image RSMs that are kept ready at once.
pub fn images_at_once(concepts: usize, images: usize) -> usize {
    let bytes = concepts.next_multiple_of(BLOCK).pow(2) * 4 * size_of::<f32>() + concepts.pow(2) * size_of::<f64>();
    let most = (IMAGES_BYTES / bytes).clamp(1, IMAGES);
    images.div_ceil(images.div_ceil(most))
}

/// What of an image RSM stays the same in every draw.
///
/// With A and its weights w = r(A) those of the draw, and v = r(B):
/// `T[a,b] = w[a,b] (M[a,a] v[a,b] - M[a,b] v[b,a] + A[a,b] z[a,b])`, `z[a,b] = B[b,a] v[b,a] / n - c B[a,b] v[a,b]`;
/// the margin is `T[a,b] + T[b,a]`.
struct Image {
    panels: Panels,
    /// v, in rows of `stride` like the next two; 0 on the diagonal and in the padding.
    weights: Vec<f32>,
    /// v transposed.
    mirrored: Vec<f32>,
    /// z; -1 in the padding.
    mixed: Vec<f32>,
    heaviest: f32,
}

impl Image {
    fn new(rows: &UnitRows, stride: usize) -> Self {
        let k = rows.concepts;
        let n = (k - 2) as f32;
        let c = 1.0 + 1.0 / n;
        let entries = single(rows);
        // A pair that is not tested is left to f64, which leaves it out.
        let weight = |a: usize, b: usize| if rows.tests(a, b) { weight(entries[a * k + b], c) } else { f32::NAN };
        let mut image = Self {
            panels: Panels::turned(&entries, k),
            weights: vec![0.0; k * stride],
            mirrored: vec![0.0; k * stride],
            mixed: vec![-1.0; k * stride],
            heaviest: heaviest(&entries, c),
        };
        let rows = image.weights.par_chunks_mut(stride).zip(image.mirrored.par_chunks_mut(stride));
        let rows = rows.zip(image.mixed.par_chunks_mut(stride));
        rows.enumerate().for_each(|(a, ((weights, mirrored), mixed))| {
            for b in 0..k {
                let (x, y) = (entries[a * k + b], entries[b * k + a]);
                let (v, u) = (weight(a, b), weight(b, a));
                (weights[b], mirrored[b], mixed[b]) =
                    if a == b { (0.0, 0.0, 0.0) } else { (v, u, y * u / n - c * x * v) };
            }
        });
        image
    }
}

/// The entries, `[concepts, concepts]`.
fn single(rows: &UnitRows) -> Vec<f32> {
    rows.values.par_iter().map(|&x| x as f32).collect()
}

/// `r(x)`; NaN where it is above 4, so that the margin is NaN and the pair is left to f64.
#[inline(always)]
fn weight(x: f32, c: f32) -> f32 {
    let rest = 1.0 - c * x * x;
    if rest < 1.0 / 16.0 { f32::NAN } else { 1.0 / rest.sqrt() }
}

/// The largest weight.
fn heaviest(entries: &[f32], c: f32) -> f32 {
    entries.iter().map(|&x| weight(x, c)).fold(1.0, f32::max)
}

/// The words, single.
struct Words {
    concepts: usize,
    /// `[concepts, concepts]`: an entry and its weight.
    weighted: Vec<[f32; 2]>,
    heaviest: f32,
    left: Left,
    /// The bound of an entry of M.
    rounding: f32,
}

/// What is multiplied.
enum Left {
    /// A, `[concepts, concepts]`.
    Whole(Vec<f32>),
    /// As in [`LowRank`].
    Thin { rank: usize, left: Vec<f32>, basis: Vec<f32>, diagonal: Vec<f32> },
}

impl Words {
    fn new(words: &UnitRows, low_rank: Option<&LowRank>) -> Self {
        let entries = single(words);
        let c = 1.0 + 1.0 / (words.concepts - 2) as f32;
        let all = |values: &[f64]| values.iter().map(|&x| x as f32).collect();
        let weighted = entries.iter().map(|&x| [x, weight(x, c)]).collect();
        let heaviest = heaviest(&entries, c);
        let (left, rounding) = match low_rank {
            None => (Left::Whole(entries), rounding(words.concepts)),
            Some(LowRank { rank, left, basis, diagonal, rounding }) => {
                let thin = Left::Thin { rank: *rank, left: all(left), basis: all(basis), diagonal: all(diagonal) };
                (thin, *rounding)
            }
        };
        Self { concepts: words.concepts, weighted, heaviest, left, rounding }
    }

    /// 0 where they are whole.
    fn rank(&self) -> usize {
        if let Left::Thin { rank, .. } = self.left { rank } else { 0 }
    }

    /// How far a margin has to be from 0 to be decided.
    #[inline(always)]
    fn bound(&self, image: &Image) -> f32 {
        let (w, v) = (self.heaviest, image.heaviest);
        4.0 * w * v * (self.rounding + WEIGHT_ROUNDING * (w * w + v * v))
    }
}

/// What a thread works on: one draw against all image RSMs.
pub struct Scratch {
    inverse: Vec<u32>,
    /// `[ROWS, stride]`: rows of the permuted words, 0.5 in the padding, and their weights.
    entries: Vec<f32>,
    weights: Vec<f32>,
    /// The diagonal of the low rank, permuted.
    diagonal: Vec<f32>,
    /// `[images]`: G of the low rank.
    inner: Vec<Panels>,
    /// `[images]`: M, then T; -1 below the last row: neither passed nor near.
    terms: Vec<Lines<f32>>,
    near: Vec<Vec<(usize, usize)>>,
    passed: Vec<u32>,
}

impl Scratch {
    fn new(k: usize, rank: usize, images: usize) -> Self {
        let stride = k.next_multiple_of(BLOCK);
        let mut terms = Lines::zeros(stride * stride);
        terms.fill(-1.0);
        Self {
            inverse: vec![0; k],
            entries: vec![0.5; ROWS * stride],
            weights: vec![1.0; ROWS * stride],
            diagonal: vec![0.0; k],
            inner: (0..images).map(|_| Panels::new(rank, k)).collect(),
            terms: vec![terms; images],
            near: vec![Vec::new(); images],
            passed: vec![0; images],
        }
    }
}

/// Counts of every draw of `range` against every image RSM, `[draws, images]`.
pub fn count(
    words: &UnitRows,
    low_rank: Option<&LowRank>,
    images: &[UnitRows],
    draw: &Draw,
    range: Range<u64>,
    progress: &Progress,
) -> Result<Vec<Counts>, TwoVsTwoError> {
    let stride = words.concepts.next_multiple_of(BLOCK);
    let ready: Vec<Image> = images.par_iter().map(|rows| Image::new(rows, stride)).collect();
    let single = Words::new(words, low_rank);
    let one = OneDraw { words, single: &single, rows: images, images: &ready };
    let draws = (range.end - range.start) as usize;
    let mut counts = vec![Counts::default(); draws * images.len()];
    counts.par_chunks_mut(images.len()).enumerate().try_for_each_init(
        || Scratch::new(single.concepts, single.rank(), images.len()),
        |scratch, (place, counts)| {
            one.count(&draw(range.start + place as u64), scratch, counts);
            report(progress, images.len() as u64).map_err(TwoVsTwoError::from)
        },
    )?;
    Ok(counts)
}

/// Words against image RSMs.
struct OneDraw<'a> {
    words: &'a UnitRows,
    /// The same, single.
    single: &'a Words,
    rows: &'a [UnitRows],
    /// The same, ready.
    images: &'a [Image],
}

impl OneDraw<'_> {
    /// Counts a draw into `counts`, `[images]`, which are 0.
    fn count(&self, draw: &[u32], scratch: &mut Scratch, counts: &mut [Counts]) {
        let Self { words, single, rows, images } = *self;
        pulp::Arch::new().dispatch(Test { words: single, draw, images, scratch });
        for (n, counts) in counts.iter_mut().enumerate() {
            counts.passed = scratch.passed[n];
            for &(a, b) in scratch.near[n].iter().filter(|&&(a, b)| rows[n].tests(a, b)) {
                counts.add(decide_exactly(words, &rows[n], draw, a, b).outcome);
            }
        }
    }
}

/// Image RSMs that are kept for words which are another matrix in every draw: nothing of these can be kept.
pub struct Images {
    concepts: usize,
    rows: Vec<UnitRows>,
    ready: Vec<Image>,
}

impl Images {
    /// Of the same concepts.
    pub fn new(rows: Vec<UnitRows>, concepts: usize) -> Self {
        let stride = concepts.next_multiple_of(BLOCK);
        let ready = rows.par_iter().map(|rows| Image::new(rows, stride)).collect();
        Self { concepts, rows, ready }
    }

    /// Counts of words that correlate with nothing.
    pub fn tied(&self) -> Vec<Counts> {
        self.rows.iter().map(|rows| Counts { passed: 0, ties: rows.pairs() }).collect()
    }

    /// For [`Images::count`], to be used again, for as many images of as many concepts too.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(self.concepts, 0, self.rows.len().min(IMAGES))
    }

    /// Counts of words in the images' order.
    pub fn count(&self, words: &UnitRows, scratch: &mut Scratch) -> Vec<Counts> {
        let single = Words::new(words, None);
        let draw: Vec<u32> = (0..self.concepts as u32).collect();
        let mut counts = vec![Counts::default(); self.rows.len()];
        let parts = counts.chunks_mut(IMAGES).zip(self.rows.chunks(IMAGES)).zip(self.ready.chunks(IMAGES));
        for ((counts, rows), images) in parts {
            OneDraw { words, single: &single, rows, images }.count(&draw, scratch, counts);
        }
        counts
    }
}

/// A function that makes the whole products of every image RSM under every draw, and nothing of them.
pub fn products<'a>(words: &UnitRows, images: &[UnitRows], draws: &'a [Vec<u32>]) -> impl Fn() + 'a {
    let k = words.concepts;
    let single = Words::new(words, None);
    let panels: Vec<Panels> = images.iter().map(|rows| Panels::turned(&self::single(rows), k)).collect();
    let simd = pulp::Arch::new();
    move || {
        draws.par_iter().for_each_init(
            || Scratch::new(single.concepts, single.rank(), 1),
            |scratch, draw| {
                invert(draw, &mut scratch.inverse);
                for images in &panels {
                    simd.dispatch(Products { words: &single, draw, images, first: 0, last: k, scratch, image: 0 });
                }
            },
        );
    }
}

/// Counts and near pairs of one draw against every image RSM.
struct Test<'a> {
    words: &'a Words,
    draw: &'a [u32],
    images: &'a [Image],
    scratch: &'a mut Scratch,
}

impl pulp::WithSimd for Test<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { words, draw, images, scratch } = self;
        let k = words.concepts;
        let stride = k.next_multiple_of(BLOCK);
        invert(draw, &mut scratch.inverse);
        scratch.passed.fill(0);
        scratch.near.iter_mut().for_each(Vec::clear);
        for (image, images) in images.iter().map(|image| &image.panels).enumerate() {
            Inner { words, draw, images, scratch, image }.with_simd(simd);
        }
        for first in (0..k).step_by(ROWS) {
            let last = k.min(first + ROWS);
            let weighted = scratch.entries.chunks_exact_mut(stride).zip(scratch.weights.chunks_exact_mut(stride));
            for ((entries, weights), &word) in weighted.zip(&draw[first..last]) {
                let row = &words.weighted[word as usize * k..][..k];
                for ((entry, weight), &b) in entries.iter_mut().zip(weights).zip(draw) {
                    [*entry, *weight] = row[b as usize];
                }
            }
            for (n, image) in images.iter().enumerate() {
                let images = &image.panels;
                Products { words, draw, images, first, last, scratch, image: n }.with_simd(simd);
                let terms = &mut scratch.terms[n];
                for a in first..last {
                    let at = (a - first) * stride..(a - first + 1) * stride;
                    let (entries, weights) = (&scratch.entries[at.clone()], &scratch.weights[at]);
                    products_to_terms(a, &mut terms[a * stride..(a + 1) * stride], entries, weights, image);
                }
                scratch.passed[n] +=
                    decide_in_single(k, stride, first..last, terms, words.bound(image), &mut scratch.near[n]);
            }
        }
    }
}

/// G of one image RSM, and the permuted diagonal; nothing where the words are whole.
struct Inner<'a> {
    words: &'a Words,
    draw: &'a [u32],
    images: &'a Panels,
    scratch: &'a mut Scratch,
    image: usize,
}

impl pulp::WithSimd for Inner<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { words, draw, images, scratch, image } = self;
        let Left::Thin { rank, basis, diagonal, .. } = &words.left else { return };
        scratch.diagonal.iter_mut().zip(draw).for_each(|(l, &word)| *l = diagonal[word as usize]);
        let order = Some(&scratch.inverse[..]);
        let inner = &mut scratch.inner[image];
        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
        for panel in 0..images.count() {
            for first in (0..*rank).step_by(ROWS) {
                let basis = basis.chunks_exact(words.concepts).skip(first);
                let count = rows.iter_mut().zip(basis).map(|(row, basis)| *row = basis).count();
                let out = &mut inner.panel_mut(panel)[first * PANEL..];
                Product { rows: &rows[..count], right: images, panel, order, less: None, out, stride: PANEL }
                    .with_simd(simd);
            }
        }
    }
}

/// Rows `first..last` of M.
struct Products<'a> {
    words: &'a Words,
    draw: &'a [u32],
    images: &'a Panels,
    first: usize,
    last: usize,
    scratch: &'a mut Scratch,
    image: usize,
}

impl pulp::WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { words, draw, images, first, last, scratch, image } = self;
        let stride = words.concepts.next_multiple_of(BLOCK);
        let (left, length) = match &words.left {
            Left::Whole(entries) => (entries, words.concepts),
            Left::Thin { left, rank, .. } => (left, *rank),
        };
        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
        for first in (first..last).step_by(ROWS) {
            let words_here = &draw[first..last.min(first + ROWS)];
            rows.iter_mut().zip(words_here).for_each(|(row, &word)| *row = &left[word as usize * length..][..length]);
            let rows = &rows[..words_here.len()];
            for panel in 0..images.count() {
                let out = &mut scratch.terms[image][first * stride + panel * PANEL..];
                let (right, order, less) = match words.left {
                    Left::Whole(_) => (images, Some(&scratch.inverse[..]), None),
                    Left::Thin { .. } => {
                        (&scratch.inner[image], None, Some((&scratch.diagonal[first..], images, first)))
                    }
                };
                Product { rows, right, panel, order, less, out, stride }.with_simd(simd);
            }
        }
    }
}

/// Turns row a of M into T.
#[inline(always)]
fn products_to_terms(a: usize, products: &mut [f32], words: &[f32], weights: &[f32], image: &Image) {
    let at = a * products.len()..(a + 1) * products.len();
    let (v, u, z) = (&image.weights[at.clone()], &image.mirrored[at.clone()], &image.mixed[at]);
    let diagonal = products[a];
    for (((((m, x), w), v), u), z) in products.iter_mut().zip(words).zip(weights).zip(v).zip(u).zip(z) {
        *m = w * (diagonal * v - *m * u + x * z);
    }
}

/// Counts the margins above `bound` and lists the pairs within it, of pairs whose second concept is one of `rows`, block by
/// block: T[a,b] + T[b,a].
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN margin is undecided")]
fn decide_in_single(
    k: usize,
    stride: usize,
    rows: Range<usize>,
    terms: &[f32],
    bound: f32,
    near: &mut Vec<(usize, usize)>,
) -> u32 {
    let mut total = 0;
    for j in rows.step_by(BLOCK) {
        for i in (0..=j).step_by(BLOCK) {
            let mut margins = mirrored(terms, stride, [i, j]);
            // A counter per lane, so that counting is as wide as adding.
            let (mut passed, mut undecided) = ([0u32; BLOCK], [0u32; BLOCK]);
            for (x, margins) in margins.iter_mut().enumerate() {
                let own: &[f32; BLOCK] = terms[(i + x) * stride + j..].first_chunk().expect("a block");
                for y in 0..BLOCK {
                    margins[y] += own[y];
                    passed[y] += u32::from(margins[y] > bound);
                    undecided[y] += u32::from(!(margins[y].abs() > bound));
                }
            }
            let (mut passed, mut undecided) = (passed.iter().sum::<u32>(), undecided.iter().sum::<u32>());
            if i == j {
                // A block on the diagonal holds its pairs twice, and on the diagonal itself zeros.
                passed /= 2;
                undecided -= BLOCK.min(k - i) as u32;
            }
            total += passed;
            if undecided > 0 {
                let pairs = (0..BLOCK).flat_map(|x| (0..BLOCK).map(move |y| (x, y))).filter(|(x, y)| i + x < j + y);
                near.extend(pairs.filter(|&(x, y)| !(margins[x][y].abs() > bound)).map(|(x, y)| (i + x, j + y)));
            }
        }
    }
    total
}

/// A block below the diagonal, turned over: `[x][y]` is the entry in row `j + y` and column `i + x`.
#[inline(always)]
fn mirrored(terms: &[f32], stride: usize, [i, j]: [usize; 2]) -> [[f32; BLOCK]; BLOCK] {
    let mut block = [[0.0; BLOCK]; BLOCK];
    for y in (0..BLOCK).step_by(4) {
        for x in (0..BLOCK).step_by(4) {
            let mut square = [[0.0; 4]; 4];
            for (n, row) in square.iter_mut().enumerate() {
                row.copy_from_slice(&terms[(j + y + n) * stride + i + x..][..4]);
            }
            for (n, row) in transposed(square).into_iter().enumerate() {
                block[x + n][y..y + 4].copy_from_slice(&row);
            }
        }
    }
    block
}
