//! Measures of every layer with every layer of another space.

use super::{Settings, distinct};
use crate::results::MeasureRow;
use crate::stats::alignment::Measure;
use crate::wording::{counted, listed};

impl Settings<'_> {
    pub(super) fn alignment(&self) -> String {
        let rows = &self.results.measures;
        let Some(row) = rows.first() else { return String::new() };
        let measures = distinct(rows.iter().map(|row| row.measure.as_str()));
        let named = |name: &&str| {
            let neighbours = rows.iter().find(|row| row.measure == **name).and_then(|row| row.neighbours);
            neighbours.map_or_else(|| cited(name).to_string(), |k| format!("{} with k = {k}", cited(name)))
        };
        let mut text = format!(
            "Every layer of the words\u{2019} side was compared with every layer of the images\u{2019} side over {} by {}",
            counted(row.concepts, "concept"),
            listed(&measures.iter().map(named).collect::<Vec<_>>())
        );
        let (all, one) = (self.said().all(), self.said().group());
        text += &if row.groups > 1 { format!(", averaged over {all}.") } else { ".".to_string() };
        // Of measures alone the paragraph on inference says it.
        if !self.results.accuracy.is_empty() && rows.iter().any(|row| row.permutations > 0) {
            text += " All were tested under the permutations of the 2 vs. 2 test, with the same tail.";
            text += &self.family_of_measures();
        }
        if row.tau.is_some() {
            let (one, curves) = match self.has_word_layers() {
                true => ("pair", " and in curves over depth"),
                false => ("layer", ""),
            };
            text += &format!(
                " The calibrated score (Gröger et al., 2026) is (value − τ) / (1 − τ), or 0 below τ, the {:.0} % quantile of the \
                 draws and the observed value: of the {one}\u{2019}s own values (own τ), or of the highest value of all {one}s \
                 in each draw (τ over all {one}s), as of a best {one}{curves}.",
                100.0 * (1.0 - row.alpha)
            );
            text += &without_score(rows);
        }
        text += &intervals(rows, self.test.bootstrap);
        if rows.iter().any(|row| row.ceiling_low.is_some()) {
            text += &format!(
                " The noise ceiling is the measure of each {one} with the mean of the others and with that of all."
            );
        }
        text
    }
}

/// A measure in a sentence, with what defines it.
fn cited(measure: &str) -> &str {
    match measure {
        "2v2" => "the 2 vs. 2 test",
        "cka" => "linear CKA (Kornblith et al., 2019)",
        "cka-debiased" => "debiased linear CKA (Nguyen et al., 2021; by the unbiased HSIC of Song et al., 2012)",
        "cka-rbf" => "CKA of Gaussian kernels as wide as the median distance (Kornblith et al., 2019)",
        "mknn" => "mutual nearest neighbours by cosine (Huh et al., 2024)",
        "cknna" => "CKNNA of vectors of unit length (Huh et al., 2024)",
        "rsa-pearson" => "RSA by Pearson\u{2019}s r (Kriegeskorte et al., 2008)",
        "rsa-spearman" => "RSA by Spearman\u{2019}s ρ (Kriegeskorte et al., 2008)",
        "rsa-kendall" => "RSA by Kendall\u{2019}s τ-a (Kriegeskorte et al., 2008)",
        "rsa-cosine" => "RSA by the cosine (Kriegeskorte et al., 2008)",
        other => other,
    }
}

/// Why calibrated scores are lacking, where any are.
fn without_score(rows: &[MeasureRow]) -> String {
    let lacking = distinct(rows.iter().filter(|row| row.lacks_score()).map(|row| row.measure.as_str()));
    if lacking.is_empty() {
        return String::new();
    }
    format!(
        " There is none where the value or τ is above 1, the value of a space with itself: nothing bounds {} where few concepts have \
         many neighbours.",
        listed(&lacking)
    )
}

/// How the intervals of those that have any were made.
fn intervals(rows: &[MeasureRow], resamples: u64) -> String {
    let mut text = String::new();
    let with_interval = |row: &&MeasureRow| row.ci_low.is_some();
    let (jackknifed, resampled): (Vec<_>, Vec<_>) =
        rows.iter().filter(with_interval).partition(|row| row.neighbours.is_some());
    if !resampled.is_empty() {
        let is_accuracy = |row: &MeasureRow| row.measure == Measure::TwoVsTwo.name();
        let accuracies = resampled.iter().filter(|row| is_accuracy(row)).count();
        text += &format!(
            " Intervals (95 %) are percentiles of {} of the concepts, {} and centred on the observed value; copies of a concept \
             make no pair.",
            counted(resamples, "bootstrap resample"),
            match resampled.len() - accuracies {
                0 => "in log-odds",
                _ if accuracies > 0 => "of the 2 vs. 2 accuracy in log-odds, of the others by Fisher\u{2019}s z,",
                _ => "by Fisher\u{2019}s z",
            }
        );
    }
    if !jackknifed.is_empty() {
        let scales = distinct(jackknifed.iter().map(|row| match row.measure == Measure::Mknn.name() {
            true => "the log-odds of mutual nearest neighbours",
            false => "CKNNA",
        }));
        text += &format!(
            " {} of {} reach 1.96 standard errors of the jackknife over concepts (Efron & Tibshirani, 1993) to either side.",
            if resampled.is_empty() { "Intervals (95 %)" } else { "Those" },
            listed(&scales)
        );
    }
    text
}
