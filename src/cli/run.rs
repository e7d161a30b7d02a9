//! `semgpu run`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use semgpu::config::{Bytes, Config};
use semgpu::device::Choice;
use semgpu::error::Error;
use semgpu::pipeline;
use semgpu::plan::Plan;
use semgpu::progress::Progress;

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
    /// Ignores finished layers of an earlier run
    #[arg(long)]
    fresh: bool,
    /// Checks everything, prints the plan and the memory estimate, computes nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: Run, progress: &Progress) -> Result<(), Error> {
    let mut overrides = arguments.set;
    overrides.extend(arguments.out.map(|out| format!("run.out={}", out.display())));
    overrides.extend(arguments.device.map(|device| format!("run.device={device}")));
    let config = Config::read(&arguments.config, &overrides).map_err(Error::input)?;
    use_threads(config.run.threads.and_then(NonZeroUsize::new));
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

fn describe(plan: &Plan, progress: &Progress) {
    let (concepts, groups) = (plan.manifest.concepts.len(), plan.manifest.groups.len());
    progress.line(plan.device.line());
    progress.line(format!("network   {} ({}), {} layers", plan.network.name, plan.network.form, plan.layers.len()));
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
    if let Some(test) = &plan.one_vs_two {
        progress.line(format!(
            "mistakes  1 vs. 2 test, {} words of classes ({concepts} concepts), {} permutations",
            plan.lexicon.words.len(),
            test.permutations
        ));
    }
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
