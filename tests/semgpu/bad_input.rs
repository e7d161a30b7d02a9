use crate::{Small, fail, root, succeed};

/// Runs the small experiment, expecting exit code 2, no output directory and these words on stderr.
fn refused(small: &Small, more: &[&str], expected: &[&str]) {
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let mut arguments = vec!["run", "--config", &config, "--out", &out];
    arguments.extend(more);
    let said = fail(&arguments, 2);
    for words in expected {
        assert!(said.contains(words), "expected {words:?} in: {said}");
    }
    assert!(!small.path("out").exists(), "nothing is written: {said}");
}

#[test]
fn a_missing_image_is_named() {
    let small = Small::make();
    let manifest = small.read("manifest.csv").replacen(".webp", "_gone.webp", 1);
    small.write("manifest.csv", &manifest);
    refused(&small, &[], &["_gone.webp", "concept", "group"]);
}

#[test]
fn a_truncated_image_is_named() {
    let small = Small::make();
    let manifest = small.read("manifest.csv");
    let first = manifest.lines().nth(1).unwrap().split(',').next().unwrap().to_string();
    let bytes = std::fs::read(&first).unwrap();
    let cut = small.path("cut.webp");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    small.write("manifest.csv", &manifest.replacen(&first, &small.text("cut.webp"), 1));
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    // The header is whole, so this is found when the image is decoded.
    let said = fail(&["run", "--config", &config, "--out", &out], 1);
    assert!(said.contains("cut.webp"), "{said}");
    assert!(!small.path("out/accuracy.csv").exists());
    // Cut within the header it is found before any work.
    std::fs::write(&cut, &bytes[..12]).unwrap();
    let _ = std::fs::remove_dir_all(small.path("out"));
    refused(&small, &[], &["cut.webp"]);
}

#[test]
fn a_concept_absent_from_a_group_is_named() {
    let small = Small::make();
    let manifest: Vec<String> = small.read("manifest.csv").lines().map(String::from).collect();
    let concept = manifest.last().unwrap().split(',').nth(1).unwrap().to_string();
    small.write("manifest.csv", &(manifest[..manifest.len() - 1].join("\n") + "\n"));
    refused(&small, &[], &[&concept, "group"]);
}

#[test]
fn a_word_without_a_vector_is_named() {
    let small = Small::make();
    let manifest = small.read("manifest.csv");
    let concept = manifest.lines().nth(1).unwrap().split(',').nth(1).unwrap().to_string();
    let invented = manifest.replace(&format!(",{concept},"), ",floccinaucinihilipilification,");
    small.write("manifest.csv", &invented);
    refused(&small, &[], &["floccinaucinihilipilification", "glove.6B.50d.txt"]);
}

#[test]
fn unknown_keys_names_and_values_are_refused() {
    let small = Small::make();
    refused(&small, &["--set", "two_vs_two.permutation=3"], &["permutation"]);
    refused(&small, &["--set", "network.name=zfnet"], &["zfnet", "squeezenet1_1"]);
    refused(&small, &["--set", "network.form=lua"], &["lua"]);
    refused(&small, &["--set", "network.layers=[\"conv9\"]"], &["conv9", "semgpu layers"]);
    refused(&small, &["--set", "network.random=true"], &["exclude"]);
    refused(&small, &["--set", "run.device=tpu"], &["tpu"]);
    refused(&small, &["--set", "run.memory=3 MiB"], &["budget"]);
    refused(&small, &["--set", "run.memory=8"], &["the number `8`", "a number and a unit", "4 GiB"]);
    refused(&small, &["--device", "gpu:999"], &["gpu:999", "semgpu devices"]);
    refused(&small, &["--set", "words.0.file=nowhere.txt"], &["nowhere.txt"]);
    refused(&small, &["--set", "stimuli.manifest=nowhere.csv"], &["nowhere.csv"]);
    refused(&small, &["--set", "two_vs_two.within_categories=true"], &["category"]);
    let said = fail(&["run", "--config", &small.text("nowhere.toml")], 2);
    assert!(said.contains("nowhere.toml"), "{said}");
}

#[test]
fn word_models_that_would_share_a_file_are_refused() {
    let small = Small::make();
    let glove = crate::root().join("data/quickstart/glove.6B.50d.txt");
    let second = format!("[[words]]\nname = \"Glo_Ve\"\nfile = {glove:?}\n");
    small.write("experiment.toml", &(small.read("experiment.toml") + &second));
    for (name, shared) in [("Glo Ve", "figures/"), ("Glo/Ve", "rsm/"), ("Glo_Ve", "stands twice")] {
        let expected = ["[[words]]", "\"Glo_Ve\"", shared, "rename one"];
        refused(&small, &["--set", &format!("words.0.name={name}")], &expected);
    }
}

