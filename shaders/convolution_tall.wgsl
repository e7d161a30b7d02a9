// The convolution of `convolution.wgsl` with 8 x 4 sums an invocation, for NVIDIA's GPUs. Channels are a multiple of 16. A
// step's loads are all started before any is stored. (Said by one template together with `convolution.wgsl`, it took an
// H200 twice as long.)
//
// One workgroup computes 64 outputs of 64 pixels of one group. Workgroups, buffers, and sums in their order, are
// `convolution.wgsl`'s.

{{ parts/convolution }}
var<workgroup> output_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> pixel_tile: array<f32, 1024>; // [16, 64]

{{ parts/tiled }}
// The activation of a tap, 0 where the tap is beside the input.
fn activation(at: u32, inside: bool) -> f32 {
    return select(0.0, activations[at], inside || PADDED == 0u);
}

@compute @workgroup_size(16, 8)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let slot = local.y * 16u + local.x;
    let group = workgroup.z % sizes.groups;
    let begin = workgroup.z / sizes.groups * sizes.span;
    let end = min(begin + sizes.span, sizes.depth / 16u);
    let plane = sizes.in_height * sizes.in_width;
    let first_pixel = (sizes.first_tile + workgroup.x) * 64u;
    let stride = sizes.columns / 4u;
    let steps = sizes.channels / 16u; // of a tap
    var weight = (group * sizes.depth + begin * 16u) * stride + workgroup.y * 16u;
    var next = begin; // the step at which the next tap begins
    var at = 0u; // of this invocation's first activation in the step
    var inside = false;
    let home = place(first_pixel + slot % 64u, group);
{{ repeat m 2 }}
    var sum{{ m }}0 = vec4<f32>();
    var sum{{ m }}1 = vec4<f32>();
    var sum{{ m }}2 = vec4<f32>();
    var sum{{ m }}3 = vec4<f32>();
{{ end }}
    for (var step = begin; step < end; step++) {
        if step == next {
            let tap = step / steps;
            let row = home.y + tap / sizes.window_width * sizes.dilation_rows - sizes.pad_rows;
            let column = home.z + tap % sizes.window_width * sizes.dilation_columns - sizes.pad_columns;
            inside = row < sizes.in_height && column < sizes.in_width;
            at = select(0u, home.x + row * sizes.in_width + column, inside) + (step % steps * 16u + slot / 64u) * plane;
            next = (tap + 1u) * steps;
        }
{{ repeat l 8 }}
        let pixel{{ l }} = activation(at + 2u * {{ l }}u * plane, inside);
{{ end }}
{{ repeat m 2 }}
        let output{{ m }} = weights[weight + (slot + 128u * {{ m }}u) / 16u * stride + (slot + 128u * {{ m }}u) % 16u];
{{ end }}
        at += 16u * plane;
        weight += 16u * stride;
{{ repeat l 8 }}
        pixel_tile[slot + 128u * {{ l }}u] = pixel{{ l }};
{{ end }}
{{ repeat m 2 }}
        output_tile[slot + 128u * {{ m }}u] = output{{ m }};
{{ end }}
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            let first = i * 64u + local.x * 4u;
            let pixel = vec4(pixel_tile[first], pixel_tile[first + 1u], pixel_tile[first + 2u], pixel_tile[first + 3u]);
{{ repeat m 2 }}
            let output{{ m }} = output_tile[i * 16u + 8u * {{ m }}u + local.y];
            sum{{ m }}0 += output{{ m }}.x * pixel;
            sum{{ m }}1 += output{{ m }}.y * pixel;
            sum{{ m }}2 += output{{ m }}.z * pixel;
            sum{{ m }}3 += output{{ m }}.w * pixel;
{{ end }}
        }
        workgroupBarrier();
    }

    let span = workgroup.z / sizes.groups * sizes.images;
    let pixel = first_pixel + local.x * 4u;
{{ repeat m 2 }}
    let output{{ m }} = workgroup.y * 64u + 32u * {{ m }}u + local.y * 4u;
    let bias{{ m }} = biases[group * stride + workgroup.y * 16u + 8u * {{ m }}u + local.y];
{{ end }}
{{ repeat i 4 }}
    store(pixel + {{ i }}u, span, group, output0, vec4(sum00[{{ i }}], sum01[{{ i }}], sum02[{{ i }}], sum03[{{ i }}]), bias0);
    store(pixel + {{ i }}u, span, group, output1, vec4(sum10[{{ i }}], sum11[{{ i }}], sum12[{{ i }}], sum13[{{ i }}]), bias1);
{{ end }}
}
