//! What is said of a selection: from all classes to the concepts selected, and what was left out on the way.

use super::draw::Unusable;
use super::matching::Match;
use super::photos::Photos;
use super::{Outcome, Request, SHOWN, Selection};
use crate::imagenet::is_wnid;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;
use crate::wording::{counted, first};

impl Selection {
    /// With how many images of each there are enough concepts.
    pub(super) fn remedy(&self, photos: &Photos, per_concept: usize) -> Option<String> {
        let found = self.outcomes.iter().filter(|outcome| matches!(outcome.matched, Match::Found { .. }));
        let mut images: Vec<usize> =
            found.filter_map(|outcome| Some(photos.files.get(&outcome.class.key)?.len())).collect();
        images.sort_unstable_by(|a, b| b.cmp(a));
        let fewer = *images.get(FEWEST_CONCEPTS - 1)?;
        let enough = images.iter().filter(|&&images| images >= fewer).count();
        (1..per_concept).contains(&fewer).then(|| format!(" (with --per-concept {fewer}: up to {enough})"))
    }

    pub(super) fn warn_of_images(&self, photos: &Photos, warnings: &mut Vec<String>) {
        for outcome in &self.outcomes {
            for Unusable { reason, .. } in outcome.drawn.iter().flat_map(|drawn| &drawn.unusable) {
                warnings.push(format!("{}: left out: {reason}", outcome.class.key));
            }
        }
        let ignored = photos.all_ignored();
        for (names, what, why) in [
            (&ignored.files, "file", "left out: no image by the ending of its name"),
            (&ignored.folders, "subfolder", "left out, images are looked for right above"),
        ] {
            if !names.is_empty() {
                let (folder, count) = (photos.folder.display(), counted(names.len(), what));
                warnings.push(format!("{folder}: {count} {why}: {}", first(names, SHOWN)));
            }
        }
    }

    /// From all classes to the concepts selected, a line each.
    pub fn summary(&self, request: &Request) -> Vec<String> {
        let total = self.outcomes.len();
        let found = self.outcomes.iter().filter(|outcome| matches!(outcome.matched, Match::Found { .. })).count();
        let taken = self.outcomes.iter().filter(|outcome| matches!(outcome.matched, Match::Taken { .. })).count();
        // Of many the report has the names.
        let some = |names: &[String]| match names {
            [] => String::new(),
            _ => format!(": {}", first(names, SHOWN)),
        };
        let lacking = |(name, _, lacking): &(String, u64, Vec<String>)| {
            format!("{name} lacks {} of {total} classes{}", lacking.len(), some(lacking))
        };
        let mut lines: Vec<String> = self.models.iter().map(lacking).collect();
        let shared =
            if taken > 0 { format!(" ({taken} more share their name with an earlier class)") } else { String::new() };
        lines.push(format!("{total} classes -> {found} with a name in every model{shared}"));
        let concepts = self.concepts(request.per_concept);
        let few = self.outcomes.iter().filter(|outcome| outcome.concept(request.per_concept).is_none());
        let few = few.filter_map(|outcome| match &outcome.matched {
            Match::Found { name, .. } => Some(name.clone()),
            _ => None,
        });
        let few = match few.collect::<Vec<_>>() {
            few if few.is_empty() => String::new(),
            few => format!("; fewer{}", some(&few)),
        };
        lines.push(format!("{found} -> {concepts} with {}{few}", counted(request.per_concept, "usable image")));
        let named = |outcome: &&Outcome| outcome.class.index.is_some() && !is_wnid(&outcome.class.key);
        let chosen = self.outcomes.iter().filter(|outcome| outcome.concept(request.per_concept).is_some());
        let named = chosen.filter(named).count();
        if named > 0 {
            lines.push(format!(
                "class_index of {named} by the name of an ImageNet class; check the manifest, for a word may mean something \
                 else there (mouse: a computer's)"
            ));
        }
        lines
    }
}
