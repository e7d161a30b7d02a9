//! The program: its memory and its command line, both of the library.

use std::process::ExitCode;

use semgpu::cli;

#[global_allocator]
static MEMORY: cli::Memory = cli::Memory;

fn main() -> ExitCode {
    // SAFETY: there is no other thread yet.
    unsafe { cli::quieten_drivers() };
    cli::hear_of_limits();
    ExitCode::from(cli::main(&std::env::args_os().collect::<Vec<_>>()))
}
