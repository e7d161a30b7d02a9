//! Attention: every query's mean of the values, weighted by how its key agrees with it.

use burn::tensor::{Device, Tensor, TensorData};

use super::{OnCpu, cpu, from_cpu, gpu, on_cpu};

/// Queries, keys or values of all heads: of every token the units from `first` on, head by head.
pub struct Heads {
    /// `[images, tokens, units]`.
    pub tokens: Tensor<3>,
    /// The first unit of the first head.
    pub first: usize,
}

/// What is added to the scores of every query and key after they are scaled: of relative positions, of what may not attend
/// to each other.
pub struct Bias {
    /// Of every head, what its scores are multiplied by beside the scale of all.
    pub(super) scales: Tensor<1>,
    /// `[period, heads, queries, pitch]`: images repeat it.
    pub(super) values: Tensor<4>,
    /// Of each row, the rest of which is zeros.
    keys: usize,
}

impl Bias {
    /// Of values `[period, heads, queries, keys]`, one image after another of as many as it repeats after, and a factor of
    /// every head.
    ///
    /// # Panics
    /// If there are other than `heads` factors, or values do not fill the shape.
    pub fn new(scales: Vec<f32>, values: &[f32], [period, heads, queries, keys]: [usize; 4], device: &Device) -> Self {
        assert_eq!(scales.len(), heads, "a factor for every head");
        assert_eq!(values.len(), period * heads * queries * keys, "a number for every query and key");
        // GPUs read four keys at a time.
        let pitch = keys.next_multiple_of(4);
        let mut rows = vec![0.0; period * heads * queries * pitch];
        for (to, from) in rows.chunks_exact_mut(pitch).zip(values.chunks_exact(keys)) {
            to[..keys].copy_from_slice(from);
            // GPUs need not know infinities: beside any other number the lowest hides a key as well.
            if from.iter().any(|&value| value != f32::NEG_INFINITY) {
                to.iter_mut().filter(|value| **value == f32::NEG_INFINITY).for_each(|value| *value = f32::MIN);
            }
        }
        Self {
            scales: Tensor::from_data(TensorData::new(scales, [heads]), device),
            values: Tensor::from_data(TensorData::new(rows, [period, heads, queries, pitch]), device),
            keys,
        }
    }

    /// Whether it is of so many heads, queries and keys, and repeats after so many images.
    pub fn is_of(&self, Counts { heads, queries, keys, .. }: Counts, period: usize) -> bool {
        self.values.dims()[..3] == [period, heads, queries] && self.keys == keys
    }

    fn fits(&self, counts: Counts) -> bool {
        let period = self.values.dims()[0];
        counts.images.is_multiple_of(period) && self.is_of(counts, period)
    }
}

/// What becomes of the products of queries and keys before the softmax.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    /// They are multiplied by it.
    pub scale: f64,
    /// Then its own factors, and what is added.
    pub bias: Option<&'a Bias>,
}

/// Of every image and head, `softmax(scale Q K^T + bias) V` (Vaswani et al. 2017), with as many `units` a head; the scores
/// of a few queries at a time are all that is ever laid out of them.
///
/// # Shapes
/// Queries `[images, queries, ..]`, keys and values `[images, keys, ..]`, to `[images, queries, heads * units]`.
///
/// # Panics
/// If they differ in images, keys and values in tokens, a head lies beyond its token's units, or a bias is of others.
pub fn attention(parts: [Heads; 3], [heads, units]: [usize; 2], scoring: Scoring) -> Tensor<3> {
    let [queries, keys, values] = &parts;
    let [images, rows, _] = queries.tokens.dims();
    let columns = keys.tokens.dims()[1];
    assert_eq!(values.tokens.dims()[1], columns, "a value for every key");
    for part in &parts {
        let [own, _, width] = part.tokens.dims();
        assert_eq!(own, images, "tokens of one batch");
        assert!(part.first + heads * units <= width, "{heads} heads of {units} from unit {} of {width}", part.first);
    }
    let counts = Counts { images, heads, queries: rows, keys: columns, units };
    assert!(scoring.bias.is_none_or(|bias| bias.fits(counts)), "a bias of other images, heads, queries or keys");
    let Some(on_cpu) = parts.iter().map(|part| on_cpu(&part.tokens)).collect::<Option<Vec<OnCpu>>>() else {
        return gpu::attention::attention(parts, [heads, units], scoring);
    };
    let places = parts.each_ref().map(|part| {
        let [_, tokens, width] = part.tokens.dims();
        let every = |count: usize, first: usize, step: usize| (0..count).map(|n| first + n * step).collect();
        Lies { images: every(images, part.first, tokens * width), head: units, tokens: every(tokens, 0, width) }
    });
    let parts = [0, 1, 2].map(|n| (&*on_cpu[n], &places[n]));
    attention_on_cpu(counts, parts, scoring).reshape([images, rows, heads * units])
}

