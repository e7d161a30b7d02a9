//! `semgpu shards`, `shard`, `merge`, `status`: one experiment on many machines.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::config::{Asked, Member};
use crate::error::{Error, FileError};
use crate::files;
use crate::pipeline::{self, Beside};
use crate::plan::{Plan, Plans};
use crate::progress::Progress;
use crate::record;
use crate::results::{check_files, write_lines};
use crate::shards::{Cut, Keys, ShardError, Shards, Size, Span, State};
use crate::wording::{counted, shell};

use super::run::{Experiment, describe, print_page};
use super::{print, print_json, sweep};

/// Most jobs that clusters take of one user; Slurm's default for an array.
const MOST_JOBS: usize = 1000;

#[derive(Args)]
pub(super) struct Cutting {
    /// The experiments, a configuration file each; of a sweep, every network is cut
    #[arg(required = true, value_name = "CONFIG")]
    configs: Vec<PathBuf>,
    #[command(flatten)]
    experiment: Experiment,
    /// How long a shard should take: 30m, 90s, 1h30m
    #[arg(long, default_value = "30m")]
    size: Size,
    /// Seconds that a group of images takes where the shards will run; default: measured here
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds_per_group: Option<f64>,
    /// Seconds that a draw of all tests takes where the shards will run; default: measured here
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds_per_draw: Option<f64>,
    /// Where the tables of commands go: groups.txt, draws.txt, merge.txt
    #[arg(long, value_name = "DIR", default_value = "shards")]
    tables: PathBuf,
    /// Removes the shards of an earlier cut
    #[arg(long)]
    fresh: bool,
}

#[derive(Args)]
pub(super) struct Shard {
    /// The experiment
    config: PathBuf,
    #[command(flatten)]
    experiment: Experiment,
    /// Of a sweep, the network's label
    #[arg(long, value_name = "LABEL")]
    network: Option<String>,
    /// The groups of images, as cut: 2-3
    #[arg(long, value_name = "FIRST-LAST", required_unless_present = "draws", conflicts_with = "draws")]
    groups: Option<Span>,
    /// The draws of the null, as cut: 0-499
    #[arg(long, value_name = "FIRST-LAST")]
    draws: Option<Span>,
}

#[derive(Args)]
pub(super) struct Merge {
    /// The experiment
    config: PathBuf,
    #[command(flatten)]
    experiment: Experiment,
    /// Of a sweep, the network's label; without, all networks and then the tables of all
    #[arg(long, value_name = "LABEL")]
    network: Option<String>,
    /// Removes what semgpu wrote into the results directory before
    #[arg(long)]
    fresh: bool,
}

#[derive(Args)]
pub(super) struct Status {
    /// The experiments, a configuration file each
    #[arg(required = true, value_name = "CONFIG")]
    configs: Vec<PathBuf>,
    #[command(flatten)]
    experiment: Experiment,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0 && seconds.is_finite());
    seconds.ok_or_else(|| "expected seconds, like 0.25".to_string())
}

/// The tables of commands, each with what stands in every line of it.
const TABLES: [(&str, &str); 3] = [("groups.txt", " --groups "), ("draws.txt", " --draws "), ("merge.txt", " merge ")];

/// Their lines.
type Tables = [Vec<String>; 3];

/// A file that is no table of commands.
#[derive(Debug, thiserror::Error)]
#[error("{}: is there, and no table of semgpu's commands; nothing was written: move it away, or give --tables another folder", .0.display())]
struct OtherTable(PathBuf);

/// Whether the tables may be written: nothing there but tables of an earlier cut. Changes nothing.
fn check_tables(folder: &Path) -> Result<(), Error> {
    if folder.is_file() {
        return Err(Error::input(OtherTable(folder.into())));
    }
    check_files(&TABLES.map(|(name, _)| folder.join(name)), &[])?;
    for (name, command) in TABLES {
        let path = folder.join(name);
        match files::read_to_string(&path) {
            Ok(text) if text.lines().all(|line| line.contains(command) && line.contains(" --out ")) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            _ => return Err(Error::input(OtherTable(path))),
        }
    }
    Ok(())
}

