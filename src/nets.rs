//! Networks as lists of stages with named taps.
//!
//! To add a network: one file that exports a [`NetworkSpec`], and its line in [`NETS`].

pub mod efficientnet_lite0;
#[cfg(test)]
mod golden;
pub mod inception_v3;
pub mod layers;
pub mod resnet;
pub mod squeezenet1_1;
pub mod vgg;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::weights::{Assignment, Facts, Ignored, Parameter, Parameters, WeightsError, WeightsFile};

/// The networks of this build, in the order `semgpu layers` lists them.
pub const NETS: &[&NetworkSpec] = &[
    &vgg::VGG16,
    &resnet::RESNET50,
    &inception_v3::SPEC,
    &squeezenet1_1::SPEC,
    &efficientnet_lite0::SPEC,
    &vgg::VGG19,
    &resnet::RESNET18,
    &resnet::RESNET34,
    &resnet::RESNET101,
    &resnet::RESNET152,
];

/// The network of that name.
pub fn find(name: &str) -> Option<&'static NetworkSpec> {
    NETS.iter().copied().find(|network| network.name == name)
}

/// What is known of a network before its weights are read. Every function takes the *form*: one of [`Self::forms`].
pub struct NetworkSpec {
    /// As in the configuration: `vgg16`.
    pub name: &'static str,
    /// The published graphs that differ in numbers (`keras`, `torchvision`); the first is the default.
    pub forms: &'static [&'static str],
    /// Input size and preprocessing.
    pub input: fn(form: &str) -> Input,
    /// The layer whose units are the 1000 classes of ILSVRC 2012 in index order, if the network ends in one.
    pub classifier: Option<&'static str>,
    /// The stages in order, with the layers tapped in each.
    pub stages: fn(form: &str) -> Vec<StageSpec>,
    /// Every parameter, with its names in the known weights files.
    pub parameters: fn(form: &str) -> Vec<Parameter>,
    /// Builds the network on a device: one [`Stage`] per [`StageSpec`], in the same order.
    pub load: fn(form: &str, parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError>,
    /// What it computes that shapes do not tell, for files that hold a computation graph.
    pub facts: fn(form: &str) -> Facts,
    /// Tensors that its weights files may hold beside its parameters.
    pub ignored: &'static [Ignored],
    /// Networks that are taken for it.
    pub look_alikes: &'static [LookAlike],
}

/// Counters of PyTorch's batch normalization.
pub const BATCH_COUNTERS: Ignored =
    Ignored { prefix: "", suffix: ".num_batches_tracked", why: "counts training steps, not used at inference" };

/// A network that is taken for another.
pub struct LookAlike {
    /// What only its tensors have in their names.
    pub tensor: &'static str,
    /// What it is and what is read instead.
    pub what: &'static str,
}

impl NetworkSpec {
    /// All layers, in the order in which they are computed.
    pub fn layers(&self, form: &str) -> Vec<Layer> {
        (self.stages)(form).into_iter().flat_map(|stage| stage.layers).collect()
    }

    /// Compares a weights file, and its computation graph if it holds one, with the parameters of `form`.
    pub fn account(&self, form: &str, file: &dyn WeightsFile) -> Assignment {
        let mut account = Assignment::of(&(self.parameters)(form), self.ignored, file);
        if let Some(graph) = file.graph()
            && account.contradictions.is_empty()
        {
            account.contradictions = (self.facts)(form).contradictions(graph);
        }
        account
    }

    /// Finds the tensor of every parameter of `form` in a weights file.
    ///
    /// # Errors
    /// [`WeightsError::LookAlike`] if it is another network's, [`WeightsError::OtherForm`] if it has more of another
    /// form's names, [`WeightsError::OtherGraph`] if its graph is another form's, [`WeightsError::Unfit`] if tensors are
    /// missing, have another shape or belong to no parameter, or if its graph is no form's.
    pub fn assign(&self, form: &str, file: &dyn WeightsFile) -> Result<Assignment, WeightsError> {
        let account = self.account(form, file);
        // Where a graph's places decide, names may still be another network's or form's.
        if account.is_complete() && file.graph().is_none() {
            return Ok(account);
        }
        for look_alike in self.look_alikes {
            if let Some((tensor, _)) = file.tensors().into_iter().find(|(name, _)| name.contains(look_alike.tensor)) {
                return Err(WeightsError::LookAlike {
                    path: file.path().into(),
                    tensor,
                    network: self.name.into(),
                    what: look_alike.what.into(),
                });
            }
        }
        let found = |form: &str| self.account(form, file).found();
        let (path, network, form_asked) = (file.path().into(), self.name.to_string(), form.to_string());
        // Of forms that share all names the first.
        let named = self.forms.iter().copied().rev().max_by_key(|other| found(other));
        if let Some(fits) = named.filter(|fits| found(fits) > account.found()) {
            return Err(WeightsError::OtherForm { path, network, form: form_asked, fits: fits.into() });
        }
        let drawn: Vec<&str> =
            self.forms.iter().copied().filter(|other| self.account(other, file).is_complete()).collect();
        if let (Some(reason), false) = (account.contradictions.first(), drawn.is_empty()) {
            let (fits, reason) = (drawn.join("\" or \""), reason.clone());
            return Err(WeightsError::OtherGraph { path, network, form: form_asked, fits, reason });
        }
        account.checked(file.path())
    }
}

