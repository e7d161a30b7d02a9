//! What is refused, and why.

use burn::tensor::Device;

use super::super::compile::compile;
use super::super::drawing::{Drawing, SIZE, images_of, opened, untyped};
use super::super::wiring::Wiring;
use super::super::{MOST_SHOWN, input_shape};
use crate::weights::onnx::model::Model;
use crate::weights::onnx::proto::{GraphProto, ValueInfoProto};

const IMAGES: usize = 3;

#[test]
fn no_images_at_all_is_any_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let y = drawing.conv("x", &[4, 3, 3, 3], 2, 1, 1);
    let network = drawing.opened(&y, Some(0), folder.path()).unwrap_or_else(|error| panic!("{error}"));
    assert!(network.summary().starts_with("any number of images"), "{}", network.summary());
    assert_eq!(network.stages[0].multiply_adds, 8 * 8 * 4 * 27);
}

#[test]
fn numbers_that_the_exporter_left_out_are_no_other_side() {
    let said = |lengths: [Option<i64>; 4]| {
        let folder = tempfile::tempdir().unwrap();
        let mean = ValueInfoProto { name: "mean".to_string(), ..images_of(lengths) };
        let input = vec![images_of([None, Some(32), Some(32), Some(3)]), mean];
        let output = vec![untyped("y")];
        opened(GraphProto { node: vec![], initializer: vec![], input, output }, folder.path())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let numbers = said([Some(1), Some(1), Some(1), Some(3)]);
    assert!(numbers.contains("has 2 inputs (x, mean)") && numbers.contains("--saved-model folder"), "{numbers}");
    let images = said([None, Some(32), Some(32), Some(3)]);
    assert!(images.ends_with("export the image side of the model alone"), "{images}");
}

/// Why a graph is refused, when it is opened or its weights are loaded.
fn refusal(draw: impl Fn(&mut Drawing) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let result = draw(&mut drawing);
    let loaded = drawing.opened(&result, None, folder.path()).and_then(|network| {
        network.programs(network.stages.len(), std::slice::from_ref(&result), &[IMAGES], &Device::flex()).map(|_| ())
    });
    loaded.unwrap_err().to_string()
}

#[test]
fn a_file_that_says_any_number_of_images_is_given_the_one_that_the_exporter_wrote_into_it() {
    let opened = |images: usize, operator: &str, settings: &[(&str, &[i64])]| {
        let (folder, mut d) = (tempfile::tempdir().unwrap(), Drawing::default());
        let (y, state) = (d.conv("x", &[4, 3, 3, 3], 2, 1, 1), d.weights(&[images, 4, 8, 8]));
        let y = d.set(operator, &[&y, &state], settings);
        d.opened(&y, None, folder.path()).map(|network| network.images).map_err(|error| error.to_string())
    };
    for images in [1, 2, 3, 16, 100] {
        assert_eq!(opened(images, "Concat", &[("axis", &[1])]), Ok(Some(images)));
    }
    assert_eq!(opened(1, "Add", &[]), Ok(None));
    let said = opened(2 * MOST_SHOWN, "Add", &[]).unwrap_err();
    assert!(said.contains("[images, 4, 8, 8] and [2048, 4, 8, 8]"), "{said}");
}

#[test]
fn numbers_of_types_that_are_not_read_are_refused() {
    let said = refusal(|d| {
        let (scale, zero) = (d.number(0.1), d.ones(21, &[]));
        let y = d.node("QuantizeLinear", &["x", &scale, &zero]);
        d.node("DequantizeLinear", &[&y, &scale])
    });
    assert!(said.contains("c1 is of type UINT4"), "{said}");
    let said = refusal(|d| {
        let (kernel, scale) = (d.ones(22, &[4, 3, 3, 3]), d.number(0.1));
        let kernel = d.node("DequantizeLinear", &[&kernel, &scale]);
        d.node("Conv", &["x", &kernel])
    });
    assert!(said.contains("graph.onnx: c0 is of type INT4"), "{said}");
    let said = refusal(|d| {
        let one = d.ones(17, &[]);
        let one = d.set("Cast", &[&one], &[("to", &[7])]);
        d.node("Add", &["x", &one])
    });
    assert!(said.contains("c0 is of type FLOAT8"), "{said}");
}

#[test]
fn borders_and_kernels_that_fit_nothing_are_refused() {
    // All of an axis cut away, and as much added at the other end.
    let said = refusal(|d| {
        let pads = d.whole(&[0, 0, -1000, 0, 0, 0, 1000, 0]);
        d.node("Pad", &["x", &pads])
    });
    assert!(said.contains("leave nothing of"), "{said}");
    // Over three axes, and of LambdaNet's kernels one with places between.
    for (kernel, steps) in [([4, 3, 3, 3, 3], [1, 1, 1]), ([4, 3, 3, 3, 1], [1, 2, 1])] {
        let said = refusal(|d| {
            let (kernel, x) = (d.weights(&kernel), d.reshaped("x", &[0, 3, 8, 8, 4]));
            d.set("Conv", &[&x, &kernel], &[("strides", &steps)])
        });
        assert!(said.contains("[images, 3, 8, 8, 4], of 5 axes, which this build has not"), "{said}");
    }
    // A kernel of lines on a map.
    let said = refusal(|d| {
        let kernel = d.weights(&[4, 3, 3]);
        d.node("Conv", &["x", &kernel])
    });
    assert!(said.contains("a kernel of [4, 3, 3] in 1 groups on 3 channels"), "{said}");
}

#[test]
fn poolings_of_windows_beside_the_map_are_refused() {
    for operator in ["MaxPool", "AveragePool"] {
        let pooled = |pads: &[i64], dilations: &[i64]| {
            let pads = pads.to_vec();
            refusal(|d| {
                let settings: &[(&str, &[i64])] =
                    &[("kernel_shape", &[2, 2]), ("strides", &[2, 2]), ("pads", &pads), ("dilations", dilations)];
                d.set(operator, &["x"], settings)
            })
        };
        let said = pooled(&[0, 2, 0, 0], &[1, 1]);
        assert!(said.contains("pads [0, 2, 0, 0], expected a value of the map in every window"), "{said}");
        // Larger than the map, and their number rounded up: by a whole step, there is none.
        let said = refusal(|d| {
            d.set(operator, &["x"], &[("kernel_shape", &[18, 2]), ("strides", &[2, 2]), ("ceil_mode", &[1])])
        });
        assert!(said.contains("a window of [18, 2] on a map of [16, 16]"), "{said}");
        // As many pixels as the graph is tried with images.
        let said = refusal(|d| {
            let x = d.set(operator, &["x"], &[("kernel_shape", &[6, 8])]);
            d.set(operator, &[&x], &[("kernel_shape", &[11, 13])])
        });
        assert!(said.contains("a window of [11, 13] on a map of [11, 9]"), "{said}");
        // A dilated window with one tap on either side of the map.
        let said = pooled(&[13, 0, 13, 0], &[18, 1]);
        assert!(said.contains("a window of [2, 2] by steps of [18, 1] on a map of [16, 16]"), "{said}");
    }
}

#[test]
fn a_bias_of_another_length_is_refused() {
    for (operator, kernel) in [("Conv", [4, 3, 3, 3]), ("ConvTranspose", [3, 4, 3, 3])] {
        let said = refusal(|d| {
            let (kernel, bias) = (d.weights(&kernel), d.weights(&[5]));
            d.node(operator, &["x", &kernel, &bias])
        });
        assert!(said.contains(&format!("{operator} (node \"node_v0\"): a bias of [5] for 4 outputs")), "{said}");
    }
}

#[test]
fn products_of_nothing_are_refused() {
    let said = refusal(|d| {
        let (start, axis, nothing) = (d.whole(&[16]), d.whole(&[3]), d.constant(vec![], &[0, 5]));
        let x = d.node("Slice", &["x", &start, &start, &axis]);
        d.node("MatMul", &[&x, &nothing])
    });
    assert!(said.contains("the product of [images, 3, 16, 0] and [0, 5]"), "{said}");
}

#[test]
fn a_recurrent_layer_of_no_steps_is_refused() {
    let said = refusal(|d| {
        let (rows, kernel, recurrent) = (d.weights(&[0, 2, 5]), d.weights(&[1, 12, 5]), d.weights(&[1, 12, 3]));
        let all = d.node("LSTM", &[&rows, &kernel, &recurrent]);
        d.nodes.last_mut().unwrap().output = vec![all, "last".to_string()];
        let last = d.reshaped("last", &[1, 6, 1, 1]);
        let map = d.conv("x", &[6, 3, 3, 3], 2, 1, 1);
        d.node("Add", &[&map, &last])
    });
    assert!(said.contains("an input of [0, 2, 5], in which there is nothing"), "{said}");
}

#[test]
fn a_column_is_no_bias_of_as_many_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let mut d = Drawing::default();
    let (x, weights, column) = (d.reshaped("x", &[12, 64]), d.weights(&[64, 12]), d.weights(&[12, 1]));
    let y = d.node("Gemm", &[&x, &weights, &column]);
    let said = d.opened(&y, Some(1), folder.path()).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("a bias of [12, 1] for 12 outputs"), "{said}");
}