/// Checks every experiment, cuts it, and writes the tables of commands.
pub(super) fn cut(arguments: Cutting, called: &Path, progress: &Progress) -> Result<(), Error> {
    // Before anything is measured.
    check_tables(&arguments.tables)?;
    let mut cuts = Vec::new();
    for (n, path) in arguments.configs.iter().enumerate() {
        if arguments.configs[..n].contains(path) {
            progress.line(format!("{}: named twice, is cut once", path.display()));
            continue;
        }
        let started = Instant::now();
        match arguments.experiment.asked(path)? {
            Asked::One(config) => {
                let plan = Plan::new(*config, progress)?;
                Shards::check_place(&plan.config.out(), arguments.fresh)?;
                describe(&plan, progress);
                let planned = started.elapsed().as_secs_f64();
                let out = plan.config.out();
                cuts.push(cut_one((&arguments, called), (path, None, out.as_path()), plan, planned, progress)?);
            }
            Asked::Many(sweep) => {
                let plans = Plans::new(*sweep, progress).map_err(Error::input)?;
                let mut outs = plans.sweep.members.iter().map(|member| member.config.out());
                outs.try_for_each(|out| Shards::check_place(&out, arguments.fresh))?;
                sweep::describe(&plans, progress);
                crate::sweep::announce(&plans.sweep)?;
                for (n, member) in plans.sweep.members.iter().enumerate() {
                    let started = Instant::now();
                    let plan = plans.plan(n).map_err(Error::input)?;
                    // A shard reads what networks share for itself.
                    let planned = plans.shared_seconds + started.elapsed().as_secs_f64();
                    progress.line(format!("network {} of {}  {}", n + 1, plans.sweep.members.len(), member.label));
                    let experiment = (path.as_path(), Some(member.label.as_str()), plans.sweep.out.as_path());
                    cuts.push(cut_one((&arguments, called), experiment, plan, planned, progress)?);
                }
            }
        }
    }
    for (n, (out, _)) in cuts.iter().enumerate() {
        if cuts[..n].iter().any(|(other, _)| other == out) {
            return Err(Error::input(ShardError::Shared(out.clone())));
        }
    }
    // Not before every experiment may be cut: until then the commands that were written before hold.
    let mut tables = Tables::default();
    for (out, cut) in cuts {
        let shards = Shards::create(&out, cut, arguments.fresh).map_err(not_cut)?;
        let cut = shards.cut();
        let commands = [cut.groups_commands(), cut.draws_commands(), vec![cut.merge_command()]];
        tables.iter_mut().zip(commands).for_each(|(table, commands)| table.extend(commands));
    }
    for ((name, _), commands) in TABLES.iter().zip(&tables) {
        if commands.len() > MOST_JOBS {
            progress.warn([format!("{name}: {} commands, where clusters often take {MOST_JOBS}", commands.len())]);
        }
        let path = arguments.tables.join(name);
        write_lines(&path, commands).map_err(Error::failed)?;
        print(format!("{}  {}", path.display(), counted(commands.len(), "command")));
    }
    Ok(())
}

/// How an experiment is cut that took `planned` seconds to plan, and where its results go; changes nothing. It is told by its file,
/// of a sweep the network, and where the results of all go.
fn cut_one(
    (arguments, called): (&Cutting, &Path),
    (path, network, place): (&Path, Option<&str>, &Path),
    plan: Plan,
    planned: f64,
    progress: &Progress,
) -> Result<(PathBuf, Cut), Error> {
    let (out, keys, images) = (plan.config.out(), (Keys::of(&plan), plan.cut_from()), plan.image_sums.clone());
    let (groups, permutations) = (plan.inputs.manifest.groups.len(), plan.config.most_permutations());
    let matrices = plan.model.layers.len() + usize::from(plan.model.classifier.is_some());
    let told = (arguments.seconds_per_group, arguments.seconds_per_draw);
    let estimate = pipeline::estimate(plan, planned, told, progress)?;
    let command = command((arguments, called), path, network, place)?;
    let cut = Cut::new(keys, command, matrices, images, (groups, permutations), estimate, arguments.size);
    progress.line(format!(
        "cut       {} of groups (a group {:.1} s), {} of draws (a draw {:.4} s), {:.1} s to start each",
        counted(cut.groups.len(), "shard"),
        cut.estimate.group,
        cut.draws.len(),
        cut.estimate.draw,
        cut.estimate.start
    ));
    progress.warn(cut.estimate.doubt(arguments.size));
    Shards::check_new(&out, &cut, arguments.fresh).map_err(not_cut)?;
    Ok((out, cut))
}

fn not_cut(error: ShardError) -> Error {
    match error {
        ShardError::File(error) => Error::failed(error),
        error => Error::input(error),
    }
}

