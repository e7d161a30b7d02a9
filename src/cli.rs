//! The command line, for the program and for Python's `semgpu`; decides nothing.

mod concepts;
mod examples;
mod halves;
mod inspect;
mod memory;
mod queries;
mod quickstart;
mod run;
mod shards;
mod sweep;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::named;
use crate::error::Error;
use crate::files;
use crate::progress::{Progress, Verbosity, say};
use crate::record::RunRecord;
use crate::report::Style;
use crate::results::{ClaimError, Results, ResultsDir, check_files, write_atomically};
use crate::{compare, export, plan, report};

use concepts::Concepts;
use halves::{Similarity, Test};
use inspect::Inspect;
pub use memory::{Memory, hear_of_limits};
use queries::{Bench, Layers};
use quickstart::Quickstart;
use run::Run;
use shards::{Cutting, Merge, Shard, Status};

/// Do the layers of an image network gather the semantics that word vectors learn from text?
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = examples::FIRST)]
struct Cli {
    /// Errors only
    #[arg(short, long, global = true, display_order = 996)]
    quiet: bool,
    /// Timings and memory of every stage
    #[arg(short, long, global = true, conflicts_with = "quiet", display_order = 997)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[cfg(test)]
mod tests;

#[derive(Subcommand)]
enum Command {
    /// The experiment that the program carries in itself: half a minute to the first curve, no files needed
    #[command(after_help = examples::QUICKSTART)]
    Quickstart(Quickstart),
    /// Writes that experiment out as a start of your own: configuration, manifest, images, vectors, weights
    #[command(after_help = examples::INIT)]
    Init {
        /// Where to
        #[arg(value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// The whole experiment of a configuration file
    #[command(after_help = examples::RUN)]
    Run(Run),
    /// Cuts experiments into pieces for many machines; writes tables of commands, one a line
    Shards(Cutting),
    /// Computes one piece of an experiment that `semgpu shards` cut
    Shard(Shard),
    /// Puts the pieces of an experiment together: the results of `semgpu run`, to the byte
    Merge(Merge),
    /// Which pieces of experiments are done
    Status(Status),
    /// Draws the figures again from the results in a directory
    Plot {
        /// Directory of an earlier run
        directory: PathBuf,
        /// Figures with title and notes, or without, for a caption of your own; the page has both
        #[arg(long, default_value = "full", value_parser = named::<Style>, value_name = "full|plain")]
        style: Style,
    },
    /// Chooses concepts: classes whose name is in every vocabulary, and images of them by chance; writes the manifest
    #[command(after_help = examples::CONCEPTS)]
    Concepts(Concepts),
    /// The layers of a network: name, figure label, shape, units
    #[command(after_help = examples::LAYERS)]
    Layers(Layers),
    /// A weights or word-vectors file: what is in it, what maps where, what is missing
    #[command(after_help = examples::INSPECT)]
    Inspect(Inspect),
    /// CPU against GPU: every kernel, and with a configuration every stage; validated first
    Bench(Bench),
    /// Features that another program computed -> similarity matrices
    #[command(after_help = examples::SIMILARITY)]
    Similarity(Similarity),
    /// Similarity matrices of words and images -> the 2 vs. 2 test, its tables and figures
    #[command(after_help = examples::TEST)]
    Test(Test),
    /// A run's similarity matrices as rsatoolbox's RDMs, in one file
    Export {
        /// Directory of an earlier run
        directory: PathBuf,
        /// The file to write, .h5
        #[arg(long, value_name = "RDMS.h5")]
        out: PathBuf,
    },
    /// Finished runs side by side: curves on one axis, paired tests of their differences, a page of both
    #[command(after_help = examples::COMPARE)]
    Compare(compare::Request),
    /// Graphics adapters, their limits, and which one `auto` takes
    Devices {
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// A shell's completions of these commands, on stdout
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The configuration's JSON Schema on stdout, by which editors complete and check it
    #[command(after_help = examples::SCHEMA)]
    Schema,
    /// The manual page on stdout; into a folder, one page for each command too
    Man {
        /// Where the pages go
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

/// Carries out a command line, the program's name first; returns the exit code. Wrong usage ends the process at once.
pub fn main(arguments: &[OsString]) -> u8 {
    let called = arguments.first().map_or(Path::new("semgpu"), Path::new);
    match call(Cli::parse_from(arguments), called) {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("error: {}", chain(&error)));
            error.exit_code()
        }
    }
}

/// Keeps to themselves what Mesa and libwayland say of their surroundings on every start.
///
/// # Safety
/// As [`std::env::set_var`]: no other thread may look at the environment meanwhile.
pub unsafe fn quieten_drivers() {
    let set = |name, value: &OsStr| {
        // SAFETY: as the caller's.
        unsafe { std::env::set_var(name, value) };
    };
    if std::env::var_os("MESA_VK_IGNORE_CONFORMANCE_WARNING").is_none() {
        set("MESA_VK_IGNORE_CONFORMANCE_WARNING", "true".as_ref());
    }
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        set("XDG_RUNTIME_DIR", std::env::temp_dir().as_os_str());
    }
}

fn call(cli: Cli, called: &Path) -> Result<(), Error> {
    let verbosity = match (cli.quiet, cli.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let progress = Progress::new(verbosity);
    stop_on_ctrl_c(&progress);
    let of_run = matches!(
        cli.command,
        Command::Quickstart(_) | Command::Run(_) | Command::Shards(_) | Command::Shard(_) | Command::Merge(_)
    );
    memory::OF_RUN.store(of_run, Ordering::Relaxed);
    match cli.command {
        Command::Quickstart(arguments) => quickstart::quickstart(arguments, &progress),
        Command::Init { directory } => quickstart::init(&directory, &progress),
        Command::Run(arguments) => run::run(arguments, &progress),
        Command::Shards(arguments) => shards::cut(arguments, called, &progress),
        Command::Shard(arguments) => shards::shard(arguments, &progress),
        Command::Merge(arguments) => shards::merge(arguments, &progress),
        Command::Status(arguments) => shards::status(arguments),
        Command::Plot { directory, style } => plot(directory, style, &progress),
        Command::Concepts(arguments) => concepts::choose(arguments, &progress),
        Command::Layers(arguments) => queries::layers(&arguments, &progress),
        Command::Inspect(arguments) => inspect::inspect(&arguments, &progress),
        Command::Bench(arguments) => queries::bench(arguments, &progress),
        Command::Similarity(arguments) => halves::similarity(arguments, &progress),
        Command::Test(arguments) => halves::test(arguments, &progress),
        Command::Export { directory, out } => {
            export::rdms(&directory, &out, &progress)?;
            print(out.display());
            Ok(())
        }
        Command::Compare(request) => {
            print(compare::compare(&request, &progress)?.display());
            Ok(())
        }
        Command::Devices { json } => queries::devices(json),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "semgpu", &mut text);
            print(String::from_utf8_lossy(&text).trim_end());
            Ok(())
        }
        Command::Schema => {
            print(format!("{:#}", crate::config::json_schema()));
            Ok(())
        }
        Command::Man { directory } => manual(directory.as_deref()),
    }
}

fn manual(directory: Option<&Path>) -> Result<(), Error> {
    let Some(directory) = directory else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(Error::failed)?;
        print(String::from_utf8_lossy(&text).trim_end());
        return Ok(());
    };
    let mut all = Cli::command().disable_help_subcommand(true);
    all.build();
    let pages = all.get_subcommands().chain([&all]).cloned().map(clap_mangen::Man::new);
    let pages: Vec<_> = pages.map(|page| (directory.join(page.get_filename()), page)).collect();
    check_files(&pages.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), &[])?;
    if let Some((path, _)) = pages.iter().find(|(path, _)| path.exists() && !is_page(path)) {
        return Err(ClaimError::NotOurs(path.clone()).into());
    }
    for (path, page) in pages {
        write_atomically(&path, |file| page.render(file)).map_err(Error::failed)?;
    }
    print(directory.display());
    Ok(())
}

