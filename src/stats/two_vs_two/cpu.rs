//! The 2 vs. 2 test on the CPU: a single-precision product per draw and image RSM, then the margins in two passes.

use std::ops::Range;

use rayon::prelude::*;

use super::{Counts, Draw, Progress, Rows, TwoVsTwoError, decide_exactly, rounding};

/// Rows are padded to whole blocks of this many entries, so that no inner loop has a remainder.
const BLOCK: usize = 16;

/// Memory for what is kept of the image RSMs, in bytes: it stays in a last-level cache from draw to draw.
const IMAGES_BYTES: usize = 16 << 20;

/// Image RSMs that share the cost of permuting the words, at least; as many as [`MOST_BYTES`] allow.
const FEWEST_IMAGES: usize = 8;

/// Memory for what is kept of the image RSMs where that is more than the cache, in bytes.
const MOST_BYTES: usize = 1 << 30;

/// A weight `r` above this leaves the pair to f64.
const HEAVIEST: f64 = 4.0;

/// Image RSMs that are kept ready at once.
pub fn images_at_once(concepts: usize, images: usize) -> usize {
    let bytes = concepts.next_multiple_of(BLOCK).pow(2) * 4 * size_of::<f32>() + concepts.pow(2) * size_of::<f64>();
    let at_once = (IMAGES_BYTES / bytes).max(FEWEST_IMAGES.min(MOST_BYTES / bytes));
    images.clamp(1, at_once.max(1))
}

/// `out = left right^T` on this thread, all `[k, k]` with rows `stride` apart.
pub fn product<T: 'static>(k: usize, stride: usize, out: &mut [T], left: &[T], right: &[T], zero: T, one: T) {
    assert!(stride >= k && [out.len(), left.len(), right.len()].iter().all(|&len| len >= k * stride));
    let rows = stride as isize;
    // SAFETY: every matrix holds k rows of `stride` >= k entries, and `out` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            k,
            k,
            k,
            out.as_mut_ptr(),
            1,
            rows,
            false,
            left.as_ptr(),
            1,
            rows,
            right.as_ptr(),
            rows,
            1,
            zero,
            one,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The f32 entries and weights of [`Rows`], `[concepts, concepts]`.
struct Single {
    entries: Vec<f32>,
    /// `r`; NaN where it is above [`HEAVIEST`] or the pair is not tested, so that the margin is NaN and the pair is left
    /// to f64; 1 on the diagonal.
    weights: Vec<f32>,
    /// The largest weight.
    heaviest: f32,
}

impl Single {
    fn new(rows: &Rows) -> Self {
        let k = rows.concepts;
        let c = 1.0 + 1.0 / (k - 2) as f64;
        let weight = |(at, &x): (usize, &f64)| {
            let (a, b) = (at / k, at % k);
            let rest = 1.0 - c * x * x;
            let exact = rest < HEAVIEST.powi(-2) || a != b && !rows.tests(a, b);
            if exact { f32::NAN } else { rest.sqrt().recip() as f32 }
        };
        let weights: Vec<f32> = rows.values.par_iter().enumerate().map(weight).collect();
        let heaviest = weights.iter().copied().fold(1.0, f32::max);
        Self { entries: rows.values.par_iter().map(|&x| x as f32).collect(), weights, heaviest }
    }
}

/// What of an image RSM stays the same in every draw, in rows of `stride`.
///
/// With A and its weights w = r(A) those of the draw, and v = r(B):
/// `T[a,b] = w[a,b] (M[a,a] v[a,b] - M[a,b] v[b,a] + A[a,b] z[a,b])`, `z[a,b] = B[b,a] v[b,a] / n - c B[a,b] v[a,b]`;
/// the margin is `T[a,b] + T[b,a]`.
struct Image {
    entries: Vec<f32>,
    /// v, 0 on the diagonal and in the padding.
    weights: Vec<f32>,
    /// v transposed.
    mirrored: Vec<f32>,
    /// z; -1 in the padding.
    mixed: Vec<f32>,
    heaviest: f32,
}

impl Image {
    fn new(rows: &Rows, stride: usize) -> Self {
        let k = rows.concepts;
        let Single { entries, weights, heaviest } = Single::new(rows);
        let n = (k - 2) as f32;
        let c = 1.0 + 1.0 / n;
        let mut image = Self {
            entries: vec![0.0; k * stride],
            weights: vec![0.0; k * stride],
            mirrored: vec![0.0; k * stride],
            mixed: vec![-1.0; k * stride],
            heaviest,
        };
        let rows = image.entries.par_chunks_mut(stride).zip(image.weights.par_chunks_mut(stride));
        let rows = rows.zip(image.mirrored.par_chunks_mut(stride)).zip(image.mixed.par_chunks_mut(stride));
        rows.enumerate().for_each(|(a, (((row_entries, row_weights), mirrored), mixed))| {
            for b in 0..k {
                let (x, y) = (entries[a * k + b], entries[b * k + a]);
                let (v, u) = (weights[a * k + b], weights[b * k + a]);
                row_entries[b] = x;
                (row_weights[b], mirrored[b], mixed[b]) =
                    if a == b { (0.0, 0.0, 0.0) } else { (v, u, y * u / n - c * x * v) };
            }
        });
        image
    }
}

