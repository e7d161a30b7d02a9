//! Attention on a GPU: the launch of `attention`; heads of odd sizes by Burn's products.

use burn::tensor::{Tensor, activation};
use cubecl::server::Handle;

use super::{Gpu, Kernel, Sizes, fold_workgroups, sizes, u32s};
use crate::kernels::attention::{Bias, Heads, Scoring};

/// The kernel of attention.
pub const KERNELS: &[&Kernel] = &[&ATTENTION];

static ATTENTION: Kernel = Kernel {
    name: "attention",
    source: include_str!("../../../shaders/attention.wgsl"),
    workgroup: [128, 1, 1],
    sizes: AttentionSizes::FIELDS,
    variants: &[
        ("", &[("quads", 16), ("spans", 1), ("loads", 2), ("biased", 0), ("sizes", 4)]),
        ("_biased", &[("quads", 8), ("spans", 1), ("loads", 2), ("biased", 1), ("sizes", 6)]),
        ("_of_128_units", &[("quads", 32), ("spans", 2), ("loads", 4), ("biased", 0), ("sizes", 4)]),
    ],
};

sizes! {
    struct AttentionSizes {
        images: u32,
        queries: u32,
        keys: u32,
        heads: u32,
        query_pitch: u32,
        query_first: u32,
        key_pitch: u32,
        key_first: u32,
        value_pitch: u32,
        value_first: u32,
        period: u32,
        scale: f32,
    }
}

/// Most units of a head whose sums an invocation keeps in registers.
const MOST_UNITS: usize = 128;

/// Most scores that are laid out at a time where heads are of odd sizes.
const SCORES_BYTES: usize = 64 << 20;

/// [`attention`](crate::kernels::attention::attention).
///
/// # Panics
/// If a tensor is on the CPU.
pub fn attention(parts: [Heads; 3], [heads, units]: [usize; 2], scoring: Scoring) -> Tensor<3> {
    let fits = |part: &Heads| part.tokens.dims()[2].is_multiple_of(4) && part.first.is_multiple_of(4);
    if !units.is_multiple_of(4) || units > MOST_UNITS || !parts.iter().all(fits) {
        return by_products(&parts, [heads, units], scoring);
    }
    let [queries, keys, values] = parts;
    let ([images, rows, _], columns) = (queries.tokens.dims(), keys.tokens.dims()[1]);
    // In vec4.
    let place = |part: &Heads| [u32s(part.tokens.dims()[2] / 4), u32s(part.first / 4)];
    let [[query_pitch, query_first], [key_pitch, key_first], [value_pitch, value_first]] =
        [&queries, &keys, &values].map(place);
    let sizes = AttentionSizes {
        images: u32s(images),
        queries: u32s(rows),
        keys: u32s(columns),
        heads: u32s(heads),
        query_pitch,
        query_first,
        key_pitch,
        key_first,
        value_pitch,
        value_first,
        period: scoring.bias.map_or(1, |bias| u32s(bias.values.dims()[0])),
        scale: scoring.scale as f32,
    };
    let (gpu, queries) = Gpu::buffer(queries.tokens).expect("activations are on the GPU");
    let [keys, values] =
        [keys, values].map(|part| Gpu::buffer(part.tokens).expect("keys and values on the device of the queries").1);
    let on_gpu = |bias: &Bias| {
        let values = Gpu::buffer(bias.values.clone()).expect("a bias on the device of the queries").1;
        [Gpu::buffer(bias.scales.clone()).expect("as its values").1, values]
    };
    let bias = scoring.bias.map(on_gpu);
    let results = gpu.scratch(images * rows * heads * units);
    let [of_heads, lines, _] = fold_workgroups(images * heads);
    let workgroups = [u32s(rows.div_ceil(64)), of_heads, lines];
    let buffers: Vec<&Handle> = [&queries, &keys, &values, &results].into_iter().chain(bias.iter().flatten()).collect();
    let spans = u32s(units.div_ceil(64));
    let constants = [
        ("quads", u32s(units / 4)),
        ("spans", spans),
        ("loads", 2 * spans),
        ("biased", u32::from(bias.is_some())),
        ("sizes", u32s(buffers.len())),
    ];
    gpu.launch(&ATTENTION, &constants, workgroups, &buffers, &sizes);
    gpu.tensor([images, rows, heads * units], results)
}

/// The same by matrix products, a few images at a time, of one whose scores are many a few queries.
fn by_products(parts: &[Heads; 3], [heads, units]: [usize; 2], Scoring { scale, bias }: Scoring) -> Tensor<3> {
    let ([images, rows, _], columns) = (parts[0].tokens.dims(), parts[1].tokens.dims()[1]);
    let period = bias.map_or(1, |bias| bias.values.dims()[0]);
    let most = SCORES_BYTES / (period * heads * columns * size_of::<f32>());
    let (periods, queries_at_once) = ((most / rows).max(1), most.clamp(1, rows));
    let results = (0..images).step_by(period * periods).map(|first| {
        let count = (period * periods).min(images - first);
        // [images, heads, tokens, units]
        let part = |part: &Heads| {
            let tokens = part.tokens.clone().narrow(0, first, count).narrow(2, part.first, heads * units);
            let length = tokens.dims()[1];
            tokens.reshape([count, length, heads, units]).swap_dims(1, 2)
        };
        let [queries, keys, values] = parts.each_ref().map(part);
        let keys = keys.swap_dims(2, 3);
        let results = (0..rows).step_by(queries_at_once).map(|row| {
            let own = queries_at_once.min(rows - row);
            let mut scores = queries.clone().narrow(2, row, own).matmul(keys.clone()) * scale;
            if let Some(bias) = bias {
                let added = bias.values.clone().narrow(2, row, own).narrow(3, 0, columns);
                scores = scores * bias.scales.clone().reshape([1, heads, 1, 1]) + added.repeat_dim(0, count / period);
            }
            activation::softmax(scores, 3).matmul(values.clone())
        });
        Tensor::cat(results.collect(), 2).swap_dims(1, 2).reshape([count, rows, heads * units])
    });
    Tensor::cat(results.collect(), 0)
}
