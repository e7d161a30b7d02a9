//! A comparison in words: what was held against what, and how it was tested.

use crate::record::ComparisonRecord;
use crate::report::compare::Comparison;
use crate::report::curves::distinct;
use crate::report::html::methods::{ARONOW, DHARMARETNAM, Paragraph, SATTERTHWAITE};
use crate::results::WithinRow;
use crate::stats::generalise::Generalise;
use crate::wording::{counted, listed};

/// The paragraphs.
pub fn paragraphs(of: &Comparison) -> Vec<Paragraph> {
    let filled = match of.curves.iter().flat_map(|curve| curve.rows).any(|row| row.permutations > 0) {
        true => "; filled markers are layers that differ from chance there",
        false => "",
    };
    let curves = format!(
        "The accuracies of the 2 vs. 2 test (Dharmaretnam & Fyshe, 2018) are those of the runs, whose own pages have their \
         methods{filled}. Relative depth is 0 at the first and 1 at the last layer that a run has."
    );
    if of.between.is_empty() && of.within.is_empty() {
        let text = "No difference was tested.".to_string();
        return vec![Paragraph { heading: "Curves", text: curves }, Paragraph { heading: "Differences", text }];
    }
    [
        ("Curves", curves),
        ("Differences", differences(of)),
        ("Inference", inference(of.record)),
        ("References", references(of)),
    ]
    .into_iter()
    .map(|(heading, text)| Paragraph { heading, text })
    .collect()
}

/// Which differences there are, and what a family is.
fn differences(of: &Comparison) -> String {
    let mut text = String::new();
    if !of.between.is_empty() {
        text += "Each layer of the one curve was held against a layer of the other: that of the same name where both are of one \
                 network, otherwise the one at the nearest relative depth. Differences are the first less the second; the \
                 family of a family-wise p is the layers of one pair of curves, not all pairs of curves. ";
    }
    let kinds = distinct(of.within.iter().map(|row| row.kind.as_str()));
    if kinds.contains(&WithinRow::NEXT) {
        text += "Within a curve every layer was held against the one before it, a family, and the best layer against every \
                 other one: the family of these is every two layers, because the best was chosen by looking at all. ";
    }
    if kinds.contains(&WithinRow::ASKED) {
        text += &format!(
            "Within each curve the layers {} were held against each other, as asked for: a family of one. ",
            listed(&of.record.layers)
        );
    }
    text + "All compare curves on the same concepts, so that concepts that are easy for both do not count."
}

fn inference(record: &ComparisonRecord) -> String {
    let groups = &record.groups_are;
    let (spread, freedom, speaks) = match record.generalise {
        Generalise::Concepts => (
            "the variance of a difference over concepts was taken in closed form, by what pairs have in common (Aronow, Samii \
             & Assenova, 2015) and what each concept does to the rows of others"
                .to_string(),
            "(k − 1) / (4 q (1 − q))² degrees of freedom (k concepts, q the mean of the two accuracies; at most 120)"
                .to_string(),
            format!("other concepts of the same kind, for the {groups} that were tested"),
        ),
        Generalise::Groups => (
            format!("the variance of a difference was taken between {groups}"),
            format!("one degree of freedom less than there are {groups}"),
            format!("other {groups}, for the concepts that were tested"),
        ),
        Generalise::Both => (
            format!(
                "the variance of a difference was taken over concepts in closed form, by what pairs have in common (Aronow, Samii & \
                 Assenova, 2015) and what each concept does to the rows of others, and between {groups}, less what both have in \
                 common"
            ),
            "degrees of freedom by Satterthwaite (1946; of concepts (k − 1) / (4 q (1 − q))², q the mean of the two accuracies)"
                .to_string(),
            format!("other concepts of the same kind and other {groups}"),
        ),
    };
    let drawn = record.generalise.said(groups);
    format!(
        "For each difference {spread}. In units of its standard error it was held against {} (seed {}) of a multiplier bootstrap: \
         random normal weights of {drawn}, which all differences of a family share, over a random standard error of such weights \
         with {freedom}. \
         p-values are two-sided, p = (1 + b) / (1 + m) with b of m draws at least as large; family-wise p-values take the largest \
         of the family in each draw. 95 % intervals are each by itself. Intervals and p-values speak of {speaks}: not of other \
         networks, nor of other word models.",
        counted(record.resamples, "draw"),
        record.seed
    )
}

fn references(of: &Comparison) -> String {
    let mut references = vec![DHARMARETNAM];
    if of.record.generalise.over_concepts() {
        references.push(ARONOW);
    }
    if of.record.generalise == Generalise::Both {
        references.push(SATTERTHWAITE);
    }
    references.sort_unstable();
    references.join("\n")
}
