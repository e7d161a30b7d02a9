// A sample of every image's units, from which the host takes what the images have in common.
//
// One invocation copies a unit; workgroup.y counts the images. The sample's runs of 64 neighbours begin `stride` units
// apart.
//
//   activations  [images, units]    one batch
//   sample       [concepts, count]  written at first .. first + images

struct Sizes {
    units: u32,
    first: u32,
    stride: u32,
    count: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> sample: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

const RUN = 64u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let place = workgroup.x * 256u + t;
    if place < sizes.count {
        let unit = place / RUN * sizes.stride + place % RUN;
        sample[(sizes.first + workgroup.y) * sizes.count + place] = activations[workgroup.y * sizes.units + unit];
    }
}
