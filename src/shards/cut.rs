//! How an experiment is cut: spans of groups and of draws, and the commands that compute them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Keys, SHARD, ShardError, draws};
use crate::files;
use crate::results::{ResultsDir, read_json};

/// The list of an experiment's shards.
pub(super) const LIST: &str = "shards.json";

/// What it begins with, but for blanks.
const LIST_BEGINS: &str = "{\"keys\":{\"similarity\":\"";

/// Whether a file is such a list, of whatever version.
pub(super) fn is_list(path: &Path) -> bool {
    read_json::<Value>(path).is_some_and(|list| list["keys"]["similarity"].is_string())
}

/// Whether a file begins as such a list does, of which it may lack the end, or is empty.
pub(super) fn begins_list(path: &Path) -> bool {
    let Ok(text) = files::read(path) else { return false };
    let mut signs = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    LIST_BEGINS.bytes().all(|expected| signs.next().is_none_or(|found| *found == expected))
}

/// Numbers from the first to the last, both included: `2-3`. Groups count from 1; draw 0 is the observed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Span {
    /// The observed value and so many draws.
    pub fn of_draws(permutations: u64) -> Self {
        Self { first: 0, last: permutations }
    }

    /// How many numbers it has.
    #[allow(clippy::len_without_is_empty, reason = "it has one at least")]
    pub fn len(&self) -> usize {
        (self.last - self.first + 1) as usize
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last && last < u64::MAX => Ok(Self { first, last }),
            _ => Err("expected two numbers like 2-3".to_string()),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How long a shard should take: `30m`, `90s`, `2h`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size(pub Duration);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a time like 30m, 90s or 1h30m".to_string();
        let (mut seconds, mut number) = (0.0, String::new());
        for c in text.chars() {
            let unit = match c {
                's' => 1.0,
                'm' => 60.0,
                'h' => 3600.0,
                digit => {
                    number.push(digit);
                    continue;
                }
            };
            let value: f64 = number.parse().ok().filter(|v| (0.0..1e6).contains(v)).ok_or_else(expected)?;
            seconds += value * unit;
            number.clear();
        }
        if number.is_empty() && seconds >= 1.0 { Ok(Self(Duration::from_secs_f64(seconds))) } else { Err(expected()) }
    }
}

/// How an experiment is cut.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Cut {
    /// What it was cut from.
    pub keys: Keys,
    /// The program and its arguments that name the experiment, as a shell takes them: `--set` and the like stand in every
    /// command.
    pub experiment: String,
    /// Matrices of one group: the layers, and the network's answers.
    pub matrices: usize,
    /// The checksum of each image, group by group: a shard looks at its own.
    #[serde(default)]
    pub images: Vec<String>,
    /// Groups of images, counted from 1.
    pub groups: Vec<Span>,
    /// Draws of the null, the observed value among them.
    pub draws: Vec<Span>,
    /// Seconds that the first group and the first draw are estimated to take.
    pub estimate: Estimate,
    /// What the keys are of, in full: says in what another experiment is another ([`Plan::cut_from`](crate::plan::Plan::cut_from)).
    #[serde(default)]
    pub from: Value,
}

/// What a piece takes, in seconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Estimate {
    /// One group of images through the network, and its RSMs.
    pub group: f64,
    /// One draw of all tests.
    pub draw: f64,
    /// What every shard does beside: the plan's checks, the weights.
    pub start: f64,
}

impl Estimate {
    /// What is to be said of shards that spend their time on their start.
    pub fn doubt(&self, Size(size): Size) -> Option<String> {
        (self.start >= size.as_secs_f64()).then(|| {
            format!("--size: a shard takes {:.1} s to start, so one of this size is a single group or draw; give a longer one", self.start)
        })
    }
}

impl Cut {
    /// Cuts `groups` groups and `permutations` draws and the observed value into pieces of `size` by the estimate; one
    /// group at least.
    pub fn new(
        (keys, from): (Keys, Value),
        experiment: String,
        matrices: usize,
        images: Vec<String>,
        (groups, permutations): (usize, u64),
        estimate: Estimate,
        size: Size,
    ) -> Self {
        let work = (size.0.as_secs_f64() - estimate.start).max(0.0);
        let pieces = |first: u64, count: u64, seconds: f64| {
            let most = if seconds > 0.0 { (work / seconds).clamp(1.0, count as f64) as u64 } else { count };
            // As many as fit, dealt evenly.
            let shards = count.div_ceil(most);
            let start = |shard: u64| first + (u128::from(count) * u128::from(shard) / u128::from(shards)) as u64;
            (0..shards).map(|shard| Span { first: start(shard), last: start(shard + 1) - 1 }).collect()
        };
        let (groups, draws) = (pieces(1, groups as u64, estimate.group), pieces(0, permutations + 1, estimate.draw));
        Self { keys, experiment, matrices, images, groups, draws, estimate, from }
    }

    pub(super) fn read(list: &Path) -> Result<Self, ShardError> {
        if !list.exists() {
            return Err(ShardError::Uncut(list.into()));
        }
        let damaged = |reason: String| ShardError::Damaged { path: list.into(), reason };
        let text = files::read_to_string(list).map_err(|error| damaged(error.to_string()))?;
        let cut: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        for (kind, spans, first) in [("groups", &cut.groups, 1), ("draws", &cut.draws, 0)] {
            if !follow(spans, first) {
                return Err(damaged(format!("{kind}: expected spans that follow each other from {first} on")));
            }
        }
        Ok(cut)
    }

