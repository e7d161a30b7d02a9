//! Convolutions, poolings and batch normalization.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::affine;
use super::bounds::{MOST_PADDED, MOST_VALUES, made, units};
use super::lowering::{Loader, Lowered, Node, Refusal, Run, Then, weights};
use super::products::transposed;
use super::value::{Array, Constant};
use super::volumes::conv_of_volumes;
use crate::kernels::activation::scaled;
use crate::kernels::convolution::Part;
use crate::kernels::pooling::{Border, average_windows, global_mean, max_pool, row_means};
use crate::kernels::{Activation, Convolution, Padding, Residual, VALID, Window};
use crate::weights::WeightsError;

/// A map `[images, channels, height, width]`.
pub fn map(node: &Node) -> Result<[usize; 4], Refusal> {
    let shape = node.shape(0)?;
    let unfit = || format!("{shape:?}, expected [images, channels, height, width]");
    let map: [usize; 4] = shape.try_into().map_err(|_| unfit())?;
    if map.contains(&0) { Err(unfit().into()) } else { Ok(map) }
}

/// A map, or a line `[images, channels, length]` as one that is a pixel high.
fn plane(node: &Node) -> Result<[usize; 4], Refusal> {
    match *node.shape(0)? {
        [images, channels, length] if images * channels * length > 0 => Ok([images, channels, 1, length]),
        _ => map(node),
    }
}

/// A map's shape as the node has it: of a line without its height.
fn like(node: &Node, [images, channels, height, width]: [usize; 4]) -> Result<Vec<usize>, Refusal> {
    Ok(if node.shape(0)?.len() == 3 { vec![images, channels, width] } else { vec![images, channels, height, width] })
}

/// A kernel of maps, `[out, in / groups, height, width]`, or of lines, `[out, in / groups, length]`.
fn kernel_of_plane(kernel: &[usize]) -> Option<[usize; 4]> {
    match *kernel {
        [outputs, inputs, length] => Some([outputs, inputs, 1, length]),
        _ => kernel.try_into().ok(),
    }
}

/// How the window of `size` moves over a map of `input`, and how much of its padding is beyond what the node asks for.
pub fn window(node: &Node, mut size: [usize; 2], input: [usize; 2]) -> Result<(Window, [usize; 2]), Refusal> {
    let (mut stride, dilation) = (node.two("strides", 1)?, node.two("dilations", 1)?);
    if stride.contains(&0) || dilation.contains(&0) || size.contains(&0) {
        return Err(format!("a window of {size:?} by {stride:?} and {dilation:?}").into());
    }
    let mut reach: [usize; 2] = std::array::from_fn(|axis| dilation[axis] * (size[axis] - 1) + 1);
    let auto = node.text("auto_pad");
    let mut padding: Padding = match auto {
        "" | "NOTSET" => {
            let pads = node.proto.ints("pads").unwrap_or(&[0; 4]);
            let pads: Option<Vec<usize>> = pads.iter().map(|&pad| pad.try_into().ok()).collect();
            match pads.as_deref() {
                Some(&[top, left, bottom, right]) => [(top, bottom), (left, right)],
                Some(&[left, right]) if node.shape(0)?.len() == 3 => [(0, 0), (left, right)],
                _ => return Err(format!("pads = {:?}, expected four numbers", node.proto.ints("pads")).into()),
            }
        }
        "VALID" => [(0, 0); 2],
        "SAME_UPPER" | "SAME_LOWER" => std::array::from_fn(|axis| {
            let needed = (input[axis].div_ceil(stride[axis]) - 1) * stride[axis] + reach[axis];
            let total = needed.saturating_sub(input[axis]);
            let less = total / 2;
            if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) }
        }),
        other => return Err(format!("auto_pad = {other:?}").into()),
    };
    let padded = [0, 1].map(|axis| padding[axis].0 + input[axis] + padding[axis].1);
    let rounds_up = node.int("ceil_mode", 0) != 0;
    for axis in (0..2).filter(|&axis| rounds_up && padded[axis] > 0) {
        // Rounded up there is one window, where less than a step is missing to it: as much of it as there is of the map.
        if (1..stride[axis]).contains(&reach[axis].saturating_sub(padded[axis])) {
            size[axis] = (padded[axis] - 1) / dilation[axis] + 1;
            reach[axis] = dilation[axis] * (size[axis] - 1) + 1;
            stride[axis] = padded[axis];
        }
    }
    if (0..2).any(|axis| padded[axis] < reach[axis]) {
        return Err(format!("a window of {size:?} on a map of {input:?}").into());
    }
    if padded[0].saturating_mul(padded[1]) > MOST_PADDED {
        return Err(format!("a map of {input:?} padded to {padded:?}, {}", made(MOST_PADDED)).into());
    }
    // A longer step is from the only window to none.
    let stride = [0, 1].map(|axis| stride[axis].min(padded[axis]));
    let mut further = [0; 2];
    if rounds_up {
        for axis in 0..2 {
            let (before, after) = padding[axis];
            let span = before + input[axis] + after - reach[axis];
            let rest = span % stride[axis];
            // A window that begins beyond the map is none.
            if rest != 0 && (span / stride[axis] + 1) * stride[axis] < before + input[axis] {
                further[axis] = stride[axis] - rest;
                padding[axis].1 += further[axis];
            }
        }
    }
    Ok((Window { size, stride, padding, dilation }, further))
}

