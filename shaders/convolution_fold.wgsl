// Partial sums of a convolution added, with bias and activation.
//
// One workgroup writes 256 results, one an invocation. Workgroups: (results / 256) folded into two
// dimensions.
//
//   partials  [spans, images, outputs, out_plane]    outputs of this launch
//   biases    [groups, columns]
//   results   [images, all_outputs, out_plane], written at first_output ..

struct Sizes {
    count: u32, // images x outputs x out_plane
    spans: u32,
    out_plane: u32,
    outputs: u32,
    group_outputs: u32,
    columns: u32,
    first_output: u32,
    all_outputs: u32,
}

@group(0) @binding(0) var<storage, read_write> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> biases: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
{{ repeat s {{ summed }} }}
@group(0) @binding(3) var<storage, read_write> summands: array<f32>;
{{ end }}
@group(0) @binding(3 + {{ summed }}) var<uniform> sizes: Sizes;

{{ parts/finished }}
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if at >= sizes.count {
        return;
    }
    var sum = 0.0;
    for (var span = 0u; span < sizes.spans; span++) {
        sum += partials[span * sizes.count + at];
    }
    let output = at / sizes.out_plane % sizes.outputs;
    let image = at / sizes.out_plane / sizes.outputs;
    let bias = biases[output / sizes.group_outputs * sizes.columns + output % sizes.group_outputs];
    let to = (image * sizes.all_outputs + sizes.first_output + output) * sizes.out_plane + at % sizes.out_plane;
    results[to] = finished(sum, bias, to);
}
