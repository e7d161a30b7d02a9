//! The 1 vs. 2 test of misclassified images (section 5 of the paper): is an image's activation still nearer to the
//! meaning of its true class when the network has taken it for another?
//!
//! Within a group let J be the concepts whose images are classified correctly. For an image that shows class a and is
//! taken for class b, over the columns j in J:
//!
//! `i_j` = correlation of its activation with that of j's image, `w_a,j` and `w_b,j` = correlations of the two classes'
//! word vectors with j's. It *passes* if
//!
//! `corr(i, w_a) > corr(i, w_b)`; the difference is its *margin*. The accuracy is taken over the images of all groups;
//! chance is the null's mean.
//!
//! # The columns ([`Columns`])
//! By the letter of the paper they are *all* correctly classified images' concepts. Class b, whose own image in the
//! group is often among them, meets itself in `w_b` with a correlation of 1, and a never does: a's image of the group is
//! the one that is misclassified. An image that looks like b's own raises `corr(i, w_b)` by this column alone, and chance
//! need not be 0.5; the null has the same column. [`Columns::Others`] leaves b's out (and a's, which is never there), as
//! the 2 vs. 2 test does: a and b have equal parts, exchanging them changes the sign of every margin, so the accuracy
//! becomes 1 - accuracy, and the null's mean is 0.5 (ties aside). It is another statistic.
//!
//! # Null
//! The labels of the words are unrelated to what the network saw and answered: any word is as good for a class as its
//! own.
//!
//! Images of one concept and repeated (true, predicted) pairs are not independent, so a binomial test over images is
//! invalid. The null exchanges the labels of the words: draw p replaces `w_a,j` by `W[p(a), p(j)]`, and leaves alone what
//! the network saw and answered. It permutes every word that can take part: the concepts, and the words of those classes
//! outside the manifest that have one. Were those to stay in their place, the true and the predicted class would not be
//! exchangeable. Where there are none the draws are those of the 2 vs. 2 test. Draws are shared by groups, layers
//! and word models.
//!
//! # Cost
//! Two gathered rows per image and draw, one inner product of |J| terms for each layer. 250 images, 12 layers and 1000
//! draws are 0.3 G multiply-adds, less than the RSM of one early layer: so there is one form, in f64 on the CPU, on
//! RSMs that come from any device.

#[cfg(test)]
mod tests;

use std::ops::Range;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inference::Statistic;
use super::permutation::Permutations;
use super::scoring::{Outcome, Ties};
use super::two_vs_two::{FLAT_ROW, TIE};
use super::{Interrupted, Progress, Rsm, report};

/// Fewest columns that a margin is taken over.
pub const FEWEST_COLUMNS: usize = 5;

/// Which columns a margin is taken over (module documentation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Columns {
    /// All concepts of the group whose images are classified correctly, the predicted class's own among them.
    #[default]
    Paper,
    /// Those without the predicted class's.
    Others,
}

/// An image that the network takes for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its row in the group's RSM.
    pub image: usize,
    /// The word of its class.
    pub truth: usize,
    /// The word of the class that it is taken for.
    pub predicted: usize,
}

/// What the network answered in one group of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Concepts whose image is classified correctly, ascending: rows of the RSMs of images and of words.
    pub correct: Vec<usize>,
    /// The images to test.
    pub mistakes: Vec<Mistake>,
}

/// What became of an image with this margin.
///
/// # Panics
/// If it is NaN, as of a word without correlations: were that a tie, draws would tie by that word alone.
pub fn outcome(margin: f64) -> Outcome {
    assert!(!margin.is_nan(), "a margin is a number: every word has correlations");
    // The weights of a margin are those of two correlations.
    match margin {
        margin if margin > 2.0 * TIE => Outcome::Passed,
        margin if margin < -2.0 * TIE => Outcome::Lost,
        _ => Outcome::Tie,
    }
}

impl Columns {
    /// The columns over which a mistake's margin is taken.
    pub fn of(self, correct: &[usize], mistake: &Mistake) -> Vec<usize> {
        let own = |concept: usize| concept == mistake.truth || concept == mistake.predicted;
        correct.iter().copied().filter(|&concept| self == Self::Paper || !own(concept)).collect()
    }
}

/// The accuracy over the mistakes of every group at every layer, in half-points; a constant image counts half.
pub struct OneVsTwoTest<'a> {
    words: &'a Rsm,
    images: Vec<Prepared>,
    layers: usize,
    groups: usize,
    draws: &'a Permutations,
    ties: Ties,
}

impl<'a> OneVsTwoTest<'a> {
    /// # Shapes
    /// `words` is `[words, words]`, the manifest's concepts first; `layers` is `[layer][group]` of RSMs
    /// `[concepts, concepts]`. Draws permute the words.
    ///
    /// # Panics
    /// If there is no mistake, one has fewer than [`FEWEST_COLUMNS`] columns, `layers` and `groups` do not fit, or
    /// `draws` are not of `words`.
    pub fn new(
        words: &'a Rsm,
        groups: &[Answers],
        layers: &[&[Rsm]],
        draws: &'a Permutations,
        (columns, ties): (Columns, Ties),
    ) -> Self {
        assert_eq!(draws.concepts(), words.concepts(), "draws of the words");
        assert!(layers.iter().all(|rsms| rsms.len() == groups.len()), "one RSM per layer and group");
        let prepared = |(group, answers): (usize, &Answers)| -> Vec<Prepared> {
            let prepare = |mistake| {
                let columns = columns.of(&answers.correct, mistake);
                Prepared::new(mistake, columns, layers.iter().map(|rsms| &rsms[group]))
            };
            answers.mistakes.iter().map(prepare).collect()
        };
        let images: Vec<Prepared> = groups.iter().enumerate().flat_map(prepared).collect();
        assert!(!images.is_empty(), "a test needs a misclassified image");
        Self { words, images, layers: layers.len(), groups: groups.len(), draws, ties }
    }

