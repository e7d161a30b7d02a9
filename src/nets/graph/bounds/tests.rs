//! Graphs that nobody drew to be computed: a refusal each, at once.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use super::super::drawing::{floats, images_of, opened, untyped, whole};
use super::MOST_MADE;
use crate::device::{Choice, select};
use crate::nets::{Batch, Taps};
use crate::weights::onnx::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// `Add a b -> y`, and settings `axis=1` or `pads=0,1`.
fn node(line: &str) -> NodeProto {
    let (call, outputs) = line.split_once("->").unwrap();
    let (settings, words): (Vec<&str>, Vec<&str>) = call.split_whitespace().partition(|word| word.contains('='));
    let name = |word: &&str| if *word == "-" { String::new() } else { word.to_string() };
    let setting = |text: &&str| {
        let (name, values) = text.split_once('=').unwrap();
        let ints: Vec<i64> = values.split(',').map(|value| value.parse().unwrap()).collect();
        AttributeProto { name: name.into(), i: ints[0], ints, ..AttributeProto::default() }
    };
    NodeProto {
        op_type: words[0].into(),
        name: line.chars().take(100).collect(),
        input: words[1..].iter().map(name).collect(),
        output: outputs.split_whitespace().map(str::to_string).collect(),
        attribute: settings.iter().map(setting).collect(),
        ..NodeProto::default()
    }
}

/// Of images `x` of the shape `image`, -1 of any number; `w` is a kernel, `[4, 3, 3, 3]`, and `c` the convolution with it.
fn graph(image: [i64; 4], lines: &[&str], constants: &[TensorProto]) -> GraphProto {
    let kernel: Vec<f32> = (0..108).map(|n| (n % 7) as f32 / 7.0 - 0.4).collect();
    let conv = lines.iter().all(|line| !line.contains("-> c")).then(|| node("Conv x w -> c"));
    GraphProto {
        node: conv.into_iter().chain(lines.iter().map(|line| node(line))).collect(),
        initializer: [&[floats("w", &kernel, &[4, 3, 3, 3])], constants].concat(),
        input: vec![images_of(image.map(|length| (length >= 0).then_some(length)))],
        output: vec![untyped("y")],
    }
}

const IMAGE: [i64; 4] = [1, 3, 8, 8];
const ANY: [i64; 4] = [-1, 3, 8, 8];

/// Why a network is refused when it is opened or loaded, within seconds; none if it is not, and computes what it can of two
/// images.
fn refusal(graph: GraphProto) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let outcome = opened(graph, folder.path()).and_then(|network| {
        network.first_norm()?;
        let layers: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
        let cpu = select(Choice::Cpu).unwrap().device;
        let stages = network.load(network.stages.len(), &layers, &[2], &cpu)?;
        if network.images.is_none() {
            let batch = Batch::of(Tensor::ones([2, 3, network.size, network.size], &cpu));
            let mut taps = Taps::new(layers);
            stages.iter().fold(batch, |batch, stage| stage.forward(batch, &mut taps));
        }
        Ok(())
    });
    let took = started.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    outcome.err().map(|error| error.to_string())
}

#[test]
fn a_sound_graph_is_none_of_them() {
    assert_eq!(refusal(graph(IMAGE, &["Relu c -> y"], &[])), None);
    assert_eq!(refusal(graph(ANY, &["Relu c -> y"], &[])), None);
    // What comes out is no image's, or nothing does.
    assert_eq!(refusal(graph(ANY, &["ReduceMean c keepdims=0 -> y"], &[])), None);
    assert_eq!(refusal(graph(ANY, &["Relu c -> z", "Neg k -> y"], &[floats("k", &[1.0], &[1])])), None);
    // Eight numbers, further apart than `i64` can say.
    let far = [whole("a", &[1 << 62]), whole("b", &[-(1 << 62)]), whole("s", &[-(1 << 60)]), whole("i", &[7])];
    assert_eq!(refusal(graph(ANY, &["Range a b s -> k", "Gather k i -> last", "Relu c -> y"], &far)), None);
    let mut silent = graph(ANY, &["Relu c -> y"], &[]);
    silent.output.clear();
    assert_eq!(refusal(silent), None);
}