/// Whether a file is the page of the manual that its name says.
fn is_page(path: &Path) -> bool {
    let title = format!(".TH {} ", path.file_stem().unwrap_or_default().to_string_lossy());
    files::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.starts_with(&title)))
}

/// The figures of a run or a sweep, drawn again.
fn plot(directory: PathBuf, style: Style, progress: &Progress) -> Result<(), Error> {
    if let Some(paths) = crate::sweep::plot(&directory, style, progress)? {
        paths.iter().for_each(|path| print(path.display()));
        return Ok(());
    }
    let of_run = ResultsDir::new(&directory);
    if of_run.holds_comparison() {
        return Err(Error::input(compare::CompareError::Drawn(directory)));
    }
    let results = Results::read(&directory).map_err(Error::input)?;
    let _writing = progress.interrupt.writing();
    let _claim = of_run.lock("plot")?;
    let altered = RunRecord::read(&of_run).ok().flatten().and_then(|record| record.altered(&of_run));
    progress.warn(&altered);
    for path in report::write_figures(&results, style, altered, &directory, progress)? {
        print(path.display());
    }
    Ok(())
}

/// The message and its causes, each once.
pub fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text + remedy(error)
}

/// What helps where the system said what it refused, and no more.
fn remedy(error: &Error) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                return "; free space, and the same command goes on";
            }
            Some(ErrorKind::FileTooLarge) => {
                return "; allow larger files (ulimit -f, the file system), and the same command goes on";
            }
            Some(ErrorKind::PermissionDenied) if cfg!(windows) => {
                return "; where another program has it open, close it, and the same command goes on";
            }
            Some(ErrorKind::IsADirectory) => return "; name a file in it",
            Some(ErrorKind::NotADirectory) => return "; a file stands where a folder is expected",
            _ => cause = error.source(),
        }
    }
    ""
}

/// Starts the threads of the CPU, once: of several files the first says how many. Those that the plan will refuse are not
/// started.
fn use_threads(threads: Option<NonZeroUsize>) -> Result<(), Error> {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if STARTED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let threads = threads.filter(|threads| threads.get() <= plan::MOST_THREADS).map_or(0, NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(Error::failed)
}

/// `--threads`
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= plan::MOST_THREADS);
    threads.ok_or_else(|| format!("expected 1 to {}", plan::MOST_THREADS))
}

/// Ctrl-C and SIGTERM end what only reads at once. Where something is written, the first lets the batch end and keeps what
/// is finished, the second ends at once.
fn stop_on_ctrl_c(progress: &Progress) {
    let interrupt = progress.interrupt.clone();
    let handler = move || {
        if interrupt.stopped() || !interrupt.writes() {
            std::process::exit(130);
        }
        interrupt.stop();
        say("stopping after this batch; again to stop at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        progress.line(format!("Ctrl-C will stop at once ({error})"));
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    print(serde_json::to_string_pretty(value).map_err(Error::failed)?);
    Ok(())
}

/// A line of results. A reader that has gone away (`| head`) is no error; results that are lost otherwise are.
fn print(line: impl Display) {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            say(&format!("error: stdout: {error}"));
            std::process::exit(1)
        }
    }
}
