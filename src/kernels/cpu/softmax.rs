//! Softmax of rows on the CPU.

use pulp::Simd;
use rayon::prelude::*;

use super::smooth::exp;
use super::{Isa, STRETCH};

/// Below it `e^x` is no normal number of f32, and 0 here.
const LEAST: f32 = -87.0;

/// `e^(x - largest)` by their sum, of every row of `units`.
pub fn softmax(x: &[f32], units: usize, out: &mut [f32]) {
    let isa = Isa::widest();
    let rows = (STRETCH / units).max(1) * units;
    out.par_chunks_mut(rows).zip(x.par_chunks(rows)).for_each(|(out, x)| isa.dispatch(Rows { x, units, out }));
}

struct Rows<'a> {
    x: &'a [f32],
    units: usize,
    out: &'a mut [f32],
}

impl pulp::WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, units, out } = self;
        for (x, out) in x.chunks_exact(units).zip(out.chunks_exact_mut(units)) {
            row(simd, x, out);
        }
    }
}

#[inline(always)]
fn row<S: Simd>(simd: S, x: &[f32], out: &mut [f32]) {
    let (x, x_rest) = S::as_simd_f32s(x);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for &x in x {
        largest = simd.max_f32s(largest, x);
    }
    let mut most = simd.reduce_max_f32s(largest);
    for &x in x_rest {
        most = if x > most { x } else { most };
    }
    let most = simd.splat_f32s(most);
    let (whole, rest) = S::as_mut_simd_f32s(out);
    let mut sums = simd.splat_f32s(0.0);
    for (out, &x) in whole.iter_mut().zip(x) {
        *out = power(simd, x, most);
        sums = simd.add_f32s(sums, *out);
    }
    let mut sum = simd.reduce_sum_f32s(sums);
    if !rest.is_empty() {
        simd.partial_store_f32s(rest, power(simd, simd.partial_load_f32s(x_rest), most));
        for &value in rest.iter() {
            sum += value;
        }
    }
    let share = 1.0 / sum;
    let shares = simd.splat_f32s(share);
    whole.iter_mut().for_each(|out| *out = simd.mul_f32s(*out, shares));
    rest.iter_mut().for_each(|out| *out *= share);
}

/// `e^(x - most)`.
#[inline(always)]
fn power<S: Simd>(simd: S, x: S::f32s, most: S::f32s) -> S::f32s {
    let x = simd.sub_f32s(x, most);
    simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(LEAST)), simd.splat_f32s(0.0), exp(simd, x))
}
