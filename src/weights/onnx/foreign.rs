//! What a file is that is no ONNX model, and what makes one of it.

use std::path::Path;

use crate::files;
use crate::weights::{self, keras, pytorch, safetensors};
use crate::wording::shell;

/// What TensorFlow Lite's files have behind four bytes.
const LITE: &[u8] = b"TFL3";
/// What a SavedModel begins with: the version of its schema, 1, then its graphs.
const SAVED_MODEL: &[u8] = &[0x08, 1, 0x12];
/// What a frozen graph begins with: a node. ONNX's models of before the ending `.onnx` begin with their version.
const NODE: u8 = 0x0a;

/// What the file at `path` is, what was expected and what to do; none if it is of nothing known.
pub fn told(path: &Path, bytes: &[u8]) -> Option<String> {
    let file = shell(&path.to_string_lossy());
    let expected = |found: &str, remedy: String| Some(format!("{found}, expected an ONNX model; {remedy}"));
    let convert = |found: &str, what: String| {
        expected(found, format!("convert it: python -m tf2onnx.convert {what} --output model.onnx"))
    };
    if bytes.get(4..).is_some_and(|rest| rest.starts_with(LITE)) {
        return convert("a model of TensorFlow Lite", format!("--tflite {file}"));
    }
    if bytes.starts_with(SAVED_MODEL) {
        let folder = files::folder(path).to_string_lossy();
        return convert("a SavedModel of TensorFlow", format!("--saved-model {}", shell(&folder)));
    }
    if files::ending(path) == "pb" && bytes.first() == Some(&NODE) {
        let what = format!("--graphdef {file} --inputs INPUT:0 --outputs OUTPUT:0");
        return convert("a frozen graph, as of TensorFlow", what);
    }
    let format = weights::format(path).ok()?.name;
    let export = if [keras::ARCHIVE.name, keras::HDF5.name].contains(&format) {
        "load the model in Keras 3 and export it: model.export(\"model.onnx\", format=\"onnx\")"
    } else if [pytorch::FORMAT.name, safetensors::FORMAT.name].contains(&format) {
        "load the model in Python and export it: torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), \"model.onnx\")"
    } else {
        return None;
    };
    let built_in = "weights of a network that semgpu layers lists are read by network.name and network.weights";
    expected(&format!("of the format {format}"), format!("{export}; {built_in}"))
}

#[cfg(test)]
mod tests {
    use super::super::model::Model;
    use super::shell;
    use crate::weights::fixtures;

    #[test]
    fn files_of_other_programs_are_told_with_what_converts_them() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Model::open(&path).err().unwrap().to_string()
        };
        // A SavedModel's graph, and a frozen one: a node x of the operator Const.
        let node = b"\x0a\x0a\x0a\x01x\x12\x05Const";
        for (name, bytes, what) in [
            ("saved_model.pb", &b"\x08\x01\x12\x05\x0a\x03\x1a\x01x"[..], "a SavedModel of TensorFlow"),
            ("frozen.pb", node, "--graphdef"),
            ("mobile.tflite", b"\x1c\0\0\0TFL3\x14\0\x20\0", "--tflite"),
        ] {
            let said = said(name, bytes);
            assert!(
                said.contains(what) && said.contains("expected an ONNX model; convert it: python -m tf2onnx"),
                "{said}"
            );
        }
        let folder_of_it = format!("--saved-model {} --output", shell(&folder.path().to_string_lossy()));
        assert!(said("saved_model.pb", b"\x08\x01\x12\0").contains(&folder_of_it));
        for (name, what) in [
            ("tiny.pth", "torch.onnx.export("),
            ("tiny_legacy.pth", "torch.onnx.export("),
            ("tiny.safetensors", "torch.onnx.export("),
            ("tiny.keras", "model.export("),
        ] {
            let said = said(name, &fixtures::bytes(name));
            assert!(said.contains(what) && said.contains("network.name and network.weights"), "{said}");
        }
        let damaged = said("network.onnx", b"\x08\x07\x12\x07py");
        assert!(damaged.contains("not a whole ONNX model; copy or download it again"), "{damaged}");
    }
}
