// A dense layer over rows (images, or tokens of images): results = activation(x W + bias), or activation(x W + bias + summands).
//
// One workgroup computes 64 outputs of ROWS rows over a span of the inputs, 8 of 8 an invocation; 16 inputs at a time are staged
// in workgroup memory, the next 16 are under way meanwhile. Workgroups: (tiles of outputs, tiles of rows, spans); where there are
// several spans, `results` are [spans, rows, all_outputs] sums, for `convolution_fold`.
//
//   x        [rows, inputs] of vec4
//   weights  [depth, columns] of vec4: depth the inputs to a multiple of 16, columns the outputs to a multiple of 64, zeros
//            beyond both; what `convolution.wgsl` looks up behind them is not read
//   biases   [columns] of vec4
//   results, summands  [rows, all_outputs] of vec4, from first_output on

struct Sizes {
    rows: u32,
    first_tile: u32, // of rows, of this launch
    inputs: u32, // in vec4, as all below
    span: u32, // of the inputs, a multiple of 16
    outputs: u32, // of this launch
    columns: u32, // of the weights
    first_output: u32,
    all_outputs: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> biases: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> results: array<vec4<f32>>;
{{ repeat s {{ summed }} }}
@group(0) @binding(4) var<storage, read_write> summands: array<vec4<f32>>;
{{ end }}
@group(0) @binding(4 + {{ summed }}) var<uniform> sizes: Sizes;

{{ parts/activation }}
const ROWS = {{ rows }}u; // of a workgroup, and its invocations: 128 or 64

var<workgroup> weight_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> row_tile: array<vec4<f32>, 4u * ROWS>; // [16, ROWS]

// Where four rows of an input lie: lines that are written at once meet in no bank.
fn at(input: u32, quad: u32) -> u32 {
    return input * ROWS / 4u + (quad ^ (input / 4u * 2u));
}

// Four inputs of a row, zeros beyond the last.
fn inputs(first: u32, input: u32) -> vec4<f32> {
    let inside = input < sizes.inputs;
    return select(vec4<f32>(), x[select(0u, first + input, inside)], inside);
}

@compute @workgroup_size({{ rows }})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    // 32 lanes are 8 quads of outputs x 4 of rows, and read the least of workgroup memory.
    let column = slot % 8u;
    let row = slot / 8u;
    let first_row = (sizes.first_tile + workgroup.y) * ROWS;
    // An invocation loads four inputs of four rows. Beyond the last row the last is computed again, and not stored.
    let quad = slot % 4u;
    let own = slot / 4u;
{{ repeat j 4 }}
    let first{{ j }} = min(first_row + own * 4u + {{ j }}u, sizes.rows - 1u) * sizes.inputs;
{{ end }}
    let begin = workgroup.z * sizes.span;
    let end = min(begin + sizes.span, sizes.inputs);
    var weight = (begin * 4u + slot / 16u) * sizes.columns + workgroup.x * 16u + slot % 16u;
{{ repeat n 2 }}
{{ repeat j 4 }}
    var upper_sum{{ n }}{{ j }} = vec4<f32>();
    var lower_sum{{ n }}{{ j }} = vec4<f32>();
{{ end }}
{{ end }}
{{ repeat j 4 }}
    var four{{ j }} = inputs(first{{ j }}, begin + quad);
{{ end }}
{{ repeat l {{ loads }} }}
    var outputs{{ l }} = weights[weight + {{ l }}u * (ROWS / 16u) * sizes.columns];
{{ end }}
    for (var input = begin; input < end; input += 4u) {
{{ repeat j 4 }}
        row_tile[at(quad * 4u + {{ j }}u, own)] = vec4(four0[{{ j }}], four1[{{ j }}], four2[{{ j }}], four3[{{ j }}]);
{{ end }}
{{ repeat l {{ loads }} }}
        weight_tile[slot + {{ l }}u * ROWS] = outputs{{ l }};
{{ end }}
        workgroupBarrier();
        // Behind the last inputs zeros and the last weights, which are not summed.
        weight += select(0u, 16u * sizes.columns, input + 4u < end);
{{ repeat j 4 }}
        four{{ j }} = inputs(first{{ j }}, input + 4u + quad);
{{ end }}
{{ repeat l {{ loads }} }}
        outputs{{ l }} = weights[weight + {{ l }}u * (ROWS / 16u) * sizes.columns];
{{ end }}
{{ repeat i 16 }}
        {
            let upper = row_tile[at({{ i }}u, row)];
            let lower = row_tile[at({{ i }}u, row) + ROWS / 8u];
{{ repeat n 2 }}
            let output{{ n }} = weight_tile[{{ i }}u * 16u + {{ n }}u * 8u + column];
{{ repeat j 4 }}
            upper_sum{{ n }}{{ j }} += upper[{{ j }}] * output{{ n }};
            lower_sum{{ n }}{{ j }} += lower[{{ j }}] * output{{ n }};
{{ end }}
{{ end }}
        }
{{ end }}
        workgroupBarrier();
    }

{{ repeat n 2 }}
    let output{{ n }} = workgroup.x * 16u + {{ n }}u * 8u + column;
    if output{{ n }} < sizes.outputs {
        let bias = biases[output{{ n }}];
{{ repeat j 4 }}
        store(workgroup.z, first_row + row * 4u + {{ j }}u, output{{ n }}, upper_sum{{ n }}{{ j }}, bias);
        store(workgroup.z, first_row + ROWS / 2u + row * 4u + {{ j }}u, output{{ n }}, lower_sum{{ n }}{{ j }}, bias);
{{ end }}
    }
{{ end }}
}

fn store(span: u32, row: u32, output: u32, sums: vec4<f32>, bias: vec4<f32>) {
    if row < sizes.rows {
        let to = (span * sizes.rows + row) * sizes.all_outputs + sizes.first_output + output;
        var first = sums;
        var then = bias;
{{ repeat s {{ summed }} }}
        first = sums + bias;
        then = summands[to];
{{ end }}
        results[to] =
            vec4(activated(first.x, then.x), activated(first.y, then.y), activated(first.z, then.z), activated(first.w, then.w));
    }
}
