//! Over axes: means, sums, norms, softmax, normalizations.

use std::iter::repeat_n;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData, activation};

use super::affine;
use super::batch::Along;
use super::gathers::around;
use super::lowering::{Loader, Lowered, Node, Refusal, Run, axis, weights};
use super::mask::SEES_NONE;
use super::moves::{picked, strides};
use super::places::permuted;
use super::value::{Array, Constant, Known, Whole};
use crate::kernels::activation::{scaled, softmax as softmax_of_rows};
use crate::kernels::norm::over_norms;
use crate::kernels::pooling::{Terms, column_sums, row_means, row_sums};
use crate::kernels::{Activation, LayerNorm};
use crate::weights::WeightsError;

/// Reduces the middle of `[outer, along, inner]`.
type Reduction = fn(Tensor<3>) -> Tensor<3>;

/// The axes that a reduction is over, rising; none of one that does nothing.
fn reduced(node: &Node) -> Result<Option<Vec<usize>>, Refusal> {
    let rank = node.shape(0)?.len();
    let axes = node.ints("axes", 1)?.filter(|axes| !axes.is_empty());
    let mut axes: Vec<usize> = match axes {
        Some(axes) => axes.into_iter().map(|at| axis(at, rank)).collect::<Result<_, _>>()?,
        None if node.int("noop_with_empty_axes", 0) != 0 => return Ok(None),
        None => (0..rank).collect(),
    };
    axes.sort_unstable();
    axes.dedup();
    Ok(Some(axes))
}

/// What a reduction leaves of an axis that it is not over.
pub fn unreduced(node: &Node, along: Along) -> Option<usize> {
    let axes = reduced(node).ok()??;
    let before = axes.iter().filter(|&&axis| axis < along.axis).count();
    let gone = if node.int("keepdims", 1) == 0 { before } else { 0 };
    (!axes.contains(&along.axis)).then(|| along.axis - gone)
}

fn reduce(node: &Node, reduction: Reduction, whole: fn(&[i64]) -> Option<i64>) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let Some(axes) = reduced(node)? else { return super::shapes::identity(node) };
    let kept: Vec<usize> = (0..own.len()).filter(|at| !axes.contains(at)).collect();
    let shape: Vec<usize> = match node.int("keepdims", 1) {
        0 => kept.iter().map(|&at| own[at]).collect(),
        _ => (0..own.len()).map(|at| if axes.contains(&at) { 1 } else { own[at] }).collect(),
    };
    let along: usize = axes.iter().map(|&at| own[at]).product();
    if let Known::Whole(known) = node.input(0)? {
        return Lowered::known(Known::whole(whole_reduced(known, &kept, &axes, shape, whole)?));
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

/// Whole numbers reduced along `axes`.
fn whole_reduced(
    known: &Whole,
    kept: &[usize],
    axes: &[usize],
    shape: Vec<usize>,
    whole: fn(&[i64]) -> Option<i64>,
) -> Result<Whole, Refusal> {
    let (steps, order) = (strides(&known.shape), [kept, axes].concat());
    let lengths: Vec<usize> = order.iter().map(|&axis| known.shape[axis]).collect();
    let rows: usize = lengths[..kept.len()].iter().product();
    const UNFIT: &str = "whole numbers that overflow, or none";
    if rows > 0 && known.values.is_empty() {
        return Err(UNFIT.into());
    }
    let together = picked(known, &lengths, |index| index.iter().zip(&order).map(|(&n, &axis)| n * steps[axis]).sum());
    let along = known.values.len() / rows.max(1);
    let values: Option<Vec<i64>> = together.values.chunks_exact(along.max(1)).map(whole).collect();
    Ok(Whole { shape, values: values.ok_or(UNFIT)? })
}

fn total(values: &[i64]) -> Option<i64> {
    values.iter().try_fold(0i64, |sum, &value| sum.checked_add(value))
}

pub fn mean(node: &Node) -> Result<Lowered, Refusal> {
    let reduction: Reduction = |x| match x.dims() {
        [rows, along, 1] => row_means(x.reshape([rows, along])).reshape([rows, 1, 1]),
        [_, along, _] => column_sums(x, Terms::Values) / along as f64,
    };
    reduce(node, reduction, |values| total(values)?.checked_div(values.len() as i64))
}

fn summed(x: Tensor<3>) -> Tensor<3> {
    match x.dims() {
        [rows, along, 1] => row_sums(x.reshape([rows, along])).reshape([rows, 1, 1]),
        _ => column_sums(x, Terms::Values),
    }
}

fn squared(x: Tensor<3>) -> Tensor<3> {
    match x.dims() {
        [.., 1] => summed(x.clone() * x),
        _ => column_sums(x, Terms::Squares),
    }
}

pub fn sum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, summed, total)
}

