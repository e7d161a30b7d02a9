//! Weights: from the file a user has to the parameters of a network, with a full account of what went where.
//!
//! To add a format: one file with a [`WeightsFile`], and its line in [`FORMATS`].

mod archive;
mod assignment;
mod error;
#[cfg(test)]
pub(crate) mod fixtures;
#[doc(hidden)]
pub mod formula;
pub mod graph;
pub mod keras;
#[cfg(test)]
mod mutations;
mod names;
mod normalised;
pub mod onnx;
mod parameters;
mod placement;
pub mod pytorch;
pub mod safetensors;
mod wrapped;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use assignment::{Assigned, Assignment, Ignored, Misshapen, Rule, assign};
pub use error::{WeightsError, part_of};
pub use graph::Facts;
pub use names::{Layout, Names, Variable};
pub(crate) use normalised::scale_and_shift;
pub use normalised::{Normalised, Part};
pub use parameters::Parameters;
pub use wrapped::of_network;

use crate::error::FileError;
use crate::files;

/// A file format of weights.
pub struct Format {
    /// As the format calls itself.
    pub name: &'static str,
    /// Whether a file is of this format, by its first [`HEAD_BYTES`] bytes (fewer if it is shorter) and its path.
    pub sniff: fn(head: &[u8], path: &Path) -> bool,
    /// Opens a file of this format.
    pub open: fn(path: &Path) -> Result<Box<dyn WeightsFile>, WeightsError>,
}

/// The formats of this build, in the order in which they are tried on a file's first bytes.
pub const FORMATS: &[&Format] = &[&pytorch::FORMAT, &keras::ARCHIVE, &keras::HDF5, &safetensors::FORMAT, &onnx::FORMAT];

/// How much of a file [`Format::sniff`] sees.
pub const HEAD_BYTES: usize = 512;

/// A weights file that is open: names and shapes known, values read on demand.
pub trait WeightsFile {
    /// Where it is, for messages.
    fn path(&self) -> &Path;
    /// Names and shapes of all tensors.
    fn tensors(&self) -> Vec<(String, Vec<usize>)>;
    /// The values of one tensor, widened to `f32`.
    ///
    /// # Errors
    /// The file cannot be read, or the tensor does not hold floating-point numbers.
    ///
    /// # Panics
    /// If `name` is not one of [`Self::tensors`].
    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError>;
    /// All files that values are in, [`Self::path`] first.
    fn files(&self) -> Vec<PathBuf> {
        vec![self.path().into()]
    }
    /// What the user should know of the file.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
    /// The same file with the averages of its weights over the training's last steps (EMA) for the weights.
    ///
    /// # Errors
    /// It has none.
    fn averages(self: Box<Self>) -> Result<Box<dyn WeightsFile>, WeightsError> {
        Err(WeightsError::NoAverages { path: self.path().into() })
    }
    /// The same file with all of its tensors, where a part of them was taken for it.
    ///
    /// # Errors
    /// It cannot be read.
    fn whole(&self) -> Result<Option<Box<dyn WeightsFile>>, WeightsError> {
        Ok(None)
    }
    /// What is taken off the names that it has.
    fn prefix(&self) -> &str {
        ""
    }
    /// Tensors that are not the network's, by their names in the file, and why they are not taken.
    fn beside(&self) -> Vec<(String, &'static str)> {
        Vec::new()
    }
    /// The computation graph, where the format has one; its layers are matched by their places in it.
    fn graph(&self) -> Option<&graph::Graph> {
        None
    }
}

/// Opens a weights file of any known format.
///
/// # Errors
/// It cannot be read, is of no known format, or its header is damaged.
pub fn open(path: &Path) -> Result<Box<dyn WeightsFile>, WeightsError> {
    Ok(wrapped::unwrap((format(path)?.open)(path)?))
}

/// The format of a weights file, by its content.
///
/// # Errors
/// It cannot be read or is of no known format.
pub fn format(path: &Path) -> Result<&'static Format, WeightsError> {
    let mut head = Vec::new();
    files::open(path)
        .and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head))
        .map_err(FileError::at(path))?;
    let format = FORMATS.iter().copied().find(|format| (format.sniff)(&head, path));
    format.ok_or_else(|| match error::is_index(path) {
        true => WeightsError::Index(path.into()),
        false => WeightsError::Format { path: path.into() },
    })
}

