//! Maps whose channels are multiplied by a gate each, and the 1 x 1 convolution behind, in one pass on the CPU.

use std::rc::Rc;
use std::sync::Arc;

use super::compile::Compiled;
use super::convolutions::{Kind, Stored, four, kind, map};
use super::fusion::Open;
use super::lowering::{Loader, Lowered, Node, Refusal, Run};
use super::value::{Array, Known};
use crate::kernels::Gated;

/// The input that the gates are: behind the bias, there or not.
const GATES: usize = 3;

/// What the node `at` takes, if that is a map times gates: the map, and the gates.
pub fn factors(compiled: &Compiled, at: usize) -> Option<(usize, usize)> {
    let value = compiled.wiring().inputs[at].first().copied().flatten()?;
    let (_, &[Some(a), Some(b)]) = compiled.made_by(value, "Mul")? else { return None };
    let shape = |value: usize| match &compiled.known[value] {
        Some(Known::Computed(shape)) => <[usize; 4]>::try_from(&shape[..]).ok(),
        _ => None,
    };
    let fit = |&(x, gates): &(usize, usize)| match (shape(x), shape(gates)) {
        (Some([images, channels, height, width]), Some(gates)) => {
            channels > 1 && height * width > 1 && gates == [images, channels, 1, 1]
        }
        _ => false,
    };
    [(a, b), (b, a)].into_iter().find(fit)
}

/// The convolution `at`, alone as `own`, of what a product alone gives it; none if that is of no gates.
///
/// # Errors
/// As those of convolutions.
pub fn joined(compiled: &Compiled, at: usize, own: &Open) -> Result<Option<Open>, Refusal> {
    let wiring = compiled.wiring();
    let Some(value) = own.values.first().copied().flatten() else { return Ok(None) };
    let alone = compiled.is_free(value, &[at], at) && compiled.view(value, at).of == value;
    if wiring.operator(at) != "Conv" || !compiled.on_cpu() || !alone {
        return Ok(None);
    }
    let pointwise = kind(&own.node(&wiring.model))? == Some(Kind::Pointwise);
    let Some((x, gates)) = factors(compiled, at).filter(|_| pointwise) else { return Ok(None) };
    let mut open = own.clone();
    open.values.resize(GATES, None);
    open.inputs.resize(GATES, None);
    (open.values[0], open.inputs[0]) = (Some(x), compiled.known[x].clone());
    open.values.push(Some(gates));
    open.inputs.push(compiled.known[gates].clone());
    open.lower = Rc::new(gated);
    Ok(Some(open))
}

fn gated(node: &Node) -> Result<Lowered, Refusal> {
    let [images, channels, height, width] = map(node)?;
    let layer = Stored::of(node, [height, width])?;
    let shape = [images, layer.kernel.shape[0], height, width];
    let (key, summed) = (node.key, node.then.summed);
    let takes = node.with_summand(&[0, GATES]);
    let multiply_adds = layer.multiply_adds(images, [height, width])?;
    Lowered::weighted(shape.to_vec(), &takes, multiply_adds, layer.weights(), move |loader: &Loader| {
        let convolution = loader.once(key, || Ok(Gated::new(&layer.part()?)))?;
        let run: Run = Arc::new(move |mut x| {
            let summand = summed.then(|| x.remove(2).view(shape));
            let gates = x.remove(1).view([images, channels, 1, 1]);
            let own = four(&x[0]);
            vec![Array::new(convolution.forward(x.remove(0).view(own), gates, summand), &shape)]
        });
        Ok(run)
    })
}
