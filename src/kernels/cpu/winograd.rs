//! 3 x 3 convolutions, 1 apart, in Winograd's form F(4 x 4, 3 x 3) (Lavin & Gray 2016): 4 x 4 outputs of a channel from 6 x 6
//! inputs take 36 products instead of 144.
//!
//! With the polynomials at the points 0, ±a, ±b and infinity, a tile is `A^T [(G w G^T) . (B^T x B)] A`, the dot summed over
//! the inputs: 36 matrix products of transformed tiles and weights. A block of tiles is transformed, multiplied and
//! transformed back by one thread, with the channels side by side in the vectors, so that maps of any size fill them.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::lanes::{deinterleave, interleave};
use super::matrix::Matrix;
use super::{Activation, Among, Isa, LINE, Shared, Weights, Window, activate, with_scratch};

/// Height and width of what a tile gives and sees, and the entries of the latter.
const GIVES: usize = 4;
const SEES: usize = 6;
const ENTRIES: usize = SEES * SEES;

/// The points: 0, ±A, ±B, exact in f32 with all that is made of them. Of those tried they round least: the errors are 2.2
/// times those of a direct sum in f32, with 1 and 2 (Lavin & Gray) 4.6 times.
const A: f64 = 0.625;
const B: f64 = 1.5;

/// Tiles of a block: the most, and a whole number of rows of every instruction set's product.
const TILES: usize = 96;
const ROWS: usize = 12;

/// Tiles side by side that are transformed at a time: they stay in a first-level cache.
const STRIP: usize = 8;

/// Outputs of a block.
const OUTPUTS: usize = 128;

/// Pieces that a layer is cut into for each thread, so that all end at about the same time.
const PIECES: usize = 4;

/// Whether the form is the faster one.
pub fn suits(weights: &Weights) -> bool {
    let Weights { inputs, window, groups, bias, .. } = *weights;
    groups == 1 && inputs >= 16 && bias.len() >= 32 && window == Window::square(3, 1, window.padding)
}

/// Weights transformed: a matrix `[inputs, outputs]` for every entry of a tile.
pub struct Winograd {
    isa: Isa,
    window: Window,
    inputs: usize,
    activation: Activation,
    bias: Vec<f32>,
    weights: Vec<Matrix>,
}

impl Winograd {
    pub fn new(isa: Isa, weights: &Weights) -> Self {
        let Weights { kernel, bias, inputs, window, activation, .. } = *weights;
        let outputs = bias.len();
        let transformed: Vec<[f32; ENTRIES]> = kernel.par_chunks_exact(9).map(transformed).collect();
        let matrix = |entry| Matrix::new(isa, inputs, outputs, |input, out| transformed[out * inputs + input][entry]);
        let weights = (0..ENTRIES).into_par_iter().map(matrix).collect();
        Self { isa, window, inputs, activation, bias: bias.to_vec(), weights }
    }

    pub fn forward(
        &self,
        x: &[f32],
        [images, _, height, width]: [usize; 4],
        output: [usize; 2],
        plus: Option<&[f32]>,
        among: Among,
        out: &mut [f32],
    ) {
        let tiles = output.map(|size| size.div_ceil(GIVES));
        let map = Map { x, plus, among, input: [height, width], tiles, output, count: images * tiles[0] * tiles[1] };
        let out = Shared::new(out);
        self.pieces(map.count).into_par_iter().for_each(|(tiles, outputs)| {
            let block = Block::new(self, tiles, outputs);
            with_scratch(block.values(), |scratch| {
                self.isa.dispatch(Work { layer: self, map: &map, block, scratch, out: &out })
            });
        });
    }

    /// Blocks of tiles and outputs, even ones, and enough for all threads.
    fn pieces(&self, tiles: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let wanted = PIECES * rayon::current_num_threads();
        let blocks = tiles.div_ceil(TILES).max(wanted.min(tiles.div_ceil(4 * ROWS)));
        let together = tiles.div_ceil(blocks).next_multiple_of(ROWS);
        let outputs = self.bias.len();
        let mut pieces = Vec::new();
        for first in (0..tiles).step_by(together) {
            let tiles = first..tiles.min(first + together);
            pieces.extend((0..outputs).step_by(OUTPUTS).map(|out| (tiles.clone(), out..outputs.min(out + OUTPUTS))));
        }
        pieces
    }
}

