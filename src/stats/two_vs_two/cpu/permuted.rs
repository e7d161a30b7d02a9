//! The product of a draw, `M = A_p B^T`, without permuting the words:
//!
//! `M[a,b] = sum over j of A[p(a), j] B[b, q(j)]`, q the inverse of p. So a draw only says which row of words makes a row
//! of M, and in which order the rows of B^T are read; both are laid out once a test.

use pulp::Simd;

/// Images side by side: whole tiles of 1, 2 or 3 vectors of 16, 8 or 4 entries.
const PANEL: usize = 48;

/// Image RSM rows, turned: `[concepts / PANEL, concepts, PANEL]`.
pub struct Images(Vec<[f32; PANEL]>);

impl Images {
    /// From `[concepts, concepts]`.
    pub fn new(entries: &[f32], concepts: usize) -> Self {
        let mut panels = vec![[0.0; PANEL]; concepts.div_ceil(PANEL) * concepts];
        for (b, row) in entries.chunks_exact(concepts).enumerate() {
            let panel = &mut panels[b / PANEL * concepts..][..concepts];
            panel.iter_mut().zip(row).for_each(|(images, &entry)| images[b % PANEL] = entry);
        }
        Self(panels)
    }
}

/// The words under a draw.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// `[concepts, concepts]`, as they are.
    pub entries: &'a [f32],
    /// The word at every concept's place.
    pub draw: &'a [u32],
    /// The place of every word.
    pub inverse: &'a [u32],
}

impl<'a> Words<'a> {
    /// Fills `inverse`.
    pub fn new(entries: &'a [f32], draw: &'a [u32], inverse: &'a mut [u32]) -> Self {
        draw.iter().zip(0..).for_each(|(&word, place)| inverse[word as usize] = place);
        Self { entries, draw, inverse }
    }

    /// The row of the word at place `a`, entries not permuted.
    pub fn row(&self, a: usize) -> &'a [f32] {
        let concepts = self.draw.len();
        &self.entries[self.draw[a] as usize * concepts..][..concepts]
    }
}

/// M into `products`, on this thread.
pub struct Product<'a> {
    pub words: Words<'a>,
    pub images: &'a Images,
    /// Rows of `stride`; columns beyond the last image become zeros or stay.
    pub products: &'a mut [f32],
    /// A multiple of 16.
    pub stride: usize,
}

impl pulp::WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as the registers hold beside a row of images and a word.
        if S::REGISTER_COUNT >= 32 { self.by::<S, 8>(simd) } else { self.by::<S, 4>(simd) }
    }
}

impl Product<'_> {
    /// In tiles of R rows; a panel, read in random order, stays in a second-level cache while the words stream by.
    #[inline(always)]
    fn by<S: Simd, const R: usize>(self, simd: S) {
        let Self { words, images, products, stride } = self;
        let concepts = words.draw.len();
        for (n, panel) in images.0.chunks_exact(concepts).enumerate() {
            let columns = PANEL.min(concepts - n * PANEL);
            for (rows, a) in products[..concepts * stride].chunks_mut(R * stride).zip((0..).step_by(R)) {
                // Beyond the last place its row is computed again.
                let words_of: [&[f32]; R] = std::array::from_fn(|r| words.row((a + r).min(concepts - 1)));
                let mut column = 0;
                while column < columns {
                    let at = n * PANEL + column;
                    column += match (columns - column).div_ceil(S::F32_LANES) {
                        1 => write(&sums::<S, 1, R>(simd, words_of, panel, column, words.inverse), rows, stride, at),
                        2 => write(&sums::<S, 2, R>(simd, words_of, panel, column, words.inverse), rows, stride, at),
                        _ => write(&sums::<S, 3, R>(simd, words_of, panel, column, words.inverse), rows, stride, at),
                    };
                }
            }
        }
    }
}

/// A tile of R rows and N vectors: sums over all concepts in the order of the words.
#[inline(always)]
fn sums<S: Simd, const N: usize, const R: usize>(
    simd: S,
    words: [&[f32]; R],
    panel: &[[f32; PANEL]],
    column: usize,
    inverse: &[u32],
) -> [[S::f32s; N]; R] {
    let mut sums = [[simd.splat_f32s(0.0); N]; R];
    for (j, &q) in inverse.iter().enumerate() {
        let images = S::as_simd_f32s(&panel[q as usize][column..column + N * S::F32_LANES]).0;
        let images: &[S::f32s; N] = images.as_array().expect("N vectors");
        for (sums, words) in sums.iter_mut().zip(words) {
            let word = simd.splat_f32s(words[j]);
            for (sum, &image) in sums.iter_mut().zip(images) {
                *sum = simd.mul_add_e_f32s(word, image, *sum);
            }
        }
    }
    sums
}

/// Writes a tile to those of its rows that there are, from column `at` on; its number of columns.
#[inline(always)]
fn write<V: bytemuck::Pod, const N: usize, const R: usize>(
    sums: &[[V; N]; R],
    rows: &mut [f32],
    stride: usize,
    at: usize,
) -> usize {
    let columns = size_of::<[V; N]>() / size_of::<f32>();
    for (row, sums) in rows.chunks_exact_mut(stride).zip(sums) {
        row[at..at + columns].copy_from_slice(bytemuck::cast_slice(sums));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::permutation::{Permutations, Random};

    #[test]
    fn every_instruction_set_gives_the_product() {
        for k in [5, 16, 17, 47, 48, 49, 65, 166] {
            let mut random = Random::keyed(1, k as u64);
            let mut matrix = || (0..k * k).map(|_| random.unit() as f32 - 0.5).collect::<Vec<_>>();
            let (entries, b) = (matrix(), matrix());
            let draw = Permutations::new(2, k).draw(1);
            let mut inverse = vec![0; k];
            let (words, images) = (Words::new(&entries, &draw, &mut inverse), Images::new(&b, k));
            let stride = k.next_multiple_of(16);
            let product = |run: &dyn Fn(Product)| {
                let mut products = vec![f32::NAN; k * stride];
                run(Product { words, images: &images, products: &mut products, stride });
                products
            };
            let mut found = vec![product(&|job| pulp::Arch::new().dispatch(job))];
            found.push(product(&|job| Simd::vectorize(pulp::Scalar, job)));
            #[cfg(target_arch = "x86_64")]
            found.extend(pulp::x86::V3::try_new().map(|simd| product(&|job| Simd::vectorize(simd, job))));
            for a in 0..k {
                for c in 0..k {
                    let term = |j: usize| f64::from(entries[draw[a] as usize * k + draw[j] as usize] * b[c * k + j]);
                    let expected: f64 = (0..k).map(term).sum();
                    for found in &found {
                        let found = f64::from(found[a * stride + c]);
                        assert!((found - expected).abs() < 1e-5, "k {k}: M[{a},{c}] is {found}, expected {expected}");
                    }
                }
            }
        }
    }
}
