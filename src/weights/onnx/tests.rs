use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use burn::tensor::{bf16, f16};
use flate2::read::GzDecoder;
use prost::Message;

use super::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ShapeProto, StringStringEntryProto,
    TensorProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::*;
use crate::nets::{self, Blueprint, Network};
use crate::stats::permutation::Random;
use crate::weights::graph::Window;
use crate::weights::{Assigned, Names, Normalised, Parameter, Rule, assign};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx").join(name)
}

fn unzipped(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(golden(name)).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A whole network as an exporter writes it, its values in a sparse file of zeros.
struct Skeleton {
    _folder: tempfile::TempDir,
    file: Onnx,
}

/// VGG16's first dense layer, the largest tensor of all.
const LARGEST_BYTES: u64 = 4 * 4096 * 25_088;

fn skeleton(name: &str) -> Skeleton {
    let folder = tempfile::tempdir().unwrap();
    File::create(folder.path().join("zeros")).unwrap().set_len(LARGEST_BYTES).unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, unzipped(&format!("{name}.gz"))).unwrap();
    Skeleton { file: Onnx::open(&path).unwrap(), _folder: folder }
}

/// Of each file, the initializer of each parameter.
fn expected() -> BTreeMap<String, BTreeMap<String, String>> {
    let text = String::from_utf8(unzipped("names.tsv.gz")).unwrap();
    let mut files: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in text.lines() {
        let [file, parameter, initializer] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        files.entry(file.into()).or_default().insert(parameter.into(), initializer.into());
    }
    files
}

fn network(file: &str) -> &'static Network {
    nets::find(file.split('.').next().unwrap()).unwrap()
}

/// The form whose graph a file holds.
fn form(file: &str) -> Blueprint {
    let form = match file {
        _ if file.contains("torchvision") || file.starts_with("vgg16.zoo") => "torchvision",
        _ if file.contains("keras2_1") => "keras2_1",
        _ => "keras",
    };
    network(file).blueprint(form).unwrap()
}

fn initializers(graph: &Graph) -> BTreeMap<&str, &str> {
    let layers = graph.layers.iter().flat_map(|layer| {
        let norm = layer.norm.iter().flat_map(|norm| &norm.tensors);
        std::iter::once(&layer.kernel).chain(&layer.bias).chain(norm)
    });
    layers.map(|held| (held.name.as_str(), held.initializer.as_str())).collect()
}

#[test]
fn every_exporters_tensors_go_where_their_values_belong() {
    let expected = expected();
    assert_eq!(expected.len(), 17);
    for (name, expected) in expected.iter().filter(|(name, _)| !name.starts_with("resnet50.zoo")) {
        let Skeleton { file, _folder } = skeleton(name);
        let account = network(name).assign(&form(name), &file).unwrap_or_else(|error| panic!("{error}"));
        let initializers = initializers(&file.graph);
        let mut kernels = 0;
        for assigned in &account.assigned {
            kernels += usize::from(assigned.parameter.ends_with(".weight"));
            // A bias that Keras' loose normalization was folded into is in no initializer of its own.
            if let Some(expected) = expected.get(&assigned.parameter) {
                assert_eq!(initializers[assigned.tensor.as_str()], expected, "{name}: {}", assigned.parameter);
            }
        }
        let expected_kernels = expected.keys().filter(|parameter| parameter.ends_with(".weight")).count();
        assert_eq!(kernels, expected_kernels, "{name}");
        let found: Vec<_> = account.assigned.iter().map(|assigned| &assigned.parameter).collect();
        assert!(expected.keys().all(|parameter| found.contains(&parameter)), "{name}");
        assert_eq!(account.folded, !name.contains("unfolded") && !name.starts_with("vgg16"), "{name}");
    }
}

