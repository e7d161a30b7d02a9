//! Single passes over activations, on all threads.

use std::ops::Deref;

use pulp::Simd;
use rayon::prelude::*;

use super::{Activation, Isa, finished};

/// Values that a thread takes at a time.
const STRETCH: usize = 1 << 14;

/// `x + y`, then the activation.
pub fn sum(x: &[f32], y: &[f32], activation: Activation, out: &mut [f32]) {
    let isa = Isa::widest();
    let stretches = out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH)).zip(y.par_chunks(STRETCH));
    stretches.for_each(|((out, x), y)| isa.dispatch(Stretch { x, plus: Some(y), activation, out }));
}

/// The activation of every value.
pub fn activated_to(activation: Activation, x: &[f32], out: &mut [f32]) {
    let isa = Isa::widest();
    let stretches = out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH));
    stretches.for_each(|(out, x)| isa.dispatch(Stretch { x, plus: None, activation, out }));
}

struct Stretch<'a> {
    x: &'a [f32],
    plus: Option<&'a [f32]>,
    activation: Activation,
    out: &'a mut [f32],
}

impl pulp::WithSimd for Stretch<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, plus, activation, out } = self;
        assert!(x.len() == out.len() && plus.is_none_or(|plus| plus.len() == out.len()), "values of one shape");
        let (x, x_rest) = S::as_simd_f32s(x);
        let (out, out_rest) = S::as_mut_simd_f32s(out);
        match plus {
            Some(plus) => {
                for ((out, &x), &plus) in out.iter_mut().zip(x).zip(S::as_simd_f32s(plus).0) {
                    *out = finished(simd, activation, simd.add_f32s(x, plus));
                }
            }
            None => out.iter_mut().zip(x).for_each(|(out, &x)| *out = finished(simd, activation, x)),
        }
        if !out_rest.is_empty() {
            let x = simd.partial_load_f32s(x_rest);
            let plus = plus.map(|plus| simd.partial_load_f32s(S::as_simd_f32s(plus).1));
            let sum = plus.map_or(x, |plus| simd.add_f32s(x, plus));
            simd.partial_store_f32s(out_rest, finished(simd, activation, sum));
        }
    }
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
