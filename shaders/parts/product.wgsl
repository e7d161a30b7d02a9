// The products of a 64 x 64 tile summed over rows begin .. end (a multiple of 16 apart), 4 x 4 of them an invocation of
// 16 x 16. The includer says what `left` and `right` read; both are [rows, stride] of vec4, the tile's first column given.

var<workgroup> left_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> right_tile: array<vec4<f32>, 256>; // [16, 64]

struct Sums {
    row0: vec4<f32>,
    row1: vec4<f32>,
    row2: vec4<f32>,
    row3: vec4<f32>,
}

struct Factor {
    stride: u32,
    column: u32,
}

fn product(begin: u32, end: u32, left_factor: Factor, right_factor: Factor, slot: u32) -> Sums {
    let x = slot % 16u;
    let y = slot / 16u;
    var sums = Sums();
    for (var row = begin; row < end; row += 16u) {
        left_tile[slot] = left((row + y) * left_factor.stride + left_factor.column + x);
        right_tile[slot] = right((row + y) * right_factor.stride + right_factor.column + x);
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            let a = left_tile[i * 16u + y];
            let b = right_tile[i * 16u + x];
            sums.row0 += a.x * b;
            sums.row1 += a.y * b;
            sums.row2 += a.z * b;
            sums.row3 += a.w * b;
        }
        workgroupBarrier();
    }
    return sums;
}