    /// The pieces beside a list that is cut off, by their names, of those that semgpu wrote; what they were cut from nothing says.
    pub(super) fn of_pieces(place: &Path) -> Self {
        let entries: Vec<PathBuf> =
            std::fs::read_dir(place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        let spans = |begins: &str, ends: &str, is_own: fn(&Path) -> bool| -> Vec<Span> {
            let own = entries.iter().filter(|path| is_own(path)).map(|path| files::name(path));
            own.filter_map(|name| name.strip_prefix(begins)?.strip_suffix(ends)?.parse().ok()).collect()
        };
        Self {
            keys: Keys { similarity: String::new(), test: String::new() },
            experiment: String::new(),
            matrices: 0,
            images: Vec::new(),
            groups: spans("groups-", "", |path| ResultsDir::new(path).is_known()),
            draws: spans("draws-", ".safetensors", draws::begins),
            estimate: Estimate { group: 0.0, draw: 0.0, start: 0.0 },
            from: Value::Null,
        }
    }

    /// Whether it is all of so many groups and draws.
    pub(super) fn is_of(&self, groups: usize, permutations: u64) -> bool {
        let ends = |spans: &[Span], last: u64| spans.last().is_some_and(|span| span.last == last);
        ends(&self.groups, groups as u64) && ends(&self.draws, permutations)
    }

    /// The commands of the shards of groups, one a line.
    pub fn groups_commands(&self) -> Vec<String> {
        self.groups.iter().map(|span| self.groups_command(*span)).collect()
    }

    /// The commands of the shards of draws, which need those of all groups.
    pub fn draws_commands(&self) -> Vec<String> {
        self.draws.iter().map(|span| self.draws_command(*span)).collect()
    }

    /// The command that puts them together.
    pub fn merge_command(&self) -> String {
        self.command("merge")
    }

    pub(super) fn groups_command(&self, span: Span) -> String {
        format!("{} --groups {span}", self.command(SHARD))
    }

    pub(super) fn draws_command(&self, span: Span) -> String {
        format!("{} --draws {span}", self.command(SHARD))
    }

    fn command(&self, what: &str) -> String {
        self.experiment.replacen("{}", what, 1)
    }
}

/// Whether each of the spans begins behind the one before it.
fn follow(spans: &[Span], mut first: u64) -> bool {
    spans.iter().all(|span| span.first == std::mem::replace(&mut first, span.last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(groups: usize, permutations: u64, group: f64, draw: f64, size: &str) -> Cut {
        let keys = Keys { similarity: "a".into(), test: "b".into() };
        let estimate = Estimate { group, draw, start: 2.0 };
        Cut::new(
            (keys, Value::Null),
            "semgpu {} x.toml".into(),
            13,
            Vec::new(),
            (groups, permutations),
            estimate,
            size.parse().unwrap(),
        )
    }

    #[test]
    fn pieces_are_of_the_size_and_leave_nothing_out() {
        let cut = cut(5, 1000, 20.0, 0.1, "62s");
        let text = |spans: &[Span]| spans.iter().map(Span::to_string).collect::<Vec<_>>();
        assert_eq!(text(&cut.groups), ["1-2", "3-5"]);
        assert_eq!(text(&cut.draws), ["0-499", "500-1000"]);
        assert_eq!(cut.groups_commands()[1], "semgpu shard x.toml --groups 3-5");
        assert!(cut.estimate.doubt("2s".parse().unwrap()).unwrap().starts_with("--size: a shard takes 2.0 s to start"));
        assert_eq!(cut.estimate.doubt("3s".parse().unwrap()), None);
        for (groups, permutations, size) in [(1, 0, "1s"), (7, 1, "3s"), (830, 99_999, "1h30m")] {
            let cut = self::cut(groups, permutations, 1.5, 0.001, size);
            for (spans, first, last) in [(&cut.groups, 1, groups as u64), (&cut.draws, 0, permutations)] {
                assert_eq!((spans[0].first, spans[spans.len() - 1].last), (first, last));
                assert!(spans.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
            }
        }
    }

    #[test]
    fn a_list_with_gaps_or_of_other_groups_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(LIST);
        let mut cut = cut(5, 1000, 20.0, 0.1, "62s");
        let mut read = |groups: &[&str], draws: &[&str]| {
            let spans = |texts: &[&str]| texts.iter().map(|text| text.parse::<Span>().unwrap()).collect::<Vec<_>>();
            (cut.groups, cut.draws) = (spans(groups), spans(draws));
            crate::results::write_json(&path, &cut).unwrap();
            Cut::read(&path).map(|cut| cut.is_of(5, 1000)).map_err(|error| error.to_string())
        };
        assert_eq!(read(&["1-2", "3-5"], &["0-1000"]), Ok(true));
        assert_eq!([read(&["1-2", "3-9"], &["0-1000"]), read(&["1-5"], &["0-999"])], [Ok(false), Ok(false)]);
        for groups in [&["0-2", "3-5"][..], &["1-2", "4-5"], &["1-3", "3-5"]] {
            assert!(read(groups, &["0-1000"]).unwrap_err().contains("groups: expected spans that follow"));
        }
        assert!(
            read(&["1-5"], &["1-1000"]).unwrap_err().contains("draws: expected spans that follow each other from 0")
        );
    }

    #[test]
    fn sizes_and_spans_are_read_or_refused() {
        let seconds = |text: &str| text.parse::<Size>().map(|size| size.0.as_secs());
        assert_eq!((seconds("30m"), seconds("1h30m"), seconds("90s")), (Ok(1800), Ok(5400), Ok(90)));
        for text in ["", "30", "m", "-5m", "1d", "0s", "nan s", "1e9h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!("4".parse(), Ok(Span { first: 4, last: 4 }));
        for text in ["", "3-2", "a-b", "1-", "-1"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
