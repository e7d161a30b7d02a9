// Where a pixel's channels start, and row and column of its window, padding counted. Beyond the last pixel the last is
// computed again, and not stored.
fn place(counted: u32, group: u32) -> vec3<u32> {
    let pixel = min(counted, sizes.pixels - 1u);
    let image = pixel / sizes.out_plane;
    let within = pixel - image * sizes.out_plane;
    let row = within / sizes.out_width;
    let column = within - row * sizes.out_width;
    let start = (image * sizes.groups + group) * sizes.channels * sizes.in_height * sizes.in_width;
    return vec3(start, row * sizes.stride_rows, column * sizes.stride_columns);
}
