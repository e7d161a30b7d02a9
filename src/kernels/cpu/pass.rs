//! Single passes over activations, on all threads.

use std::ops::Deref;

use rayon::prelude::*;

use super::{Activation, activate};

/// Values that a thread takes at a time.
const STRETCH: usize = 1 << 14;

/// `x + y`, then the activation.
pub fn sum(x: &[f32], y: &[f32], activation: Activation, out: &mut [f32]) {
    let simd = pulp::Arch::new();
    let stretches = out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH)).zip(y.par_chunks(STRETCH));
    stretches.for_each(|((out, x), y)| {
        simd.dispatch(
            #[inline(always)]
            || {
                out.iter_mut().zip(x).zip(y).for_each(|((out, x), y)| *out = x + y);
                activate(activation, out);
            },
        );
    });
}

/// The activation of every value.
pub fn activated_to(activation: Activation, x: &[f32], out: &mut [f32]) {
    let simd = pulp::Arch::new();
    out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH)).for_each(|(out, x)| {
        simd.dispatch(
            #[inline(always)]
            || {
                out.copy_from_slice(x);
                activate(activation, out);
            },
        );
    });
}

/// Of each of `all` the first of `count` parts, then of each the second, …
pub fn concatenate(all: &[impl Deref<Target = [f32]> + Sync], count: usize, mut out: &mut [f32]) {
    let mut parts = Vec::with_capacity(count * all.len());
    for n in 0..count {
        for values in all {
            let len = values.len() / count;
            let (part, rest) = out.split_at_mut(len);
            parts.push((part, &values[n * len..][..len]));
            out = rest;
        }
    }
    parts.into_par_iter().for_each(|(to, from)| to.copy_from_slice(from));
}
