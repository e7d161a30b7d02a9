//! The 2 vs. 2 test on the CPU: a single-precision product per draw and image RSM, then the margins in two passes.

mod permuted;

use std::ops::Range;

use rayon::prelude::*;

use self::permuted::{Images, Layout, Product, Words};
use super::{Counts, Draw, Progress, TwoVsTwoError, UnitRows, decide_exactly, report, rounding};

/// UnitRows are padded to whole blocks of this many entries, so that no inner loop has a remainder.
const BLOCK: usize = 16;

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
    images.max(1).div_ceil(images.max(1).div_ceil(most))
}

/// What of an image RSM stays the same in every draw.
///
/// With A and its weights w = r(A) those of the draw, and v = r(B):
/// `T[a,b] = w[a,b] (M[a,a] v[a,b] - M[a,b] v[b,a] + A[a,b] z[a,b])`, `z[a,b] = B[b,a] v[b,a] / n - c B[a,b] v[a,b]`;
/// the margin is `T[a,b] + T[b,a]`.
struct Image {
    panels: Images,
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
            panels: Images::new(&entries, k),
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

/// What a thread works on: one draw against all image RSMs.
struct Scratch {
    inverse: Vec<u32>,
    /// A row of the permuted words, 0.5 in the padding, and its weights.
    entries: Vec<f32>,
    weights: Vec<f32>,
    /// `[images]`: M, then T; -1 below the last row: neither passed nor near.
    terms: Vec<Vec<f32>>,
    near: Vec<(usize, usize)>,
}

impl Scratch {
    fn new(k: usize, stride: usize, images: usize) -> Self {
        Self {
            inverse: vec![0; k],
            entries: vec![0.5; stride],
            weights: vec![1.0; stride],
            terms: vec![vec![-1.0; stride * stride]; images],
            near: Vec::new(),
        }
    }
}

/// Counts of every draw of `range` against every image RSM, `[draws, images]`.
pub fn count(
    words: &UnitRows,
    images: &[UnitRows],
    draw: &Draw,
    range: Range<u64>,
    progress: &Progress,
) -> Result<Vec<Counts>, TwoVsTwoError> {
    let k = words.concepts;
    let stride = k.next_multiple_of(BLOCK);
    let c = 1.0 + 1.0 / (k - 2) as f32;
    let entries = single(words);
    let heaviest = heaviest(&entries, c);
    let ready: Vec<Image> = images.par_iter().map(|rows| Image::new(rows, stride)).collect();
    let simd = pulp::Arch::new();
    let laid_out = simd.dispatch(Layout { entries: &entries, concepts: k });
    let draws = range.end.saturating_sub(range.start) as usize;
    let mut counts = vec![Counts::default(); draws * images.len()];
    counts.par_chunks_mut(images.len().max(1)).enumerate().try_for_each_init(
        || Scratch::new(k, stride, images.len()),
        |scratch, (place, counts)| {
            let draw = draw(range.start + place as u64);
            simd.dispatch(Terms { entries: &entries, words: &laid_out, c, draw: &draw, images: &ready, scratch });
            for (n, counts) in counts.iter_mut().enumerate() {
                let (w, v) = (heaviest, ready[n].heaviest);
                let bound = 4.0 * w * v * (rounding(k) + WEIGHT_ROUNDING * (w * w + v * v));
                let (terms, near) = (&scratch.terms[n], &mut scratch.near);
                near.clear();
                counts.passed = simd.dispatch(
                    #[inline(always)]
                    || decide_in_single(k, stride, terms, bound, near),
                );
                for &(a, b) in near.iter().filter(|&&(a, b)| images[n].tests(a, b)) {
                    counts.add(decide_exactly(words, &images[n], &draw, a, b).outcome);
                }
            }
            report(progress, images.len() as u64).map_err(TwoVsTwoError::from)
        },
    )?;
    Ok(counts)
}

/// A function that makes the products of every image RSM under every draw, and nothing of them.
pub fn products<'a>(words: &UnitRows, images: &[UnitRows], draws: &'a [Vec<u32>]) -> impl Fn() + 'a {
    let k = words.concepts;
    let stride = k.next_multiple_of(BLOCK);
    let entries = single(words);
    let panels: Vec<Images> = images.iter().map(|rows| Images::new(&single(rows), k)).collect();
    let simd = pulp::Arch::new();
    let laid_out = simd.dispatch(Layout { entries: &entries, concepts: k });
    move || {
        draws.par_iter().for_each_init(
            || Scratch::new(k, stride, 1),
            |scratch, draw| {
                let Scratch { inverse, terms, .. } = scratch;
                invert(draw, inverse);
                for images in &panels {
                    let products = &mut terms[0];
                    simd.dispatch(Product { words: &laid_out, images, inverse, products, stride });
                }
            },
        );
    }
}

/// T of one draw against every image RSM.
struct Terms<'a> {
    entries: &'a [f32],
    words: &'a Words,
    c: f32,
    draw: &'a [u32],
    images: &'a [Image],
    scratch: &'a mut Scratch,
}

impl pulp::WithSimd for Terms<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Scratch { inverse, entries, weights, terms, .. } = self.scratch;
        let stride = entries.len();
        invert(self.draw, inverse);
        for (image, products) in self.images.iter().zip(&mut *terms) {
            Product { words: self.words, images: &image.panels, inverse, products, stride }.with_simd(simd);
        }
        for a in 0..self.draw.len() {
            let row = &self.entries[self.draw[a] as usize * self.draw.len()..];
            entries.iter_mut().zip(self.draw).for_each(|(entry, &b)| *entry = row[b as usize]);
            weights.iter_mut().zip(&*entries).for_each(|(w, &x)| *w = weight(x, self.c));
            for (image, terms) in self.images.iter().zip(&mut *terms) {
                products_to_terms(a, &mut terms[a * stride..(a + 1) * stride], entries, weights, image);
            }
        }
    }
}

/// The place of every word.
fn invert(draw: &[u32], inverse: &mut [u32]) {
    draw.iter().zip(0..).for_each(|(&word, place)| inverse[word as usize] = place);
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

/// Counts the margins above `bound` and lists the pairs within it, block by block: T[a,b] + T[b,a].
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN margin is undecided")]
#[expect(clippy::needless_range_loop, reason = "fixed bounds over several arrays: one vector operation each")]
fn decide_in_single(k: usize, stride: usize, terms: &[f32], bound: f32, near: &mut Vec<(usize, usize)>) -> u32 {
    let mut total = 0;
    for i in (0..k).step_by(BLOCK) {
        for j in (i..k).step_by(BLOCK) {
            let mut margins = [[0.0f32; BLOCK]; BLOCK];
            for y in 0..BLOCK {
                for (x, &mirrored) in block_row(terms, (j + y) * stride + i).iter().enumerate() {
                    margins[x][y] = mirrored;
                }
            }
            // A counter per lane, so that counting is as wide as adding.
            let (mut passed, mut undecided) = ([0u32; BLOCK], [0u32; BLOCK]);
            for (x, margins) in margins.iter_mut().enumerate() {
                let own = block_row(terms, (i + x) * stride + j);
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

/// `BLOCK` entries from `at` on.
#[inline(always)]
fn block_row(terms: &[f32], at: usize) -> [f32; BLOCK] {
    std::array::from_fn(|x| terms[at + x])
}
