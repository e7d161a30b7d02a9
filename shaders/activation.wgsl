// An activation of every unit, or one of the functions that no sum leaves with.
//
// One invocation computes one result; one workgroup 256 of them. Workgroups: (results / 256) folded into two dimensions.
//
//   activations  [count]
//   results      [count]

struct Sizes {
    count: u32,
    slope: f32,
    shift: f32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

{{ parts/activation }}
// 9 sigmoid, 10 hard sigmoid, 11 softplus, 12 Mish, 13 leaky ReLU; below, an activation. NaN stays NaN.
fn function_of(x: f32) -> f32 {
    if ACTIVATION < 9u {
        return activated(x, 0.0);
    }
    var y = x;
    if ACTIVATION == 9u {
        y = 1.0 / (1.0 + exp(min(-x, 88.0)));
    }
    if ACTIVATION == 10u {
        y = clamp(x * sizes.slope + sizes.shift, 0.0, 1.0);
    }
    if ACTIVATION == 11u {
        y = max(x, 0.0) + log(1.0 + exp(-abs(x)));
    }
    if ACTIVATION == 12u {
        let e = exp(min(x, 20.0));
        let w = e * (e + 2.0);
        y = x * (w / (w + 2.0));
    }
    if ACTIVATION == 13u {
        y = select(x, x * sizes.slope, x < 0.0);
    }
    return select(y, x, is_nan(x));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if at < sizes.count {
        results[at] = function_of(activations[at]);
    }
}
