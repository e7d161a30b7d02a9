// The convolution of `convolution.wgsl` without workgroup memory: fewest loads for each multiply-add. For adapters that
// run on a CPU, which pay for every float that an invocation loads, be it from workgroup memory.
//
// One invocation computes 4 QUADS outputs of COLUMNS pixels; one workgroup 64 / LANES strips of outputs of LANES x COLUMNS
// pixels.
// Workgroups: (tiles of pixels, tiles of outputs, groups). Buffers and sums, in their order, are `convolution.wgsl`'s.

{{ parts/convolution }}
const COLUMNS = {{ columns }}u;
const LANES = {{ lanes }}u;
const QUADS = {{ quads }}u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    let group = workgroup.z;
    let plane = sizes.in_height * sizes.in_width;
    let stride = sizes.columns / 4u;
    let strip = workgroup.y * (64u / LANES) + slot / LANES;
    let first_pixel = (sizes.first_tile + workgroup.x) * LANES * COLUMNS + slot % LANES;
    if strip * QUADS * 4u >= sizes.outputs {
        return;
    }

    var places: array<vec3<u32>, COLUMNS>; // start of the channels, row and column of the window
    for (var i = 0u; i < COLUMNS; i++) {
        let pixel = min(first_pixel + i * LANES, sizes.pixels - 1u);
        let row = pixel % sizes.out_plane / sizes.out_width;
        let column = pixel % sizes.out_plane % sizes.out_width;
        places[i] = vec3(
            (pixel / sizes.out_plane * sizes.groups + group) * sizes.channels * plane,
            row * sizes.stride_rows,
            column * sizes.stride_columns,
        );
    }

    var sums: array<array<vec4<f32>, QUADS>, COLUMNS>;
    for (var i = 0u; i < COLUMNS; i++) {
        for (var j = 0u; j < QUADS; j++) {
            sums[i][j] = vec4<f32>();
        }
    }
    var weight = group * sizes.depth * stride + strip * QUADS;
    for (var tap_row = 0u; tap_row < sizes.window_height; tap_row++) {
        for (var tap_column = 0u; tap_column < sizes.window_width; tap_column++) {
            var at: array<u32, COLUMNS>;
            var inside: array<bool, COLUMNS>;
            for (var i = 0u; i < COLUMNS; i++) {
                let row = places[i].y + tap_row * sizes.dilation_rows - sizes.pad_rows;
                let column = places[i].z + tap_column * sizes.dilation_columns - sizes.pad_columns;
                inside[i] = PADDED == 0u || (row < sizes.in_height && column < sizes.in_width);
                at[i] = select(0u, places[i].x + row * sizes.in_width + column, inside[i]);
            }
            for (var channel = 0u; channel < sizes.channels; channel++) {
                var outputs: array<vec4<f32>, QUADS>;
                for (var j = 0u; j < QUADS; j++) {
                    outputs[j] = weights[weight + j];
                }
                weight += stride;
                for (var i = 0u; i < COLUMNS; i++) {
                    let activation = select(0.0, activations[at[i] + channel * plane], inside[i]);
                    for (var j = 0u; j < QUADS; j++) {
                        sums[i][j] += activation * outputs[j];
                    }
                }
            }
        }
    }

    for (var i = 0u; i < COLUMNS; i++) {
        let pixel = first_pixel + i * LANES;
        if pixel < sizes.pixels {
            let first = pixel / sizes.out_plane * sizes.all_outputs + sizes.first_output + group * sizes.outputs;
            let to = (first + strip * 4u * QUADS) * sizes.out_plane + pixel % sizes.out_plane;
            for (var j = 0u; j < QUADS; j++) {
                let bias = biases[group * stride + strip * QUADS + j];
                for (var k = 0u; k < 4u; k++) {
                    let output = j * 4u + k;
                    if strip * 4u * QUADS + output < sizes.outputs {
                        let own = to + output * sizes.out_plane;
                        results[own] = finished(sums[i][j][k], bias[k], own);
                    }
                }
            }
        }
    }
}
