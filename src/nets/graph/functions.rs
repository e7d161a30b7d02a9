//! What is done to every value by itself.

use burn::tensor::{Tensor, activation};

use super::lowering::{Lowered, Node, Refusal};
use super::value::{Array, Known, Whole};
use crate::kernels::Activation;
use crate::kernels::activation::{Function, each};

const WHOLE: &str = "whole numbers, expected floating-point ones";

/// Of every floating-point value.
pub fn every(
    node: &Node,
    function: impl Fn(Tensor<1>) -> Tensor<1> + Send + Sync + 'static,
) -> Result<Lowered, Refusal> {
    if let Known::Whole(_) = node.input(0)? {
        return Err(WHOLE.into());
    }
    Lowered::run(node.shape(0)?.to_vec(), &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let shape = x.shape.clone();
        Array::new(function(x.flat()), &shape)
    })
}

/// Of every value, whole or not.
fn every_number(
    node: &Node,
    whole: impl Fn(i64) -> i64,
    function: impl Fn(Tensor<1>) -> Tensor<1> + Send + Sync + 'static,
) -> Result<Lowered, Refusal> {
    if let Known::Whole(known) = node.input(0)? {
        let values = known.values.iter().map(|&value| whole(value)).collect();
        return Lowered::known(Known::whole(Whole { shape: known.shape.clone(), values }));
    }
    every(node, function)
}

pub fn relu(node: &Node) -> Result<Lowered, Refusal> {
    every_number(node, |x| x.max(0), |x| Activation::Relu.forward(x))
}

pub fn leaky_relu(node: &Node) -> Result<Lowered, Refusal> {
    let slope = node.float("alpha", 0.01);
    // Those that are too many to be read at once.
    if matches!(node.input(0)?, Known::Constant(constant) if constant.is_whole()) {
        return Err(WHOLE.into());
    }
    let of = move |x: f32| if x < 0.0 { x * slope } else { x };
    computed(node, of, move |x| Function::LeakyRelu { slope }.forward(x))
}

/// Of every value, what `scalar` makes of it on a CPU, what `tensor` makes of all on a GPU.
fn computed(
    node: &Node,
    scalar: impl Fn(f32) -> f32 + Copy + Send + Sync + 'static,
    tensor: impl Fn(Tensor<1>) -> Tensor<1> + Send + Sync + 'static,
) -> Result<Lowered, Refusal> {
    every(node, move |x| each(x, scalar, &tensor))
}

pub fn elu(node: &Node) -> Result<Lowered, Refusal> {
    let alpha = node.float("alpha", 1.0);
    exponential(node, 1.0, alpha, 1.0)
}

pub fn celu(node: &Node) -> Result<Lowered, Refusal> {
    let alpha = node.float("alpha", 1.0);
    if alpha == 0.0 {
        return Err("alpha = 0".into());
    }
    exponential(node, 1.0, alpha, 1.0 / alpha)
}

pub fn selu(node: &Node) -> Result<Lowered, Refusal> {
    // The operator's own defaults (Klambauer et al. 2017).
    let (alpha, gamma) = (node.float("alpha", 1.673_263_2), node.float("gamma", 1.050_701));
    exponential(node, gamma, gamma * alpha, 1.0)
}

/// `above x` above zero, `below (exp(rate x) - 1)` below.
fn exponential(node: &Node, above: f32, below: f32, rate: f32) -> Result<Lowered, Refusal> {
    computed(
        node,
        move |x| if x > 0.0 { above * x } else { below * (rate * x).exp_m1() },
        move |x| {
            let negative = ((x.clone().clamp_max(0.0) * rate).exp() - 1.0) * below;
            Activation::Relu.forward(x) * above + negative
        },
    )
}

pub fn softplus(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), |x| Function::Softplus.forward(x))
}

pub fn softsign(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x / (1.0 + x.abs()), |x| x.clone() / (x.abs() + 1.0))
}

/// `x tanh(ln(1 + exp(x)))` (Misra 2019), which of `e = exp(x)` is `x e (e + 2) / (e (e + 2) + 2)`: `x` beyond 20.
pub fn mish(node: &Node) -> Result<Lowered, Refusal> {
    const BEYOND: f32 = 20.0;
    computed(
        node,
        |x| {
            let e = x.min(BEYOND).exp();
            let w = e * (e + 2.0);
            x * (w / (w + 2.0))
        },
        |x| Function::Mish.forward(x),
    )
}

/// `x / (1 + exp(-alpha x))`.
pub fn swish(node: &Node) -> Result<Lowered, Refusal> {
    let alpha = node.float("alpha", 1.0);
    if alpha == 1.0 {
        return every(node, |x| Activation::Silu.forward(x));
    }
    computed(node, move |x| x / (1.0 + (-alpha * x).exp()), move |x| x.clone() * activation::sigmoid(x * alpha))
}

