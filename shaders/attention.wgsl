// Attention: of every image and head softmax(scale Q K^T) V. Scores are never laid out: four keys at a time they scale what
// was summed before by how the largest score has grown.
//
// One invocation computes one query of one head; one workgroup 64 of them, who read the same keys and values.
// Workgroups: (queries / 64, heads, images).
//
//   queries  [images, queries, query_pitch] of vec4, a head's QUADS of them from query_first on
//   keys     [images, keys, key_pitch] of vec4, alike
//   values   [images, keys, value_pitch] of vec4, alike
//   results  [images, queries, heads, QUADS] of vec4

struct Sizes {
    queries: u32,
    keys: u32,
    heads: u32,
    query_pitch: u32,
    query_first: u32,
    key_pitch: u32,
    key_first: u32,
    value_pitch: u32,
    value_first: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

const QUADS = {{ quads }}u;

// Below every score.
const LOWEST = -3e38;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) slot: u32) {
    let query = workgroup.x * 64u + slot;
    let head = workgroup.y * QUADS;
    let image = workgroup.z;
    if query >= sizes.queries {
        return;
    }
    let at = (image * sizes.queries + query) * sizes.query_pitch + sizes.query_first + head;
    // By name: some drivers keep an array in memory.
{{ repeat j {{ quads }} }}
    let own{{ j }} = sizes.scale * queries[at + {{ j }}u];
    var total{{ j }} = vec4<f32>();
{{ end }}

    let first_key = image * sizes.keys * sizes.key_pitch + sizes.key_first + head;
    let first_value = image * sizes.keys * sizes.value_pitch + sizes.value_first + head;
    var largest = LOWEST;
    var sum = 0.0;
    for (var key = 0u; key < sizes.keys; key += 4u) {
        // Beyond the last key the last is scored again, and weighs nothing.
        let last = sizes.keys - 1u;
        let places = min(vec4(key, key + 1u, key + 2u, key + 3u), vec4(last));
        let places_of_keys = first_key + places * sizes.key_pitch;
        var scores = vec4<f32>();
{{ repeat j {{ quads }} }}
        scores += vec4(
            dot(own{{ j }}, keys[places_of_keys.x + {{ j }}u]),
            dot(own{{ j }}, keys[places_of_keys.y + {{ j }}u]),
            dot(own{{ j }}, keys[places_of_keys.z + {{ j }}u]),
            dot(own{{ j }}, keys[places_of_keys.w + {{ j }}u]),
        );
{{ end }}
        let before = largest;
        largest = max(largest, max(max(scores.x, scores.y), max(scores.z, scores.w)));
        let inside = vec4(key, key + 1u, key + 2u, key + 3u) < vec4(sizes.keys);
        let weights = select(vec4<f32>(), exp(scores - largest), inside);
        let shrunk = exp(before - largest);
        sum = sum * shrunk + (weights.x + weights.y) + (weights.z + weights.w);
        let places_of_values = first_value + places * sizes.value_pitch;
{{ repeat j {{ quads }} }}
        let near{{ j }} = weights.x * values[places_of_values.x + {{ j }}u] + weights.y * values[places_of_values.y + {{ j }}u];
        let far{{ j }} = weights.z * values[places_of_values.z + {{ j }}u] + weights.w * values[places_of_values.w + {{ j }}u];
        total{{ j }} = total{{ j }} * shrunk + near{{ j }} + far{{ j }};
{{ end }}
    }

    let to = ((image * sizes.queries + query) * sizes.heads + workgroup.y) * QUADS;
    let share = 1.0 / sum;
{{ repeat j {{ quads }} }}
    results[to + {{ j }}u] = total{{ j }} * share;
{{ end }}
}
