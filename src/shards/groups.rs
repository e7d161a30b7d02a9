//! Whose the directory of a shard of groups is: its list of matrices names the inputs and the groups.

use super::{Shards, Span};
use crate::progress::Progress;
use crate::results::{Claim, ClaimError, Ledger, read_json};

impl Shards {
    /// What names a shard of groups in its directory: a copy of another's is then none of it.
    pub(super) fn groups_key(&self, groups: Span) -> String {
        format!("{}, groups {groups}", self.cut.keys.similarity)
    }

    /// Takes the directory of a shard of groups for this process; what is of other groups or inputs there goes, and is said.
    ///
    /// # Errors
    /// As [`crate::results::ResultsDir::claim`].
    pub fn claim_groups(&self, groups: Span, progress: &Progress) -> Result<Claim, ClaimError> {
        let (directory, key) = (self.groups_dir(groups), self.groups_key(groups));
        let other = self.other(groups).filter(|_| directory.finished().exists());
        let claim = directory.claim(super::SHARD, &key, other.is_some())?;
        let said = other.iter().map(String::as_str).chain(claim.damaged());
        progress.warn(said.map(|said| format!("{said}; computed again")));
        Ok(claim)
    }

    /// Why what lies in the directory of a shard of groups is not that shard's, behind the directory.
    pub(super) fn other(&self, groups: Span) -> Option<String> {
        let directory = self.groups_dir(groups);
        let list = directory.finished();
        let said = |why: String| Some(format!("{}: {why}", directory.root().display()));
        let key = match read_json::<Ledger>(&list) {
            Some(ledger) => ledger.key,
            None if list.exists() => {
                return said("the list of its matrices is damaged (rsm/finished.json)".to_string());
            }
            None => String::new(),
        };
        if key == self.groups_key(groups) {
            return None;
        }
        let same_inputs = key.strip_prefix(&self.cut.keys.similarity).and_then(|rest| rest.strip_prefix(", groups "));
        said(match same_inputs {
            Some(found) => format!("of other groups ({found})"),
            None if key.is_empty() => "not there".to_string(),
            None => "of other inputs".to_string(),
        })
    }
}
