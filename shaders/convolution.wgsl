// A convolution as a matrix product that is never laid out: outputs x pixels, summed over the taps of the window.
//
// One workgroup computes OUTPUTS outputs of PIXELS pixels of one group, 4 x 4 an invocation; pixels are counted through
// all images of the batch. STEP taps at a time are staged in workgroup memory. Workgroups: (tiles of pixels, tiles of
// outputs, groups x spans). A span is a stretch of the taps; with more than one the sums are partial, and
// `convolution_fold` adds them, the bias and the activation.
//
//   activations  [images, groups, channels, in_height, in_width]
//   weights      [groups, depth, columns / 4] of vec4: taps in the order (row, column, channel), depth the taps to a
//                multiple of 16, columns the outputs to a multiple of 64, zeros beyond both; then [depth] of (channel,
//                row, column, 0), the row below any input where there is no tap
//   biases       [groups, columns / 4] of vec4
//   results      [images, all_outputs, out_plane], written at first_output ..; [spans] of it where ACTIVATION is 3

{{ parts/convolution }}
const OUTPUTS = {{ outputs }}u; // 64 or 32
const PIXELS = 4096u / OUTPUTS;
const STEP = {{ step }}u;
const LOOKED_UP = {{ looked_up }}u; // 0: channels are a multiple of STEP, and a step lies within one tap

const QUADS = OUTPUTS / 4u;
const ACROSS = PIXELS / 4u;
const ROWS = 256u / PIXELS; // of a step that all invocations load at once
const LOADS = STEP / ROWS;

var<workgroup> output_tile: array<vec4<f32>, STEP * QUADS>; // [STEP, OUTPUTS]
var<workgroup> pixel_tile: array<f32, STEP * PIXELS>; // [STEP, PIXELS]

const NEVER_BESIDE = PADDED == 0u && LOOKED_UP == 0u;

{{ parts/tiled }}
@compute @workgroup_size(ACROSS, QUADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let group = workgroup.z % sizes.groups;
    let begin = workgroup.z / sizes.groups * sizes.span;
    let end = min(begin + sizes.span, sizes.depth / STEP);
    let plane = sizes.in_height * sizes.in_width;
    let first_pixel = (sizes.first_tile + workgroup.x) * PIXELS;

    let stride = sizes.columns / 4u;
    let looked_up = sizes.groups * sizes.depth * stride;
    var weight = (group * sizes.depth + begin * STEP) * stride + workgroup.y * QUADS;
    if QUADS == ACROSS {
        weight += local.y * stride + local.x;
    } else {
        let slot = local.y * ACROSS + local.x;
        weight += slot / QUADS * stride + slot % QUADS;
    }

    let second_row = sizes.second_row;
    let third_row = sizes.third_row;
    let fourth_row = sizes.fourth_row;
    var looked_up_home = vec3<u32>();
    if LOOKED_UP == 1u {
        looked_up_home = place(first_pixel + (local.y * ACROSS + local.x) % PIXELS, group);
    }
    var at = 0u; // of this invocation's first activation in the step
    var inside = false;
    var next = begin; // the step at which the next tap begins
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var step = begin; step < end; step++) {
        // Said again in every step, as is what follows from it: kept, it would take the registers of the eighth wave.
        let slot = local.y * ACROSS + local.x;
        if LOOKED_UP == 0u && step == next {
            let steps = sizes.channels / STEP; // of a tap
            let tap = step / steps;
            let home = place(first_pixel + slot % PIXELS, group);
            let found = under(home, tap);
            inside = found != BESIDE;
            at = select(0u, found, inside) + (step % steps * STEP + slot / PIXELS) * plane;
            next = (tap + 1u) * steps;
        }
        if LOOKED_UP == 1u {
            for (var i = 0u; i < LOADS; i++) {
                let tap = vec4<u32>(weights[looked_up + step * STEP + slot / PIXELS + i * ROWS]);
                let row = looked_up_home.y + tap.y - sizes.pad_rows;
                let column = looked_up_home.z + tap.z - sizes.pad_columns;
                inside = row < sizes.in_height && column < sizes.in_width;
                at = select(0u, looked_up_home.x + tap.x * plane + row * sizes.in_width + column, inside);
                pixel_tile[slot + i * 256u] = activation(at, inside);
            }
        } else {
            for (var i = 0u; i < LOADS; i += 4u) {
                pixel_tile[slot + i * 256u] = activation(at, inside);
                pixel_tile[slot + i * 256u + 256u] = activation(at + second_row, inside);
                pixel_tile[slot + i * 256u + 512u] = activation(at + third_row, inside);
                pixel_tile[slot + i * 256u + 768u] = activation(at + fourth_row, inside);
                at += 4u * ROWS * plane;
            }
        }
        if STEP * QUADS == 256u || slot < STEP * QUADS {
            output_tile[slot] = weights[weight];
        }
        weight += STEP * stride;
        workgroupBarrier();
{{ repeat i {{ step }} }}
        {
            let output = output_tile[{{ i }}u * QUADS + local.y];
            let first = {{ i }}u * PIXELS + local.x * 4u;
            let pixel = vec4(pixel_tile[first], pixel_tile[first + 1u], pixel_tile[first + 2u], pixel_tile[first + 3u]);
            sum0 += output.x * pixel;
            sum1 += output.y * pixel;
            sum2 += output.z * pixel;
            sum3 += output.w * pixel;
        }
{{ end }}
        workgroupBarrier();
    }

    let bias = biases[group * stride + workgroup.y * QUADS + local.y];
    let output = workgroup.y * OUTPUTS + local.y * 4u;
    let span = workgroup.z / sizes.groups * sizes.images;
    let pixel = first_pixel + local.x * 4u;
{{ repeat i 4 }}
    store(pixel + {{ i }}u, span, group, output, vec4(sum0[{{ i }}], sum1[{{ i }}], sum2[{{ i }}], sum3[{{ i }}]), bias);
{{ end }}
}
