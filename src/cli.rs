//! The commands; decides nothing.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use semgpu::config::{Bytes, Config};
use semgpu::device::{self, Choice};
use semgpu::error::Error;
use semgpu::plan::Plan;
use semgpu::progress::{Progress, Verbosity};
use semgpu::results::{self, Results};
use semgpu::weights::Assignment;
use semgpu::{bench, nets, pipeline, report, weights};

/// Do the layers of a convolutional network gather the semantics that word vectors learn from text?
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// Errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Timings and memory of every stage
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole experiment of a configuration file
    Run(Run),
    /// Draws the figures again from the results in a directory
    Plot {
        /// Directory of an earlier run
        directory: PathBuf,
    },
    /// The layers of a network: name, figure label, shape, units
    Layers {
        /// The network; all networks if absent
        network: Option<String>,
        /// A published graph of the network
        #[arg(long)]
        form: Option<String>,
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// A weights file: what is in it, what maps where, what is missing
    Inspect {
        /// The weights file
        file: PathBuf,
        /// Accounts for every parameter of this network
        #[arg(long)]
        network: Option<String>,
        /// A published graph of the network
        #[arg(long, requires = "network")]
        form: Option<String>,
    },
    /// CPU against GPU: every kernel, and with a configuration every stage; validated first
    Bench {
        /// Also times the stages of this experiment's network
        #[arg(long)]
        config: Option<PathBuf>,
        /// The GPU to compare with the CPU; default: the one `auto` takes, if any
        #[arg(long)]
        device: Option<Choice>,
        /// Writes the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Writes every kernel's complete WGSL, as it is launched, and times nothing
        #[arg(long, value_name = "DIR")]
        shaders: Option<PathBuf>,
    },
    /// Graphics adapters, their limits, and which one `auto` takes
    Devices {
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Run {
    /// The experiment
    #[arg(long)]
    config: PathBuf,
    /// Where results go
    #[arg(long)]
    out: Option<PathBuf>,
    /// auto, cpu, gpu or gpu:N
    #[arg(long)]
    device: Option<Choice>,
    /// Overrides a key of the file; paths are relative to the current directory
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Ignores finished layers of an earlier run
    #[arg(long)]
    fresh: bool,
    /// Checks everything, prints the plan and the memory estimate, computes nothing
    #[arg(long)]
    dry_run: bool,
}

/// Carries out a command.
pub fn call(cli: Cli) -> Result<(), Error> {
    let verbosity = match (cli.quiet, cli.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let progress = Progress::new(verbosity);
    match cli.command {
        Command::Run(arguments) => run(arguments, &progress),
        Command::Plot { directory } => {
            let results = Results::read(&directory).map_err(Error::input)?;
            for path in report::write_figures(&results, &directory).map_err(Error::failed)? {
                print(&path.display().to_string());
            }
            Ok(())
        }
        Command::Layers { network, form, json } => layers(network.as_deref(), form.as_deref(), json),
        Command::Inspect { file, network, form } => inspect(&file, network.as_deref(), form.as_deref()),
        Command::Bench { shaders: Some(directory), .. } => bench::write_shaders(&directory),
        Command::Bench { config, device, json, .. } => time(config, device, json, &progress),
        Command::Devices { json } => devices(json),
    }
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
    text
}

fn run(arguments: Run, progress: &Progress) -> Result<(), Error> {
    let mut overrides = arguments.set;
    overrides.extend(arguments.out.map(|out| format!("run.out={}", out.display())));
    overrides.extend(arguments.device.map(|device| format!("run.device={device}")));
    let config = Config::read(&arguments.config, &overrides).map_err(Error::input)?;
    if let Some(threads) = config.run.threads.filter(|&threads| threads > 0) {
        // Fails only if a pool exists already, and then that one serves.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    stop_on_ctrl_c(progress);
    let plan = Plan::new(config, progress).map_err(Error::input)?;
    describe(&plan, progress);
    if arguments.dry_run {
        return Ok(());
    }
    let out = pipeline::run(plan, arguments.fresh, progress)?;
    print(&out.display().to_string());
    Ok(())
}

/// The first Ctrl-C lets the batch end and keeps what is finished, the second ends at once.
fn stop_on_ctrl_c(progress: &Progress) {
    let interrupt = progress.interrupt.clone();
    let handler = move || {
        if interrupt.stopped() {
            std::process::exit(130);
        }
        interrupt.stop();
        eprintln!("stopping after this batch; again to stop at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        progress.line(format!("Ctrl-C will stop at once ({error})"));
    }
}

fn describe(plan: &Plan, progress: &Progress) {
    let (concepts, groups) = (plan.manifest.concepts.len(), plan.manifest.groups.len());
    progress.line(format!("device    {}: {}", plan.device.name(), plan.device.why));
    progress.line(format!("network   {} ({}), {} layers", plan.network.name, plan.form, plan.layers.len()));
    progress.line(format!(
        "images    {concepts} concepts x {groups} groups, {} px {:?}",
        plan.input.size, plan.input.resize
    ));
    for words in &plan.words {
        progress.line(format!("words     {} ({} values per word)", words.name, words.dimensions));
    }
    progress.line(format!(
        "test      {} pairs, {} permutations",
        concepts * (concepts - 1) / 2,
        plan.config.two_vs_two.permutations
    ));
    progress.line(format!(
        "memory    {} activations (at {}) + {} weights, budget {}, batches of {}",
        Bytes(plan.memory.activations),
        plan.memory.largest_stage,
        Bytes(plan.memory.weights),
        Bytes(plan.memory.budget),
        plan.batch
    ));
    for warning in &plan.warnings {
        progress.line(format!("warning: {warning}"));
    }
}

fn layers(network: Option<&str>, form: Option<&str>, json: bool) -> Result<(), Error> {
    let Some(name) = network else {
        for network in nets::NETS {
            print(&format!("{}  (forms: {})", network.name, network.forms.join(", ")));
        }
        return Ok(());
    };
    let (network, form) = Plan::network(name, form).map_err(Error::input)?;
    let layers = network.layers(form);
    if json {
        let rows: Vec<_> = layers
            .iter()
            .map(|layer| {
                serde_json::json!({"name": layer.name, "label": layer.label, "shape": layer.shape,
                    "units": layer.units(), "on_request": layer.on_request})
            })
            .collect();
        return print_json(&rows);
    }
    for layer in layers {
        let [channels, height, width] = layer.shape;
        let shape = format!("{channels} x {height} x {width}");
        let request = if layer.on_request { "  (on request)" } else { "" };
        print(&format!("{:<16} {:<10} {shape:<18} {:>9}{request}", layer.name, layer.label, layer.units()));
    }
    Ok(())
}

fn inspect(file: &Path, network: Option<&str>, form: Option<&str>) -> Result<(), Error> {
    let open = weights::open(file).map_err(Error::input)?;
    let Some(network) = network else {
        for (name, shape) in open.tensors() {
            print(&format!("{name}  {shape:?}"));
        }
        return Ok(());
    };
    let (network, form) = Plan::network(network, form).map_err(Error::input)?;
    let account = Assignment::of(&(network.parameters)(form), open.as_ref());
    for assigned in &account.assigned {
        print(&format!("{:<28} <- {}  {:?}", assigned.parameter, assigned.tensor, assigned.transform));
    }
    for reason in account.reasons() {
        print(&reason);
    }
    // The refusal, if it does not fit, says what to do.
    network.assign(form, open.as_ref()).map(|_| ()).map_err(Error::input)
}

fn time(
    config: Option<PathBuf>,
    device: Option<Choice>,
    json: Option<PathBuf>,
    progress: &Progress,
) -> Result<(), Error> {
    let config = config.map(|path| Config::read(&path, &[])).transpose().map_err(Error::input)?;
    let mut plan = config
        .map(|mut config| {
            config.run.device = device.unwrap_or(config.run.device);
            Plan::new(config, progress)
        })
        .transpose()
        .map_err(Error::input)?;
    let gpu = match &plan {
        Some(plan) => plan.device.clone(),
        None => device::select(device.unwrap_or_default()).map_err(Error::input)?,
    };
    let mut devices = vec![device::select(Choice::Cpu).map_err(Error::input)?];
    if gpu.adapter.is_some() {
        devices.push(gpu);
    }
    let bench = bench::run(&devices, plan.as_mut(), progress)?;
    for line in bench.table() {
        print(&line);
    }
    if let Some(path) = json {
        let rows = serde_json::to_value(&bench).map_err(Error::failed)?;
        results::write_json(&path, &rows).map_err(Error::failed)?;
    }
    Ok(())
}

fn devices(json: bool) -> Result<(), Error> {
    let adapters = device::adapters();
    let auto = device::auto(&adapters).map_or("cpu".to_string(), |adapter| format!("gpu:{}", adapter.index));
    if json {
        return print_json(&serde_json::json!({"adapters": adapters, "auto": auto}));
    }
    print(&format!("cpu    {} threads", rayon::current_num_threads()));
    for adapter in &adapters {
        print(&format!(
            "gpu:{}  {}, {}, {}, {}, bindings up to {}",
            adapter.index,
            adapter.name,
            adapter.kind,
            adapter.backend,
            adapter.driver,
            Bytes(adapter.binding_bytes)
        ));
    }
    print(&format!("auto takes {auto}"));
    Ok(())
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    print(&serde_json::to_string_pretty(value).map_err(Error::failed)?);
    Ok(())
}

/// A line of results; a reader that has gone away (`| head`) is no error.
fn print(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}
