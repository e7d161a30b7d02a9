// Adds the spans' partial sums to the running totals, which keep twice the digits of f32.
//
// One workgroup adds 256 pairs of images: workgroup.x counts the 16 blocks of a tile, workgroup.y the tile pairs. A
// total is the unevaluated sum (high, low); Dekker's Fast2Sum gives the rounding error of each addition exactly.
//
//   partials  [spans, tile pairs, 4096]
//   totals    [tile pairs, 4096] of (high, low)

struct Sizes {
    spans: u32,
    is_first: u32, // 1 for the layer's first chunk: totals start at 0
    zero: u32, // always 0
}

@group(0) @binding(0) var<storage, read_write> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> totals: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

// x as it is, behind a bit operation that no compiler can see through: Mesa, and Metal's fast math, would otherwise
// take (a + b) - a for b, and the rounding error for 0.
fn rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ sizes.zero);
}

fn add(total: vec2<f32>, x: f32) -> vec2<f32> {
    let swap = abs(total.x) < abs(x);
    let large = select(total.x, x, swap);
    let small = select(x, total.x, swap);
    let high = rounded(large + small);
    return vec2(high, total.y + (small - rounded(high - large)));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let spans = sizes.spans;
    let pair = (workgroup.y * 16u + workgroup.x) * 256u + t;
    let stride = workgroups.y * 4096u;

    var chunk = vec2<f32>();
    var span = 0u;
    // Four loads in flight: the additions wait for each other, the loads need not.
    for (; span + 4u <= spans; span += 4u) {
        let at = span * stride + pair;
        let a = partials[at];
        let b = partials[at + stride];
        let c = partials[at + 2u * stride];
        let d = partials[at + 3u * stride];
        chunk = add(add(add(add(chunk, a), b), c), d);
    }
    for (; span < spans; span++) {
        chunk = add(chunk, partials[span * stride + pair]);
    }

    var total = vec2<f32>();
    if sizes.is_first == 0u {
        total = totals[pair];
    }
    total = add(total, chunk.x);
    total.y += chunk.y;
    totals[pair] = total;
}