/// `G w G^T` of a window's weights, in f64, rounded once.
fn transformed(kernel: &[f32]) -> [f32; ENTRIES] {
    let at = |point: f64, others: f64| [1.0, point, point * point].map(|power| power / others);
    let (aa, bb) = (A * A, B * B);
    let rows = [
        at(0.0, aa * bb),
        at(A, 2.0 * aa * (aa - bb)),
        at(-A, 2.0 * aa * (aa - bb)),
        at(B, 2.0 * bb * (bb - aa)),
        at(-B, 2.0 * bb * (bb - aa)),
        [0.0, 0.0, 1.0],
    ];
    std::array::from_fn(|entry| {
        let (row, column) = (rows[entry / SEES], rows[entry % SEES]);
        let sum = |y: usize| (0..3).map(|x| f64::from(kernel[3 * y + x]) * column[x]).sum::<f64>();
        (0..3).map(|y| row[y] * sum(y)).sum::<f64>() as f32
    })
}

/// Input and output in tiles.
struct Map<'a> {
    x: &'a [f32],
    plus: Option<&'a [f32]>,
    among: Among,
    input: [usize; 2],
    tiles: [usize; 2],
    output: [usize; 2],
    /// Tiles of all images.
    count: usize,
}

/// Tiles side by side.
struct Strip {
    image: usize,
    row: usize,
    /// First of the row.
    first: usize,
    count: usize,
    /// Place of the first in the block.
    at: usize,
}

impl Map<'_> {
    fn strips(&self, tiles: &Range<usize>) -> Vec<Strip> {
        let mut strips = Vec::new();
        let mut tile = tiles.start;
        while tile < tiles.end {
            let (row, first) = (tile / self.tiles[1], tile % self.tiles[1]);
            let count = STRIP.min(self.tiles[1] - first).min(tiles.end - tile);
            let (image, row) = (row / self.tiles[0], row % self.tiles[0]);
            strips.push(Strip { image, row, first, count, at: tile - tiles.start });
            tile += count;
        }
        strips
    }
}

/// What a thread makes at a time, and where in its scratch.
struct Block {
    tiles: Range<usize>,
    outputs: Range<usize>,
    /// From one tile's transformed inputs, and products, to the next one's.
    pitches: [usize; 2],
}

/// Values of a strip's channels side by side.
const STRIP_VALUES: usize = SEES * (GIVES * STRIP + 2) * LINE;

impl Block {
    fn new(layer: &Winograd, tiles: Range<usize>, outputs: Range<usize>) -> Self {
        // No power of two, whose lines would share a set of the cache.
        let pitches = [layer.inputs, outputs.len()].map(|size| size.next_multiple_of(32) + LINE);
        Self { tiles, outputs, pitches }
    }

    fn values(&self) -> usize {
        ENTRIES * self.tiles.len() * (self.pitches[0] + self.pitches[1]) + STRIP_VALUES
    }
}

struct Work<'a> {
    layer: &'a Winograd,
    map: &'a Map<'a>,
    block: Block,
    scratch: &'a mut [f32],
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, map, block, scratch, out } = self;
        let tiles = block.tiles.len();
        let [pitch, products_pitch] = block.pitches;
        let (strip_values, scratch) = scratch.split_at_mut(STRIP_VALUES);
        let (inputs, products) = scratch.split_at_mut(ENTRIES * tiles * pitch);
        let strips = map.strips(&block.tiles);
        for first in (0..layer.inputs).step_by(S::F32_LANES) {
            let channels = S::F32_LANES.min(layer.inputs - first);
            for strip in &strips {
                let columns = GIVES * strip.count + 2;
                gather::<S>(layer, map, strip, first, channels, columns, strip_values);
                let values = S::as_mut_simd_f32s(strip_values).0;
                transform_in(simd, strip, columns, values, &mut inputs[first..], pitch, tiles);
            }
        }
        let width = layer.weights[0].width();
        let panels = block.outputs.start / width..block.outputs.end.div_ceil(width);
        for (entry, weights) in layer.weights.iter().enumerate() {
            let inputs = (&inputs[entry * tiles * pitch..][..tiles * pitch], pitch, tiles);
            let products = &mut products[entry * tiles * products_pitch..][..tiles * products_pitch];
            for panel in panels.clone() {
                let column = (panel - panels.start) * width;
                weights.multiply(
                    simd,
                    inputs,
                    0..layer.inputs,
                    panel,
                    #[inline(always)]
                    |row, sums| {
                        let to = &mut products[row * products_pitch + column..][..width];
                        S::as_mut_simd_f32s(to).0.copy_from_slice(sums);
                    },
                );
            }
        }
        for first in (0..block.outputs.len()).step_by(S::F32_LANES) {
            let channels = S::F32_LANES.min(block.outputs.len() - first);
            for strip in &strips {
                let values = S::as_mut_simd_f32s(strip_values).0;
                transform_out(simd, strip, &products[first..], products_pitch, tiles, values);
                scatter::<S>(layer, map, strip, block.outputs.start + first, channels, strip_values, out);
            }
        }
    }
}