#[test]
fn the_account_says_what_tells() {
    let by_place = |name: &str| {
        let Skeleton { file, _folder } = skeleton(name);
        let account = network(name).assign(&form(name), &file).unwrap();
        account.assigned.iter().filter(|assigned| assigned.rule == Rule::Place).count()
    };
    assert_eq!(by_place("resnet50.torchvision.legacy.onnx"), 0);
    // Weight and bias of the one convolution that a padding was merged into.
    assert_eq!(by_place("resnet50.tfkeras2-keras.tf2onnx.onnx"), 2);
    assert_eq!(by_place("resnet50.keras3-torch.onnx"), 2 * 54);
    // All but the dense layer: Keras counts its convolutions.
    assert_eq!(by_place("inception_v3.tfkeras2-keras.tf2onnx.onnx"), 2 * 94);
}

#[test]
fn a_file_of_another_form_is_refused_with_the_form_that_fits() {
    let refusal = |name: &str, form: &str| {
        let Skeleton { file, _folder } = skeleton(name);
        network(name).assign(&network(name).blueprint(form).unwrap(), &file).unwrap_err().to_string()
    };
    for (name, asked, says, fits) in [
        ("resnet50.torchvision.legacy.onnx", "keras2_1", "as the torchvision form", "torchvision"),
        ("resnet50.torchvision.dynamo.onnx", "keras", "as the torchvision form", "torchvision"),
        ("resnet50.tfkeras2-keras.tf2onnx.onnx", "keras2_1", "as the keras form", "keras"),
        ("resnet50.tfkeras2-keras2_1.tf2onnx.onnx", "keras2_0", "pads by [2, 2, 3, 3]", "keras2_1"),
        ("resnet50.tfkeras2-keras2_1.tf2onnx-nchw.onnx", "keras2_2", "pads by [2, 2, 3, 3]", "keras2_1"),
        ("resnet50.keras3-torch.onnx", "torchvision", "has stride [2, 2]", "keras2_2\" or \"keras"),
        ("resnet50.keras3-torch.onnx", "keras2_1", "pads by [3, 3, 3, 3]", "keras2_2\" or \"keras"),
        ("inception_v3.keras3-torch.onnx", "torchvision", "the padding in its averages", "keras"),
        ("inception_v3.torchvision.legacy.onnx", "keras", "as the torchvision form", "torchvision"),
        ("vgg16.torchvision.dynamo.onnx", "keras", "as the torchvision form", "torchvision"),
        ("vgg16.zoo-like.onnx", "keras", "as the torchvision form", "torchvision"),
    ] {
        let message = refusal(name, asked);
        assert!(message.contains(says), "{message}");
        assert!(message.ends_with(&format!("set form = \"{fits}\", or --form of semgpu inspect")), "{message}");
    }
}

#[test]
fn the_zoos_resnet_is_refused_in_every_form() {
    let name = "resnet50.zoo-like.onnx";
    let Skeleton { file, _folder } = skeleton(name);
    for form in network(name).forms {
        let message = network(name).assign(&network(name).draw(form), &file).unwrap_err().to_string();
        assert!(message.contains("MXNet's ResNet v1"), "{message}");
    }
}

#[test]
fn what_shapes_do_not_tell_is_compared() {
    let window =
        |graph: &mut Graph, at: usize, change: fn(&mut Window)| change(graph.layers[at].window.as_mut().unwrap());
    let refusal = |change: &dyn Fn(&mut Graph)| {
        let name = "resnet50.torchvision.legacy-unfolded.onnx";
        let Skeleton { mut file, _folder } = skeleton(name);
        change(&mut file.graph);
        network(name).assign(&form(name), &file).unwrap_err().to_string()
    };
    for (message, says) in [
        (refusal(&|graph| window(graph, 0, |window| window.stride = [1, 1])), "has stride [1, 1] and dilation [1, 1]"),
        (refusal(&|graph| window(graph, 50, |window| window.dilation = [2, 2])), "dilation [2, 2], expected 1 and 1"),
        (refusal(&|graph| window(graph, 2, |window| window.padding = Some([0; 4]))), "pads by [0, 0, 0, 0]"),
        (
            refusal(&|graph| graph.layers[9].norm.as_mut().unwrap().epsilon = 1e-3),
            "has epsilon 0.001, expected 0.00001",
        ),
        (refusal(&|graph| graph.poolings[0].rounds_up = true), "rounds its size up"),
        (refusal(&|graph| graph.loose_norms.push("bn_data".into())), "bn_data follows no convolution"),
        (refusal(&|graph| drop(graph.layers.pop())), "the graph has 53 layers with weights, the network 54"),
        (refusal(&|graph| graph.layers.swap(0, 1)), "layer 1 of the graph, layer1.0.conv1.weight, has a kernel"),
    ] {
        assert!(message.contains(says), "{says}: {message}");
    }
}

