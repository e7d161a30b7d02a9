//! Memory that ends the program with an error, not by a signal, where the system has no more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;

/// The system's memory; where it has no more, the process ends with an error and exit code 1.
pub struct Memory;

// SAFETY: every call is the system's.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        there(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller's.
        there(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller's.
        there(unsafe { System.realloc(at, layout, size) }, size)
    }
}

#[inline]
fn there(at: *mut u8, bytes: usize) -> *mut u8 {
    if at.is_null() {
        end(bytes);
    }
    at
}

#[cold]
fn end(bytes: usize) -> ! {
    let remedy = "finished layers are kept; free memory, or use fewer images at once (run.memory) or threads";
    // Formatting numbers takes no memory.
    let _ = writeln!(std::io::stderr(), "error: no memory for {bytes} bytes more: {remedy}");
    std::process::exit(1)
}
