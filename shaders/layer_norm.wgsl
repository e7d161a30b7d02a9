// Layer normalization: of every row gamma (x - mean) / sqrt(variance + epsilon) + beta.
//
// One workgroup normalizes one row, each of its invocations every 64th unit; the mean first, then the variance about it.
// Workgroups: rows, folded into two dimensions.
//
//   activations  [rows, units]
//   scales       [units], gamma
//   shifts       [units], beta
//   results      [rows, units]

struct Sizes {
    rows: u32,
    units: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;
@group(0) @binding(2) var<storage, read_write> shifts: array<f32>;
@group(0) @binding(3) var<storage, read_write> results: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

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
    let mean = total(sum, slot) / f32(sizes.units);
    var squares = 0.0;
    for (var unit = slot; unit < sizes.units; unit += 64u) {
        let centred = activations[first + unit] - mean;
        squares += centred * centred;
    }
    let variance = total(squares, slot) / f32(sizes.units);
    let scale = 1.0 / sqrt(variance + sizes.epsilon);
    for (var unit = slot; unit < sizes.units; unit += 64u) {
        results[first + unit] = (activations[first + unit] - mean) * scale * scales[unit] + shifts[unit];
    }
}
