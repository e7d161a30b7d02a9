//! Rotary positions, row by row.

use rayon::prelude::*;

use super::STRETCH;
use super::strided::Index;
use crate::kernels::rotary::{Partners, Rows};

/// Of every row of `units`, `cos x + sin partner(x)`; `[tokens, units]` of cosines and of sines.
pub fn rotary(
    x: &[f32],
    rows: &Rows,
    [cosines, sines]: [&[f32]; 2],
    units: usize,
    partners: Partners,
    out: &mut [f32],
) {
    let (count, tokens) = ((STRETCH / units).max(1), cosines.len() / units);
    let simd = pulp::Arch::new();
    out.par_chunks_mut(count * units).enumerate().for_each(|(n, out)| {
        let mut index = Index::new(&rows.runs, n * count);
        for (row, out) in (n * count..).zip(out.chunks_exact_mut(units)) {
            let x = &x[rows.offset + index.place()..][..units];
            let angle = row / rows.heads % tokens * units;
            let [cosines, sines] = [cosines, sines].map(|values| &values[angle..][..units]);
            simd.dispatch(
                #[inline(always)]
                || match partners {
                    Partners::Neighbours => neighbours(x, cosines, sines, out),
                    Partners::Halves => halves(x, cosines, sines, out),
                },
            );
            index.next();
        }
    });
}

#[inline(always)]
fn neighbours(x: &[f32], cosines: &[f32], sines: &[f32], out: &mut [f32]) {
    let [x, cosines, sines] = [x, cosines, sines].map(|values| values.as_chunks::<2>().0);
    for (((out, x), cos), sin) in out.as_chunks_mut::<2>().0.iter_mut().zip(x).zip(cosines).zip(sines) {
        *out = [x[0] * cos[0] + x[1] * sin[0], x[1] * cos[1] + x[0] * sin[1]];
    }
}

#[inline(always)]
fn halves(x: &[f32], cosines: &[f32], sines: &[f32], out: &mut [f32]) {
    let half = x.len() / 2;
    let (first, second) = x.split_at(half);
    let partners = second.iter().chain(first);
    for ((((out, x), partner), cos), sin) in out.iter_mut().zip(x).zip(partners).zip(cosines).zip(sines) {
        *out = x * cos + partner * sin;
    }
}
