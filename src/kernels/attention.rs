//! Attention: every query's mean of the values, weighted by how its key agrees with it.

use burn::tensor::Tensor;

use super::{OnCpu, cpu, from_cpu, gpu, on_cpu};

/// Queries, keys or values of all heads: of every token the units from `first` on, head by head.
pub struct Heads {
    /// `[images, tokens, units]`.
    pub tokens: Tensor<3>,
    /// The first unit of the first head.
    pub first: usize,
}

/// Of every image and head, `softmax(scale Q K^T) V` (Vaswani et al. 2017), with as many `units` a head; the scores of a
/// few queries at a time are all that is ever laid out of them.
///
/// # Shapes
/// Queries `[images, queries, ..]`, keys and values `[images, keys, ..]`, to `[images, queries, heads * units]`.
///
/// # Panics
/// If they differ in images, keys and values in tokens, or a head lies beyond its token's units.
pub fn attention(queries: Heads, keys: Heads, values: Heads, [heads, units]: [usize; 2], scale: f64) -> Tensor<3> {
    let [images, rows, _] = queries.tokens.dims();
    let columns = keys.tokens.dims()[1];
    assert_eq!(values.tokens.dims()[1], columns, "a value for every key");
    let parts = [&queries, &keys, &values];
    for part in parts {
        let [own, _, width] = part.tokens.dims();
        assert_eq!(own, images, "tokens of one batch");
        assert!(part.first + heads * units <= width, "{heads} heads of {units} from unit {} of {width}", part.first);
    }
    let shape = cpu::Heads { images, heads, queries: rows, keys: columns, units, scale: scale as f32 };
    let Some(on_cpu) = parts.iter().map(|part| on_cpu(&part.tokens)).collect::<Option<Vec<OnCpu>>>() else {
        return gpu::attention::attention(queries, keys, values, [heads, units], scale);
    };
    let part = |n: usize| (&on_cpu[n][parts[n].first..], parts[n].tokens.dims()[2]);
    from_cpu([images, rows, heads * units], |out| cpu::attention(shape, part(0), part(1), part(2), out))
}

/// [`attention`] of tokens to each other, their queries, keys and values side by side, `[images, tokens, 3 * heads *
/// units]`, with the scale `1 / sqrt(units)`.
pub fn self_attention(tokens: Tensor<3>, heads: usize) -> Tensor<3> {
    let width = tokens.dims()[2] / 3;
    let units = width / heads;
    let part = |n: usize| Heads { tokens: tokens.clone(), first: n * width };
    attention(part(0), part(1), part(2), [heads, units], 1.0 / (units as f64).sqrt())
}
