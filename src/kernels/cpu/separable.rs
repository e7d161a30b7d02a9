//! A depthwise convolution with the 1 x 1 convolution before it, the one after it, or both, in one pass: what is between
//! them, the widest activations of a network, stays in a second-level cache.
//!
//! Channels lie in the lanes of vectors and pixels in registers: a tap of the window is a whole vector away, whatever the
//! stride and however narrow the map. A piece of an image's rows is expanded a vector of channels at a time; all channels
//! are then projected, or each vector is written as it is. Every sum is formed in the order in which the layers form it
//! one after the other.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::lanes::{deinterleave, interleave};
use super::pointwise::{Pointwise, TILE, in_lanes};
use super::{Activation, Isa, LINE, Lines, Shared, Weights, Window, activate, activated, finished, with_scratch};

/// Most that a piece takes: half of a second-level cache.
const PIECE_BYTES: usize = 512 << 10;

/// Most pieces that a layer is cut into for each thread, so that all end at about the same time, beyond those that the cache
/// asks for.
const PIECES: usize = 4;

/// The layers with their weights laid out.
pub struct Separable {
    isa: Isa,
    lanes: usize,
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Option<Pointwise>,
}

struct Depthwise {
    window: Window,
    channels: usize,
    activation: Activation,
    /// `[channels / lanes, lanes]`.
    bias: Lines,
    /// `[channels / lanes, taps, lanes]`.
    kernel: Lines,
}

struct Lanes;

impl pulp::WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

impl Separable {
    /// Whether a piece stays in the cache, and no row is expanded more than twice: of a depthwise layer of so many `channels`,
    /// behind one that expands `inputs`, before one that projects.
    pub fn pays(inputs: Option<usize>, channels: usize, projected: bool, window: Window, input: [usize; 2]) -> bool {
        let map = Map::of(window, Isa::widest().dispatch(Lanes), (inputs, channels, projected), input);
        // Windows may reach far beyond the border.
        if map.seen(1).saturating_mul(map.pitch) > PIECE_BYTES {
            return false;
        }
        let rows = map.fitting();
        let expanded = map.output[0].div_ceil(rows) * map.seen(rows);
        map.bytes(rows) <= 2 * PIECE_BYTES && (inputs.is_none() || expanded <= 2 * map.seen(map.output[0]))
    }

    /// Lays the weights out; without an expansion the depthwise layer takes the input, without a projection it gives the
    /// output. The projection's activation is a piecewise one.
    ///
    /// # Panics
    /// If they are not of such layers, or do not fit each other.
    pub fn new(expand: Option<&Weights>, depthwise: &Weights, project: Option<&Weights>) -> Self {
        Self::on(Isa::widest(), expand, depthwise, project)
    }

    pub(super) fn on(isa: Isa, expand: Option<&Weights>, depthwise: &Weights, project: Option<&Weights>) -> Self {
        let lanes = isa.dispatch(Lanes);
        let Weights { kernel, bias, inputs: channels, window, groups, activation } = *depthwise;
        assert!(groups == channels && bias.len() == channels, "a depthwise convolution");
        assert!(expand.is_none_or(|expand| expand.bias.len() == channels), "as many channels as are expanded");
        assert!(project.is_none_or(|project| project.inputs == channels), "as many channels as are projected");
        let kernel = in_lanes(lanes, kernel, window.size[0] * window.size[1]);
        Self {
            isa,
            lanes,
            expand: expand.map(|expand| Pointwise::new(lanes, expand)),
            depthwise: Depthwise { window, channels, activation, bias: in_lanes(lanes, bias, 1), kernel },
            project: project.map(|project| Pointwise::new(lanes, project)),
        }
    }

    /// Shape of the output for an input of `[images, in, height, width]`.
    pub fn output(&self, [images, _, height, width]: [usize; 4]) -> [usize; 4] {
        let [rows, columns] = self.depthwise.window.output([height, width]);
        [images, self.outputs(), rows, columns]
    }

    fn outputs(&self) -> usize {
        self.project.as_ref().map_or(self.depthwise.channels, |project| project.outputs)
    }

