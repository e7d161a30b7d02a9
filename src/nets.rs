//! Networks as lists of stages with named taps.
//!
//! To add a network: one file that draws its [`Blueprint`]s with a [`Builder`], and its line in [`NETS`].

mod activations;
pub mod alexnet;
mod arrival;
mod blueprint;
mod builder;
pub mod efficientnet_lite0;
#[cfg(test)]
mod golden;
pub mod graph;
pub mod inception_v3;
mod input;
mod operation;
mod positions;
pub mod resnet;
pub mod squeezenet1_1;
mod stage;
mod tokens;
pub mod vgg;
pub mod vit;

use burn::tensor::Tensor;

pub use activations::{Activations, Shape};
pub use arrival::{Arrival, FirstNorm};
pub use blueprint::{Blueprint, FEWEST_UNITS, Inside, Layer, StageSpec};
pub use builder::{Builder, Conv, Value};
pub use graph::GraphNetwork;
pub use input::{Input, Preprocess, Scaling};
pub use operation::{Function, Norm};
pub use positions::{Filter, Resample};
pub use stage::{Batch, Stage, Taps};
pub use tokens::{Embed, Token};

use crate::imagenet::CLASSES;
use crate::weights::{self, Assignment, Ignored, WeightsError, WeightsFile};

/// The networks of this build, in the order `semgpu layers` lists them.
pub const NETS: &[&Network] = &[
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
    &alexnet::SPEC,
    &vit::B16,
    &vit::B32,
    &vit::DEIT_T16,
    &vit::DEIT_S16,
    &vit::CLIP_B32,
    &vit::CLIP_B16,
    &vit::CLIP_L14,
    &vit::DINOV2_S14,
    &vit::DINOV2_B14,
    &vit::DINOV2_L14,
];

/// The network of that name.
pub fn find(name: &str) -> Option<&'static Network> {
    NETS.iter().copied().find(|network| network.name == name)
}

/// Their names.
pub fn names() -> String {
    NETS.iter().map(|network| network.name).collect::<Vec<_>>().join(", ")
}

/// A published network and its forms.
pub struct Network {
    /// As in the configuration: `vgg16`.
    pub name: &'static str,
    /// The published graphs that differ in numbers; the first is the default.
    pub forms: &'static [Form],
    /// Tensors that its weights files may hold beside its parameters.
    pub ignored: &'static [Ignored],
    /// Networks that are taken for it.
    pub look_alikes: &'static [LookAlike],
}

/// A published graph of a network.
pub struct Form {
    /// As in the configuration: `keras`, `torchvision`.
    pub name: &'static str,
    /// Draws it, all but the names.
    pub draw: fn() -> Blueprint,
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

impl Network {
    /// The blueprint of the form of that name, if there is one.
    pub fn blueprint(&self, form: &str) -> Option<Blueprint> {
        Some(self.draw(self.forms.iter().find(|known| known.name == form)?))
    }

    /// The blueprint of one of its forms.
    pub fn draw(&self, form: &Form) -> Blueprint {
        Blueprint { name: self.name.to_string(), form: form.name.to_string(), ..(form.draw)() }
    }

    /// The names of its forms.
    pub fn form_names(&self) -> Vec<&'static str> {
        self.forms.iter().map(|form| form.name).collect()
    }

    /// Compares a weights file, and its computation graph if it holds one, with the parameters of a form.
    pub fn account(&self, form: &Blueprint, file: &dyn WeightsFile) -> Assignment {
        let mut account = Assignment::of(&form.parameters(), self.ignored, file);
        if let Some(graph) = file.graph()
            && account.contradictions.is_empty()
        {
            account.contradictions = form.facts().contradictions(graph);
        }
        account
    }

    /// The network's tensors of a weights file that has others beside them: those under the prefix, or under the only one that
    /// any of its forms is under.
    ///
    /// # Errors
    /// [`WeightsError::Several`], [`WeightsError::Prefix`].
    pub fn within(
        &self,
        file: Box<dyn WeightsFile>,
        prefix: Option<&str>,
    ) -> Result<Box<dyn WeightsFile>, WeightsError> {
        let forms: Vec<_> = self.forms.iter().map(|form| self.draw(form).parameters()).collect();
        weights::of_network(file, self.name, &forms, prefix)
    }