/// What every command of an experiment says, of the program as it was called: `{}` stands for `shard` or `merge`.
fn command(
    (arguments, called): (&Cutting, &Path),
    config: &Path,
    network: Option<&str>,
    out: &Path,
) -> Result<String, Error> {
    let here = |path: PathBuf| std::path::absolute(&path).map_err(FileError::at(path)).map_err(Error::input);
    // A name alone is found on every machine's PATH, as it was here.
    let program = if called.components().count() > 1 { here(called.into())? } else { called.into() };
    let mut words = vec![shell(&program.display().to_string()), "{}".to_string()];
    words.push(shell(&here(config.into())?.display().to_string()));
    words.extend(arguments.experiment.words(config, out)?.iter().map(|word| shell(word)));
    words.extend(network.iter().flat_map(|label| ["--network".to_string(), shell(label)]));
    Ok(words.join(" "))
}

/// Computes one shard.
pub(super) fn shard(arguments: Shard, progress: &Progress) -> Result<(), Error> {
    let asked = arguments.experiment.asked(&arguments.config)?;
    let (Member { config, .. }, _) =
        asked.network(&arguments.config, arguments.network.as_deref()).map_err(Error::input)?;
    // What others look at was looked at when the experiment was cut.
    let seen = Shards::at(&config.out()).map_err(Error::input)?.seen(arguments.groups);
    let plan = Plan::of_shard(config, &seen, progress)?;
    let shards = Shards::of(&plan).map_err(Error::input)?;
    match (arguments.groups, arguments.draws) {
        (Some(groups), _) => pipeline::groups(plan, &shards, groups, progress),
        (None, draws) => pipeline::draws(plan, &shards, draws.expect("the command line has one of the two"), progress),
    }
}

/// Puts all shards together into the results directory.
pub(super) fn merge(arguments: Merge, progress: &Progress) -> Result<(), Error> {
    let Merge { config: path, experiment, network, fresh } = arguments;
    let out = match (experiment.asked(&path)?, &network) {
        (Asked::Many(sweep), None) => {
            let plans = Plans::new(*sweep, progress).map_err(Error::input)?;
            crate::sweep::merge_all(&plans, fresh, progress)?
        }
        (asked, network) => {
            let (member, sweep) = asked.network(&path, network.as_deref()).map_err(Error::input)?;
            let plan = Plan::new(member.config.clone(), progress)?;
            match sweep {
                Some(sweep) => crate::sweep::merge(&sweep, &member, plan, fresh, progress)?,
                None => {
                    let shards = Shards::of(&plan).map_err(Error::input)?;
                    let replaced = plan.check(fresh)?;
                    let say = || {
                        replaced.iter().for_each(|said| progress.line(said));
                        Ok(())
                    };
                    let mut beside = Beside { shards: Some(&shards), begin: Some(&say), ..Beside::default() };
                    pipeline::run(plan, fresh, &mut beside, progress)?
                }
            }
        }
    };
    print_page(&out);
    Ok(())
}

/// How far the shards are.
pub(super) fn status(arguments: Status) -> Result<(), Error> {
    let mut rows = Vec::new();
    for path in &arguments.configs {
        let networks = match arguments.experiment.asked(path)? {
            Asked::One(config) => vec![(None, *config)],
            Asked::Many(sweep) => {
                sweep.members.into_iter().map(|Member { label, config }| (Some(label), config)).collect()
            }
        };
        for (network, config) in networks {
            let shards = Shards::at(&config.out()).map_err(Error::input)?;
            let name = network.as_ref().map_or_else(String::new, |label| format!("  {label}"));
            let changed = record::changed_config(&shards.cut().from, &config);
            if let Some(changed) = changed.as_ref().filter(|_| !arguments.json) {
                print(format!(
                    "{}{name}  changed since `semgpu shards`: {changed}; undo that, or cut anew with `semgpu shards --fresh`",
                    path.display()
                ));
            }
            for (kind, states) in [("groups", shards.groups_states()), ("draws", shards.draws_states())] {
                let done = states.iter().filter(|(_, state)| *state == State::Done).count();
                if arguments.json {
                    let states = states.iter().map(|(span, state)| (span.to_string(), state.to_string()));
                    let states: std::collections::BTreeMap<_, _> = states.collect();
                    let row = serde_json::json!({"config": path, "network": network, "kind": kind, "done": done,
                        "changed": changed, "shards": states});
                    rows.push(row);
                    continue;
                }
                print(format!("{}{name}  {kind}: {done} of {} shards done", path.display(), states.len()));
                for (span, state) in
                    states.iter().filter(|(_, state)| matches!(state, State::Part(..) | State::Lost(_)))
                {
                    print(format!("  {kind} {span}: {state}"));
                }
            }
        }
    }
    if arguments.json { print_json(&rows) } else { Ok(()) }
}
