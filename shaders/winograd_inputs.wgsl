// Winograd F(2 x 2, 3 x 3): the inputs of every 2 x 2 results, transformed, B^T d B.
//
// One invocation transforms one 4 x 4 patch of one channel; one workgroup 256 of them, counted through patches, images
// and channels. Workgroups: (patches / 256) folded into two dimensions.
//
//   activations  [images, channels, height, width]
//   transformed  [16, channels, tiles], the tiles of this launch

struct Sizes {
    count: u32, // channels x tiles
    tiles: u32,
    first_tile: u32, // of this launch
    channels: u32,
    height: u32,
    width: u32,
    tile_rows: u32, // of an image
    tile_columns: u32,
    pad_rows: u32,
    pad_columns: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

// B^T x of a column of four.
fn transform(x: vec4<f32>) -> vec4<f32> {
    return vec4(x.x - x.z, x.y + x.z, x.z - x.y, x.y - x.w);
}

// An activation, 0 beside the input.
fn activation(plane: u32, row: u32, column: u32) -> f32 {
    let inside = row < sizes.height && column < sizes.width;
    return select(0.0, activations[select(0u, plane + row * sizes.width + column, inside)], inside);
}

// Four of a row.
fn four(plane: u32, row: u32, column: u32) -> vec4<f32> {
    return vec4(
        activation(plane, row, column),
        activation(plane, row, column + 1u),
        activation(plane, row, column + 2u),
        activation(plane, row, column + 3u),
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let patch_at = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if patch_at >= sizes.count {
        return;
    }
    let tile = sizes.first_tile + patch_at % sizes.tiles;
    let channel = patch_at / sizes.tiles;
    let column = tile % sizes.tile_columns * 2u - sizes.pad_columns;
    let row = tile / sizes.tile_columns % sizes.tile_rows * 2u - sizes.pad_rows;
    let image = tile / sizes.tile_columns / sizes.tile_rows;
    let plane = (image * sizes.channels + channel) * sizes.height * sizes.width;

{{ repeat i 4 }}
    let row{{ i }} = transform(four(plane, row + {{ i }}u, column));
{{ end }}
{{ repeat j 4 }}
    let column{{ j }} = transform(vec4(row0[{{ j }}], row1[{{ j }}], row2[{{ j }}], row3[{{ j }}]));
    transformed[{{ j }}u * sizes.count + patch_at] = column{{ j }}.x;
    transformed[(4u + {{ j }}u) * sizes.count + patch_at] = column{{ j }}.y;
    transformed[(8u + {{ j }}u) * sizes.count + patch_at] = column{{ j }}.z;
    transformed[(12u + {{ j }}u) * sizes.count + patch_at] = column{{ j }}.w;
{{ end }}
}
