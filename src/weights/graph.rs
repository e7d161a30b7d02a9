//! The computation graph that some weights files (ONNX) hold beside the weights: it tells where a nameless tensor
//! belongs, and what shapes do not tell.

use crate::kernels::pooling::Border;
use crate::kernels::{self, Padding};

/// The layers with weights of a computation graph, in the order of a walk that every exporter's file gives alike:
/// backwards from the outputs, depth first, a layer after all it is computed from; of the inputs of a concatenation the
/// first comes first, of those of a sum the one with more layers behind it (in a residual block the shortcut last).
///
/// Networks list their parameters in this order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Convolutions and dense layers.
    pub layers: Vec<GraphLayer>,
    /// Max and average poolings; not those over whole images.
    pub poolings: Vec<Pooling>,
    /// Batch normalizations that follow no convolution, by name.
    pub loose_norms: Vec<String>,
    /// How the first dense layer takes an image, if it takes one.
    pub flattened: Option<Flattened>,
}

/// A convolution or dense layer.
#[derive(Clone, Debug)]
pub struct GraphLayer {
    /// What the layer is called in the program the file was exported from, if any name tells: `layer1.0.conv1`.
    pub module: Option<String>,
    /// The node that computes it.
    pub node: String,
    /// `[out, in / groups, height, width]` or `[out, in]`.
    pub kernel: Held,
    /// `[out]`.
    pub bias: Option<Held>,
    /// The batch normalization after it.
    pub norm: Option<Norm>,
    /// How a convolution moves.
    pub window: Option<Window>,
}

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub struct Held {
    /// Under which it is read.
    pub name: String,
    /// As it is read.
    pub shape: Vec<usize>,
    /// What the file calls its values.
    pub initializer: String,
}

/// A batch normalization.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Scale, shift, mean and variance, each `[out]`.
    pub tensors: [Held; 4],
    /// What is added to the variance.
    pub epsilon: f32,
}

/// How a window moves over an image, height before width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub size: [usize; 2],
    /// Rows and columns moved by.
    pub stride: [usize; 2],
    /// Distance of the rows and columns it looks at.
    pub dilation: [usize; 2],
    /// Zeros at top, left, bottom, right; `None` where the graph computes them.
    pub padding: Option<[usize; 4]>,
}

/// A pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// The node that computes it.
    pub node: String,
    /// Averages rather than maxima.
    pub average: bool,
    /// How it moves.
    pub window: Window,
    /// Whether averages count the padding.
    pub counts_padding: bool,
    /// Whether windows may reach over the end.
    pub rounds_up: bool,
}

/// In which order a dense layer takes an image's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flattened {
    /// `[channels, height, width]`.
    ChannelsFirst,
    /// `[height, width, channels]`; the kernel is read in the other order all the same.
    ChannelsLast,
}

/// What a form of a network computes that shapes do not tell.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How each convolution moves, in the order of the parameters, and what the batch normalization after it adds to the
    /// variance.
    pub convolutions: Vec<(kernels::Window, Option<f64>)>,
    /// What max poolings pad with.
    pub max_padding: Vec<Padding>,
    /// What averages count beyond the border.
    pub border: Option<Border>,
    /// Whether files of this form may flatten images with the channels last, as TensorFlow does.
    pub channels_last: bool,
}

/// Exporters store epsilon as `f32`, and 1e-5 and 1.001e-5 are two forms of ResNet50.
const EPSILONS_AGREE: f64 = 1e-4;

impl Facts {
    /// Where a graph of the same layers computes something else, one sentence each.
    pub fn contradictions(&self, graph: &Graph) -> Vec<String> {
        let mut found = Vec::new();
        let sides = |[rows, columns]: Padding| [rows.0, columns.0, rows.1, columns.1];
        let convolutions = graph.layers.iter().filter_map(|layer| Some((layer, layer.window?)));
        for ((layer, window), (expected, epsilon)) in convolutions.zip(&self.convolutions) {
            let node = &layer.node;
            if window.stride != expected.stride || window.dilation != expected.dilation {
                let Window { stride, dilation, .. } = window;
                let (by, apart) = (number(expected.stride), number(expected.dilation));
                found
                    .push(format!("{node} has stride {stride:?} and dilation {dilation:?}, expected {by} and {apart}"));
            }
            let expected = sides(expected.padding);
            if let Some(padding) = window.padding.filter(|padding| *padding != expected) {
                found.push(format!("{node} pads by {padding:?} (top, left, bottom, right), expected {expected:?}"));
            }
            let norm = layer.norm.as_ref().zip(*epsilon);
            if let Some((norm, epsilon)) = norm
                && (f64::from(norm.epsilon) / epsilon - 1.0).abs() > EPSILONS_AGREE
            {
                found.push(format!(
                    "the batch normalization after {node} has epsilon {}, expected {epsilon}",
                    norm.epsilon
                ));
            }
        }
        for pooling in &graph.poolings {
            let padding = pooling.window.padding;
            let expected = self.max_padding.first().copied().map_or([0; 4], sides);
            let differs = |padding| padding != expected && !self.max_padding.iter().any(|&own| sides(own) == padding);
            if !pooling.average && (pooling.rounds_up || padding.is_some_and(differs)) {
                let up = if pooling.rounds_up { " and rounds its size up" } else { "" };
                let padding = padding.unwrap_or(expected);
                found.push(format!("{} pads by {padding:?}{up}, expected {expected:?}", pooling.node));
            }
            let border = if pooling.counts_padding { Border::Zeros } else { Border::Excluded };
            if pooling.average && padding != Some([0; 4]) && self.border.is_some_and(|expected| expected != border) {
                let (counts, expected) = match border {
                    Border::Zeros => ("counts", "does not"),
                    Border::Excluded => ("does not count", "does"),
                };
                found.push(format!(
                    "{} {counts} the padding in its averages, expected that it {expected}",
                    pooling.node
                ));
            }
        }
        if graph.flattened == Some(Flattened::ChannelsLast) && !self.channels_last {
            found.push(
                "the graph flattens images with the channels last (as Keras does), expected channels first".into(),
            );
        }
        found
    }
}

/// A length that height and width share, or both.
fn number([rows, columns]: [usize; 2]) -> String {
    if rows == columns { rows.to_string() } else { format!("[{rows}, {columns}]") }
}
