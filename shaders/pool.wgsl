// The largest value or the mean of every window of a channel.
//
// One invocation computes one result; one workgroup 256 of them, counted through rows, channels and images. Workgroups:
// (results / 256) folded into two dimensions.
//
//   activations  [images x channels, in_height, in_width]
//   results      [images x channels, out_height, out_width]

struct Sizes {
    count: u32, // results
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    window_width: u32,
    stride_rows: u32,
    stride_columns: u32,
    dilation_rows: u32,
    dilation_columns: u32,
    pad_rows: u32, // above
    pad_columns: u32, // to the left
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

const KIND = {{ kind }}u; // 0 maximum, NaN wins; 1 mean of what is inside; 2 mean with zeros outside

{{ parts/nan }}
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let result = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if result >= sizes.count {
        return;
    }
    let first_row = result / sizes.out_width % sizes.out_height * sizes.stride_rows;
    let first_column = result % sizes.out_width * sizes.stride_columns;
    let plane = result / sizes.out_width / sizes.out_height * sizes.in_height * sizes.in_width;
    // The first taps that are inside, and where the last ones end; the host sees to it that every window has one.
    let above = (max(first_row, sizes.pad_rows) - first_row + sizes.dilation_rows - 1u) / sizes.dilation_rows;
    let left = (max(first_column, sizes.pad_columns) - first_column + sizes.dilation_columns - 1u) / sizes.dilation_columns;
    let rows = first_row + above * sizes.dilation_rows - sizes.pad_rows;
    let columns = first_column + left * sizes.dilation_columns - sizes.pad_columns;
    let reach_rows = (sizes.window_height - 1u) * sizes.dilation_rows + 1u;
    let reach_columns = (sizes.window_width - 1u) * sizes.dilation_columns + 1u;
    let end_row = min(first_row + reach_rows - sizes.pad_rows, sizes.in_height);
    let end_column = min(first_column + reach_columns - sizes.pad_columns, sizes.in_width);

    var value = activations[plane + rows * sizes.in_width + columns];
    if KIND != 0u {
        value = 0.0;
    }
    for (var row = rows; row < end_row; row += sizes.dilation_rows) {
        for (var column = columns; column < end_column; column += sizes.dilation_columns) {
            let x = activations[plane + row * sizes.in_width + column];
            if KIND == 0u {
                value = select(value, x, x > value || is_nan(x));
            } else {
                value += x;
            }
        }
    }
    if KIND == 1u {
        let high = (end_row - rows + sizes.dilation_rows - 1u) / sizes.dilation_rows;
        let wide = (end_column - columns + sizes.dilation_columns - 1u) / sizes.dilation_columns;
        value /= f32(high * wide);
    }
    if KIND == 2u {
        value /= f32(sizes.window_height * sizes.window_width);
    }
    results[result] = value;
}
