// Adds one image, by its weight, to the mean m of a few, over a chunk of units. One invocation takes a unit.
//
// The first image's launch begins the sum, the last one's cuts it to 12 bits, so that its products with contrasts of 12 bits
// have no rounding error. A NaN or infinity would spread from its image to all: m is 0 there.
//
//   activations  [images, units]  one batch; the chunk is start .. start + count of row `image`
//   means        [count]

struct Sizes {
    units: u32,
    start: u32,
    count: u32,
    image: u32,
    shift: f32,
    weight: f32,
    begins: u32,
    ends: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> means: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let unit = workgroup.x * 256u + t;
    if unit < sizes.count {
        var sum = sizes.weight * (activations[sizes.image * sizes.units + sizes.start + unit] - sizes.shift);
        if sizes.begins == 0u {
            sum += means[unit];
        }
        if sizes.ends != 0u {
            let mean = bitcast<u32>(sum) & 0xfffff000u;
            sum = bitcast<f32>(select(mean, 0u, (mean & 0x7f800000u) == 0x7f800000u));
        }
        means[unit] = sum;
    }
}
