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

// A pixel's sums of four outputs from `output` on, finished; nothing beyond the last pixel or the last output.
fn store(pixel: u32, span: u32, group: u32, output: u32, sums: vec4<f32>, bias: vec4<f32>) {
    if pixel < sizes.pixels {
        let image = span + pixel / sizes.out_plane;
        let first = image * sizes.all_outputs + sizes.first_output + group * sizes.outputs + output;
        let to = first * sizes.out_plane + pixel % sizes.out_plane;
        if output < sizes.outputs {
            results[to] = activated(sums.x, bias.x);
        }
        if output + 1u < sizes.outputs {
            results[to + sizes.out_plane] = activated(sums.y, bias.y);
        }
        if output + 2u < sizes.outputs {
            results[to + 2u * sizes.out_plane] = activated(sums.z, bias.z);
        }
        if output + 3u < sizes.outputs {
            results[to + 3u * sizes.out_plane] = activated(sums.w, bias.w);
        }
    }
}
