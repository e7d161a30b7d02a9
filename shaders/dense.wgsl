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
const PITCH = 17u; // so that no four inputs of a row lie in one bank

var<workgroup> weight_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> row_tile: array<vec4<f32>, 16u * PITCH>; // [16, 64]

// Four inputs of a row, zeros beyond the last.
fn inputs(at: u32, input: u32) -> vec4<f32> {
    let inside = input < sizes.inputs;
    return select(vec4<f32>(), x[select(0u, at + input, inside)], inside);
}

// Four inputs of a row, as the row's column of the tile.
fn stage(row: u32, quad: u32, four: vec4<f32>) {
    let to = quad * 4u * PITCH + row / 4u;
    row_tile[to][row % 4u] = four.x;
    row_tile[to + PITCH][row % 4u] = four.y;
    row_tile[to + 2u * PITCH][row % 4u] = four.z;
    row_tile[to + 3u * PITCH][row % 4u] = four.w;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    // 32 lanes are 8 quads of outputs x 4 of rows, and read the least of workgroup memory.
    let column = slot % 8u + slot / 32u % 2u * 8u;
    let row = slot / 8u % 4u + slot / 64u * 4u;
    let first_row = (sizes.first_tile + workgroup.y) * 64u;
    let quad = slot % 4u;
    // Beyond the last row the last is computed again, and not stored.
    let at = min(first_row + slot / 4u, sizes.rows - 1u) * sizes.inputs;
    let second_at = min(first_row + slot / 4u + 32u, sizes.rows - 1u) * sizes.inputs;
    var weight = slot / 16u * sizes.columns + workgroup.x * 16u + slot % 16u;
{{ repeat j 8 }}
    var sum{{ j }} = vec4<f32>();
{{ end }}
    for (var first = 0u; first < sizes.inputs; first += 4u) {
        let four = inputs(at, first + quad);
        let second_four = inputs(second_at, first + quad);
        let outputs = weights[weight];
        let second_outputs = weights[weight + 8u * sizes.columns];
        weight += 16u * sizes.columns;
        stage(slot / 4u, quad, four);
        stage(slot / 4u + 32u, quad, second_four);
        weight_tile[slot] = outputs;
        weight_tile[slot + 128u] = second_outputs;
        workgroupBarrier();
{{ repeat i 16 }}
        {
            let output = weight_tile[{{ i }}u * 16u + column];
            let upper = row_tile[{{ i }}u * PITCH + row];
            let lower = row_tile[{{ i }}u * PITCH + 8u + row];
            sum0 += upper.x * output;
            sum1 += upper.y * output;
            sum2 += upper.z * output;
            sum3 += upper.w * output;
            sum4 += lower.x * output;
            sum5 += lower.y * output;
            sum6 += lower.z * output;
            sum7 += lower.w * output;
        }
{{ end }}
        workgroupBarrier();
    }

    let output = workgroup.x * 16u + column;
    if output >= sizes.outputs {
        return;
    }
    let bias = biases[output];
{{ repeat j 8 }}
    let row{{ j }} = first_row + {{ j }}u / 4u * 32u + row * 4u + {{ j }}u % 4u;
    if row{{ j }} < sizes.rows {
        results[row{{ j }} * sizes.all_outputs + sizes.first_output + output] = vec4(
            activated(sum{{ j }}.x, bias.x),
            activated(sum{{ j }}.y, bias.y),
            activated(sum{{ j }}.z, bias.z),
            activated(sum{{ j }}.w, bias.w),
        );
    }
{{ end }}
}
