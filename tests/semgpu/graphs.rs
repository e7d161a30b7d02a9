//! Networks of ONNX files at the command line.

use std::fs::File;
use std::path::Path;
use std::process::Output;

use flate2::read::GzDecoder;

use crate::{Small, column, fail, root, succeed};

/// Puts a small graph of tests/golden into `folder`; its path.
fn unzipped(name: &str, folder: &Path) -> String {
    let golden = root().join("tests/golden/onnx_graphs").join(format!("{name}.onnx.gz"));
    let path = folder.join(format!("{name}.onnx"));
    std::io::copy(&mut GzDecoder::new(File::open(golden).unwrap()), &mut File::create(&path).unwrap()).unwrap();
    path.display().to_string()
}

/// The small experiment with a graph for a network.
struct Graph {
    small: Small,
    file: String,
}

impl Graph {
    fn make(name: &str, values: &str) -> Self {
        let small = Small::make();
        let file = unzipped(name, small.directory.path());
        Self::of(small, file, values)
    }

    fn of(small: Small, file: String, values: &str) -> Self {
        let text = small.read("experiment.toml");
        let (_, rest) = text.split_once("[stimuli]").unwrap();
        let network = format!("seed = 3\n[network]\nfile = {file:?}\n[network.input]\nvalues = {values:?}\n[stimuli]");
        small.write("experiment.toml", &(network + rest));
        Self { small, file }
    }

    fn run(&self, out: &str, set: &[&str]) -> Output {
        let more: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        self.small.run(out, &more)
    }

    /// What is said when refused in second 0; nothing is written.
    fn refused(&self, set: &[&str]) -> String {
        let (config, out) = (self.small.text("experiment.toml"), self.small.text("refused"));
        let mut arguments = vec!["run", "--config", &config, "--out", &out];
        arguments.extend(set.iter().flat_map(|set| ["--set", set]));
        let said = fail(&arguments, 2);
        assert!(!self.small.path("refused").exists(), "{said}");
        said
    }

    fn layers(&self, out: &str) -> Vec<String> {
        column(&self.small.read(&format!("{out}/accuracy.csv")), "layer")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_graphs_layers_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = unzipped("vit_timm.dynamo", folder.path());
    let output = succeed(&["layers", &file]);
    assert!(said(&output).starts_with("columns   name, operator, shape, units; (on request): "), "{}", said(&output));
    let listed = String::from_utf8(output.stdout).unwrap();
    let all: Vec<&str> = listed.lines().filter(|line| !line.ends_with("(on request)")).collect();
    let names: Vec<&str> = all.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["blocks.0", "blocks.1", "head"]);
    assert!(all[0].contains(" Add ") && all[0].contains("17 tokens x 24") && all[0].ends_with(" 408"), "{listed}");
    assert!(listed.contains("blocks.1.mlp ") && listed.contains("patch_embed "), "{listed}");
    let json: serde_json::Value = serde_json::from_slice(&succeed(&["layers", &file, "--json"]).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), listed.lines().count());
    let block = json.as_array().unwrap().iter().find(|layer| layer["name"] == "blocks.0").unwrap();
    assert_eq!(block["operator"], "Add");

    let inspected = String::from_utf8(succeed(&["inspect", &file]).stdout).unwrap();
    assert!(inspected.starts_with("graph: any number of images of 32 x 32, opset "), "{inspected}");
    assert!(
        inspected.contains("layers: 3 with layers = \"all\"") && inspected.contains("10 units out of "),
        "{inspected}"
    );
    assert!(
        inspected.contains("patch_embed.proj.weight  [24, 3, 8, 8]"),
        "its weights under the file's names: {inspected}"
    );
}

#[test]
fn a_transformers_layers_are_listed_where_only_its_positions_tell_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = unzipped("vit_timm.dynamo", folder.path());
    let listed = succeed(&["layers", &file]).stdout;
    let mut bytes = std::fs::read(&file).unwrap();
    // Two dimensions of 32 in protobuf, and two that only have a name, the empty one.
    let (told, open) = ([0x0a, 2, 0x08, 32].repeat(2), [0x0a, 2, 0x12, 0].repeat(2));
    let at = bytes.windows(8).position(|window| window == told).expect("images of 32 x 32");
    bytes[at..at + 8].copy_from_slice(&open);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(succeed(&["layers", &file]).stdout, listed);
}

