//! Nodes computed where their input lies: rows in any order, maps with their channels last.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::TensorData;

use super::compile::Compiled;
use super::convolutions::{self, Stored};
use super::fusion::Open;
use super::lowering::{Key, Loader, Lowered, Node, Refusal, Run, weights};
use super::places::{Move, Places, permuted};
use super::products;
use super::value::{Array, Known};
use crate::kernels::{ChannelsLast, Window};
use crate::weights::WeightsError;

/// The same node of its input's root, and where its output lies in what that gives; none if there is nothing to gain.
///
/// # Errors
/// As those of the operators.
pub fn laid(compiled: &Compiled, at: usize, own: &Open) -> Result<Option<(Open, Places)>, Refusal> {
    let wiring = compiled.wiring();
    let Some(value) = own.values.first().copied().flatten().filter(|&value| compiled.is_computed(value)) else {
        return Ok(None);
    };
    let view = compiled.view(value, at);
    let units = compiled.known[view.of].as_ref().map_or(0, Known::units);
    let moved = !view.places.is_plain(units) && view.places.is_permutation(units);
    let last = view.places.shape.last().copied().unwrap_or(1);
    let constant = |n: usize| match own.inputs.get(n) {
        Some(Some(Known::Constant(constant))) => Some(constant),
        _ => None,
    };
    match wiring.operator(at) {
        "MatMul" | "Gemm" if moved => {
            let Some(&[a, b]) = constant(1).map(|weights| &weights.shape[..]) else { return Ok(None) };
            let turned = wiring.model.nodes[at].int("transB").unwrap_or(0) != 0;
            let outputs = if turned { a } else { b };
            let rows = rows(own, &view.places, view.of, last, outputs, Some((outputs, 1)));
            Ok(match rows {
                None if compiled.on_cpu() && wiring.operator(at) == "MatMul" => {
                    planes(own, &view.places, view.of, [last, outputs])
                }
                rows => rows,
            })
        }
        "LayerNormalization" if moved => {
            let along =
                super::lowering::axis(wiring.model.nodes[at].int("axis").unwrap_or(-1), view.places.shape.len());
            match along {
                Ok(along) if along + 1 == view.places.shape.len() => {
                    Ok(rows(own, &view.places, view.of, last, last, None))
                }
                _ => Ok(None),
            }
        }
        "Add" if moved => {
            let Some(other) = own.values[1].filter(|&other| compiled.is_computed(other)) else { return Ok(None) };
            let other = compiled.view(other, at);
            let alike = other.places.lie_as(&view.places) && other.places.shape == view.places.shape;
            if !alike || compiled.known[other.of].as_ref().map(Known::units) != Some(units) {
                return Ok(None);
            }
            let inputs = vec![Some(Known::Computed(vec![units])); 2];
            let values = vec![Some(view.of), Some(other.of)];
            Ok(Some((Open { inputs, values, opens: true, ..own.clone() }, view.places)))
        }
        "Conv" if view.places.is_permutation(units) => convolution(compiled, at, own, view.of, view.places),
        _ => Ok(None),
    }
}

/// What works row by row, of the rows in the order of the root.
pub fn rows(
    own: &Open,
    places: &Places,
    root: usize,
    inputs: usize,
    outputs: usize,
    channels: Option<(usize, usize)>,
) -> Option<(Open, Places)> {
    let mut shape = places.shape.clone();
    *shape.last_mut()? = outputs;
    let to = places.rows_of([inputs, outputs], 1, shape)?;
    let mut open = own.clone();
    open.inputs[0] = Some(Known::Computed(places.shape.clone()));
    open.values[0] = Some(root);
    open.opens = channels.is_some();
    open.channels = channels;
    Some((open, to))
}

/// A dense layer whose inputs lie in planes (tokens that are mixed, heads that talk to each other): a 1 x 1 convolution.
fn planes(own: &Open, places: &Places, root: usize, [inputs, outputs]: [usize; 2]) -> Option<(Open, Places)> {
    let &[(_, plane)] = &places.axes()?.last()?[..] else { return None };
    let shape = [&places.shape[..places.shape.len() - 1], &[outputs]].concat();
    let to = places.rows_of([inputs, outputs], plane, shape)?;
    let maps = [places.units() / (inputs * plane), inputs, 1, plane];
    let mut open = Open { opens: true, channels: Some((outputs, plane)), ..own.clone() };
    open.lower = Rc::new(convolutions::of_planes);
    open.inputs[0] = Some(Known::Computed(maps.to_vec()));
    open.values[0] = Some(root);
    Some((open, to))
}

/// Where maps `[images, channels, height, width]` lie with their channels last.
fn channels_last([images, channels, height, width]: [usize; 4]) -> Places {
    let (pixel, row) = (channels, channels * width);
    Places::strided(&[(images, row * height), (channels, 1), (height, row), (width, pixel)])
}