/// What a convolution does of which others may be part of the same pass.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// 1 x 1, of all channels.
    Pointwise,
    /// Of each channel by itself.
    Depthwise,
}

/// What a convolution does; none if it is of another kind.
///
/// # Errors
/// As those of [`conv`].
pub fn kind(node: &Node) -> Result<Option<Kind>, Refusal> {
    let Ok(&[outputs, inputs, high, wide]) = <&[usize; 4]>::try_from(&node.constant(1)?.shape[..]) else {
        return Ok(None);
    };
    let (groups, [.., height, width]) = (node.groups()?, map(node)?);
    let (window, _) = window(node, [high, wide], [height, width])?;
    Ok(match groups {
        1 if window == Window::square(1, 1, [(0, 0); 2]) => Some(Kind::Pointwise),
        2.. if groups == outputs && inputs == 1 && high * wide > 1 => Some(Kind::Depthwise),
        _ => None,
    })
}

/// A convolution as the file has it.
pub struct Stored {
    /// `[out, in / groups, height, width]`, or of a line.
    pub kernel: Rc<Constant>,
    bias: Option<Rc<Constant>>,
    then: Then,
    /// How it moves.
    pub window: Window,
    /// Groups of channels that see only their own.
    pub groups: usize,
}

impl Stored {
    /// For a map of this height and width.
    ///
    /// # Errors
    /// As those of [`conv`].
    pub fn of(node: &Node, map: [usize; 2]) -> Result<Self, Refusal> {
        let kernel = node.constant(1)?.clone();
        let Some([outputs, _, rows, columns]) = kernel_of_plane(&kernel.shape) else {
            return Err(format!("a kernel of {:?}, expected [out, in, height, width]", kernel.shape).into());
        };
        let (window, _) = window(node, [rows, columns], map)?;
        let (bias, groups) = (node.bias(outputs)?, node.groups()?);
        Ok(Self { kernel, bias, then: node.then.clone(), window, groups })
    }

    /// For an output of this height and width.
    ///
    /// # Errors
    /// More values than a graph may hold.
    pub fn multiply_adds(&self, images: usize, [rows, columns]: [usize; 2]) -> Result<usize, Refusal> {
        let per_place = self.kernel.shape.iter().product::<usize>();
        Ok(per_place.saturating_mul(units(&[images, rows, columns], MOST_VALUES)?))
    }

    /// Values of its weights.
    pub fn weights(&self) -> usize {
        self.kernel.shape.iter().product::<usize>() + self.kernel.shape[0]
    }

