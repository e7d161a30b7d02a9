use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use semgpu::nets;
use semgpu::weights::{Parameters, Transform};

use crate::{Small, column, root, succeed};

/// VGG16's weights by formula under torchvision's names, whose layout is the canonical one.
fn write_weights(path: &Path) {
    let listed = (nets::find("vgg16").unwrap().parameters)("torchvision");
    let mut parameters = Parameters::formula("vgg16", listed.clone());
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = listed
        .iter()
        .map(|parameter| {
            let (name, _) = parameter.sources.iter().find(|(_, transform)| *transform == Transform::None).unwrap();
            let values = parameters.get(&parameter.name).unwrap().try_to_vec::<f32>().unwrap();
            (name.clone(), parameter.shape.clone(), bytemuck::cast_slice(&values).to_vec())
        })
        .collect();
    let views =
        tensors.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// The paper's configuration, end to end, with weights by formula on a few concepts.
#[test]
fn the_papers_configuration_runs_with_weights_by_formula() {
    let small = Small::make();
    let weights = small.path("vgg16.safetensors");
    write_weights(&weights);
    let manifest: Vec<String> = small.read("manifest.csv").lines().map(String::from).collect();
    let few: Vec<String> = manifest.iter().filter(|line| !line.ends_with(",2")).take(6).cloned().collect();
    small.write("manifest.csv", &(few.join("\n") + "\n"));

    let config = root().join("configs/vgg16.toml").display().to_string();
    let vectors = root().join("data/quickstart/glove.6B.100d.txt").display().to_string();
    let mut arguments =
        vec!["run".to_string(), "--config".to_string(), config, "--device".to_string(), "cpu".to_string()];
    let overrides = [
        format!("network.weights={}", weights.display()),
        format!("stimuli.manifest={}", small.text("manifest.csv")),
        format!("run.out={}", small.text("out")),
        "network.form=torchvision".to_string(),
        "two_vs_two.permutations=20".to_string(),
    ];
    let words = (0..4).map(|index| format!("words.{index}.file={vectors}"));
    for setting in overrides.into_iter().chain(words) {
        arguments.extend(["--set".to_string(), setting]);
    }
    succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());

    let layers: Vec<String> = column(&small.read("out/accuracy.csv"), "layer");
    assert_eq!(layers.len(), 4 * 17);
    let mut distinct = layers.clone();
    distinct.dedup();
    assert_eq!(
        (distinct[0].as_str(), distinct[1].as_str(), distinct[16].as_str()),
        ("pixels", "block1_conv1", "predictions")
    );
}