    /// The observed margin of every image, group by group, at every layer, `[image][layer]`; none where the image is
    /// constant there.
    pub fn margins(&self) -> Vec<Vec<Option<f64>>> {
        self.images.iter().map(|image| image.margins(self.words, &self.draws.draw(0))).collect()
    }

    /// Images of which a row, at some layer or of one of the two words, does not vary over the columns: it correlates 0.
    pub fn flat(&self) -> usize {
        let identity = self.draws.draw(0);
        let flat = |row: &[f64]| row.iter().all(|&entry| entry == 0.0);
        let of = |image: &&Prepared| {
            let [truth, predicted] = image.words(self.words, &identity);
            image.layers.iter().flatten().chain([&truth, &predicted]).any(|row| flat(row))
        };
        self.images.iter().filter(of).count()
    }
}

impl Statistic for OneVsTwoTest<'_> {
    type Error = Interrupted;

    fn whole(&self) -> i64 {
        2 * self.images.len() as i64
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Interrupted> {
        let points = |t| {
            let draw = self.draws.draw(t);
            let mut points = vec![0; self.layers];
            for image in &self.images {
                for (points, margin) in points.iter_mut().zip(image.margins(self.words, &draw)) {
                    *points += margin.map_or(1, |margin| outcome(margin).half_points(self.ties) as i64);
                }
            }
            report(progress, (self.layers * self.groups) as u64).map(|()| points)
        };
        let by_draw: Vec<Vec<i64>> = draws.into_par_iter().map(points).collect::<Result<_, Interrupted>>()?;
        Ok((0..self.layers).map(|layer| by_draw.iter().map(|points| points[layer]).collect()).collect())
    }
}

/// The layer, by its index, from which on to the last one the true class has no advantage; `None` while the last layer
/// still has it.
pub fn lost_from(margins: &[Option<f64>]) -> Option<usize> {
    let kept = |margin: &Option<f64>| margin.is_some_and(|margin| outcome(margin) == Outcome::Passed);
    let lost = margins.iter().rposition(kept).map_or(0, |last| last + 1);
    (lost < margins.len()).then_some(lost)
}

/// A mistake with what does not depend on the draw.
struct Prepared {
    truth: usize,
    predicted: usize,
    columns: Vec<usize>,
    /// The image's correlations with the columns' images at each layer, centred and of unit length; none where the image
    /// is constant.
    layers: Vec<Option<Vec<f64>>>,
}

impl Prepared {
    fn new<'a>(mistake: &Mistake, columns: Vec<usize>, layers: impl Iterator<Item = &'a Rsm>) -> Self {
        assert!(columns.len() >= FEWEST_COLUMNS, "{} columns", columns.len());
        let rows = layers.map(|rsm| {
            let row = rsm.row(mistake.image);
            let constant = (0..row.len()).all(|j| j == mistake.image || row[j].is_nan());
            // A column whose own image is constant correlates 0, as in the 2 vs. 2 test.
            let entry = |&j: &usize| if row[j].is_nan() { 0.0 } else { row[j] };
            (!constant).then(|| unit(columns.iter().map(entry).collect()))
        });
        let layers = rows.collect();
        Self { truth: mistake.truth, predicted: mistake.predicted, columns, layers }
    }

    /// The rows of the true and the predicted class's words under a draw, centred and of unit length.
    fn words(&self, words: &Rsm, draw: &[u32]) -> [Vec<f64>; 2] {
        [self.truth, self.predicted].map(|word| {
            let row = words.row(draw[word] as usize);
            unit(self.columns.iter().map(|&j| row[draw[j] as usize]).collect())
        })
    }

    /// The margin at each layer under a draw.
    fn margins(&self, words: &Rsm, draw: &[u32]) -> Vec<Option<f64>> {
        let [truth, predicted] = self.words(words, draw);
        let difference: Vec<f64> = truth.iter().zip(&predicted).map(|(a, b)| a - b).collect();
        let margin = |seen: &Vec<f64>| seen.iter().zip(&difference).map(|(x, y)| x * y).sum();
        self.layers.iter().map(|seen| seen.as_ref().map(margin)).collect()
    }
}

/// A row less its mean, of unit length; all zero where it does not vary.
fn unit(mut row: Vec<f64>) -> Vec<f64> {
    let count = row.len() as f64;
    let mean = row.iter().sum::<f64>() / count;
    row.iter_mut().for_each(|x| *x -= mean);
    let squares = row.iter().map(|x| x * x).sum::<f64>();
    let flat = squares <= FLAT_ROW * (squares + count * mean * mean);
    let scale = if flat { 0.0 } else { squares.sqrt().recip() };
    row.iter_mut().for_each(|x| *x *= scale);
    row
}
