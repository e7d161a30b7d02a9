//! How much a difference of two 2 vs. 2 accuracies varies over concepts: its variance in closed form.
//!
//! `d_ab` is the pair's outcome on the one side less that on the other (passed 1, tie by rule, constant image 1/2; means over
//! groups), `D` the mean over all `P` pairs. Concepts are drawn from a population of concepts, and one of them bears upon `D`
//! in two ways: by its own pairs, and as a column of all other pairs' rows. With `e_ab = d_ab - D`, `O_c = sum_b e_cb`, and
//! `R_c[ab]` what column `c` adds to the expected outcome of the pair `ab`, `R_c = sum_ab R_c[ab]`, `S[a,c] = sum_b R_c[ab]`,
//! the variance is (all over `P^2`)
//!
//! `sum_c (O_c + R_c)^2 - sum_ab e_ab^2 - share T`.
//!
//! `L_c = O_c + R_c` is a concept's influence. The second term counts pairs once that `sum_c O_c^2` has twice, for each has two
//! concepts (Aronow, Samii & Assenova 2015). The third is of pairs that meet themselves, or a pair with which they have a
//! concept in common anyhow:
//!
//! `T = 2 sum_ac e_ac S[a,c] + sum_ac S[a,c]^2 - sum_abc R_c[ab]^2 + sum_ac S[a,c] S[c,a] / 2`,
//!
//! the last part for two concepts that are each a column of the other's pairs, half of what theory takes off: with a signal
//! worlds have a tenth more spread than the whole leaves.
//!
//! # The influence of a column
//!
//! Correlations change by `x_c y_c - r (x_c^2 + y_c^2) / 2` with the weight of column `c`, `x` and `y` the rows without a and
//! b, at mean 0 and length 1 (the infinitesimal jackknife). An outcome is a step of the margin, and leaving a column out makes
//! single pairs jump; what counts is how often pairs jump: the margin's change times the density of margins at 0, a normal
//! kernel as wide as 0.3 standard deviations of the margins. A jackknife counts every jump, and is 1.6 to 1.9 times too wide.
//!
//! # Few concepts
//!
//! `T` is a sum of products of noise: with few concepts the variance is noisier with it than without, and what is left without it
//! is too much by about what residuals of so few concepts are too small. So its
//! `share` is `1 - (12 / k)^(3/2)`, nothing at 12 concepts and all of many. The variance is at least that of independent pairs,
//! `sum e_ab^2 / P^2`.
//!
//! Student's t has `(k - 1) / (4 q (1 - q))^2` degrees of freedom, `q` the mean of the two accuracies: near 1 (or 0) a
//! difference and its estimated variance are made of the same few lost pairs, and large ones of the one go with large ones of the
//! other, so that t has shorter tails than with `k - 1`. An accuracy by itself has `k / 2`. Both rules, and the share, are ours,
//! chosen on simulated worlds ([`super::paired`] tells how they hold their level, and in which others).
//!
//! # Nothing
//!
//! Outcomes are counted in whole numbers, so sides of which no pair differs differ by exactly 0. If no margin differs by more
//! than rounding either, that of the RSMs' entries included, the two are one, and the variance is 0. Otherwise it is at least what
//! counting in pairs makes uncertain, `1 / (12 P^2)`.
//!
//! # Other groups
//!
//! Over groups (subjects, seeds) a difference varies as a mean of `G` differences does, the g-th of both sides being one
//! group's: `V_g = sum_g (d_g - D)^2 / (G (G - 1))`, with `G - 1` degrees of freedom; unless the sides are one in every group,
//! at least a `G`-th of what counting makes uncertain. Over both it varies by `V_c + V_g -
//! V_gc` with `V_c` of above: what groups and concepts do together is in both, and is taken off once, as in the dual bootstrap
//! ([`super::generalise`]), from how much the concepts' influences `L_cg` differ from group to group: `V_gc = sum_cg (L_cg -
//! L_c)^2 / (G (G - 1))`. Degrees of freedom are Satterthwaite's, at least the fewer.