#[test]
fn a_graph_is_no_weights_file_of_a_built_in_transformer() {
    let small = Small::make();
    for name in ["vit_timm.dynamo", "vit_timm.script"] {
        let file = unzipped(name, small.directory.path());
        let remedy = format!("[network] file = {file:?} in place of name and weights");
        let said = fail(&["inspect", &file, "--network", "deit_t16"], 2);
        assert!(said.contains("vit_timm") && said.contains("deit_t16's") && said.contains(&remedy), "{said}");
        let (config, out) = (small.text("experiment.toml"), small.text("out"));
        let (weights, layers) = (format!("network.weights={file}"), "network.layers=\"all\"");
        let mut arguments = vec!["run", "--config", &config, "--out", &out, "--set", &weights, "--set", layers];
        arguments.extend(["--set", "network.name=\"deit_t16\""]);
        let said = fail(&arguments, 2);
        assert!(said.contains(&remedy), "{said}");
    }
}

#[test]
fn a_graph_runs_as_many_images_at_once_as_memory_lets() {
    let graph = Graph::make("convnext.script", "inception");
    let planned = |out: &str, set: &[&str]| -> (u64, u64) {
        graph.run(out, set);
        let run: serde_json::Value = serde_json::from_str(&graph.small.read(&format!("{out}/run.json"))).unwrap();
        let memory = |of: &str| run["memory"][of].as_u64().unwrap();
        (run["batch"].as_u64().unwrap(), memory("weights") + memory("activations"))
    };
    let (batch, bytes) = planned("out", &[]);
    assert_eq!(batch, 16);
    // Of the twelve images of a group.
    let (fewer, less) = planned("less", &[&format!("run.memory={} B", bytes - 1)]);
    assert!(fewer == 11 && less < bytes, "{fewer} at once, {less} of {bytes} bytes");
    assert_eq!(graph.small.read("out/accuracy.csv"), graph.small.read("less/accuracy.csv"));
    let said = graph.refused(&["run.memory=64 KiB"]);
    assert!(said.contains("budget") && said.contains("raise run.memory"), "{said}");
}

#[test]
fn an_operator_that_there_is_not_is_refused_with_its_node() {
    let graph = Graph::make("vit_timm.script", "inception");
    let mut bytes = std::fs::read(&graph.file).unwrap();
    // Of as many letters, so that the protobuf stays whole.
    let places: Vec<usize> = (0..bytes.len() - 7).filter(|&at| bytes[at..].starts_with(b"Softmax")).collect();
    places.iter().for_each(|&at| bytes[at..at + 7].copy_from_slice(b"SoftMix"));
    std::fs::write(&graph.file, bytes).unwrap();
    let missing = "operators that this build has not: SoftMix (2 nodes, the first \"/blocks/blocks.0/attn/SoftMix\")";
    for said in [fail(&["layers", &graph.file], 2), graph.refused(&[])] {
        assert!(said.contains(missing) && said.contains("vit_timm.script.onnx"), "{said}");
    }
    let said = fail(&["inspect", &graph.file], 2);
    assert!(said.contains("no weights for network.weights") && said.contains(missing), "{said}");
    std::fs::write(&graph.file, b"no graph").unwrap();
    fail(&["layers", &graph.file], 2);
    fail(&["layers", &graph.small.text("none.onnx")], 2);
}

#[test]
fn layers_whose_files_would_be_one_are_refused_in_second_0() {
    let tiny = std::fs::read(root().join("tests/golden/onnx/tiny.legacy.onnx")).unwrap();
    let all = "network.layers=[\"*\"]";
    for (from, to, layers, expected) in [
        (
            "/stem/stem.0",
            "/pixels/1234",
            "network.layers=[\"pixels\", \"fc\"]",
            "\"pixels\" stands twice (it is the name of the images",
        ),
        (
            "/stem/stem.2/Relu_output_0",
            "/stem/stem.0_Conv_output_0",
            all,
            "\"/stem/stem.0_Conv_output_0\" gives the same file",
        ),
        ("/stem/stem.0", "words.stem00", all, "begins with `words.`"),
        ("/body/Conv_output_0", "/body/Conv\noutput_0", all, "\"/body/Conv\\noutput_0\""),
    ] {
        let small = Small::make();
        // Of as many letters, so that the protobuf stays whole.
        let mut bytes = tiny.clone();
        let places: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
        places.iter().for_each(|&at| bytes[at..at + from.len()].copy_from_slice(to.as_bytes()));
        std::fs::write(small.path("tiny.onnx"), bytes).unwrap();
        let file = small.text("tiny.onnx");
        let graph = Graph::of(small, file, "imagenet");
        for pixels in ["stimuli.pixels=true", "stimuli.pixels=false"] {
            let said = graph.refused(&[layers, pixels]);
            assert!(said.contains(expected) && said.contains("network.layers"), "{said}");
        }
    }
}