#[test]
fn constants_that_are_only_passed_on_are_made_by_no_node() {
    // More of them together than nodes may make, by each of the operators that exporters leave on weights.
    let count = 4 * MOST_MADE / (1 << 20) + 1;
    let line = |n: usize| match n % 4 {
        0 => format!("Identity k -> k{n}"),
        1 => format!("Dropout k -> k{n}"),
        2 => format!("Cast k to=1 -> k{n}"),
        _ => format!("CastLike k w -> k{n}"),
    };
    let mut lines: Vec<String> = (0..count).map(line).collect();
    lines.extend([format!("ReduceMax k{} keepdims=0 -> m", count - 1), "Clip c - m -> y".into()]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let stored = [floats("k", &vec![0.5; 1 << 20], &[1 << 20])];
    assert_eq!(refusal(graph(ANY, &lines, &stored)), None);
    // Those that a node makes of nothing are counted, and again where they are passed on.
    let mut lines = vec!["ConstantOfShape s -> k".to_string()];
    lines.extend((0..4).map(|n| format!("Identity k -> k{n}")));
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["Relu c -> y"]).collect();
    let said = refusal(graph(ANY, &lines, &[whole("s", &[MOST_MADE as i64])])).unwrap();
    assert!(said.contains("Identity (node \"Identity k -> k3\"): more than 67108864 values that no image"), "{said}");
}

#[test]
fn numbers_without_bounds_are_refused() {
    let huge = i64::MAX.to_string();
    let conv = format!("Conv x w pads={huge},{huge},{huge},{huge} -> c");
    let (stride, size) = (format!("Conv x w strides={huge},{huge} -> c"), format!("LRN c size={huge} -> y"));
    let [pads, strides, sizes] = ["pads", "strides", "size"].map(|name| format!("{name} = {huge}"));
    let (made, held) = ("expected at most 16777216 numbers", "expected at most 17179869184 numbers");
    let many: Vec<i64> = (4..5_000).collect();
    let long = 1 << 33;
    for (lines, constants, expected) in [
        (&[&conv[..], "Relu c -> y"][..], vec![], &pads[..]),
        (&[&stride, "Relu c -> y"], vec![], &strides),
        (&[&size], vec![], &sizes),
        (&["LRN c size=100 -> y"], vec![], "size = 100 over 4 channels"),
        (&["ConstantOfShape s -> k", "Add c k -> y"], vec![whole("s", &[long])], made),
        (&["Expand s e -> k", "Add c k -> y"], vec![whole("s", &[1]), whole("e", &[long])], made),
        (&["Tile s e -> k", "Add c k -> y"], vec![whole("s", &[1]), whole("e", &[long])], made),
        (&["Tile c e -> y"], vec![whole("e", &[1, 1 << 31, 1 << 31, 1])], held),
        (&["Pad s e -> k", "Add c k -> y"], vec![whole("s", &[1]), whole("e", &[long, long])], held),
        (&["Pad c e -> y"], vec![whole("e", &[0, 0, i64::MAX, 0, 0, 0, i64::MAX, 0])], held),
        (
            &["Range a b s -> k", "Add c k -> y"],
            vec![whole("a", &[i64::MIN]), whole("b", &[i64::MAX]), whole("s", &[1])],
            "a range from",
        ),
        (&["Reshape c s -> y"], vec![whole("s", &[1 << 62, 1 << 62, -1])], held),
        // Of no value, and still too long.
        (
            &["Reshape e s allowzero=1 -> k", "Relu c -> y"],
            vec![floats("e", &[], &[0]), whole("s", &[0, 1 << 62, 1 << 62])],
            held,
        ),
        (&["Unsqueeze c s -> k", "Relu k -> y"], vec![whole("s", &many)], "a value of 5000 axes"),
        (&["Resize c - s -> y"], vec![floats("s", &[1.0, 1.0, 1e9, 1e9], &[4])], made),
        (&["Resize c - s -> y"], vec![floats("s", &[1.0, 1.0, f32::NAN, f32::INFINITY], &[4])], "a scale of NaN"),
        (&["Resize c - s -> y"], vec![floats("s", &[1.0, 1.0, -2.0, 2.0], &[4])], "a scale of -2"),
        (&["Gather c s axis=1 -> y"], vec![whole("s", &[1 << 40])], "axis 1099511627776 of a tensor of 4 axes"),
        (&["Gather c s axis=1 -> y"], vec![whole("s", &[])], "a value of the shape [1, 0, 6, 6]"),
        (&["QuantizeLinear c s -> y"], vec![floats("s", &[0.0], &[])], "a scale of 0"),
        (&["ReduceL2 s -> k", "Add c k -> y"], vec![whole("s", &[])], "overflow, or none"),
        (&["ReduceMax s -> k", "Add c k -> y"], vec![whole("s", &[])], "overflow, or none"),
        (&["ReduceL2 s -> k", "Add c k -> y"], vec![floats("s", &[], &[0])], "a reduction of nothing"),
        (&["ReduceMax s -> k", "Add c k -> y"], vec![floats("s", &[], &[0])], "a reduction of nothing"),
        (&["ReduceMin s axes=0 -> k", "Add c k -> y"], vec![floats("s", &[], &[0, 6])], "a reduction of nothing"),
        (&["ReduceMean s axes=0,2 -> k", "Add c k -> y"], vec![floats("s", &[], &[1, 1, 0])], "a reduction of nothing"),
        (
            &["DequantizeLinear s e axis=0 -> k", "Add c k -> y"],
            vec![whole("s", &[1]), floats("e", &[], &[0])],
            "no scale, expected one",
        ),
        (
            &["Div a b -> k", "Reshape c k -> y"],
            vec![whole("a", &[i64::MIN]), whole("b", &[-1])],
            "overflow, or a division by zero",
        ),
    ] {
        let said = refusal(graph(IMAGE, lines, &constants)).unwrap_or_default();
        assert!(said.contains(expected), "{lines:?}: {said}");
    }
    for image in [[1, 3, 0, 0], [1, 3, 1 << 30, 1 << 30], [1 << 50, 3, 8, 8]] {
        let said = refusal(graph(image, &["Relu c -> y"], &[])).expect("no such images");
        assert!(
            ["takes", "numbers", "the size of its images"].iter().any(|expected| said.contains(expected)),
            "{said}"
        );
    }
}

