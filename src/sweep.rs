//! Many networks in one experiment. Each is run as if it were alone, into a folder of its own (`DIR/<label>`, to the byte);
//! what they share is done once: the images are checked, and decoded as often as there are ways to cut them, the words are
//! read. Then `DIR` gets one table and one figure of all:
//!
//! | | |
//! | --- | --- |
//! | `networks.csv`, `networks.json` | a row per network and word model: best, last and first layer, p over the declared family |
//! | `accuracy.csv` | every layer of every network, as in the networks' own tables; `p_fwer` and `q_fdr` over the declared family |
//! | `figures/networks_*`, `report.html` | curves over relative depth, or of many networks the best and the last layer |
//! | `<label>.draws.safetensors` | where the family is all networks: the scores of a network's draws |
//!
//! Killed, it goes on with the network in progress: finished ones are known by the keys in their records.

mod others;
mod table;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::checksum;
use crate::config::{Member, Sweep, Written};
use crate::error::{Error, FileError};
use crate::names::distinct;
use crate::pipeline::{self, Beside};
use crate::plan::{Plan, Plans};
use crate::progress::{Progress, Writing};
use crate::record::{RecordError, RunRecord};
use crate::report::{self, OfNetworks, Style};
use crate::results::{
    AccuracyRow, Claim, ClaimError, DRAWS, Ledger, NetworkRow, ResultsDir, ResultsError, SWEEP, Table, altered,
    figure_name, read_table, seen, write_json, write_table,
};
use crate::shards::{DrawsError, Keys, Shards, Span, are_draws, begins_draws, read_draws, refuse_missing};
use crate::stats::inference::Family;
use crate::stimuli::Gallery;
use crate::wording::grouped;

/// How long a merge waits for another that writes what is of all networks.
const PATIENCE: Duration = Duration::from_secs(60);

/// `networks.json`
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SweepRecord {
    /// 1
    pub schema: u64,
    /// The version of semgpu that wrote it.
    pub semgpu: String,
    /// As resolved.
    pub config: Written,
    /// Whether the results of all networks are there.
    pub finished: bool,
    /// Whether nothing is made of all networks yet, which records of before it do not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
    /// SHA-256 of the tables beside it, by their names; empty before they are there, and in records of before it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The table; empty before.
    pub networks: Vec<NetworkRow>,
}