/// A convolution of maps with their channels last: each channel by itself, or of windows that lie side by side, which are
/// rows of a dense layer. Those of maps with their channels first if they are turned into tokens afterwards.
fn convolution(
    compiled: &Compiled,
    at: usize,
    own: &Open,
    root: usize,
    places: Places,
) -> Result<Option<(Open, Places)>, Refusal> {
    let (Ok(shape), Some(Some(Known::Constant(kernel)))) =
        (<[usize; 4]>::try_from(&places.shape[..]), own.inputs.get(1))
    else {
        return Ok(None);
    };
    let [images, channels, height, width] = shape;
    let last = is_last(&places);
    let &[outputs, inputs, high, wide] = &kernel.shape[..] else { return Ok(None) };
    let (window, _) = convolutions::window(&compiled.node_at(at), [high, wide], [height, width])?;
    let [rows, columns] = window.output([height, width]);
    let side_by_side = Window { size: [high, wide], stride: [high, wide], padding: [(0, 0); 2], dilation: [1; 2] };
    let to = channels_last([images, outputs, rows, columns]);
    let mut open = Open { opens: true, channels: Some((outputs, 1)), ..own.clone() };
    open.values[0] = Some(root);
    let apart = inputs == 1 && outputs == channels && channels > 1 && high * wide > 1;
    if last && compiled.on_cpu() && apart && ChannelsLast::suits(window, [height, width]) {
        return Ok(Some((Open { lower: Rc::new(depthwise), sums: false, ..open }, to)));
    }
    let whole = window == side_by_side && [rows * high, columns * wide] == [height, width];
    let pays = last || high * wide > 1 && becomes_tokens(compiled, at);
    if whole && pays && inputs == channels && patches(&places, [high, wide], last).is_some() {
        open.lower = Rc::new(move |node| patched(node, &places));
        return Ok(Some((open, to)));
    }
    Ok(None)
}

/// Whether all that takes what a node computes turns its axes, perhaps after it is brought into another shape.
fn becomes_tokens(compiled: &Compiled, at: usize) -> bool {
    let wiring = compiled.wiring();
    let turned = |value: usize, beyond: &dyn Fn(usize) -> bool| {
        let mut takers = wiring.takers_of_values(value).peekable();
        takers.peek().is_some() && takers.all(|taker| wiring.operator(taker) == "Transpose" || beyond(taker))
    };
    turned(wiring.outputs[at][0], &|taker| {
        matches!(wiring.operator(taker), "Reshape" | "Flatten") && turned(wiring.outputs[taker][0], &|_| false)
    })
}

/// Windows of a map side by side as rows: `[images, rows, columns, high, wide, channels]`, the channels before the windows'
/// sides if they are not last in the map.
fn patches(places: &Places, [high, wide]: [usize; 2], last: bool) -> Option<Places> {
    let &[images, channels, height, width] = &places.shape[..] else { return None };
    let split = Move::Reshaped(vec![images, channels, height / high, high, width / wide, wide]);
    let order = if last { vec![0, 2, 4, 3, 5, 1] } else { vec![0, 2, 4, 1, 3, 5] };
    places.moved(&split)?.moved(&Move::Transposed(order))
}

/// Whether a map has its channels last.
fn is_last(places: &Places) -> bool {
    let shape = <[usize; 4]>::try_from(&places.shape[..]);
    shape.is_ok_and(|shape| places.lie_as(&channels_last(shape))) && !places.is_plain(places.units())
}

/// A convolution whose windows lie side by side.
fn patched(node: &Node, places: &Places) -> Result<Lowered, Refusal> {
    let kernel = node.constant(1)?.clone();
    let &[outputs, channels, high, wide] = &kernel.shape[..] else { return Err("no kernel of four axes".into()) };
    let last = is_last(places);
    let windows = patches(places, [high, wide], last).ok_or("no windows side by side")?;
    let shape = [&windows.shape[..3], &[outputs]].concat();
    let as_they_lie = windows.is_plain(windows.units());
    let rows = move |x: Array, [rows, inputs]: [usize; 2]| match as_they_lie {
        true => x.view([rows, inputs]),
        false => windows.take(x.flat()).reshape([rows, inputs]),
    };
    let load = move || {
        let data = weights(&kernel)?;
        if !last {
            return Ok(data);
        }
        let values = data.try_into_vec::<f32>().expect("weights are f32");
        let turned =
            permuted(Array::of(values, &[outputs, channels, high * wide], &burn::tensor::Device::flex()), &[0, 2, 1]);
        Ok::<_, WeightsError>(TensorData::new(turned.to_vec(), [outputs, high * wide * channels]))
    };
    // The windows of a single image may lie as those of maps with their channels last, where those of more do not.
    let key = Key { channels_last: last, ..node.key };
    products::dense_of(node, key, shape, [channels * high * wide, outputs], node.bias(outputs)?, rows, load)
}

/// A convolution of each channel by itself, on the CPU.
fn depthwise(node: &Node) -> Result<Lowered, Refusal> {
    let [images, channels, height, width] = convolutions::map(node)?;
    let stored = Stored::of(node, [height, width])?;
    let [rows, columns] = stored.window.output([height, width]);
    let (key, shape) = (node.key, vec![images, rows, columns, channels]);
    let multiply_adds = stored.multiply_adds(images, [rows, columns])?;
    Lowered::weighted(shape.clone(), &[0], multiply_adds, stored.weights(), move |loader: &Loader| {
        let layer = loader.once(key, || Ok(ChannelsLast::new(&stored.part()?)))?;
        let shape = shape.clone();
        let run: Run = Arc::new(move |mut x| {
            vec![Array::new(layer.forward(x.remove(0).view([images, height, width, channels])), &shape)]
        });
        Ok(run)
    })
}