#[test]
fn graphs_that_are_none_are_refused() {
    for lines in [
        &["Relu c -> y", "Sigmoid c -> y"][..],
        &["Relu c -> x", "Sigmoid x -> y"],
        &["Relu x -> w", "Relu w -> y"],
        &["Relu c ->", "Relu c -> y"],
        &["Add c z -> y", "Relu y -> z"],
        &["Sum -> y"],
        &["Relu c -> z"],
        &["Relu -> y"],
    ] {
        assert!(refusal(graph(IMAGE, lines, &[])).is_some(), "{lines:?}");
    }
    // The second of them would be passed over.
    let twice = ["Constant value_int=1 -> k", "Constant value_int=2 -> k", "Add c k -> y"];
    assert!(refusal(graph(IMAGE, &twice, &[])).unwrap().contains("computes or holds \"k\" twice"));
    let held = [floats("k", &[1.0], &[1])];
    assert!(refusal(graph(IMAGE, &twice[1..], &held)).unwrap().contains("computes or holds \"k\" twice"));
    // What goes in comes out.
    let mut none = graph(IMAGE, &["Relu c -> y"], &[]);
    none.node.clear();
    none.output[0].name = "x".into();
    assert!(refusal(none).unwrap().contains("has no nodes"));
    let short = [floats("b", &[1.0], &[1])];
    assert!(refusal(graph(IMAGE, &["Conv x w b -> c", "Relu c -> y"], &short)).unwrap().contains("a bias of [1]"));
    // Strings, complex numbers, what ONNX may add.
    for data_type in [8, 13, 14, 99] {
        let odd = TensorProto { data_type, ..floats("k", &[1.0], &[1]) };
        let said = refusal(graph(IMAGE, &["Add c k -> y"], std::slice::from_ref(&odd))).unwrap();
        assert!(said.contains("k"), "{said}");
        assert_eq!(refusal(graph(IMAGE, &["Relu c -> y"], &[odd])), None);
    }
}

