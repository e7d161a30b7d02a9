// Products of all pairs of images, summed over spans of units: the upper triangle, in tiles of 64 x 64 pairs.
//
// One workgroup (16 x 16 invocations, 4 x 4 pairs each) forms one tile over one span; workgroup.x counts the tile
// pairs I <= J row by row, workgroup.y the spans. The last span ends with the chunk; it and `span` are multiples of 16.
//
//   packed    [units, padded / 4] of vec4        padded a multiple of 64
//   partials  [spans, tile pairs, 64, 16] of vec4
//   sizes     units, padded, span

@group(0) @binding(0) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> sizes: array<u32>;

var<workgroup> rows: array<vec4<f32>, 256>;
var<workgroup> columns: array<vec4<f32>, 256>;

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let quads = sizes[1] / 4u;
    let begin = workgroup.y * sizes[2];
    let end = min(begin + sizes[2], sizes[0]);

    var tile_row = 0u;
    var tile_column = workgroup.x;
    var tiles = quads / 16u;
    while tile_column >= tiles {
        tile_column -= tiles;
        tiles -= 1u;
        tile_row += 1u;
    }
    tile_column += tile_row;

    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var unit = begin; unit < end; unit += 16u) {
        let line = (unit + local.y) * quads + local.x;
        rows[t] = packed[line + tile_row * 16u];
        columns[t] = packed[line + tile_column * 16u];
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            let row = rows[i * 16u + local.y];
            let column = columns[i * 16u + local.x];
            sum0 += row.x * column;
            sum1 += row.y * column;
            sum2 += row.z * column;
            sum3 += row.w * column;
        }
        workgroupBarrier();
    }

    let at = (workgroup.y * workgroups.x + workgroup.x) * 1024u + local.y * 64u + local.x;
    partials[at] = sum0;
    partials[at + 16u] = sum1;
    partials[at + 32u] = sum2;
    partials[at + 48u] = sum3;
}
