//! Attention on a GPU: the launch of `attention`; heads of odd sizes by Burn's products.

use burn::tensor::{Tensor, activation};

use super::{Gpu, Kernel, Sizes, sizes, u32s};
use crate::kernels::attention::Heads;

/// The kernel of attention.
pub const KERNELS: &[&Kernel] = &[&ATTENTION];

static ATTENTION: Kernel = Kernel {
    name: "attention",
    source: include_str!("../../../shaders/attention.wgsl"),
    workgroup: [128, 1, 1],
    sizes: AttentionSizes::FIELDS,
    variants: &[
        ("", &[("quads", 16), ("spans", 1), ("loads", 2)]),
        ("_of_128_units", &[("quads", 32), ("spans", 2), ("loads", 4)]),
    ],
};

sizes! {
    struct AttentionSizes {
        queries: u32,
        keys: u32,
        heads: u32,
        query_pitch: u32,
        query_first: u32,
        key_pitch: u32,
        key_first: u32,
        value_pitch: u32,
        value_first: u32,
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
pub fn attention(queries: Heads, keys: Heads, values: Heads, [heads, units]: [usize; 2], scale: f64) -> Tensor<3> {
    let fits = |part: &Heads| part.tokens.dims()[2].is_multiple_of(4) && part.first.is_multiple_of(4);
    if !units.is_multiple_of(4) || units > MOST_UNITS || ![&queries, &keys, &values].into_iter().all(fits) {
        return by_products(queries, keys, values, [heads, units], scale);
    }
    let ([images, rows, _], columns) = (queries.tokens.dims(), keys.tokens.dims()[1]);
    // In vec4.
    let place = |part: &Heads| [u32s(part.tokens.dims()[2] / 4), u32s(part.first / 4)];
    let [[query_pitch, query_first], [key_pitch, key_first], [value_pitch, value_first]] =
        [&queries, &keys, &values].map(place);
    let sizes = AttentionSizes {
        queries: u32s(rows),
        keys: u32s(columns),
        heads: u32s(heads),
        query_pitch,
        query_first,
        key_pitch,
        key_first,
        value_pitch,
        value_first,
        scale: scale as f32,
    };
    let (gpu, queries) = Gpu::buffer(queries.tokens).expect("activations are on the GPU");
    let [keys, values] =
        [keys, values].map(|part| Gpu::buffer(part.tokens).expect("keys and values on the device of the queries").1);
    let results = gpu.scratch(images * rows * heads * units);
    let workgroups = [rows.div_ceil(64), heads, images].map(u32s);
    let buffers = [&queries, &keys, &values, &results];
    let spans = u32s(units.div_ceil(64));
    let constants = [("quads", u32s(units / 4)), ("spans", spans), ("loads", 2 * spans)];
    gpu.launch(&ATTENTION, &constants, workgroups, &buffers, &sizes);
    gpu.tensor([images, rows, heads * units], results)
}

/// The same by matrix products, a few images at a time.
fn by_products(queries: Heads, keys: Heads, values: Heads, [heads, units]: [usize; 2], scale: f64) -> Tensor<3> {
    let ([images, rows, _], columns) = (queries.tokens.dims(), keys.tokens.dims()[1]);
    let at_once = (SCORES_BYTES / (heads * rows * columns * size_of::<f32>())).max(1);
    let parts = (0..images).step_by(at_once).map(|first| {
        let count = at_once.min(images - first);
        // [images, heads, tokens, units]
        let part = |part: &Heads| {
            let tokens = part.tokens.clone().narrow(0, first, count).narrow(2, part.first, heads * units);
            let length = tokens.dims()[1];
            tokens.reshape([count, length, heads, units]).swap_dims(1, 2)
        };
        let scores = part(&queries).matmul(part(&keys).swap_dims(2, 3)) * scale;
        let results = activation::softmax(scores, 3).matmul(part(&values));
        results.swap_dims(1, 2).reshape([count, rows, heads * units])
    });
    Tensor::cat(parts.collect(), 0)
}
