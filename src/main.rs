//! Parses the command line, calls the library, prints the error chain once.

use std::process::ExitCode;

use clap::Parser;

use semgpu::progress::say;

mod cli;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    match cli::call(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", cli::chain(&error)));
            ExitCode::from(error.exit_code())
        }
    }
}
