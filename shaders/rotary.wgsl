// Rotary positions: of every row x cos + partner(x) sin, where the partner of a unit is its neighbour or lies half a row further.
//
// One invocation computes one result; one workgroup 256 of them. Workgroups: (results / 256) folded into two dimensions.
//
//   x        rows of units side by side, one for every index over RUNS runs of lengths and steps
//   cosines, sines  [tokens, units]
//   results  [images, tokens, heads, units]

struct Sizes {
    count: u32,
    units: u32,
    tokens: u32,
    heads: u32,
    offset: u32, // of the first row
    length0: u32, // of the last run, then of those before it
    length1: u32,
    length2: u32,
    length3: u32,
    step0: u32,
    step1: u32,
    step2: u32,
    step3: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> cosines: array<f32>;
@group(0) @binding(2) var<storage, read_write> sines: array<f32>;
@group(0) @binding(3) var<storage, read_write> results: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

const NEIGHBOURS = {{ neighbours }}u == 1u;

{{ parts/runs }}
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if at >= sizes.count {
        return;
    }
    let row = at / sizes.units;
    let unit = at - row * sizes.units;
    let first = place_of(row);
    let half = sizes.units / 2u;
    let further = select(unit + half, unit - half, unit >= half);
    let partner = select(further, unit ^ 1u, NEIGHBOURS);
    let angle = row / sizes.heads % sizes.tokens * sizes.units + unit;
    results[at] = x[first + unit] * cosines[angle] + x[first + partner] * sines[angle];
}
