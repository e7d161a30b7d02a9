//! `semgpu run`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use semgpu::config::{Bytes, Config};
use semgpu::device::Choice;
use semgpu::error::{Error, FileError};
use semgpu::pipeline;
use semgpu::plan::Plan;
use semgpu::progress::Progress;
use semgpu::results::ResultsDir;

use super::{print, stop_on_ctrl_c, use_threads};

#[derive(Args)]
pub(super) struct Run {
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
    /// Removes what semgpu wrote there before: finished layers of an earlier run, results of another experiment
    #[arg(long)]
    fresh: bool,
    /// Checks everything, prints the plan and the memory estimate, computes nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: Run, progress: &Progress) -> Result<(), Error> {
    let mut config = Config::read(&arguments.config, &arguments.set).map_err(Error::input)?;
    if let Some(out) = arguments.out {
        config.run.out = Some(std::path::absolute(&out).map_err(FileError::at(out)).map_err(Error::input)?);
    }
    config.run.device = arguments.device.unwrap_or(config.run.device);
    use_threads(config.run.threads.and_then(NonZeroUsize::new));
    stop_on_ctrl_c(progress);
    let plan = Plan::new(config, progress).map_err(Error::input)?;
    describe(&plan, progress);
    if arguments.dry_run {
        if !arguments.fresh {
            let out = ResultsDir::new(plan.config.out());
            out.check_experiment(&plan.checksums.similarity).map_err(Error::input)?;
        }
        return Ok(());
    }
    let out = pipeline::run(plan, arguments.fresh, progress)?;
    print(&out.display().to_string());
    Ok(())
}

fn describe(plan: &Plan, progress: &Progress) {
    let Plan { config, model, inputs, test, placement, .. } = plan;
    let (concepts, groups) = (inputs.manifest.concepts.len(), inputs.manifest.groups.len());
    progress.line(placement.device.line());
    progress.line(format!("network   {} ({}), {} layers", model.network.name, model.network.form, model.layers.len()));
    progress.line(format!(
        "images    {concepts} concepts x {groups} groups, {} px {:?}",
        model.input.size, model.input.resize
    ));
    for words in &inputs.words {
        progress.line(format!("words     {} ({} values per word)", words.name, words.dimensions));
    }
    progress.line(format!(
        "test      {} pairs, {} permutations",
        concepts * (concepts - 1) / 2,
        config.two_vs_two.permutations
    ));
    if let Some(one_vs_two) = &test.one_vs_two {
        progress.line(format!(
            "mistakes  1 vs. 2 test, {} words of classes ({concepts} concepts), {} permutations",
            test.lexicon.words.len(),
            one_vs_two.rule.permutations
        ));
    }
    let memory = &placement.memory;
    progress.line(format!(
        "memory    {} activations (at {}) + {} weights, budget {}, batches of {}",
        Bytes(memory.activations),
        memory.largest_stage,
        Bytes(memory.weights),
        Bytes(memory.budget),
        placement.batch
    ));
    for warning in &inputs.warnings {
        progress.line(format!("warning: {warning}"));
    }
}
