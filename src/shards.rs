//! One experiment in shards: pieces that machines compute without a word to each other, and that merge to the bytes of a
//! run on one machine.
//!
//! Groups of images are independent of each other, draw `t` depends on `(seed, t)` alone, and what a draw scores is an
//! integer: so the layers' RSMs are cut by group, the draws of the null by range, and any cut merges to the same results.
//! Everything lies in `<out>.shards/`:
//!
//! | | written by | |
//! | --- | --- | --- |
//! | `shards.json` | `semgpu shards` | the experiment's keys and how it is cut ([`Cut`]) |
//! | `groups-2-3/` | `semgpu shard --groups 2-3` | the RSMs of these groups, as a run keeps them: one that was killed goes on |
//! | `draws-0-499.safetensors` | `semgpu shard --draws 0-499` | the scores of these draws, written in one go |
//!
//! No two processes write the same file, and `semgpu merge` reads them all: what is missing or damaged it names as
//! commands to run again.

mod cut;
mod draws;
mod error;
mod groups;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use cut::{Cut, Estimate, Size, Span};
pub use draws::{DrawsError, begins as begins_draws, is_own as are_draws, read as read_draws, write as write_draws};
pub use error::ShardError;

use crate::arrays::{self, Told};
use crate::checkpoint::{Checkpoint, Opened};
use crate::checksum;
use crate::config::Config;
use crate::error::FileError;
use crate::evaluation::Draws;
use crate::plan::{Plan, Seen};
use crate::record::{self, Checksums, Run};
use crate::results::{ClaimError, Ledger, ResultsDir, check_files, is_scales, remove_dead, remove_files, write_json};

/// The shards of an experiment.
pub struct Shards {
    place: PathBuf,
    cut: Cut,
}

/// What two machines must agree on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Keys {
    /// Over all that decides the RSMs ([`crate::record::Checksums`]).
    pub similarity: String,
    /// Over that and all that decides the scores of draws.
    pub test: String,
}

impl Keys {
    /// The keys of a plan.
    pub fn of(plan: &Plan) -> Self {
        let layers: Vec<&str> = plan.model.layers.iter().map(|layer| layer.name.as_str()).collect();
        Self::new(&plan.config, &layers, &plan.checksums)
    }

    /// The keys of the plan that a finished run of these layers had.
    pub fn of_run(run: &Run, layers: &[&str]) -> Self {
        Self::new(&run.config, layers, &run.checksums)
    }

    fn new(config: &Config, layers: &[&str], checksums: &Checksums) -> Self {
        let similarity = checksums.similarity.clone();
        let mut tested = config.clone();
        // Where it runs and what it is called changes no score; the files' contents are in the checksums.
        tested.run = crate::config::RunConfig::default();
        tested.network.label = None;
        tested.paths_mut().for_each(|path| *path = PathBuf::new());
        let config = serde_json::to_string(&tested).expect("a configuration is JSON");
        let test = checksum::of_parts(&[similarity.clone(), config, layers.join("\n"), checksums.words.join("\n")]);
        Self { similarity, test }
    }
}

/// What there is of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Whole.
    Done,
    /// Nothing, or nothing that can be used.
    Missing,
    /// So many of so many matrices.
    Part(usize, usize),
    /// Listed as whole, and what is wrong with one of its files.
    Lost(String),
}

impl Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Missing => f.write_str("missing"),
            Self::Part(found, all) => write!(f, "{found} of {all} matrices"),
            Self::Lost(wrong) => write!(f, "{wrong}; run this shard again"),
        }
    }
}

/// The command that computes a shard.
const SHARD: &str = "shard";

/// Where the shards of an experiment with these results lie.
pub fn place(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".shards");
    out.with_file_name(name)
}