    /// Finds the tensor of every parameter of a form in a weights file.
    ///
    /// # Errors
    /// [`WeightsError::LookAlike`] or [`WeightsError::OtherNetwork`] if it is another network's, [`WeightsError::OtherForm`]
    /// if it has more of another form's names, [`WeightsError::OtherGraph`] if its graph is another form's,
    /// [`WeightsError::Unfit`] if tensors are missing, have another shape or belong to no parameter, or if its graph is no
    /// form's.
    pub fn assign(&self, form: &Blueprint, file: &dyn WeightsFile) -> Result<Assignment, WeightsError> {
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
        let others: Vec<(&str, Assignment)> =
            self.forms.iter().map(|other| (other.name, self.account(&self.draw(other), file))).collect();
        let (path, network, form) = (file.path().into(), self.name.to_string(), form.form.clone());
        let fits = if others.iter().any(|(_, other)| fits(other)) { Vec::new() } else { named_alike(file) };
        if !fits.is_empty() {
            return Err(WeightsError::OtherNetwork { path, network, fits });
        }
        // Of forms that share all names the first.
        let named = others.iter().rev().max_by_key(|(_, other)| other.found());
        if let Some((fits, _)) = named.filter(|(_, other)| other.found() > account.found()) {
            return Err(WeightsError::OtherForm { path, network, form, fits: fits.to_string() });
        }
        let drawn: Vec<&str> = others.iter().filter(|(_, other)| other.is_complete()).map(|(name, _)| *name).collect();
        if let (Some(reason), false) = (account.contradictions.first(), drawn.is_empty()) {
            let (fits, reason) = (drawn.join("\" or \""), reason.clone());
            return Err(WeightsError::OtherGraph { path, network, form, fits, reason });
        }
        account.checked(file, Some((&network, &form)))
    }
}

/// The networks whose tensors, by name and shape, are those of a file without a graph, no more and no fewer, whatever its classes.
fn named_alike(file: &dyn WeightsFile) -> Vec<&'static str> {
    let alike =
        |network: &&&Network| network.forms.iter().any(|form| fits(&network.account(&network.draw(form), file)));
    NETS.iter().filter(|_| file.graph().is_none()).filter(alike).map(|network| network.name).collect()
}

/// Whether nothing is wrong, or the classes alone.
fn fits(account: &Assignment) -> bool {
    account.is_complete() || account.is_of_other_classes(CLASSES)
}

