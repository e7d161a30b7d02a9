//! What is done to every value by itself, or to values that stand in the same place.

use burn::tensor::{Tensor, activation};

use super::bounds::{MOST_MADE, units};
use super::lowering::{Lowered, Node, Refusal};
use super::ranks::{MOST_AXES, broadcast, lengths, merged, of_rank};
use super::value::{Array, Known, Whole};
use crate::kernels::Activation;
use crate::kernels::activation::each;
use crate::kernels::join::{Arithmetic, pairwise, sum};

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
    let slope = f64::from(node.float("alpha", 0.01));
    // Those that are too many to be read at once.
    if matches!(node.input(0)?, Known::Constant(constant) if constant.is_whole()) {
        return Err(WHOLE.into());
    }
    let of = move |x: f32| if x < 0.0 { x * slope as f32 } else { x };
    every(node, move |x| each(x, of, |x| activation::leaky_relu(x, slope)))
}

pub fn elu(node: &Node) -> Result<Lowered, Refusal> {
    let alpha = f64::from(node.float("alpha", 1.0));
    every(node, move |x| activation::elu(x, alpha))
}

pub fn sigmoid(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| each(x, |x| 1.0 / (1.0 + (-x).exp()), activation::sigmoid))
}

pub fn hard_sigmoid(node: &Node) -> Result<Lowered, Refusal> {
    let [alpha, beta] = [node.float("alpha", 0.2), node.float("beta", 0.5)].map(f64::from);
    let of = move |x: f32| (x * alpha as f32 + beta as f32).clamp(0.0, 1.0);
    every(node, move |x| each(x, of, |x| (x * alpha + beta).clamp(0.0, 1.0)))
}

pub fn hard_swish(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| Activation::HardSwish.forward(x))
}

pub fn tanh(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.tanh())
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
    every(node, |x| x.exp())
}

pub fn sqrt(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.sqrt())
}

pub fn ceil(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.ceil())
}

pub fn floor(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.floor())
}

pub fn reciprocal(node: &Node) -> Result<Lowered, Refusal> {
    every(node, |x| x.recip())
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

/// What two values in the same place become.
#[derive(Clone, Copy)]
enum Pair {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Min,
    Max,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Pair {
    /// Of whole numbers; `None` where there is no answer.
    fn whole(self, a: i64, b: i64) -> Option<i64> {
        Some(match self {
            Self::Add => a.checked_add(b)?,
            Self::Sub => a.checked_sub(b)?,
            Self::Mul => a.checked_mul(b)?,
            Self::Div => a.checked_div(b)?,
            Self::Mod => {
                a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })?
            }
            Self::Pow => a.checked_pow(b.try_into().ok()?)?,
            Self::Min => a.min(b),
            Self::Max => a.max(b),
            Self::Equal => i64::from(a == b),
            Self::Less => i64::from(a < b),
            Self::LessOrEqual => i64::from(a <= b),
            Self::Greater => i64::from(a > b),
            Self::GreaterOrEqual => i64::from(a >= b),
            Self::And => i64::from(a != 0 && b != 0),
            Self::Or => i64::from(a != 0 || b != 0),
        })
    }

    fn tensors<const D: usize>(self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Add => pairwise(a, b, Arithmetic::Add),
            Self::Sub => pairwise(a, b, Arithmetic::Sub),
            Self::Mul | Self::And => pairwise(a, b, Arithmetic::Mul),
            Self::Div => pairwise(a, b, Arithmetic::Div),
            Self::Mod => a.remainder(b),
            Self::Pow => a.powf(b),
            Self::Min => a.min_pair(b),
            Self::Max | Self::Or => a.max_pair(b),
            Self::Equal => a.equal(b).float(),
            Self::Less => a.lower(b).float(),
            Self::LessOrEqual => a.lower_equal(b).float(),
            Self::Greater => a.greater(b).float(),
            Self::GreaterOrEqual => a.greater_equal(b).float(),
        }
    }

    fn arrays(self, a: Array, b: Array, shape: &[usize]) -> Array {
        let [x, y] = merged([&a.shape, &b.shape]);
        of_rank!(x.len(), D => Array::new(self.tensors::<D>(a.view(lengths(&x)), b.view(lengths(&y))), shape))
    }
}

/// Of two or more inputs, the first two first.
fn pairs(node: &Node, pair: Pair) -> Result<Lowered, Refusal> {
    let count = node.inputs.len();
    let shapes = (0..count).map(|at| node.shape(at)).collect::<Result<Vec<_>, _>>()?;
    let mut shape = shapes.first().ok_or("nothing goes in")?.to_vec();
    for other in &shapes[1..] {
        if merged([&shape, other])[0].len() > MOST_AXES {
            return Err(format!("shapes {shape:?} and {other:?} of more than {MOST_AXES} axes").into());
        }
        shape = broadcast(&shape, other)?;
    }
    if let Known::Whole(first) = node.input(0)? {
        let mut result = Whole::clone(first);
        for at in 1..count {
            result = whole_pairs(&result, node.whole(at)?, pair)?;
        }
        return Lowered::known(Known::whole(result));
    }
    let takes: Vec<usize> = (0..count).collect();
    Lowered::run(shape, &takes, move |inputs| {
        let combine = |a: Array, b: Array| {
            let shape = broadcast(&a.shape, &b.shape).expect("checked when it was lowered");
            pair.arrays(a, b, &shape)
        };
        inputs.into_iter().reduce(combine).expect("an input")
    })
}

