// Sums, differences, products or quotients of what stands in the same place in x and in y, then an activation.
//
// One invocation computes one Value, a number or four neighbours of a row; one workgroup 256 of them, counted through three
// axes. Workgroups: (Values / 256) folded into two dimensions.
//
//   x, y     any of the results' axes, [outer, middle, units], may have one place for all: its step is 0
//   results  [outer, middle, units / width] of Values
//
// Of an operand with one place for a whole row single numbers are read, of another Values; steps count what is read.

struct Sizes {
    count: u32, // Values
    middle: u32,
    units: u32, // Values of a row
    outer_x: u32,
    middle_x: u32,
    unit_x: u32,
    outer_y: u32,
    middle_y: u32,
    unit_y: u32,
}

{{ parts/values }}
@group(0) @binding(0) var<storage, read_write> all_x: array<Value{{ width_x }}>;
@group(0) @binding(1) var<storage, read_write> all_y: array<Value{{ width_y }}>;
@group(0) @binding(2) var<storage, read_write> results: array<Value>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

const OPERATION = {{ operation }}u; // 0 sum, 1 difference, 2 product, 3 quotient

fn combined(x: Value, y: Value) -> Value {
    if OPERATION == 0u {
        return x + y;
    }
    if OPERATION == 1u {
        return x - y;
    }
    if OPERATION == 2u {
        return x * y;
    }
    return x / y;
}

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
    let outer = row / sizes.middle;
    let middle = row - outer * sizes.middle;
    let x = Value(all_x[outer * sizes.outer_x + middle * sizes.middle_x + unit * sizes.unit_x]);
    let y = Value(all_y[outer * sizes.outer_y + middle * sizes.middle_y + unit * sizes.unit_y]);
    results[at] = activated{{ width }}(combined(x, y));
}