use rayon::prelude::*;

use super::generalise::{Generalise, satterthwaite};
use super::rsa::dot;
use super::scoring::Ties;
use super::two_vs_two::double::Side;
use super::two_vs_two::{TIE, TwoVsTwoError, pairs};
use super::{Progress, Rsm, report};

/// Standard deviation of the kernel, in those of the margins.
const WIDTH: f64 = 0.3;

/// Beyond so many standard deviations the kernel is 0 in single precision.
const FAR: f64 = 6.0;

/// So many concepts are too few for all parts of the variance.
const FEW: f64 = 12.0;

/// More degrees of freedom are as good as any number: the 95 % quantile of t is within 1.1 hundredths of the normal one's.
pub(super) const MANY: usize = 120;

/// Sums that are made side by side and added in order, so that the number of threads decides no rounding.
const PARTS: usize = 16;

/// One side of a difference.
#[derive(Clone, Copy)]
pub struct Tested<'a> {
    /// The word model.
    pub words: &'a Rsm,
    /// The layer's RSM of each group; none for an accuracy of 0, with which a layer's difference is its own accuracy.
    pub groups: &'a [Rsm],
    /// How ties count.
    pub ties: Ties,
}

/// A difference of two accuracies and how far it can be trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// The one less the other.
    pub difference: f64,
    /// Its variance over concepts, groups or both.
    pub variance: f64,
    /// Degrees of freedom of the variance, whole ones, one at least; over concepts a difference has at most 120.
    pub freedom: usize,
    /// What each concept, or group, or each of both, contributes to the difference, to first order: differences that they
    /// move together vary together.
    pub influences: Vec<f64>,
}

impl<'a> Tested<'a> {
    /// One group of it.
    fn group(self, group: usize) -> Self {
        Self { groups: self.groups.get(group).map_or(&[], std::slice::from_ref), ..self }
    }
}

/// The spread of the accuracy of `a` less that of `b` over what is generalised to; over groups the g-th of both sides is one.
///
/// # Errors
/// As [`spread`], which is the spread over concepts.
///
/// # Cost
/// As [`spread`], over both twice; over groups alone that of counting the outcomes.
///
/// # Panics
/// As [`spread`]; over groups if there are fewer than two, or the sides differ in them.
pub fn generalised(over: Generalise, a: Tested, b: Tested, progress: &Progress) -> Result<Spread, TwoVsTwoError> {
    if !over.over_groups() {
        return spread(a, b, progress);
    }
    let groups = a.groups.len();
    assert!(groups > 1 && (b.groups.is_empty() || b.groups.len() == groups), "sides of the same groups, two at least");
    if over == Generalise::Groups {
        let (mut differences, mut differ) = (Vec::with_capacity(groups), false);
        for g in 0..groups {
            let outcomes = Outcomes::new(a.group(g), b.group(g), progress)?;
            differences.push(outcomes.difference);
            differ |= !outcomes.are_one();
        }
        return Ok(by_groups(&differences, differ, a.words.concepts()));
    }
    let of_group = |g: usize| spread(a.group(g), b.group(g), progress);
    let each: Vec<Spread> = (0..groups).map(of_group).collect::<Result<_, _>>()?;
    let differences: Vec<f64> = each.iter().map(|group| group.difference).collect();
    let differ = each.iter().any(|group| group.variance > 0.0);
    let of_groups = by_groups(&differences, differ, a.words.concepts());
    let Spread { variance: by_concepts, freedom, influences, .. } = spread(a, b, progress)?;
    let apart = |group: &Spread| -> f64 {
        group.influences.iter().zip(&influences).map(|(own, mean)| (own - mean).powi(2)).sum()
    };
    let together = each.iter().map(apart).sum::<f64>() / (groups * (groups - 1)) as f64;
    let over_groups = of_groups.variance;
    Ok(Spread {
        difference: of_groups.difference,
        variance: (by_concepts + over_groups - together).max(by_concepts).max(over_groups),
        freedom: satterthwaite([(over_groups, of_groups.freedom as f64), (by_concepts, freedom as f64)]) as usize,
        influences: [influences, of_groups.influences].concat(),
    })
}