    /// With its weights, and what follows in them.
    ///
    /// # Errors
    /// A weight that is not finite or cannot be read.
    pub fn part(&self) -> Result<Part, WeightsError> {
        let Self { kernel, bias, then, window, groups } = self;
        let mut values = weights(kernel)?;
        if let Some(shape @ [_, _, 1, _]) = kernel_of_plane(&kernel.shape) {
            values = TensorData::new(values.try_to_vec::<f32>().expect("weights are f32"), shape);
        }
        let (weight, bias) = affine::folded(values, kernel.shape[0], bias.as_deref(), then)?;
        let activation = then.activation.unwrap_or(Activation::Identity);
        Ok(Part { weight, bias, window: *window, groups: *groups, activation })
    }
}

pub fn conv(node: &Node) -> Result<Lowered, Refusal> {
    let shape = node.shape(0)?;
    if shape.len() > 4 {
        return conv_of_volumes(node);
    }
    let own = plane(node)?;
    let [images, channels, height, width] = own;
    let stored = Stored::of(node, [height, width])?;
    let (outputs, groups) = (stored.kernel.shape[0], stored.groups);
    if stored.kernel.shape.len() != shape.len() || stored.kernel.shape[1] * groups != channels || outputs % groups != 0
    {
        return Err(format!("a kernel of {:?} in {groups} groups on {channels} channels", stored.kernel.shape).into());
    }
    let [height, width] = stored.window.output([height, width]);
    let made = [images, outputs, height, width];
    let (multiply_adds, weights) = (stored.multiply_adds(images, [height, width])?, stored.weights());
    convolved(node, [own, made], multiply_adds, weights, move || stored.part())
}

/// A dense layer's weights `[in, out]` on maps of as many channels, each pixel by itself.
pub fn of_planes(node: &Node) -> Result<Lowered, Refusal> {
    let own @ [images, inputs, height, width] = map(node)?;
    let (weight, then) = (node.constant(1)?.clone(), node.then.clone());
    let outputs = weight.shape[1];
    let count = inputs.saturating_mul(outputs);
    let multiply_adds = count.saturating_mul(images * height * width);
    convolved(node, [own, [images, outputs, height, width]], multiply_adds, count, move || {
        let (weight, bias) = affine::folded(transposed(&weights(&weight)?, [inputs, outputs]), outputs, None, &then)?;
        let weight = TensorData::new(weight.try_into_vec::<f32>().expect("weights are f32"), [outputs, inputs, 1, 1]);
        let activation = then.activation.unwrap_or(Activation::Identity);
        Ok(Part { weight, bias, window: Window::square(1, 1, VALID), groups: 1, activation })
    })
}

/// A convolution of maps `own` to those `made`, to which another value may be added in the same pass.
fn convolved(
    node: &Node,
    [own, made]: [[usize; 4]; 2],
    multiply_adds: usize,
    weights: usize,
    part: impl Fn() -> Result<Part, WeightsError> + 'static,
) -> Result<Lowered, Refusal> {
    let (key, summed, to) = (node.key, node.then.summed, like(node, made)?);
    let (path, name) = (node.model.path.clone(), format!("{} (node {:?})", node.proto.op_type, node.proto.name));
    let part = move |loader: &Loader| {
        let part = part()?;
        match part.refusal(&loader.device) {
            Some(why) => Err(WeightsError::Graph { path: path.clone(), problem: format!("{name}: {why}") }),
            None => Ok(part),
        }
    };
    let takes = node.with_summand(&[0]);
    Lowered::weighted(to.clone(), &takes, multiply_adds, weights, move |loader: &Loader| {
        let to = to.clone();
        Ok(if summed {
            let residual = loader.once(key, || Ok(Residual::new(&part(loader)?, &loader.device)))?;
            let run: Run = Arc::new(move |mut x| {
                let summand = x.remove(1).view(made);
                vec![Array::new(residual.forward(x.remove(0).view(own), summand), &to)]
            });
            run
        } else {
            let convolution = loader.once(key, || Ok(Convolution::new(&part(loader)?, &loader.device)))?;
            Arc::new(move |mut x| vec![Array::new(convolution.forward(x.remove(0).view(own)), &to)])
        })
    })
}

/// The axes of a map.
pub fn four(x: &Array) -> [usize; 4] {
    x.shape[..].try_into().expect("a map, checked when it was lowered")
}