/// One step of a network, run over all images of a group before the next one starts.
pub struct StageSpec {
    /// Activations that leave the stage, per image: `[channels, height, width]`.
    pub output: [usize; 3],
    /// Layers tapped in this stage, in the order in which they are computed.
    pub layers: Vec<Layer>,
    /// Multiply-adds per image, for the time left.
    pub multiply_adds: u64,
}

/// A tapped layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The paper's (Keras') name: `block3_conv2`.
    pub name: String,
    /// In figures: `B3C2`.
    pub label: String,
    /// Activations per image: `[channels, height, width]` (dense layers: `[units, 1, 1]`).
    pub shape: [usize; 3],
    /// Tapped only when the configuration names it; not part of `layers = "all"`.
    pub on_request: bool,
}

impl Layer {
    /// Activations per image.
    pub fn units(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What a network expects of an image.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Input {
    /// Height and width in pixels.
    pub size: usize,
    /// From RGB bytes to the network's numbers.
    pub preprocess: Preprocess,
    /// The resize rule of `resize = "auto"`.
    pub resize: crate::images::Resize,
    /// Share of the shorter side that a centre crop keeps (torchvision: 224 / 256 = 0.875).
    pub crop_pct: f64,
}

/// Published preprocessing conventions, from RGB bytes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preprocess {
    /// BGR minus (103.939, 116.779, 123.68), no scaling (Keras VGG16, ResNet50; SqueezeNet).
    Caffe,
    /// `x / 127.5 - 1`, RGB (Keras Inception V3).
    Tf,
    /// `(x / 255 - mean) / std`, RGB, ImageNet's mean and standard deviation (torchvision).
    Torch,
    /// `(x - 127) / 128`, RGB (EfficientNet-Lite).
    Lite,
}

impl Preprocess {
    /// From RGB bytes, `[size, size, 3]`, to the network's numbers, `[3, size, size]`; each operation rounds to `f32`.
    ///
    /// # Panics
    /// If `rgb` does not hold `size * size * 3` bytes.
    pub fn apply(self, rgb: &[u8], size: usize) -> Vec<f32> {
        const CAFFE_MEAN: [f32; 3] = [103.939, 116.779, 123.68];
        const TORCH_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
        const TORCH_SD: [f32; 3] = [0.229, 0.224, 0.225];

        assert_eq!(rgb.len(), size * size * 3, "an image of {size} x {size} RGB pixels");
        let mut planes = Vec::with_capacity(rgb.len());
        for channel in 0..3 {
            planes.extend(rgb.chunks_exact(3).map(|pixel| {
                let x = |channel: usize| f32::from(pixel[channel]);
                match self {
                    Self::Caffe => x(2 - channel) - CAFFE_MEAN[channel],
                    Self::Tf => x(channel) / 127.5 - 1.0,
                    Self::Torch => (x(channel) / 255.0 - TORCH_MEAN[channel]) / TORCH_SD[channel],
                    Self::Lite => (x(channel) - 127.0) / 128.0,
                }
            }));
        }
        planes
    }
}

/// A network on a device.
pub type Stages = Vec<Box<dyn Stage>>;

/// A stage with its weights on the device.
pub trait Stage: Send {
    /// `x` is `[images, channels, height, width]`; layers pass through [`Taps::tap`] on the line that computes them.
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4>;
}

/// The class of each image: the first of its highest outputs. An image with an output that is not finite comes back as
/// the error.
///
/// # Shapes
/// `outputs` is `[images, classes]`, the activations of [`NetworkSpec::classifier`].
pub fn classes(outputs: &[Tensor<2>]) -> Result<Vec<u32>, NotFinite> {
    let mut classes = Vec::new();
    for batch in outputs {
        let units = batch.dims()[1];
        let values = batch.clone().into_data().convert::<f32>();
        for image in values.as_slice::<f32>().expect("converted to f32").chunks_exact(units) {
            if image.iter().any(|output| !output.is_finite()) {
                return Err(NotFinite { image: classes.len() });
            }
            let highest = (1..units).fold(0, |best, class| if image[class] > image[best] { class } else { best });
            classes.push(highest as u32);
        }
    }
    Ok(classes)
}

/// NaN or infinity among an image's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the outputs of image {image} (counted from 0) are not finite")]
pub struct NotFinite {
    /// Index of the image.
    pub image: usize,
}

/// Collects the layers that are wanted while a batch runs through a stage.
#[derive(Default)]
pub struct Taps {
    wanted: Vec<String>,
    seen: Vec<(String, Tensor<2>)>,
}

impl Taps {
    /// Keeps the named layers.
    pub fn new(wanted: impl IntoIterator<Item = String>) -> Self {
        Self { wanted: wanted.into_iter().collect(), seen: Vec::new() }
    }

