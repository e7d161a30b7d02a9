// A convolution of every channel by itself: outputs of one channel each, `outputs / channels` of them a channel.
//
// One invocation computes 4 neighbours of a row; one workgroup 256 such quads, counted through rows, outputs and images.
// Workgroups: (quads / 256) folded into two dimensions.
//
//   activations  [images, channels, in_height, in_width]
//   weights      [outputs, window_height, window_width]
//   biases       [outputs]
//   results      [images, outputs, out_height, out_width]

struct Sizes {
    quads: u32, // images x outputs x out_height x quads of a row
    channels: u32,
    outputs: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    stride_rows: u32,
    pad_rows: u32, // above
    pad_columns: u32, // to the left
    dilation_rows: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> biases: array<f32>;
@group(0) @binding(3) var<storage, read_write> results: array<f32>;
{{ repeat s {{ summed }} }}
@group(0) @binding(4) var<storage, read_write> summands: array<f32>;
{{ end }}
@group(0) @binding(4 + {{ summed }}) var<uniform> sizes: Sizes;

const WIDTH = {{ width }}u; // of the window
const STRIDE = {{ stride }}u; // along a row
const DILATION = {{ dilation }}u; // along a row
const INPUTS = {{ inputs }}u; // that 4 neighbours see of a row: 3 STRIDE + (WIDTH - 1) DILATION + 1

{{ parts/finished }}
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let quad = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if quad >= sizes.quads {
        return;
    }
    let across = (sizes.out_width + 3u) / 4u;
    let column = quad % across * 4u;
    let row = quad / across % sizes.out_height;
    let result = quad / across / sizes.out_height; // image x outputs + output
    let output = result % sizes.outputs;
    let channel = result / sizes.outputs * sizes.channels + output / (sizes.outputs / sizes.channels);
    let plane = channel * sizes.in_height * sizes.in_width;

    var sum = vec4<f32>();
    for (var i = 0u; i < sizes.window_height; i++) {
        let in_row = row * sizes.stride_rows + i * sizes.dilation_rows - sizes.pad_rows;
        if in_row < sizes.in_height {
            var inputs: array<f32, INPUTS>;
{{ repeat j {{ inputs }} }}
            {
                let in_column = column * STRIDE + {{ j }}u - sizes.pad_columns;
                let inside = in_column < sizes.in_width;
                let at = select(0u, plane + in_row * sizes.in_width + in_column, inside);
                inputs[{{ j }}] = select(0.0, activations[at], inside);
            }
{{ end }}
{{ repeat j {{ width }} }}
            sum += weights[(output * sizes.window_height + i) * WIDTH + {{ j }}u] * vec4(
                inputs[{{ j }}u * DILATION],
                inputs[{{ j }}u * DILATION + STRIDE],
                inputs[{{ j }}u * DILATION + 2u * STRIDE],
                inputs[{{ j }}u * DILATION + 3u * STRIDE],
            );
{{ end }}
        }
    }

    let bias = biases[output];
    let to = (result * sizes.out_height + row) * sizes.out_width + column;
    results[to] = finished(sum.x, bias, to);
    if column + 1u < sizes.out_width {
        results[to + 1u] = finished(sum.y, bias, to + 1u);
    }
    if column + 2u < sizes.out_width {
        results[to + 2u] = finished(sum.z, bias, to + 2u);
    }
    if column + 3u < sizes.out_width {
        results[to + 3u] = finished(sum.w, bias, to + 3u);
    }
}
