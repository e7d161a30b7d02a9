//! Products of a draw without permuting a matrix.
//!
//! `M[a,b] = sum over j of A[p(a), j] B[b, q(j)]`, q the inverse of p: a draw says which rows of A are multiplied, and in
//! which order the rows of B^T are read. Words and images are laid out once a test.

use pulp::Simd;

use crate::stats::lines::Lines;

/// Columns side by side: whole tiles of 1, 2 or 3 vectors of 16, 8 or 4 entries.
pub const PANEL: usize = 48;

/// A matrix by panels of columns: `[columns / PANEL, depth, PANEL]`.
pub struct Panels {
    depth: usize,
    columns: usize,
    entries: Lines<f32>,
}

impl Panels {
    /// Of zeros.
    pub fn new(depth: usize, columns: usize) -> Self {
        Self { depth, columns, entries: Lines::zeros(columns.div_ceil(PANEL) * depth * PANEL) }
    }

    /// The transpose of `[columns, depth]` entries.
    pub fn turned(entries: &[f32], depth: usize) -> Self {
        let mut panels = Self::new(depth, entries.len() / depth);
        for (column, entries) in entries.chunks_exact(depth).enumerate() {
            let panel = &mut panels.entries[column / PANEL * depth * PANEL..][..depth * PANEL];
            panel.chunks_exact_mut(PANEL).zip(entries).for_each(|(row, &entry)| row[column % PANEL] = entry);
        }
        panels
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.columns.div_ceil(PANEL)
    }

    /// Panel `n`: `[depth, PANEL]`.
    fn panel(&self, n: usize) -> &[[f32; PANEL]] {
        &self.entries.as_chunks().0[n * self.depth..(n + 1) * self.depth]
    }

    /// Panel `n` to be written, in rows of `PANEL`.
    pub fn panel_mut(&mut self, n: usize) -> &mut [f32] {
        let size = self.depth * PANEL;
        &mut self.entries[n * size..(n + 1) * size]
    }

    /// Columns of panel `n`.
    fn columns(&self, n: usize) -> usize {
        PANEL.min(self.columns - n * PANEL)
    }
}

/// Rows times one panel: `out[a, b] = - scales[a] from[a, b] + sum over j of rows[a][j] panel[order(j), b]`.
pub struct Product<'a> {
    /// Each of the panel's depth.
    pub rows: &'a [&'a [f32]],
    pub right: &'a Panels,
    pub panel: usize,
    /// The order in which the panel is read, if not its own.
    pub order: Option<&'a [u32]>,
    /// What is taken away: a factor of every row, and the rows of the same panel of a matrix from the first one on.
    pub less: Option<(&'a [f32], &'a Panels, usize)>,
    /// In rows of `stride`; columns behind the last one up to whole vectors are written too.
    pub out: &'a mut [f32],
    pub stride: usize,
}

impl pulp::WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as the registers hold beside a row of the panel and an entry.
        if const { S::REGISTER_COUNT >= 32 } { self.by::<S, 8, 3>(simd) } else { self.by::<S, 6, 2>(simd) }
    }
}

impl Product<'_> {
    /// In tiles of R rows and up to N vectors.
    #[inline(always)]
    fn by<S: Simd, const R: usize, const N: usize>(mut self, simd: S) {
        let columns = self.right.columns(self.panel);
        for first in (0..self.rows.len()).step_by(R) {
            let mut column = 0;
            while column < columns {
                column += match (columns - column).div_ceil(S::F32_LANES).min(N) {
                    1 => self.tile::<S, R, 1>(simd, first, column),
                    2 => self.tile::<S, R, 2>(simd, first, column),
                    _ => self.tile::<S, R, N>(simd, first, column),
                };
            }
        }
    }

    /// A tile of R rows and N vectors; its number of columns.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const N: usize>(&mut self, simd: S, first: usize, column: usize) -> usize {
        let columns = N * S::F32_LANES;
        // Beyond the last row it is repeated, and not written.
        let last = self.rows.len() - 1;
        let mut sums = [[simd.splat_f32s(0.0); N]; R];
        if let Some((scales, from, row)) = self.less {
            let from = from.panel(self.panel);
            for (y, sums) in sums.iter_mut().enumerate().take(last + 1 - first) {
                let scale = simd.splat_f32s(-scales[first + y]);
                for (sum, from) in sums.iter_mut().zip(vectors::<S, N>(&from[row + first + y], column)) {
                    *sum = simd.mul_f32s(scale, from);
                }
            }
        }
        let panel = self.right.panel(self.panel);
        let mut rows: [&[f32]; R] = [&[]; R];
        for (y, row) in rows.iter_mut().enumerate() {
            *row = &self.rows[last.min(first + y)][..panel.len()];
        }
        let sums = summed(simd, &sums, &rows, panel, self.order, column);
        let out = self.out[first * self.stride..].chunks_mut(self.stride);
        for (sums, out) in sums.iter().zip(out).take(last + 1 - first) {
            out[column..column + columns].copy_from_slice(bytemuck::cast_slice(sums));
        }
        columns
    }
}