impl Shards {
    /// Whether the list of an experiment's shards can be written. Changes nothing, but what dead processes left half written goes.
    ///
    /// # Errors
    /// A directory in its place, or somebody else's file; a list that is cut off, unless `fresh` removes it; a place that nothing
    /// can be written into.
    pub fn check_place(out: &Path, fresh: bool) -> Result<(), ClaimError> {
        let list = place(out).join(cut::LIST);
        check_files(std::slice::from_ref(&list), &[])?;
        match list.exists() && !cut::is_list(&list) {
            true if !cut::begins_list(&list) => Err(ClaimError::NotOurs(list)),
            true if !fresh => Err(ClaimError::CutOff(list)),
            _ => Ok(()),
        }
    }

    /// Whether an experiment may be cut so. Changes nothing.
    ///
    /// # Errors
    /// Another experiment's shards or other pieces lie there and `fresh` does not say to remove them, or they are being computed.
    pub fn check_new(out: &Path, cut: &Cut, fresh: bool) -> Result<(), ShardError> {
        let place = place(out);
        let list = place.join(cut::LIST);
        if fresh {
            return Self::lying(&place).map_or(Ok(()), |before| before.check_idle());
        }
        if !list.exists() {
            return Ok(());
        }
        let before = Self { place, cut: Cut::read(&list)? };
        same(&list, (&cut.keys, &before.cut), || cut.from.clone())?;
        before.check_kept(&list, cut)
    }

    /// Writes how an experiment is cut.
    ///
    /// # Errors
    /// [`Self::check_new`]; the file cannot be written.
    pub fn create(out: &Path, cut: Cut, fresh: bool) -> Result<Self, ShardError> {
        let place = place(out);
        let list = place.join(cut::LIST);
        // What is removed is looked at before.
        if fresh {
            remove(&place)?;
        } else {
            Self::check_new(out, &cut, false)?;
        }
        remove_dead(&place);
        let shards = Self { place, cut };
        std::fs::create_dir_all(&shards.place).map_err(FileError::at(&shards.place))?;
        write_json(&list, &shards.cut)?;
        Ok(shards)
    }

    /// The shards of a plan, as they were cut.
    ///
    /// # Errors
    /// They were not cut, or from other inputs.
    pub fn of(plan: &Plan) -> Result<Self, ShardError> {
        let shards = Self::at(&plan.config.out())?;
        let path = shards.place.join(cut::LIST);
        same(&path, (&Keys::of(plan), &shards.cut), || plan.cut_from())?;
        if !shards.cut.is_of(plan.inputs.manifest.groups.len(), plan.config.most_permutations()) {
            let reason = "its groups or draws end elsewhere than the experiment's".to_string();
            return Err(ShardError::Damaged { path, reason });
        }
        Ok(shards)
    }

    /// The shards beside a results directory, whatever they were cut from: for a look at how far they are.
    ///
    /// # Errors
    /// They were not cut.
    pub fn at(out: &Path) -> Result<Self, ShardError> {
        let place = place(out);
        let cut = Cut::read(&place.join(cut::LIST))?;
        Ok(Self { place, cut })
    }

    /// What lies in a place: the shards of its list, or beside one that is cut off those that semgpu wrote.
    fn lying(place: &Path) -> Option<Self> {
        let cut = match Cut::read(&place.join(cut::LIST)) {
            Err(ShardError::Uncut(_)) => return None,
            read => read.unwrap_or_else(|_| Cut::of_pieces(place)),
        };
        Some(Self { place: place.into(), cut })
    }

    /// The images as they were when the experiment was cut, for a plan that looks at those of a shard's groups again; at none
    /// for a shard of draws, which reads matrices.
    pub fn seen(&self, groups: Option<Span>) -> Seen {
        let groups = groups.map_or(0..0, |span| span.first.saturating_sub(1) as usize..span.last as usize);
        Seen { sums: self.cut.images.clone(), groups }
    }

    /// The directories of shards of groups that are there.
    fn groups_there(&self) -> impl Iterator<Item = ResultsDir> {
        self.cut.groups.iter().map(|&span| self.groups_dir(span)).filter(|directory| directory.root().exists())
    }

    /// Whether none of them is being computed.
    fn check_idle(&self) -> Result<(), ShardError> {
        Ok(self.groups_there().try_for_each(|directory| directory.lock(SHARD).map(drop))?)
    }

