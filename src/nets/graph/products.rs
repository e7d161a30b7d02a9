//! Dense layers and products of matrices.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::affine;
use super::batch::Along;
use super::bounds::{MOST_VALUES, units};
use super::lowering::{Key, Loader, Lowered, Node, Refusal, Run, Then, weights};
use super::places::{Move, moved, permuted};
use super::ranks::broadcast;
use super::value::{Array, Constant, Known};
use crate::kernels::{Activation, Dense};
use crate::weights::WeightsError;

pub fn matmul(node: &Node) -> Result<Lowered, Refusal> {
    let (left, right) = (node.shape(0)?.to_vec(), node.shape(1)?.to_vec());
    if let (Known::Computed(_), Known::Constant(_), [inputs, outputs], [.., last]) =
        (node.input(0)?, node.input(1)?, &right[..], &left[..])
        && inputs == last
    {
        let shape = [&left[..left.len() - 1], &[*outputs]].concat();
        return dense(node, shape, *inputs, *outputs, false, None);
    }
    batched(left, right)
}

/// Where a product leaves a stack's axis, the rows of the left and the columns of the right.
pub fn of_matrices(node: &Node, along: Along) -> Option<usize> {
    let ranks = [node.shape(0).ok()?.len(), node.shape(1).ok()?.len()];
    let summed = if along.input == 0 { ranks[0] - 1 } else { ranks[1].saturating_sub(2) };
    match (ranks, along) {
        (_, Along { axis, .. }) if axis == summed => None,
        // A vector's other axis is left out.
        ([_, 1], Along { input: 0, axis, .. }) => Some(axis),
        ([1, _], _) => None,
        _ => (along.axis + along.made).checked_sub(ranks[along.input]),
    }
}

/// The product of two stacks of matrices.
fn batched(left: Vec<usize>, right: Vec<usize>) -> Result<Lowered, Refusal> {
    // A vector on the left is a row, on the right a column.
    let a = if left.len() == 1 { vec![1, left[0]] } else { left.clone() };
    let b = if right.len() == 1 { vec![right[0], 1] } else { right.clone() };
    let unfit = || format!("the product of {left:?} and {right:?}");
    let (&[.., m, k], &[.., inner, n]) = (&a[..], &b[..]) else { return Err(unfit().into()) };
    if k != inner || k == 0 {
        return Err(unfit().into());
    }
    let stacks = [&a[..a.len() - 2], &b[..b.len() - 2]];
    let stack = broadcast(stacks[0], stacks[1])?;
    let count: usize = stack.iter().product();
    // A stack that is neither all of it nor one matrix is spread out.
    let spread = |own: &[usize], matrix: [usize; 2]| -> Result<Option<Move>, Refusal> {
        let matrices: usize = own.iter().product();
        if matrices == count || matrices == 1 {
            return Ok(None);
        }
        let to = [&stack[..], &matrix].concat();
        units(&to, MOST_VALUES)?;
        Ok(Some(Move::Spread(to)))
    };
    let spread = [spread(stacks[0], [m, k])?, spread(stacks[1], [k, n])?];
    let [own_a, own_b]: [usize; 2] = std::array::from_fn(|at| match &spread[at] {
        Some(_) => count,
        None => stacks[at].iter().product(),
    });
    let mut shape = stack;
    shape.extend((left.len() > 1).then_some(m));
    shape.extend((right.len() > 1).then_some(n));
    let to = shape.clone();
    Lowered::run(shape, &[0, 1], move |mut inputs| {
        let whole = |x: Array, by: &Option<Move>| by.iter().fold(x, |x, by| moved(x, slice::from_ref(by)));
        let (right, left) = (whole(inputs.remove(1), &spread[1]), whole(inputs.remove(0), &spread[0]));
        let (a, b) = (left.view([own_a, m, k]), right.view([own_b, k, n]));
        if own_b == 1 && own_a > 1 {
            // One product of all rows.
            return Array::new(a.reshape([own_a * m, k]).matmul(b.reshape([k, n])), &to);
        }
        let a = if own_a == count { a } else { a.expand::<3, _>([count, m, k]) };
        Array::new(a.matmul(b), &to)
    })
}