/// Results of a sweep that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A network failed.
    #[error("{label}: {source}")]
    Network {
        /// Which.
        label: String,
        /// How.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A network without a record.
    #[error("{}: no run.json of a run; run the sweep again", .0.display())]
    NoRun(PathBuf),
    /// Scores.
    #[error("{}: {source}; remove it and run the sweep again", path.display())]
    Scores {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: DrawsError,
    },
    /// One that is under way, or was stopped.
    #[error("{}: the sweep is not finished; run it again, or name the networks' folders in it", .0.display())]
    Unfinished(PathBuf),
    /// The record of a sweep.
    #[error("{}: not the record of a sweep ({source}); run the sweep again, into another directory", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Whether results may go where they are to, and which networks are finished; says what of earlier ones is replaced, or with
/// `fresh` removed.
///
/// # Errors
/// [`Error::Input`]: the directory or a network's holds another experiment's results, or an input.
pub fn check(plans: &Plans, fresh: bool, progress: &Progress) -> Result<Vec<bool>, Error> {
    let (finished, said) = looked(plans, fresh)?;
    said.into_iter().for_each(|said| progress.line(said));
    Ok(finished)
}

/// What [`check`] returns, and what it says.
fn looked(plans: &Plans, fresh: bool) -> Result<(Vec<bool>, Vec<String>), Error> {
    let out = check_out(&plans.sweep)?;
    let mut said = match fresh {
        true => others::removed(&plans.sweep, &out)?,
        false => {
            others::check(&plans.sweep, &out, ", as --fresh does with what semgpu wrote of them").map(|()| vec![])?
        }
    };
    let mut finished = Vec::new();
    for (n, member) in plans.sweep.members.iter().enumerate() {
        if !results(member).root().exists() {
            finished.push(false);
            continue;
        }
        let plan = plans.plan(n).map_err(Error::input)?;
        let replaced = plan.check(fresh)?;
        finished.push(!fresh && is_finished(member, &plan));
        said.extend(replaced.filter(|_| !finished[n]).map(|replaced| format!("{}: {replaced}", member.label)));
    }
    Ok((finished, said))
}

fn check_out(sweep: &Sweep) -> Result<ResultsDir, Error> {
    let out = ResultsDir::new(&sweep.out);
    let inputs: Vec<_> = sweep.members.iter().flat_map(|member| member.config.inputs()).collect();
    // Networks whose sweep's record was lost, or that were copied without it.
    let is_own = |path: &Path| {
        sweep.members.iter().map(results).any(|network| {
            network.root() == path && network.is_known() || scores_beside(&network) == path && are_draws(path)
        })
    };
    out.check_around(inputs.iter().map(|(_, path)| *path), is_own)?;
    out.check_command(SWEEP)?;
    out.check_networks(sweep.members[0].config.words.iter().map(|words| words.name.as_str()))?;
    let mut scores = sweep.members.iter().filter_map(scores);
    match scores.find(|path| path.exists() && !are_draws(path)) {
        Some(path) if begins_draws(&path) => Err(ClaimError::CutOff(path).into()),
        Some(path) => Err(ClaimError::NotOurs(path).into()),
        None => Ok(out),
    }
}

/// Runs every network that is not finished, then puts all together; returns the directory.
///
/// # Errors
/// As [`pipeline::run`], with the network's label.
pub fn run(plans: &Plans, fresh: bool, progress: &Progress) -> Result<PathBuf, Error> {
    let finished = check(plans, fresh, progress)?;
    let (sweep, out) = (&plans.sweep, ResultsDir::new(&plans.sweep.out));
    let _writing = progress.interrupt.writing();
    let _claim = out.lock(SWEEP)?;
    if fresh {
        others::remove(sweep, &out)?;
        sweep.members.iter().try_for_each(|member| others::remove_scores(&results(member)))?;
    }
    begin(sweep, &out)?;
    let inputs = plans.outlines.iter().map(|outline| &outline.input);
    let mut beside = Beside { gallery: Gallery::new(plans.spare_bytes(), inputs), ..Beside::default() };
    for (n, member) in sweep.members.iter().enumerate() {
        let place = format!("network {} of {}  {}", n + 1, sweep.members.len(), member.label);
        if finished[n] {
            progress.line(format!("{place}: finished before"));
        } else {
            progress.line(format!("{place}: {}", seen(&member.config.out())));
            beside.scores = scores(member);
            let plan = plans.plan(n).map_err(Error::input)?;
            // Those of images and words were said.
            progress.warn(plan.inputs.warnings.iter().skip(plans.inputs().warnings.len()));
            pipeline::run(plan, fresh, &mut beside, progress).map_err(of_network(&member.label))?;
        }
        beside.gallery.had_by(&plans.outlines[n].input);
    }
    let Gallery { decoded, shared, .. } = beside.gallery;
    if shared > 0 {
        progress.line(format!("images    {} decoded, {} taken from memory", grouped(decoded), grouped(shared)));
    }
    put_together(sweep, &out, progress)
}

/// Notes what the networks below the directory are of, before their results are there. What an earlier sweep left stays until a
/// merge changes it.
///
/// # Errors
/// The directory is another's, or cannot be written.
pub fn announce(sweep: &Sweep) -> Result<(), Error> {
    let out = check_out(sweep)?;
    others::check(sweep, &out, "")?;
    let _claim = out.lock(SWEEP)?;
    if out.networks().is_file() { Ok(()) } else { begin(sweep, &out) }
}

/// The record says that the sweep is not finished, and what it is of, before the results of a network change.
fn begin(sweep: &Sweep, out: &ResultsDir) -> Result<(), Error> {
    out.remove_networks().map_err(Error::failed)?;
    let record = SweepRecord { announced: true, ..SweepRecord::new(sweep, None) };
    write_json(&out.networks(), &record).map_err(Error::failed)
}

/// Merges the shards of a network; with the last one's, all results are put together. Returns the directory of either.
///
/// # Errors
/// As [`pipeline::run`].
pub fn merge(sweep: &Sweep, member: &Member, plan: Plan, fresh: bool, progress: &Progress) -> Result<PathBuf, Error> {
    let out = check_out(sweep)?;
    others::check(sweep, &out, ", as a merge of all networks with --fresh, without --network, does")?;
    let replaced = plan.check(fresh)?;
    let say = || {
        replaced.iter().for_each(|said| progress.line(said));
        Ok(())
    };
    let directory = merge_one((sweep, &out), (member, plan), fresh, &say, progress)?;
    // What a merge of another network begins to change it says under the same lock.
    let _taken = take(&out, progress)?;
    if !sweep.members.iter().all(is_merged) {
        return Ok(directory);
    }
    put_together(sweep, &out, progress)
}

/// Takes the directory: the merge of another network may write what is of all at this moment, a `plot` may draw.
fn take(out: &ResultsDir, progress: &Progress) -> Result<(Claim, Writing), Error> {
    let writing = progress.interrupt.writing();
    let patience = Instant::now() + PATIENCE;
    loop {
        match out.lock(SWEEP) {
            Err(ClaimError::Held { .. }) if Instant::now() < patience => std::thread::sleep(PATIENCE / 600),
            claim => return Ok((claim?, writing)),
        }
        progress.interrupt.check()?;
    }
}

/// Merges the shards of every network that is not merged, then puts all together; returns the directory.
///
/// # Errors
/// As [`pipeline::run`], with the network's label.
pub fn merge_all(plans: &Plans, fresh: bool, progress: &Progress) -> Result<PathBuf, Error> {
    let (finished, said) = looked(plans, fresh)?;
    let (sweep, out) = (&plans.sweep, ResultsDir::new(&plans.sweep.out));
    let unfinished = || sweep.members.iter().enumerate().filter(|(n, _)| !finished[*n]);
    // Before the first network's results change.
    let (mut missing, mut all) = (Vec::new(), 0);
    for (_, member) in unfinished() {
        let shards = Shards::at(&member.config.out()).map_err(Error::input).map_err(of_network(&member.label))?;
        let (commands, count) = shards.unfinished();
        missing.extend(commands);
        all += count;
    }
    refuse_missing(missing, all).map_err(Error::input)?;
    said.into_iter().for_each(|said| progress.line(said));
    let remove = || if fresh { Ok(others::remove(sweep, &out)?) } else { Ok(()) };
    for (n, member) in unfinished() {
        let plan = plans.plan(n).map_err(Error::input)?;
        merge_one((sweep, &out), (member, plan), fresh, &remove, progress)?;
    }
    let _taken = take(&out, progress)?;
    put_together(sweep, &out, progress)
}

/// Merges the shards of a network; `remove` is called before its results change.
fn merge_one(
    (sweep, out): (&Sweep, &ResultsDir),
    (member, plan): (&Member, Plan),
    fresh: bool,
    remove: &dyn Fn() -> Result<(), Error>,
    progress: &Progress,
) -> Result<PathBuf, Error> {
    let shards = Shards::of(&plan).map_err(Error::input).map_err(of_network(&member.label))?;
    let begin = || {
        let _taken = take(out, progress)?;
        remove()?;
        begin(sweep, out)
    };
    let (shards, begin) = (Some(&shards), Some(&begin as &dyn Fn() -> Result<(), Error>));
    let mut beside = Beside { shards, begin, scores: scores(member), ..Beside::default() };
    pipeline::run(plan, fresh, &mut beside, progress).map_err(of_network(&member.label))
}

/// The tables, the figures and the page of all networks.
fn put_together(sweep: &Sweep, out: &ResultsDir, progress: &Progress) -> Result<PathBuf, Error> {
    let rows = table::accuracies(sweep).map_err(Error::failed)?;
    let networks = table::networks(sweep, &rows);
    let rows = rows.concat();
    out.remove_networks().map_err(Error::failed)?;
    write_json(&out.networks(), &SweepRecord::new(sweep, None)).map_err(Error::failed)?;
    write_table(out.root(), &rows).map_err(Error::failed)?;
    write_table(out.root(), &networks).map_err(Error::failed)?;
    let sum = |name: &str| checksum::sha256(&out.table(name)).map(|sum| (format!("{name}.csv"), sum));
    let sums = [AccuracyRow::NAME, NetworkRow::NAME].map(sum);
    let files = sums.into_iter().collect::<Result<_, _>>().map_err(Error::failed)?;
    let record = SweepRecord { files, ..SweepRecord::new(sweep, Some(networks)) };
    draw(&record, &rows, None, Style::Full, out, progress)?;
    write_json(&out.networks(), &record).map_err(Error::failed)?;
    let null = report::Null::new(&record.config.two_vs_two, record.config.inference);
    table::summarise(&record.networks, null, progress);
    Ok(out.root().to_path_buf())
}

/// The networks' results in a sweep's directory; none if it holds no sweep.
///
/// # Errors
/// A sweep that is not finished, a record that cannot be read.
pub fn networks(directory: &Path) -> Result<Option<Vec<PathBuf>>, SweepError> {
    let Some(record) = SweepRecord::read(directory)? else { return Ok(None) };
    let labels = distinct(record.networks.iter().map(|row| row.network.as_str()));
    Ok(Some(labels.into_iter().map(|label| directory.join(figure_name(label))).collect()))
}

/// Draws the figures and the page of a sweep again; none if the directory holds no sweep.
///
/// # Errors
/// A sweep that is not finished, tables that cannot be read, figures that cannot be written.
pub fn plot(directory: &Path, style: Style, progress: &Progress) -> Result<Option<Vec<PathBuf>>, Error> {
    let out = ResultsDir::new(directory);
    let Some(record) = SweepRecord::read(directory).map_err(Error::input)? else { return Ok(None) };
    let rows = read_table::<AccuracyRow>(directory).map_err(Error::input)?;
    let changed = altered(&record.files, &out, &out.networks());
    progress.warn(&changed);
    let _writing = progress.interrupt.writing();
    let _claim = out.lock("plot")?;
    draw(&record, &rows, changed.as_deref(), style, &out, progress).map(Some)
}

fn draw(
    record: &SweepRecord,
    rows: &[AccuracyRow],
    changed: Option<&str>,
    style: Style,
    out: &ResultsDir,
    progress: &Progress,
) -> Result<Vec<PathBuf>, Error> {
    let of = OfNetworks {
        rows,
        networks: &record.networks,
        directory: out.root(),
        null: report::Null::new(&record.config.two_vs_two, record.config.inference),
        note: record.config.stimuli.note.as_deref(),
        changed,
        semgpu: &record.semgpu,
    };
    report::write_networks(&of, style, out.root(), progress)
}

impl SweepRecord {
    /// That of a finished sweep; none if the directory has none.
    fn read(directory: &Path) -> Result<Option<Self>, SweepError> {
        let path = ResultsDir::new(directory).networks();
        let bytes = match std::fs::read(&path) {
            Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => return Ok(None),
            read => read.map_err(FileError::at(&path))?,
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|source| SweepError::Json { path, source })?;
        if record.finished { Ok(Some(record)) } else { Err(SweepError::Unfinished(directory.into())) }
    }

    fn new(sweep: &Sweep, networks: Option<Vec<NetworkRow>>) -> Self {
        Self {
            schema: 1,
            semgpu: env!("CARGO_PKG_VERSION").to_string(),
            config: sweep.written.clone(),
            finished: networks.is_some(),
            announced: false,
            files: BTreeMap::new(),
            networks: networks.unwrap_or_default(),
        }
    }
}

fn results(member: &Member) -> ResultsDir {
    ResultsDir::new(member.config.out())
}

/// Where the scores of a network's draws lie, beside its folder, where the family needs them.
fn scores(member: &Member) -> Option<PathBuf> {
    let needed = member.config.inference.family == Family::Networks;
    needed.then(|| scores_beside(&results(member)))
}

fn scores_beside(directory: &ResultsDir) -> PathBuf {
    let mut name = directory.root().file_name().unwrap_or_default().to_os_string();
    name.push(DRAWS);
    directory.root().with_file_name(name)
}

/// Of all draws of a network.
fn span(member: &Member) -> Span {
    Span::of_draws(member.config.two_vs_two.permutations)
}

/// The run whose results lie in a network's folder, and its keys.
fn run_of(member: &Member) -> Result<(RunRecord, Keys), SweepError> {
    let directory = results(member);
    let record = RunRecord::read(&directory)?.ok_or_else(|| SweepError::NoRun(directory.root().into()))?;
    let run = record.run().ok_or_else(|| SweepError::NoRun(directory.root().into()))?;
    let rows = read_table::<AccuracyRow>(directory.root())?;
    let keys = Keys::of_run(run, &distinct(rows.iter().map(|row| row.layer.as_str())));
    Ok((record, keys))
}

/// Whether a network's results are those of its plan, whole.
fn is_finished(member: &Member, plan: &Plan) -> bool {
    let Ok((record, keys)) = run_of(member) else { return false };
    let same = record.run().is_some_and(|run| run.checksums == plan.checksums) && keys == Keys::of(plan);
    same && is_whole(member, &record, &keys)
}

/// Whether a network's results are those of its shards, whole, and nobody makes them again at this moment.
fn is_merged(member: &Member) -> bool {
    if results(member).holder().is_some() {
        return false;
    }
    let (Ok((record, keys)), Ok(shards)) = (run_of(member), Shards::at(&member.config.out())) else { return false };
    shards.cut().keys == keys && is_whole(member, &record, &keys)
}

/// Whether the last that a run writes is there, its page with its figures, under this label, and what the family needs of it; and all
/// that the run wrote, as it wrote it.
fn is_whole(member: &Member, record: &RunRecord, keys: &Keys) -> bool {
    let directory = results(member);
    directory.page().is_file()
        && Ledger::read(&directory).figures_are_there(&directory)
        && record.run().is_some_and(|run| run.config.network.label == member.config.network.label)
        && record.files.keys().all(|name| directory.root().join(name).is_file())
        && record.altered(&directory).is_none()
        && scores(member).is_none_or(|path| read_draws(&path, &keys.test, span(member)).is_ok())
}

/// An error of a network says which.
fn of_network(label: &str) -> impl FnOnce(Error) -> Error {
    let named = |source| Box::new(SweepError::Network { label: label.to_string(), source });
    move |error| match error {
        Error::Input(source) => Error::Input(named(source)),
        Error::Failed(source) => Error::Failed(named(source)),
        Error::Interrupted => Error::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_cannot_be_read_makes_no_directory_one_without_a_sweep() {
        let place = tempfile::tempdir().unwrap();
        assert!(networks(place.path()).unwrap().is_none());
        let record = ResultsDir::new(place.path()).networks();
        std::fs::create_dir(&record).unwrap();
        let said = networks(place.path()).unwrap_err().to_string();
        assert!(said.starts_with(&record.display().to_string()), "{said}");
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(networks(&file).unwrap().is_none());
    }
}