#[test]
fn of_steps_only_those_that_are_known_are_taken() {
    let said = refusal(|d| {
        let (steps, scale) = (d.ones(3, &[4, 4]), d.constant(vec![0.5; 4], &[2, 2]));
        d.set("DequantizeLinear", &[&steps, &scale], &[("axis", &[1]), ("block_size", &[2])])
    });
    assert!(said.contains("scales of blocks"), "{said}");
    let quantised = |zero: fn(&mut Drawing) -> String, output: i64| {
        refusal(|d| {
            let (scale, zero) = (d.number(0.1), zero(d));
            let y = d.set("QuantizeLinear", &["x", &scale, &zero], &[("output_dtype", &[output])]);
            d.node("DequantizeLinear", &[&y, &scale])
        })
    };
    let said = quantised(
        |d| {
            let zero = d.ones(3, &[1]);
            d.reshaped(&zero, &[])
        },
        0,
    );
    assert!(said.contains("steps of a type that is not known, expected a stored zero point"), "{said}");
    let said = quantised(|d| d.whole(&[0]), 0);
    assert!(said.contains("steps of type INT64, expected INT8, UINT8, INT16 or UINT16"), "{said}");
    let said = quantised(|_| String::new(), 21);
    assert!(said.contains("steps of a type that is not known"), "{said}");
}

