//! Products of rows and a matrix of weights that is laid out once: dense layers, and the parts of Winograd's form.

use std::ops::Range;

use pulp::Simd;

use super::{Isa, LINE, Lines};

/// Weights in panels as wide as the tiles of this machine: `[columns / width, depth, width]`.
pub struct Matrix {
    depth: usize,
    width: usize,
    weights: Lines,
}

/// Vectors of a tile.
pub const VECTORS: usize = 2;

/// Rows of a tile: with two vectors of weights as many sums as the registers hold beside those and an entry.
const fn rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 12 } else { 6 }
}

struct Layout<F> {
    depth: usize,
    columns: usize,
    weight: F,
}

impl<F: Fn(usize, usize) -> f32> pulp::WithSimd for Layout<F> {
    type Output = Matrix;

    fn with_simd<S: Simd>(self, _: S) -> Matrix {
        let Self { depth, columns, weight } = self;
        let width = VECTORS * S::F32_LANES;
        let mut weights = Lines::new(columns.div_ceil(width) * depth * width);
        for (panel, weights) in weights.values_mut().chunks_exact_mut(depth * width).enumerate() {
            for (k, line) in weights.chunks_exact_mut(width).enumerate() {
                for (column, to) in (panel * width..columns).zip(line) {
                    *to = weight(k, column);
                }
            }
        }
        Matrix { depth, width, weights }
    }
}

impl Matrix {
    /// `[depth, columns]` of what `weight` says.
    pub fn new(isa: Isa, depth: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        isa.dispatch(Layout { depth, columns, weight })
    }

    /// Columns of a panel.
    pub fn width(&self) -> usize {
        self.width
    }

    /// [`Panels::multiply`] of its panels.
    #[inline(always)]
    pub fn multiply<S: Simd>(
        &self,
        simd: S,
        rows: (&[f32], usize, usize),
        depth: Range<usize>,
        panel: usize,
        store: impl FnMut(usize, &[S::f32s; VECTORS]),
    ) {
        assert_eq!(self.width, VECTORS * S::F32_LANES, "weights laid out for another instruction set");
        Panels { depth: self.depth, weights: self.weights.values() }.multiply(simd, rows, depth, panel, store);
    }
}

/// Columns of a panel of the widest vectors; those of others divide it.
pub const WIDEST: usize = VECTORS * LINE;

/// Weights in panels as wide as the tiles of the vectors that they are laid out for: `[columns / width, depth, width]`.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    depth: usize,
    weights: &'a [f32],
}

impl<'a> Panels<'a> {
    /// Most values that so many columns take.
    pub fn most(depth: usize, columns: usize) -> usize {
        columns.next_multiple_of(WIDEST) * depth
    }

    /// Lays out a matrix by its rows, `[depth, columns]`.
    #[inline(always)]
    pub fn of_rows<'x, S: Simd>(
        to: &'a mut [f32],
        [depth, columns]: [usize; 2],
        row: impl Fn(usize) -> &'x [f32],
    ) -> Self {
        let width = VECTORS * S::F32_LANES;
        let used = columns.next_multiple_of(width) * depth;
        for (panel, weights) in to[..used].chunks_exact_mut(depth * width).enumerate() {
            let own = width.min(columns - panel * width);
            for (k, line) in weights.chunks_exact_mut(width).enumerate() {
                line[..own].copy_from_slice(&row(k)[panel * width..][..own]);
                line[own..].fill(0.0);
            }
        }
        Self { depth, weights: &to[..used] }
    }

    /// Lays out a matrix by its columns.
    #[inline(always)]
    pub fn of_columns<'x, S: Simd>(
        to: &'a mut [f32],
        [depth, columns]: [usize; 2],
        column: impl Fn(usize) -> &'x [f32],
    ) -> Self {
        let width = VECTORS * S::F32_LANES;
        let used = columns.next_multiple_of(width) * depth;
        for (panel, weights) in to[..used].chunks_exact_mut(depth * width).enumerate() {
            let own = width.min(columns - panel * width);
            if own < width {
                weights.fill(0.0);
            }
            for at in 0..own {
                for (line, &weight) in weights.chunks_exact_mut(width).zip(column(panel * width + at)) {
                    line[at] = weight;
                }
            }
        }
        Self { depth, weights: &to[..used] }
    }

    /// Rows of `x`, `pitch` apart, whose entries stand for the weights' lines `depth`, times `panel`: `store` gets the
    /// number of each row and its sums, the columns of the panel.
    #[inline(always)]
    pub fn multiply<S: Simd>(
        self,
        simd: S,
        (x, pitch, rows): (&[f32], usize, usize),
        depth: Range<usize>,
        panel: usize,
        mut store: impl FnMut(usize, &[S::f32s; VECTORS]),
    ) {
        let size = self.depth * VECTORS * S::F32_LANES;
        let weights = &self.weights[panel * size..][..size];
        let weights = &S::as_simd_f32s(weights).0.as_chunks::<VECTORS>().0[depth];
        let mut row = 0;
        while row < rows {
            let x = &x[row * pitch..];
            row += match rows - row {
                12.. if const { self::rows::<S>() == 12 } => {
                    write(row, &sums::<S, 12>(simd, x, pitch, weights), &mut store)
                }
                8.. if const { self::rows::<S>() == 12 } => {
                    write(row, &sums::<S, 8>(simd, x, pitch, weights), &mut store)
                }
                6.. if const { self::rows::<S>() == 6 } => {
                    write(row, &sums::<S, 6>(simd, x, pitch, weights), &mut store)
                }
                4.. => write(row, &sums::<S, 4>(simd, x, pitch, weights), &mut store),
                _ => write(row, &sums::<S, 1>(simd, x, pitch, weights), &mut store),
            };
        }
    }
}

/// A tile of R rows, summed over the weights' lines in order.
#[inline(always)]
fn sums<S: Simd, const R: usize>(
    simd: S,
    x: &[f32],
    pitch: usize,
    weights: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; R] {
    let depth = weights.len();
    let mut rows = [x; R];
    for (n, row) in rows.iter_mut().enumerate() {
        *row = &x[n * pitch..][..depth];
    }
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; R];
    for (k, weights) in weights.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let entry = simd.splat_f32s(row[k]);
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum = simd.mul_add_e_f32s(entry, weight, *sum);
            }
        }
    }
    sums
}

/// Hands on the rows of a tile; their number.
#[inline(always)]
fn write<V, const R: usize>(
    first: usize,
    sums: &[[V; VECTORS]; R],
    store: &mut impl FnMut(usize, &[V; VECTORS]),
) -> usize {
    for (row, sums) in sums.iter().enumerate() {
        store(first + row, sums);
    }
    R
}