/// What a thread works on: one draw, then the products and terms of one image RSM after another.
struct Scratch {
    /// Place of the draw in the range.
    place: Option<usize>,
    draw: Vec<u32>,
    /// The permuted words, in rows of `stride`; 1 in the padding.
    entries: Vec<f32>,
    /// Their weights, likewise.
    weights: Vec<f32>,
    /// M, then T; -1 in the padding: neither passed nor near.
    terms: Vec<f32>,
    near: Vec<(usize, usize)>,
}

impl Scratch {
    fn new(k: usize, stride: usize) -> Self {
        Self {
            place: None,
            draw: Vec::new(),
            entries: vec![1.0; k * stride],
            weights: vec![1.0; k * stride],
            terms: vec![-1.0; stride * stride],
            near: Vec::new(),
        }
    }

    /// Permutes the words, unless the last cell was of the same draw.
    fn permute(&mut self, words: &Single, place: usize, draw: impl FnOnce() -> Vec<u32>, stride: usize) {
        if self.place.replace(place) == Some(place) {
            return;
        }
        self.draw = draw();
        let k = self.draw.len();
        let rows = self.entries.chunks_exact_mut(stride).zip(self.weights.chunks_exact_mut(stride));
        for (&p, (entries, weights)) in self.draw.iter().zip(rows) {
            let row = p as usize * k..(p as usize + 1) * k;
            let (from_entries, from_weights) = (&words.entries[row.clone()], &words.weights[row]);
            for ((&j, entry), weight) in self.draw.iter().zip(entries).zip(weights) {
                *entry = from_entries[j as usize];
                *weight = from_weights[j as usize];
            }
        }
    }
}

/// Counts of every draw of `range` against every image RSM, `[draws, images]`.
pub fn count(
    words: &Rows,
    images: &[Rows],
    draw: &Draw,
    range: Range<u64>,
    progress: &Progress,
) -> Result<Vec<Counts>, TwoVsTwoError> {
    let k = words.concepts;
    let stride = k.next_multiple_of(BLOCK);
    let single = Single::new(words);
    let ready: Vec<Image> = images.par_iter().map(|rows| Image::new(rows, stride)).collect();
    let simd = pulp::Arch::new();
    let draws = range.end.saturating_sub(range.start) as usize;
    (0..draws * images.len())
        .into_par_iter()
        .map_init(
            || Scratch::new(k, stride),
            |scratch, cell| {
                let (place, n) = (cell / images.len(), cell % images.len());
                scratch.permute(&single, place, || draw(range.start + place as u64), stride);
                let (rows, image) = (&images[n], &ready[n]);
                product(k, stride, &mut scratch.terms, &scratch.entries, &image.entries, 0.0, 1.0);
                let bound = 4.0 * rounding(k) * single.heaviest * image.heaviest;
                scratch.near.clear();
                let passed = simd.dispatch(
                    #[inline(always)]
                    || {
                        products_to_terms(k, stride, &mut scratch.terms, &scratch.entries, &scratch.weights, image);
                        decide_in_single(k, stride, &scratch.terms, bound, &mut scratch.near)
                    },
                );
                let mut counts = Counts { passed, ties: 0 };
                for &(a, b) in scratch.near.iter().filter(|&&(a, b)| rows.tests(a, b)) {
                    counts.add(decide_exactly(words, rows, &scratch.draw, a, b).outcome);
                }
                match progress(1).is_break() {
                    true => Err(TwoVsTwoError::Interrupted),
                    false => Ok(counts),
                }
            },
        )
        .collect()
}

/// Turns M into T, row by row.
#[inline(always)]
fn products_to_terms(k: usize, stride: usize, products: &mut [f32], words: &[f32], weights: &[f32], image: &Image) {
    for (a, row) in products.chunks_exact_mut(stride).take(k).enumerate() {
        let at = a * stride..(a + 1) * stride;
        let (entries, w) = (&words[at.clone()], &weights[at.clone()]);
        let (v, u, z) = (&image.weights[at.clone()], &image.mirrored[at.clone()], &image.mixed[at]);
        let diagonal = row[a];
        for (((((m, x), w), v), u), z) in row.iter_mut().zip(entries).zip(w).zip(v).zip(u).zip(z) {
            *m = w * (diagonal * v - *m * u + x * z);
        }
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