#[test]
fn a_graph_is_not_the_built_in_network_of_its_name() {
    let small = Small::make();
    let file = small.text("alexnet.onnx");
    std::fs::rename(unzipped("vit_timm.script", small.directory.path()), &file).unwrap();
    let graph = Graph::of(small, file, "inception");
    graph.run("out", &[]);
    let page = graph.small.read("out/report.html");
    assert!(page.contains("<title>alexnet: words and layers</title>") && !page.contains("AlexNet"));
    assert!(graph.small.read("out/figures/accuracy_alexnet.svg").contains(">alexnet</text>"));

    // As versions before drew it, beside a figure of the user's.
    let figures = graph.small.path("out/figures");
    let figure = |stem: &str| figures.join(format!("architecture_{stem}.svg"));
    ["alexnet", "alexnet_mine"].iter().for_each(|stem| std::fs::write(figure(stem), "a figure").unwrap());
    let plot = || succeed(&["plot", &graph.small.text("out")]);
    plot();
    assert!(figure("alexnet").exists(), "it is not listed");
    let mut list: serde_json::Value = serde_json::from_str(&graph.small.read("out/rsm/finished.json")).unwrap();
    list["figures"].as_array_mut().unwrap().push("architecture_alexnet".into());
    graph.small.write("out/rsm/finished.json", &list.to_string());
    plot();
    assert!(!figure("alexnet").exists() && figure("alexnet_mine").exists());
}

#[test]
fn a_graph_runs_with_the_layers_asked_for() {
    let graph = Graph::make("vit_timm.script", "inception");
    let output = graph.run("out", &[]);
    assert!(said(&output).contains("vit_timm.script (onnx), 4 layers"), "{}", said(&output));
    assert!(said(&output).contains("inception: bytes arrive as -1.000 to 1.000"), "{}", said(&output));
    assert_eq!(graph.layers("out"), ["pixels", "blocks.0", "blocks.1", "head"]);
    graph.run("globs", &["network.layers=[\"blocks.*.mlp\",\"norm\"]"]);
    assert_eq!(graph.layers("globs"), ["pixels", "blocks.0.mlp", "blocks.1.mlp", "norm"]);
    // By their names in the file, too; and a run goes on from what is there.
    graph.run("globs", &["network.layers=[\"/blocks/blocks.1/mlp/*\"]", "stimuli.pixels=false"]);
    let names = graph.layers("globs");
    assert!(names.len() >= 3 && names.iter().all(|name| name.starts_with("/blocks/blocks.1/mlp/")), "{names:?}");
    let said = graph.refused(&["network.layers=[\"blocks.1.mpl\"]"]);
    assert!(
        said.contains("has no layer \"blocks.1.mpl\"") && said.contains("did you mean \"blocks.1.mlp\"?"),
        "{said}"
    );
    let said = graph.refused(&["network.layers=[\"block.*\"]"]);
    assert!(said.contains("has no layer \"block.*\""), "{said}");
}

