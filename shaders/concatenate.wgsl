// Some rows of a concatenation: those of up to six inputs one behind the other, in their place among those of the results.
//
// One invocation copies one Value, a number or four neighbours of a row; one workgroup 256 of them, counted through the rows of
// these inputs side by side. Workgroups: (Values / 256) folded into two dimensions.
//
//   input n  [rows, end of n less the end before] of Values
//   results  [rows, pitch] of Values, of which these inputs have the columns first .. first + units

struct Sizes {
    count: u32, // Values of these inputs
    units: u32, // of a row of these inputs
    first: u32,
    pitch: u32,
    end0: u32, // Values of a row up to the end of each input; no more than the inputs are read
    end1: u32,
    end2: u32,
    end3: u32,
    end4: u32,
    end5: u32,
}

alias Value1 = f32;
alias Value4 = vec4<f32>;
alias Value = Value{{ width }};

{{ repeat n {{ inputs }} }}
@group(0) @binding({{ n }}) var<storage, read_write> input{{ n }}: array<Value>;
{{ end }}
@group(0) @binding({{ inputs }}) var<storage, read_write> results: array<Value>;
@group(0) @binding({{ sizes }}) var<uniform> sizes: Sizes;

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
    let unit = at - row * sizes.units;
    let to = row * sizes.pitch + sizes.first + unit;
    var begin = 0u;
{{ repeat n {{ inputs }} }}
    if unit >= begin && unit < sizes.end{{ n }} {
        results[to] = input{{ n }}[row * (sizes.end{{ n }} - begin) + unit - begin];
    }
    begin = sizes.end{{ n }};
{{ end }}
}
