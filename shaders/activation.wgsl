// An activation of every unit.
//
// One invocation computes one result; one workgroup 256 of them. Workgroups: (results / 256) folded into two dimensions.
//
//   activations  [count]
//   results      [count]

struct Sizes {
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

{{ parts/activation }}
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if at < sizes.count {
        results[at] = activated(activations[at], 0.0);
    }
}