/// The spread over groups with these differences, of sides that differ in one of them at least, or are one in all.
fn by_groups(differences: &[f64], differ: bool, concepts: usize) -> Spread {
    let groups = differences.len();
    let difference = differences.iter().sum::<f64>() / groups as f64;
    let pairs = (groups * (groups - 1)) as f64;
    let influences: Vec<f64> = differences.iter().map(|own| (own - difference) / pairs.sqrt()).collect();
    let least = if differ { counting(concepts) / groups as f64 } else { 0.0 };
    Spread { difference, variance: dot(&influences, &influences).max(least), freedom: groups - 1, influences }
}

/// What counting in whole pairs makes uncertain of a difference: the variance of a number that is rounded.
fn counting(concepts: usize) -> f64 {
    let step = 2.0 / (concepts * (concepts - 1)) as f64;
    step * step / 12.0
}

/// The spread of the accuracy of `a` less that of `b`, on the same concepts in the same order.
///
/// # Errors
/// As [`pairs`], or `progress` asked to stop; it is told the RSMs looked at.
///
/// # Cost
/// `k^3 / 2` steps of a few operations per group and side, in `f64`. Parallel over concepts.
///
/// # Panics
/// If the sides differ in their concepts.
pub fn spread(a: Tested, b: Tested, progress: &Progress) -> Result<Spread, TwoVsTwoError> {
    let k = a.words.concepts();
    let outcomes = Outcomes::new(a, b, progress)?;
    let one = outcomes.are_one();
    let Outcomes { sides, half_points, whole, difference, accuracies } = outcomes;
    let count = (k * (k - 1) / 2) as f64;
    let freedom = freedom(k, &accuracies);
    if one {
        return Ok(Spread { difference, variance: 0.0, freedom, influences: vec![0.0; k] });
    }
    let mut residuals: Vec<f64> = half_points.into_iter().map(|points| points as f64 / (2 * whole) as f64).collect();
    (0..k).for_each(|a| (0..k).filter(|&b| b != a).for_each(|b| residuals[a * k + b] -= difference));
    let part = |first: usize| (first..k).step_by(PARTS).fold(Columns::new(k), |sums, a| sums.with(&sides, a, k));
    let parts: Vec<Columns> = (0..PARTS.min(k)).into_par_iter().map(part).collect();
    let columns = parts.into_iter().fold(Columns::new(k), Columns::and);

    let by_concept = &columns.by_concept;
    let square = |values: &[f64]| dot(values, values);
    let own = residuals.chunks_exact(k).map(|row| row.iter().sum::<f64>());
    let total = |c: usize| (0..k).map(|a| by_concept[a * k + c]).sum::<f64>() / 2.0;
    let influences: Vec<f64> = own.enumerate().map(|(c, own)| own + total(c)).collect();
    let independent = square(&residuals) / 2.0;
    let twice = 2.0 * places(k).map(|(ac, ca)| residuals[ca] * by_concept[ac]).sum::<f64>();
    let joint = places(k).map(|(ac, ca)| by_concept[ac] * by_concept[ca]).sum::<f64>() / 2.0;
    let selves = twice + square(by_concept) - columns.squares + joint;
    let share = 1.0 - (FEW / k as f64).min(1.0).powf(1.5);
    Ok(Spread {
        difference,
        variance: ((square(&influences) - independent - share * selves).max(independent) / count.powi(2))
            .max(counting(k)),
        freedom,
        influences: influences.into_iter().map(|influence| influence / count).collect(),
    })
}

/// The outcomes of the pairs on two sides.
struct Outcomes {
    /// Every group of both.
    sides: Vec<Group>,
    /// In both orders, `[concepts, concepts]`: half-points of every pair on the one side less the other, in `whole` groups.
    half_points: Vec<i64>,
    whole: usize,
    difference: f64,
    /// Of the sides that have groups.
    accuracies: Vec<f64>,
}