pub fn product(node: &Node) -> Result<Lowered, Refusal> {
    let whole = |values: &[i64]| values.iter().try_fold(1i64, |product, &value| product.checked_mul(value));
    reduce(node, |x| x.prod_dim(1), whole)
}

pub fn maximum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| x.max_dim(1), |values| values.iter().copied().max())
}

pub fn minimum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| x.min_dim(1), |values| values.iter().copied().min())
}

pub fn l1(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| summed(x.abs()), |_| None)
}

pub fn sum_of_squares(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, squared, |_| None)
}

pub fn log_of_sum(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| summed(x).log(), |_| None)
}

pub fn log_of_sum_of_exponentials(node: &Node) -> Result<Lowered, Refusal> {
    let reduction: Reduction = |x| {
        let most = x.clone().max_dim(1);
        summed((x - most.clone()).exp()).log() + most
    };
    reduce(node, reduction, |_| None)
}

pub fn l2(node: &Node) -> Result<Lowered, Refusal> {
    reduce(node, |x| squared(x).sqrt(), |_| None)
}

/// An axis other than the one summed along.
pub fn beside_sums(node: &Node, along: Along) -> Option<usize> {
    let summed = axis(node.number(1).ok()? as i64, along.made).ok()?;
    (along.axis != summed).then_some(along.axis)
}

/// Of every place the sum of those up to it.
pub fn cumulative(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let along = axis(node.number(1)? as i64, own.len())?;
    if node.int("exclusive", 0) != 0 || node.int("reverse", 0) != 0 {
        return Err("exclusive or reverse, expected neither".into());
    }
    let [outer, length, inner] = around(&own, along);
    if let Known::Whole(known) = node.input(0)? {
        let mut values = known.values.clone();
        for n in (0..values.len()).filter(|n| n / inner % length > 0) {
            values[n] = values[n].checked_add(values[n - inner]).ok_or("whole numbers that overflow")?;
        }
        return Lowered::known(Known::whole(Whole { shape: own, values }));
    }
    Lowered::run(own.clone(), &[0], move |mut inputs| {
        Array::new(inputs.remove(0).view([outer, length, inner]).cumsum(1), &own)
    })
}

/// An axis other than the one whose norm it is.
pub fn beside_norms(node: &Node, along: Along) -> Option<usize> {
    let normed = axis(node.int("axis", -1), along.made).ok()?;
    (along.axis != normed).then_some(along.axis)
}

/// `x` over the norm along an axis, the first or the second.
pub fn lp_normalization(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let along = axis(node.int("axis", -1), own.len())?;
    let size: Reduction = match node.int("p", 2) {
        1 => |x| summed(x.abs()),
        2 => |x| squared(x).sqrt(),
        p => return Err(format!("p = {p}, expected 1 or 2").into()),
    };
    let [outer, length, inner] = around(&own, along);
    if (node.int("p", 2), inner) == (2, 1) {
        // Nothing stays nothing, and what is so small that its squares are no normal numbers stays small.
        return over_norms_of_rows(node, f64::from(f32::MIN_POSITIVE).sqrt());
    }
    Lowered::run(own.clone(), &[0], move |mut inputs| {
        let x = inputs.remove(0).view([outer, length, inner]);
        let size = size(x.clone());
        // Nothing stays nothing.
        let nothing = size.clone().equal_elem(0.0);
        Array::new(x / size.mask_fill(nothing, 1.0), &own)
    })
}