    /// Whether all that is computed of these pieces is a piece of `cut`, too.
    fn check_kept(&self, list: &Path, cut: &Cut) -> Result<(), ShardError> {
        let (mut computed, mut lost) = (0, 0);
        for (states, kept) in [(self.groups_states(), &cut.groups), (self.draws_states(), &cut.draws)] {
            for (span, _) in states.iter().filter(|(_, state)| *state != State::Missing) {
                computed += 1;
                lost += usize::from(!kept.contains(span));
            }
        }
        if lost == 0 { Ok(()) } else { Err(ShardError::Recut { path: list.into(), computed, lost }) }
    }

    /// How the experiment is cut.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Whether `groups` is a shard of the cut.
    ///
    /// # Errors
    /// [`ShardError::NoShard`]
    pub fn check_groups(&self, groups: Span) -> Result<(), ShardError> {
        self.check("groups", groups, &self.cut.groups)
    }

    /// Whether `draws` is a shard of the cut.
    ///
    /// # Errors
    /// [`ShardError::NoShard`]
    pub fn check_draws(&self, draws: Span) -> Result<(), ShardError> {
        self.check("draws", draws, &self.cut.draws)
    }

    fn check(&self, kind: &'static str, found: Span, expected: &[Span]) -> Result<(), ShardError> {
        if expected.contains(&found) {
            return Ok(());
        }
        let expected = expected.iter().map(Span::to_string).collect();
        Err(ShardError::NoShard { path: self.place.join(cut::LIST), kind, found, expected })
    }

    /// Where the RSMs of a shard of groups lie.
    pub fn groups_dir(&self, groups: Span) -> ResultsDir {
        ResultsDir::new(self.place.join(format!("groups-{groups}")))
    }

    fn draws_file(&self, draws: Span) -> PathBuf {
        self.place.join(format!("draws-{draws}.safetensors"))
    }

