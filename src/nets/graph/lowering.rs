//! From a node of the graph and what is known of its inputs to what it computes.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::{Device, TensorData};

use super::places::Move;
use super::value::{Array, Constant, Known, Whole};
use crate::kernels::Activation;
use crate::weights::WeightsError;
use crate::weights::onnx::model::Model;
use crate::weights::onnx::proto::NodeProto;

/// Computes the outputs of a node from those of its inputs that it takes.
pub type Run = Arc<dyn Fn(Vec<Array>) -> Vec<Array> + Send + Sync>;

/// What is laid out on a device once, for all numbers of images for which that is the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The place of its node in the file.
    pub at: usize,
    /// The place of the last node that is done in the same pass.
    pub step: usize,
    /// Whether for windows of maps that have their channels last.
    pub channels_last: bool,
    /// The bits of [`Then::factor`]: of some numbers of images, numbers before a layer may be another step's.
    pub factor: u64,
}

impl Key {
    /// Of a node and those up to `step`.
    pub fn new(at: usize, step: usize, then: &Then) -> Self {
        Self { at, step, channels_last: false, factor: then.factor.to_bits() }
    }
}

/// Makes a [`Run`] for a device, its weights laid out there.
pub type Prepare = Rc<dyn Fn(&Loader) -> Result<Run, WeightsError>>;

/// What comes of a node.
pub enum Lowered {
    /// Values that no image changes.
    Known(Vec<Known>),
    /// Of every output, the moves that make it of the first input.
    Moved(Vec<Vec<Move>>),
    /// Something to compute.
    Computed {
        /// The shape of each output.
        shapes: Vec<Vec<usize>>,
        /// The inputs, by position, that are given to the [`Run`].
        takes: Vec<usize>,
        /// Makes it.
        prepare: Prepare,
        /// Multiply-adds of its weights, for all images.
        multiply_adds: u64,
        /// Values of its weights.
        weights: usize,
    },
}

impl Lowered {
    /// A single output that is known.
    pub fn known(known: Known) -> Result<Self, Refusal> {
        Ok(Self::Known(vec![known]))
    }

    /// A single output, the first input moved.
    pub fn moved(by: Move) -> Result<Self, Refusal> {
        Ok(Self::Moved(vec![vec![by]]))
    }

    /// A single output computed of all the inputs `takes` by what takes no weights.
    pub fn run(
        shape: Vec<usize>,
        takes: &[usize],
        run: impl Fn(Vec<Array>) -> Array + Send + Sync + 'static,
    ) -> Result<Self, Refusal> {
        let run: Run = Arc::new(move |inputs| vec![run(inputs)]);
        let prepare: Prepare = Rc::new(move |_| Ok(run.clone()));
        Ok(Self::Computed { shapes: vec![shape], takes: takes.to_vec(), prepare, multiply_adds: 0, weights: 0 })
    }

    /// A single output computed with weights.
    pub fn weighted(
        shape: Vec<usize>,
        takes: &[usize],
        multiply_adds: usize,
        weights: usize,
        prepare: impl Fn(&Loader) -> Result<Run, WeightsError> + 'static,
    ) -> Result<Self, Refusal> {
        let (takes, multiply_adds) = (takes.to_vec(), multiply_adds as u64);
        Ok(Self::Computed { shapes: vec![shape], takes, prepare: Rc::new(prepare), multiply_adds, weights })
    }
}

/// Why a node cannot be computed.
#[derive(Debug)]
pub enum Refusal {
    /// A sentence.
    Because(String),
    /// The file cannot be read.
    Weights(WeightsError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Because(reason) => f.write_str(reason),
            Self::Weights(error) => error.fmt(f),
        }
    }
}

impl From<WeightsError> for Refusal {
    fn from(error: WeightsError) -> Self {
        Self::Weights(error)
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Because(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self::Because(reason.to_string())
    }
}

/// A node, what is known of its inputs, and what is done in the same pass.
pub struct Node<'a> {
    /// The file.
    pub model: &'a Model,
    /// What is laid out for it.
    pub key: Key,
    /// As the file has it.
    pub proto: &'a NodeProto,
    /// By position; absent ones are none.
    pub inputs: Vec<Option<Known>>,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// What follows a convolution or a dense layer.
    pub then: Then,
}

