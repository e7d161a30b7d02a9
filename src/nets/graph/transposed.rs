//! Transposed convolutions, of decoders behind a network of images.

use std::sync::Arc;

use burn::tensor::module::conv_transpose2d;
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Tensor, TensorData};

use super::affine;
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
    let padding = match node.proto.ints("pads").unwrap_or(&[0; 4]) {
        &[top, left, bottom, right] if top == bottom && left == right && top >= 0 && left >= 0 => {
            [top as usize, left as usize]
        }
        pads => return Err(format!("pads = {pads:?}, expected the same on both sides").into()),
    };
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