/// One parameter of a network and where weights files keep it.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Canonical name: `block1.conv1.weight`.
    pub name: String,
    /// Canonical shape: convolution `[out, in, height, width]`, dense `[out, in]` with inputs flattened from `[c, h, w]`.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: Kind,
    /// Its names in known files, each with what turns it into the canonical layout.
    pub sources: Vec<(String, Transform)>,
    /// In which files it stands.
    pub part: Part,
}

impl Parameter {
    /// The kernel `{layer}.weight` of a convolution or dense layer, `[out, in, ..]`.
    pub fn kernel(layer: &str, shape: &[usize], sources: Vec<(String, Transform)>) -> Self {
        let kind = Kind::Kernel { fan_in: shape[1..].iter().product(), gain: 2.0 };
        Self { name: format!("{layer}.weight"), shape: shape.to_vec(), kind, sources, part: Part::Plain }
    }

    /// The bias `{layer}.bias`, `[out]`.
    pub fn bias(layer: &str, out: usize, sources: Vec<(String, Transform)>) -> Self {
        Self { name: format!("{layer}.bias"), shape: vec![out], kind: Kind::Bias, sources, part: Part::Plain }
    }
}

/// What a parameter is; decides its random initialisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Convolution or dense kernel.
    Kernel {
        /// Inputs per output.
        fan_in: usize,
        /// The formula's weights ([`formula`]) have the variance `gain / fan_in`: 2 keeps activations behind a ReLU at
        /// their scale.
        gain: f64,
    },
    /// Bias, batch-norm shift or mean: zero at random initialisation.
    Bias,
    /// Batch-norm scale: one at random initialisation.
    Scale,
    /// Batch-norm variance: one at random initialisation, never negative.
    Variance,
    /// A transformer's class token or its positions: normal with standard deviation 0.02 at random initialisation.
    Embedding,
}

/// How a source tensor becomes the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// The same layout.
    None,
    /// Keras convolution kernel: `[height, width, in, out]` to `[out, in, height, width]`.
    HwioToOihw,
    /// Keras dense kernel: `[in, out]` to `[out, in]`.
    Transpose,
    /// Keras dense kernel after Flatten of `[height, width, channels]`: `[h w c, out]` to `[out, c h w]`.
    HwcFlatten {
        /// Channels before Flatten.
        channels: usize,
        /// Height and width before Flatten.
        size: usize,
    },
    /// A convolution kernel that stands for a dense one (timm's VGG head): `[out, in, h, w]` to `[out, in h w]`.
    Reshape {
        /// Height and width of the convolution kernel.
        size: usize,
    },
    /// The same values behind so many axes of length 1.
    Leading(usize),
}

impl std::fmt::Display for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "as it is",
            Self::HwioToOihw => "height x width x in x out, turned to out x in x height x width",
            Self::Transpose => "transposed",
            Self::HwcFlatten { .. } => "transposed, height x width x channels turned to channels x height x width",
            Self::Reshape { .. } => "a convolution's kernel as a dense layer's",
            Self::Leading(_) => "without its axes of length 1",
        })
    }
}

impl Transform {
    /// The shape of the source of a parameter of the canonical `shape`.
    pub fn source_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::HwioToOihw, &[out, input, height, width]) => vec![height, width, input, out],
            (Self::Transpose | Self::HwcFlatten { .. }, &[out, input]) => vec![input, out],
            (Self::Leading(axes), shape) => [&vec![1; axes], shape].concat(),
            (Self::Reshape { size }, &[out, input]) => vec![out, input / (size * size), size, size],
            _ => shape.to_vec(),
        }
    }

    /// Brings the source's `values` into the layout of a parameter of the canonical `shape`.
    ///
    /// # Panics
    /// If `values` does not fill `shape`.
    pub fn apply(self, values: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{self:?} to {shape:?}");
        match (self, shape) {
            (Self::HwioToOihw, &[_, input, height, width]) => channels_first(&values, input, height * width),
            (Self::Transpose, &[_, input]) => channels_first(&values, input, 1),
            (Self::HwcFlatten { channels, size }, _) => channels_first(&values, channels, size * size),
            _ => values,
        }
    }
}

