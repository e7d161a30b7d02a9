//! A word RSM of d-dimensional vectors is a matrix of rank d or less: a draw's product in two thin ones.
//!
//! Let `L = A + diag(l)`, the words' rows with the entry on the diagonal that belongs there: `l_a` is the 1 of the RSM,
//! centred and scaled as its row. Image rows sum to 0, so only `L P` counts, P the projection that takes a row's mean
//! away. With orthonormal `q_c` (columns of Q) that span its rows, `U = L Q` and `E = L P - U Q^T`,
//!
//! `M[a,b] = sum_c U[p(a),c] G[c,b] - l_p(a) B[b,a] + e`, `G = Q_p^T B^T`, `|e| <= |E_p(a)|`,
//!
//! `2 k^2 r` multiply-adds instead of `k^3`. The q are found in the matrix itself, by Gram-Schmidt on the row with the
//! largest residual until none counts (a pivoted Cholesky decomposition of `L P (L P)^T`): the vectors need not be known.
//!
//! # Rounding
//! The rows of `Q^T` and B have unit length, so an entry of G errs as an inner product of the direct product does, by less
//! than `4 sqrt(k / 3) u`. The second product weights these errors with a row of U and adds its own, of r partial
//! sums that are at most `|U_a| |Q_p^T B_b| <= |U_a|`. The squares of independent errors add:
//! `|U_a| (4 sqrt((k + r) / 3) + 4) u`, the 4 for the entries' own rounding; then `(2 |l_a| + 8) u` for the diagonal and the
//! operations after, and `|E_a|`. `|U_a|^2` is about `1 + l_a^2`, and `l_a^2` on average at most `r / (k - r)`: the bound is
//! twice that of the direct product, the errors seen are as small.

use rayon::prelude::*;

use super::{UnitRows, dot};

/// A row of E as long as this does not count: 4 roundoffs of f32, which an RSM read from a file of f32 keeps within.
const NEGLIGIBLE: f64 = 1.0 / (1_u64 << 22) as f64;

/// So many products are worth the search for their rank. It passes over the matrix, in f64, for every dimension that it finds, and is
/// in vain where these are half as many as the concepts: at 2,000 concepts it took the time of tens of products.
pub const FEWEST_PRODUCTS: usize = 32;

/// `L P = U Q^T + E`.
pub struct LowRank {
    pub rank: usize,
    /// U, `[concepts, rank]`.
    pub left: Vec<f64>,
    /// `Q^T`, `[rank, concepts]`.
    pub basis: Vec<f64>,
    /// l, `[concepts]`.
    pub diagonal: Vec<f64>,
    /// The bound of an entry's rounding error (the module's "Rounding").
    pub rounding: f32,
}

impl LowRank {
    /// Of words for which so many products cost less this way.
    pub fn new(words: &UnitRows, products: usize) -> Option<Self> {
        if products < FEWEST_PRODUCTS {
            return None;
        }
        let k = words.concepts;
        let mut rest: Vec<f64> = words.values.clone();
        rest.par_chunks_exact_mut(k).enumerate().for_each(|(a, row)| {
            row[a] = words.diagonal[a];
            let mean = row.iter().sum::<f64>() / k as f64;
            row.iter_mut().for_each(|x| *x -= mean);
        });
        let lengths = |rest: &[f64]| -> Vec<f64> { rest.par_chunks_exact(k).map(|row| dot(row, row).sqrt()).collect() };
        let longest = lengths(&rest).into_iter().fold(0.0, f64::max);
        let (mut basis, mut columns): (Vec<f64>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
        let residual = loop {
            let lengths = lengths(&rest);
            let a = (0..k).max_by(|&a, &b| lengths[a].total_cmp(&lengths[b]))?;
            if lengths[a] <= NEGLIGIBLE {
                break lengths[a];
            }
            if !pays(k, columns.len() + 1) {
                return None;
            }
            let mut q: Vec<f64> = rest[a * k..(a + 1) * k].iter().map(|x| x / lengths[a]).collect();
            for other in basis.chunks_exact(k) {
                let along = dot(&q, other);
                q.iter_mut().zip(other).for_each(|(q, x)| *q -= along * x);
            }
            let length = dot(&q, &q).sqrt();
            q.iter_mut().for_each(|q| *q /= length);
            let take = |row: &mut [f64]| {
                let along = dot(row, &q);
                row.iter_mut().zip(&q).for_each(|(x, q)| *x -= along * q);
                along
            };
            columns.push(rest.par_chunks_exact_mut(k).map(take).collect());
            basis.extend(q);
        };
        let rank = columns.len();
        let left = (0..k * rank).map(|at| columns[at % rank][at / rank]).collect();
        let steepest = words.diagonal.iter().fold(0.0, |most: f64, l| most.max(l.abs()));
        let chains = 4.0 * ((k + rank) as f64 / 3.0).sqrt() + 4.0;
        let roundoffs = longest * chains + 2.0 * steepest + 8.0;
        let rounding = (roundoffs * f64::from(f32::EPSILON) / 2.0 + residual) as f32;
        Some(Self { rank, left, basis, diagonal: words.diagonal.clone(), rounding })
    }
}

/// Whether two products of that rank cost less than one of full rank, the smaller tiles included.
fn pays(concepts: usize, rank: usize) -> bool {
    2 * rank + 16 < concepts
}
