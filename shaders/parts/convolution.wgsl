// What the forms of a convolution have in common: buffers, sizes and the activation.

struct Sizes {
    pixels: u32, // of all images
    first_tile: u32, // of this launch
    images: u32,
    groups: u32,
    channels: u32, // of a group
    in_height: u32,
    in_width: u32,
    out_plane: u32, // height x width
    out_width: u32,
    window_height: u32,
    window_width: u32,
    stride_rows: u32,
    stride_columns: u32,
    pad_rows: u32, // above
    pad_columns: u32, // to the left
    dilation_rows: u32,
    dilation_columns: u32,
    outputs: u32, // of a group
    columns: u32, // of the weights
    first_output: u32, // of this launch
    all_outputs: u32,
    depth: u32, // taps, of the weights
    span: u32, // in steps
    second_row: u32, // activations from the first row of a step that an invocation loads to its second
    third_row: u32,
    fourth_row: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> biases: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> results: array<f32>;
{{ repeat s {{ summed }} }}
@group(0) @binding(4) var<storage, read_write> summands: array<f32>;
{{ end }}
@group(0) @binding(4 + {{ summed }}) var<uniform> sizes: Sizes;

const PADDED = {{ padded }}u; // 0: no window leaves the input

{{ parts/finished }}
