// Every channel times its scale, its shift added, then an activation.
//
// One invocation computes one Value, a number or four neighbours of a channel; one workgroup 256 of them, counted through
// units, channels and images. Workgroups: (Values / 256) folded into two dimensions.
//
//   activations  [images, channels, units] of Values
//   scales       [channels]
//   shifts       [channels]
//   results      [images, channels, units] of Values

struct Sizes {
    count: u32, // Values
    channels: u32,
    units: u32, // Values of a channel
}

{{ parts/values }}
@group(0) @binding(0) var<storage, read_write> activations: array<Value>;
@group(0) @binding(1) var<storage, read_write> scales: array<f32>;
@group(0) @binding(2) var<storage, read_write> shifts: array<f32>;
@group(0) @binding(3) var<storage, read_write> results: array<Value>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

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
    let channel = at / sizes.units % sizes.channels;
    results[at] = activated{{ width }}(fma(activations[at], Value(scales[channel]), Value(shifts[channel])));
}
