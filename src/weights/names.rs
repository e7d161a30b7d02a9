//! What weights files call the variables of a layer, and how they lay a kernel out.

use super::{Parameter, Transform};

/// The variables of a layer, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The kernel of a convolution or dense layer.
    Weight,
    /// Its bias: its own, or what folding leaves.
    Bias,
    /// The scale of the normalization after it.
    Gamma,
    /// The normalization's shift.
    Beta,
    /// The mean that is subtracted.
    Mean,
    /// The variance that is divided by.
    Var,
}

/// The axes of a kernel in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As here: `[out, in, height, width]`, `[out, in]` with inputs flattened from `[channels, height, width]`.
    ChannelsFirst,
    /// Keras': `[height, width, in, out]`, `[in, out]` with inputs flattened from `[height, width, channels]`.
    ChannelsLast,
    /// Of a dense layer: a convolution over all of the map (timm's VGG head), `[out, channels, height, width]`.
    Convolution,
}

/// The names of a layer's variables in known files, those preferred first.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<(Variable, String, Layout)>);

impl Names {
    /// PyTorch's of a module (torchvision, timm).
    pub fn torch(module: &str) -> Self {
        let weight = (Variable::Weight, format!("{module}.weight"));
        Self::default().with([weight, (Variable::Bias, format!("{module}.bias"))])
    }

    /// PyTorch's of a convolution and the normalization after it.
    pub fn torch_normalised(conv: &str, norm: &str) -> Self {
        Self::torch(conv).with([
            (Variable::Gamma, format!("{norm}.weight")),
            (Variable::Beta, format!("{norm}.bias")),
            (Variable::Mean, format!("{norm}.running_mean")),
            (Variable::Var, format!("{norm}.running_var")),
        ])
    }

    /// Keras' of a layer.
    pub fn keras(layer: &str) -> Self {
        let kernels = keras_names(layer, "kernel").into_iter().map(|name| (Variable::Weight, name));
        let biases = keras_names(layer, "bias").into_iter().map(|name| (Variable::Bias, name));
        Self::default().laid_out(kernels, Layout::ChannelsLast).with(biases)
    }

    /// Keras' of a layer, and exporters' of its kernel: `{layer}.weight`, channels first.
    pub fn keras_exported(layer: &str) -> Self {
        Self::keras(layer).with([(Variable::Weight, format!("{layer}.weight"))])
    }

    /// Keras' and exporters' of a convolution and the normalization after it.
    pub fn keras_normalised(conv: &str, norm: &str) -> Self {
        let named = |variable, name| keras_names(norm, name).into_iter().map(move |name| (variable, name));
        Self::keras_exported(conv)
            .with(named(Variable::Gamma, "gamma"))
            .with(named(Variable::Beta, "beta"))
            .with(named(Variable::Mean, "moving_mean"))
            .with(named(Variable::Var, "moving_variance"))
    }

    /// With more names; kernels have the channels first.
    pub fn with(self, names: impl IntoIterator<Item = (Variable, String)>) -> Self {
        self.laid_out(names, Layout::ChannelsFirst)
    }

    /// With more names, of kernels in another layout.
    pub fn laid_out(mut self, names: impl IntoIterator<Item = (Variable, String)>, layout: Layout) -> Self {
        self.0.extend(names.into_iter().map(|(variable, name)| (variable, name, layout)));
        self
    }

    /// The parameters of a layer without normalization: its kernel of `shape`, `[out, in, height, width]` or `[out, in]`
    /// over a map of height and width `side`, and its bias.
    pub fn layer(&self, name: &str, shape: &[usize], bias: bool, side: usize) -> Vec<Parameter> {
        let mut parameters = vec![Parameter::kernel(name, shape, self.kernel(shape, side))];
        parameters.extend(bias.then(|| Parameter::bias(name, shape[0], self.vector(Variable::Bias))));
        parameters
    }

    /// The names of the kernel, each with what brings it into the canonical `shape`.
    pub(super) fn kernel(&self, shape: &[usize], side: usize) -> Vec<(String, Transform)> {
        let transform = |layout| match (layout, shape.len()) {
            (Layout::ChannelsLast, 4) => Transform::HwioToOihw,
            (Layout::ChannelsLast, _) if side > 1 => {
                Transform::HwcFlatten { channels: shape[1] / (side * side), size: side }
            }
            (Layout::ChannelsLast, _) => Transform::Transpose,
            (Layout::Convolution, 2) => Transform::Reshape { size: side },
            (Layout::Convolution | Layout::ChannelsFirst, _) => Transform::None,
        };
        self.of(Variable::Weight).map(|(name, layout)| (name.clone(), transform(layout))).collect()
    }

    /// The names of another variable; no known file keeps one in another layout.
    pub fn vector(&self, variable: Variable) -> Vec<(String, Transform)> {
        self.of(variable).map(|(name, _)| (name.clone(), Transform::None)).collect()
    }

    fn of(&self, wanted: Variable) -> impl Iterator<Item = (&String, Layout)> {
        let of_variable = self.0.iter().filter(move |(variable, ..)| *variable == wanted);
        of_variable.map(|(_, name, layout)| (name, *layout))
    }
}

/// The names of a Keras layer's variable in HDF5 files of Keras 2 and 3 and in what converters make of them.
fn keras_names(layer: &str, variable: &str) -> Vec<String> {
    vec![
        format!("{layer}/{layer}/{variable}:0"),
        format!("{layer}/{layer}/{variable}"),
        format!("{layer}/{variable}:0"),
        format!("{layer}/{variable}"),
        format!("{layer}.{variable}"),
    ]
}
