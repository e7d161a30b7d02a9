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
    let part = |n: usize| {
        let [_, tokens, width] = parts[n].tokens.dims();
        cpu::Part { values: &on_cpu[n][parts[n].first..], steps: [tokens * width, units, width] }
    };
    from_cpu([images, rows, heads * units], |out| cpu::attention(shape, part(0), part(1), part(2), out))
}

/// Queries, keys or values that lie anywhere in a tensor, a head's units side by side.
pub struct Lying {
    /// All of it.
    pub values: Tensor<1>,
    /// The first of them.
    pub first: usize,
    /// How far apart those of images, heads and tokens are.
    pub steps: [usize; 3],
}

/// How many of what attends to what.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Of a batch.
    pub images: usize,
    /// Of an image.
    pub heads: usize,
    /// Of a head.
    pub queries: usize,
    /// Of a head, and its values.
    pub keys: usize,
    /// Of a query, key or value.
    pub units: usize,
}

/// [`attention`] of what lies anywhere, to `[images, queries, heads, units]`; on a GPU a part that does not lie as
/// [`Heads`] do is `copied` to `[images, tokens, heads * units]`.
///
/// # Panics
/// If values lie beyond their tensor.
pub fn attention_of(parts: [Lying; 3], counts: Counts, scale: f64, copied: impl Fn(usize) -> Tensor<3>) -> Tensor<4> {
    let Counts { images, heads, queries, keys, units } = counts;
    let shape = cpu::Heads { images, heads, queries, keys, units, scale: scale as f32 };
    let on_cpu = parts.each_ref().map(|part| on_cpu(&part.values));
    if let [Some(q), Some(k), Some(v)] = &on_cpu {
        let values = [q, k, v];
        let part = |n: usize| cpu::Part { values: &values[n][parts[n].first..], steps: parts[n].steps };
        return from_cpu([images, queries, heads, units], |out| {
            cpu::attention(shape, part(0), part(1), part(2), out);
        });
    }
    let mut parts = parts.into_iter().enumerate().map(|(n, part)| {
        let tokens = if n == 0 { queries } else { keys };
        let [own, head, width] = part.steps;
        // All of the tensor, image by image and token by token.
        let lies =
            head == units && own == tokens * width && part.values.dims()[0] == images * own && part.first < width;
        match lies && part.first + heads * units <= width {
            true => Heads { tokens: part.values.reshape([images, tokens, width]), first: part.first },
            false => Heads { tokens: copied(n), first: 0 },
        }
    });
    let mut next = || parts.next().expect("three parts");
    attention(next(), next(), next(), [heads, units], scale).reshape([images, queries, heads, units])
}

/// [`attention`] of tokens to each other, their queries, keys and values side by side, `[images, tokens, 3 * heads *
/// units]`, with the scale `1 / sqrt(units)`.
pub fn self_attention(tokens: Tensor<3>, heads: usize) -> Tensor<3> {
    let width = tokens.dims()[2] / 3;
    let units = width / heads;
    let part = |n: usize| Heads { tokens: tokens.clone(), first: n * width };
    attention(part(0), part(1), part(2), [heads, units], 1.0 / (units as f64).sqrt())
}
