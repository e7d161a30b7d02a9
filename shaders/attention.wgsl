// Attention: of every image and head softmax(scale Q K^T) V, or softmax(scale Q K^T + bias) V. Scores are never laid out:
// 64 keys at a time they scale what was summed before by how the largest score has grown.
//
// One workgroup computes 64 queries of one head, of them an invocation 8 queries x 4 keys of the scores, then 8 queries x 4
// units (8 of heads of more than 64) of the results. Staged are 16 units of queries and keys at a time, then the weights and
// values of 16 keys. Workgroups: (queries / 64, images * heads in two dimensions).
//
//   queries  [images, queries, query_pitch] of vec4, a head's QUADS of them from query_first on
//   keys     [images, keys, key_pitch] of vec4, alike
//   values   [images, keys, value_pitch] of vec4, alike
//   results  [images, queries, heads, QUADS] of vec4
//   scales   [heads]: what the scale of each is multiplied by
//   bias     [period, heads, queries, keys / 4] of vec4, repeated by the images

struct Sizes {
    images: u32,
    queries: u32,
    keys: u32,
    heads: u32,
    query_pitch: u32,
    query_first: u32,
    key_pitch: u32,
    key_first: u32,
    value_pitch: u32,
    value_first: u32,
    period: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> results: array<vec4<f32>>;
{{ repeat b {{ biased }} }}
@group(0) @binding(4) var<storage, read_write> scales: array<f32>;
@group(0) @binding(5) var<storage, read_write> bias: array<vec4<f32>>;
{{ end }}
@group(0) @binding({{ sizes }}) var<uniform> sizes: Sizes;

const QUADS = {{ quads }}u;
const SPANS = {{ spans }}u; // of 64 units of a head

// The lowest number, as a mask may have it for all keys of a query: then they weigh alike.
const LOWEST = -3.4028234e38;

var<workgroup> left_tile: array<vec4<f32>, 256>; // [16, 64 queries]
var<workgroup> right_tile: array<vec4<f32>, 256u * SPANS>; // [16, 64 keys], or [16 keys, SPANS x 64 units]

// Where four queries or keys of a line lie: lines that are written at once meet in no bank.
fn at(line: u32, quad: u32) -> u32 {
    return line * 16u + (quad ^ (line / 4u * 2u));
}

// Four units of a token, zeros beyond a head's last.
fn units(four: vec4<f32>, inside: bool) -> vec4<f32> {
    return select(vec4<f32>(), four, inside);
}

// What every invocation has of its 8 queries, as 16 lines of 64.
fn stage(column: u32, row: u32, upper: vec4<f32>, lower: vec4<f32>) {
    left_tile[column * 16u + row] = upper;
    left_tile[column * 16u + 8u + row] = lower;
}

fn largest_of(four: vec4<f32>) -> f32 {
    return max(max(four.x, four.y), max(four.z, four.w));
}

fn sum_of(four: vec4<f32>) -> f32 {
    return (four.x + four.y) + (four.z + four.w);
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) slot: u32,
) {
    let of_all = workgroup.z * workgroups.y + workgroup.y;
    let image = of_all / sizes.heads;
    if image >= sizes.images {
        return;
    }
    let own_head = of_all % sizes.heads;
    // 32 lanes are 8 quads of keys or units x 4 of queries, and read the least of workgroup memory.
    let column = slot % 8u + slot / 32u % 2u * 8u;
    let row = slot / 8u % 4u + slot / 64u * 4u;
    let first_query = workgroup.x * 64u;
    let head = own_head * QUADS;
    let has_queries = first_query + row * 4u < sizes.queries;
    // Half of the invocations stage queries, half keys: four of them, four units.
    let quad = slot % 4u;
    let own = slot % 64u / 4u;
    let first_of_queries = image * sizes.queries * sizes.query_pitch + sizes.query_first + head;
    let first_of_keys = image * sizes.keys * sizes.key_pitch + sizes.key_first + head;
    let first_of_values = image * sizes.keys * sizes.value_pitch + sizes.value_first + head;

    var scale = sizes.scale;
{{ repeat b {{ biased }} }}
    scale *= scales[own_head];
    let bias_pitch = (sizes.keys + 3u) / 4u;
    let first_of_bias = (image % sizes.period * sizes.heads + own_head) * sizes.queries * bias_pitch;
{{ end }}
    var upper_largest = vec4(LOWEST);
    var lower_largest = vec4(LOWEST);
    var upper_weights = vec4<f32>();
    var lower_weights = vec4<f32>();
{{ repeat s {{ spans }} }}
{{ repeat j 4 }}
    var upper_sum{{ s }}{{ j }} = vec4<f32>();
    var lower_sum{{ s }}{{ j }} = vec4<f32>();
{{ end }}
{{ end }}
    for (var first_key = 0u; first_key < sizes.keys; first_key += 64u) {
        let here = min(sizes.keys - first_key, 64u);
{{ repeat j 4 }}
        var upper_score{{ j }} = vec4<f32>();
        var lower_score{{ j }} = vec4<f32>();
{{ end }}
        for (var first_unit = 0u; first_unit < QUADS; first_unit += 4u) {
            let inside = first_unit + quad < QUADS;
            let unit = select(0u, first_unit + quad, inside);
{{ repeat j 4 }}
            var token{{ j }} = vec4<f32>();
{{ end }}
            // Beyond the last query or key the last is staged again: not stored, or without weight.
            if slot < 64u {
{{ repeat j 4 }}
                let query{{ j }} = min(first_query + own * 4u + {{ j }}u, sizes.queries - 1u);
                token{{ j }} = scale * units(queries[first_of_queries + query{{ j }} * sizes.query_pitch + unit], inside);
{{ end }}
            } else {
{{ repeat j 4 }}
                let key{{ j }} = min(first_key + own * 4u + {{ j }}u, sizes.keys - 1u);
                token{{ j }} = units(keys[first_of_keys + key{{ j }} * sizes.key_pitch + unit], inside);
{{ end }}
            }
            workgroupBarrier();
            if slot < 64u {
{{ repeat j 4 }}
                left_tile[at(quad * 4u + {{ j }}u, own)] = vec4(token0[{{ j }}], token1[{{ j }}], token2[{{ j }}], token3[{{ j }}]);
{{ end }}
            } else {
{{ repeat j 4 }}
                right_tile[at(quad * 4u + {{ j }}u, own)] = vec4(token0[{{ j }}], token1[{{ j }}], token2[{{ j }}], token3[{{ j }}]);
{{ end }}
            }
            workgroupBarrier();
            if has_queries && column * 4u < here {
{{ repeat i 16 }}
                {
                    let upper = left_tile[at({{ i }}u, row)];
                    let lower = left_tile[at({{ i }}u, row) + 8u];
                    let four_keys = right_tile[at({{ i }}u, column)];
{{ repeat j 4 }}
                    upper_score{{ j }} += upper[{{ j }}] * four_keys;
                    lower_score{{ j }} += lower[{{ j }}] * four_keys;
{{ end }}
                }
{{ end }}
            }
        }

        let key = first_key + column * 4u;
        let is_key = vec4(key, key + 1u, key + 2u, key + 3u) < vec4(sizes.keys);
{{ repeat b {{ biased }} }}
        let four_of_bias = first_of_bias + min(key / 4u, bias_pitch - 1u);
{{ repeat j 4 }}
        let query{{ j }} = first_query + row * 4u + {{ j }}u;
        upper_score{{ j }} += bias[four_of_bias + min(query{{ j }}, sizes.queries - 1u) * bias_pitch];
        lower_score{{ j }} += bias[four_of_bias + min(query{{ j }} + 32u, sizes.queries - 1u) * bias_pitch];
{{ end }}
{{ end }}
{{ repeat j 4 }}
        upper_score{{ j }} = select(vec4(LOWEST), upper_score{{ j }}, is_key);
        lower_score{{ j }} = select(vec4(LOWEST), lower_score{{ j }}, is_key);
{{ end }}
        workgroupBarrier();
        stage(
            column,
            row,
            vec4(largest_of(upper_score0), largest_of(upper_score1), largest_of(upper_score2), largest_of(upper_score3)),
            vec4(largest_of(lower_score0), largest_of(lower_score1), largest_of(lower_score2), largest_of(lower_score3)),
        );
        workgroupBarrier();
        if slot < 16u {
            var largest = left_tile[slot];
{{ repeat i 16 }}
            largest = max(largest, left_tile[{{ i }}u * 16u + slot]);
{{ end }}
            right_tile[slot] = largest;
        }
        workgroupBarrier();
        let upper_before = upper_largest;
        let lower_before = lower_largest;
        upper_largest = max(upper_before, right_tile[row]);
        lower_largest = max(lower_before, right_tile[8u + row]);
        let upper_shrunk = exp(upper_before - upper_largest);
        let lower_shrunk = exp(lower_before - lower_largest);
{{ repeat j 4 }}
        upper_score{{ j }} = select(vec4<f32>(), exp(upper_score{{ j }} - upper_largest[{{ j }}]), is_key);
        lower_score{{ j }} = select(vec4<f32>(), exp(lower_score{{ j }} - lower_largest[{{ j }}]), is_key);
        upper_weights[{{ j }}] = upper_weights[{{ j }}] * upper_shrunk[{{ j }}] + sum_of(upper_score{{ j }});
        lower_weights[{{ j }}] = lower_weights[{{ j }}] * lower_shrunk[{{ j }}] + sum_of(lower_score{{ j }});
{{ repeat s {{ spans }} }}
        upper_sum{{ s }}{{ j }} *= upper_shrunk[{{ j }}];
        lower_sum{{ s }}{{ j }} *= lower_shrunk[{{ j }}];
{{ end }}
{{ end }}

        for (var part = 0u; part < here; part += 16u) {
{{ repeat l {{ loads }} }}
            let place{{ l }} = slot + 128u * {{ l }}u;
            let value{{ l }} = min(first_key + part + place{{ l }} / (16u * SPANS), sizes.keys - 1u);
            let four{{ l }} = values[first_of_values + value{{ l }} * sizes.value_pitch + min(place{{ l }} % (16u * SPANS), QUADS - 1u)];
{{ end }}
            workgroupBarrier();
{{ repeat l {{ loads }} }}
            right_tile[place{{ l }}] = four{{ l }};
{{ end }}
            if column / 4u * 16u == part {
{{ repeat j 4 }}
                let to{{ j }} = at(column % 4u * 4u + {{ j }}u, row);
                left_tile[to{{ j }}] =
                    vec4(upper_score0[{{ j }}], upper_score1[{{ j }}], upper_score2[{{ j }}], upper_score3[{{ j }}]);
                left_tile[to{{ j }} + 8u] =
                    vec4(lower_score0[{{ j }}], lower_score1[{{ j }}], lower_score2[{{ j }}], lower_score3[{{ j }}]);
{{ end }}
            }
            workgroupBarrier();
            if has_queries {
{{ repeat i 16 }}
                {
                    let upper = left_tile[at({{ i }}u, row)];
                    let lower = left_tile[at({{ i }}u, row) + 8u];
{{ repeat s {{ spans }} }}
                    let four_units{{ s }} = right_tile[({{ i }}u * SPANS + {{ s }}u) * 16u + column];
{{ repeat j 4 }}
                    upper_sum{{ s }}{{ j }} += upper[{{ j }}] * four_units{{ s }};
                    lower_sum{{ s }}{{ j }} += lower[{{ j }}] * four_units{{ s }};
{{ end }}
{{ end }}
                }
{{ end }}
            }
        }
    }

    workgroupBarrier();
    stage(column, row, upper_weights, lower_weights);
    workgroupBarrier();
    if slot < 16u {
        var sum = vec4<f32>();
{{ repeat i 16 }}
        sum += left_tile[{{ i }}u * 16u + slot];
{{ end }}
        right_tile[slot] = 1.0 / sum;
    }
    workgroupBarrier();
    let upper_share = right_tile[row];
    let lower_share = right_tile[8u + row];
    let first_result = image * sizes.queries * sizes.heads + own_head;
{{ repeat s {{ spans }} }}
    let unit{{ s }} = {{ s }}u * 16u + column;
    if unit{{ s }} < QUADS {
{{ repeat j 4 }}
        let query{{ j }} = first_query + row * 4u + {{ j }}u;
        if query{{ j }} < sizes.queries {
            results[(first_result + query{{ j }} * sizes.heads) * QUADS + unit{{ s }}] = upper_share[{{ j }}] * upper_sum{{ s }}{{ j }};
        }
        if query{{ j }} + 32u < sizes.queries {
            results[(first_result + (query{{ j }} + 32u) * sizes.heads) * QUADS + unit{{ s }}] = lower_share[{{ j }}] * lower_sum{{ s }}{{ j }};
        }
{{ end }}
    }
{{ end }}
}
