//! Layers on the CPU, from slices to vectors: register tiles of the widest instruction set there is, on all threads of the
//! current rayon pool.
//!
//! Every sum is formed in an order that the layer alone decides: the bits depend neither on the threads nor on the batch.

mod attention;
mod channels_last;
mod dense;
mod depthwise;
mod implicit;
mod laid_out;
mod lanes;
mod matrix;
mod norm;
mod pass;
mod pixels;
mod pointwise;
mod pool;
mod rotary;
mod separable;
mod smooth;
mod softmax;
mod strided;
mod winograd;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

use bytemuck::Zeroable;
use pulp::{Simd, WithSimd};

use self::pixels::Pixels;
use super::{Activation, Window};

pub use self::attention::{Bias, attention};
pub use self::channels_last::ChannelsLast;
pub use self::dense::Dense;
pub use self::lanes::transposed;
pub use self::norm::{layer_norm, over_norms};
pub use self::pass::{Channels, activated_to, concatenate, each, pairwise, scaled, sum};
pub use self::pool::{average_pool, column_sums, global_mean, max_pool, row_sums};
pub use self::rotary::rotary;
pub use self::separable::Separable;
pub use self::softmax::softmax;
pub use self::strided::strided;

/// Values that a thread takes at a time in a single pass.
const STRETCH: usize = 1 << 14;

/// A convolution with its weights laid out.
pub struct Convolution {
    form: Form,
    inputs: usize,
    outputs: usize,
    window: Window,
}

/// Where the channels of an output lie among those of a concatenation.
#[derive(Clone, Copy)]
pub struct Among {
    /// The first of them.
    pub first: usize,
    /// All of the concatenation.
    pub channels: usize,
}

/// How a convolution is computed.
enum Form {
    /// Each channel by itself.
    Depthwise(depthwise::Depthwise),
    /// 3 x 3 windows, 1 apart, in fewer products.
    Winograd(winograd::Winograd),
    /// Any other as a matrix product of weights and pixels.
    Implicit(implicit::Implicit),
}

/// What a convolution is told of.
pub struct Weights<'a> {
    /// `[out, in / groups, height, width]`.
    pub kernel: &'a [f32],
    /// `[out]`.
    pub bias: &'a [f32],
    /// Channels of the input.
    pub inputs: usize,
    /// How the kernel moves.
    pub window: Window,
    /// Groups of channels that see only each other.
    pub groups: usize,
    /// What is done to every sum.
    pub activation: Activation,
}

impl Convolution {
    /// Lays the weights out.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub fn new(weights: &Weights) -> Self {
        Self::on(Isa::widest(), weights)
    }

    fn on(isa: Isa, weights: &Weights) -> Self {
        let Weights { kernel, bias, inputs, window, groups, .. } = *weights;
        let [height, width] = window.size;
        assert!(
            inputs % groups == 0 && bias.len() % groups == 0,
            "{inputs} to {} channels, {groups} groups",
            bias.len()
        );
        assert_eq!(kernel.len(), bias.len() * (inputs / groups) * height * width, "a weight for every tap");
        let form = if groups == inputs && bias.len() == inputs && height * width > 1 {
            Form::Depthwise(depthwise::Depthwise::new(isa, weights))
        } else if winograd::suits(weights) {
            Form::Winograd(winograd::Winograd::new(isa, weights))
        } else {
            Form::Implicit(implicit::Implicit::new(isa, weights))
        };
        Self { form, inputs, outputs: bias.len(), window }
    }

    /// Shape of the output for an input of `[images, in, height, width]`.
    ///
    /// # Panics
    /// If not even one window fits.
    pub fn output(&self, [images, _, height, width]: [usize; 4]) -> [usize; 4] {
        let [rows, columns] = self.window.output([height, width]);
        [images, self.outputs, rows, columns]
    }

    /// From `x` of this shape, `[images, in, height, width]`; `plus` is added before the activation.
    ///
    /// # Panics
    /// If the lengths do not fit the shapes.
    pub fn forward(&self, x: &[f32], shape: [usize; 4], plus: Option<&[f32]>, out: &mut [f32]) {
        assert!(plus.is_none_or(|plus| plus.len() == out.len()), "a summand for every unit");
        self.write(x, shape, plus, Among { first: 0, channels: self.outputs }, out);
    }

    /// As [`forward`](Self::forward), of `x` with every channel multiplied by a gate, `[images, in]`.
    ///
    /// # Panics
    /// As there, and if it is not 1 x 1 or of one channel.
    pub fn forward_gated(&self, x: &[f32], shape: [usize; 4], gates: &[f32], plus: Option<&[f32]>, out: &mut [f32]) {
        assert!(plus.is_none_or(|plus| plus.len() == out.len()), "a summand for every unit");
        assert!(shape[1] > 1 && gates.len() == shape[0] * shape[1], "a gate for every channel, more than one");
        let among = Among { first: 0, channels: self.outputs };
        let output = self.places(x, shape, among, out);
        match &self.form {
            Form::Implicit(form) => {
                form.forward(&Pixels::new(x, shape, self.window, output).gated(gates), plus, among, out);
            }
            _ => panic!("a gated convolution is 1 x 1"),
        }
    }

    /// Whether it can write its channels [`Among`] those of others.
    pub fn joins(&self) -> bool {
        !matches!(self.form, Form::Depthwise(_))
    }

    /// As [`forward`](Self::forward), its channels among those of `out`.
    ///
    /// # Panics
    /// As there, and if it [cannot](Self::joins).
    pub fn forward_among(&self, x: &[f32], shape: [usize; 4], among: Among, out: &mut [f32]) {
        assert!(self.joins(), "a depthwise convolution joins nothing");
        self.write(x, shape, None, among, out);
    }

    fn write(&self, x: &[f32], shape: [usize; 4], plus: Option<&[f32]>, among: Among, out: &mut [f32]) {
        let output = self.places(x, shape, among, out);
        match &self.form {
            Form::Depthwise(form) => form.forward(x, shape, output, plus, out),
            Form::Winograd(form) => form.forward(x, shape, output, plus, among, out),
            Form::Implicit(form) => form.forward(&Pixels::new(x, shape, self.window, output), plus, among, out),
        }
    }

    /// Height and width of the output, whose places must fit.
    fn places(&self, x: &[f32], shape: [usize; 4], among: Among, out: &[f32]) -> [usize; 2] {
        let [images, _, rows, columns] = self.output(shape);
        assert_eq!(shape[1], self.inputs, "channels of the input");
        assert_eq!(x.len(), shape.iter().product::<usize>(), "a value for every unit");
        assert!(among.first + self.outputs <= among.channels, "channels among others");
        assert_eq!(out.len(), images * among.channels * rows * columns, "a place for every unit");
        [rows, columns]
    }
}

