// The mean of every row, as of all places of a channel.
//
// One workgroup adds one row up, each of its invocations every 64th value, their sums by halves. Workgroups: rows, folded into
// two dimensions.
//
//   activations  [rows, units]
//   results      [rows]

struct Sizes {
    rows: u32,
    units: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

{{ parts/total }}
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    if row >= sizes.rows {
        return;
    }
    let first = row * sizes.units;
    var sum = 0.0;
    for (var unit = slot; unit < sizes.units; unit += 64u) {
        sum += activations[first + unit];
    }
    sum = total(sum, slot);
    if slot == 0u {
        results[row] = sum / f32(sizes.units);
    }
}
