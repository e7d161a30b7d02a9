//! Single passes over activations, on all threads.

use pulp::Simd;
use rayon::prelude::*;

use super::{Activation, Isa, STRETCH, finished};
use crate::kernels::join::Arithmetic;

/// `x + y`, then the activation.
pub fn sum(x: &[f32], y: &[f32], activation: Activation, out: &mut [f32]) {
    let isa = Isa::widest();
    let stretches = out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH)).zip(y.par_chunks(STRETCH));
    stretches.for_each(|((out, x), y)| isa.dispatch(Stretch { x, plus: Some(y), activation, out }));
}

/// The activation of every value.
pub fn activated_to(activation: Activation, x: &[f32], out: &mut [f32]) {
    activated_on(Isa::widest(), activation, x, out);
}

pub(super) fn activated_on(isa: Isa, activation: Activation, x: &[f32], out: &mut [f32]) {
    let stretches = out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH));
    stretches.for_each(|(out, x)| isa.dispatch(Stretch { x, plus: None, activation, out }));
}

/// What every value becomes.
pub fn each(x: &[f32], of: impl Fn(f32) -> f32 + Sync, out: &mut [f32]) {
    let stretches = out.par_chunks_mut(STRETCH).zip(x.par_chunks(STRETCH));
    stretches.for_each(|(out, x)| out.iter_mut().zip(x).for_each(|(out, &x)| *out = of(x)));
}

/// What multiplies channels and is added to them.
#[derive(Clone, Copy)]
pub struct Channels<'a> {
    /// Of each channel, or of each of every image.
    pub scales: &'a [f32],
    /// Of each channel.
    pub shifts: &'a [f32],
    /// Whether the units of a row are the channels; else rows are, one after the other.
    pub are_units: bool,
}

/// Every value times its channel's scale, its shift and what `summand` has there added, then the activation; `x` is of images of
/// `[rows, units]`.
pub fn scaled(
    x: &[f32],
    [in_image, units]: [usize; 2],
    by: Channels,
    summand: Option<&[f32]>,
    activation: Activation,
    out: &mut [f32],
) {
    let (isa, channels) = (Isa::widest(), by.shifts.len());
    // Scales of the channels alone are those of every image.
    let of_image = |row: usize| row / in_image * channels % by.scales.len();
    let rows = (STRETCH / units).max(1);
    let stretches = out.par_chunks_mut(rows * units).zip(x.par_chunks(rows * units)).enumerate();
    stretches.for_each(|(n, (out, x))| {
        for (row, (out, x)) in (n * rows..).zip(out.chunks_exact_mut(units).zip(x.chunks_exact(units))) {
            let plus = summand.map(|summand| &summand[row * units..][..units]);
            let (scales, first) = (&by.scales[of_image(row)..], row % channels);
            match by.are_units {
                true => isa.dispatch(Row { x, scales: &scales[..units], shifts: by.shifts, plus, activation, out }),
                false => {
                    let (scales, shifts) = (&scales[first..=first], &by.shifts[first..=first]);
                    isa.dispatch(Row { x, scales, shifts, plus, activation, out });
                }
            }
        }
    });
}

struct Row<'a> {
    x: &'a [f32],
    /// One each, or one for all.
    scales: &'a [f32],
    shifts: &'a [f32],
    plus: Option<&'a [f32]>,
    activation: Activation,
    out: &'a mut [f32],
}

impl pulp::WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, scales, shifts, plus, activation, out } = self;
        let (x, x_rest) = S::as_simd_f32s(x);
        let (plus, plus_rest) = plus.map(S::as_simd_f32s).unzip();
        let (out, out_rest) = S::as_mut_simd_f32s(out);
        if let (&[scale], &[shift]) = (scales, shifts) {
            let (scale, shift) = (simd.splat_f32s(scale), simd.splat_f32s(shift));
            for (n, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                *out = scaled_by(simd, [x, scale, shift], plus.map(|plus| plus[n]), activation);
            }
            if !out_rest.is_empty() {
                let plus = plus_rest.map(|plus| simd.partial_load_f32s(plus));
                let x = simd.partial_load_f32s(x_rest);
                simd.partial_store_f32s(out_rest, scaled_by(simd, [x, scale, shift], plus, activation));
            }
            return;
        }
        let ((scales, scales_rest), (shifts, shifts_rest)) = (S::as_simd_f32s(scales), S::as_simd_f32s(shifts));
        for (n, (((out, &x), &scale), &shift)) in out.iter_mut().zip(x).zip(scales).zip(shifts).enumerate() {
            *out = scaled_by(simd, [x, scale, shift], plus.map(|plus| plus[n]), activation);
        }
        if !out_rest.is_empty() {
            let rest = [x_rest, scales_rest, shifts_rest].map(|rest| simd.partial_load_f32s(rest));
            let plus = plus_rest.map(|plus| simd.partial_load_f32s(plus));
            simd.partial_store_f32s(out_rest, scaled_by(simd, rest, plus, activation));
        }
    }
}

