//! The fuzzer of the reader that `SEMGPU_FUZZ_READER` names.
#![no_main]

mod readers;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::LazyLock;

use readers::{READERS, Reader};

/// More in one piece is a finding: the files are of 64 KB at most.
const MOST_BYTES: usize = 1 << 30;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));
static READER: LazyLock<&Reader> = LazyLock::new(|| {
    let name = std::env::var("SEMGPU_FUZZ_READER").unwrap_or_default();
    let names = READERS.iter().map(|reader| reader.name).collect::<Vec<_>>().join(", ");
    let found = READERS.iter().find(|reader| reader.name == name);
    found.unwrap_or_else(|| panic!("SEMGPU_FUZZ_READER={name:?}, expected one of {names}"))
});

/// The system's, which ends the process before it gives more than [`MOST_BYTES`] in one piece.
struct Bounded;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fn check(bytes: usize) {
    if bytes > MOST_BYTES {
        eprintln!("{bytes} bytes asked for in one piece");
        std::process::abort();
    }
}

// SAFETY: as `System`, which gets every call.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        check(bytes);
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| READER.read(FOLDER.path(), bytes));