    /// From `x` of this shape, `[images, in, height, width]`; `plus` is added before the last activation.
    ///
    /// # Panics
    /// If the lengths do not fit the shapes.
    pub fn forward(&self, x: &[f32], shape: [usize; 4], plus: Option<&[f32]>, out: &mut [f32]) {
        let [images, channels, height, width] = shape;
        let inputs = self.expand.as_ref().map_or(self.depthwise.channels, |expand| expand.inputs);
        let output = self.output(shape);
        assert_eq!(channels, inputs, "channels of the input");
        assert_eq!(x.len(), shape.iter().product::<usize>(), "a value for every unit");
        assert_eq!(out.len(), output.iter().product::<usize>(), "a place for every unit");
        let sums = self.project.is_some();
        assert!(
            plus.is_none_or(|plus| sums && plus.len() == out.len()),
            "a summand for every unit, behind a projection"
        );
        let map = Map::new(self, x, [height, width], plus);
        let rows = map.rows_of_a_piece(self, images);
        let pieces = output[2].div_ceil(rows);
        let out = Shared::new(out);
        (0..images * pieces).into_par_iter().for_each(|piece| {
            let (image, first) = (piece / pieces, piece % pieces * rows);
            with_scratch(map.sizes(rows).iter().sum(), |scratch| {
                let rows = first..map.output[0].min(first + rows);
                self.isa.dispatch(Work { layer: self, map: &map, image, rows, scratch, out: &out });
            });
        });
    }
}

/// Input and output.
struct Map<'a> {
    x: &'a [f32],
    plus: Option<&'a [f32]>,
    inputs: usize,
    input: [usize; 2],
    output: [usize; 2],
    window: Window,
    lanes: usize,
    /// Channels of the depthwise layer that a piece holds at a time, in whole vectors: all of them if they are projected.
    channels: usize,
    /// Vectors from one row of expanded channels to the next.
    pitch: usize,
    /// Where each tap of the first output lies, in vectors.
    taps: Vec<usize>,
}

impl<'a> Map<'a> {
    fn new(layer: &Separable, x: &'a [f32], input: [usize; 2], plus: Option<&'a [f32]>) -> Self {
        let (window, lanes, channels) = (layer.depthwise.window, layer.lanes, layer.depthwise.channels);
        let inputs = layer.expand.as_ref().map(|expand| expand.inputs);
        let map = Self::of(window, lanes, (inputs, channels, layer.project.is_some()), input);
        let Window { size, dilation, .. } = window;
        let tap = |tap: usize| tap / size[1] * dilation[0] * map.pitch + tap % size[1] * dilation[1];
        Self { x, plus, taps: (0..size[0] * size[1]).map(tap).collect(), ..map }
    }

    /// Without values: of the channels that are expanded, if any, those of the depthwise layer, and whether they are projected.
    fn of(
        window: Window,
        lanes: usize,
        (inputs, channels, projected): (Option<usize>, usize, bool),
        input: [usize; 2],
    ) -> Self {
        let Window { size, stride, dilation, .. } = window;
        let output = window.output(input);
        Self {
            x: &[],
            plus: None,
            inputs: inputs.unwrap_or(channels),
            input,
            output,
            window,
            lanes,
            channels: if projected { channels.next_multiple_of(lanes) } else { lanes },
            pitch: (output[1] - 1) * stride[1] + dilation[1] * (size[1] - 1) + 1,
            taps: Vec::new(),
        }
    }

    /// Rows that so many of the output see, padding included.
    fn seen(&self, rows: usize) -> usize {
        (rows - 1) * self.window.stride[0] + self.window.dilation[0] * (self.window.size[0] - 1) + 1
    }

    /// Values of a piece of so many rows: a vector of expanded channels, what the window makes of the channels, and two tiles.
    fn sizes(&self, rows: usize) -> [usize; 3] {
        let expanded = self.seen(rows) * self.pitch * self.lanes;
        [expanded, rows * self.output[1] * self.channels, 2 * TILE * self.lanes].map(|size| size.next_multiple_of(LINE))
    }

