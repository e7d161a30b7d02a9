//! The product of a draw, `M = A_p B^T`, without permuting anything:
//!
//! `M[a,b] = sum over j of A[p(a), j] B[b, q(j)]`, q the inverse of p. So a draw only says in which row of M the sums of a
//! word are written, and in which order the rows of B^T are read; words and images are laid out once a test.

use pulp::Simd;

/// Images side by side: whole tiles of 1, 2 or 3 vectors of 16, 8 or 4 entries.
const PANEL: usize = 48;

/// Word RSM rows, in blocks as high as the tiles of this machine: `[concepts / rows, concepts, rows]`.
pub struct Words {
    rows: usize,
    entries: Vec<f32>,
}

/// Image RSM rows, turned: `[concepts / PANEL, concepts, PANEL]`.
pub struct Images(Vec<f32>);

impl Images {
    /// From `[concepts, concepts]`.
    pub fn new(entries: &[f32], concepts: usize) -> Self {
        Self(side_by_side(entries, concepts, PANEL))
    }
}

/// `[concepts, concepts]` to `[concepts / rows, concepts, rows]`; rows that are not there are zeros.
fn side_by_side(entries: &[f32], concepts: usize, rows: usize) -> Vec<f32> {
    let mut out = vec![0.0; concepts.div_ceil(rows) * concepts * rows];
    for (r, entries) in entries.chunks_exact(concepts).enumerate() {
        let block = &mut out[r / rows * concepts * rows..][..concepts * rows];
        block.chunks_exact_mut(rows).zip(entries).for_each(|(out, &entry)| out[r % rows] = entry);
    }
    out
}

/// Rows and vectors of a tile: as many sums as the registers hold beside a row of images and a word.
const fn tile<S: Simd>() -> (usize, usize) {
    if S::REGISTER_COUNT >= 32 { (8, 3) } else { (6, 2) }
}

/// Lays out the words.
pub struct Layout<'a> {
    /// `[concepts, concepts]`.
    pub entries: &'a [f32],
    pub concepts: usize,
}

impl pulp::WithSimd for Layout<'_> {
    type Output = Words;

    fn with_simd<S: Simd>(self, _: S) -> Words {
        let (rows, _) = tile::<S>();
        Words { rows, entries: side_by_side(self.entries, self.concepts, rows) }
    }
}

/// Makes M on this thread.
pub struct Product<'a> {
    pub words: &'a Words,
    pub images: &'a Images,
    /// The place of every word.
    pub inverse: &'a [u32],
    /// M, in rows of `stride`; columns beyond the last image become zeros or stay.
    pub products: &'a mut [f32],
    /// A multiple of 16.
    pub stride: usize,
}

impl pulp::WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if const { tile::<S>().0 == 8 } { self.by::<S, 8, 3>(simd) } else { self.by::<S, 6, 2>(simd) }
    }
}

impl Product<'_> {
    /// In tiles of R rows and up to N vectors; a panel, read in random order, stays in a second-level cache while the
    /// words stream by.
    #[inline(always)]
    fn by<S: Simd, const R: usize, const N: usize>(self, simd: S) {
        let Self { words, images, inverse, products, stride } = self;
        assert_eq!(words.rows, R, "words laid out for another instruction set");
        let concepts = inverse.len();
        let (words, images) = (words.entries.as_chunks::<R>().0, images.0.as_chunks::<PANEL>().0);
        for (n, panel) in images.chunks_exact(concepts).enumerate() {
            let columns = PANEL.min(concepts - n * PANEL);
            for (block, rows) in words.chunks_exact(concepts).zip(inverse.chunks(R)) {
                let mut column = 0;
                while column < columns {
                    let out = &mut products[n * PANEL + column..];
                    column += match (columns - column).div_ceil(S::F32_LANES).min(N) {
                        1 => write(&sums::<S, R, 1>(simd, block, panel, column, inverse), rows, out, stride),
                        2 => write(&sums::<S, R, 2>(simd, block, panel, column, inverse), rows, out, stride),
                        _ => write(&sums::<S, R, N>(simd, block, panel, column, inverse), rows, out, stride),
                    };
                }
            }
        }
    }
}

/// A tile of R rows and N vectors: sums over all concepts in the order of the words.
#[inline(always)]
fn sums<S: Simd, const R: usize, const N: usize>(
    simd: S,
    block: &[[f32; R]],
    panel: &[[f32; PANEL]],
    column: usize,
    inverse: &[u32],
) -> [[S::f32s; N]; R] {
    let mut sums = [[simd.splat_f32s(0.0); N]; R];
    for (words, &q) in block.iter().zip(inverse) {
        let images = S::as_simd_f32s(&panel[q as usize][column..column + N * S::F32_LANES]).0;
        let images: &[S::f32s; N] = images.as_array().expect("N vectors");
        for (sums, &word) in sums.iter_mut().zip(words) {
            let word = simd.splat_f32s(word);
            for (sum, &image) in sums.iter_mut().zip(images) {
                *sum = simd.mul_add_e_f32s(word, image, *sum);
            }
        }
    }
    sums
}

/// Writes those rows of a tile that there are; its number of columns.
#[inline(always)]
fn write<V: bytemuck::Pod, const R: usize, const N: usize>(
    sums: &[[V; N]; R],
    rows: &[u32],
    out: &mut [f32],
    stride: usize,
) -> usize {
    let columns = size_of::<[V; N]>() / size_of::<f32>();
    for (&row, sums) in rows.iter().zip(sums) {
        out[row as usize * stride..][..columns].copy_from_slice(bytemuck::cast_slice(sums));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::permutation::{Permutations, Random};

    #[derive(Clone, Copy)]
    struct World<'a> {
        entries: &'a [f32],
        images: &'a [f32],
        inverse: &'a [u32],
    }

    impl pulp::WithSimd for World<'_> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let concepts = self.inverse.len();
            let words = Layout { entries: self.entries, concepts }.with_simd(simd);
            let images = Images::new(self.images, concepts);
            let stride = concepts.next_multiple_of(16);
            let mut products = vec![f32::NAN; concepts * stride];
            Product { words: &words, images: &images, inverse: self.inverse, products: &mut products, stride }
                .with_simd(simd);
            products
        }
    }

    #[test]
    fn every_instruction_set_gives_the_product() {
        for k in [5, 16, 17, 47, 48, 49, 65, 166] {
            let mut random = Random::keyed(1, k as u64);
            let mut matrix = || (0..k * k).map(|_| random.unit() as f32 - 0.5).collect::<Vec<_>>();
            let (entries, b) = (matrix(), matrix());
            let draw = Permutations::new(2, k).draw(1);
            let mut inverse = vec![0; k];
            super::super::invert(&draw, &mut inverse);
            let world = World { entries: &entries, images: &b, inverse: &inverse };
            let mut found = vec![pulp::Arch::new().dispatch(world), Simd::vectorize(pulp::Scalar, world)];
            #[cfg(target_arch = "x86_64")]
            found.extend(pulp::x86::V3::try_new().map(|simd| Simd::vectorize(simd, world)));
            for a in 0..k {
                for c in 0..k {
                    let term = |j: usize| f64::from(entries[draw[a] as usize * k + draw[j] as usize] * b[c * k + j]);
                    let expected: f64 = (0..k).map(term).sum();
                    for found in &found {
                        let found = f64::from(found[a * k.next_multiple_of(16) + c]);
                        assert!((found - expected).abs() < 1e-5, "k {k}: M[{a},{c}] is {found}, expected {expected}");
                    }
                }
            }
        }
    }
}
