//! `semgpu run`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Asked, Bytes, Config, Written, written};
use crate::device::Choice;
use crate::error::{Error, FileError};
use crate::nets::Input;
use crate::pipeline::{self, Beside};
use crate::plan::{Inputs, Plan};
use crate::progress::Progress;
use crate::record::Memory;
use crate::results::{ResultsDir, seen};
use crate::stimuli::Manifest;
use crate::wording::{counted, grouped};

use super::{print, sweep, threads, use_threads};

#[derive(Args)]
pub(super) struct Run {
    /// The experiment
    #[arg(value_name = "CONFIG", required_unless_present = "config")]
    file: Option<PathBuf>,
    /// The same as an option
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    #[command(flatten)]
    experiment: Experiment,
    /// Removes what semgpu wrote there before: finished layers of an earlier run, results of another experiment
    #[arg(long)]
    fresh: bool,
    /// Checks everything, decodes every image, prints the plan and the memory estimate, computes nothing
    #[arg(long)]
    dry_run: bool,
}

/// What the command line says of an experiment beside its file.
#[derive(Args)]
pub(super) struct Experiment {
    /// Where results go
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// auto, cpu, gpu or gpu:N
    #[arg(long)]
    device: Option<Choice>,
    /// CPU threads; default: all
    #[arg(long, value_name = "T", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// Overrides a key of the file; paths are relative to the current directory
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Experiment {
    /// What a file asks for, overridden.
    pub(super) fn asked(&self, path: &Path) -> Result<Asked, Error> {
        let mut written = Written::from_file(path, &self.set).map_err(Error::input)?;
        written.run.device = self.device.unwrap_or(written.run.device);
        place(written, self.out.clone(), self.threads)?.asked(path).map_err(Error::input)
    }

    /// The same as words of a command line that holds in any directory, for the file at `path` with results at `out`: its
    /// default, too, is relative to the directory where a command is called.
    pub(super) fn words(&self, path: &Path, out: &Path) -> Result<Vec<String>, Error> {
        let out = std::path::absolute(out).map_err(FileError::at(out)).map_err(Error::input)?;
        let out = Some(["--out".to_string(), out.display().to_string()]).into_iter();
        let device = self.device.iter().map(|device| ["--device".to_string(), device.to_string()]);
        let threads = self.threads.iter().map(|threads| ["--threads".to_string(), threads.to_string()]);
        let set = written::from_anywhere(path, &self.set).map_err(Error::input)?;
        let set = set.into_iter().map(|set| ["--set".to_string(), set]);
        Ok(out.chain(device).chain(threads).chain(set).flatten().collect())
    }
}

/// Where results go and on how many threads.
pub(super) fn place<N>(
    mut config: Config<N>,
    out: Option<PathBuf>,
    threads: Option<NonZeroUsize>,
) -> Result<Config<N>, Error> {
    if let Some(out) = out {
        config.run.out = Some(std::path::absolute(&out).map_err(FileError::at(out)).map_err(Error::input)?);
    }
    config.run.threads = threads.map(NonZeroUsize::get).or(config.run.threads);
    use_threads(config.run.threads.and_then(NonZeroUsize::new))?;
    Ok(config)
}

pub(super) fn run(arguments: Run, progress: &Progress) -> Result<(), Error> {
    let Run { file, config, experiment, fresh, dry_run } = arguments;
    match experiment.asked(&file.or(config).unwrap_or_default())? {
        Asked::One(config) => carry_out(*config, fresh, dry_run, progress),
        Asked::Many(sweep) => sweep::carry_out(*sweep, fresh, dry_run, progress),
    }
}

/// Runs an experiment; the last line says where its page lies.
pub(super) fn carry_out(config: Config, fresh: bool, dry_run: bool, progress: &Progress) -> Result<(), Error> {
    let note = config.stimuli.note.clone();
    let plan = Plan::new(config, progress)?;
    describe(&plan, progress);
    plan.check(fresh)?.into_iter().for_each(|said| progress.line(said));
    if dry_run {
        return decode(&plan.inputs.manifest, &plan.model.input, progress);
    }
    let out = pipeline::run(plan, fresh, &mut Beside::default(), progress)?;
    note.iter().for_each(|note| progress.line(format!("note: {note}")));
    print_page(&out);
    Ok(())
}

/// Decodes every image, as a run does when its turn comes.
pub(super) fn decode(manifest: &Manifest, input: &Input, progress: &Progress) -> Result<(), Error> {
    let groups: Vec<usize> = (0..manifest.groups.len()).collect();
    let images = manifest.load(&groups, None, input.framing(), groups.len()).map_err(Error::failed)?;
    let task = progress.task(images.len() as u64);
    task.now("decoding images".to_string());
    images.into_iter().try_for_each(|image| {
        progress.interrupt.check()?;
        task.advance(1);
        image.map(drop).map_err(Error::input)
    })
}

/// Where the page of a results directory lies, as seen from here.
pub(super) fn print_page(out: &Path) {
    print(seen(&ResultsDir::new(out).page()));
}

pub(super) fn describe(plan: &Plan, progress: &Progress) {
    let Plan { config, model, inputs, test, placement, .. } = plan;
    let (concepts, groups) = (inputs.manifest.concepts.len(), inputs.manifest.groups.len());
    progress.line(placement.device.line());
    progress.line(format!(
        "network   {} ({}), {}",
        model.network.name,
        model.network.form,
        counted(model.layers.len(), "layer")
    ));
    progress.line(format!(
        "images    {} x {}, {} px, {}",
        counted(concepts, "concept"),
        counted(groups, "group"),
        model.input.size,
        model.input.resize
    ));
    let [least, most] = model.input.preprocess.range();
    let arrival = inputs.arrival.map_or_else(String::new, |arrival| {
        format!(
            "; at the first normalization spread {:.2} and shift {:.2} (1 and 0 at training)",
            arrival.spread, arrival.shift
        )
    });
    progress
        .line(format!("input     {}: bytes arrive as {least:.3} to {most:.3}{arrival}", model.input.preprocess.name()));
    describe_tests(config, inputs, progress);
    if let Some(one_vs_two) = &test.one_vs_two {
        progress.line(format!(
            "mistakes  1 vs. 2 test, {} of classes ({}), {}",
            counted(test.lexicon.words.len(), "word"),
            counted(concepts, "concept"),
            counted(one_vs_two.rule.permutations, "permutation")
        ));
    }
    let (memory, largest) = (&placement.memory, placement.largest_batch());
    let later = if largest == placement.batch { String::new() } else { format!(", {} later on", grouped(largest)) };
    progress.line(format!(
        "memory    {} activations (at {}) + {} weights, budget {}, batches of {}{later}",
        Bytes(memory.activations),
        memory.largest_stage,
        Bytes(memory.weights),
        Bytes(memory.budget),
        grouped(placement.batch)
    ));
    let matrices = model.layers.len() * groups + inputs.words.len();
    of_matrices(matrices, concepts, memory).iter().for_each(|line| progress.line(line));
    progress.warn(&inputs.warnings);
}

/// Of less memory nothing is said.
const MUCH: u64 = 1 << 30;

/// What so many similarity matrices take, where that is much and more than the network: no budget holds for them.
pub(super) fn of_matrices(matrices: usize, concepts: usize, network: &Memory) -> Option<String> {
    let bytes = (matrices * concepts * concepts * size_of::<f64>()) as u64;
    (bytes > MUCH.max(network.weights + network.activations)).then(|| {
        format!("          {} matrices while they are tested, and one to four times as much beside them", Bytes(bytes))
    })
}

/// The words, and what is tested.
pub(super) fn describe_tests(config: &Config, inputs: &Inputs, progress: &Progress) {
    let concepts = inputs.manifest.concepts.len();
    for words in &inputs.words {
        progress.line(format!("words     {} ({} per word)", words.name, counted(words.dimensions, "value")));
    }
    progress.line(format!(
        "test      {}, {}",
        counted(concepts * (concepts - 1) / 2, "pair"),
        counted(config.two_vs_two.permutations, "permutation")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_that_take_more_than_the_network_are_in_the_plan() {
        let network = Memory { weights: 1 << 30, activations: 1 << 30, largest_stage: String::new(), budget: 4 << 30 };
        assert_eq!(of_matrices(60, 166, &network), None);
        assert_eq!(of_matrices(64, 2048, &network), None, "2 GiB are no more");
        let small = Memory { weights: 1 << 10, activations: 1 << 10, ..network.clone() };
        assert_eq!(of_matrices(30, 20, &small), None, "more, but little");
        let said = of_matrices(320, 2048, &network).unwrap();
        assert!(said.contains("10.00 GiB matrices"), "{said}");
    }
}