    /// What a piece of so many rows takes, its input included.
    fn bytes(&self, rows: usize) -> usize {
        let read = self.inputs * self.seen(rows).min(self.input[0]) * self.input[1];
        (self.sizes(rows).iter().sum::<usize>() + read) * size_of::<f32>()
    }

    /// As many rows as the cache takes, one at least.
    fn fitting(&self) -> usize {
        (1..=self.output[0]).rev().find(|&rows| self.bytes(rows) <= PIECE_BYTES).unwrap_or(1)
    }

    /// Even pieces that the cache takes, as many as end soonest: of all that the threads do, and of one that is behind. Rows
    /// that two pieces see are expanded for both.
    fn rows_of_a_piece(&self, layer: &Separable, images: usize) -> usize {
        let (all, threads) = (self.output[0], rayon::current_num_threads());
        let expanded = layer.expand.as_ref().map_or(1, |expand| expand.inputs);
        let mixed = self.taps.len() + layer.project.as_ref().map_or(1, |project| project.outputs);
        let work = |rows: usize| self.seen(rows) * self.pitch * expanded + rows * self.output[1] * mixed;
        let fewest = all.div_ceil(self.fitting());
        let most = (PIECES * threads).div_ceil(images).min(all).max(fewest);
        let rows = (fewest..=most).map(|pieces| all.div_ceil(pieces));
        let time = |&rows: &usize| (images * all.div_ceil(rows) + threads - 1) * work(rows);
        rows.min_by_key(time).expect("a piece")
    }
}

struct Work<'a> {
    layer: &'a Separable,
    map: &'a Map<'a>,
    image: usize,
    /// Of the output.
    rows: Range<usize>,
    scratch: &'a mut [f32],
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, map, image, rows, scratch, out } = self;
        let [expanded, mixed, _] = map.sizes(rows.len());
        let (expanded, scratch) = scratch.split_at_mut(expanded);
        let (mixed, tile) = scratch.split_at_mut(mixed);
        let (partial, tile) = S::as_mut_simd_f32s(tile).0.split_at_mut(TILE);
        let top = rows.start * map.window.stride[0];
        // Beyond the border are zeros, from here on.
        expanded.fill(0.0);
        let pixels = rows.len() * map.output[1];
        let to = Target { layer, map, image, first: rows.start * map.output[1], out };
        let seen = Seen { map, image, top, rows: map.seen(rows.len()) };
        for block in 0..layer.depthwise.channels.div_ceil(S::F32_LANES) {
            let held = if layer.project.is_some() { block } else { 0 };
            let mixed = &mut mixed[held * pixels * S::F32_LANES..][..pixels * S::F32_LANES];
            match &layer.expand {
                Some(expand) => seen.expand(simd, expand, block, expanded, partial),
                None => seen.gather::<S>(block, expanded),
            }
            mix(simd, &layer.depthwise, map, block, expanded, mixed);
            if layer.project.is_none() {
                to.write::<S>(block, mixed, tile);
            }
        }
        if let Some(project) = &layer.project {
            to.project(simd, project, &mixed[..pixels * map.channels], partial, tile);
        }
    }
}

/// The rows of the input that a piece sees.
struct Seen<'a> {
    map: &'a Map<'a>,
    image: usize,
    /// First row and rows, of the padded input.
    top: usize,
    rows: usize,
}

