//! The 2 vs. 2 and the 1 vs. 2 test: what passes, where chance lies, what ties count.

use super::Settings;
use crate::report::chance;
use crate::report::curves::Curves;
use crate::report::inference::Null;
use crate::stats::one_vs_two::{Columns, FEWEST_COLUMNS};
use crate::stats::scoring::{Constant, Ties};
use crate::wording::{counted, grouped, listed};

impl Settings<'_> {
    pub(super) fn two_vs_two(&self) -> String {
        let averaged = match self.groups {
            0 | 1 => String::new(),
            groups => format!(", averaged over the {}", self.said().groups(groups as usize)),
        };
        let in_full = !self.results.accuracy.is_empty();
        if !in_full && !self.results.measures.iter().any(|row| row.measure == "2v2") {
            return String::new();
        }
        let networks = Curves::under(Some(self.null), &self.results.accuracy);
        let known = networks.iter().any(chance::is_known);
        let moved = networks.iter().any(chance::has_moved);
        let mut text = format!(
            "Words and images were compared by the 2 vs. 2 test (Dharmaretnam & Fyshe, 2018). For each of the {} of concepts \
             a and b, the rows a and b of the word matrix (w) and of the image matrix (i) were taken without the columns a and \
             b. The pair passes if corr(w_a, i_a) + corr(w_b, i_b) > corr(w_a, i_b) + corr(w_b, i_a), with Pearson \
             correlations. Accuracy is the share of pairs that pass{averaged}{}.",
            counted(self.concepts * self.concepts.saturating_sub(1) / 2, "pair"),
            match (known, moved) {
                _ if !in_full => "",
                (false, _) => "; chance would be 0.5 without ties",
                (true, true) => "; chance is the null\u{2019}s mean",
                (true, false) => "; chance is 0.5",
            },
        );
        let ties: u64 = self.results.accuracy.iter().map(|row| row.ties).sum();
        text += &format!(" A tie (the two sums equal up to rounding) counted as {}", tied(self.test.ties));
        text += &match ties {
            _ if !in_full => ".".to_string(),
            0 => "; none occurred in all tests together.".to_string(),
            ties => format!("; {} occurred in all tests together.", grouped(ties)),
        };
        for said in networks.iter().map(|curves| chance::said(curves, "pairs", Some(self.test.ties))) {
            text += format!(" {said}").trim_end();
        }
        text += " A row that does not vary once a and b are left out counted as a correlation of 0.";
        text += match self.test.constant {
            Constant::Half => {
                " Pairs with an image whose activations are constant, and so correlate with nothing, scored one half; in the \
                 rows of other images its column counted as a correlation of 0."
            }
            Constant::Error => " No image had constant activations at any layer.",
        };
        text
    }

    pub(super) fn one_vs_two(&self) -> String {
        let Some(row) = self.results.one_vs_two.first() else { return String::new() };
        let Some(run) = self.record.run() else { return String::new() };
        let known = run.top_1.map_or(String::new(), |share| format!(" (top-1 accuracy {:.1} %)", 100.0 * share));
        let section = run.config.one_vs_two.clone().unwrap_or_default();
        let ties = section.ties.unwrap_or(self.test.ties);
        let null = Null::of_one_vs_two(self.record);
        let networks = Curves::under(Some(null), &self.results.one_vs_two);
        let mut text = format!(
            "The 1 vs. 2 test was made for the {} that the network misclassified{known} and whose true and predicted class both \
             have a word. The correlations of the image's activations with those of the correctly classified images{} \
             were compared with the correlations of the two classes' word vectors with those images' words, {}; images with \
             fewer than {FEWEST_COLUMNS} such correlations did not take part. The image passes if its correlations correlate \
             more with the true class's than with the predicted one's{}.",
            counted(row.images, "image"),
            if self.groups > 1 { " of its group" } else { "" },
            match section.columns {
                Columns::Paper =>
                    "the predicted class's own image and word among them where it was classified correctly",
                Columns::Others => "without those of the predicted class itself",
            },
            match networks.iter().any(chance::is_known) && !networks.iter().any(chance::has_moved) {
                true => "; chance is 0.5",
                false => "",
            },
        );
        for said in networks.iter().map(|curves| chance::said(curves, chance::IMAGES, Some(ties))) {
            text += format!(" {said}").trim_end();
        }
        if row.permutations > 0 {
            text += &self.permuted_words(null, row.permutations);
        }
        if self.test.constant == Constant::Half {
            text += " An image whose activations are constant counted half; as another one's column it counted as a correlation of 0.";
        }
        text + &format!(" A tie counted as {}.", tied(ties))
    }

    /// The null of the 1 vs. 2 test; what it has in common with that of the 2 vs. 2 test is told there, if there is one.
    fn permuted_words(&self, null: Null, permutations: u64) -> String {
        let groups = (self.groups > 1).then_some("groups");
        let models = (self.models() > 1).then_some("word models");
        let shared: Vec<&str> = ["layers"].into_iter().chain(groups).chain(models).collect();
        let text = format!(
            " The null hypothesis is that the words' labels are unrelated to what the network saw and answered: p-values \
             come from {} of all words that can take part{}, shared by {}",
            counted(permutations, "random permutation"),
            if self.test.within_categories {
                ", within their categories, those of classes that are no concepts among themselves"
            } else {
                ""
            },
            listed(&shared)
        );
        if self.drawn().is_none() {
            let controlled = self.controlled(null.rule);
            let end = if controlled.is_empty() { "" } else { "." };
            return format!("{text} (seed {}).{}{controlled}{end}", self.record.seed(), self.p_values());
        }
        let corrected = if self.family_size() > 1 { " and corrected over the same family as above" } else { "" };
        let stopped = if self.null.rule.stop_after.is_some() { "; all of them were made" } else { "" };
        format!("{text}, with the same tail{corrected}{stopped}.")
    }
}

/// As what a tie counted.
fn tied(ties: Ties) -> &'static str {
    match ties {
        Ties::Half => "half a pass",
        Ties::Won => "passed",
        Ties::Lost => "not passed",
    }
}
