//! Over an axis: means, sums, norms, softmax, layer normalization.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData, activation};

use super::affine;
use super::lowering::{Loader, Lowered, Node, Refusal, Run, axis, weights};
use super::places::permuted;
use super::value::{Array, Known, Whole};
use crate::kernels::activation::softmax as softmax_of_rows;
use crate::kernels::pooling::{row_means, row_sums};
use crate::kernels::{Activation, LayerNorm};
use crate::weights::WeightsError;

/// Reduces the middle of `[outer, along, inner]`.
type Reduction = fn(Tensor<3>) -> Tensor<3>;

fn reduce(node: &Node, reduction: Reduction, whole: fn(&[i64]) -> Option<i64>) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let axes = node.ints("axes", 1)?.filter(|axes| !axes.is_empty());
    let mut axes: Vec<usize> = match axes {
        Some(axes) => axes.into_iter().map(|at| axis(at, own.len())).collect::<Result<_, _>>()?,
        None if node.int("noop_with_empty_axes", 0) != 0 => return super::shapes::identity(node),
        None => (0..own.len()).collect(),
    };
    axes.sort_unstable();
    axes.dedup();
    let kept: Vec<usize> = (0..own.len()).filter(|at| !axes.contains(at)).collect();
    let shape: Vec<usize> = match node.int("keepdims", 1) {
        0 => kept.iter().map(|&at| own[at]).collect(),
        _ => (0..own.len()).map(|at| if axes.contains(&at) { 1 } else { own[at] }).collect(),
    };
    let along: usize = axes.iter().map(|&at| own[at]).product();
    if let Known::Whole(known) = node.input(0)? {
        if !kept.is_empty() {
            return Err("whole numbers along some axes".into());
        }
        let value = whole(&known.values).ok_or("whole numbers that overflow, or none")?;
        return Lowered::known(Known::whole(Whole { shape, values: vec![value] }));
    }
    if along == 0 {
        return Err(
            format!("a reduction of nothing, of the shape {own:?}, expected a value at least along its axes").into()
        );
    }
    let to = shape.clone();
    let together = axes.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if let (true, Some(&first)) = (together, axes.first()) {
        let outer: usize = own[..first].iter().product();
        let inner: usize = own[first + axes.len()..].iter().product();
        return Lowered::run(shape, &[0], move |mut inputs| {
            Array::new(reduction(inputs.remove(0).view([outer, along, inner])), &to)
        });
    }
    let outer: usize = kept.iter().map(|&at| own[at]).product();
    let order = [kept, axes].concat();
    Lowered::run(shape, &[0], move |mut inputs| {
        let x = permuted(inputs.remove(0), &order);
        Array::new(reduction(x.view([outer, along, 1])), &to)
    })
}

fn total(values: &[i64]) -> Option<i64> {
    values.iter().try_fold(0i64, |sum, &value| sum.checked_add(value))
}

pub fn mean(node: &Node) -> Result<Lowered, Refusal> {
    let reduction: Reduction = |x| match x.dims() {
        [rows, along, 1] => row_means(x.reshape([rows, along])).reshape([rows, 1, 1]),
        _ => x.mean_dim(1),
    };
    reduce(node, reduction, |values| total(values)?.checked_div(values.len() as i64))
}

fn summed(x: Tensor<3>) -> Tensor<3> {
    match x.dims() {
        [rows, along, 1] => row_sums(x.reshape([rows, along])).reshape([rows, 1, 1]),
        _ => x.sum_dim(1),
    }
}

pub fn sum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, summed, total)
}

pub fn product(node: &Node) -> Result<Lowered, Refusal> {
    if let Known::Whole(_) = node.input(0)? {
        return reduce(
            node,
            |x| x,
            |values| values.iter().try_fold(1i64, |product, &value| product.checked_mul(value)),
        );
    }
    Err("floating-point numbers, expected the whole ones of a shape".into())
}

pub fn maximum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| x.max_dim(1), |values| values.iter().copied().max())
}

pub fn minimum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| x.min_dim(1), |values| values.iter().copied().min())
}

pub fn l2(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| summed(x.clone() * x).sqrt(), |_| None)
}

pub fn softmax(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let at = axis(node.int("axis", if node.opset < 13 { 1 } else { -1 }), own.len())?;
    let mut sizes = [own[..at].iter().product(), own[at], own[at + 1..].iter().product()];
    // Before opset 13 all axes from this one on are one.
    if node.opset < 13 {
        sizes = [sizes[0], sizes[1] * sizes[2], 1];
    }
    Lowered::run(own, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let (shape, [outer, along, inner]) = (x.shape.clone(), sizes);
        match inner {
            1 => Array::new(softmax_of_rows(x.view([outer, along])), &shape),
            _ => Array::new(activation::softmax(x.view([outer, along, inner]), 1), &shape),
        }
    })
}

pub fn layer_normalization(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    if node.proto.output.iter().filter(|name| !name.is_empty()).count() > 1 {
        return Err("mean and deviation beside the values".into());
    }
    let at = axis(node.int("axis", -1), own.len())?;
    let units: usize = own[at..].iter().product();
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let scale = node.constant(1)?.clone();
    let shift = node.bias(units)?;
    if scale.shape.iter().product::<usize>() != units {
        return Err(format!("a scale of {:?} for {units} outputs", scale.shape).into());
    }
    let parameters = move || {
        let zeros = || Ok(TensorData::zeros::<f32, _>([units]));
        Ok((weights(&scale)?, shift.as_deref().map_or_else(zeros, weights)?))
    };
    normalized(node, units, epsilon, 2 * units, parameters)
}

/// A layer normalization in pieces, over the last axis: what follows is its scale and shift.
pub fn in_pieces(node: &Node, epsilon: f64) -> Result<Lowered, Refusal> {
    let units = node.shape(0)?.last().copied().unwrap_or(1);
    let then = node.then.clone();
    normalized(node, units, epsilon, 0, move || affine::folded(TensorData::ones::<f32, _>([units]), units, None, &then))
}

/// Rows of so many units, with what `parameters` gives as scale and shift, then an activation.
fn normalized(
    node: &Node,
    units: usize,
    epsilon: f64,
    count: usize,
    parameters: impl Fn() -> Result<(TensorData, TensorData), WeightsError> + 'static,
) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let rows = own.iter().product::<usize>() / units.max(1);
    let (at, activation) = (node.at, node.then.activation.unwrap_or(Activation::Identity));
    Lowered::weighted(own.clone(), &[0], 0, count, move |loader: &Loader| {
        let norm = loader.once(at, || {
            let (scale, shift) = parameters()?;
            Ok::<_, WeightsError>(LayerNorm::new(&scale, &shift, epsilon, &loader.device))
        })?;
        let own = own.clone();
        let run: Run = Arc::new(move |mut inputs| {
            let x = norm.forward(inputs.remove(0).view([rows, units]));
            vec![Array::new(activation.forward(x), &own)]
        });
        Ok(run)
    })
}
