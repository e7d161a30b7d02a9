//! What is done to values that stand in the same place.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::affine;
use super::batch::Along;
use super::bounds::{MOST_MADE, units};
use super::functions;
use super::lowering::{Loader, Lowered, Node, Refusal, Run, axis};
use super::ranks::{MOST_AXES, broadcast, lengths, merged, of_rank};
use super::value::{Array, Known, Whole};
use crate::kernels::Activation;
use crate::kernels::activation::scaled;
use crate::kernels::join::{Arithmetic, pairwise, sum};

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
    /// The first where it is not below zero, else their product.
    Sloped,
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
            Self::Sloped => {
                if a < 0 {
                    a.checked_mul(b)?
                } else {
                    a
                }
            }
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
            Self::Sloped => {
                let below = pairwise(Activation::Relu.forward(a.clone().neg()), b, Arithmetic::Mul);
                pairwise(Activation::Relu.forward(a), below, Arithmetic::Sub)
            }
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
    if let (Some(first), [a, b]) = (node.proto.int("axis").filter(|_| node.opset < 7), &shapes[..])
        && b.iter().product::<usize>() != 1
        && axis(first, a.len())? + b.len() != a.len()
    {
        return Err(
            format!("{b:?} from axis {first} of {a:?} on, as before ONNX 7; export with opset 7 or later").into()
        );
    }
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
    let (a, b) = (node.input(0)?, node.input(1)?);
    if a.shape() != b.shape() || !a.is_computed() || !b.is_computed() {
        return pairs(node, Pair::Add);
    }
    let activation = node.then.activation.unwrap_or(Activation::Identity);
    Lowered::run(a.shape().to_vec(), &[0, 1], move |mut inputs| {
        let (b, a) = (inputs.remove(1), inputs.remove(0));
        let shape = a.shape.clone();
        Array::new(sum(a.flat(), b.flat(), activation), &shape)
    })
}

pub fn sum_all(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Add)
}

pub fn sub(node: &Node) -> Result<Lowered, Refusal> {
    pairs(node, Pair::Sub)
}

pub fn mul(node: &Node) -> Result<Lowered, Refusal> {
    let then = node.then.clone();
    if then.affine.is_empty() && !then.summed && then.activation.is_none() {
        return pairs(node, Pair::Mul);
    }
    let (a, b) = (node.shape(0)?.to_vec(), node.shape(1)?.to_vec());
    let (shape, takes, found) = match factors(&a, &b) {
        Some(found) => (a, [0, 1], found),
        None => (b.clone(), [1, 0], factors(&b, &a).ok_or("no factors of channels")?),
    };
    let (channels, plane) = found;
    let images = shape[0];
    let rest = shape.iter().product::<usize>() / (images * channels);
    let [whole, own] = match plane {
        1 => [[images, rest, channels], [1, 1, channels]],
        _ => [[images, channels, rest], [1, channels, 1]],
    };
    let activation = then.activation.unwrap_or(Activation::Identity);
    Lowered::weighted(shape.clone(), &node.with_summand(&takes), 0, 0, move |loader: &Loader| {
        // Not laid out once for all numbers of images: these may be the channels, where another axis is the first.
        let (scales, shifts) = affine::folded(TensorData::ones::<f32, _>([channels]), channels, None, &then)?;
        let laid_out = [scales, shifts].map(|values| Tensor::<1>::from_data(values, &loader.device).reshape(own));
        let (shape, scaled_by, summed) = (shape.clone(), !then.affine.is_empty(), then.summed);
        let run: Run = Arc::new(move |mut x| {
            let [scales, shifts] = &laid_out;
            let summand = summed.then(|| x.remove(2).view(whole));
            let factors = x.remove(1).view([images, own[1], own[2]]);
            let by = if scaled_by { pairwise(factors, scales.clone(), Arithmetic::Mul) } else { factors };
            vec![Array::new(scaled(x.remove(0).view(whole), [&by, shifts], summand, activation), &shape)]
        });
        Ok(run)
    })
}

/// Of values of a `shape`, images first, and factors that multiply all of an image's channels: how many channels there are, the
/// second axis or the last, and how far apart they lie.
pub fn factors(shape: &[usize], factors: &[usize]) -> Option<(usize, usize)> {
    let last = shape.len().checked_sub(1).filter(|&last| last > 1 && factors.len() == shape.len())?;
    let one_but = |axis: usize| (1..=last).all(|other| factors[other] == if other == axis { shape[axis] } else { 1 });
    let axis = [1, last].into_iter().find(|&axis| factors[0] == shape[0] && shape[axis] > 1 && one_but(axis))?;
    let channels = (shape[axis], shape[axis + 1..].iter().product());
    (shape[1..].iter().product::<usize>() > channels.0).then_some(channels)
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
    let axes = [node.shape(0)?.len(), node.shape(1)?.len()];
    if let (false, true, Ok(power)) = (node.input(0)?.is_whole(), axes[1] <= axes[0], node.number(1)) {
        return functions::power(node, power as f32);
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

pub fn prelu(node: &Node) -> Result<Lowered, Refusal> {
    let [own, slopes] = [node.shape(0)?, node.shape(1)?];
    if node.opset < 7 && slopes.iter().product::<usize>() > 1 {
        return Err("slopes of channels before ONNX 7; export with opset 7 or later".into());
    }
    if broadcast(own, slopes)? != own {
        return Err(format!("slopes of {slopes:?} for values of {own:?}").into());
    }
    pairs(node, Pair::Sloped)
}

/// An axis before those of the matrices.
pub fn beside_matrices(_: &Node, along: Along) -> Option<usize> {
    (along.axis + 2 < along.made).then_some(along.axis)
}

/// Of every matrix what is above a diagonal, or below, and zeros elsewhere.
pub fn triangle(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let &[.., rows, columns] = &own[..] else { return Err(format!("a value of the shape {own:?}").into()) };
    let (upper, diagonal) = (node.int("upper", 1) != 0, node.optional(1).map_or(Ok(0.0), |_| node.number(1))?);
    let keeps = move |place: usize| {
        let right = (place % columns) as f64 - (place / columns) as f64;
        if upper { right >= diagonal } else { right <= diagonal }
    };
    if let Known::Whole(known) = node.input(0)? {
        let kept = |(n, &value): (usize, &i64)| if keeps(n % (rows * columns)) { value } else { 0 };
        let values = known.values.iter().enumerate().map(kept).collect();
        return Lowered::known(Known::whole(Whole { shape: own, values }));
    }
    Lowered::run(own.clone(), &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let kept = (0..rows * columns).map(|place| f32::from(keeps(place))).collect();
        let kept: Tensor<2> = Array::of(kept, &[rows, columns], &x.device()).view([1, rows * columns]);
        let matrices = own[..own.len() - 2].iter().product();
        let x = x.view([matrices, rows * columns]);
        Array::new(x.mask_fill(kept.equal_elem(0.0).expand::<2, _>([matrices, rows * columns]), 0.0), &own)
    })
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