#[inline(always)]
fn scaled_by<S: Simd>(
    simd: S,
    [x, scale, shift]: [S::f32s; 3],
    plus: Option<S::f32s>,
    activation: Activation,
) -> S::f32s {
    let scaled = simd.mul_add_e_f32s(x, scale, shift);
    finished(simd, activation, plus.map_or(scaled, |plus| simd.add_f32s(scaled, plus)))
}

/// What two values in the same place become; an axis of one place is as long as the other's.
pub fn pairwise(operation: Arithmetic, all: [(&[f32], &[usize]); 2], shape: &[usize], out: &mut [f32]) {
    match operation {
        Arithmetic::Add => in_place(all, shape, out, |x, y| x + y),
        Arithmetic::Sub => in_place(all, shape, out, |x, y| x - y),
        Arithmetic::Mul => in_place(all, shape, out, |x, y| x * y),
        Arithmetic::Div => in_place(all, shape, out, |x, y| x / y),
    }
}

fn in_place(
    [x, y]: [(&[f32], &[usize]); 2],
    shape: &[usize],
    out: &mut [f32],
    of: impl Fn(f32, f32) -> f32 + Copy + Send + Sync,
) {
    let Some((&row, outer)) = shape.split_last() else {
        return out.iter_mut().zip(x.0.iter().zip(y.0)).for_each(|(out, (&x, &y))| *out = of(x, y));
    };
    let steps = [x.1, y.1].map(|own| steps(own, shape));
    // Where a row of the output begins in either.
    let begins = |at: usize| {
        let (mut at, mut places) = (at, [0, 0]);
        for (axis, &length) in outer.iter().enumerate().rev() {
            places.iter_mut().zip(&steps).for_each(|(place, steps)| *place += at % length * steps[axis]);
            at /= length;
        }
        places
    };
    out.par_chunks_mut(STRETCH).enumerate().for_each(|(n, mut out)| {
        let mut at = n * STRETCH;
        while !out.is_empty() {
            let (first, len) = (at % row, out.len().min(row - at % row));
            let (now, later) = out.split_at_mut(len);
            let [from_x, from_y] = begins(at / row);
            match steps.each_ref().map(|steps| steps[outer.len()]) {
                [0, 0] => now.fill(of(x.0[from_x], y.0[from_y])),
                [0, _] => {
                    let x = x.0[from_x];
                    now.iter_mut().zip(&y.0[from_y + first..]).for_each(|(out, &y)| *out = of(x, y));
                }
                [_, 0] => {
                    let y = y.0[from_y];
                    now.iter_mut().zip(&x.0[from_x + first..]).for_each(|(out, &x)| *out = of(x, y));
                }
                _ => {
                    let both = x.0[from_x + first..].iter().zip(&y.0[from_y + first..]);
                    now.iter_mut().zip(both).for_each(|(out, (&x, &y))| *out = of(x, y));
                }
            }
            (out, at) = (later, at + len);
        }
    });
}

/// From one place along an axis to the next; 0 where there is one place for all.
fn steps(own: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut step = 1;
    let mut steps: Vec<usize> = Vec::with_capacity(own.len());
    for (&own, &length) in own.iter().zip(shape).rev() {
        assert!(own == length || own == 1, "axes of one length, or of one place");
        steps.push(if own == 1 && length > 1 { 0 } else { step });
        step *= own;
    }
    steps.reverse();
    steps
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
pub fn concatenate(all: &[&[f32]], count: usize, mut out: &mut [f32]) {
    let row = out.len() / count.max(1);
    if row > 0 && row < STRETCH {
        let lengths: Vec<usize> = all.iter().map(|values| values.len() / count).collect();
        let rows = STRETCH / row;
        return out.par_chunks_mut(rows * row).enumerate().for_each(|(n, out)| {
            for (at, mut out) in (n * rows..).zip(out.chunks_exact_mut(row)) {
                for (values, &length) in all.iter().zip(&lengths) {
                    let (part, rest) = out.split_at_mut(length);
                    match part {
                        [value] => *value = values[at],
                        part => part.copy_from_slice(&values[at * length..][..length]),
                    }
                    out = rest;
                }
            }
        });
    }
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
