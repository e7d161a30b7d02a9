//! The smooth functions of transformers, each a straight line of operations that a loop over values does on whole vectors.

/// `e^x`, to 1.4 roundings (measured); held within the range of f32, 0 is not reached.
///
/// With `n = round(x / ln 2)`: `2^n e^(x - n ln 2)`, the polynomial Cephes' (Moshier 1992).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Added to a number, leaves it rounded to an integer in the last bits.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let polynomial = [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
    let tail = polynomial.into_iter().fold(1.987_569_1e-4, |sum, next| sum * r + next);
    // The exponent's bits; those above fall out.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (tail * r * r + r + 1.0) * power
}

/// The error function, to 1.6 roundings (measured): Juffa's minimax polynomials, one near 0, one in an exponent.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = if x.abs() > 4.0 { 4.0 } else { x.abs() };
    let s = t * t;
    let high = -1.728_534_7e-5 * t + 3.831_971_3e-4;
    let low = -3.883_964_4e-3 * t + 2.425_462_2e-2;
    let exponent = [-0.106_777_88, -0.634_846_7, -0.128_717_51];
    let exponent = exponent.into_iter().fold(high * s + low, |sum, next| sum * t + next);
    let far = (1.0 - exp(exponent * t - t)).copysign(x);
    let near = [4.991_194_2e-3, -2.676_813_5e-2, 0.112_819_925, -0.376_125_34, 0.128_379_17];
    let near = near.into_iter().fold(-5.967_617e-4, |sum, next| sum * s + next);
    if t > 0.927_734_4 { far } else { near * x + x }
}

/// [`Activation::Gelu`](super::Activation::Gelu).
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// [`Activation::GeluTanh`](super::Activation::GeluTanh): `(1 + tanh y) / 2` is `1 / (1 + exp(-2 y))`.
#[inline(always)]
pub fn gelu_tanh(x: f32) -> f32 {
    const SLOPE: f32 = -2.0 * 0.797_884_6;
    x / (1.0 + exp(SLOPE * (x + 0.044_715 * x * x * x)))
}

/// [`Activation::QuickGelu`](super::Activation::QuickGelu).
#[inline(always)]
pub fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

/// [`Activation::Silu`](super::Activation::Silu).
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}
