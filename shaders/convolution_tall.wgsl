// The convolution of `convolution.wgsl` with 8 x 4 sums an invocation, for NVIDIA's GPUs. Channels are a multiple of 16. A
// step's loads are all started before any is stored, and its 16 taps are written out: as a loop they took an H200 a third
// longer.
//
// One workgroup computes 64 outputs of 64 pixels of one group. Workgroups, buffers, and sums in their order, are
// `convolution.wgsl`'s.

{{ parts/convolution }}
var<workgroup> output_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> pixel_tile: array<vec4<f32>, 256>; // [16, 64]

const NEVER_BESIDE = PADDED == 0u;

{{ parts/tiled }}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    // 32 lanes are 8 quads of pixels x 4 of outputs, and read the least of workgroup memory.
    let x = slot % 8u + slot / 32u % 2u * 8u;
    let y = slot / 8u % 4u + slot / 64u * 4u;
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
            let found = under(home, tap);
            inside = found != BESIDE;
            at = select(0u, found, inside) + (step % steps * 16u + slot / 64u) * plane;
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
        pixel_tile[slot / 4u + 32u * {{ l }}u][slot % 4u] = pixel{{ l }};
{{ end }}
{{ repeat m 2 }}
        output_tile[slot + 128u * {{ m }}u] = output{{ m }};
{{ end }}
        workgroupBarrier();
{{ repeat i 16 }}
        {
            let pixel = pixel_tile[{{ i }}u * 16u + x];
            let output0 = output_tile[{{ i }}u * 16u + y];
            let output1 = output_tile[{{ i }}u * 16u + 8u + y];
            sum00 += output0.x * pixel;
            sum01 += output0.y * pixel;
            sum02 += output0.z * pixel;
            sum03 += output0.w * pixel;
            sum10 += output1.x * pixel;
            sum11 += output1.y * pixel;
            sum12 += output1.z * pixel;
            sum13 += output1.w * pixel;
        }
{{ end }}
        workgroupBarrier();
    }

    let span = workgroup.z / sizes.groups * sizes.images;
    let pixel = first_pixel + x * 4u;
{{ repeat m 2 }}
    let output{{ m }} = workgroup.y * 64u + 32u * {{ m }}u + y * 4u;
    let bias{{ m }} = biases[group * stride + workgroup.y * 16u + 8u * {{ m }}u + y];
{{ end }}
{{ repeat i 4 }}
    store(pixel + {{ i }}u, span, group, output0, vec4(sum00[{{ i }}], sum01[{{ i }}], sum02[{{ i }}], sum03[{{ i }}]), bias0);
    store(pixel + {{ i }}u, span, group, output1, vec4(sum10[{{ i }}], sum11[{{ i }}], sum12[{{ i }}], sum13[{{ i }}]), bias1);
{{ end }}
}
