//! Local response normalization, of the networks of 2012 to 2014.

use burn::tensor::Tensor;

use super::lowering::{Lowered, Node, Refusal};
use super::value::Array;

/// `x / (bias + alpha / size * s) ^ beta`, `s` the sum of squares of the `size` channels around each, as far as there are.
pub fn local_response(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let [images, channels, ref rest @ ..] = own[..] else { return Err(format!("a value of shape {own:?}").into()) };
    let places: usize = rest.iter().product();
    let fits = |&size: &usize| (1..=2 * channels + 1).contains(&size);
    let size = usize::try_from(node.int("size", 0)).ok().filter(fits);
    let size = size.ok_or_else(|| format!("size = {} over {channels} channels", node.int("size", 0)))?;
    let [alpha, beta] = [("alpha", 1e-4), ("beta", 0.75)].map(|(setting, default)| node.float(setting, default));
    let (bias, before) = (node.float("bias", 1.0), (size - 1) / 2);
    Lowered::run(own.clone(), &[0], move |mut inputs| {
        let x = inputs.remove(0).view([images, channels, places]);
        let squares = x.clone() * x.clone();
        // As many channels of nothing before and after as the first and last windows reach beyond the map.
        let beyond = [before, size - 1 - before]
            .map(|channels| (channels > 0).then(|| Tensor::<3>::zeros([images, channels, places], &x.device())));
        let [first, last] = beyond;
        let padded = Tensor::cat(first.into_iter().chain([squares]).chain(last).collect(), 1);
        let sum = (1..size)
            .fold(padded.clone().narrow(1, 0, channels), |sum, at| sum + padded.clone().narrow(1, at, channels));
        let scale = (sum.mul_scalar(alpha / size as f32) + bias).log().mul_scalar(-beta).exp();
        Array::new(x * scale, &own)
    })
}