#[test]
fn windows_far_beyond_the_map_are_refused_and_steps_beyond_it_taken() {
    let kernel = [floats("k", &[0.5; 36], &[4, 1, 3, 3])];
    let conv = |pads: &str, settings: &str| {
        let line = format!("Conv c k pads={pads},{pads},{pads},{pads} group=4 {settings} -> y");
        refusal(graph(ANY, &[line.as_str()], &kernel))
    };
    let far = 1 << 30;
    let said = conv(&far.to_string(), &format!("dilations={far},{far}")).unwrap();
    assert!(said.contains("a map of [6, 6] padded to [2147483654, 2147483654], expected at most 134217728"), "{said}");
    assert_eq!(conv("1", &format!("strides={far},{far}")), None);
}

#[test]
fn what_takes_long_or_grows_without_end_is_refused() {
    let chain = |count: usize, first: &str, of: &dyn Fn(usize) -> String| -> Vec<String> {
        std::iter::once(first.to_string()).chain((0..count).map(of)).collect()
    };
    let lines = |lines: &[String], constants: &[TensorProto]| {
        refusal(graph(IMAGE, &lines.iter().map(String::as_str).collect::<Vec<_>>(), constants))
    };
    let relu = |n: usize| format!("Relu d{n} -> d{}", n + 1);
    let mut deep = chain(30_000, "Relu c -> d0", &relu);
    assert!(lines(&deep, &[]).unwrap().contains("30002 nodes, expected at most 20000"));
    deep.truncate(5_000);
    deep.push("Relu d4999 -> y".into());
    assert_eq!(lines(&deep, &[]), None);
    // Constants of constants: one of the other, and each of two that are not kept.
    let one = [floats("b", &[1.0], &[1]), whole("e", &[1 << 21])];
    let mut turned = chain(15_000, "Neg b -> d0", &|n| format!("Neg d{n} -> d{}", n + 1));
    turned.push("Add c d15000 -> y".into());
    assert!(lines(&turned, &one).unwrap().contains("computed of more than 256 others"));
    let mut doubled = chain(40, "Expand b e -> d0", &|n| format!("Add d{n} d{n} -> d{}", n + 1));
    doubled.extend(["ReduceMax d40 keepdims=0 -> m".into(), "Clip c - m -> y".into()]);
    assert!(lines(&doubled, &one).unwrap().contains("computed of more than 256 others"));
    // Squares of squares where a GELU has a third power.
    let mut squares = chain(40, "Mul c c -> d0", &|n| format!("Mul d{n} d{n} -> d{}", n + 1));
    let gate = ["Add c d40 -> s", "Mul s k -> r", "Tanh r -> t", "Add t b -> g", "Mul c g -> y"];
    squares.extend(gate.map(String::from));
    assert_eq!(lines(&squares, &[floats("k", &[0.797_884_6], &[1]), floats("b", &[1.0], &[1])]), None);
    // Whole numbers by whole numbers.
    let wide = TensorProto { dims: vec![1, 60_000], ..whole("r", &[1; 60_000]) };
    let high = TensorProto { dims: vec![60_000, 1], ..whole("s", &[1; 60_000]) };
    assert!(refusal(graph(IMAGE, &["Add r s -> k", "Relu c -> y"], &[wide, high])).unwrap().contains("[60000, 60000]"));
    // A name of many modules, and as many outputs as nodes.
    let mut named = graph(IMAGE, &["Relu c -> y"], &[]);
    named.node[1].name = format!("/{}/Relu", vec!["a.1"; 60_000].join("/"));
    assert_eq!(refusal(named), None);
    let mut wide = graph(IMAGE, &["Relu c -> y"], &[]);
    wide.output = (0..2_000).map(|n| untyped(&format!("y{n}"))).collect();
    assert!(refusal(wide).unwrap().contains("2000 values that come out"));
    let mut inputs = graph(IMAGE, &["Relu c -> y"], &[]);
    for n in 0..60_000 {
        inputs.initializer.push(floats(&format!("i{n}"), &[0.0], &[1]));
        inputs.input.push(untyped(&format!("i{}", 59_999 - n)));
    }
    assert_eq!(refusal(inputs), None);
}
