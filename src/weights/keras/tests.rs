use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::weights::fixtures::{assert_holds, bytes, open, refusal};

/// The tensors of the `tiny` files, counted anew from 1: they were conv2d_9 and conv2d_10, of the same classes.
const TINY: [(&str, &[usize]); 15] = [
    ("conv2d_1/kernel", &[3, 3, 3, 4]),
    ("conv2d_1/bias", &[4]),
    ("batch_normalization_1/beta", &[4]),
    ("batch_normalization_1/moving_mean", &[4]),
    ("batch_normalization_1/moving_variance", &[4]),
    ("conv2d_2/kernel", &[1, 1, 4, 4]),
    ("batch_normalization_2/gamma", &[4]),
    ("batch_normalization_2/beta", &[4]),
    ("batch_normalization_2/moving_mean", &[4]),
    ("batch_normalization_2/moving_variance", &[4]),
    ("dw/kernel", &[3, 3, 4, 1]),
    ("fc1/kernel", &[4, 5]),
    ("fc1/bias", &[5]),
    ("dense_1/kernel", &[5, 2]),
    ("dense_1/bias", &[2]),
];

#[test]
fn every_layout_of_keras_loads_to_the_same_tensors() {
    for file in [
        "tiny.weights.h5",
        "tiny.keras",
        "tiny_unnamed.keras",
        "tiny_trained.keras",
        "tiny_whole.h5",
        "tiny_only.h5",
        "tiny_keras1.h5",
        "tiny_types.h5",
    ] {
        assert_holds(file, &TINY, &[]);
    }
}

#[test]
fn keras_2_calls_a_depthwise_kernel_so() {
    let tensors = TINY.map(|(name, shape)| (if name == "dw/kernel" { "dw/depthwise_kernel" } else { name }, shape));
    assert_holds("tiny_keras2.h5", &tensors, &[]);
}

#[test]
fn layers_without_names_keep_their_place() {
    let tensors: [(&str, &[usize]); 15] = [
        ("layers/conv2d/vars/0", &[3, 3, 3, 4]),
        ("layers/conv2d/vars/1", &[4]),
        ("layers/batch_normalization/vars/0", &[4]),
        ("layers/batch_normalization/vars/1", &[4]),
        ("layers/batch_normalization/vars/2", &[4]),
        ("layers/conv2d_1/vars/0", &[1, 1, 4, 4]),
        ("layers/batch_normalization_1/vars/0", &[4]),
        ("layers/batch_normalization_1/vars/1", &[4]),
        ("layers/batch_normalization_1/vars/2", &[4]),
        ("layers/batch_normalization_1/vars/3", &[4]),
        ("layers/depthwise_conv2d/vars/0", &[3, 3, 4, 1]),
        ("layers/dense/vars/0", &[4, 5]),
        ("layers/dense/vars/1", &[5]),
        ("layers/dense_1/vars/0", &[5, 2]),
        ("layers/dense_1/vars/1", &[2]),
    ];
    assert_holds("tiny_unnamed.weights.h5", &tensors, &[]);
}

#[test]
fn models_inside_models_are_flattened() {
    let tensors: [(&str, &[usize]); 6] = [
        ("block1/kernel", &[1, 1, 3, 4]),
        ("block1/bias", &[4]),
        ("block2/kernel", &[3, 3, 4, 4]),
        ("block2/bias", &[4]),
        ("head/kernel", &[144, 2]),
        ("head/bias", &[2]),
    ];
    assert_holds("nested.h5", &tensors, &[]);
    assert_holds("nested.keras", &tensors, &[]);
}

#[test]
fn a_head_is_behind_the_model_that_it_is_of() {
    let archive = bytes("nested.keras");
    let tensors = open(&archive).unwrap().tensors();
    let shapes: Vec<&[usize]> = tensors.iter().map(|(_, shape)| shape.as_slice()).collect();
    assert_eq!(shapes[4..], [&[144, 2][..], &[2]], "{tensors:?}");
    // Without its configuration.
    let mut weights = Vec::new();
    let mut archived = zip::ZipArchive::new(Cursor::new(&archive)).unwrap();
    archived.by_name(WEIGHTS_MEMBER).unwrap().read_to_end(&mut weights).unwrap();
    let said = refusal(&weights);
    assert!(
        said.contains(": layers/dense may stand before layers/functional") && said.ends_with("as .keras"),
        "{said}"
    );
    assert!(!said.contains("download"), "{said}");
}

#[test]
fn layers_that_are_attributes_of_a_class_are_in_no_order() {
    use hdf5_writer::{DatasetBuilder, Hdf5Builder, WriteOptions};
    let file = |names: &[&str]| {
        let kernel = |name: &str| DatasetBuilder::typed_data(name, vec![2, 1], &[0.5_f32, 1.5]).unwrap();
        let file = names.iter().fold(Hdf5Builder::new(), |file, name| file.dataset(kernel(name)));
        file.into_plan().unwrap().encode(WriteOptions::default()).unwrap()
    };
    for names in [&["base/layers/conv2d/vars/0", "layers/dense/vars/0"][..], &["base/vars/0"]] {
        let said = refusal(&file(names));
        assert!(said.contains("layers are attributes of its class (base)"), "{said}");
    }
    let trained = open(&file(&["layers/dense/vars/0", "metrics/mean/vars/0", "optimizer/vars/0"])).unwrap();
    assert_eq!(trained.tensors(), [("layers/dense/vars/0".to_string(), vec![2, 1])]);
}