    /// Returns `x`; keeps it, flattened to `[images, units]`, if `layer` is wanted.
    pub fn tap(&mut self, layer: &str, x: Tensor<4>) -> Tensor<4> {
        if self.wanted.iter().any(|name| name == layer) {
            self.seen.push((layer.to_string(), x.clone().flatten(1, 3)));
        }
        x
    }

    /// Takes what was kept, in the order of computation.
    pub fn take(&mut self) -> Vec<(String, Tensor<2>)> {
        std::mem::take(&mut self.seen)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use burn::tensor::DeviceKind;

    use super::*;
    use crate::weights::fixtures::Listing;
    use crate::weights::formula;

    /// Runs `x` through the stages and compares every output and tap with what the specification lists.
    fn run(network: &NetworkSpec, form: &str, mut parameters: Parameters) {
        let device = Device::flex();
        let specs = (network.stages)(form);
        let stages = (network.load)(form, &mut parameters, &device).unwrap();
        assert_eq!(stages.len(), specs.len());
        let Input { size, preprocess, .. } = (network.input)(form);
        let mut x = golden::batch(&[formula::image(0, size)], preprocess, size, &device);
        for (stage, spec) in stages.iter().zip(&specs) {
            let mut taps = Taps::new(spec.layers.iter().map(|layer| layer.name.clone()));
            x = stage.forward(x, &mut taps);
            let seen: Vec<_> = taps.take().into_iter().map(|(name, tap)| (name, tap.dims())).collect();
            let listed: Vec<_> = spec.layers.iter().map(|layer| (layer.name.clone(), [1, layer.units()])).collect();
            assert_eq!(seen, listed, "{} {form}", network.name);
            assert_eq!(x.dims()[1..], spec.output, "{} {form} {listed:?}", network.name);
        }
        let outputs = x.into_data();
        let outputs = outputs.as_slice::<f32>().unwrap();
        assert!(outputs.iter().all(|v| v.is_finite()), "{} {form}", network.name);
        assert!(outputs.iter().any(|v| *v != outputs[0]), "{} {form}: constant", network.name);
    }

    #[test]
    fn taps_are_the_layers_listed_in_every_network_and_form() {
        for network in NETS {
            for form in network.forms {
                run(network, form, Parameters::random((network.parameters)(form), 2018));
            }
        }
    }

    #[test]
    fn names_are_unique_and_known() {
        for network in NETS {
            assert_eq!(find(network.name).map(|found| found.name), Some(network.name));
            for form in network.forms {
                let layers = network.layers(form);
                let names: HashSet<_> = layers.iter().map(|layer| &layer.name).collect();
                let labels: HashSet<_> = layers.iter().map(|layer| &layer.label).collect();
                assert_eq!((names.len(), labels.len()), (layers.len(), layers.len()), "{}", network.name);
                if let Some(classifier) = network.classifier {
                    let layer = layers.iter().find(|layer| layer.name == classifier).expect(classifier);
                    assert_eq!(layer.units(), crate::imagenet::CLASSES, "{}", network.name);
                }
                let parameters = (network.parameters)(form);
                let sources: Vec<_> = parameters.iter().flat_map(|p| p.sources.iter().map(|(name, _)| name)).collect();
                assert_eq!(sources.iter().collect::<HashSet<_>>().len(), sources.len(), "{}", network.name);
            }
        }
        assert!(find("vgg11").is_none());
    }

    #[test]
    fn the_first_highest_output_is_the_class() {
        let outputs = |values: [[f32; 4]; 2]| Tensor::<2>::from_data(values, &Device::flex());
        let found = classes(&[outputs([[0.0, 2.0, 2.0, 1.0], [-3.0, -1.0, -2.0, -1.0]]), outputs([[0.0; 4]; 2])]);
        assert_eq!(found, Ok(vec![1, 1, 0, 0]));
        let found = classes(&[outputs([[0.0; 4]; 2]), outputs([[0.0; 4], [1.0, f32::NAN, 0.0, 0.0]])]);
        assert_eq!(found, Err(NotFinite { image: 3 }));
    }

    #[test]
    fn images_are_prepared_as_published() {
        // One pixel, R 255, G 128, B 0.
        let of = |preprocess: Preprocess| preprocess.apply(&[255, 128, 0], 1);
        assert_eq!(of(Preprocess::Caffe), [-103.939, 128.0 - 116.779, 255.0 - 123.68]);
        assert_eq!(of(Preprocess::Tf), [1.0, 128.0 / 127.5 - 1.0, -1.0]);
        assert_eq!(of(Preprocess::Torch)[0], (1.0 - 0.485) / 0.229);
        assert_eq!(of(Preprocess::Torch)[2], (0.0 - 0.406) / 0.225);
        assert_eq!(of(Preprocess::Lite), [1.0, 0.0078125, -0.9921875]);
        let planes = Preprocess::Lite.apply(&(0..12).collect::<Vec<u8>>(), 2);
        let red: Vec<f32> = [0.0, 3.0, 6.0, 9.0].iter().map(|v| (v - 127.0) / 128.0).collect();
        assert_eq!(planes[..4], red);
    }

    /// What a file of a form holds, under the last known name of each parameter.
    fn listing(network: &NetworkSpec, form: &str) -> Listing {
        let source = |parameter: Parameter| {
            let (name, transform) = parameter.sources.into_iter().last().unwrap();
            (name, transform.source_shape(&parameter.shape))
        };
        let parameters = (network.parameters)(form).into_iter().filter(|parameter| parameter.part.is_in(false));
        Listing(parameters.map(source).collect())
    }

    #[test]
    fn a_file_of_another_form_is_recognised() {
        let network = find("vgg16").unwrap();
        assert!(network.assign("keras", &listing(network, "keras")).is_ok());
        let mut torchvision = listing(network, "torchvision");
        assert!(network.assign("torchvision", &torchvision).is_ok());
        torchvision.0.pop();
        assert_eq!(
            network.assign("keras", &torchvision).unwrap_err().to_string(),
            "weights/listed.safetensors: names its tensors as the torchvision form of vgg16 does, and network.form is \
             \"keras\"; set form = \"torchvision\""
        );
        let error = network.assign("torchvision", &torchvision).unwrap_err();
        assert!(matches!(error, WeightsError::Unfit { .. }), "{error}");
    }

    /// Two devices sum in different orders: n roundings of 2^-24 add up to about sqrt(n) of them, here n <= 144 products
    /// in each of three convolutions on either device; eight times that, for the worst of 1.2 million units.
    const DEVICES_AGREE: f64 = 8.0 * 2.0 * 3.0 * 12.0 * f32::EPSILON as f64 / 2.0;

    #[test]
    fn the_gpu_computes_what_the_cpu_computes() {
        if std::env::var("SEMGPU_TEST_DEVICE").as_deref() != Ok("gpu") {
            return;
        }
        let network = find("squeezenet1_1").unwrap();
        let run = |device: &Device| {
            let mut parameters = Parameters::formula(network.name, (network.parameters)("caffe"));
            let stages = (network.load)("caffe", &mut parameters, device).unwrap();
            let mut taps = Taps::new(["conv1".to_string(), "fire2".to_string()]);
            let x = golden::batch(&[formula::image(0, 227)], Preprocess::Caffe, 227, device);
            stages[1].forward(stages[0].forward(x, &mut taps), &mut taps);
            taps.take().into_iter().map(|(_, tap)| tap.into_data().try_to_vec::<f32>().unwrap()).collect::<Vec<_>>()
        };
        for (cpu, gpu) in run(&Device::flex()).iter().zip(run(&Device::wgpu(DeviceKind::DefaultDevice))) {
            let scale = (cpu.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / cpu.len() as f64).sqrt();
            let worst = cpu.iter().zip(&gpu).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
            assert!(worst <= DEVICES_AGREE * scale, "{worst} at a scale of {scale}");
        }
    }
}
