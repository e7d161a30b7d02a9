//! Parses the command line, calls the library, prints the error chain once.

use std::process::ExitCode;

use clap::Parser;

use semgpu::progress::say;

mod cli;

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