pub fn gemm(node: &Node) -> Result<Lowered, Refusal> {
    if node.int("transA", 0) != 0 {
        return Err("transA, expected a dense layer's x W + b".into());
    }
    let turned = node.int("transB", 0) != 0;
    let (&[rows, last], &[a, b]) = (node.shape(0)?, node.shape(1)?) else { return Err("other than matrices".into()) };
    let (inputs, outputs) = if turned { (b, a) } else { (a, b) };
    if last != inputs || inputs == 0 {
        return Err(format!("the product of {:?} and {:?}", node.shape(0)?, node.shape(1)?).into());
    }
    let single = node.optional(2).is_some_and(|bias| bias.units() == 1);
    let bias = if single { Some(node.constant(2)?.clone()) } else { node.bias(outputs)? };
    // A column has a number for every row.
    if let Some(column) = bias.as_ref().filter(|bias| !single && bias.shape.last() != Some(&outputs)) {
        return Err(format!("a bias of {:?} for {outputs} outputs", column.shape).into());
    }
    let [alpha, beta] = ["alpha", "beta"].map(|factor| f64::from(node.float(factor, 1.0)));
    let then = Then { factor: node.then.factor * alpha, bias_factor: beta, ..node.then.clone() };
    let node = Node { inputs: node.inputs.clone(), then, ..*node };
    dense(&node, vec![rows, outputs], inputs, outputs, turned, bias)
}

/// A dense layer over the last axis; its weights are `[in, out]`, or the transpose if `turned`.
fn dense(
    node: &Node,
    shape: Vec<usize>,
    inputs: usize,
    outputs: usize,
    turned: bool,
    bias: Option<Rc<Constant>>,
) -> Result<Lowered, Refusal> {
    let weight = node.constant(1)?.clone();
    let load = move || {
        let kernel = weights(&weight)?;
        Ok(if turned { kernel } else { transposed(&kernel, [inputs, outputs]) })
    };
    dense_of(node, node.key, shape, [inputs, outputs], bias, |x, [rows, inputs]| x.view([rows, inputs]), load)
}

/// A dense layer of the rows that `rows` makes of the first input; `load` gives its weights `[out, in]`, laid out as `key`.
pub fn dense_of(
    node: &Node,
    key: Key,
    shape: Vec<usize>,
    [inputs, outputs]: [usize; 2],
    bias: Option<Rc<Constant>>,
    rows: impl Fn(Array, [usize; 2]) -> Tensor<2> + Send + Sync + Clone + 'static,
    load: impl Fn() -> Result<TensorData, WeightsError> + 'static,
) -> Result<Lowered, Refusal> {
    let count = shape.iter().product::<usize>() / outputs.max(1);
    let (then, to) = (node.then.clone(), shape.clone());
    let activation = then.activation.unwrap_or(Activation::Identity);
    let all = inputs.saturating_mul(outputs) + bias.as_ref().map_or(0, |_| outputs);
    let multiply_adds = count.saturating_mul(inputs.saturating_mul(outputs));
    Lowered::weighted(shape, &node.with_summand(&[0]), multiply_adds, all, move |loader: &Loader| {
        let dense = loader.once(key, || {
            let (kernel, bias) = affine::folded(load()?, outputs, bias.as_deref(), &then)?;
            // A convolution's of windows side by side has four axes.
            let kernel = TensorData::new(kernel.try_into_vec::<f32>().expect("weights are f32"), [outputs, inputs]);
            Ok(Dense::new(&kernel, &bias, activation, &loader.device))
        })?;
        let (to, rows, summed) = (to.clone(), rows.clone(), then.summed);
        // The first axis may count the rows of all images.
        let images = Some(loader.images.get()).filter(|&images| count.is_multiple_of(images)).unwrap_or(1);
        let run: Run = Arc::new(move |mut x| {
            let summand = summed.then(|| x.remove(1).view([images, count / images, outputs]));
            let x = rows(x.remove(0), [count, inputs]).reshape([images, count / images, inputs]);
            let y = match summand {
                Some(summand) => dense.forward_plus(x, summand),
                None => dense.forward(x),
            };
            vec![Array::new(y, &to)]
        });
        Ok(run)
    })
}

/// A matrix `[rows, columns]` as `[columns, rows]`.
pub fn transposed(matrix: &TensorData, [rows, columns]: [usize; 2]) -> TensorData {
    let values = matrix.as_slice::<f32>().expect("weights are f32").to_vec();
    let array = Array::of(values, &[rows, columns], &Device::flex());
    TensorData::new(permuted(array, &[1, 0]).to_vec(), [columns, rows])
}

