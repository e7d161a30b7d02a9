var<workgroup> sums: array<f32, 64>;

// The sum of all invocations' numbers, by halves.
fn total(own: f32, slot: u32) -> f32 {
    sums[slot] = own;
    workgroupBarrier();
    for (var reach = 32u; reach > 0u; reach /= 2u) {
        if slot < reach {
            sums[slot] += sums[slot + reach];
        }
        workgroupBarrier();
    }
    let sum = sums[0];
    // Before the next sums overwrite it.
    workgroupBarrier();
    return sum;
}
