// Every row over its Euclidean norm, or over `least` where that is more.
//
// One workgroup computes 32 rows, 8 invocations each, of which each takes every 8th unit. Workgroups: (rows / 32) folded into two
// dimensions.
//
//   x, results  [rows, units]

struct Sizes {
    rows: u32,
    units: u32,
    least: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let row = (workgroup.y * workgroups.x + workgroup.x) * 32u + slot / 8u;
    // Beyond the last row nothing is read or stored.
    let units = select(0u, sizes.units, row < sizes.rows);
    let first = row * sizes.units;
    var squares = 0.0;
    for (var unit = slot % 8u; unit < units; unit += 8u) {
        squares += x[first + unit] * x[first + unit];
    }
    sums[slot] = squares;
    workgroupBarrier();
    var all = 0.0;
{{ repeat n 8 }}
    all += sums[slot / 8u * 8u + {{ n }}u];
{{ end }}
    let norm = sqrt(all);
    let by = select(norm, sizes.least, norm < sizes.least);
    for (var unit = slot % 8u; unit < units; unit += 8u) {
        results[first + unit] = x[first + unit] / by;
    }
}
