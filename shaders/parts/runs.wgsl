// Where the n-th value lies: an index over RUNS runs of lengths and steps, the last run first, from `sizes.offset` on.
fn place_of(n: u32) -> u32 {
    var place = sizes.offset;
    var left = n;
{{ repeat r {{ runs }} }}
    let before{{ r }} = left / sizes.length{{ r }};
    place += (left - before{{ r }} * sizes.length{{ r }}) * sizes.step{{ r }};
    left = before{{ r }};
{{ end }}
    return place;
}