/// What is done in the same pass after a convolution, a dense layer or a sum.
#[derive(Clone)]
pub struct Then {
    /// What the products of a convolution or a dense layer are multiplied by, before all else.
    pub factor: f64,
    /// What its bias is multiplied by.
    pub bias_factor: f64,
    /// What every output is multiplied by or what is added to it, in order.
    pub affine: Vec<Affine>,
    /// Another value is added: the node's last input.
    pub summed: bool,
    /// At last.
    pub activation: Option<Activation>,
}

impl Default for Then {
    fn default() -> Self {
        Self { factor: 1.0, bias_factor: 1.0, affine: Vec::new(), summed: false, activation: None }
    }
}

/// Of every output of a convolution or a dense layer by itself; a number each, or one for all.
#[derive(Clone)]
pub enum Affine {
    /// `y + c`.
    Plus(Rc<Constant>),
    /// `y c`.
    Times(Rc<Constant>),
    /// Scale, shift, mean, variance of a batch normalization, and what is added to the variance.
    Norm([Rc<Constant>; 4], f32),
}

impl Node<'_> {
    /// An input.
    pub fn input(&self, at: usize) -> Result<&Known, Refusal> {
        self.optional(at).ok_or_else(|| format!("input {at} is missing").into())
    }

    /// An input that may be absent.
    pub fn optional(&self, at: usize) -> Option<&Known> {
        self.inputs.get(at)?.as_ref()
    }

    /// The shape of an input.
    pub fn shape(&self, at: usize) -> Result<&[usize], Refusal> {
        Ok(self.input(at)?.shape())
    }

    /// An input of known whole numbers.
    pub fn whole(&self, at: usize) -> Result<&Whole, Refusal> {
        match self.input(at)? {
            Known::Whole(whole) => Ok(whole),
            other => Err(format!(
                "input {at} ({}) is {}, expected whole numbers that no image changes",
                self.name(at),
                what(other)
            )
            .into()),
        }
    }

    /// An input of floating-point numbers that no image changes.
    pub fn constant(&self, at: usize) -> Result<&Rc<Constant>, Refusal> {
        match self.input(at)? {
            Known::Constant(constant) => Ok(constant),
            other => Err(format!("input {at} ({}) is {}, expected stored weights", self.name(at), what(other)).into()),
        }
    }

    /// The third input, of a number for each of so many units; it may be absent.
    pub fn bias(&self, units: usize) -> Result<Option<Rc<Constant>>, Refusal> {
        let bias = self.optional(2).map(|_| self.constant(2)).transpose()?;
        match bias.filter(|bias| bias.shape.iter().product::<usize>() != units) {
            Some(bias) => Err(format!("a bias of {:?} for {units} outputs", bias.shape).into()),
            None => Ok(bias.cloned()),
        }
    }

    /// A number that no image changes.
    pub fn number(&self, at: usize) -> Result<f64, Refusal> {
        let none = || format!("input {at} ({}) is not one number that no image changes", self.name(at));
        match self.input(at)? {
            Known::Whole(whole) if whole.values.len() == 1 => Ok(whole.values[0] as f64),
            Known::Constant(constant) => Ok(f64::from(constant.number()?.ok_or_else(none)?)),
            _ => Err(none().into()),
        }
    }

    /// Whole numbers that older operators have as a setting and newer ones as an input.
    pub fn ints(&self, setting: &str, at: usize) -> Result<Option<Vec<i64>>, Refusal> {
        match (self.proto.ints(setting), self.optional(at)) {
            (Some(ints), _) => Ok(Some(ints.to_vec())),
            (None, Some(_)) => Ok(Some(self.whole(at)?.values.clone())),
            (None, None) => Ok(None),
        }
    }

    /// A setting that is a whole number.
    pub fn int(&self, setting: &str, default: i64) -> i64 {
        self.proto.int(setting).unwrap_or(default)
    }

    /// How many groups the channels of a convolution are in.
    pub fn groups(&self) -> Result<usize, Refusal> {
        let groups = usize::try_from(self.int("group", 1)).ok().filter(|&groups| groups > 0);
        groups.ok_or_else(|| "group below 1".into())
    }

    /// A setting of a number for the height and one for the width, none below zero; of a line, of its length.
    pub fn two(&self, setting: &str, default: i64) -> Result<[usize; 2], Refusal> {
        let values = self.proto.ints(setting).filter(|values| !values.is_empty()).unwrap_or(&[default; 2]).to_vec();
        let sizes: Option<Vec<usize>> = values.iter().map(|&value| value.try_into().ok()).collect();
        let two = sizes.and_then(|sizes| match sizes[..] {
            [width] if self.optional(0).is_some_and(|line| line.shape().len() == 3) => {
                Some([usize::try_from(default).ok()?, width])
            }
            _ => sizes.try_into().ok(),
        });
        two.ok_or_else(|| format!("{setting} = {values:?}, expected two numbers").into())
    }

    /// The inputs `own`, and what is added in the same pass, if anything is.
    pub fn with_summand(&self, own: &[usize]) -> Vec<usize> {
        own.iter().copied().chain(self.then.summed.then(|| self.inputs.len() - 1)).collect()
    }

    /// A setting that is a number.
    pub fn float(&self, setting: &str, default: f32) -> f32 {
        self.proto.float(setting).unwrap_or(default)
    }

    /// A setting that is a word.
    pub fn text(&self, setting: &str) -> &str {
        self.proto.text(setting).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    fn name(&self, at: usize) -> &str {
        self.proto.input(at).unwrap_or("absent")
    }
}

