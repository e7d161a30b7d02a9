// Sums over the rows of every matrix, of values or of their squares.
//
// One workgroup adds 32 columns up, 8 invocations each, of which each takes every 8th row. Workgroups: (32 columns x matrices)
// folded into two dimensions.
//
//   x        [matrices, rows, units]
//   results  [matrices, units]

struct Sizes {
    matrices: u32,
    rows: u32,
    units: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 256>; // [8, 32]

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let tiles = (sizes.units + 31u) / 32u;
    let tile = workgroup.y * workgroups.x + workgroup.x;
    let matrix = tile / tiles;
    let unit = tile % tiles * 32u + slot % 32u;
    let inside = matrix < sizes.matrices && unit < sizes.units;
    // Beside the last column, and beyond the last matrix, nothing is read or stored.
    let rows = select(0u, sizes.rows, inside);
    let first = matrix * sizes.rows * sizes.units + unit;
    var sum = 0.0;
    for (var row = slot / 32u; row < rows; row += 8u) {
        let value = x[first + row * sizes.units];
{{ repeat s {{ squares }} }}
        sum += value * value;
{{ end }}
{{ repeat s {{ values }} }}
        sum += value;
{{ end }}
    }
    sums[slot] = sum;
    workgroupBarrier();
    if slot < 32u && inside {
        var all = 0.0;
{{ repeat n 8 }}
        all += sums[{{ n }}u * 32u + slot];
{{ end }}
        results[matrix * sizes.units + unit] = all;
    }
}
