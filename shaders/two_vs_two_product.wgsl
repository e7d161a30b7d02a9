// products = left^T right: all draws' permuted words against all images in one matrix product, M = A_p B^T for each.
//
// One workgroup computes 64 x 64 entries, 4 QUADS x 4 an invocation, over the whole contraction in steps of 16 rows that are
// staged in workgroup memory. Workgroups: (right columns / 64, left columns / 64). Every size is a whole number of
// tiles (the padding is zeros), so no access is out of bounds.
//
// The sum of an entry runs over the contraction in ascending order whatever the batch: counts do not depend on it.

struct Sizes {
    depth: u32,
    left_columns: u32,
    right_columns: u32,
}

@group(0) @binding(0) var<storage, read_write> left_rows: array<vec4<f32>>; // [depth, left columns]
@group(0) @binding(1) var<storage, read_write> right_rows: array<vec4<f32>>; // [depth, right columns]
@group(0) @binding(2) var<storage, read_write> products: array<vec4<f32>>; // [left columns, right columns]
@group(0) @binding(3) var<uniform> sizes: Sizes;

{{ parts/product }}
fn left(at: u32) -> vec4<f32> {
    return left_rows[at];
}

fn right(at: u32) -> vec4<f32> {
    return right_rows[at];
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    let left_stride = sizes.left_columns / 4u;
    let right_stride = sizes.right_columns / 4u;
    let left_factor = Factor(left_stride, tile.y * 16u);
    let right_factor = Factor(right_stride, tile.x * 16u);
    let sums = product(0u, sizes.depth, left_factor, right_factor, slot);
{{ repeat m {{ quads }} }}
    let at{{ m }} = (tile.y * 64u + tile_row(slot, {{ m }}u)) * right_stride + tile.x * 16u + slot % 16u;
    products[at{{ m }}] = sums.row{{ m }}0;
    products[at{{ m }} + right_stride] = sums.row{{ m }}1;
    products[at{{ m }} + 2u * right_stride] = sums.row{{ m }}2;
    products[at{{ m }} + 3u * right_stride] = sums.row{{ m }}3;
{{ end }}
}