fn whole_pairs(a: &Whole, b: &Whole, pair: Pair) -> Result<Whole, Refusal> {
    let shape = broadcast(&a.shape, &b.shape)?;
    units(&shape, MOST_MADE)?;
    let [of_a, of_b] = [a, b].map(|whole| spread(&whole.shape, &shape));
    let pairs = of_a.into_iter().zip(of_b);
    let values = pairs.map(|(n, m)| pair.whole(a.values[n], b.values[m])).collect::<Option<Vec<_>>>();
    Ok(Whole { shape, values: values.ok_or("whole numbers that overflow, or a division by zero")? })
}

/// For every place of `shape`, which value of an array of the shape `own` is broadcast to it.
fn spread(own: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    let more = shape.len() - own.len();
    for (axis, &length) in shape.iter().enumerate() {
        let own = if axis < more { 1 } else { own[axis - more] };
        let next = |place: usize| (0..length).map(move |n| place * own + if own == 1 { 0 } else { n });
        places = places.into_iter().flat_map(next).collect();
    }
    places
}

pub fn add(node: &Node) -> Result<Lowered, Refusal> {
    let same = node.shape(0)? == node.shape(1)? && node.input(0)?.is_computed();
    if let (Some(activation), true) = (node.then.activation, same) {
        return Lowered::run(node.shape(0)?.to_vec(), &[0, 1], move |mut inputs| {
            let (b, a) = (inputs.remove(1), inputs.remove(0));
            let shape = a.shape.clone();
            Array::new(sum(a.flat(), b.flat(), activation), &shape)
        });
    }
    if same && node.input(1)?.is_computed() {
        return Lowered::run(node.shape(0)?.to_vec(), &[0, 1], |mut inputs| {
            let (b, a) = (inputs.remove(1), inputs.remove(0));
            let shape = a.shape.clone();
            Array::new(sum(a.flat(), b.flat(), Activation::Identity), &shape)
        });
    }
    pairs(node, Pair::Add)
}

pub fn sum_all(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Add)
}

pub fn sub(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Sub)
}

pub fn mul(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Mul)
}

pub fn div(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Div)
}

pub fn modulo(node: &Node) -> Result<Lowered, Refusal> {
    if node.int("fmod", 0) != 0 {
        return Err("fmod = 1, expected 0".into());
    }
    pairs(node, Pair::Mod)
}

pub fn pow(node: &Node) -> Result<Lowered, Refusal> {
    // The exponent may be of another type than the base.
    if let (false, Some(Known::Whole(_))) = (matches!(node.input(0)?, Known::Whole(_)), node.optional(1)) {
        let power = node.number(1)?;
        return every(node, move |x| x.powf_scalar(power));
    }
    pairs(node, Pair::Pow)
}

pub fn min(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Min)
}

pub fn max(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Max)
}

pub fn equal(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Equal)
}

pub fn less(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Less)
}

pub fn less_or_equal(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::LessOrEqual)
}

pub fn greater(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Greater)
}

pub fn greater_or_equal(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::GreaterOrEqual)
}

pub fn and(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::And)
}

pub fn or(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Or)
}

/// The second input where the first is true, else the third.
pub fn choose(node: &Node) -> Result<Lowered, Refusal> {
    let shape = broadcast(&broadcast(node.shape(0)?, node.shape(1)?)?, node.shape(2)?)?;
    if let (Known::Whole(condition), Known::Whole(yes), Known::Whole(no)) =
        (node.input(0)?, node.input(1)?, node.input(2)?)
    {
        units(&shape, MOST_MADE)?;
        let [condition_at, yes_at, no_at] = [condition, yes, no].map(|whole| spread(&whole.shape, &shape));
        let pick = |n: usize| match condition.values[condition_at[n]] {
            0 => no.values[no_at[n]],
            _ => yes.values[yes_at[n]],
        };
        let values = (0..shape.iter().product()).map(pick).collect();
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    let shapes = merged([node.shape(0)?, node.shape(1)?, node.shape(2)?]);
    if shapes[0].len() > MOST_AXES {
        return Err(format!("more than {MOST_AXES} axes").into());
    }
    let to = shape.clone();
    Lowered::run(shape, &[0, 1, 2], move |mut inputs| {
        let (no, yes, condition) = (inputs.remove(2), inputs.remove(1), inputs.remove(0));
        let [c, y, n] = merged([&condition.shape, &yes.shape, &no.shape]);
        let full: Vec<usize> = (0..c.len()).map(|axis| c[axis].max(y[axis]).max(n[axis])).collect();
        of_rank!(c.len(), D => {
            let full: [usize; D] = lengths(&full);
            let condition = condition.view::<D>(lengths(&c)).expand::<D, _>(full).greater_elem(0.5);
            let [yes, no] = [(yes, y), (no, n)].map(|(x, own)| x.view::<D>(lengths(&own)).expand::<D, _>(full));
            Array::new(no.mask_where(condition, yes), &to)
        })
    })
}