impl Outcomes {
    fn new(a: Tested, b: Tested, progress: &Progress) -> Result<Self, TwoVsTwoError> {
        let k = a.words.concepts();
        assert_eq!(k, b.words.concepts(), "sides of the same concepts");
        let groups = [a.groups.len(), b.groups.len()];
        let whole = groups.iter().map(|&groups| groups.max(1)).product::<usize>();
        let mut sides = Vec::new();
        let mut half_points = vec![0; k * k];
        let mut points = [0; 2];
        for (n, (sign, side)) in [(1, a), (-1, b)].into_iter().enumerate() {
            let copies = whole / groups[n].max(1);
            for group in side.groups {
                let weight = f64::from(sign) / groups[n] as f64;
                let group = Group::new(side, group, weight)?;
                let times = i64::from(sign) * copies as i64;
                half_points.iter_mut().zip(&group.half_points).for_each(|(all, own)| *all += times * own);
                points[n] += group.half_points.iter().sum::<i64>();
                sides.push(group);
                report(progress, 1)?;
            }
        }
        // Every pair is there in both orders.
        let count = (k * (k - 1) / 2) as f64;
        let difference = half_points.iter().sum::<i64>() as f64 / (4 * whole) as f64 / count;
        let accuracy = |n: usize| points[n] as f64 / (4 * groups[n]) as f64 / count;
        let accuracies = (0..2).filter(|&n| groups[n] > 0).map(accuracy).collect();
        Ok(Self { sides, half_points, whole, difference, accuracies })
    }

    /// Whether the sides are one: no pair differs, nor by how much it passes, but for rounding.
    fn are_one(&self) -> bool {
        let k = self.sides.first().map_or(0, |group| group.constant.len());
        let is_rounding = |(a, b): (usize, usize)| {
            let (mut margin, mut rounding) = (0.0, 0.0);
            for group in &self.sides {
                margin += group.weight * group.margins[a * k + b];
                rounding += group.weight.abs() * group.rounding(a, b);
            }
            f64::abs(margin) <= rounding
        };
        let mut pairs = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b)));
        self.half_points.iter().all(|&points| points == 0) && pairs.all(is_rounding)
    }
}

/// Degrees of freedom of the difference of two accuracies, or of one.
fn freedom(k: usize, accuracies: &[f64]) -> usize {
    let [a, b] = accuracies else { return (k / 2).max(1) };
    let middle = f64::midpoint(*a, *b);
    ((k - 1) as f64 / (4.0 * middle * (1.0 - middle)).powi(2)).min(MANY as f64) as usize
}

/// Every place of a square matrix, and the one across the diagonal.
fn places(k: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..k).flat_map(move |a| (0..k).map(move |c| (a * k + c, c * k + a)))
}

/// One group of one side.
struct Group {
    words: Side,
    image: Side,
    /// In both orders, `[concepts, concepts]`: half-points of every pair.
    half_points: Vec<i64>,
    /// `[concepts, concepts]`, a before b: of every pair, 0 with a constant image.
    margins: Vec<f64>,
    /// Of the group in the difference.
    weight: f64,
    /// Of the kernel.
    width: f64,
    constant: Vec<bool>,
}

