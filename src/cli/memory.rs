//! Memory, and files, that end the program with an error, not by a signal, where the system has or lets no more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the command has options of what it holds at once, and keeps what is finished.
pub(super) static OF_RUN: AtomicBool = AtomicBool::new(false);

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
    let remedy = match OF_RUN.load(Ordering::Relaxed) {
        true => "finished layers are kept; free memory, or use fewer images at once (run.memory) or threads",
        false => "free memory, or give the process more, then the same command again",
    };
    // Formatting numbers takes no memory.
    let _ = writeln!(std::io::stderr(), "error: no memory for {bytes} bytes more: {remedy}");
    std::process::exit(1)
}

/// Makes a file that would grow past the user's limit (`ulimit -f`) the error of its write, not a signal that ends the process
/// without a word.
pub fn hear_of_limits() {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        unsafe extern "C" {
            fn signal(signal: i32, handler: usize) -> usize;
        }
        const SIGXFSZ: i32 = 25;
        const SIG_IGN: usize = 1;
        // SAFETY: POSIX's function with POSIX's values; nothing of ours runs on the signal.
        unsafe { signal(SIGXFSZ, SIG_IGN) };
    }
}
