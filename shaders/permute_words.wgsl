// The left factor of a batch of products: every draw's permuted word matrix, side by side, contraction-major.
//
// One workgroup writes 64 columns x 4 rows of `permuted`, one entry an invocation; neighbouring invocations gather from
// one row of `words` and store side by side. Workgroups: (columns / 64, depth / 4).
//
// A_p[a, j] = A[p(a), p(j)] stands at permuted[j, p * concepts + a]. Columns are padded to a multiple of 64 and rows
// (`depth`) to a multiple of 16, with zeros, so that the product needs no bounds.

struct Sizes {
    concepts: u32,
    draws: u32,
    depth: u32,
    columns: u32,
}

@group(0) @binding(0) var<storage, read_write> words: array<f32>; // [concepts, concepts], transposed: words[j, a] = A[a, j]
@group(0) @binding(1) var<storage, read_write> order: array<u32>; // [draws, concepts]
@group(0) @binding(2) var<storage, read_write> permuted: array<f32>; // [depth, columns]
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64, 4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let concepts = sizes.concepts;
    let columns = sizes.columns;
    if (id.x >= columns || id.y >= sizes.depth) {
        return;
    }
    var entry = 0.0;
    if (id.x < sizes.draws * concepts && id.y < concepts) {
        let first = id.x / concepts * concepts; // of the draw
        entry = words[order[first + id.y] * concepts + order[id.x]];
    }
    permuted[id.y * columns + id.x] = entry;
}