#[test]
fn tokens_are_tested_as_asked() {
    let graph = Graph::make("vit_timm.dynamo", "inception");
    let accuracies = |out: &str, set: &[&str]| {
        graph.run(out, set);
        let run: serde_json::Value = serde_json::from_str(&graph.small.read(&format!("{out}/run.json"))).unwrap();
        let units: Vec<usize> = column(&graph.small.read(&format!("{out}/accuracy.csv")), "units");
        let token = run.pointer("/network/token").or(run.pointer("/command/run/network/token"));
        (column::<f64>(&graph.small.read(&format!("{out}/accuracy.csv")), "accuracy"), units, token.cloned())
    };
    let set = |token: &str| format!("network.token={token:?}");
    let (all, units, _) = accuracies("all", &[&set("all")]);
    assert_eq!(units[1..], [17 * 24, 17 * 24, 10]);
    let (mean, units, _) = accuracies("mean", &[&set("mean")]);
    assert_eq!(units[1..], [24, 24, 10]);
    let (cls, ..) = accuracies("cls", &[&set("cls")]);
    let (default, ..) = accuracies("default", &[]);
    assert_eq!(cls, default, "a class token is the default where there is one");
    assert!(cls[1..3] != mean[1..3] && mean[1..3] != all[1..3]);
    assert_eq!((cls[0], cls[3]), (mean[0], all[3]), "pixels and the head have no tokens");
    let (config, layers) = (graph.small.text("experiment.toml"), "network.layers=[\"patch_embed\",\"blocks.0\"]");
    let output = succeed(&["run", "--config", &config, "--dry-run", "--set", layers]);
    assert!(said(&output).contains("no class token at \"patch_embed\" (of 16): "), "{}", said(&output));
    let said = graph.refused(&[&set("first")]);
    assert!(said.contains("first") && said.contains("mean"), "{said}");
}

#[test]
fn what_a_graph_cannot_say_has_to_be_said() {
    let graph = Graph::make("drawings.script", "0..1");
    let text = graph.small.read("experiment.toml");
    graph.small.write("experiment.toml", &text.replace("[network.input]\nvalues = \"0..1\"\n", ""));
    let said = graph.refused(&[]);
    assert!(said.contains("does not say what numbers it expects") && said.contains("0..255"), "{said}");
    graph.small.write("experiment.toml", &text);
    let said = graph.refused(&["network.input.size=64"]);
    assert!(said.contains("takes images of 32 x 32 pixels"), "{said}");
    let said = graph.refused(&["network.ema=true"]);
    assert!(said.contains("network.ema is for built-in networks"), "{said}");
    let said = graph.refused(&["network.form=\"keras\""]);
    assert!(said.contains("network.form") && said.contains("remove one"), "{said}");
    let said = graph.refused(&["network.input.values=\"torch\""]);
    assert!(said.contains("network.input.values") && said.contains("imagenet"), "{said}");
}

#[test]
fn numbers_of_another_range_are_warned_of() {
    let graph = Graph::make("drawings.script", "0..1");
    let dry = |values: &str| {
        let (config, set) = (graph.small.text("experiment.toml"), format!("network.input.values={values:?}"));
        said(&succeed(&["run", "--config", &config, "--dry-run", "--set", &set]))
    };
    // Its statistics are those of drawings like these, at 0 to 1.
    let right = dry("0..1");
    assert!(!right.contains("warning") && right.contains("first normalization spread"), "{right}");
    for wrong in ["inception", "lite", "imagenet", "clip", "caffe", "0..255"] {
        let said = dry(wrong);
        assert!(said.contains("warning: numbers arrive that drawings.script was not trained on"), "{wrong}: {said}");
        assert!(said.contains("network.input.values = \"0..1\" would fit"), "{wrong}: {said}");
    }
    let output = graph.run("out", &["network.input.values=\"inception\""]);
    assert!(said(&output).contains("was not trained on"), "{}", said(&output));
    assert!(graph.small.read("out/run.json").contains("was not trained on"), "the record keeps it");
}

