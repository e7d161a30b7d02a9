// Values copied from where they lie, of every index over RUNS runs of lengths and steps, row by row.
//
// One invocation copies one Value, a number or four neighbours of the last run; one workgroup 256 of them. Workgroups: (Values /
// 256) folded into two dimensions.
//
//   x        Values, of which the first that is copied is at `offset`
//   results  [count] of Values

struct Sizes {
    count: u32,
    offset: u32,
    length0: u32, // of the last run, in Values as all steps; then those before it
    length1: u32,
    length2: u32,
    length3: u32,
    length4: u32,
    length5: u32,
    step0: u32,
    step1: u32,
    step2: u32,
    step3: u32,
    step4: u32,
    step5: u32,
}

alias Value1 = f32;
alias Value4 = vec4<f32>;
alias Value = Value{{ width }};

@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> results: array<Value>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

{{ parts/runs }}
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let to = (workgroup.y * workgroups.x + workgroup.x) * 256u + slot;
    if to >= sizes.count {
        return;
    }
    results[to] = x[place_of(to)];
}
