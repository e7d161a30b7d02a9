// Mutual nearest neighbours under draws: how many neighbours a layer of the words has in common with layers of the images.
//
// One workgroup counts one draw of one layer of the words against up to 32 layers of the images, bit by bit. Each
// invocation looks every 256th neighbour up and counts for 32 layers at once: bit y of `p0` to `p7` is the count of layer
// y. After 255 look-ups (no count overflows) they are read across. Workgroups: (layers of the words, draws).
//
// Counts are added to those of the launch before: groups are launched one after the other.

struct Sizes {
    concepts: u32,
    neighbours: u32,
    layers: u32,
}

@group(0) @binding(0) var<storage, read_write> places: array<u32>; // [draws, concepts]: where a draw puts each concept
@group(0) @binding(1) var<storage, read_write> words: array<u32>; // [layers, concepts, neighbours]
@group(0) @binding(2) var<storage, read_write> images: array<u32>; // [concepts, concepts]: bit y where the column is a neighbour of the row in layer y
@group(0) @binding(3) var<storage, read_write> counts: array<u32>; // [draws, layers, 32]
@group(0) @binding(4) var<uniform> sizes: Sizes;

const INVOCATIONS = 256u;
const LOOKUPS = 255u; // of an invocation, before its counts are read

var<workgroup> planes: array<u32, 2048>; // [8, INVOCATIONS]
var<workgroup> sums: array<atomic<u32>, 32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let concepts = sizes.concepts;
    let neighbours = sizes.neighbours;
    let all = concepts * neighbours;
    let places0 = group.y * concepts;
    let words0 = group.x * all;
    // Of the 32 layers and of the invocations, those that are summed here.
    let layer = me & 31u;
    let first = me - layer;
    if (me < 32u) {
        atomicStore(&sums[me], 0u);
    }
    for (var start = 0u; start < all; start += INVOCATIONS * LOOKUPS) {
        var p0 = 0u;
        var p1 = 0u;
        var p2 = 0u;
        var p3 = 0u;
        var p4 = 0u;
        var p5 = 0u;
        var p6 = 0u;
        var p7 = 0u;
        let end = min(all, start + INVOCATIONS * LOOKUPS);
        for (var at = start + me; at < end; at += INVOCATIONS) {
            let a = places[places0 + at / neighbours];
            let b = places[places0 + words[words0 + at]];
            let c0 = images[a * concepts + b];
            let c1 = p0 & c0;
            p0 ^= c0;
            let c2 = p1 & c1;
            p1 ^= c1;
            let c3 = p2 & c2;
            p2 ^= c2;
            let c4 = p3 & c3;
            p3 ^= c3;
            let c5 = p4 & c4;
            p4 ^= c4;
            let c6 = p5 & c5;
            p5 ^= c5;
            let c7 = p6 & c6;
            p6 ^= c6;
            p7 ^= c7;
        }
        planes[me] = p0;
        planes[INVOCATIONS + me] = p1;
        planes[2u * INVOCATIONS + me] = p2;
        planes[3u * INVOCATIONS + me] = p3;
        planes[4u * INVOCATIONS + me] = p4;
        planes[5u * INVOCATIONS + me] = p5;
        planes[6u * INVOCATIONS + me] = p6;
        planes[7u * INVOCATIONS + me] = p7;
        workgroupBarrier();
        var sum = 0u;
        for (var plane = 0u; plane < 8u; plane++) {
            var ones = 0u;
            for (var i = 0u; i < 32u; i++) {
                // Each layer begins elsewhere: no two lanes meet in one bank.
                ones += (planes[plane * INVOCATIONS + first + ((i + layer) & 31u)] >> layer) & 1u;
            }
            sum += ones << plane;
        }
        atomicAdd(&sums[layer], sum);
        workgroupBarrier();
    }
    if (me < 32u) {
        counts[(group.y * sizes.layers + group.x) * 32u + me] += atomicLoad(&sums[me]);
    }
}