/// A safetensors file with the network's weights changed by `change` on its header and bytes.
fn changed_weights(small: &Small, change: impl Fn(&mut serde_json::Value, &mut Vec<u8>)) -> String {
    let bytes = std::fs::read(crate::root().join("weights/squeezenet1_1.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut body = bytes[8 + length..].to_vec();
    change(&mut header, &mut body);
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(body);
    std::fs::write(small.path("weights.safetensors"), file).unwrap();
    format!("network.weights={}", small.text("weights.safetensors"))
}

fn first_tensor(header: &serde_json::Value) -> String {
    header.as_object().unwrap().keys().find(|name| name.ends_with("weight")).unwrap().clone()
}

#[test]
fn weights_that_do_not_fit_are_refused_with_the_tensor() {
    let small = Small::make();
    let renamed = changed_weights(&small, |header, _| {
        let name = first_tensor(header);
        let tensor = header.as_object_mut().unwrap().remove(&name).unwrap();
        header["conv99.weight"] = tensor;
    });
    refused(&small, &["--set", &renamed], &["weights.safetensors", "conv99.weight"]);
    let reshaped = changed_weights(&small, |header, _| {
        let name = first_tensor(header);
        let shape = header[&name]["shape"].as_array_mut().unwrap();
        shape.reverse();
    });
    refused(&small, &["--set", &reshaped], &["shape", "expected"]);
    let path = small.path("weights.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 4, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        refused(&small, &["--set", &reshaped], &["weights.safetensors"]);
    }
}

#[test]
fn weights_with_nan_are_refused_with_the_tensor() {
    let small = Small::make();
    let poisoned = changed_weights(&small, |header, body| {
        let name = first_tensor(header);
        let start = header[&name]["data_offsets"][0].as_u64().unwrap() as usize;
        body[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", &poisoned], 2);
    assert!(said.contains("weight") && said.contains("NaN"), "{said}");
    assert!(!small.path("out/accuracy.csv").exists());
}

#[test]
fn an_image_without_variance_is_named_or_scores_half() {
    let small = Small::make();
    let manifest = small.read("manifest.csv");
    let first = manifest.lines().nth(1).unwrap().split(',').next().unwrap().to_string();
    let concept = manifest.lines().nth(1).unwrap().split(',').nth(1).unwrap().to_string();
    image::RgbImage::new(32, 32).save(small.path("black.png")).unwrap();
    small.write("manifest.csv", &manifest.replacen(&first, &small.text("black.png"), 1));
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", "network.layers=[]"], 1);
    assert!(said.contains("pixels") && said.contains(&concept) && said.contains("constant"), "{said}");
    small.run("out", &["--set", "two_vs_two.constant=half", "--set", "network.layers=[]"]);
    let half: Vec<f64> = crate::column(&small.read("out/accuracy.csv"), "accuracy");
    assert_eq!(half.len(), 1);
    assert!(half[0].is_finite());
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_where_nothing_can_be_written_is_named_before_any_work() {
    let small = Small::make();
    // A directory that root can write too, but in which no file can be made.
    let (config, out) = (small.text("experiment.toml"), "/proc/semgpu-results");
    let said = fail(&["run", "--config", &config, "--out", out], 2);
    assert!(said.contains("/proc/semgpu-results"), "{said}");
}

#[test]
fn tokens_that_say_nothing_are_refused() {
    let small = Small::make();
    let squeezenet = small.read("experiment.toml");
    let weights = squeezenet.lines().find(|line| line.starts_with("weights")).unwrap();
    let vit = squeezenet
        .replace("name = \"squeezenet1_1\"", "name = \"deit_t16\"")
        .replace(weights, "random = true")
        .replace("[\"conv1\", \"fire2\"]", "[\"embedding\"]");
    small.write("experiment.toml", &squeezenet);
    refused(&small, &["--set", "network.token=cls"], &["network.token", "squeezenet1_1", "no class token"]);
    let config = small.text("experiment.toml");
    let output = succeed(&["run", "--config", &config, "--dry-run", "--set", "network.token=mean"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("network.token: no effect: squeezenet1_1 has no layers of tokens"), "{said}");
    small.write("experiment.toml", &vit);
    refused(&small, &[], &["embedding", "the same for every image", "network.token = \"mean\""]);
}

#[test]
fn a_head_of_other_classes_is_left_out_where_no_layer_needs_it() {
    let small = Small::make();
    let whole = std::fs::read(root().join("weights/squeezenet1_1.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&whole).unwrap();
    let fewer = tensors.iter().map(|(name, view)| {
        let mut shape = view.shape().to_vec();
        let classes = if shape[0] == 1000 { 100 } else { shape[0] };
        let data = &view.data()[..view.data().len() / shape[0] * classes];
        shape[0] = classes;
        (name.to_string(), safetensors::tensor::TensorView::new(view.dtype(), shape, data).unwrap())
    });
    let tuned = safetensors::serialize(fewer.collect::<Vec<_>>(), None).unwrap();
    std::fs::write(small.path("tuned.safetensors"), tuned).unwrap();
    let weights = format!("network.weights={}", small.text("tuned.safetensors"));
    small.run("tuned", &["--set", &weights]);
    small.run("whole", &[]);
    assert_eq!(small.read("tuned/accuracy.csv"), small.read("whole/accuracy.csv"));
    let (config, out) = (small.text("experiment.toml"), small.text("all"));
    let run = ["run", "--config", &config, "--out", &out, "--set", &weights, "--set", "network.layers=all"];
    let said = fail(&run, 2);
    assert!(said.contains("[100, 512, 1, 1]") && said.contains("leave conv10, logits out of network.layers"), "{said}");
    let said = fail(&["inspect", &small.text("tuned.safetensors"), "--network", "squeezenet1_1"], 2);
    let remedies =
        "but for conv10, logits, to be left out of network.layers, or its classes listed for network.classes: ";
    assert!(said.contains(remedies), "{said}");
}