/// The four tensors of a batch normalization and what it adds to the variance.
pub fn norm(node: &Node) -> Result<([Rc<Constant>; 4], f32), Refusal> {
    let channels = *node.shape(0)?.get(1).ok_or("no channels")?;
    let tensors = [node.constant(1)?, node.constant(2)?, node.constant(3)?, node.constant(4)?].map(Rc::clone);
    if tensors.iter().any(|tensor| tensor.shape != [channels]) {
        return Err(format!("tensors of other shapes than [{channels}]").into());
    }
    if node.int("training_mode", 0) != 0 {
        return Err("training_mode = 1; export the model in evaluation mode".into());
    }
    Ok((tensors, node.float("epsilon", 1e-5)))
}

/// Weights by their own mean and variance, channel by channel, as networks with standardised weights compute them.
fn standardised(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let &[outer, channels, ref inner @ ..] = &own[..] else { return Err(format!("weights of {own:?}").into()) };
    let (inner, epsilon) = (inner.iter().product::<usize>(), node.float("epsilon", 1e-5));
    if outer * channels * inner == 0 || [1, 2].iter().any(|&at| node.shape(at).ok() != Some(&[channels])) {
        return Err(format!("weights of {own:?} and others than {channels} scales and shifts").into());
    }
    Lowered::run(own.clone(), &[0, 1, 2], move |mut inputs| {
        let [shift, scale] = [2, 1].map(|at| inputs.remove(at).view([channels, 1]));
        let x = inputs.remove(0).view([outer, channels, inner]).swap_dims(0, 1).reshape([channels, outer * inner]);
        let centred = x.clone() - row_means(x).reshape([channels, 1]);
        let variance = row_means(centred.clone() * centred.clone()).reshape([channels, 1]);
        let y = centred / (variance + epsilon).sqrt() * scale + shift;
        Array::new(y.reshape([channels, outer, inner]).swap_dims(0, 1), &own)
    })
}

pub fn batch_normalization(node: &Node) -> Result<Lowered, Refusal> {
    let constant = |at: usize| node.optional(at).is_some_and(|known| !known.is_computed());
    if node.int("training_mode", 0) != 0 && [0, 1, 2].into_iter().all(constant) {
        return standardised(node);
    }
    let shape = node.shape(0)?.to_vec();
    let (tensors, epsilon) = norm(node)?;
    let (images, channels) = (shape[0], shape[1]);
    let inner: usize = shape[2..].iter().product();
    let activation = node.then.activation.unwrap_or(Activation::Identity);
    let (key, to) = (node.key, shape.clone());
    Lowered::weighted(shape, &[0], 0, 4 * channels, move |loader: &Loader| {
        let laid_out = loader.once(key, || {
            let (scales, shifts) = affine::normalization(&tensors, epsilon)?;
            Ok([scales, shifts].map(|values| {
                let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
                Tensor::<3>::from_data(TensorData::new(values, [1, channels, 1]), &loader.device)
            }))
        })?;
        let to = to.clone();
        let run: Run = Arc::new(move |mut x| {
            let x = x.remove(0).view([images, channels, inner]);
            vec![Array::new(scaled(x, laid_out.each_ref(), None, activation), &to)]
        });
        Ok(run)
    })
}

/// The window of a pooling, and how much of its padding comes of rounding their number up.
fn pooling(node: &Node) -> Result<(Window, [usize; 2]), Refusal> {
    let [.., height, width] = plane(node)?;
    let size = node.proto.ints("kernel_shape").unwrap_or_default();
    let (rows, columns) = match *size {
        [rows, columns] if node.shape(0)?.len() == 4 => (rows, columns),
        [columns] if node.shape(0)?.len() == 3 => (1, columns),
        _ => return Err(format!("kernel_shape = {size:?}, expected a number for each axis behind the channels").into()),
    };
    let (Ok(rows), Ok(columns)) = (rows.try_into(), columns.try_into()) else {
        return Err("kernel_shape below 0".into());
    };
    let (window, further) = window(node, [rows, columns], [height, width])?;
    if !window.always_sees([height, width]) {
        let Window { size, padding: [(top, bottom), (left, right)], dilation, .. } = window;
        return Err(format!(
            "a window of {size:?} by steps of {dilation:?} on a map of [{height}, {width}] with pads [{top}, {left}, \
             {bottom}, {right}], expected a value of the map in every window: smaller pads"
        )
        .into());
    }
    Ok((window, further))
}