impl Seen<'_> {
    /// The rows that the input has, and the vector that the first goes to.
    fn there(&self) -> (Range<usize>, usize) {
        let (above, before) = (self.map.window.padding[0].0, self.map.window.padding[1].0);
        let within = |row: usize| row.saturating_sub(above).min(self.map.input[0]);
        let rows = within(self.top)..within(self.top + self.rows);
        let first = (rows.start + above).saturating_sub(self.top) * self.map.pitch + before;
        (rows, first)
    }

    /// Columns of the input that windows see.
    fn columns(&self) -> usize {
        self.map.input[1].min(self.map.pitch.saturating_sub(self.map.window.padding[1].0))
    }

    /// A vector of channels of the expanded input.
    #[inline(always)]
    fn expand<S: Simd>(&self, simd: S, layer: &Pointwise, block: usize, expanded: &mut [f32], partial: &mut [S::f32s]) {
        let map = self.map;
        let [height, width] = map.input;
        let (plane, columns) = (height * width, self.columns());
        let (rows, mut place) = self.there();
        let x = &map.x[self.image * layer.inputs * plane..][..layer.inputs * plane];
        let expanded = S::as_mut_simd_f32s(expanded).0;
        let (mut pixel, last, mut column) = (rows.start * width, rows.end * width, 0);
        while pixel < last {
            pixel += layer.forward(
                simd,
                block,
                last - pixel,
                (
                    #[inline(always)]
                    |k| &x[k * plane + pixel..],
                    1,
                ),
                partial,
                #[inline(always)]
                |sums| {
                    let mut sums = sums;
                    while !sums.is_empty() {
                        let (row, rest) = sums.split_at(sums.len().min(width - column));
                        let there = row.len().min(columns.saturating_sub(column));
                        // Beyond the last column that is seen there may be no place.
                        if there > 0 {
                            for (to, &sum) in expanded[place + column..][..there].iter_mut().zip(row) {
                                *to = finished(simd, layer.activation, sum);
                            }
                        }
                        (sums, column) = (rest, column + row.len());
                        if column == width {
                            (place, column) = (place + map.pitch, 0);
                        }
                    }
                },
            );
        }
    }

    /// A vector of channels of the input.
    #[inline(always)]
    fn gather<S: Simd>(&self, block: usize, expanded: &mut [f32]) {
        let map = self.map;
        let (lanes, [height, width], columns) = (S::F32_LANES, map.input, self.columns());
        let (rows, place) = self.there();
        if columns == 0 {
            return;
        }
        let first = block * lanes;
        let channels = lanes.min(map.inputs - first);
        for (row, at) in rows.zip((place..).step_by(map.pitch)) {
            let to = &mut expanded[at * lanes..][..columns * lanes];
            let plane = height * width;
            let x = &map.x[((self.image * map.inputs + first) * height + row) * width..];
            let mut channel = 0;
            while channel < channels {
                let x = &x[channel * plane..];
                if channel + 4 <= channels {
                    interleave(x, plane, columns, &mut to[channel..], lanes);
                    channel += 4;
                } else {
                    to[channel..].iter_mut().step_by(lanes).zip(&x[..columns]).for_each(|(to, &from)| *to = from);
                    channel += 1;
                }
            }
        }
    }
}

/// The windows of a vector of channels: `[seen rows, pitch]` to `[pixels]`, in vectors.
#[inline(always)]
fn mix<S: Simd>(simd: S, layer: &Depthwise, map: &Map, block: usize, expanded: &[f32], mixed: &mut [f32]) {
    let bias = S::as_simd_f32s(layer.bias.values()).0[block];
    let kernel = &S::as_simd_f32s(layer.kernel.values()).0[block * map.taps.len()..][..map.taps.len()];
    let (expanded, mixed) = (S::as_simd_f32s(expanded).0, S::as_mut_simd_f32s(mixed).0);
    let Window { stride: [down, across], .. } = map.window;
    for (y, mixed) in mixed.chunks_exact_mut(map.output[1]).enumerate() {
        let mut x = 0;
        while x < mixed.len() {
            let seen = (&expanded[y * down * map.pitch + x * across..], &map.taps[..]);
            let mixed = &mut mixed[x..];
            x += match (mixed.len(), across) {
                (14.., 1) => window::<S, 14>(simd, layer, bias, kernel, seen, 1, mixed),
                (14.., 2) => window::<S, 14>(simd, layer, bias, kernel, seen, 2, mixed),
                (7.., 1) => window::<S, 7>(simd, layer, bias, kernel, seen, 1, mixed),
                (7.., 2) => window::<S, 7>(simd, layer, bias, kernel, seen, 2, mixed),
                _ => window::<S, 1>(simd, layer, bias, kernel, seen, across, mixed),
            };
        }
        // Within, they would take the registers of the sums.
        if !layer.activation.is_piecewise() {
            mixed.iter_mut().for_each(|sum| *sum = finished(simd, layer.activation, *sum));
        }
    }
}