/// The fixtures' network as three layers of parameters under PyTorch's names.
fn tiny() -> Vec<Parameter> {
    let block = |conv: &str, norm: &str, shape, bias| {
        Normalised { conv, norm, shape, bias, scale: true }.parameters(&Names::torch_normalised(conv, norm))
    };
    let dense = Names::torch("fc").layer("fc", &[5, 24], true, 1);
    [block("stem.0", "stem.1", [8, 3, 3, 3], false), block("body", "bn", [6, 8, 3, 3], true), dense].concat()
}

/// Folding in `f32` rounds the factor, its square root and the product.
const FOLDED: f32 = 4.0 * f32::EPSILON;

/// Kernels and biases with the normalization folded in, by the definition, from the state_dict.
fn tiny_folded() -> BTreeMap<String, Vec<f32>> {
    let mut file = crate::weights::open(&golden("tiny.safetensors")).unwrap();
    let mut read = |name: &str| file.read(name).unwrap();
    let mut folded = BTreeMap::new();
    for (conv, norm) in [("stem.0", "stem.1"), ("body", "bn")] {
        let [gamma, beta, mean, var] =
            ["weight", "bias", "running_mean", "running_var"].map(|part| read(&format!("{norm}.{part}")));
        let mut kernel = read(&format!("{conv}.weight"));
        let bias = if conv == "body" { read("body.bias") } else { vec![0.0; 8] };
        let inputs = kernel.len() / bias.len();
        let scale = |out: usize| f64::from(gamma[out]) / (f64::from(var[out]) + 1e-5).sqrt();
        kernel.iter_mut().enumerate().for_each(|(at, v)| *v = (f64::from(*v) * scale(at / inputs)) as f32);
        let shift = |out: usize| f64::from(bias[out] - mean[out]) * scale(out) + f64::from(beta[out]);
        folded.insert(format!("{conv}.bias"), (0..bias.len()).map(|out| shift(out) as f32).collect());
        folded.insert(format!("{conv}.weight"), kernel);
    }
    folded.insert("fc.weight".into(), read("fc.weight"));
    folded.insert("fc.bias".into(), read("fc.bias"));
    folded
}

#[test]
fn every_exporters_values_are_those_of_the_model() {
    let expected = tiny_folded();
    for (name, rule) in [("legacy", Rule::Name), ("dynamo", Rule::Name), ("channels-last", Rule::Place)] {
        let mut file = Onnx::open(&golden(&format!("tiny.{name}.onnx"))).unwrap();
        let account = assign(&tiny(), &[], &file).unwrap();
        assert!(account.folded && account.assigned.iter().all(|assigned| assigned.rule == rule), "{name}");
        for Assigned { parameter, tensor, .. } in &account.assigned {
            let found = file.read(tensor).unwrap();
            assert_eq!(found.len(), expected[parameter].len(), "{name}: {parameter}");
            for (found, expected) in found.iter().zip(&expected[parameter]) {
                assert!((found - expected).abs() <= FOLDED, "{name}: {parameter} {found} {expected}");
            }
        }
    }
}

#[test]
fn what_is_not_folded_is_read_to_the_bit() {
    let mut plain = crate::weights::open(&golden("tiny.safetensors")).unwrap();
    let mut file = Onnx::open(&golden("tiny.legacy-unfolded.onnx")).unwrap();
    assert!(!assign(&tiny(), &[], &file).unwrap().folded);
    let mut names = plain.tensors();
    names.sort();
    assert_eq!(file.tensors(), names);
    for (name, _) in names {
        assert_eq!(file.read(&name).unwrap(), plain.read(&name).unwrap(), "{name}");
    }
    let norm = file.graph.layers[0].norm.as_ref().unwrap();
    assert_eq!(norm.epsilon, 1e-5);
}

