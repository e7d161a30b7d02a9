// products = left^T right: all draws' permuted words against all images in one matrix product, M = A_p B^T for each.
//
// One workgroup computes 64 x 64 entries, 4 x 4 an invocation, over the whole contraction in steps of 16 rows that are
// staged in workgroup memory. Workgroups: (right columns / 64, left columns / 64). Every size is a whole number of
// tiles (the padding is zeros), so no access is out of bounds.
//
// The sum of an entry runs over the contraction in ascending order whatever the batch: counts do not depend on it.
@group(0) @binding(0) var<storage, read_write> left: array<vec4<f32>>; // [depth, left columns]
@group(0) @binding(1) var<storage, read_write> right: array<vec4<f32>>; // [depth, right columns]
@group(0) @binding(2) var<storage, read_write> products: array<vec4<f32>>; // [left columns, right columns]
@group(0) @binding(3) var<storage, read_write> sizes: array<u32>; // depth, left columns, right columns

var<workgroup> left_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> right_tile: array<vec4<f32>, 256>; // [16, 64]

@compute @workgroup_size(16, 16, 1)
fn main(
    @builtin(workgroup_id) tile: vec3<u32>,
    @builtin(local_invocation_id) me: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let depth = sizes[0];
    let left_stride = sizes[1] / 4u;
    let right_stride = sizes[2] / 4u;
    var row0 = vec4<f32>();
    var row1 = vec4<f32>();
    var row2 = vec4<f32>();
    var row3 = vec4<f32>();
    for (var j0 = 0u; j0 < depth; j0 += 16u) {
        left_tile[slot] = left[(j0 + me.y) * left_stride + tile.y * 16u + me.x];
        right_tile[slot] = right[(j0 + me.y) * right_stride + tile.x * 16u + me.x];
        workgroupBarrier();
        for (var j = 0u; j < 16u; j++) {
            let a = left_tile[j * 16u + me.y];
            let b = right_tile[j * 16u + me.x];
            row0 += a.x * b;
            row1 += a.y * b;
            row2 += a.z * b;
            row3 += a.w * b;
        }
        workgroupBarrier();
    }
    let at = (tile.y * 64u + me.y * 4u) * right_stride + tile.x * 16u + me.x;
    products[at] = row0;
    products[at + right_stride] = row1;
    products[at + 2u * right_stride] = row2;
    products[at + 3u * right_stride] = row3;
}
