//! Values of a graph: those on a device, and what is known of each before an image comes in.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::lowering::{Loader, Prepare};
use crate::weights::WeightsError;
use crate::weights::onnx::model::Model;

/// Numbers on a device in any number of axes; truth values are 1 and 0.
#[derive(Clone, Debug)]
pub struct Array {
    /// The lengths of its axes; none of a single number.
    pub shape: Vec<usize>,
    /// Row by row.
    values: Tensor<1>,
}

impl Array {
    /// Of a tensor, in a shape of as many values.
    pub fn new<const D: usize>(tensor: Tensor<D>, shape: &[usize]) -> Self {
        let units: usize = tensor.dims().iter().product();
        debug_assert_eq!(shape.iter().product::<usize>(), units);
        Self { shape: shape.to_vec(), values: tensor.reshape([units]) }
    }

    /// Of values, row by row.
    pub fn of(values: Vec<f32>, shape: &[usize], device: &Device) -> Self {
        let units = values.len();
        Self { shape: shape.to_vec(), values: Tensor::from_data(TensorData::new(values, [units]), device) }
    }

    /// As a tensor of a shape of as many values.
    pub fn view<const D: usize>(self, shape: [usize; D]) -> Tensor<D> {
        self.values.reshape(shape)
    }

    /// All values in a row.
    pub fn flat(self) -> Tensor<1> {
        self.values
    }

    /// The same values in another shape.
    pub fn reshaped(self, shape: &[usize]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), self.shape.iter().product::<usize>());
        Self { shape: shape.to_vec(), ..self }
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// Its values, row by row.
    pub fn to_vec(&self) -> Vec<f32> {
        self.values.clone().into_data().convert::<f32>().try_to_vec().expect("converted to f32")
    }
}

/// Whole numbers and truth values (1 and 0) that no image changes: shapes, axes, indices, masks.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The lengths of the axes; none of a single number.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<i64>,
}

impl Whole {
    /// One number.
    pub fn number(value: i64) -> Self {
        Self { shape: vec![], values: vec![value] }
    }

    /// A list.
    pub fn list(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], values }
    }
}

/// What is known of a value before an image comes in, for a number of images.
#[derive(Clone)]
pub enum Known {
    /// All of it.
    Whole(Rc<Whole>),
    /// Floating-point numbers that no image changes.
    Constant(Rc<Constant>),
    /// Its shape.
    Computed(Vec<usize>),
}

impl Known {
    /// Whole numbers.
    pub fn whole(whole: Whole) -> Self {
        Self::Whole(Rc::new(whole))
    }

    /// The lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Whole(whole) => &whole.shape,
            Self::Constant(constant) => &constant.shape,
            Self::Computed(shape) => shape,
        }
    }

    /// How many values.
    pub fn units(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether it is whole numbers, also where these are too many to be read at once.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Constant(constant) => constant.is_whole(),
            Self::Computed(_) => false,
        }
    }

    /// Whether images change it.
    pub fn is_computed(&self) -> bool {
        matches!(self, Self::Computed(_))
    }
}

/// Floating-point numbers that no image changes, read or computed when they are asked for.
pub struct Constant {
    /// The lengths of the axes.
    pub shape: Vec<usize>,
    source: Source,
    kept: OnceCell<Array>,
}

enum Source {
    /// A constant of the file, by its position.
    Stored(Arc<Model>, usize),
    Given(Vec<f32>),
    /// One of the outputs of a node.
    Computed {
        run: Prepare,
        output: usize,
        inputs: Vec<Rc<Constant>>,
        /// Whether it is of whole numbers.
        whole: bool,
        /// How many constants are computed one of the other, and how many in all, those that are not kept every time.
        depth: usize,
        work: usize,
    },
}

/// Largest computed constant, in values, that is kept for those who ask again.
const KEPT_VALUES: usize = 1 << 20;