fn pooled(
    node: &Node,
    window: Window,
    pool: impl Fn(Tensor<4>) -> Tensor<4> + Send + Sync + 'static,
) -> Result<Lowered, Refusal> {
    let own = plane(node)?;
    let [images, channels, height, width] = own;
    let [rows, columns] = window.output([height, width]);
    let shape = like(node, [images, channels, rows, columns])?;
    Lowered::run(shape.clone(), &[0], move |mut x| Array::new(pool(x.remove(0).view(own)), &shape))
}

pub fn max_pooling(node: &Node) -> Result<Lowered, Refusal> {
    if node.proto.output.len() > 1 {
        return Err("the places of the largest values".into());
    }
    let (window, _) = pooling(node)?;
    pooled(node, window, move |x| max_pool(x, window))
}

/// Means along the depth of `[images, channels, depth, height, width]` alone, of windows by steps of one and without a border:
/// those of PyTorch's local response normalization.
fn average_along_depth(node: &Node) -> Result<Lowered, Refusal> {
    let size = node.proto.ints("kernel_shape").unwrap_or_default();
    let plain =
        |setting: &str, value: i64| node.proto.ints(setting).is_none_or(|ints| ints.iter().all(|&int| int == value));
    let (&[images, channels, depth, height, width], &[along, 1, 1]) = (node.shape(0)?, size) else {
        return Err(format!("kernel_shape = {size:?} on {:?}, expected a line or a map", node.shape(0)?).into());
    };
    let fits = (1..=depth as i64).contains(&along) && plain("strides", 1) && plain("dilations", 1) && plain("pads", 0);
    if !fits || !matches!(node.text("auto_pad"), "" | "NOTSET" | "VALID") {
        return Err(format!("kernel_shape = {size:?} on {:?}, expected steps of 1 and no pads", node.shape(0)?).into());
    }
    let window = Window { size: [along as usize, 1], ..Window::square(1, 1, VALID) };
    let shape = vec![images, channels, depth + 1 - window.size[0], height, width];
    Lowered::run(shape.clone(), &[0], move |mut x| {
        let x = x.remove(0).view([images, channels, depth, height * width]);
        Array::new(average_windows(x, window, Border::Excluded), &shape)
    })
}

pub fn average_pooling(node: &Node) -> Result<Lowered, Refusal> {
    if node.shape(0)?.len() == 5 {
        return average_along_depth(node);
    }
    let (window, further) = pooling(node)?;
    let border = if node.int("count_include_pad", 0) != 0 { Border::Zeros } else { Border::Excluded };
    if further == [0; 2] || border == Border::Excluded {
        return pooled(node, window, move |x| average_windows(x, window, border));
    }
    // The padding is counted, as zeros of the map, and not what rounding up adds to it.
    let zeros = [0, 1].map(|axis| (window.padding[axis].0, window.padding[axis].1 - further[axis]));
    let beyond = Window { padding: further.map(|further| (0, further)), ..window };
    pooled(node, window, move |x| average_windows(x.pad(zeros, 0.0), beyond, Border::Excluded))
}

pub fn global_average(node: &Node) -> Result<Lowered, Refusal> {
    let own = plane(node)?;
    let shape = like(node, [own[0], own[1], 1, 1])?;
    Lowered::run(shape.clone(), &[0], move |mut x| Array::new(global_mean(x.remove(0).view(own)), &shape))
}

pub fn global_max(node: &Node) -> Result<Lowered, Refusal> {
    let [images, channels, height, width] = plane(node)?;
    let shape = like(node, [images, channels, 1, 1])?;
    Lowered::run(shape.clone(), &[0], move |mut x| {
        Array::new(x.remove(0).view([images * channels, height * width]).max_dim(1), &shape)
    })
}
