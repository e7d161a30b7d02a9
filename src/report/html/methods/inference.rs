//! What p-values are of and what they cover.

use super::{Settings, distinct};
use crate::record::Maximum;
use crate::report::curves::SIGNIFICANT;
use crate::report::inference::{Drawn, NOT_MADE, drawn};
use crate::results::{IntervalRow, Results};
use crate::stats::generalise::Generalise;
use crate::stats::inference::{Family, Rule, Tail};
use crate::stimuli::PIXELS;
use crate::wording::{counted, listed};

impl Settings<'_> {
    pub(super) fn inference(&self) -> String {
        let in_full = !self.results.accuracy.is_empty();
        let mut text = match self.drawn() {
            Some(drawn) => self.permuted(drawn, in_full),
            None if self.results.one_vs_two.iter().any(|row| row.permutations > 0) => {
                "The 2 vs. 2 test was made without permutations: its accuracies have no p-values.".to_string()
            }
            None => format!("{NOT_MADE}the {} have no p-values.", if in_full { "accuracies" } else { "measures" }),
        };
        if in_full && self.test.bootstrap > 0 {
            text += &self.intervals();
        }
        text
    }

    /// The null, and what p-values of it cover.
    fn permuted(&self, drawn: Drawn, in_full: bool) -> String {
        let (concepts, shared) = match in_full {
            true => ("the word matrix", "word models"),
            false => ("the words\u{2019} side", "measures"),
        };
        let groups = (self.groups > 1).then(|| self.said().all());
        let sharing: Vec<&str> = ["layers"].into_iter().chain(groups).chain([shared]).collect();
        let mut text = format!(
            "The null distribution came from {}{} of the concepts of {concepts}{} (seed {}); all {} \
             shared the same permutations.{}",
            if drawn.stopped > 0 { "at most " } else { "" },
            counted(drawn.permutations, "random permutation"),
            if self.test.within_categories { " within their categories" } else { "" },
            self.record.seed(),
            listed(&sharing),
            self.p_values(),
        );
        text += &if in_full { self.family() } else { self.family_of_measures() };
        text + &self.stopping(drawn)
    }

    /// What a p-value counts.
    pub(super) fn p_values(&self) -> String {
        format!(
            " With b permutations {} the observed value out of m, p = (1 + b) / (1 + m) (Phipson & Smyth, 2010).",
            match self.null.rule.tail {
                Tail::Upper => "whose value is at least as high as (one-sided)",
                Tail::Lower => "whose value is at least as low as (one-sided)",
                Tail::Two => "whose value is at least as far from the null\u{2019}s mean as (two-sided)",
            }
        )
    }

    /// The permutations of the 2 vs. 2 test and of measures.
    pub(super) fn drawn(&self) -> Option<Drawn> {
        let Results { accuracy, measures, .. } = self.results;
        let counts = accuracy.iter().map(|row| row.permutations).chain(measures.iter().map(|row| row.permutations));
        drawn(Some(self.null), counts)
    }

    /// Where drawing could stop, and what null moments are of.
    fn stopping(&self, drawn: Drawn) -> String {
        let Some(stop) = self.null.rule.stop_after else { return String::new() };
        let Results { accuracy, measures, .. } = self.results;
        let p_values = match accuracy.len() {
            0 => counted(measures.len(), "p-value"),
            _ if measures.is_empty() => counted(accuracy.len(), "p-value") + " of the 2 vs. 2 test",
            _ => counted(accuracy.len() + measures.len(), "p-value") + " of the 2 vs. 2 test and the measures",
        };
        let settled = if drawn.stopped == 1 { "1 was".to_string() } else { format!("{} were", drawn.stopped) };
        let scaling = match self.null.rule.of_moments() {
            all if all == drawn.permutations => format!("all {all}"),
            first => format!("the first {first}"),
        };
        format!(
            " Drawing could stop early (Besag & Clifford, 1991): a p-value counts the permutations before the one that is \
             number {stop} to reach the observed value, or all where there are fewer, and a family was drawn until the last \
             of its p-values was settled. Of the {p_values} {settled} settled early. The means and standard deviations of \
             nulls are those of {scaling} permutations, whatever a p-value counts."
        )
    }

    /// What intervals speak of, and how they were made.
    fn intervals(&self) -> String {
        let resamples = counted(self.test.bootstrap, "bootstrap resample");
        let (all, over) = (self.said().all(), self.null.generalise);
        let copies = "copies of a concept made no pairs and were left out of each other's rows";
        let accuracies = match over {
            None | Some(Generalise::Concepts) => format!(
                " Confidence intervals (95 %) are percentiles of {resamples} over concepts (Efron & Tibshirani, 1993), in \
                 log-odds and centred on the observed accuracy; {copies}."
            ),
            Some(Generalise::Groups) => format!(
                " Confidence intervals (95 %) generalise to other {all}, with these concepts: by the variance of accuracies \
                 between {all} and Student\u{2019}s t with one degree of freedom less than there are, in log-odds."
            ),
            Some(Generalise::Both) => format!(
                " Confidence intervals (95 %) generalise to other concepts and other {all}: by the variance of accuracies over \
                 concepts, in closed form, and between {all}, less what the two have in common, and Student\u{2019}s t with \
                 degrees of freedom by Satterthwaite (1946), in log-odds; neither end lies farther from the accuracy than the \
                 root sum of squares of how far the intervals over concepts (percentiles of {resamples}, Efron & Tibshirani, 1993; \
                 {copies}) and over {all} reach."
            ),
        };
        if over.is_none() {
            return accuracies;
        }
        format!("{accuracies}{}{}", self.compared(), self.spreads(all))
    }

    /// Which values were held against which, of those that `intervals.csv` has.
    fn compared(&self) -> String {
        let rows = &self.results.intervals;
        let tested = |kind: &str| rows.iter().any(|row| row.kind == kind && row.p_value.is_some());
        let all = [
            ("value", "RSA with 0"),
            ("words", "word models with each other"),
            ("layers", "each layer with the one before it"),
            ("ceiling", "word models with the lower noise ceiling"),
        ];
        let all: Vec<&str> = all.into_iter().filter(|(kind, _)| tested(kind)).map(|(_, compared)| compared).collect();
        if all.is_empty() {
            return String::new();
        }
        let family = "all layers and word models of one measure and kind of comparison";
        let of_two = rows.iter().filter(|row| row.p_fwer.is_some()).all(|row| row.freedom == 1.0);
        let corrected = if of_two {
            format!(
                "1 − (1 − p)^m of the m comparisons over {family}, as of independent ones: two {} do not tell how they are correlated",
                self.said().all()
            )
        } else {
            format!(
                "against the maximum over {family}, in {} of a multivariate t whose members are correlated as the comparisons are",
                counted(self.test.bootstrap, "draw")
            )
        };
        format!(
            " Compared layer by layer (intervals.csv), by Student\u{2019}s t, two-sided: {}. Family-wise p-values are {corrected}.",
            listed(&all)
        )
    }

    /// How the spread of what has an interval was found, but for accuracies.
    fn spreads(&self, all: &str) -> String {
        let over = self.null.generalise;
        let (sides, closed) = match over {
            Some(Generalise::Groups) => (format!("over {all}"), format!("from the differences of the {all}")),
            Some(Generalise::Both) => (
                format!("over concepts, {all} and both, their variances combined as by Schütt et al. (2023)"),
                format!("in closed form over concepts, from the differences of the {all} over these"),
            ),
            _ => ("over concepts".to_string(), "in closed form".to_string()),
        };
        let pairs = match over {
            Some(Generalise::Groups) => "",
            _ => "; copies of a concept made no pairs, and what pairs do by themselves was counted once",
        };
        let has = |of: &dyn Fn(&IntervalRow) -> bool| self.results.intervals.iter().any(of);
        let is_difference = |row: &IntervalRow| ["words", "layers"].contains(&&*row.kind);
        let is_rsa = |row: &IntervalRow| row.measure.starts_with("rsa-");
        let resampled = [
            (has(&is_rsa), "RSA"),
            (has(&|row| is_rsa(row) && is_difference(row)), "its differences"),
            (has(&|row| row.kind == "ceiling"), "distances to a ceiling"),
        ];
        let resampled: Vec<&str> = resampled.into_iter().filter(|(there, _)| *there).map(|(_, what)| what).collect();
        let mut text = String::new();
        if !resampled.is_empty() {
            let resamples = counted(self.test.bootstrap, "bootstrap resample");
            text += &format!(" The spread of {} is that of {resamples} {sides}{pairs}.", listed(&resampled));
        }
        if has(&|row| !is_rsa(row) && is_difference(row)) {
            text += &format!(" The spread of differences of accuracies was taken {closed}.");
        }
        text
    }

    pub(super) fn models(&self) -> usize {
        distinct(self.results.accuracy.iter().map(|row| row.words.as_str())).len()
    }

    /// Layers that a family-wise p-value covers, those of every word model counted.
    pub(super) fn family_size(&self) -> usize {
        let models = if self.null.rule.family == Family::Layers { 1 } else { self.models() };
        self.layers().len() * models
    }

    /// How the family-wise error rate was controlled; nothing of a family of one.
    pub(super) fn controlled(&self, rule: Rule) -> String {
        if self.family_size() < 2 {
            return String::new();
        }
        let layers = self.layers();
        let models = self.models();
        let pixels = if layers.iter().any(|(layer, _)| *layer == PIXELS) { ", the pixels among them," } else { "" };
        let over = match self.null.rule.family {
            Family::Words | Family::Networks if models > 1 => {
                format!("the {}{pixels} of all {models} word models together", self.layers_said(layers.len()))
            }
            _ if self.record.run().is_none() => {
                format!("the {}{pixels} against a word model", self.layers_said(layers.len()))
            }
            _ => format!("the {}{pixels} of a network and word model", self.layers_said(layers.len())),
        };
        format!(" The family-wise error rate over {over} was controlled by comparing {}", self.maximum(rule))
    }

    /// What was corrected for, and how.
    fn family(&self) -> String {
        let choice = match self.null.rule.family {
            Family::Layers if self.models() > 1 => " The choice among the word models is not corrected for.",
            _ => "",
        };
        let controlled = self.controlled(self.null.rule);
        if controlled.is_empty() {
            return choice.to_string();
        }
        format!(
            "{controlled}; the false discovery rate over the same family by the procedure of Benjamini and Hochberg (1995). \
             Layers are called significant where the family-wise p is below {SIGNIFICANT}.{choice}"
        )
    }

    /// The same of measures: the family of `p_fwer`.
    pub(super) fn family_of_measures(&self) -> String {
        let rows = &self.results.measures;
        let models = distinct(rows.iter().map(|row| row.words.as_str())).len();
        let over = match self.null.rule.family {
            Family::Words | Family::Networks if models > 1 => "all pairs of layers of all word models together",
            _ => "the layers of the images\u{2019} side against one layer of the words\u{2019} side",
        };
        format!(
            " The family-wise error rate of a measure over {over} (p_fwer), and over all pairs of layers of two spaces (p_both), \
             was controlled by comparing {}; the false discovery rate over the family of p_fwer by the procedure of Benjamini \
             and Hochberg (1995).",
            self.maximum(self.null.rule)
        )
    }

    /// What values are held against.
    fn maximum(&self, rule: Rule) -> String {
        let scaling = match rule.stop_after {
            Some(_) => format!("first {} permutations", rule.of_moments()),
            None => "permutations".to_string(),
        };
        let outermost = match rule.tail {
            Tail::Upper => "the largest such value",
            Tail::Lower => "the smallest such value",
            Tail::Two => "the largest magnitude of such a value",
        };
        match self.record.maximum {
            Maximum::Studentised => format!(
                "each value, minus its null\u{2019}s mean and in units of its null\u{2019}s standard deviation (both over the \
                 {scaling} and the observed value), with {outermost} in each permutation (single-step max-T; Westfall \
                 & Young, 1993)"
            ),
            Maximum::Raw => "each value with the permutations\u{2019} maximum".to_string(),
        }
    }
}
