//! Transposed convolutions, of decoders behind a network of images, and what is computed as one.

use std::sync::Arc;

use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Tensor, TensorData};

use super::affine;
use super::bounds::{MOST_MADE, MOST_PADDED, MOST_VALUES, units};
use super::convolutions::map;
use super::lowering::{Loader, Lowered, Node, Refusal, Run, weights};
use super::value::Array;

/// Of a map; every unit adds its multiple of the kernel, `[in, out / groups, height, width]`.
pub fn conv_transpose(node: &Node) -> Result<Lowered, Refusal> {
    let own = map(node)?;
    let kernel = node.constant(1)?.clone();
    let &[inputs, each, rows, columns] = &kernel.shape[..] else {
        return Err(format!("a kernel of {:?}, expected [in, out, height, width]", kernel.shape).into());
    };
    let (stride, dilation, beyond) =
        (node.two("strides", 1)?, node.two("dilations", 1)?, node.two("output_padding", 0)?);
    let pads = pads(node)?;
    if !matches!(node.text("auto_pad"), "" | "NOTSET") || node.proto.ints("output_shape").is_some() {
        return Err("auto_pad or output_shape, expected pads".into());
    }
    let groups = node.groups()?;
    let fits = inputs == own[1] && inputs % groups == 0 && rows > 0 && columns > 0;
    if !fits || stride.contains(&0) || dilation.contains(&0) {
        return Err(format!("a kernel of {:?} in {groups} groups on {} channels", kernel.shape, own[1]).into());
    }
    // What both ends lose is never made; what one end loses beyond that, as TensorFlow's borders have it, is cut off.
    let padding = pads.map(|(before, behind)| before.min(behind));
    let first = [0, 1].map(|at| pads[at].0 - padding[at]);
    let lost = [0, 1].map(|at| first[at] + pads[at].1 - padding[at]);
    let side = |at: usize, size: usize| {
        let whole = (own[2 + at] - 1) * stride[at] + dilation[at] * (size - 1) + 1 + beyond[at];
        whole.checked_sub(2 * padding[at] + lost[at]).filter(|&side| side > 0).ok_or("padding beyond the map")
    };
    let shape = [own[0], each * groups, side(0, rows)?, side(1, columns)?];
    units(&[shape[0], shape[1], shape[2] + lost[0], shape[3] + lost[1]], MOST_VALUES)?;
    let (bias, key) = (node.bias(shape[1])?, node.key);
    let per_place = kernel.shape.iter().product::<usize>();
    let multiply_adds = (own[0] * own[2] * own[3]).saturating_mul(per_place);
    let all = per_place + shape[1];
    Lowered::weighted(shape.to_vec(), &[0], multiply_adds, all, move |loader: &Loader| {
        let laid_out = loader.once(key, || {
            let kernel = Tensor::<4>::from_data(weights(&kernel)?, &loader.device);
            let bias = bias.as_deref().map(affine::read).transpose()?;
            let bias = bias.map(|bias| Tensor::<1>::from_data(TensorData::new(bias, [shape[1]]), &loader.device));
            Ok((kernel, bias))
        })?;
        let options = ConvTransposeOptions { stride, padding, padding_out: beyond, dilation, groups };
        let run: Run = Arc::new(move |mut inputs| {
            let (kernel, bias) = (*laid_out).clone();
            let mut y = conv_transpose2d(inputs.remove(0).view(own), kernel, bias, options.clone());
            for at in [0, 1].into_iter().filter(|&at| lost[at] > 0) {
                y = y.narrow(2 + at, first[at], shape[2 + at]);
            }
            vec![Array::new(y, &shape)]
        });
        Ok(run)
    })
}

/// What the ends of the height and of the width lose.
fn pads(node: &Node) -> Result<[(usize, usize); 2], Refusal> {
    match node.proto.ints("pads").unwrap_or(&[0; 4]) {
        &[top, left, bottom, right] if [top, left, bottom, right].iter().all(|&pad| pad >= 0) => {
            Ok([(top as usize, bottom as usize), (left as usize, right as usize)])
        }
        pads => Err(format!("pads = {pads:?}, expected four numbers, none below zero").into()),
    }
}

/// Columns `[images, channels rows columns, windows]` to the map of which they are windows, what several have of a place
/// summed: a transposed convolution by a kernel of a single one for each place of a window. VOLO's.
pub fn columns_to_image(node: &Node) -> Result<Lowered, Refusal> {
    let two = |at: usize| -> Result<[usize; 2], Refusal> {
        let values = &node.whole(at)?.values;
        let sizes = values.iter().map(|&value| usize::try_from(value).ok().filter(|&size| size > 0));
        let sizes = sizes.collect::<Option<Vec<usize>>>().and_then(|sizes| sizes.try_into().ok());
        sizes.ok_or_else(|| format!("sizes of {values:?}, expected a height and a width").into())
    };
    let own = node.shape(0)?;
    let (map, window) = (two(1)?, two(2)?);
    let (stride, dilation, pads) = (node.two("strides", 1)?, node.two("dilations", 1)?, pads(node)?);
    if let Some(ends) = pads.iter().find(|(before, behind)| before != behind) {
        return Err(format!("pads of {ends:?} at the ends of an axis, expected the same at both").into());
    }
    let padding = pads.map(|(before, _)| before);
    units(&[map[0], map[1]], MOST_PADDED)?;
    let taps = units(&window, MOST_MADE)?;
    // Of an axis the number of windows, and the places behind the last one.
    let along = |at: usize| {
        let reach = dilation[at].checked_mul(window[at] - 1)? + 1;
        let steps = (map[at] + 2 * padding[at]).checked_sub(reach)?;
        Some((steps.checked_div(stride[at])? + 1, steps % stride[at]))
    };
    let wrong = || format!("{own:?} to a map of {map:?} by windows of {window:?} at steps of {stride:?}");
    let (Some((rows, below)), Some((columns, beside))) = (along(0), along(1)) else { return Err(wrong().into()) };
    let &[images, inputs, windows] = own else { return Err(wrong().into()) };
    let fits = windows == rows * columns && inputs > 0 && inputs % taps == 0;
    if !fits || dilation.contains(&0) {
        return Err(wrong().into());
    }
    units(&[inputs, taps], MOST_MADE)?;
    let channels = inputs / taps;
    let (shape, beyond) = ([images, channels, map[0], map[1]], [below, beside]);
    let run = move |mut arrays: Vec<Array>| {
        let x = arrays.remove(0).view([images, inputs, rows, columns]);
        let mut ones = vec![0.0f32; inputs * taps];
        (0..inputs).for_each(|input| ones[input * taps + input % taps] = 1.0);
        let kernel = Tensor::<4>::from_data(TensorData::new(ones, [inputs, 1, window[0], window[1]]), &x.device());
        let options = ConvTransposeOptions { stride, padding, padding_out: beyond, dilation, groups: channels };
        Array::new(conv_transpose2d(x, kernel, None, options), &shape)
    };
    Lowered::run(shape.to_vec(), &[0], run)
}
