// Values copied from where they lie, where neighbours of one axis lie side by side in `x` and those of another in `results`, as
// of channels and pixels: squares are turned in workgroup memory, so that both sides are read and written in stretches.
//
// One workgroup copies 32 x 32 values, one of RUNS other indices. Workgroups: (32 columns x 32 rows x the others' indices) folded
// into two dimensions.
//
//   x        rows side by side, columns `step` apart, of the others' runs each `from` apart; the first at `offset`
//   results  columns side by side, rows `apart`, of the others' runs each `to` apart

struct Sizes {
    count: u32, // of workgroups
    offset: u32,
    rows: u32,
    columns: u32,
    step: u32,
    apart: u32,
    length0: u32, // of the others, the last first
    length1: u32,
    length2: u32,
    length3: u32,
    from0: u32,
    from1: u32,
    from2: u32,
    from3: u32,
    to0: u32,
    to1: u32,
    to2: u32,
    to3: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> square: array<f32, 1056>; // [32 columns, 33]: neighbours of a column lie in different banks

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    var left = workgroup.y * workgroups.x + workgroup.x;
    if left >= sizes.count {
        return;
    }
    let tiles_of_columns = (sizes.columns + 31u) / 32u;
    let tiles_of_rows = (sizes.rows + 31u) / 32u;
    let first_column = left % tiles_of_columns * 32u;
    left /= tiles_of_columns;
    let first_row = left % tiles_of_rows * 32u;
    left /= tiles_of_rows;
    var place = sizes.offset;
    var to = 0u;
{{ repeat r {{ runs }} }}
    let index{{ r }} = left % sizes.length{{ r }};
    place += index{{ r }} * sizes.from{{ r }};
    to += index{{ r }} * sizes.to{{ r }};
    left /= sizes.length{{ r }};
{{ end }}
    let lane = slot % 32u;
    let line = slot / 32u;
{{ repeat l 4 }}
    let column{{ l }} = first_column + line + 8u * {{ l }}u;
    if first_row + lane < sizes.rows && column{{ l }} < sizes.columns {
        square[(line + 8u * {{ l }}u) * 33u + lane] = x[place + column{{ l }} * sizes.step + first_row + lane];
    }
{{ end }}
    workgroupBarrier();
{{ repeat l 4 }}
    let row{{ l }} = first_row + line + 8u * {{ l }}u;
    if row{{ l }} < sizes.rows && first_column + lane < sizes.columns {
        results[to + row{{ l }} * sizes.apart + first_column + lane] = square[lane * 33u + line + 8u * {{ l }}u];
    }
{{ end }}
}