/// Lays the channels of what a strip sees side by side, `[SEES, columns, lanes]`, zeros beyond the border.
#[inline(always)]
fn gather<S: Simd>(
    layer: &Winograd,
    map: &Map,
    strip: &Strip,
    first: usize,
    channels: usize,
    columns: usize,
    values: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let [height, width] = map.input;
    let [(above, _), (before, _)] = layer.window.padding;
    let start = GIVES * strip.first;
    // Columns that the input has.
    let from = before.saturating_sub(start).min(columns);
    let to = (before + width).saturating_sub(start).clamp(from, columns);
    for (y, values) in values.chunks_exact_mut(columns * lanes).take(SEES).enumerate() {
        let y = GIVES * strip.row + y;
        if y < above || y - above >= height {
            values.fill(0.0);
            continue;
        }
        values[..from * lanes].fill(0.0);
        values[to * lanes..].fill(0.0);
        let values = &mut values[from * lanes..to * lanes];
        let at = ((strip.image * layer.inputs + first) * height + y - above) * width + start + from - before;
        let plane = height * width;
        let x = &map.x[at..][..(channels - 1) * plane + to - from];
        let mut channel = 0;
        while channel < channels {
            if channel + 4 <= channels {
                interleave(&x[channel * plane..], plane, to - from, &mut values[channel..], lanes);
                channel += 4;
            } else {
                values[channel..]
                    .iter_mut()
                    .step_by(lanes)
                    .zip(&x[channel * plane..][..to - from])
                    .for_each(|(to, &from)| *to = from);
                channel += 1;
            }
        }
        if channels < lanes {
            values.chunks_exact_mut(lanes).for_each(|values| values[channels..].fill(0.0));
        }
    }
}

/// `x + factor y`.
#[inline(always)]
fn add<S: Simd>(simd: S, x: S::f32s, factor: f64, y: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor as f32), y, x)
}

/// `B^T` times six vectors.
#[inline(always)]
fn inwards<S: Simd>(simd: S, d: [S::f32s; SEES]) -> [S::f32s; SEES] {
    const AA: f64 = A * A;
    const BB: f64 = B * B;
    let (even_a, odd_a) = (add(simd, d[4], -BB, d[2]), add(simd, d[3], -BB, d[1]));
    let (even_b, odd_b) = (add(simd, d[4], -AA, d[2]), add(simd, d[3], -AA, d[1]));
    [
        add(simd, add(simd, d[4], -(AA + BB), d[2]), AA * BB, d[0]),
        add(simd, even_a, A, odd_a),
        add(simd, even_a, -A, odd_a),
        add(simd, even_b, B, odd_b),
        add(simd, even_b, -B, odd_b),
        add(simd, add(simd, d[5], -(AA + BB), d[3]), AA * BB, d[1]),
    ]
}

/// `factor x`.
#[inline(always)]
fn times<S: Simd>(simd: S, factor: f64, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor as f32), x)
}

/// `A^T` times six vectors.
#[inline(always)]
fn outwards<S: Simd>(simd: S, m: [S::f32s; SEES]) -> [S::f32s; GIVES] {
    let (even_a, odd_a) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (even_b, odd_b) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(even_a, even_b)),
        add(simd, times(simd, A, odd_a), B, odd_b),
        add(simd, times(simd, A * A, even_a), B * B, even_b),
        add(simd, add(simd, m[5], A * A * A, odd_a), B * B * B, odd_b),
    ]
}

