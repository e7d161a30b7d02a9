//! Layers that read rows one after the other, as Sequencer has them.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};

use super::affine;
use super::batch::Along;
use super::bounds::{MOST_VALUES, units};
use super::lowering::{Loader, Lowered, Node, Refusal, Run, weights};
use super::value::{Array, Constant, Known};
use crate::kernels::join::concatenate;
use crate::weights::WeightsError;

/// The second axis of what is read goes behind the directions; of the last states too.
pub fn behind_directions(_: &Node, along: Along) -> Option<usize> {
    (along.input == 0 && along.axis == 1).then(|| along.made - 2)
}

/// One direction: `[in, 4 hidden]`, `[hidden, 4 hidden]` and `[1, 4 hidden]`, of the input, output and forget gate and the cell.
type Gates = [Tensor<2>; 3];

/// Of the gates, of the cell, and of what is put out; some exporters name them.
const ACTIVATIONS: [&str; 3] = ["Sigmoid", "Tanh", "Tanh"];

/// Long short-term memory (Hochreiter & Schmidhuber 1997) over `[steps, rows, in]`, forward, backward or both.
pub fn lstm(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?;
    let &[steps, rows, inputs] = own else {
        return Err(format!("an input of {own:?}, expected [steps, rows, units]").into());
    };
    if own.contains(&0) {
        return Err(format!("an input of {own:?}, in which there is nothing to read").into());
    }
    let (kernel, recurrent) = (node.constant(1)?.clone(), node.constant(2)?.clone());
    let unfit = || format!("weights of {:?} and {:?} on {inputs} units", kernel.shape, recurrent.shape);
    let &[ways, gates, read] = &kernel.shape[..] else { return Err(unfit().into()) };
    let hidden = gates / 4;
    if read != inputs || hidden == 0 || recurrent.shape != [ways, 4 * hidden, hidden] || gates != 4 * hidden {
        return Err(unfit().into());
    }
    let backward = match (node.text("direction"), ways) {
        ("" | "forward", 1) => vec![false],
        ("reverse", 1) => vec![true],
        ("bidirectional", 2) => vec![false, true],
        (direction, _) => return Err(format!("direction = {direction:?} with weights of {ways}").into()),
    };
    let plain = node.int("layout", 0) == 0 && node.int("input_forget", 0) == 0 && node.float("clip", 0.0) == 0.0;
    let alone = [4, 7].iter().all(|&at| node.optional(at).is_none());
    let usual = |(n, name): (usize, &Vec<u8>)| name.eq_ignore_ascii_case(ACTIVATIONS[n % 3].as_bytes());
    let named = node.proto.attribute("activations").map_or(&[][..], |setting| &setting.strings);
    if !plain || !alone || !named.iter().enumerate().all(usual) {
        return Err("layout, input_forget, clip, other activations, lengths or peepholes, expected none of them".into());
    }
    for at in [5, 6] {
        let zeros = match node.optional(at) {
            None => true,
            Some(Known::Constant(state)) => state.values()?.iter().all(|&value| value == 0.0),
            Some(_) => false,
        };
        if !zeros {
            return Err("a state before the first step, expected zeros".into());
        }
    }
    let bias = node.optional(3).map(|_| node.constant(3)).transpose()?.cloned();
    if let Some(bias) = bias.as_ref().filter(|bias| bias.shape != [ways, 2 * gates]) {
        return Err(format!("a bias of {:?}, expected [{ways}, {}]", bias.shape, 2 * gates).into());
    }
    let shapes = [vec![steps, ways, rows, hidden], vec![ways, rows, hidden], vec![ways, rows, hidden]];
    let all = ways.saturating_mul(gates.saturating_mul(inputs + hidden + 1));
    let multiply_adds = steps.saturating_mul(rows).saturating_mul(all) as u64;
    units(&shapes[0], MOST_VALUES)?;
    let (key, outputs) = (node.key, shapes.clone());
    let prepare = Rc::new(move |loader: &Loader| {
        let laid_out = loader
            .once(key, || laid_out([&kernel, &recurrent], bias.as_deref(), [ways, inputs, hidden], &loader.device))?;
        let (backward, outputs) = (backward.clone(), outputs.clone());
        let run: Run = Arc::new(move |mut arrays| {
            let x = arrays.remove(0).view([steps, rows, inputs]);
            let (mut hiddens, mut cells, mut read) = (Vec::new(), Vec::new(), Vec::new());
            for (gates, &backward) in laid_out.iter().zip(&backward) {
                let (all, cell) = one_way(&x, gates, hidden, backward);
                hiddens.push(all[if backward { 0 } else { steps - 1 }].clone());
                cells.push(cell);
                read.push(all);
            }
            let in_order = (0..steps).flat_map(|step| read.iter().map(move |all| all[step].clone())).collect();
            let values = [in_order, hiddens, cells].map(|rows| concatenate::<2>(rows, 0));
            values.into_iter().zip(&outputs).map(|(values, shape)| Array::new(values, shape)).collect()
        });
        Ok::<Run, WeightsError>(run)
    });
    Ok(Lowered::Computed { shapes: shapes.to_vec(), takes: vec![0], prepare, multiply_adds, weights: all })
}

/// The weights of every direction, turned; of a step's two biases the sum.
fn laid_out(
    [kernel, recurrent]: [&Constant; 2],
    bias: Option<&Constant>,
    [ways, inputs, hidden]: [usize; 3],
    device: &Device,
) -> Result<Vec<Gates>, WeightsError> {
    let gates = 4 * hidden;
    let bias = bias.map(affine::read).transpose()?.unwrap_or_else(|| vec![0.0; ways * 2 * gates]);
    let kernel = Tensor::<3>::from_data(weights(kernel)?, device);
    let recurrent = Tensor::<3>::from_data(weights(recurrent)?, device);
    let turned = |all: &Tensor<3>, way: usize, from: usize| {
        all.clone().slice([way..way + 1, 0..gates, 0..from]).reshape([gates, from]).transpose()
    };
    let of = |way: usize| {
        let bias = &bias[way * 2 * gates..(way + 1) * 2 * gates];
        let sums: Vec<f32> = bias[..gates].iter().zip(&bias[gates..]).map(|(one, other)| one + other).collect();
        let bias = Tensor::<2>::from_data(TensorData::new(sums, [1, gates]), device);
        [turned(&kernel, way, inputs), turned(&recurrent, way, hidden), bias]
    };
    Ok((0..ways).map(of).collect())
}

/// What is put out at every step, in the order of the input, and the last cell.
fn one_way(
    x: &Tensor<3>,
    [kernel, recurrent, bias]: &Gates,
    hidden: usize,
    backward: bool,
) -> (Vec<Tensor<2>>, Tensor<2>) {
    let [steps, rows, inputs] = x.dims();
    let mut out = Tensor::<2>::zeros([rows, hidden], &x.device());
    let mut cell = out.clone();
    let mut all = Vec::with_capacity(steps);
    for n in 0..steps {
        let step = if backward { steps - 1 - n } else { n };
        let read = x.clone().slice([step..step + 1, 0..rows, 0..inputs]).reshape([rows, inputs]);
        let sums = read.matmul(kernel.clone()) + out.matmul(recurrent.clone()) + bias.clone();
        let gate = |at: usize| sums.clone().slice([0..rows, at * hidden..(at + 1) * hidden]);
        cell = sigmoid(gate(2)) * cell + sigmoid(gate(0)) * gate(3).tanh();
        out = sigmoid(gate(1)) * cell.clone().tanh();
        all.push(out.clone());
    }
    if backward {
        all.reverse();
    }
    (all, cell)
}
