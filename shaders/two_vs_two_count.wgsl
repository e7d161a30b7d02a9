// From products to counts: the margin of every pair of concepts, for one draw against one image RSM.
//
// One workgroup computes the pairs (a, b), a < b, of one 32 x 32 tile, 4 an invocation. It reads that tile of M, A and
// B and the mirrored one (b, a), both along their rows; the mirrored one is turned round through workgroup memory.
// Workgroups: (pairs of tiles i <= j, images, draws).
//
// A margin further from 0 than its rounding bound is decided here; any other pair is listed, for the host to decide in
// f64. So is a pair with a row that the entry left out dominates (what remains of its square sum is below 1/16).

struct Sizes {
    concepts: u32,
    images: u32,
    draws: u32,
    left_columns: u32,
    right_columns: u32,
    capacity: u32,
    rounding: f32,
}

@group(0) @binding(0) var<storage, read_write> left: array<f32>; // [depth, left columns]: left[j, p * concepts + a] = A_p[a, j]
@group(0) @binding(1) var<storage, read_write> right: array<f32>; // [depth, right columns]: right[j, n * concepts + b] = B_n[b, j]
@group(0) @binding(2) var<storage, read_write> products: array<f32>; // [left columns, right columns]: M
@group(0) @binding(3) var<storage, read_write> tested: array<u32>; // [images, concepts]: 0 where the image is constant
@group(0) @binding(4) var<storage, read_write> results: array<atomic<u32>>; // [1 + draws * images + 3 * capacity]: pairs listed; passed pairs of every (draw, image); the list of (draw * images + image, a << 16 | b, margin)
@group(0) @binding(5) var<uniform> sizes: Sizes;

const TILE = 32u;
const STRIDE = 33u; // of a staged tile: no two lanes of a column meet in one bank

var<workgroup> staged: array<f32, 1056>; // [TILE, STRIDE]
var<workgroup> row_diagonal: array<f32, 32>; // M[a, a]
var<workgroup> column_diagonal: array<f32, 32>; // M[b, b]
var<workgroup> passed: atomic<u32>;

@compute @workgroup_size(32, 8, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) me: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let concepts = sizes.concepts;
    let left_columns = sizes.left_columns;
    let right_columns = sizes.right_columns;
    let rounding = sizes.rounding;
    let n = 1.0 / f32(concepts - 2u);
    let c = 1.0 + n;

    // The tile pair: row i of the upper triangle, column j.
    let tiles = (concepts + TILE - 1u) / TILE;
    var i = 0u;
    var j = group.x;
    while (j >= tiles - i) {
        j -= tiles - i;
        i++;
    }
    let row0 = i * TILE;
    let column0 = (i + j) * TILE;
    let left0 = group.z * concepts;
    let right0 = group.y * concepts;
    let cell = group.z * sizes.images + group.y;

    if (slot == 0u) {
        atomicStore(&passed, 0u);
    }
    if (slot < TILE) {
        let a = min(row0 + slot, concepts - 1u);
        row_diagonal[slot] = products[(left0 + a) * right_columns + right0 + a];
    } else if (slot < 2u * TILE) {
        let b = min(column0 + slot - TILE, concepts - 1u);
        column_diagonal[slot - TILE] = products[(left0 + b) * right_columns + right0 + b];
    }

    // The mirrored tile's entries, rows b and columns a, turned round. Beyond the last concept the last one is read
    // again; such pairs are not counted.
    let mirrored_a = min(row0 + me.x, concepts - 1u);
    var m_ba: array<f32, 4>;
    var a_ab: array<f32, 4>;
    var b_ab: array<f32, 4>;
    for (var r = 0u; r < 4u; r++) {
        let b = min(column0 + me.y + 8u * r, concepts - 1u);
        staged[(me.y + 8u * r) * STRIDE + me.x] = products[(left0 + b) * right_columns + right0 + mirrored_a];
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) {
        m_ba[r] = staged[me.x * STRIDE + me.y + 8u * r];
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) {
        let b = min(column0 + me.y + 8u * r, concepts - 1u);
        staged[(me.y + 8u * r) * STRIDE + me.x] = left[b * left_columns + left0 + mirrored_a];
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) {
        a_ab[r] = staged[me.x * STRIDE + me.y + 8u * r];
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) {
        let b = min(column0 + me.y + 8u * r, concepts - 1u);
        staged[(me.y + 8u * r) * STRIDE + me.x] = right[b * right_columns + right0 + mirrored_a];
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) {
        b_ab[r] = staged[me.x * STRIDE + me.y + 8u * r];
    }

    let b = column0 + me.x;
    var mine = 0u;
    for (var r = 0u; r < 4u; r++) {
        let a = row0 + me.y + 8u * r;
        if (a >= b || b >= concepts || tested[group.y * concepts + a] == 0u || tested[group.y * concepts + b] == 0u) {
            continue;
        }
        let m_ab = products[(left0 + a) * right_columns + right0 + b];
        let a_ba = left[a * left_columns + left0 + b];
        let b_ba = right[a * right_columns + right0 + b];
        // What is left of each row's square sum once the pair's columns are out.
        let words = 1.0 - c * vec2<f32>(a_ab[r] * a_ab[r], a_ba * a_ba);
        let images = 1.0 - c * vec2<f32>(b_ab[r] * b_ab[r], b_ba * b_ba);
        let least = min(min(words.x, words.y), min(images.x, images.y));
        let w = inverseSqrt(max(words, vec2<f32>(0.0625)));
        let v = inverseSqrt(max(images, vec2<f32>(0.0625)));
        let margin = w.x * (v.x * (row_diagonal[me.y + 8u * r] - c * a_ab[r] * b_ab[r]) - v.y * (m_ab - n * a_ab[r] * b_ba))
            + w.y * (v.y * (column_diagonal[me.x] - c * a_ba * b_ba) - v.x * (m_ba[r] - n * a_ba * b_ab[r]));
        let bound = rounding * (w.x + w.y) * (v.x + v.y);
        if (least >= 0.0625 && abs(margin) > bound) {
            mine += u32(margin > 0.0);
        } else {
            let listed = atomicAdd(&results[0], 1u);
            if (listed < sizes.capacity) {
                let at = 1u + sizes.draws * sizes.images + 3u * listed;
                atomicStore(&results[at], cell);
                atomicStore(&results[at + 1u], (a << 16u) | b);
                atomicStore(&results[at + 2u], bitcast<u32>(margin));
            }
        }
    }
    atomicAdd(&passed, mine);
    workgroupBarrier();
    if (slot == 0u) {
        atomicAdd(&results[1u + cell], atomicLoad(&passed));
    }
}
