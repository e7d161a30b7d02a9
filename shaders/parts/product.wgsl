// The products of a 64 x 64 tile summed over rows begin .. end (a multiple of 16 apart), 4 QUADS x 4 of them an invocation
// of 16 x 16 / QUADS. The includer says what `left` and `right` read; both are [rows, stride] of vec4, the tile's first
// column given.

const QUADS = {{ quads }}u; // 1 or 2
const INVOCATIONS = 256u / QUADS;

var<workgroup> left_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> right_tile: array<vec4<f32>, 256>; // [16, 64]

struct Sums {
{{ repeat m {{ quads }} }}
    row{{ m }}0: vec4<f32>,
    row{{ m }}1: vec4<f32>,
    row{{ m }}2: vec4<f32>,
    row{{ m }}3: vec4<f32>,
{{ end }}
}

struct Factor {
    stride: u32,
    column: u32,
}

// The first of the four rows of the tile that an invocation sums in its m-th block.
fn tile_row(slot: u32, m: u32) -> u32 {
    return 64u / QUADS * m + slot / 16u * 4u;
}

fn product(begin: u32, end: u32, left_factor: Factor, right_factor: Factor, slot: u32) -> Sums {
    let x = slot % 16u;
    let y = slot / 16u;
    var sums = Sums();
    for (var row = begin; row < end; row += 16u) {
{{ repeat m {{ quads }} }}
        let left{{ m }} = left((row + 8u * {{ m }}u + y) * left_factor.stride + left_factor.column + x);
        let right{{ m }} = right((row + 8u * {{ m }}u + y) * right_factor.stride + right_factor.column + x);
{{ end }}
{{ repeat m {{ quads }} }}
        left_tile[slot + {{ m }}u * INVOCATIONS] = left{{ m }};
        right_tile[slot + {{ m }}u * INVOCATIONS] = right{{ m }};
{{ end }}
        workgroupBarrier();
{{ repeat i 16 }}
        {
            let b = right_tile[{{ i }}u * 16u + x];
{{ repeat m {{ quads }} }}
            let a{{ m }} = left_tile[{{ i }}u * 16u + 16u / QUADS * {{ m }}u + y];
            sums.row{{ m }}0 += a{{ m }}.x * b;
            sums.row{{ m }}1 += a{{ m }}.y * b;
            sums.row{{ m }}2 += a{{ m }}.z * b;
            sums.row{{ m }}3 += a{{ m }}.w * b;
{{ end }}
        }
{{ end }}
        workgroupBarrier();
    }
    return sums;
}