/// `B^T x B` of every tile of a strip, `[SEES, columns]`, to `[ENTRIES, tiles, pitch]`.
#[inline(always)]
fn transform_in<S: Simd>(
    simd: S,
    strip: &Strip,
    columns: usize,
    values: &mut [S::f32s],
    to: &mut [f32],
    pitch: usize,
    tiles: usize,
) {
    let values = &mut values[..SEES * columns];
    for x in 0..columns {
        let mut column = [simd.splat_f32s(0.0); SEES];
        for y in 0..SEES {
            column[y] = values[y * columns + x];
        }
        let column = inwards(simd, column);
        for y in 0..SEES {
            values[y * columns + x] = column[y];
        }
    }
    for (y, row) in values.chunks_exact(columns).enumerate() {
        for tile in 0..strip.count {
            let seen: &[S::f32s; SEES] = row[GIVES * tile..].first_chunk().expect("what a tile sees");
            for (x, value) in inwards(simd, *seen).into_iter().enumerate() {
                let at = ((y * SEES + x) * tiles + strip.at + tile) * pitch;
                S::as_mut_simd_f32s(&mut to[at..at + S::F32_LANES]).0[0] = value;
            }
        }
    }
}

/// `A^T m A` of every tile of a strip, from `[ENTRIES, tiles, pitch]` to `[GIVES, columns]`.
#[inline(always)]
fn transform_out<S: Simd>(simd: S, strip: &Strip, from: &[f32], pitch: usize, tiles: usize, values: &mut [S::f32s]) {
    let columns = GIVES * strip.count;
    for tile in 0..strip.count {
        let mut half = [[simd.splat_f32s(0.0); SEES]; GIVES];
        for x in 0..SEES {
            let mut column = [simd.splat_f32s(0.0); SEES];
            for (y, value) in column.iter_mut().enumerate() {
                let at = ((y * SEES + x) * tiles + strip.at + tile) * pitch;
                *value = S::as_simd_f32s(&from[at..at + S::F32_LANES]).0[0];
            }
            let column = outwards(simd, column);
            half.iter_mut().zip(column).for_each(|(half, value)| half[x] = value);
        }
        for (y, half) in half.into_iter().enumerate() {
            values[y * columns + GIVES * tile..][..GIVES].copy_from_slice(&outwards(simd, half));
        }
    }
}

/// Writes those outputs of a strip, `[GIVES, columns, lanes]`, that there are, with bias and activation.
#[inline(always)]
fn scatter<S: Simd>(
    layer: &Winograd,
    map: &Map,
    strip: &Strip,
    first: usize,
    channels: usize,
    values: &[f32],
    out: &Shared,
) {
    let lanes = S::F32_LANES;
    let columns = GIVES * strip.count;
    let [height, width] = map.output;
    let start = GIVES * strip.first;
    let count = columns.min(width - start);
    for (y, values) in values.chunks_exact(columns * lanes).take(GIVES.min(height - GIVES * strip.row)).enumerate() {
        let mut rows = [const { [0.0; GIVES * STRIP] }; 4];
        for channel in (0..channels).step_by(4) {
            if lanes >= 4 {
                deinterleave(&values[channel..], lanes, columns, &mut rows);
            } else {
                rows[0].iter_mut().zip(&values[channel..]).for_each(|(to, &from)| *to = from);
            }
            for (channel, row) in (channel..channels).zip(&rows) {
                let plane = strip.image * map.among.channels + map.among.first + first + channel;
                let at = (plane * height + GIVES * strip.row + y) * width + start;
                // SAFETY: blocks differ in the tiles or the outputs, and a block is written from one thread.
                let out = unsafe { out.part(at..at + count) };
                let bias = layer.bias[first + channel];
                out.iter_mut().zip(row).for_each(|(out, &sum)| *out = sum + bias);
                if let Some(plus) = map.plus {
                    out.iter_mut().zip(&plus[at..]).for_each(|(out, plus)| *out += plus);
                }
                activate(layer.activation, out);
            }
        }
    }
}
