//! ONNX files at the command line.

use std::fs::File;

use flate2::read::GzDecoder;

use crate::{fail, root, succeed};

#[test]
fn an_onnx_file_is_inspected_and_refused_under_another_form() {
    let folder = tempfile::tempdir().unwrap();
    // ResNet50 as PyTorch exports it, without its values.
    let golden = root().join("tests/golden/onnx/resnet50.torchvision.legacy.onnx.gz");
    let path = folder.path().join("resnet50.onnx");
    std::io::copy(&mut GzDecoder::new(File::open(golden).unwrap()), &mut File::create(&path).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let said = fail(&["inspect", path], 2);
    assert!(said.contains("keeps its weights in another file") && said.contains("zeros"), "{said}");

    File::create(folder.path().join("zeros")).unwrap().set_len(1 << 24).unwrap();
    let listed = String::from_utf8(succeed(&["inspect", path]).stdout).unwrap();
    assert!(listed.contains("layer1.0.conv1.weight  [64, 64, 1, 1]"), "{listed}");

    let network = ["inspect", path, "--network", "resnet50", "--form", "torchvision"];
    let listed = String::from_utf8(succeed(&network).stdout).unwrap();
    assert!(listed.contains("stage2.block1.conv1.weight   <- layer1.0.conv1.weight  as it is\n"), "{listed}");
    assert!(listed.contains("batch normalization folded"), "{listed}");

    let said = fail(&["inspect", path, "--network", "resnet50"], 2);
    assert!(said.contains("set form = \"torchvision\""), "{said}");
}
