// Winograd F(2 x 2, 3 x 3): results from transformed sums, A^T m A, with bias and activation.
//
// One invocation computes 2 x 2 results of one output; one workgroup 256 such tiles, counted through tiles, images and
// outputs. Workgroups: (tiles / 256) folded into two dimensions.
//
//   sums     [16, outputs, tiles], the tiles of this launch
//   biases   [outputs]
//   results  [images, outputs, height, width]

struct Sizes {
    count: u32, // outputs x tiles
    tiles: u32,
    first_tile: u32, // of this launch
    outputs: u32,
    height: u32,
    width: u32,
    tile_rows: u32, // of an image
    tile_columns: u32,
}

@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> biases: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
{{ repeat s {{ summed }} }}
@group(0) @binding(3) var<storage, read_write> summands: array<f32>;
{{ end }}
@group(0) @binding(3 + {{ summed }}) var<uniform> sizes: Sizes;

{{ parts/finished }}
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
    var above = vec4<f32>();
    var below = vec4<f32>();
{{ repeat j 4 }}
    {
        let first = sums[{{ j }}u * sizes.count + at];
        let second = sums[(4u + {{ j }}u) * sizes.count + at];
        let third = sums[(8u + {{ j }}u) * sizes.count + at];
        let fourth = sums[(12u + {{ j }}u) * sizes.count + at];
        above[{{ j }}] = first + second + third;
        below[{{ j }}] = second - third - fourth;
    }
{{ end }}
    let tile = sizes.first_tile + at % sizes.tiles;
    let output = at / sizes.tiles;
    let column = tile % sizes.tile_columns * 2u;
    let row = tile / sizes.tile_columns % sizes.tile_rows * 2u;
    let image = tile / sizes.tile_columns / sizes.tile_rows;
    let bias = biases[output];
    let to = ((image * sizes.outputs + output) * sizes.height + row) * sizes.width + column;
    results[to] = finished(above.x + above.y + above.z, bias, to);
    if column + 1u < sizes.width {
        results[to + 1u] = finished(above.y - above.z - above.w, bias, to + 1u);
    }
    if row + 1u < sizes.height {
        results[to + sizes.width] = finished(below.x + below.y + below.z, bias, to + sizes.width);
        if column + 1u < sizes.width {
            results[to + sizes.width + 1u] = finished(below.y - below.z - below.w, bias, to + sizes.width + 1u);
        }
    }
}