/// The instruction set that weights are laid out for and tiles are as large as.
#[derive(Clone, Copy)]
enum Isa {
    /// The widest of the machine.
    Widest(pulp::Arch),
    #[cfg(test)]
    Scalar,
    #[cfg(all(test, target_arch = "x86_64"))]
    Avx2(pulp::x86::V3),
}

impl Isa {
    fn widest() -> Self {
        Self::Widest(pulp::Arch::new())
    }

    #[inline(always)]
    fn dispatch<W: WithSimd>(self, work: W) -> W::Output {
        match self {
            Self::Widest(arch) => arch.dispatch(work),
            #[cfg(test)]
            Self::Scalar => work.with_simd(pulp::Scalar),
            #[cfg(all(test, target_arch = "x86_64"))]
            Self::Avx2(simd) => pulp::Simd::vectorize(simd, work),
        }
    }
}

/// Does a piecewise activation to every value, as a vector operation each; NaN stays.
#[inline(always)]
fn activate(activation: Activation, values: &mut [f32]) {
    let relu = |x: f32| if x < 0.0 { 0.0 } else { x };
    match activation {
        Activation::Relu => values.iter_mut().for_each(|x| *x = relu(*x)),
        Activation::Relu6 => values.iter_mut().for_each(|x| *x = if *x > 6.0 { 6.0 } else { relu(*x) }),
        // Convolutions leave the others to a pass of their own: within, they would take the registers of the sums.
        _ => {}
    }
}

/// Any activation of a vector; NaN stays.
#[inline(always)]
fn finished<S: Simd>(simd: S, activation: Activation, x: S::f32s) -> S::f32s {
    if activation.is_piecewise() {
        return activated(simd, activation, x);
    }
    let y = smooth::activated(simd, activation, x);
    // A number by itself has no operand to come back from.
    let nan = const { S::F32_LANES == 1 } && bytemuck::cast_slice::<_, f32>(&[x])[0].is_nan();
    if nan { x } else { y }
}

/// `activation` of a vector, a piecewise one; NaN stays: vectors' maximum and minimum give it back from the second operand,
/// if not from either, scalars' do not.
#[inline(always)]
fn activated<S: Simd>(simd: S, activation: Activation, x: S::f32s) -> S::f32s {
    if const { S::F32_LANES == 1 } {
        let mut x = [x];
        activate(activation, bytemuck::cast_slice_mut(&mut x));
        return x[0];
    }
    let relu = simd.max_f32s(simd.splat_f32s(0.0), x);
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu,
        Activation::Relu6 => simd.min_f32s(simd.splat_f32s(6.0), relu),
        _ => x,
    }
}

/// As much as a vector of the widest instruction set and a line of the cache hold.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const LINE: usize = 16;

/// Values that start on a line.
struct Lines(Vec<Line>);

impl Lines {
    /// Zeros.
    fn new(values: usize) -> Self {
        Self(vec![Line::zeroed(); values.div_ceil(LINE)])
    }

    fn values(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    fn values_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

thread_local! {
    /// What a thread works in; kept from layer to layer, since fresh pages cost more than the arithmetic on them.
    static SCRATCH: RefCell<Lines> = const { RefCell::new(Lines(Vec::new())) };
}

/// Calls `work` with this thread's scratch, of as many values as asked for, none of them initialised for it.
fn with_scratch<T>(values: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut scratch = SCRATCH.replace(Lines(Vec::new()));
    if scratch.0.len() < values.div_ceil(LINE) {
        scratch = Lines::new(values);
    }
    let result = work(&mut scratch.values_mut()[..values]);
    SCRATCH.set(scratch);
    result
}

/// The output of a layer while threads write to it, each to values of its own.
struct Shared<'a> {
    start: *mut f32,
    len: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: gives access by `part` alone, whose callers answer for it.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), values: PhantomData }
    }

    /// The values of `range`.
    ///
    /// # Safety
    /// While it lives, no other part that overlaps it may be asked for.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the callers answer for it")]
    unsafe fn part(&self, range: Range<usize>) -> &mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the slice borrowed in `new`; not aliased, as the caller warrants.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests;
