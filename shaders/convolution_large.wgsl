// The convolution of `convolution.wgsl` with 8 x 8 sums an invocation, for large products on NVIDIA's GPUs. Channels are a
// multiple of 16. A step's 16 taps are written out, and the next step's loads are under way meanwhile.
//
// One workgroup computes 64 outputs of 128 pixels of one group. Workgroups, buffers, and sums in their order, are
// `convolution.wgsl`'s.

{{ parts/convolution }}
var<workgroup> output_tile: array<vec4<f32>, 256>; // [16, 64]
var<workgroup> pixel_tile: array<vec4<f32>, 512>; // [16, 128]

const NEVER_BESIDE = PADDED == 0u;

{{ parts/tiled }}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    let x = slot % 16u;
    let y = slot / 16u;
    let group = workgroup.z % sizes.groups;
    let begin = workgroup.z / sizes.groups * sizes.span;
    let end = min(begin + sizes.span, sizes.depth / 16u);
    let plane = sizes.in_height * sizes.in_width;
    let first_pixel = (sizes.first_tile + workgroup.x) * 128u;
    let stride = sizes.columns / 4u;
    let steps = sizes.channels / 16u; // of a tap
    var weight = (group * sizes.depth + begin * 16u) * stride + workgroup.y * 16u;
    let home = place(first_pixel + slot, group);
    var found = under(home, begin / steps);
    var inside = found != BESIDE;
    var at = select(0u, found, inside) + begin % steps * 16u * plane; // this invocation's first activation in the step
{{ repeat l 16 }}
    var pixel{{ l }} = activation(at + {{ l }}u * plane, inside);
{{ end }}
{{ repeat m 2 }}
    var output{{ m }} = weights[weight + (slot / 16u + 8u * {{ m }}u) * stride + slot % 16u];
{{ end }}
{{ repeat n 2 }}
{{ repeat j 4 }}
    var upper_sum{{ n }}{{ j }} = vec4<f32>();
    var lower_sum{{ n }}{{ j }} = vec4<f32>();
{{ end }}
{{ end }}
    for (var step = begin; step < end; step++) {
{{ repeat l 16 }}
        pixel_tile[32u * {{ l }}u + slot / 4u][slot % 4u] = pixel{{ l }};
{{ end }}
{{ repeat m 2 }}
        output_tile[slot + 128u * {{ m }}u] = output{{ m }};
{{ end }}
        workgroupBarrier();
        let ahead = step + 1u;
        if ahead < end {
            at += 16u * plane;
            weight += 16u * stride;
            if ahead % steps == 0u {
                found = under(home, ahead / steps);
                inside = found != BESIDE;
                at = select(0u, found, inside);
            }
{{ repeat l 16 }}
            pixel{{ l }} = activation(at + {{ l }}u * plane, inside);
{{ end }}
{{ repeat m 2 }}
            output{{ m }} = weights[weight + (slot / 16u + 8u * {{ m }}u) * stride + slot % 16u];
{{ end }}
        }
{{ repeat i 16 }}
        {
            let upper = output_tile[{{ i }}u * 16u + y];
            let lower = output_tile[{{ i }}u * 16u + 8u + y];
{{ repeat n 2 }}
            let four{{ n }} = pixel_tile[{{ i }}u * 32u + {{ n }}u * 16u + x];
{{ repeat j 4 }}
            upper_sum{{ n }}{{ j }} += upper[{{ j }}] * four{{ n }};
            lower_sum{{ n }}{{ j }} += lower[{{ j }}] * four{{ n }};
{{ end }}
{{ end }}
        }
{{ end }}
        workgroupBarrier();
    }

    let span = workgroup.z / sizes.groups * sizes.images;
    let output = workgroup.y * 64u + y * 4u;
    let upper_bias = biases[group * stride + workgroup.y * 16u + y];
    let lower_bias = biases[group * stride + workgroup.y * 16u + 8u + y];
{{ repeat n 2 }}
{{ repeat i 4 }}
    {
        let pixel = first_pixel + {{ n }}u * 64u + x * 4u + {{ i }}u;
        let upper = vec4(upper_sum{{ n }}0[{{ i }}], upper_sum{{ n }}1[{{ i }}], upper_sum{{ n }}2[{{ i }}], upper_sum{{ n }}3[{{ i }}]);
        let lower = vec4(lower_sum{{ n }}0[{{ i }}], lower_sum{{ n }}1[{{ i }}], lower_sum{{ n }}2[{{ i }}], lower_sum{{ n }}3[{{ i }}]);
        store(pixel, span, group, output, upper, upper_bias);
        store(pixel, span, group, output + 32u, lower, lower_bias);
    }
{{ end }}
{{ end }}
}