pub fn softmax(node: &Node) -> Result<Lowered, Refusal> {
    let of_rows = if node.proto.int(SEES_NONE).is_some() { or_zeros } else { softmax_of_rows };
    along_rows(node, of_rows, |x| activation::softmax(x, 1))
}

/// Softmax of rows, zeros of those of nothing but minus infinity.
fn or_zeros(x: Tensor<2>) -> Tensor<2> {
    let nothing = x.clone().max_dim(1).equal_elem(f32::NEG_INFINITY).expand::<2, _>(x.dims());
    softmax_of_rows(x).mask_fill(nothing, 0.0)
}

pub fn log_softmax(node: &Node) -> Result<Lowered, Refusal> {
    along_rows(node, |x| activation::log_softmax(x, 1), |x| activation::log_softmax(x, 1))
}

/// The operator's axis, and how many from it on are one: before opset 13 all.
fn row_axes(node: &Node) -> Result<std::ops::Range<usize>, Refusal> {
    let rank = node.shape(0)?.len();
    let at = axis(node.int("axis", if node.opset < 13 { 1 } else { -1 }), rank)?;
    Ok(at..if node.opset < 13 { rank } else { at + 1 })
}

/// An axis that is not of the rows.
pub fn beside_rows(node: &Node, along: Along) -> Option<usize> {
    (!row_axes(node).ok()?.contains(&along.axis)).then_some(along.axis)
}

/// Of the rows of the operator's axis; those whose units are not neighbours as the middle of `[outer, along, inner]`.
fn along_rows(node: &Node, of_rows: fn(Tensor<2>) -> Tensor<2>, of_middle: Reduction) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let row = row_axes(node)?;
    let sizes = [&own[..row.start], &own[row.clone()], &own[row.end..]].map(|axes| axes.iter().product());
    Lowered::run(own, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let (shape, [outer, along, inner]) = (x.shape.clone(), sizes);
        match inner {
            1 => Array::new(of_rows(x.view([outer, along])), &shape),
            _ => Array::new(of_middle(x.view([outer, along, inner])), &shape),
        }
    })
}