pub fn thresholded_relu(node: &Node) -> Result<Lowered, Refusal> {
    let alpha = node.float("alpha", 1.0);
    computed(
        node,
        move |x| if x <= alpha { 0.0 } else { x },
        move |x| x.clone().mask_fill(x.lower_equal_elem(alpha), 0.0),
    )
}

pub fn sigmoid(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| 1.0 / (1.0 + (-x).exp()), |x| Function::Sigmoid.forward(x))
}

pub fn hard_sigmoid(node: &Node) -> Result<Lowered, Refusal> {
    let [slope, shift] = [node.float("alpha", 0.2), node.float("beta", 0.5)];
    let of = move |x: f32| (x * slope + shift).clamp(0.0, 1.0);
    computed(node, of, move |x| Function::HardSigmoid { slope, shift }.forward(x))
}

pub fn hard_swish(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| Activation::HardSwish.forward(x))
}

pub fn tanh(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.tanh(), |x| x.tanh())
}

pub fn erf(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.erf())
}

pub fn gelu(node: &Node) -> Result<Lowered, Refusal> {
    match node.text("approximate") {
        "tanh" => every(node, |x| Activation::GeluTanh.forward(x)),
        "" | "none" => every(node, |x| Activation::Gelu.forward(x)),
        other => Err(format!("approximate = {other:?}, expected none or tanh").into()),
    }
}

pub fn exp(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.exp(), |x| x.exp())
}

pub fn sqrt(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.sqrt(), |x| x.sqrt())
}

pub fn ceil(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.ceil(), |x| x.ceil())
}

pub fn floor(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.floor(), |x| x.floor())
}

/// Every value to the same power.
pub fn power(node: &Node, power: f32) -> Result<Lowered, Refusal> {
    let scalar = move |x: f32| match power {
        2.0 => x * x,
        3.0 => x * x * x,
        _ => x.powf(power),
    };
    computed(node, scalar, move |x| x.powf_scalar(power))
}

pub fn round(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.round_ties_even(), |x| x.round())
}

pub fn log(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.ln(), |x| x.log())
}

pub fn sin(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.sin(), |x| x.sin())
}

pub fn cos(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.cos(), |x| x.cos())
}

pub fn sign(node: &Node) -> Result<Lowered, Refusal> {
    // Of nothing nothing, where `signum` has 1.
    every_number(node, i64::signum, |x| each(x, |x| if x == 0.0 { 0.0 } else { x.signum() }, |x| x.sign()))
}

pub fn reciprocal(node: &Node) -> Result<Lowered, Refusal> {
    computed(node, |x| x.recip(), |x| x.recip())
}

pub fn neg(node: &Node) -> Result<Lowered, Refusal> {
    every_number(node, i64::wrapping_neg, |x| x.neg())
}

pub fn abs(node: &Node) -> Result<Lowered, Refusal> {
    every_number(node, i64::wrapping_abs, |x| x.abs())
}

pub fn not(node: &Node) -> Result<Lowered, Refusal> {
    every_number(node, |x| i64::from(x == 0), |x| x.neg() + 1.0)
}

pub fn is_nan(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.is_nan().float())
}

/// Which values are infinite, of both signs or one.
pub fn is_inf(node: &Node) -> Result<Lowered, Refusal> {
    // Nothing is beyond infinity.
    let least = if node.int("detect_negative", 1) != 0 { f32::MIN } else { f32::NEG_INFINITY };
    let most = if node.int("detect_positive", 1) != 0 { f32::MAX } else { f32::INFINITY };
    every(node, move |x| x.clone().lower_elem(least).float() + x.greater_elem(most).float())
}

/// The bounds of a `Clip`.
pub fn bounds(node: &Node) -> Result<[f64; 2], Refusal> {
    let bound = |setting: &str, at: usize, none: f64| match node.optional(at) {
        Some(_) => node.number(at),
        None => Ok(node.proto.float(setting).map_or(none, f64::from)),
    };
    Ok([bound("min", 1, f64::NEG_INFINITY)?, bound("max", 2, f64::INFINITY)?])
}

pub fn clip(node: &Node) -> Result<Lowered, Refusal> {
    let [low, high] = bounds(node)?;
    every_number(
        node,
        |x| x.max(low as i64).min(high as i64),
        move |x| {
            let [least, most] = [low, high].map(|bound| bound as f32);
            let of = move |x: f32| {
                if x < least {
                    least
                } else if x > most {
                    most
                } else {
                    x
                }
            };
            each(x, of, |x| {
                let x = if low.is_finite() { x.clamp_min(low) } else { x };
                if high.is_finite() { x.clamp_max(high) } else { x }
            })
        },
    )
}