    /// Writes the scores of a shard of draws.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_draws(&self, span: Span, draws: &Draws) -> Result<(), FileError> {
        remove_dead(&self.place);
        draws::write(&self.draws_file(span), &self.cut.keys.test, span, draws)
    }

    /// What has to be run again, without a look into matrices, and how many shards there are.
    pub fn unfinished(&self) -> (Vec<String>, usize) {
        let unfinished = |(_, state): &(Span, State)| *state != State::Done;
        let groups = self.groups_states().into_iter().filter(unfinished);
        let groups = groups.map(|(span, state)| again(self.cut.groups_command(span), state));
        let draws = self.draws_states().into_iter().filter(unfinished);
        let draws = draws.map(|(span, state)| again(self.cut.draws_command(span), state));
        (groups.chain(draws).collect(), self.cut.groups.len() + self.cut.draws.len())
    }

    /// The scores of all shards of draws.
    ///
    /// # Errors
    /// [`ShardError::Missing`] names what has to be run again.
    pub fn draws(&self) -> Result<Draws, ShardError> {
        remove_dead(&self.place);
        let mut all = Draws::default();
        let mut missing = Vec::new();
        for &span in &self.cut.draws {
            let file = self.draws_file(span);
            match draws::read(&file, &self.cut.keys.test, span) {
                Ok(draws) => all.append(draws),
                Err(error) => {
                    missing.push(again(self.cut.draws_command(span), format!("{}: {error}", file.display())));
                }
            }
        }
        if !missing.is_empty() {
            // Draws need the groups, which come first.
            let unfinished = self.groups_states().into_iter().filter(|(_, state)| *state != State::Done);
            let why = |span, state: State| self.other(span).unwrap_or_else(|| state.to_string());
            missing
                .splice(0..0, unfinished.map(|(span, state)| again(self.cut.groups_command(span), why(span, state))));
        }
        refuse_missing(missing, self.cut.groups.len() + self.cut.draws.len())?;
        Ok(all)
    }

    /// The checkpoints of all shards of groups, each with the place of its first group, from 0. `opened` opens one by its
    /// directory and number of groups.
    ///
    /// # Errors
    /// [`ShardError::Missing`] names what has to be run again.
    pub fn groups(
        &self,
        opened: impl Fn(&ResultsDir, usize) -> Opened,
    ) -> Result<Vec<(usize, Checkpoint)>, ShardError> {
        let mut whole = Vec::new();
        let mut missing = Vec::new();
        for &span in &self.cut.groups {
            let why = match self.other(span) {
                Some(other) => other,
                None => {
                    let Opened { checkpoint, damaged } = opened(&self.groups_dir(span), span.len());
                    if damaged.is_empty() && checkpoint.is_whole() {
                        whole.push((span.first as usize - 1, checkpoint));
                        continue;
                    }
                    if damaged.is_empty() { "not finished".to_string() } else { damaged.join("; ") }
                }
            };
            missing.push(again(self.cut.groups_command(span), why));
        }
        refuse_missing(missing, self.cut.groups.len())?;
        Ok(whole)
    }

    /// What there is of each shard of groups, without a look at its matrices' values.
    pub fn groups_states(&self) -> Vec<(Span, State)> {
        let state = |span: Span| {
            let ledger = Ledger::read(&self.groups_dir(span));
            if ledger.key != self.groups_key(span) {
                return State::Missing;
            }
            let all = self.cut.matrices * span.len();
            // A layer's scales are listed beside its matrix and are none.
            let matrices = ledger.groups.iter().filter(|(file, _)| !is_scales(file));
            let found = matrices.flat_map(|(_, groups)| groups).flatten().count();
            if found < all {
                return State::Part(found, all);
            }
            let listed = ledger.groups.iter().filter(|(_, groups)| groups.iter().any(Option::is_some));
            let files = listed.map(|(file, _)| self.groups_dir(span).matrices().join(file));
            let wrong = |file: PathBuf| arrays::open(&file, None, &Told::default()).err();
            files.filter_map(wrong).next().map_or(State::Done, |wrong| State::Lost(wrong.to_string()))
        };
        self.cut.groups.iter().map(|&span| (span, state(span))).collect()
    }

    /// What there is of each shard of draws.
    pub fn draws_states(&self) -> Vec<(Span, State)> {
        let state = |span: Span| match draws::read(&self.draws_file(span), &self.cut.keys.test, span) {
            Ok(_) => State::Done,
            Err(_) => State::Missing,
        };
        self.cut.draws.iter().map(|&span| (span, state(span))).collect()
    }
}

/// A command that is to be run again, as a shell takes it, and why.
fn again(command: String, why: impl Display) -> String {
    format!("{command}   # {why}")
}

/// `commands` compute what is missing of `all` shards.
///
/// # Errors
/// [`ShardError::Missing`], if there are any.
pub fn refuse_missing(commands: Vec<String>, all: usize) -> Result<(), ShardError> {
    if commands.is_empty() { Ok(()) } else { Err(ShardError::Missing { missing: commands.len(), all, commands }) }
}

/// Whether an experiment of these keys is the one that was cut; `from` says in full what it is, for the difference.
fn same(list: &Path, (keys, cut): (&Keys, &Cut), from: impl FnOnce() -> Value) -> Result<(), ShardError> {
    let what = match (keys.similarity == cut.keys.similarity, keys.test == cut.keys.test) {
        (true, true) => return Ok(()),
        (false, _) => "images, weights, network, version or device",
        (true, false) => "words, layers or the tests' options",
    };
    let what = record::changed(&cut.from, &from()).unwrap_or_else(|| what.to_string());
    Err(ShardError::Other { path: list.into(), what })
}

/// Removes the shards of another experiment, nothing else.
fn remove(place: &Path) -> Result<(), ShardError> {
    let list = place.join(cut::LIST);
    let Some(shards) = Shards::lying(place) else { return Ok(()) };
    // Those that are being computed stay, and all others with them.
    shards.check_idle()?;
    remove_files(shards.cut.draws.iter().map(|&span| shards.draws_file(span)))?;
    shards.groups_there().try_for_each(|directory| directory.clear(SHARD))?;
    Ok(remove_files([list])?)
}