#[test]
fn all_that_takes_memory_is_counted() {
    let dim = vec![DimensionProto::default(); 3];
    let tensor = TensorTypeProto { shape: Some(ShapeProto { dim }), ..TensorTypeProto::default() };
    let value_type = Some(TypeProto { tensor: Some(tensor) });
    // Itself, its name, type, tensor, shape and three axes.
    let value = ValueInfoProto { name: "x".into(), value_type };
    let metadata = vec![StringStringEntryProto::default(); 2];
    let node = vec![NodeProto { op_type: "Relu".into(), metadata, ..NodeProto::default() }];
    let graph = GraphProto { node, input: vec![value.clone()], output: vec![value], ..GraphProto::default() };
    let opset_import = vec![OperatorSetIdProto::default()];
    let model = ModelProto { graph: Some(graph), opset_import, ..ModelProto::default() };
    assert_eq!(super::proto::parts(&model.encode_to_vec()), Some(1 + 1 + 8 + 8 + (1 + 1 + 2)));
}

/// A copy of a fixture, changed.
fn changed(name: &str, change: impl FnOnce(&mut ModelProto)) -> (tempfile::TempDir, PathBuf) {
    let mut model = ModelProto::decode(std::fs::read(golden(name)).unwrap().as_slice()).unwrap();
    change(&mut model);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    (folder, path)
}

fn refused(name: &str, change: impl FnOnce(&mut GraphProto)) -> String {
    let (_folder, path) = changed(name, |model| change(model.graph.as_mut().unwrap()));
    Onnx::open(&path).err().unwrap().to_string()
}

#[test]
fn all_floating_point_types_are_widened() {
    let floats = |values: &[u8]| values.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect::<Vec<f32>>();
    // 1.5 in each type, the f32 as raw bytes and spelt out.
    type Fill = fn(&mut TensorProto, &[f32]);
    let fills: [(i32, Fill); 7] = [
        (1, |to, v| to.raw_data = Some(v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into())),
        (1, |to, v| to.float_data = v.to_vec()),
        (11, |to, v| to.double_data = v.iter().map(|&v| v.into()).collect()),
        (11, |to, v| to.raw_data = Some(v.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect::<Vec<_>>().into())),
        (10, |to, v| to.int32_data = v.iter().map(|&v| f16::from_f32(v).to_bits().into()).collect()),
        (10, |to, v| {
            to.raw_data = Some(v.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect::<Vec<_>>().into())
        }),
        (16, |to, v| to.int32_data = v.iter().map(|&v| bf16::from_f32(v).to_bits().into()).collect()),
    ];
    for (data_type, fill) in fills {
        let mut expected = Vec::new();
        let (_folder, path) = changed("tiny.legacy.onnx", |model| {
            let graph = model.graph.as_mut().unwrap();
            let bias = graph.initializer.iter_mut().find(|tensor| tensor.name == "fc.bias").unwrap();
            // Halves and eighths, which every type holds.
            expected = floats(&bias.raw_data.take().unwrap()).iter().map(|v| (v * 8.0).round() / 8.0).collect();
            bias.data_type = data_type;
            fill(bias, &expected);
        });
        assert_eq!(Onnx::open(&path).unwrap().read("fc.bias").unwrap(), expected, "{data_type}");
    }
}

#[test]
fn a_normalization_that_only_some_convolutions_have_is_folded() {
    let expected = tiny_folded();
    let (_folder, path) = changed("tiny.legacy-unfolded.onnx", |model| {
        // The first one is folded by hand.
        let graph = model.graph.as_mut().unwrap();
        let output = graph.node[1].output[0].clone();
        graph.node[0].output[0] = output;
        graph.node[0].input.push("folded bias".into());
        graph.node.remove(1);
        let raw = |values: &[f32]| Some(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into());
        graph.initializer[0].raw_data = raw(&expected["stem.0.weight"]);
        let mut bias = TensorProto { name: "folded bias".into(), dims: vec![8], data_type: 1, ..Default::default() };
        bias.raw_data = raw(&expected["stem.0.bias"]);
        graph.initializer.push(bias);
    });
    let mut file = Onnx::open(&path).unwrap();
    let account = assign(&tiny(), &[], &file).unwrap();
    assert!(account.folded);
    for Assigned { parameter, tensor, .. } in &account.assigned {
        for (found, expected) in file.read(tensor).unwrap().iter().zip(&expected[parameter]) {
            assert!((found - expected).abs() <= FOLDED, "{parameter} {found} {expected}");
        }
    }
}