#[test]
fn a_graph_with_a_list_of_its_classes_makes_mistakes_to_test() {
    let graph = Graph::make("drawings.script", "0..1");
    let said = graph.refused(&["one_vs_two={}"]);
    assert!(said.contains("no layer of the 1000 ImageNet classes") && said.contains("network.classes"), "{said}");

    // The manifest's first twelve concepts, in its order.
    let manifest = graph.small.read("manifest.csv");
    let mut concepts: Vec<String> = column(&manifest, "concept");
    let mut seen = std::collections::HashSet::new();
    concepts.retain(|concept| seen.insert(concept.clone()));
    graph.small.write("classes.txt", &(concepts.join("\n") + "\n"));
    let classes = format!("network.classes={}", graph.small.text("classes.txt"));
    graph.run("out", &[&classes, "one_vs_two={}"]);
    let predictions = graph.small.read("out/predictions.csv");
    let (own, predicted): (Vec<usize>, Vec<usize>) =
        (column(&predictions, "class_index"), column(&predictions, "predicted_index"));
    let names: Vec<String> = column(&predictions, "predicted_class");
    assert!(names.iter().zip(&predicted).all(|(name, &class)| *name == concepts[class]));
    let correct: Vec<bool> = column(&predictions, "correct");
    assert!(correct.iter().zip(own.iter().zip(&predicted)).all(|(&correct, (a, b))| correct == (a == b)));
    // It knows the drawings of the first group, and has not seen those of the second.
    assert!(correct[..Small::CONCEPTS].iter().all(|&correct| correct), "{predictions}");
    let wrong = correct.iter().filter(|&&correct| !correct).count();
    let right = correct[Small::CONCEPTS..].iter().filter(|&&correct| correct).count();
    assert!(wrong > 0, "{predictions}");
    let table = graph.small.read("out/one_vs_two.csv");
    match right >= 5 {
        true => assert_eq!(column::<usize>(&table, "images")[0], wrong, "{table}"),
        false => assert_eq!(table.lines().count(), 1, "{table}"),
    }
    assert!(graph.small.read("out/run.json").contains("\"classes\""));

    let refused = |list: &str| {
        graph.small.write("classes.txt", list);
        graph.refused(&[&classes, "one_vs_two={}"])
    };
    let said = refused(&concepts[..5].join("\n"));
    assert!(said.contains("classes.txt lists 5 classes") && said.contains("head (12 units)"), "{said}");
    let said = refused(&(0..12).map(|n| format!("class {n}\n")).collect::<String>());
    assert!(said.contains("names none of the manifest's concepts (it has class 0, class 1, class 2,"), "{said}");
    let config = graph.small.text("experiment.toml");
    let said = self::said(&succeed(&["run", "--config", &config, "--dry-run", "--set", &classes]));
    assert!(said.contains("warning: network.classes: ") && said.contains("no image's true class is known"), "{said}");
    let mut twice = concepts.clone();
    twice[4] = format!("x\n{}", twice[3]);
    twice.remove(5);
    let said = refused(&twice.join("\n"));
    assert!(said.contains("is a name of its classes 4 and 6 (from 1)"), "{said}");
    let said = refused(&(concepts.join("\n\n") + "\n"));
    assert!(said.contains("line 2 names no class"), "{said}");
}

#[test]
fn a_built_in_network_takes_a_head_of_other_classes() {
    let small = Small::make();
    small.write("classes.txt", "airplane\nant\nbanana\nbear\nbed\nbicycle\nbathtub\n");
    let classes = format!("network.classes={}", small.text("classes.txt"));
    // SqueezeNet's own head has 1000.
    let (config, out) = (small.text("experiment.toml"), small.text("refused"));
    let logits = "network.layers=[\"logits\"]";
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", logits, "--set", &classes], 2);
    assert!(said.contains("expected [7, 512, 1, 1]") && said.contains("network.classes"), "{said}");
    let set = ["--set", logits, "--set", &classes, "--set", "network.random=true"];
    let random = small.read("experiment.toml");
    let weights = random.lines().find(|line| line.starts_with("weights")).unwrap().to_string() + "\n";
    small.write("experiment.toml", &random.replace(&weights, ""));
    small.run("out", &set);
    assert_eq!(column::<usize>(&small.read("out/accuracy.csv"), "units")[1], 7);
    let predictions = small.read("out/predictions.csv");
    assert!(column::<usize>(&predictions, "predicted_index").iter().all(|&class| class < 7), "{predictions}");
    let averages = [&["run", "--config", &config, "--out", &out][..], &set, &["--set", "network.ema=true"]].concat();
    let said = fail(&averages, 2);
    assert!(said.contains("network.ema is for a weights file"), "{said}");
    // Over two units every correlation is 1 or -1.
    small.write("classes.txt", "airplane\nant\n");
    let mut arguments = vec!["run", "--config", &config, "--out", &out];
    arguments.extend(set);
    let said = fail(&arguments, 2);
    assert!(said.contains("\"logits\" has 2 units"), "{said}");
}