/// `sums` and the products of the rows' entries with the panel's rows.
///
/// Loops, not closures: what the compiler does not inline is compiled without the instruction set. The sums are a variable
/// of their own, no index into which is computed: they stay in registers.
#[inline(always)]
fn summed<S: Simd, const R: usize, const N: usize>(
    simd: S,
    sums: &[[S::f32s; N]; R],
    rows: &[&[f32]; R],
    panel: &[[f32; PANEL]],
    order: Option<&[u32]>,
    column: usize,
) -> [[S::f32s; N]; R] {
    let mut total = *sums;
    for row in rows {
        assert_eq!(row.len(), panel.len(), "rows as long as the panel is deep");
    }
    match order {
        Some(order) => {
            for (j, &at) in order[..panel.len()].iter().enumerate() {
                // SAFETY: `j` counts the panel's rows, as many as every row has entries.
                unsafe { add(simd, &mut total, rows, j, vectors::<S, N>(&panel[at as usize], column)) };
            }
        }
        None => {
            for (j, right) in panel.iter().enumerate() {
                // SAFETY: as above.
                unsafe { add(simd, &mut total, rows, j, vectors::<S, N>(right, column)) };
            }
        }
    }
    total
}

/// Adds the products of entry `j` of every row with a row of a panel.
///
/// # Safety
/// Every row is longer than `j`.
#[inline(always)]
unsafe fn add<S: Simd, const R: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; R],
    rows: &[&[f32]; R],
    j: usize,
    right: [S::f32s; N],
) {
    for (sums, row) in sums.iter_mut().zip(rows) {
        debug_assert!(j < row.len());
        // SAFETY: `j` is below the row's length, by the function's contract.
        let left = simd.splat_f32s(unsafe { *row.get_unchecked(j) });
        for (sum, &right) in sums.iter_mut().zip(&right) {
            *sum = simd.mul_add_e_f32s(left, right, *sum);
        }
    }
}

/// N vectors of a row of a panel, from `column` on.
#[inline(always)]
fn vectors<S: Simd, const N: usize>(row: &[f32; PANEL], column: usize) -> [S::f32s; N] {
    S::as_simd_f32s(&row[column..column + N * S::F32_LANES]).0.try_into().expect("N vectors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::permutation::{Permutations, Random, invert};

    /// `M = A_p B^T`, less `scales[a] B[b, a]`.
    #[derive(Clone, Copy)]
    struct World<'a> {
        words: &'a [f32],
        images: &'a [f32],
        draw: &'a [u32],
        inverse: &'a [u32],
        scales: &'a [f32],
    }

    impl pulp::WithSimd for World<'_> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let k = self.draw.len();
            let (stride, images) = (k.next_multiple_of(16), Panels::turned(self.images, k));
            let rows: Vec<&[f32]> = self.draw.iter().map(|&word| &self.words[word as usize * k..][..k]).collect();
            let mut products = vec![f32::NAN; k * stride];
            for panel in 0..images.count() {
                let less = Some((self.scales, &images, 0));
                let (order, out) = (Some(self.inverse), &mut products[panel * PANEL..]);
                Product { rows: &rows, right: &images, panel, order, less, out, stride }.with_simd(simd);
            }
            products
        }
    }

    #[test]
    fn every_instruction_set_gives_the_product() {
        for k in [5, 16, 17, 47, 48, 49, 65, 166] {
            let mut random = Random::keyed(1, k as u64);
            let mut matrix = |count: usize| (0..count).map(|_| random.unit() as f32 - 0.5).collect::<Vec<_>>();
            let (words, images, scales) = (matrix(k * k), matrix(k * k), matrix(k));
            let draw = Permutations::new(2, k).draw(1);
            let mut inverse = vec![0; k];
            invert(&draw, &mut inverse);
            let world = World { words: &words, images: &images, draw: &draw, inverse: &inverse, scales: &scales };
            #[cfg(target_arch = "x86_64")]
            let narrower = pulp::x86::V3::try_new().map(|simd| Simd::vectorize(simd, world));
            #[cfg(not(target_arch = "x86_64"))]
            let narrower = None;
            let found = [pulp::Arch::new().dispatch(world), Simd::vectorize(pulp::Scalar, world)];
            let found: Vec<Vec<f32>> = found.into_iter().chain(narrower).collect();
            for a in 0..k {
                for b in 0..k {
                    let term = |j: usize| f64::from(words[draw[a] as usize * k + draw[j] as usize] * images[b * k + j]);
                    let expected = (0..k).map(term).sum::<f64>() - f64::from(scales[a] * images[b * k + a]);
                    for found in &found {
                        let found = f64::from(found[a * k.next_multiple_of(16) + b]);
                        assert!((found - expected).abs() < 1e-5, "k {k}: M[{a},{b}] is {found}, expected {expected}");
                    }
                }
            }
        }
    }
}
