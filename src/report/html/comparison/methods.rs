//! A comparison in words: what was held against what, and how it was tested.

use crate::names::distinct;
use crate::report::compare::{Comparison, Overlay};
use crate::report::html::methods::Paragraph;
use crate::report::html::references;
use crate::results::WithinRow;
use crate::stats::generalise::{FEWEST_GROUPS, Generalise};
use crate::wording::{counted, listed};

/// The paragraphs.
pub fn paragraphs(of: &Comparison) -> Vec<Paragraph> {
    let filled = match of.curves.iter().flat_map(|curve| curve.rows).any(|row| row.permutations > 0) {
        true => "; filled markers are layers that differ from chance there",
        false => "",
    };
    let depth = match of.record.along {
        Some(_) => "",
        None => " Relative depth is 0 at the first and 1 at the last layer that a run has.",
    };
    let curves = format!(
        "The accuracies of the 2 vs. 2 test (Dharmaretnam & Fyshe, 2018) are those of the runs, whose own pages have their \
         methods{filled}.{depth}"
    );
    let mut all = vec![("Curves", curves)];
    if of.between.is_empty() && of.within.is_empty() {
        all.push(("Differences", "No difference was tested.".to_string()));
    } else {
        all.extend([("Differences", differences(of)), ("Inference", inference(of))]);
    }
    let cited: String = all.iter().map(|(_, text)| text.as_str()).collect();
    all.push(("References", references::of(&cited)));
    all.into_iter().map(|(heading, text)| Paragraph { heading, text }).collect()
}

/// Which differences there are, and what a family is.
fn differences(of: &Comparison) -> String {
    let mut text = String::new();
    if !of.between.is_empty() {
        text += "Each layer of one curve was compared with a layer of the other: that of the same name where both are of one \
                 network, and where layers have no order or stand along an axis of numbers; otherwise the one at the nearest \
                 relative depth. Differences are the first minus the second; the family of a family-wise p is the layers of \
                 one pair of curves, not all pairs of curves. ";
    }
    let kinds = distinct(of.within.iter().map(|row| row.kind.as_str()));
    // Places without an order have no next one.
    if kinds.contains(&WithinRow::BEST) {
        let compared = match kinds.contains(&WithinRow::NEXT) {
            true => {
                "every layer was compared with the one before it, a family, and the best layer with every other one"
            }
            false => "the best layer was compared with every other one",
        };
        text += &format!(
            "Within a curve {compared}: the family of these is every two layers, because the best was chosen by looking at all. "
        );
    }
    if kinds.contains(&WithinRow::ASKED) {
        text += &format!(
            "Within each curve the layers {} were compared with each other, as asked for: a family of one. ",
            listed(&of.record.layers)
        );
    }
    text + "All comparisons are paired: both sides are on the same concepts, and concepts that are easy for both make no \
            difference."
}

fn inference(of: &Comparison) -> String {
    let record = of.record;
    let groups = &record.groups_are;
    let (spread, freedom, speaks) = match record.generalise {
        Generalise::Concepts => (
            "its variance over concepts was taken in closed form, by what pairs have in common (Aronow et al., \
             2015) and what each concept does to the rows of others"
                .to_string(),
            "(k − 1) / (4 q (1 − q))² degrees of freedom (k concepts, q the mean of the two accuracies; at most 120)"
                .to_string(),
            format!("other concepts of the same kind, for the {groups} that were tested"),
        ),
        Generalise::Groups => (
            format!("its variance was taken between {groups}"),
            format!("one degree of freedom less than there are {groups}"),
            format!("other {groups}, for the concepts that were tested"),
        ),
        Generalise::Both => (
            format!(
                "its variance was taken over concepts in closed form, by what pairs have in common (Aronow et al., \
                 2015) and what each concept does to the rows of others, and between {groups}, less what both have in \
                 common"
            ),
            "degrees of freedom by Satterthwaite (1946; of concepts (k − 1) / (4 q (1 − q))², q the mean of the two accuracies)"
                .to_string(),
            format!("other concepts of the same kind and other {groups}"),
        ),
    };
    let drawn = record.generalise.said(groups);
    let in_draws = format!(
        "In units of its standard error it was held against {} (seed {}) of a multiplier bootstrap: random normal weights of \
         {drawn}, which all differences of a family share, over a random standard error of such weights with {freedom}. p-values \
         are two-sided, p = (1 + b) / (1 + m) with b of m draws at least as large; family-wise p-values take the largest of the \
         family in each draw (single-step max-T; Westfall & Young, 1993).",
        counted(record.resamples, "draw"),
        record.seed
    );
    let alone = format!(
        "held against Student\u{2019}s t with one degree of freedom, two-sided, and family-wise p-values are 1 − (1 − p)^m of the m \
         comparisons of a family, as of independent ones: two {groups} do not tell how they are correlated."
    );
    let is_of_two = |curve: &Overlay| curve.rows.iter().all(|row| row.groups == FEWEST_GROUPS);
    let held = match record.generalise {
        Generalise::Groups if of.curves.iter().all(is_of_two) => format!("Of two {groups} it was {alone}"),
        Generalise::Groups | Generalise::Both if of.curves.iter().any(is_of_two) => {
            format!("{in_draws} Families of one degree of freedom each, as of two {groups}, were {alone}")
        }
        _ => in_draws,
    };
    format!(
        "For each difference {spread}. {held} 95 % intervals are pointwise. Intervals and p-values generalise to {speaks}: not to \
         other networks, nor to other word models."
    )
}