#[test]
fn an_axis_that_a_sum_begins_at_is_that_of_the_last_before_onnx_7() {
    let folder = tempfile::tempdir().unwrap();
    let sum = |axis: i64| {
        let mut d = Drawing::default();
        // As many channels as columns.
        let (y, bias) = (d.conv("x", &[SIZE, 3, 3, 3], 1, 1, 1), d.weights(&[SIZE]));
        let y = d.set("Add", &[&y, &bias], &[("broadcast", &[1]), ("axis", &[axis])]);
        d.saved(&y, folder.path());
        let mut model = Model::open(&folder.path().join("graph.onnx")).unwrap();
        model.opset = 6;
        let wiring = Wiring::new(model).unwrap();
        compile(&wiring, &input_shape(IMAGES, false, SIZE), None).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(sum(3), Ok(()));
    let said = sum(1).unwrap_err();
    assert!(said.contains("[16] from axis 1 of [3, 16, 16, 16] on, as before ONNX 7; export with opset 7"), "{said}");
}

#[test]
fn places_are_not_computed_with() {
    let said = refusal(|d| {
        let (place, two) = (d.set("ArgMax", &["x"], &[("axis", &[3])]), d.whole(&[2]));
        let place = d.node("Squeeze", &[&place]);
        d.node("Div", &[&place, &two])
    });
    assert!(said.contains("whole numbers computed from the images, are given to Div (node \"node_v2\")"), "{said}");
}

#[test]
fn a_dropout_in_training_mode_is_refused() {
    const REMEDY: &str = "in training mode, in which it drops values by chance; export the model in evaluation mode";
    let dropped = |ratio: f32| {
        let (folder, mut d) = (tempfile::tempdir().unwrap(), Drawing::default());
        let (y, ratio, training) = (d.conv("x", &[4, 3, 3, 3], 2, 1, 1), d.number(ratio), d.ones(9, &[]));
        let y = d.node("Dropout", &[&y, &ratio, &training]);
        d.opened(&y, None, folder.path()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(dropped(0.5).unwrap_err().contains(REMEDY));
    assert_eq!(dropped(0.0), Ok(()));
    // As it was set before ONNX 7.
    let set = |settings: &[(&str, &[i64])]| {
        let (folder, mut d) = (tempfile::tempdir().unwrap(), Drawing::default());
        let y = d.conv("x", &[4, 3, 3, 3], 2, 1, 1);
        let y = d.set("Dropout", &[&y], settings);
        d.saved(&y, folder.path());
        let mut model = Model::open(&folder.path().join("graph.onnx")).unwrap();
        model.opset = 6;
        let wiring = Wiring::new(model).unwrap();
        compile(&wiring, &input_shape(IMAGES, false, SIZE), None).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(set(&[("is_test", &[0])]).unwrap_err().contains(REMEDY));
    assert_eq!([set(&[("is_test", &[1])]), set(&[])], [Ok(()), Ok(())]);
}

/// A drawing whose last node is one of ONNX Runtime's, behind the tokens of the image.
fn runtimes(operator: &str, inputs: &[&str], settings: &[(&str, &[i64])]) -> String {
    refusal(|d| {
        let x = d.tokens("x");
        let inputs: Vec<&str> = inputs.iter().map(|&input| if input == "x" { &x[..] } else { input }).collect();
        let y = d.set(operator, &inputs, settings);
        if operator != "Attention" {
            d.nodes.last_mut().unwrap().domain = "com.microsoft".to_string();
        }
        y
    })
}

#[test]
fn of_fused_operators_only_what_is_computed_is_taken() {
    let heads: &[(&str, &[i64])] = &[("num_heads", &[3])];
    let said = runtimes("MultiHeadAttention", &["x", "x", "x", "", "mask"], heads);
    assert!(said.contains("MultiHeadAttention (node \"node_v3\"): input 4 (mask), which this build has not"), "{said}");
    let said = runtimes("MultiHeadAttention", &["x", "x", "x"], &[("num_heads", &[3]), ("unidirectional", &[1])]);
    assert!(said.contains("unidirectional is set"), "{said}");
    let said = runtimes("MultiHeadAttention", &["x"], heads);
    assert!(said.contains("input 1 is missing"), "{said}");
    let (queries, keys): (&[i64], &[i64]) = (&[4], &[2]);
    let said = runtimes("Attention", &["x", "x", "x"], &[("q_num_heads", queries), ("kv_num_heads", keys)]);
    assert!(said.contains("other numbers of heads"), "{said}");
    let said = runtimes("NhwcMaxPool", &["x"], &[]);
    assert!(said.contains("com.microsoft::NhwcMaxPool"), "{said}");
    // A mask of whole numbers, of which nothing says what they are.
    let said = refusal(|d| {
        let (x, mask) = (d.tokens("x"), d.whole(&[1; 16]));
        d.set("Attention", &[&x, &x, &x, &mask], &[("q_num_heads", &[3]), ("kv_num_heads", &[3])])
    });
    assert!(said.contains("Attention (node \"node_v3\"): a mask of whole numbers, expected truth values"), "{said}");
    // A query without a key.
    let said = refusal(|d| {
        let (x, mask) = (d.tokens("x"), d.whole(&(0..256).map(|n| i64::from(n / 16 != 3)).collect::<Vec<_>>()));
        let mask = d.set("Cast", &[&mask], &[("to", &[9])]);
        let mask = d.reshaped(&mask, &[16, 16]);
        d.set("Attention", &[&x, &x, &x, &mask], &[("q_num_heads", &[3]), ("kv_num_heads", &[3])])
    });
    assert!(said.contains("a mask that hides all keys from a query"), "{said}");
}

#[test]
fn what_is_refused_says_what_to_take_instead() {
    let said = refusal(|d| d.node("ConvInteger", &["x"]));
    assert!(said.contains("has not: ConvInteger (node \"node_v0\"); it was quantised"), "{said}");
    for operator in ["If", "SplitToSequence"] {
        let said = refusal(|d| d.node(operator, &["x"]));
        assert!(
            said.contains(
                "writes no branches and lists where it optimizes: torch.onnx.export(…, dynamo=True, optimize=True)"
            ),
            "{said}"
        );
    }
    let said = refusal(|d| d.node("Erfc", &["x"]));
    assert!(said.ends_with("export it on PyTorch (KERAS_BACKEND=torch)"), "{said}");
    let said = refusal(|d| d.node("NonMaxSuppression", &["x"]));
    assert!(said.contains("layers before them can be had: cut the file behind the last that you want"), "{said}");
    let said = runtimes("QLinearAdd", &["x"], &[]);
    assert!(said.contains("or quantise that as QDQ"), "{said}");
    let said = refusal(|d| {
        let y = d.node("Conv", &["x"]);
        d.nodes[0].domain = "com.microsoft.nchwc".to_string();
        y
    });
    assert!(said.contains("com.microsoft.nchwc::Conv (node \"node_v0\"); ONNX Runtime wrote it for one CPU"), "{said}");
    assert!(!runtimes("NhwcMaxPool", &["x"], &[]).contains(';'));
}

#[test]
fn images_that_nobody_counted_are_called_images() {
    let said = refusal(|d| {
        let x = d.tokens("x");
        let x = d.reshaped(&x, &[0, 16, 2, 3, 2]);
        d.node("GlobalMaxPool", &[&x])
    });
    assert!(said.contains("[images, 16, 2, 3, 2], expected [images, channels, height, width]"), "{said}");
}