/// To `[images, queries, heads, units]`.
fn attention_on_cpu(counts: Counts, parts: [(&[f32], &Lies); 3], Scoring { scale, bias }: Scoring) -> Tensor<4> {
    let Counts { images, heads, queries, units, .. } = counts;
    let added = bias.map(|Bias { scales, values, .. }| {
        let scales = on_cpu(scales).expect("a bias on the device of the queries");
        (scales, on_cpu(values).expect("as its factors"), values.dims()[3])
    });
    let bias = added.as_ref().map(|(scales, values, pitch)| cpu::Bias { scales, values, pitch: *pitch });
    from_cpu([images, queries, heads, units], |out| cpu::attention(counts, scale as f32, parts, bias, out))
}

/// Queries, keys or values that lie anywhere in a tensor, a head's units side by side.
pub struct Lying<'a> {
    /// All of it.
    pub values: Tensor<1>,
    /// Where.
    pub lies: &'a Lies,
}

/// Where queries, keys or values lie.
#[derive(Clone, Debug)]
pub struct Lies {
    /// The first of each image.
    pub images: Vec<usize>,
    /// How far apart heads are.
    pub head: usize,
    /// How far behind an image's first each token is.
    pub tokens: Vec<usize>,
}

impl Lies {
    /// How many units a token has and the first of them, if they are all of a tensor `[images, tokens, units]`, head by head.
    fn in_rows(&self, count: usize, [heads, units]: [usize; 2]) -> Option<[usize; 2]> {
        let (first, width) = (self.images[0], *self.tokens.get(1)?);
        let own = self.tokens.len() * width;
        let every = |places: &[usize], first: usize, step: usize| {
            places.iter().enumerate().all(|(n, &place)| place == first + n * step)
        };
        let rows = every(&self.tokens, 0, width) && every(&self.images, first, own) && count == self.images.len() * own;
        let side_by_side = heads == 1 || self.head == units;
        (rows && side_by_side && first + heads * units <= width).then_some([width, first])
    }
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
/// If values lie beyond their tensor, or a bias is of others.
pub fn attention_of(
    parts: [Lying; 3],
    counts: Counts,
    scoring: Scoring,
    copied: impl Fn(usize) -> Tensor<3>,
) -> Tensor<4> {
    let Counts { images, heads, queries, units, .. } = counts;
    assert!(scoring.bias.is_none_or(|bias| bias.fits(counts)), "a bias of other images, heads, queries or keys");
    let on_cpu = parts.each_ref().map(|part| on_cpu(&part.values));
    if let [Some(q), Some(k), Some(v)] = &on_cpu {
        let lies = parts.each_ref().map(|part| part.lies);
        return attention_on_cpu(counts, [(&**q, lies[0]), (&**k, lies[1]), (&**v, lies[2])], scoring);
    }
    let heads_of = |n: usize| {
        let Lying { values, lies } = &parts[n];
        match lies.in_rows(values.dims()[0], [heads, units]) {
            Some([width, first]) => Heads { tokens: values.clone().reshape([images, lies.tokens.len(), width]), first },
            None => Heads { tokens: copied(n), first: 0 },
        }
    };
    attention([0, 1, 2].map(heads_of), [heads, units], scoring).reshape([images, queries, heads, units])
}

/// [`attention`] of tokens to each other, their queries, keys and values side by side, `[images, tokens, 3 * heads *
/// units]`, with the scale `1 / sqrt(units)`.
pub fn self_attention(tokens: Tensor<3>, heads: usize) -> Tensor<3> {
    let width = tokens.dims()[2] / 3;
    let units = width / heads;
    let part = |n: usize| Heads { tokens: tokens.clone(), first: n * width };
    attention([part(0), part(1), part(2)], [heads, units], Scoring { scale: 1.0 / (units as f64).sqrt(), bias: None })
}