impl Constant {
    /// A constant of the file, of numbers that are read.
    pub fn stored(model: &Arc<Model>, at: usize) -> Self {
        let shape = model.constants[at].shape.clone();
        Self { shape, source: Source::Stored(model.clone(), at), kept: OnceCell::new() }
    }

    /// Of values.
    pub fn given(values: Vec<f32>, shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), source: Source::Given(values), kept: OnceCell::new() }
    }

    /// An output of a node all of whose inputs are constants; whether it is of whole numbers.
    pub fn computed(shape: &[usize], run: Prepare, output: usize, inputs: Vec<Rc<Constant>>, whole: bool) -> Self {
        let (mut depth, mut work) = (1, 1usize);
        for input in &inputs {
            if let Source::Computed { depth: below, work: again, .. } = &input.source {
                depth = depth.max(below + 1);
                let is_kept = input.shape.iter().product::<usize>() <= KEPT_VALUES;
                work = work.saturating_add(if is_kept { 0 } else { *again });
            }
        }
        let source = Source::Computed { run, output, inputs, whole, depth, work };
        Self { shape: shape.to_vec(), source, kept: OnceCell::new() }
    }

    /// Whether it takes more than `most` computations, one of the other or again and again.
    pub fn is_beyond(&self, most: usize) -> bool {
        matches!(self.source, Source::Computed { depth, work, .. } if depth.max(work) > most)
    }

    /// The file it is of, and what that calls it or what it is computed of.
    pub fn home(&self) -> (PathBuf, String) {
        match &self.source {
            Source::Stored(model, at) => (model.path.clone(), model.constants[*at].name.clone()),
            Source::Given(_) => (PathBuf::new(), "a constant".to_string()),
            Source::Computed { inputs, .. } => match inputs.first().map(|input| input.home()) {
                Some((path, name)) => (path, format!("a constant computed of {name}")),
                None => (PathBuf::new(), "a computed constant".to_string()),
            },
        }
    }

    /// Its position among the file's constants, if it is one.
    pub fn place(&self) -> Option<usize> {
        match &self.source {
            Source::Stored(_, at) => Some(*at),
            Source::Given(_) | Source::Computed { .. } => None,
        }
    }

    /// Whether its values are held here: a node made them of nothing, or of whole numbers.
    pub fn is_given(&self) -> bool {
        matches!(self.source, Source::Given(_))
    }

    /// Whether they are whole numbers, too many to be read at once.
    pub fn is_whole(&self) -> bool {
        match &self.source {
            Source::Stored(model, at) => model.constants[*at].is_float().is_err(),
            Source::Given(_) => false,
            Source::Computed { whole, .. } => *whole,
        }
    }

    /// The values, row by row.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn values(&self) -> Result<Vec<f32>, WeightsError> {
        match &self.source {
            Source::Stored(model, at) => {
                let constant = &model.constants[*at];
                match constant.integers()? {
                    Some(values) => Ok(values.into_iter().map(|value| value as f32).collect()),
                    None => constant.floats(),
                }
            }
            Source::Given(values) => Ok(values.clone()),
            Source::Computed { .. } => Ok(self.array()?.to_vec()),
        }
    }

    /// The only value of a single number.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn number(&self) -> Result<Option<f32>, WeightsError> {
        if self.shape.iter().product::<usize>() != 1 { Ok(None) } else { Ok(self.values()?.first().copied()) }
    }

    /// The values on the CPU.
    fn array(&self) -> Result<Array, WeightsError> {
        if let Some(kept) = self.kept.get() {
            return Ok(kept.clone());
        }
        let Source::Computed { run, output, inputs, .. } = &self.source else {
            return Ok(Array::of(self.values()?, &self.shape, &Device::flex()));
        };
        let inputs = inputs.iter().map(|input| input.array()).collect::<Result<Vec<_>, _>>()?;
        let run = run(&Loader::new(&Device::flex()))?;
        let array = run(inputs).swap_remove(*output);
        if array.shape.iter().product::<usize>() <= KEPT_VALUES {
            self.kept.get_or_init(|| array.clone());
        }
        Ok(array)
    }
}
