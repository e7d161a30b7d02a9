//! Transposed convolutions, of decoders behind a network of images, and what is computed as one.

use std::sync::Arc;

use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Tensor, TensorData};

use super::affine;
use super::bounds::{MOST_MADE, MOST_PADDED, units};
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
    let padding = padding(node)?;
    if !matches!(node.text("auto_pad"), "" | "NOTSET") || node.proto.ints("output_shape").is_some() {
        return Err("auto_pad or output_shape, expected pads".into());
    }
    let groups = node.groups()?;
    let fits = inputs == own[1] && inputs % groups == 0 && rows > 0 && columns > 0;
    if !fits || stride.contains(&0) || dilation.contains(&0) {
        return Err(format!("a kernel of {:?} in {groups} groups on {} channels", kernel.shape, own[1]).into());
    }
    let side = |at: usize, size: usize| {
        let whole = (own[2 + at] - 1) * stride[at] + dilation[at] * (size - 1) + 1 + beyond[at];
        whole.checked_sub(2 * padding[at]).filter(|&side| side > 0).ok_or("padding beyond the map")
    };
    let shape = [own[0], each * groups, side(0, rows)?, side(1, columns)?];
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
            vec![Array::new(conv_transpose2d(inputs.remove(0).view(own), kernel, bias, options.clone()), &shape)]
        });
        Ok(run)
    })
}

fn padding(node: &Node) -> Result<[usize; 2], Refusal> {
    match node.proto.ints("pads").unwrap_or(&[0; 4]) {
        &[top, left, bottom, right] if top == bottom && left == right && top >= 0 && left >= 0 => {
            Ok([top as usize, left as usize])
        }
        pads => Err(format!("pads = {pads:?}, expected the same on both sides").into()),
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
    let (stride, dilation, padding) = (node.two("strides", 1)?, node.two("dilations", 1)?, padding(node)?);
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
