//! Parses the command line, calls the library, prints the error chain once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use semgpu::progress::say;

mod cli;

/// The system's memory; where it has no more, the program ends with an error and not by a signal.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

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

fn main() -> ExitCode {
    quieten_drivers();
    let arguments = cli::Cli::parse();
    match cli::call(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", cli::chain(&error)));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Keeps to themselves what Mesa and libwayland say of their surroundings on every start.
fn quieten_drivers() {
    let set = |name, value: &std::ffi::OsStr| {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var(name, value) };
    };
    if std::env::var_os("MESA_VK_IGNORE_CONFORMANCE_WARNING").is_none() {
        set("MESA_VK_IGNORE_CONFORMANCE_WARNING", "true".as_ref());
    }
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        set("XDG_RUNTIME_DIR", std::env::temp_dir().as_os_str());
    }
}
