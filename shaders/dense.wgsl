// A dense layer over rows (images, or tokens of images): results = activation(x W + bias).
//
// One workgroup computes 64 outputs of 64 rows, 4 outputs of 8 rows an invocation; 16 inputs at a time are staged in
// workgroup memory. Workgroups: (tiles of outputs, tiles of rows).
//
//   x        [rows, inputs] of vec4
//   weights  [depth, columns] of vec4: depth the inputs to a multiple of 16, columns the outputs to a multiple of 64, zeros
//            beyond both; what `convolution.wgsl` looks up behind them is not read
//   biases   [columns] of vec4
//   results  [rows, all_outputs] of vec4, written at first_output ..

struct Sizes {
    rows: u32,
    first_tile: u32, // of rows, of this launch
    inputs: u32, // in vec4, as all below
    outputs: u32, // of this launch
    columns: u32, // of the weights
    first_output: u32,
    all_outputs: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> biases: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

{{ parts/activation }}
// Four inputs of eight rows, as 32 lanes write them, meet in a bank twice, not four times; rows start at multiples of 16
// bytes.
const PITCH = 68u;

var<workgroup> weight_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> row_tile: array<f32, 16u * PITCH>; // [16, 64]

// Four inputs of a row, zeros beyond the last.
fn inputs(at: u32, input: u32) -> vec4<f32> {
    let inside = input < sizes.inputs;
    return select(vec4<f32>(), x[select(0u, at + input, inside)], inside);
}

fn stage(to: u32, four: vec4<f32>) {
    row_tile[to] = four.x;
    row_tile[to + PITCH] = four.y;
    row_tile[to + 2u * PITCH] = four.z;
    row_tile[to + 3u * PITCH] = four.w;
}

@compute @workgroup_size(16, 8)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let first_row = (sizes.first_tile + workgroup.y) * 64u;
    let quad = slot % 4u;
    let to = quad * 4u * PITCH + slot / 4u;
    // Beyond the last row the last is computed again, and not stored.
    let at = min(first_row + slot / 4u, sizes.rows - 1u) * sizes.inputs;
    let second_at = min(first_row + slot / 4u + 32u, sizes.rows - 1u) * sizes.inputs;
    var weight = local.y * sizes.columns + workgroup.x * 16u + local.x;
{{ repeat j 8 }}
    var sum{{ j }} = vec4<f32>();
{{ end }}
    for (var first = 0u; first < sizes.inputs; first += 4u) {
        stage(to, inputs(at, first + quad));
        stage(to + 32u, inputs(second_at, first + quad));
        weight_tile[slot] = weights[weight];
        weight_tile[slot + 128u] = weights[weight + 8u * sizes.columns];
        weight += 16u * sizes.columns;
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            let output = weight_tile[i * 16u + local.x];
            let row = i * PITCH + local.y * 8u;
{{ repeat j 8 }}
            sum{{ j }} += row_tile[row + {{ j }}u] * output;
{{ end }}
        }
        workgroupBarrier();
    }

    let output = workgroup.x * 16u + local.x;
    if output >= sizes.outputs {
        return;
    }
    let bias = biases[output];
    let row = first_row + local.y * 8u;
    let result = row * sizes.all_outputs + sizes.first_output + output;
{{ repeat j 8 }}
    if row + {{ j }}u < sizes.rows {
        results[result + {{ j }}u * sizes.all_outputs] = vec4(
            activated(sum{{ j }}.x, bias.x),
            activated(sum{{ j }}.y, bias.y),
            activated(sum{{ j }}.z, bias.z),
            activated(sum{{ j }}.w, bias.w),
        );
    }
{{ end }}
}