#[test]
fn bfloat16_is_widened() {
    assert_holds("bfloat16.weights.h5", &[("dense_b/kernel", &[3, 2]), ("dense_b/bias", &[2])], &[]);
}

#[test]
fn long_lists_of_layers_come_in_parts_and_names_may_hold_slashes() {
    assert_holds("split.h5", &[("a/first/kernel", &[3, 2]), ("second/kernel", &[2, 3])], &[]);
}

#[test]
fn odd_files_are_refused() {
    let message = refusal(&bytes("odd_cycle.weights.h5"));
    assert!(message.contains("layers/conv2d/again: groups inside each other"), "{message}");
    let message = refusal(&bytes("odd_theano.h5"));
    assert!(message.contains("kernels are rotated by 180 degrees"), "{message}");
    // A model that is no list of layers keeps them elsewhere.
    for (name, other, expected) in [
        (b"layers", b"stages", "layers are attributes of its class (stages)"),
        (b"\0vars\0", b"\0wars\0", "no layers with weights"),
    ] {
        let mut bytes = bytes("tiny.weights.h5");
        let places: Vec<usize> = (0..bytes.len() - 6).filter(|&at| bytes[at..at + 6] == *name).collect();
        places.iter().for_each(|&at| bytes[at..at + 6].copy_from_slice(other));
        let message = refusal(&bytes);
        assert!(message.contains(expected) && !message.contains("download"), "{message}");
    }
    // Four terabytes: announced, but no memory is taken.
    let mut sparse = open(&bytes("odd_sparse.h5")).unwrap();
    assert_eq!(sparse.tensors(), [("conv/kernel".to_string(), vec![1 << 20, 1 << 20])]);
    assert!(matches!(sparse.read("conv/kernel"), Err(WeightsError::Unreadable { .. })));
}

#[test]
fn weight_names_of_all_releases_say_the_variable() {
    for (weight, variable) in [
        ("conv/kernel:0", "kernel"),
        ("conv/kernel", "kernel"),
        ("base/conv_1/bias:0", "bias"),
        ("conv_W_1:0", "kernel"),
        ("conv_b_1:0", "bias"),
        ("conv_W", "kernel"),
        ("conv_gamma_3:0", "gamma"),
        ("conv_running_mean_1:0", "moving_mean"),
        ("conv_running_std_1:0", "moving_variance"),
        ("conv/moving_variance:0", "moving_variance"),
        ("conv/depthwise_kernel:0", "depthwise_kernel"),
        ("conv/count:0", "count"),
    ] {
        assert_eq!(names::variable("conv", weight), variable, "{weight}");
    }
}

#[test]
fn batch_normalisation_is_told_by_its_configuration() {
    let names = |ranks: &[usize], uncentred| names::by_position("batch_normalization", ranks, uncentred);
    assert_eq!(names(&[1, 1, 1], false), ["beta", "moving_mean", "moving_variance"]);
    assert_eq!(names(&[1, 1, 1], true), ["gamma", "moving_mean", "moving_variance"]);
    assert_eq!(names(&[1, 1], true), ["moving_mean", "moving_variance"]);
    assert_eq!(names::by_position("my_layer", &[1, 3, 0], false), ["0", "1", "2"]);
}

/// An archive with these members.
fn zipped(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn a_damaged_member_is_found_by_its_checksum() {
    for name in ["tiny.keras", "tiny_unnamed.keras"] {
        let mut bytes = bytes(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let message = refusal(&bytes);
        assert!(message.contains("cannot be read as Keras .keras; copy or download it again"), "{message}");
    }
}

#[test]
fn files_of_other_content_are_refused() {
    let message = refusal(&zipped(&[("config.json", b"{}"), (WEIGHTS_MEMBER, b"no HDF5")], CompressionMethod::Stored));
    assert!(message.contains("cannot be read as Keras .keras"), "{message}");
    let weights = bytes("tiny.weights.h5");
    let message = refusal(&zipped(&[(WEIGHTS_MEMBER, &weights)], CompressionMethod::Stored));
    assert!(message.contains("config.json") || message.contains("not found"), "{message}");
    let message = refusal(&zipped(&[("config.json", b"{"), (WEIGHTS_MEMBER, &weights)], CompressionMethod::Stored));
    assert!(message.contains("config.json: "), "{message}");
    let message = refusal(b"\x89HDF\r\n\x1a\n");
    assert!(message.contains("cannot be read as Keras .h5/.weights.h5"), "{message}");
}

#[test]
fn compressed_weights_may_be_anywhere_in_the_archive() {
    let members = [(WEIGHTS_MEMBER, bytes("tiny.weights.h5")), ("config.json", b"{}".to_vec())];
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let archive = zipped(&members.each_ref().map(|(name, bytes)| (*name, bytes.as_slice())), method);
        let mut file = open(&archive).unwrap();
        assert_eq!(file.tensors().len(), TINY.len());
        assert_eq!(file.read("dense_1/bias").unwrap(), crate::weights::fixtures::values(14, 2));
    }
}