fn what(known: &Known) -> &'static str {
    match known {
        Known::Whole(_) => "of whole numbers",
        Known::Constant(constant) if constant.is_whole() => "a constant of more whole numbers than are read at once",
        Known::Constant(_) => "a constant of floating-point numbers",
        Known::Computed(_) => "computed from the images",
    }
}

/// An axis from the front.
pub fn axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    let found = usize::try_from(from_front).ok().filter(|&axis| axis < rank);
    found.ok_or_else(|| format!("axis {axis} of a tensor of {rank} axes").into())
}

/// Lays weights out on a device, those of a key once.
pub struct Loader {
    /// Where to.
    pub device: Device,
    /// For how many images.
    pub images: Cell<usize>,
    laid_out: RefCell<HashMap<Key, Arc<dyn Any + Send + Sync>>>,
}

impl Loader {
    /// For a device.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), images: Cell::new(1), laid_out: RefCell::default() }
    }

    /// What `make` makes, or made before.
    ///
    /// # Errors
    /// As `make`.
    pub fn once<T: Any + Send + Sync>(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<T, WeightsError>,
    ) -> Result<Arc<T>, WeightsError> {
        let made = self.laid_out.borrow().get(&key).cloned();
        if let Some(made) = made.and_then(|made| made.downcast().ok()) {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        self.laid_out.borrow_mut().insert(key, made.clone());
        Ok(made)
    }
}

/// Weights, all of them finite.
///
/// # Errors
/// The file cannot be read, or a number in it is not finite.
pub fn weights(constant: &Constant) -> Result<TensorData, WeightsError> {
    Ok(TensorData::new(numbers(constant, f32::is_finite)?, constant.shape.clone()))
}

/// The values of a constant, all of which `fit`.
///
/// # Errors
/// The file cannot be read, or a number does not fit: it is not finite.
pub fn numbers(constant: &Constant, fit: impl Fn(f32) -> bool) -> Result<Vec<f32>, WeightsError> {
    let values = constant.values()?;
    if let Some(index) = values.iter().position(|&value| !fit(value)) {
        let (path, tensor) = constant.home();
        return Err(WeightsError::NotFinite { path, tensor, index, value: values[index] });
    }
    Ok(values)
}