/// The axis of an equation's result that has the same letter.
pub fn of_letters(node: &Node, along: Along) -> Option<usize> {
    let equation: String = node.text("equation").chars().filter(|letter| !letter.is_whitespace()).collect();
    let (before, after) = equation.split_once("->")?;
    let letter = before.split(',').nth(along.input)?.chars().nth(along.axis)?;
    after.chars().position(|other| other == letter)
}

pub fn einsum(node: &Node) -> Result<Lowered, Refusal> {
    let equation: String = node.text("equation").chars().filter(|letter| !letter.is_whitespace()).collect();
    let (before, after) = equation.split_once("->").ok_or("an equation without an arrow")?;
    let terms: Vec<Vec<char>> = before.split(',').map(|term| term.chars().collect()).collect();
    let after: Vec<char> = after.chars().collect();
    if let [own] = &terms[..] {
        let order: Vec<usize> =
            after.iter().filter_map(|letter| own.iter().position(|other| other == letter)).collect();
        let different = order.iter().collect::<BTreeSet<_>>().len();
        if [own.len(), after.len(), different] == [node.shape(0)?.len(); 3] {
            return Lowered::moved(Move::Transposed(order));
        }
        return Err(format!("{equation} of one input, expected its axes in another order").into());
    }
    let [a, b] = &terms[..] else { return Err(format!("{equation}, expected two inputs").into()) };
    for (term, at) in [(a, 0), (b, 1)] {
        let letters: BTreeSet<char> = term.iter().copied().collect();
        if letters.len() != term.len()
            || !term.iter().all(char::is_ascii_alphabetic)
            || term.len() != node.shape(at)?.len()
        {
            return Err(format!("{equation} of an input of {:?}", node.shape(at)?).into());
        }
    }
    let length = |letter: char| -> Result<usize, Refusal> {
        let of = |term: &[char], at: usize| {
            term.iter().position(|&other| other == letter).map(|axis| node.shape(at).map(|shape| shape[axis]))
        };
        match (of(a, 0).transpose()?, of(b, 1).transpose()?) {
            (Some(a), Some(b)) if a != b => Err(format!("{equation}: {letter} is {a} and {b} long").into()),
            (Some(length), _) | (None, Some(length)) => Ok(length),
            (None, None) => Err(format!("{equation}: no input has {letter}").into()),
        }
    };
    let kind = |in_a: bool, in_b: bool, in_result: bool| -> Vec<char> {
        let all: Vec<char> = a.iter().chain(b.iter().filter(|letter| !a.contains(letter))).copied().collect();
        let of = |letter: &char| (a.contains(letter), b.contains(letter), after.contains(letter));
        all.into_iter().filter(|letter| of(letter) == (in_a, in_b, in_result)).collect()
    };
    let (stack, rows, columns) = (kind(true, true, true), kind(true, false, true), kind(false, true, true));
    let summed = kind(true, true, false);
    if !kind(true, false, false).is_empty() || !kind(false, true, false).is_empty() {
        return Err(format!("{equation} sums over one input alone").into());
    }
    let lengths = |letters: &[char]| letters.iter().map(|&letter| length(letter)).collect::<Result<Vec<_>, _>>();
    let size = |letters: &[char]| Ok::<usize, Refusal>(lengths(letters)?.into_iter().product());
    let [s, m, n, k] = [size(&stack)?, size(&rows)?, size(&columns)?, size(&summed)?];
    if k == 0 {
        return Err(format!("{equation} sums over nothing").into());
    }
    let order = |from: &[char], to: &[&[char]]| -> Vec<usize> {
        let to = to.concat();
        to.iter().map(|letter| from.iter().position(|other| other == letter).expect("one of them")).collect()
    };
    let (order_a, order_b) = (order(a, &[&stack, &rows, &summed]), order(b, &[&stack, &summed, &columns]));
    let made = [stack, rows, columns].concat();
    if made.len() != after.len() {
        return Err(format!("{equation} of one axis twice").into());
    }
    let (made_shape, order_out, shape) = (lengths(&made)?, order(&made, &[&after]), lengths(&after)?);
    Lowered::run(shape, &[0, 1], move |mut inputs| {
        let (right, left) = (inputs.remove(1), inputs.remove(0));
        let left = permuted(left, &order_a).view([s, m, k]);
        let right = permuted(right, &order_b).view([s, k, n]);
        permuted(Array::new(left.matmul(right), &made_shape), &order_out)
    })
}
