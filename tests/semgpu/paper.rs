use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use semgpu::nets;
use semgpu::weights::{Parameters, Transform};

use crate::{Small, column, root, succeed};

/// A network's weights by formula, under the names of a form whose files keep the canonical layout; and `more`, empty.
fn write_weights(network: &str, form: &str, more: &[&str], path: &Path) {
    let mut listed = nets::find(network).unwrap().blueprint(form).unwrap().parameters();
    listed.retain(|parameter| parameter.part.is_in(false));
    let mut parameters = Parameters::formula(listed.clone());
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = listed
        .iter()
        .map(|parameter| {
            let (name, _) = parameter.sources.iter().find(|(_, transform)| *transform == Transform::None).unwrap();
            let values = parameters.get(&parameter.name).unwrap().try_to_vec::<f32>().unwrap();
            (name.clone(), parameter.shape.clone(), bytemuck::cast_slice(&values).to_vec())
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (&**name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let more = more.iter().map(|&name| (name, TensorView::new(Dtype::I64, vec![], &[0; 8]).unwrap()));
    safetensors::serialize_to_file(views.chain(more), None, path).unwrap();
}

/// The paper's configuration of a network, end to end, on a few concepts; the layers of the results in order.
fn layers(small: &Small, network: &str, form: &str, weights: &str) -> Vec<String> {
    let manifest: Vec<String> = small.read("manifest.csv").lines().map(String::from).collect();
    let few = manifest.iter().filter(|line| !line.ends_with(",2")).take(6).enumerate();
    let class = |line: usize| if line == 0 { "class_index".to_string() } else { line.to_string() };
    let few: String = few.map(|(line, cells)| format!("{cells},{}\n", class(line))).collect();
    small.write("few.csv", &few);

    let config = root().join(format!("configs/{network}.toml")).display().to_string();
    let vectors = root().join("data/quickstart/glove.6B.100d.txt").display().to_string();
    let mut arguments =
        vec!["run".to_string(), "--config".to_string(), config, "--device".to_string(), "cpu".to_string()];
    let overrides = [
        format!("network.weights={weights}"),
        format!("stimuli.manifest={}", small.text("few.csv")),
        format!("run.out={}", small.text("out")),
        format!("network.form={form}"),
        "two_vs_two.permutations=20".to_string(),
    ];
    let words = (0..4).map(|index| format!("words.{index}.file={vectors}"));
    for setting in overrides.into_iter().chain(words) {
        arguments.extend(["--set".to_string(), setting]);
    }
    succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());

    let all: Vec<String> = column(&small.read("out/accuracy.csv"), "layer");
    let (first, others) = all.split_at(all.len() / 4);
    assert!(others.chunks(first.len()).all(|layers| layers == first), "each word model has the same layers: {all:?}");
    first.to_vec()
}

#[test]
fn vgg16_runs_as_in_the_paper_with_weights_by_formula() {
    let small = Small::make();
    let weights = small.text("vgg16.safetensors");
    write_weights("vgg16", "torchvision", &[], weights.as_ref());
    let layers = layers(&small, "vgg16", "torchvision", &weights);
    assert_eq!((layers.len(), &*layers[0], &*layers[1], &*layers[16]), (17, "pixels", "block1_conv1", "predictions"));
}

#[test]
fn resnet50_runs_as_in_the_paper_with_weights_by_formula() {
    let small = Small::make();
    let weights = small.text("resnet50.safetensors");
    write_weights("resnet50", "keras2_1", &["bn_conv1.num_batches_tracked"], weights.as_ref());
    let inspected = succeed(&["inspect", &weights, "--network", "resnet50", "--form", "keras2_2"]).stdout;
    let inspected = String::from_utf8(inspected).unwrap();
    assert!(inspected.contains("bn_conv1.num_batches_tracked ignored: counts training steps"), "{inspected}");
    assert!(!inspected.contains("folded"), "{inspected}");

    let layers = layers(&small, "resnet50", "keras2_1", &weights);
    assert_eq!((layers.len(), &*layers[0], &*layers[49], &*layers[50]), (51, "pixels", "activation_49", "predictions"));
}

#[test]
fn inception_v3_runs_as_in_the_paper_with_weights_by_formula() {
    let small = Small::make();
    let weights = small.text("inception_v3.safetensors");
    let beside = ["AuxLogits.fc.bias", "Conv2d_1a_3x3.bn.num_batches_tracked"];
    write_weights("inception_v3", "torchvision", &beside, weights.as_ref());
    let inspected = succeed(&["inspect", &weights, "--network", "inception_v3", "--form", "torchvision"]).stdout;
    let inspected = String::from_utf8(inspected).unwrap();
    assert!(inspected.contains("AuxLogits.fc.bias ignored: of the auxiliary classifier"), "{inspected}");

    let layers = layers(&small, "inception_v3", "torchvision", &weights);
    let mixed = (0..11).map(|block| format!("mixed{block}"));
    assert_eq!(layers, ["pixels".to_string()].into_iter().chain(mixed).collect::<Vec<_>>());
}
