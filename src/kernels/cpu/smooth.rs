//! The smooth functions of transformers, each a straight line of operations on whole vectors; NaN stays: vectors' maximum
//! and minimum give it back from the second operand.

use pulp::Simd;

use super::Activation;

/// `a x + b`, both numbers.
#[inline(always)]
fn line<S: Simd>(simd: S, a: f32, x: S::f32s, b: f32) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(a), x, simd.splat_f32s(b))
}

/// A polynomial by its coefficients, the highest first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for &next in &coefficients[1..] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(next));
    }
    sum
}

/// `e^x`, to 1.4 roundings (measured); held within the range of f32, 0 is not reached.
///
/// With `n = round(x / ln 2)`: `2^n e^(x - n ln 2)`, the polynomial Cephes' (Moshier 1992).
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Added to a number, leaves it rounded to an integer in the last bits.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    let x = simd.max_f32s(simd.splat_f32s(-87.0), x);
    let x = simd.min_f32s(simd.splat_f32s(88.0), x);
    let shifted = line(simd, std::f32::consts::LOG2_E, x, ROUND);
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(2.121_944_4e-4), r);
    let tail = polynomial(simd, r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5]);
    let sum = simd.add_f32s(simd.mul_add_e_f32s(simd.mul_f32s(tail, r), r, r), simd.splat_f32s(1.0));
    // The exponent's bits; those above fall out.
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23)));
    simd.mul_f32s(sum, power)
}

/// The error function, to 1.6 roundings (measured): Juffa's minimax polynomials, one near 0, one in an exponent.
#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let t = simd.min_f32s(simd.splat_f32s(4.0), simd.abs_f32s(x));
    let s = simd.mul_f32s(t, t);
    let high = line(simd, -1.728_534_7e-5, t, 3.831_971_3e-4);
    let low = line(simd, -3.883_964_4e-3, t, 2.425_462_2e-2);
    let mut exponent = simd.mul_add_e_f32s(high, s, low);
    for next in [-0.106_777_88, -0.634_846_7, -0.128_717_51] {
        exponent = simd.mul_add_e_f32s(exponent, t, simd.splat_f32s(next));
    }
    let exponent = simd.sub_f32s(simd.mul_f32s(exponent, t), t);
    let far = simd.sub_f32s(simd.splat_f32s(1.0), exp(simd, exponent));
    let sign = simd.and_u32s(simd.transmute_u32s_f32s(x), simd.splat_u32s(1 << 31));
    let far = simd.transmute_f32s_u32s(simd.or_u32s(simd.transmute_u32s_f32s(far), sign));
    let near = [-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 0.112_819_925, -0.376_125_34, 0.128_379_17];
    let near = simd.mul_add_e_f32s(polynomial(simd, s, near), x, x);
    simd.select_f32s(simd.less_than_f32s(simd.splat_f32s(0.927_734_4), t), far, near)
}

/// `x / (1 + exp(exponent))`.
#[inline(always)]
fn gate<S: Simd>(simd: S, x: S::f32s, exponent: S::f32s) -> S::f32s {
    simd.div_f32s(x, simd.add_f32s(simd.splat_f32s(1.0), exp(simd, exponent)))
}

/// A smooth activation of a vector; others leave it.
#[inline(always)]
pub fn activated<S: Simd>(simd: S, activation: Activation, x: S::f32s) -> S::f32s {
    let times = |factor: f32| simd.mul_f32s(simd.splat_f32s(factor), x);
    match activation {
        Activation::Identity | Activation::Relu | Activation::Relu6 => x,
        Activation::Gelu => {
            let erf = erf(simd, times(std::f32::consts::FRAC_1_SQRT_2));
            let half = times(0.5);
            simd.mul_add_e_f32s(half, erf, half)
        }
        // `(1 + tanh y) / 2` is `1 / (1 + exp(-2 y))`.
        Activation::GeluTanh => {
            const SLOPE: f32 = -2.0 * 0.797_884_6;
            let cubic = line(simd, SLOPE * 0.044_715, simd.mul_f32s(x, x), SLOPE);
            gate(simd, x, simd.mul_f32s(cubic, x))
        }
        Activation::QuickGelu => gate(simd, x, times(-1.702)),
        Activation::Silu => gate(simd, x, times(-1.0)),
        Activation::HardSwish => {
            let up = simd.max_f32s(simd.splat_f32s(0.0), simd.add_f32s(x, simd.splat_f32s(3.0)));
            simd.mul_f32s(simd.min_f32s(simd.splat_f32s(6.0), up), times(1.0 / 6.0))
        }
    }
}