/// An axis before those normalized.
pub fn before_normalized(node: &Node, along: Along) -> Option<usize> {
    let normalized = axis(node.int("axis", -1), along.made).ok()?;
    (along.axis < normalized).then_some(along.axis)
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

/// `gamma x / sqrt(mean of x^2 + epsilon)` over the last axes (Zhang & Sennrich 2019).
pub fn rms_normalization(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let at = axis(node.int("axis", -1), own.len())?;
    let units: usize = own[at..].iter().product();
    let rows: usize = own[..at].iter().product();
    let (scale, epsilon, key) = (node.constant(1)?.clone(), node.float("epsilon", 1e-5), node.key);
    if units == 0 || scale.shape.iter().product::<usize>() != units {
        return Err(format!("a scale of {:?} for {units} outputs", scale.shape).into());
    }
    Lowered::weighted(own.clone(), &[0], 0, units, move |loader: &Loader| {
        let scale = loader.once(key, || {
            let values = weights(&scale)?;
            Ok(Tensor::<1>::from_data(values, &loader.device).reshape([1, units]))
        })?;
        let own = own.clone();
        let run: Run = Arc::new(move |mut inputs| {
            let x = inputs.remove(0).view([rows, units]);
            let size = (row_means(x.clone() * x.clone()).reshape([rows, 1]) + epsilon).sqrt();
            vec![Array::new(x / size * (*scale).clone(), &own)]
        });
        Ok(run)
    })
}

pub fn instance_normalization(node: &Node) -> Result<Lowered, Refusal> {
    let channels = *node.shape(0)?.get(1).ok_or("no axis of channels")?;
    of_groups(node, channels)
}

pub fn group_normalization(node: &Node) -> Result<Lowered, Refusal> {
    let groups = node.int("num_groups", 0);
    of_groups(node, groups.try_into().map_err(|_| format!("num_groups = {groups}"))?)
}

/// Every group of channels of an image by its own mean and variance, then a scale and a shift, of each channel or of each
/// group (Wu & He 2018; a channel a group: Ulyanov et al. 2016).
fn of_groups(node: &Node, groups: usize) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let &[images, channels, ref places @ ..] = &own[..] else { return Err(format!("a value of shape {own:?}").into()) };
    let places: usize = places.iter().product();
    if groups == 0 || channels % groups != 0 || places == 0 {
        return Err(format!("{own:?} in {groups} groups of channels").into());
    }
    let (rows, units) = (images * groups, channels / groups * places);
    let parameters = [node.constant(1)?.clone(), node.constant(2)?.clone()];
    for constant in &parameters {
        let count = constant.shape.iter().product::<usize>();
        if count != channels && count != groups {
            let shape = &constant.shape;
            return Err(format!("a scale or shift of {shape:?} for {channels} channels in {groups} groups").into());
        }
    }
    let (key, epsilon) = (node.key, f64::from(node.float("epsilon", 1e-5)));
    Lowered::weighted(own.clone(), &[0], 0, 2 * channels, move |loader: &Loader| {
        let laid_out = loader.once(key, || {
            let [ones, zeros] = [1.0f32, 0.0].map(|value| TensorData::full([units], value));
            let norm = LayerNorm::new(&ones, &zeros, epsilon, &loader.device);
            let each = |constant: &Constant| {
                let values = weights(constant)?.try_to_vec::<f32>().expect("weights are f32");
                let alike = channels / values.len();
                let values: Vec<f32> = values.into_iter().flat_map(|value| repeat_n(value, alike)).collect();
                let data = TensorData::new(values, [1, channels, 1]);
                Ok::<_, WeightsError>(Tensor::<3>::from_data(data, &loader.device))
            };
            Ok((norm, [each(&parameters[0])?, each(&parameters[1])?]))
        })?;
        let own = own.clone();
        let run: Run = Arc::new(move |mut inputs| {
            let (norm, parameters) = &*laid_out;
            let x = norm.forward(inputs.remove(0).view([rows, units])).reshape([images, channels, places]);
            vec![Array::new(scaled(x, parameters.each_ref(), None, Activation::Identity), &own)]
        });
        Ok(run)
    })
}

/// A layer normalization in pieces, over the last axis: what follows is its scale and shift.
pub fn in_pieces(node: &Node, epsilon: f64) -> Result<Lowered, Refusal> {
    let units = node.shape(0)?.last().copied().unwrap_or(1);
    let then = node.then.clone();
    normalized(node, units, epsilon, 0, move || affine::folded(TensorData::ones::<f32, _>([units]), units, None, &then))
}

/// Rows along the last axis over their norms, or over `least`, in pieces.
pub fn over_norms_of_rows(node: &Node, least: f64) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let units = own.last().copied().unwrap_or(1);
    let rows = own.iter().product::<usize>() / units.max(1);
    Lowered::run(own.clone(), &[0], move |mut inputs| {
        Array::new(over_norms(inputs.remove(0).view([rows, units]), least as f32), &own)
    })
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
    let (key, activation) = (node.key, node.then.activation.unwrap_or(Activation::Identity));
    Lowered::weighted(own.clone(), &[0], 0, count, move |loader: &Loader| {
        let norm = loader.once(key, || {
            let (scale, shift) = parameters()?;
            Ok(LayerNorm::new(&scale, &shift, epsilon, &loader.device))
        })?;
        let own = own.clone();
        let run: Run = Arc::new(move |mut inputs| {
            let x = norm.forward(inputs.remove(0).view([rows, units]));
            vec![Array::new(activation.forward(x), &own)]
        });
        Ok(run)
    })
}