impl Group {
    fn new(side: Tested, image: &Rsm, weight: f64) -> Result<Self, TwoVsTwoError> {
        let k = image.concepts();
        let tested = pairs(side.words, image)?;
        let mut constant = vec![false; k];
        image.constant().into_iter().for_each(|concept| constant[concept] = true);
        let mut half_points = vec![0; k * k];
        let mut add =
            |a: usize, b: usize, points: i64| (half_points[a * k + b], half_points[b * k + a]) = (points, points);
        // A pair with a constant image scores half.
        let without = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b)));
        without.filter(|&(a, b)| constant[a] || constant[b]).for_each(|(a, b)| add(a, b, 1));
        let mut margins = vec![0.0; k * k];
        for pair in &tested {
            let (a, b) = (pair.a as usize, pair.b as usize);
            add(a, b, pair.outcome.half_points(side.ties) as i64);
            margins[a * k + b] = pair.margin();
        }
        let count = tested.len().max(1) as f64;
        let mean = tested.iter().map(|pair| pair.margin()).sum::<f64>() / count;
        let variance = tested.iter().map(|pair| (pair.margin() - mean).powi(2)).sum::<f64>() / count;
        let (words, image) = (Side::new(side.words)?, Side::masked(image)?);
        Ok(Self { words, image, half_points, margins, weight, width: WIDTH * variance.sqrt(), constant })
    }

    /// How far rounding puts a margin off, whether of the RSMs' entries or of what is made of them. A correlation of a word's row
    /// with an image's is a product with the rows' weights, in which each side errs by [`TIE`] at most (see there) and by as many
    /// times more as its rows are stretched: `TIE (sum w s sum v + sum w sum v s)` over the four, with the weights `w`, `v` and the
    /// stretches `s` of both sides.
    fn rounding(&self, a: usize, b: usize) -> f64 {
        let [[words, words_off], [images, images_off]] = [&self.words, &self.image].map(|side| side.weights(a, b));
        TIE * (words_off * images + words * images_off)
    }

    /// Adds what every column adds to the expected outcome of the pair to `added`.
    fn add(&self, a: usize, b: usize, rows: &mut [Vec<f64>; 4], added: &mut [f64]) {
        if self.constant[a] || self.constant[b] || self.width == 0.0 {
            return;
        }
        // Most pairs of a good layer: before their rows are made, as far as rounding lets it be said.
        if self.margins[a * added.len() + b].abs() - self.rounding(a, b) > FAR * self.width {
            return;
        }
        let [xa, xb, ya, yb] = rows;
        let pairs = [(&self.words, a, b), (&self.words, b, a), (&self.image, a, b), (&self.image, b, a)];
        for (row, (side, own, other)) in [&mut *xa, xb, ya, yb].into_iter().zip(pairs) {
            side.without(own, other, row);
        }
        let [aa, bb, ab, ba] = [dot(xa, ya), dot(xb, yb), dot(xa, yb), dot(xb, ya)];
        let margin = (aa + bb - ab - ba) / self.width;
        if margin.abs() > FAR {
            return;
        }
        let density = (-margin * margin / 2.0).exp() / (self.width * std::f64::consts::TAU.sqrt()) * self.weight;
        let [of_xa, of_xb, of_ya, of_yb] = [aa - ab, bb - ba, aa - ba, bb - ab].map(|r| r / 2.0);
        for (added, ((xa, xb), (ya, yb))) in added.iter_mut().zip(xa.iter().zip(&*xb).zip(ya.iter().zip(&*yb))) {
            let squares = of_xa * xa * xa + of_xb * xb * xb + of_ya * ya * ya + of_yb * yb * yb;
            *added += density * ((xa - xb) * (ya - yb) - squares);
        }
    }
}

/// Sums of the influences of columns.
struct Columns {
    /// S, `[concepts, columns]`.
    by_concept: Vec<f64>,
    /// The sum of `R_c[ab]^2`.
    squares: f64,
}

impl Columns {
    fn new(k: usize) -> Self {
        Self { by_concept: vec![0.0; k * k], squares: 0.0 }
    }

    /// With the pairs of `a` and later concepts.
    fn with(mut self, sides: &[Group], a: usize, k: usize) -> Self {
        let mut rows = [0; 4].map(|_| vec![0.0; k]);
        let mut added = vec![0.0; k];
        for b in a + 1..k {
            added.fill(0.0);
            sides.iter().for_each(|group| group.add(a, b, &mut rows, &mut added));
            self.squares += dot(&added, &added);
            for concept in [a, b] {
                self.by_concept[concept * k..][..k].iter_mut().zip(&added).for_each(|(sum, x)| *sum += x);
            }
        }
        self
    }

    fn and(mut self, other: Self) -> Self {
        self.by_concept.iter_mut().zip(other.by_concept).for_each(|(sum, x)| *sum += x);
        self.squares += other.squares;
        self
    }
}

#[cfg(test)]
mod tests;
