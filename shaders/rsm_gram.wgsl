// Products of all pairs of images, summed over spans of units: the upper triangle, in tiles of 64 x 64 pairs.
//
// One workgroup (256 / QUADS invocations, 4 QUADS x 4 pairs each) forms one tile over one span; workgroup.x counts the tile
// pairs I <= J row by row, workgroup.y the spans. The last span ends with the chunk; it and `span` are multiples of 16.
//
//   packed    [units, padded / 4] of vec4        padded a multiple of 64
//   partials  [spans, tile pairs, 64, 16] of vec4

struct Sizes {
    units: u32,
    padded: u32,
    span: u32,
}

@group(0) @binding(0) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

{{ parts/product }}
fn left(at: u32) -> vec4<f32> {
    return packed[at];
}

fn right(at: u32) -> vec4<f32> {
    return packed[at];
}

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let quads = sizes.padded / 4u;
    let begin = workgroup.y * sizes.span;
    let end = min(begin + sizes.span, sizes.units);

    var row = 0u;
    var column = workgroup.x;
    var tiles = quads / 16u;
    while column >= tiles {
        column -= tiles;
        tiles -= 1u;
        row += 1u;
    }
    column += row;

    let sums = product(begin, end, Factor(quads, row * 16u), Factor(quads, column * 16u), slot);
{{ repeat m {{ quads }} }}
    let at{{ m }} = (workgroup.y * workgroups.x + workgroup.x) * 1024u + tile_row(slot, {{ m }}u) * 16u + slot % 16u;
    partials[at{{ m }}] = sums.row{{ m }}0;
    partials[at{{ m }} + 16u] = sums.row{{ m }}1;
    partials[at{{ m }} + 32u] = sums.row{{ m }}2;
    partials[at{{ m }} + 48u] = sums.row{{ m }}3;
{{ end }}
}