/// The windows of P pixels, a `stride` apart.
#[inline(always)]
fn window<S: Simd, const P: usize>(
    simd: S,
    layer: &Depthwise,
    bias: S::f32s,
    kernel: &[S::f32s],
    (expanded, taps): (&[S::f32s], &[usize]),
    stride: usize,
    mixed: &mut [S::f32s],
) -> usize {
    let mut sums = [bias; P];
    for (&weight, &tap) in kernel.iter().zip(taps) {
        let values = &expanded[tap..][..(P - 1) * stride + 1];
        for (p, sum) in sums.iter_mut().enumerate() {
            *sum = simd.mul_add_e_f32s(weight, values[p * stride], *sum);
        }
    }
    for (mixed, sum) in mixed[..P].iter_mut().zip(sums) {
        *mixed = activated(simd, layer.activation, sum);
    }
    P
}

/// Where a piece goes.
struct Target<'a> {
    layer: &'a Separable,
    map: &'a Map<'a>,
    image: usize,
    /// The piece's first pixel.
    first: usize,
    out: &'a Shared<'a>,
}

impl Target<'_> {
    /// All channels of the pixels, `[channels / lanes, pixels, lanes]`, to the outputs.
    #[inline(always)]
    fn project<S: Simd>(
        &self,
        simd: S,
        layer: &Pointwise,
        mixed: &[f32],
        partial: &mut [S::f32s],
        tile: &mut [S::f32s],
    ) {
        let lanes = S::F32_LANES;
        let pixels = mixed.len() / self.map.channels;
        let mut pixel = 0;
        while pixel < pixels {
            let mut count = 0;
            for block in 0..layer.outputs.div_ceil(lanes) {
                count = layer.forward(
                    simd,
                    block,
                    pixels - pixel,
                    (
                        #[inline(always)]
                        |k| &mixed[(k / lanes * pixels + pixel) * lanes + k % lanes..],
                        lanes,
                    ),
                    partial,
                    #[inline(always)]
                    |sums| tile[..sums.len()].copy_from_slice(sums),
                );
                self.scatter::<S>(block, pixel, count, layer.activation, bytemuck::cast_slice(tile));
            }
            pixel += count;
        }
    }

    /// A vector of channels of the pixels, `[pixels, lanes]`, as it is.
    #[inline(always)]
    fn write<S: Simd>(&self, block: usize, mixed: &[f32], tile: &mut [S::f32s]) {
        for (n, mixed) in mixed.chunks(TILE * S::F32_LANES).enumerate() {
            let tile = bytemuck::cast_slice_mut(tile);
            tile[..mixed.len()].copy_from_slice(mixed);
            self.scatter::<S>(block, n * TILE, mixed.len() / S::F32_LANES, Activation::Identity, tile);
        }
    }

    /// Writes a vector of outputs of `count` pixels.
    #[inline(always)]
    fn scatter<S: Simd>(&self, block: usize, pixel: usize, count: usize, activation: Activation, tile: &[f32]) {
        let (lanes, outputs) = (S::F32_LANES, self.layer.outputs());
        let size = self.map.output[0] * self.map.output[1];
        let first = block * lanes;
        let channels = lanes.min(outputs - first);
        let mut rows = [const { [0.0; TILE] }; 4];
        for channel in (0..channels).step_by(4) {
            if lanes >= 4 {
                deinterleave(&tile[channel..], lanes, count.next_multiple_of(4), &mut rows);
            } else {
                rows[0].iter_mut().zip(&tile[channel..]).for_each(|(to, &from)| *to = from);
            }
            for (channel, row) in (channel..channels).zip(&rows) {
                let at = (self.image * outputs + first + channel) * size + self.first + pixel;
                // SAFETY: pieces differ in the pixels, and a piece is written from one thread.
                let out = unsafe { self.out.part(at..at + count) };
                match self.map.plus {
                    Some(plus) => {
                        let sums = row.iter().zip(&plus[at..]);
                        out.iter_mut().zip(sums).for_each(|(out, (sum, plus))| *out = sum + plus);
                    }
                    None => out.copy_from_slice(&row[..count]),
                }
                activate(activation, out);
            }
        }
    }
}
