//! A depthwise convolution with the 1 x 1 convolution before it, the one after it, or both, in one pass: what is between
//! them, the widest activations of a network, stays in a second-level cache.
//!
//! Channels lie in the lanes of vectors and pixels in registers: a tap of the window is a whole vector away, whatever the
//! stride and however narrow the map. A piece of an image's rows is expanded a vector of channels at a time; all channels
//! are then projected, or each vector is written as it is. Every sum is formed in the order in which the layers form it
//! one after the other.

mod target;

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use self::target::Target;
use super::laid_out::{LaidOut, windows};
use super::lanes::interleave;
use super::pointwise::{Pointwise, TILE, in_lanes};
use super::{Activation, Isa, LINE, Lines, Shared, Weights, Window, activated, finished, with_scratch};

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
        if map.laid.seen(1).saturating_mul(map.laid.pitch) > PIECE_BYTES {
            return false;
        }
        let rows = map.fitting();
        let expanded = map.laid.output[0].div_ceil(rows) * map.laid.seen(rows);
        map.bytes(rows) <= 2 * PIECE_BYTES && (inputs.is_none() || expanded <= 2 * map.laid.seen(map.laid.output[0]))
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
                let rows = first..map.laid.output[0].min(first + rows);
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
    laid: LaidOut,
    lanes: usize,
    /// Channels of the depthwise layer that a piece holds at a time, in whole vectors: all of them if they are projected.
    channels: usize,
    taps: Vec<usize>,
}

impl<'a> Map<'a> {
    fn new(layer: &Separable, x: &'a [f32], input: [usize; 2], plus: Option<&'a [f32]>) -> Self {
        let (window, lanes, channels) = (layer.depthwise.window, layer.lanes, layer.depthwise.channels);
        let inputs = layer.expand.as_ref().map(|expand| expand.inputs);
        let map = Self::of(window, lanes, (inputs, channels, layer.project.is_some()), input);
        Self { x, plus, taps: map.laid.taps(), ..map }
    }

    /// Without values: of the channels that are expanded, if any, those of the depthwise layer, and whether they are projected.
    fn of(
        window: Window,
        lanes: usize,
        (inputs, channels, projected): (Option<usize>, usize, bool),
        input: [usize; 2],
    ) -> Self {
        Self {
            x: &[],
            plus: None,
            inputs: inputs.unwrap_or(channels),
            laid: LaidOut::new(window, input),
            lanes,
            channels: if projected { channels.next_multiple_of(lanes) } else { lanes },
            taps: Vec::new(),
        }
    }

    /// Values of a piece of so many rows: a vector of expanded channels, what the window makes of the channels, and two tiles.
    fn sizes(&self, rows: usize) -> [usize; 3] {
        let expanded = self.laid.seen(rows) * self.laid.pitch * self.lanes;
        [expanded, rows * self.laid.output[1] * self.channels, 2 * TILE * self.lanes]
            .map(|size| size.next_multiple_of(LINE))
    }

    /// What a piece of so many rows takes, its input included.
    fn bytes(&self, rows: usize) -> usize {
        let read = self.inputs * self.laid.seen(rows).min(self.laid.input[0]) * self.laid.input[1];
        (self.sizes(rows).iter().sum::<usize>() + read) * size_of::<f32>()
    }

    /// As many rows as the cache takes, one at least.
    fn fitting(&self) -> usize {
        (1..=self.laid.output[0]).rev().find(|&rows| self.bytes(rows) <= PIECE_BYTES).unwrap_or(1)
    }

    /// Even pieces that the cache takes, as many as end soonest: of all that the threads do, and of one that is behind. Rows
    /// that two pieces see are expanded for both.
    fn rows_of_a_piece(&self, layer: &Separable, images: usize) -> usize {
        let (all, threads) = (self.laid.output[0], rayon::current_num_threads());
        let expanded = layer.expand.as_ref().map_or(1, |expand| expand.inputs);
        let mixed = self.taps.len() + layer.project.as_ref().map_or(1, |project| project.outputs);
        let work = |rows: usize| self.laid.seen(rows) * self.laid.pitch * expanded + rows * self.laid.output[1] * mixed;
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
        let top = rows.start * map.laid.window.stride[0];
        // Beyond the border are zeros, from here on.
        expanded.fill(0.0);
        let pixels = rows.len() * map.laid.output[1];
        let to = Target { layer, map, image, first: rows.start * map.laid.output[1], out };
        let seen = Seen { map, image, top, rows: map.laid.seen(rows.len()) };
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
        let (above, before) = (self.map.laid.window.padding[0].0, self.map.laid.window.padding[1].0);
        let within = |row: usize| row.saturating_sub(above).min(self.map.laid.input[0]);
        let rows = within(self.top)..within(self.top + self.rows);
        let first = (rows.start + above).saturating_sub(self.top) * self.map.laid.pitch + before;
        (rows, first)
    }

    /// A vector of channels of the expanded input.
    #[inline(always)]
    fn expand<S: Simd>(&self, simd: S, layer: &Pointwise, block: usize, expanded: &mut [f32], partial: &mut [S::f32s]) {
        let map = self.map;
        let [height, width] = map.laid.input;
        let (plane, columns) = (height * width, map.laid.columns());
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
                            (place, column) = (place + map.laid.pitch, 0);
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
        let (lanes, [height, width], columns) = (S::F32_LANES, map.laid.input, map.laid.columns());
        let (rows, place) = self.there();
        if columns == 0 {
            return;
        }
        let first = block * lanes;
        let channels = lanes.min(map.inputs - first);
        for (row, at) in rows.zip((place..).step_by(map.laid.pitch)) {
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
    let Window { stride: [down, across], .. } = map.laid.window;
    for (y, mixed) in mixed.chunks_exact_mut(map.laid.output[1]).enumerate() {
        let mut x = 0;
        while x < mixed.len() {
            let seen = (&expanded[y * down * map.laid.pitch + x * across..], &map.taps[..]);
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
    seen: (&[S::f32s], &[usize]),
    stride: usize,
    mixed: &mut [S::f32s],
) -> usize {
    let sums = windows::<S, P>(simd, bias, kernel, seen, stride);
    for (mixed, sum) in mixed[..P].iter_mut().zip(sums) {
        *mixed = activated(simd, layer.activation, sum);
    }
    P
}
