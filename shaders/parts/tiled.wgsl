// Where a pixel's channels start, and row and column of its window, padding counted. Beyond the last pixel the last is
// computed again, and not stored.
fn place(counted: u32, group: u32) -> vec3<u32> {
    let pixel = min(counted, sizes.pixels - 1u);
    let image = pixel / sizes.out_plane;
    let within = pixel - image * sizes.out_plane;
    let row = within / sizes.out_width;
    let column = within - row * sizes.out_width;
    let start = (image * sizes.groups + group) * sizes.channels * sizes.in_height * sizes.in_width;
    return vec3(start, row * sizes.stride_rows, column * sizes.stride_columns);
}

const BESIDE = 0xffffffffu;

// A pixel's activation under a tap in the tap's first channel, `BESIDE` the input.
fn under(home: vec3<u32>, tap: u32) -> u32 {
    let row = home.y + tap / sizes.window_width * sizes.dilation_rows - sizes.pad_rows;
    let column = home.z + tap % sizes.window_width * sizes.dilation_columns - sizes.pad_columns;
    return select(BESIDE, home.x + row * sizes.in_width + column, row < sizes.in_height && column < sizes.in_width);
}

// The activation of a tap, 0 where the tap is beside the input, as the includer's `NEVER_BESIDE` says none is.
fn activation(at: u32, inside: bool) -> f32 {
    return select(0.0, activations[at], inside || NEVER_BESIDE);
}

// A pixel's sums of four outputs from `output` on, finished; nothing beyond the last pixel or the last output.
fn store(pixel: u32, span: u32, group: u32, output: u32, sums: vec4<f32>, bias: vec4<f32>) {
    if pixel < sizes.pixels {
        let image = span + pixel / sizes.out_plane;
        let first = image * sizes.all_outputs + sizes.first_output + group * sizes.outputs + output;
        let to = first * sizes.out_plane + pixel % sizes.out_plane;
        if output < sizes.outputs {
            results[to] = finished(sums.x, bias.x, to);
        }
        if output + 1u < sizes.outputs {
            results[to + sizes.out_plane] = finished(sums.y, bias.y, to + sizes.out_plane);
        }
        if output + 2u < sizes.outputs {
            results[to + 2u * sizes.out_plane] = finished(sums.z, bias.z, to + 2u * sizes.out_plane);
        }
        if output + 3u < sizes.outputs {
            results[to + 3u * sizes.out_plane] = finished(sums.w, bias.w, to + 3u * sizes.out_plane);
        }
    }
}
