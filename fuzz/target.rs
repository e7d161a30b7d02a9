//! The fuzzer of the reader that the program is called after.
#![no_main]

mod readers;

use std::sync::LazyLock;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let name = env!("CARGO_BIN_NAME");
    let reader = readers::READERS.iter().find(|reader| reader.name == name).expect("a reader of that name");
    reader.read(FOLDER.path(), bytes);
});
