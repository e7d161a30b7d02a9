// A value near each image's mean activation, subtracted before products are summed (one-pass sums cancel otherwise).
//
// One workgroup takes one image: the mean of its units, or of 4096 of them where there are more, as 64 runs of 64
// neighbours that start at multiples of the golden ratio (spread evenly, and in step with no row or channel).
//
//   activations  [images, units]  one batch
//   shifts       [concepts]       written at first .. first + images

struct Sizes {
    units: u32,
    first: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> shifts: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

const RUN = 64u;
const RUNS = 64u;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let units = sizes.units;
    let row = workgroup.x * units;
    var sum = 0.0;
    if units <= RUN * RUNS {
        for (var unit = t; unit < units; unit += 256u) {
            sum += activations[row + unit];
        }
    } else {
        for (var run = t / RUN; run < RUNS; run += 256u / RUN) {
            let start = u32(fract(f32(run) * 0.618034) * f32(units - RUN));
            sum += activations[row + min(start, units - RUN) + t % RUN];
        }
    }
    sums[t] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half {
            sums[t] += sums[t + half];
        }
    }
    if t == 0u {
        shifts[sizes.first + workgroup.x] = sums[0] / f32(min(units, RUN * RUNS));
    }
}
