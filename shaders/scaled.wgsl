// Every value times its channel's scale, its shift added, and its summand if there are any, then an activation.
//
// One invocation computes one Value, a number or four neighbours of a row; one workgroup 256 of them. Channels are the rows of an
// image, or the units of a row. Workgroups: (Values / 256) folded into two dimensions.
//
//   activations, results, summands  [images, rows, units] of Values
//   scales       [channels] or [images, channels], a number each, or of Values where units are the channels
//   shifts       [channels], alike

struct Sizes {
    count: u32, // Values
    rows: u32, // of an image
    units: u32, // Values of a row
    image_step: u32, // from the scales of an image to the next one's
    row_step: u32, // 1 where channels are rows, else 0
    unit_step: u32, // 1 where they are units, else 0
}

{{ parts/values }}
alias Of = Value{{ width_channels }};

@group(0) @binding(0) var<storage, read_write> activations: array<Value>;
@group(0) @binding(1) var<storage, read_write> scales: array<Of>;
@group(0) @binding(2) var<storage, read_write> shifts: array<Of>;
@group(0) @binding(3) var<storage, read_write> results: array<Value>;
{{ repeat s {{ summed }} }}
@group(0) @binding(4) var<storage, read_write> summands: array<Value>;
{{ end }}
@group(0) @binding(4 + {{ summed }}) var<uniform> sizes: Sizes;

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
    let row = at / sizes.units;
    let image = row / sizes.rows;
    let channel = (row - image * sizes.rows) * sizes.row_step + (at - row * sizes.units) * sizes.unit_step;
    var sum = fma(activations[at], Value(scales[image * sizes.image_step + channel]), Value(shifts[channel]));
{{ repeat s {{ summed }} }}
    sum += summands[at];
{{ end }}
    results[at] = activated{{ width }}(sum);
}