#[test]
fn a_lost_normalization_is_never_assumed() {
    let (_folder, path) = changed("tiny.legacy.onnx", |model| {
        model.graph.as_mut().unwrap().node[0].input.pop();
    });
    let message = assign(&tiny(), &[], &Onnx::open(&path).unwrap()).unwrap_err().to_string();
    assert!(message.contains("what normalizes them is not in the file"), "{message}");
}

#[test]
fn names_and_places_that_disagree_are_refused() {
    let (_folder, path) = changed("tiny.legacy.onnx", |model| {
        // Two equal convolutions after each other, the names swapped.
        let graph = model.graph.as_mut().unwrap();
        graph.node[2].name = "/stem/stem.0/Conv".into();
        graph.node[0].name = "/body/Conv".into();
    });
    let message = assign(&tiny(), &[], &Onnx::open(&path).unwrap()).unwrap_err().to_string();
    assert!(message.contains("body.weight stands in the graph where the network has stem.0.weight"), "{message}");
}

#[test]
fn external_values_are_checked_and_stay_beside_the_model() {
    let message = refused("tiny.dynamo.onnx", |_| {});
    assert!(message.contains("tiny.dynamo.onnx: keeps its weights in another file, expected beside it"), "{message}");
    let entry = |graph: &mut GraphProto, key: &str, value: &str| {
        let tensor = graph.initializer.iter_mut().find(|tensor| tensor.data_location == 1).unwrap();
        tensor.external_data.retain(|entry| entry.key != key);
        tensor.external_data.push(StringStringEntryProto { key: key.into(), value: value.into() });
    };
    for location in ["../tiny.dynamo.onnx", "/etc/hostname", "a/../../b", "", "."] {
        let message = refused("tiny.dynamo.onnx", |graph| entry(graph, "location", location));
        assert!(message.contains("only files beside the model"), "{location:?}: {message}");
    }
    // The model itself is a file beside it, and too short.
    for (key, value, says) in [
        ("offset", "1000000", "from byte 1000000 on"),
        ("offset", "18446744073709551615", "from byte 18446744073709551615 on"),
        ("offset", "-1", "offset \"-1\""),
        ("length", "3", "3 bytes, its shape [8, 3, 3, 3] needs 864"),
    ] {
        let message = refused("tiny.dynamo.onnx", |graph| {
            entry(graph, "location", "tiny.dynamo.onnx");
            entry(graph, key, value);
        });
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(Onnx::open(&golden("tiny.dynamo.onnx")).unwrap().files().len(), 2);
}

#[test]
fn damaged_models_are_errors_that_say_what_is_wrong() {
    let dims = |dims: &[i64]| {
        let dims = dims.to_vec();
        refused("tiny.legacy.onnx", move |graph| graph.initializer[0].dims = dims)
    };
    assert!(dims(&[5, -24]).contains("fc.weight: a shape of [5, -24]; copy or download it again"));
    assert!(dims(&[1 << 40, 1 << 40]).contains("a shape of"));
    assert!(dims(&[1 << 61, 2]).contains("a shape of"));
    assert!(dims(&[5, 25]).contains("fc.weight: 480 bytes, its shape [5, 25] needs 500"));
    let message = refused("tiny.legacy.onnx", |graph| graph.initializer[0].raw_data = None);
    assert!(message.contains("fc.weight: 0 values, its shape [5, 24] needs 120"), "{message}");
    let message = refused("tiny.legacy.onnx", |graph| {
        graph.initializer[0].data_type = 3;
        graph.initializer[0].raw_data = Some(vec![0; 120].into());
    });
    assert!(message.contains("fc.weight is of type INT8, expected FLOAT"), "{message}");
    let message = refused("tiny.legacy.onnx", |graph| graph.node[0].op_type = "QLinearConv".into());
    assert!(message.contains("is a quantized layer (QLinearConv)"), "{message}");
    let message = refused("tiny.legacy.onnx", |graph| graph.node[0].domain = "com.microsoft.nchwc".into());
    assert!(message.contains("is com.microsoft.nchwc::Conv, as ONNX Runtime's optimizer writes it"), "{message}");
    let message = refused("tiny.legacy.onnx", |graph| graph.node[0].input[1] = "input.1".into());
    assert!(message.contains("the kernel of /stem/stem.0/Conv is computed in the graph"), "{message}");
    let message = refused("tiny.legacy.onnx", |graph| graph.node.clear());
    assert!(message.contains("no convolution or dense layer with weights"), "{message}");

    let whole = std::fs::read(golden("tiny.legacy.onnx")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for length in [0, 1, 2, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(file.path(), &whole[..length]).unwrap();
        let message = Onnx::open(file.path()).err().unwrap().to_string();
        assert!(message.contains("copy or download it again"), "{length}: {message}");
    }
}

#[test]
fn cycles_are_refused() {
    let message = refused("tiny.legacy.onnx", |graph| graph.node[0].input[0] = "/pool/MaxPool_output_0".into());
    assert!(message.contains("is computed from itself"), "{message}");
    // A kernel that is a cycle of reshapes.
    let message = refused("tiny.legacy.onnx", |graph| {
        graph.node[0].input[1] = "a".into();
        for (input, output) in [("a", "b"), ("b", "a")] {
            let (input, output) = (vec![input.to_string()], vec![output.to_string()]);
            graph.node.push(NodeProto { op_type: "Identity".into(), input, output, ..Default::default() });
        }
    });
    assert!(message.contains("is computed from itself") || message.contains("is computed in the graph"), "{message}");
}

#[test]
fn other_resnets_are_refused_by_name() {
    for (from, to, says) in
        [("fc.weight", "resnetv24_conv0_weight", "ResNet v2"), ("fc.weight", "res2_0_branch2a_w_0", "Caffe2")]
    {
        let (_folder, path) = changed("tiny.legacy.onnx", |model| {
            let graph = model.graph.as_mut().unwrap();
            graph.initializer.iter_mut().find(|tensor| tensor.name == from).unwrap().name = to.into();
            let gemm = graph.node.last_mut().unwrap();
            (gemm.input[1], gemm.name) = (to.into(), String::new());
        });
        let network = nets::find("resnet50").unwrap();
        let message =
            network.assign(&network.blueprint("keras").unwrap(), &Onnx::open(&path).unwrap()).unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
}

/// Changed bytes of small models; enough that every field is hit.
const MUTATIONS: usize = 3000;

#[test]
fn no_change_of_bytes_makes_the_reader_panic() {
    let models = ["tiny.legacy.onnx", "tiny.legacy-unfolded.onnx", "tiny.dynamo.onnx", "tiny.channels-last.onnx"];
    let models = models.map(|name| std::fs::read(golden(name)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden("tiny.dynamo.onnx.data"), folder.path().join("tiny.dynamo.onnx.data")).unwrap();
    let path = folder.path().join("mutated.onnx");
    let resnet = nets::find("resnet50").unwrap();
    let keras = resnet.blueprint("keras").unwrap();
    let (mut opened, mut refused) = (0, 0);
    for seed in 0..MUTATIONS {
        let mut random = Random::keyed(2018, seed as u64);
        let mut below = |count: usize| (random.unit() * count as f64) as usize;
        let mut bytes = models[seed % models.len()].clone();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            match below(4) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, below(256) as u8),
            }
        }
        std::fs::write(&path, bytes).unwrap();
        match Onnx::open(&path) {
            Err(_) => refused += 1,
            Ok(mut file) => {
                opened += 1;
                assign(&tiny(), &[], &file).ok();
                resnet.account(&keras, &file);
                for (name, shape) in file.tensors() {
                    let values = file.read(&name);
                    assert!(
                        values.is_err() || values.is_ok_and(|values| values.len() == shape.iter().product::<usize>())
                    );
                }
            }
        }
    }
    assert!(opened > MUTATIONS / 20 && refused > MUTATIONS / 20, "{opened} opened, {refused} refused");
}