/// The class of each image: the first of its highest outputs. An image with an output that is not finite comes back as
/// the error.
///
/// # Shapes
/// `outputs` is `[images, classes]`, the activations of [`Blueprint::classifier`].
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use burn::tensor::Device;

    use super::*;
    use crate::weights::fixtures::Listing;
    use crate::weights::{Parameter, Parameters, formula};

    /// Runs an image through the stages and compares every output and tap with what the blueprint lists.
    fn run(blueprint: &Blueprint) {
        let device = Device::flex();
        let specs = blueprint.stages();
        let mut parameters = Parameters::random(blueprint.parameters(), 2018);
        let stages = blueprint.load(specs.len(), &mut parameters, &device).unwrap();
        assert_eq!(stages.len(), specs.len());
        let Input { size, preprocess, .. } = blueprint.input;
        let about = format!("{} {}", blueprint.name, blueprint.form);
        let mut x = golden::batch(&[formula::image(0, size)], preprocess, size, &device);
        for (stage, spec) in stages.iter().zip(&specs) {
            let mut taps = Taps::new(spec.layers.iter().map(|layer| layer.name.clone()));
            x = stage.forward(x, &mut taps);
            let seen: Vec<_> = taps.take().into_iter().map(|(name, tap)| (name, tap.dims())).collect();
            let listed: Vec<_> = spec.layers.iter().map(|layer| (layer.name.clone(), [1, layer.units()])).collect();
            assert_eq!(seen, listed, "{about}");
            assert_eq!(x.clone().last().shape(), spec.output(), "{about} {listed:?}");
            assert_eq!((x.images(), x.units()), (1, spec.units()), "{about}");
        }
        let outputs = x.last().flat().into_data();
        let outputs = outputs.as_slice::<f32>().unwrap();
        assert!(outputs.iter().all(|v| v.is_finite()), "{about}");
        assert!(outputs.iter().any(|v| *v != outputs[0]), "{about}: constant");
    }

    /// Of more than this, in parameters, another network of the same drawing is run: random ones take 20 ns each.
    const LARGE: usize = 200_000_000;

    #[test]
    fn taps_are_the_layers_listed_in_every_network_and_form() {
        let mut seen: Vec<Blueprint> = Vec::new();
        for network in NETS {
            for form in network.forms {
                let blueprint = network.draw(form);
                let parameters: usize = blueprint.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
                // Forms that differ in names and images alone compute the same.
                if parameters <= LARGE && !seen.iter().any(|other| other.computes_as(&blueprint)) {
                    run(&blueprint);
                    seen.push(blueprint);
                }
            }
        }
        assert!(seen.len() >= 20);
    }

    #[test]
    fn names_are_unique_and_known() {
        for network in NETS {
            assert_eq!(find(network.name).map(|found| found.name), Some(network.name));
            for form in network.forms {
                let blueprint = network.blueprint(form.name).unwrap();
                let layers = blueprint.layers();
                let names: HashSet<_> = layers.iter().map(|layer| &layer.name).collect();
                let labels: HashSet<_> = layers.iter().map(|layer| &layer.label).collect();
                assert_eq!((names.len(), labels.len()), (layers.len(), layers.len()), "{}", network.name);
                if let Some(classifier) = &blueprint.classifier {
                    let layer = layers.iter().find(|layer| &layer.name == classifier).expect(classifier);
                    assert_eq!(layer.units(), crate::imagenet::CLASSES, "{}", network.name);
                }
                let parameters = blueprint.parameters();
                let sources: Vec<_> = parameters.iter().flat_map(|p| p.sources.iter().map(|(name, _)| name)).collect();
                assert_eq!(sources.iter().collect::<HashSet<_>>().len(), sources.len(), "{}", network.name);
            }
        }
        assert!(find("vgg11").is_none() && vgg::VGG16.blueprint("tf").is_none());
    }

    #[test]
    fn the_first_highest_output_is_the_class() {
        let outputs = |values: [[f32; 4]; 2]| Tensor::<2>::from_data(values, &Device::flex());
        let found = classes(&[outputs([[0.0, 2.0, 2.0, 1.0], [-3.0, -1.0, -2.0, -1.0]]), outputs([[0.0; 4]; 2])]);
        assert_eq!(found, Ok(vec![1, 1, 0, 0]));
        let found = classes(&[outputs([[0.0; 4]; 2]), outputs([[0.0; 4], [1.0, f32::NAN, 0.0, 0.0]])]);
        assert_eq!(found, Err(NotFinite { image: 3 }));
    }

    /// What a file of a form holds, under the last known name of each parameter.
    fn listing(form: &Blueprint) -> Listing {
        let source = |parameter: Parameter| {
            let (name, transform) = parameter.sources.into_iter().last().unwrap();
            (name, transform.source_shape(&parameter.shape))
        };
        let parameters = form.parameters().into_iter().filter(|parameter| parameter.part.is_in(false));
        Listing(parameters.map(source).collect())
    }

    #[test]
    fn a_file_of_another_form_is_recognised() {
        let network = find("vgg16").unwrap();
        let [keras, torchvision] = ["keras", "torchvision"].map(|form| network.blueprint(form).unwrap());
        assert!(network.assign(&keras, &listing(&keras)).is_ok());
        let mut file = listing(&torchvision);
        assert!(network.assign(&torchvision, &file).is_ok());
        file.0.pop();
        assert_eq!(
            network.assign(&keras, &file).unwrap_err().to_string(),
            "weights/listed.safetensors: names its tensors as the torchvision form of vgg16 does, and network.form is \
             \"keras\"; set form = \"torchvision\", or --form of semgpu inspect"
        );
        let error = network.assign(&torchvision, &file).unwrap_err();
        assert!(matches!(error, WeightsError::Unfit { .. }), "{error}");
        let said = error.to_string();
        let command = "(all of it: semgpu inspect weights/listed.safetensors --network vgg16 --form torchvision)";
        assert!(said.ends_with(command), "{said}");
        // Of one of several copies, with what its names begin with.
        let copy = |prefix: &str| -> Vec<_> {
            file.0.iter().map(|(name, shape)| (format!("{prefix}.{name}"), shape.clone())).collect()
        };
        let copies = Box::new(Listing([copy("student"), copy("teacher")].concat()));
        let one = network.within(copies, Some("teacher")).unwrap();
        let said = network.assign(&torchvision, one.as_ref()).unwrap_err().to_string();
        assert!(said.ends_with("--form torchvision --prefix teacher)"), "{said}");
    }

    #[test]
    fn a_file_of_another_network_is_recognised() {
        let refused = |asked: &str, file: &Listing| {
            let network = find(asked).unwrap();
            network.assign(&network.draw(&network.forms[0]), file).unwrap_err().to_string()
        };
        for name in ["squeezenet1_1", "vgg19", "resnet18"] {
            let network = find(name).unwrap();
            for form in network.forms {
                assert_eq!(
                    refused("resnet50", &listing(&network.draw(form))),
                    format!(
                        "weights/listed.safetensors: holds the weights of {name}, not of resnet50; set network.name = \"{name}\""
                    )
                );
            }
        }
    }

    #[test]
    fn a_file_of_another_network_is_recognised_whatever_its_classes() {
        let network = |name: &str| find(name).unwrap();
        let form = network("resnet18").blueprint("torchvision").unwrap();
        let file = listing(&form.with_classes(24).unwrap());
        let refused = |name: &str| {
            let network = network(name);
            network.assign(&network.blueprint("torchvision").unwrap(), &file).unwrap_err().to_string()
        };
        for name in ["resnet34", "resnet50"] {
            assert!(refused(name).contains("holds the weights of resnet18, not of"), "{}", refused(name));
        }
        assert!(
            refused("resnet18").contains("fc.weight has shape [24, 512], expected [1000, 512]"),
            "{}",
            refused("resnet18")
        );
    }

    /// Two devices sum in different orders: n roundings of 2^-24 add up to about sqrt(n) of them, here n <= 144 products
    /// in each of three convolutions on either device; eight times that, for the worst of 1.2 million units.
    const DEVICES_AGREE: f64 = 8.0 * 2.0 * 3.0 * 12.0 * f32::EPSILON as f64 / 2.0;

    #[test]
    fn the_gpu_computes_what_the_cpu_computes() {
        let Some(gpu) = crate::kernels::gpu::test_device() else { return };
        let blueprint = find("squeezenet1_1").unwrap().blueprint("caffe").unwrap();
        let run = |device: &Device| {
            let mut parameters = Parameters::formula(blueprint.parameters());
            let stages = blueprint.load(2, &mut parameters, device).unwrap();
            let mut taps = Taps::new(["conv1".to_string(), "fire2".to_string()]);
            let x = golden::batch(&[formula::image(0, 227)], Preprocess::Caffe, 227, device);
            stages[1].forward(stages[0].forward(x, &mut taps), &mut taps);
            taps.take().into_iter().map(|(_, tap)| tap.into_data().try_to_vec::<f32>().unwrap()).collect::<Vec<_>>()
        };
        for (cpu, gpu) in run(&Device::flex()).iter().zip(run(&gpu)) {
            let scale = (cpu.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / cpu.len() as f64).sqrt();
            let worst = cpu.iter().zip(&gpu).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
            assert!(worst <= DEVICES_AGREE * scale, "{worst} at a scale of {scale}");
        }
    }
}