/// `[positions, channels, out]` to `[out, channels, positions]`.
fn channels_first(values: &[f32], channels: usize, positions: usize) -> Vec<f32> {
    use rayon::prelude::*;

    /// Outputs moved together.
    const LINE: usize = 64;
    let inputs = channels * positions;
    let outs = values.len() / inputs;
    let mut moved = vec![0.0; values.len()];
    moved.par_chunks_mut(LINE * inputs).enumerate().for_each(|(line, moved)| {
        for input in 0..inputs {
            let (channel, position) = (input / positions, input % positions);
            let source = (position * channels + channel) * outs + line * LINE;
            for (out, row) in moved.chunks_exact_mut(inputs).enumerate() {
                row[input] = values[source + out];
            }
        }
    });
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keras_convolution_kernels_become_oihw() {
        // [height 1, width 2, in 2, out 3] with the values h w i o spelt out as decimal digits.
        let source = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0, 100.0, 101.0, 102.0, 110.0, 111.0, 112.0];
        let expected = [0.0, 100.0, 10.0, 110.0, 1.0, 101.0, 11.0, 111.0, 2.0, 102.0, 12.0, 112.0];
        assert_eq!(Transform::HwioToOihw.source_shape(&[3, 2, 1, 2]), [1, 2, 2, 3]);
        assert_eq!(Transform::HwioToOihw.apply(source.to_vec(), &[3, 2, 1, 2]), expected);
    }

    #[test]
    fn keras_dense_kernels_become_out_by_in() {
        assert_eq!(Transform::Transpose.source_shape(&[2, 3]), [3, 2]);
        let moved = Transform::Transpose.apply(vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0], &[2, 3]);
        assert_eq!(moved, [0.0, 10.0, 20.0, 1.0, 11.0, 21.0]);
    }

    #[test]
    fn more_outputs_than_a_cache_line_are_moved_whole() {
        let (inputs, outs) = (5, 37);
        let source: Vec<f32> = (0..inputs * outs).map(|v| v as f32).collect();
        let moved = Transform::Transpose.apply(source.clone(), &[outs, inputs]);
        for (out, input) in (0..outs).flat_map(|out| (0..inputs).map(move |input| (out, input))) {
            assert_eq!(moved[out * inputs + input], source[input * outs + out]);
        }
    }

    #[test]
    fn flattened_channels_move_to_the_front() {
        // Rows h w c = 00c, 01c, 10c, 11c of a 2 x 2 map with 3 channels, one output; value = row.
        let source: Vec<f32> = (0..12).map(|row| row as f32).collect();
        let moved = Transform::HwcFlatten { channels: 3, size: 2 }.apply(source, &[1, 12]);
        assert_eq!(moved, [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]);
    }

    #[test]
    fn timm_heads_keep_their_order() {
        let reshape = Transform::Reshape { size: 2 };
        assert_eq!(reshape.source_shape(&[5, 12]), [5, 3, 2, 2]);
        assert_eq!(reshape.apply(vec![1.0, 2.0, 3.0, 4.0], &[1, 4]), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vgg16.mat");
        std::fs::write(&path, b"MATLAB 5.0 MAT-file").unwrap();
        let message = open(&path).err().unwrap().to_string();
        assert!(
            message.contains("vgg16.mat: not a weights file this build reads (PyTorch .pth/.pt, Keras"),
            "{message}"
        );
        assert!(message.contains("weights/README.md"), "{message}");
        let path = folder.path().join("saved_model.pb");
        std::fs::write(&path, b"\x08\x01\x12\x05\x0a\x03\x1a\x01\xff").unwrap();
        let message = open(&path).err().unwrap().to_string();
        assert!(message.contains("saved_model.pb: not a weights file this build reads"), "{message}");
        let message = open(&folder.path().join("absent.safetensors")).err().unwrap().to_string();
        assert!(message.contains("absent.safetensors: "), "{message}");
    }
}
