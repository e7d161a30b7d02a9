//! How much a difference of two 2 vs. 2 accuracies varies over concepts: its variance in closed form.
//!
//! `d_ab` is the pair's outcome on the one side less that on the other (passed 1, tie by rule, constant image 1/2; means over
//! groups), `D` the mean over all `P` pairs. Concepts are drawn from a population of concepts, and one of them bears upon `D`
//! in two ways: by its own pairs, and as a column of all other pairs' rows. With `e_ab = d_ab - D` and `R_c[ab]` what column
//! `c` adds to the expected outcome of the pair `ab`, three sums make up the variance (all over `P^2`):
//!
//! - pairs with a concept in common (Aronow, Samii & Assenova 2015): `sum_c O_c^2 - sum_ab e_ab^2`, `O_c = sum_b e_cb`;
//! - pairs `ab`, `cd` without one, by a concept that is in the one and a column of the other:
//!   `2 sum_c (O_c R_c - sum_b e_cb S[b,c])`, `R_c = sum_ab R_c[ab]`, `S[a,c] = sum_b R_c[ab]`;
//! - the same by a column of both: `sum_c (R_c^2 - sum_a S[a,c]^2 + sum_ab R_c[ab]^2)`.
//!
//! In the second sum the joint influence of two concepts, each a column of the other's pairs, enters from both sides;
//! `sum_ac S[a,c] S[c,a] / 2` is taken off for it. By theory it were the whole sum, but then worlds with a signal have a
//! tenth more spread than is estimated; half of it serves both them and worlds without one.
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
//! Residuals of few concepts are too small: the variance is multiplied by `k / (k - 4)`; it is at least that of independent
//! pairs, `sum e_ab^2 / P^2`; and it is itself uncertain: Student's t has `k / 2` degrees of freedom ([`super::paired`], which
//! tells how all this holds its level).
//!
//! # Other groups
//!
//! Over groups (subjects, seeds) a difference varies as a mean of `G` differences does, the g-th of both sides being one
//! group's: `V_g = sum_g (d_g - D)^2 / (G (G - 1))`, with `G - 1` degrees of freedom. Over both it varies by `V_c + V_g - V_gc`
//! with `V_c` of above: what groups and concepts do together is in both, and is taken off once, as in the dual bootstrap
//! ([`super::generalise`]), from how much the concepts' influences `L_cg` differ from group to group:
//! `V_gc = sum_cg (L_cg - L_c)^2 / (G (G - 1))`. Degrees of freedom are Satterthwaite's, at least the fewer.

use std::ops::Range;

use rayon::prelude::*;

use super::generalise::{Generalise, satterthwaite};
use super::rsa::dot;
use super::scoring::Ties;
use super::two_vs_two::double::Side;
use super::two_vs_two::{TwoVsTwoError, pairs};
use super::{Progress, Rsm, report};

/// Standard deviation of the kernel, in those of the margins.
const WIDTH: f64 = 0.3;

/// Beyond so many standard deviations the kernel is 0 in single precision.
const FAR: f64 = 6.0;

/// Concepts that the estimate of a variance uses up.
const SPENT: usize = 4;

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
    /// Degrees of freedom of the variance, whole ones.
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
/// # Panics
/// As [`spread`]; over groups if there are fewer than two, or the sides differ in them.
pub fn generalised(over: Generalise, a: Tested, b: Tested, progress: &Progress) -> Result<Spread, TwoVsTwoError> {
    if !over.over_groups() {
        return spread(a, b, progress);
    }
    let groups = a.groups.len();
    assert!(groups > 1 && (b.groups.is_empty() || b.groups.len() == groups), "sides of the same groups, two at least");
    let each: Vec<Spread> = (0..groups).map(|g| spread(a.group(g), b.group(g), progress)).collect::<Result<_, _>>()?;
    let difference = each.iter().map(|group| group.difference).sum::<f64>() / groups as f64;
    let pairs = (groups * (groups - 1)) as f64;
    let of_groups: Vec<f64> = each.iter().map(|group| (group.difference - difference) / pairs.sqrt()).collect();
    let by_groups = dot(&of_groups, &of_groups);
    if over == Generalise::Groups {
        return Ok(Spread { difference, variance: by_groups, freedom: groups - 1, influences: of_groups });
    }
    let Spread { variance: by_concepts, freedom, influences, .. } = spread(a, b, progress)?;
    let apart = |group: &Spread| -> f64 {
        group.influences.iter().zip(&influences).map(|(own, mean)| (own - mean).powi(2)).sum()
    };
    let together = each.iter().map(apart).sum::<f64>() / pairs;
    Ok(Spread {
        difference,
        variance: (by_concepts + by_groups - together).max(by_concepts).max(by_groups),
        freedom: satterthwaite([(by_groups, (groups - 1) as f64), (by_concepts, freedom as f64)]) as usize,
        influences: [influences, of_groups].concat(),
    })
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
    assert_eq!(k, b.words.concepts(), "sides of the same concepts");
    let mut sides = Vec::new();
    let mut outcomes = vec![0.0; k * k];
    for (sign, side) in [(1.0, a), (-1.0, b)] {
        for group in side.groups {
            let weight = sign / side.groups.len() as f64;
            sides.push(Group::new(side, group, weight, &mut outcomes)?);
            report(progress, 1)?;
        }
    }
    let count = (k * (k - 1) / 2) as f64;
    let difference = outcomes.iter().sum::<f64>() / 2.0 / count;
    let mut residuals = outcomes;
    (0..k).for_each(|a| (0..k).filter(|&b| b != a).for_each(|b| residuals[a * k + b] -= difference));
    let part = |first: usize| (first..k).step_by(PARTS).fold(Columns::new(k), |sums, a| sums.with(&sides, a, k));
    let parts: Vec<Columns> = (0..PARTS.min(k)).into_par_iter().map(part).collect();
    let columns = parts.into_iter().fold(Columns::new(k), Columns::and);

    let own: Vec<f64> = residuals.chunks_exact(k).map(|row| row.iter().sum()).collect();
    let square = |values: &[f64]| dot(values, values);
    let independent = square(&residuals) / 2.0;
    let shared = square(&own) - independent;
    let by_concept = &columns.by_concept;
    let totals: Vec<f64> = (0..k).map(|c| (0..k).map(|a| by_concept[a * k + c]).sum::<f64>() / 2.0).collect();
    let crossed = 2.0 * (dot(&own, &totals) - places(k).map(|(ac, ca)| residuals[ca] * by_concept[ac]).sum::<f64>());
    let common = square(&totals) - square(by_concept) + columns.squares;
    let joint = places(k).map(|(ac, ca)| by_concept[ac] * by_concept[ca]).sum::<f64>() / 2.0;
    let spent = k as f64 / (k - SPENT) as f64;
    Ok(Spread {
        difference,
        variance: f64::max(shared + crossed + common - joint, independent) * spent / count.powi(2),
        freedom: (k / 2).max(1),
        influences: own.iter().zip(&totals).map(|(own, column)| (own + column) / count).collect(),
    })
}

/// Every place of a square matrix, and the one across the diagonal.
fn places(k: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..k).flat_map(move |a| (0..k).map(move |c| (a * k + c, c * k + a)))
}

/// One group of one side.
struct Group {
    words: Side,
    image: Side,
    /// Of the group in the difference.
    weight: f64,
    /// Of the kernel.
    width: f64,
    constant: Vec<bool>,
}

impl Group {
    /// Adds the pairs' outcomes to `outcomes`, `[concepts, concepts]` in both orders.
    fn new(side: Tested, image: &Rsm, weight: f64, outcomes: &mut [f64]) -> Result<Self, TwoVsTwoError> {
        let k = image.concepts();
        let tested = pairs(side.words, image)?;
        let mut constant = vec![false; k];
        image.constant().into_iter().for_each(|concept| constant[concept] = true);
        // A pair with a constant image scores half.
        let half = constant.iter().any(|&constant| constant);
        let mut add = |a: usize, b: usize, half_points: f64| {
            outcomes[a * k + b] += weight * half_points / 2.0;
            outcomes[b * k + a] += weight * half_points / 2.0;
        };
        if half {
            let without = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b)));
            without.filter(|&(a, b)| constant[a] || constant[b]).for_each(|(a, b)| add(a, b, 1.0));
        }
        tested.iter().for_each(|pair| {
            add(pair.a as usize, pair.b as usize, pair.outcome.half_points(side.ties) as f64);
        });
        let count = tested.len().max(1) as f64;
        let mean = tested.iter().map(|pair| pair.margin()).sum::<f64>() / count;
        let variance = tested.iter().map(|pair| (pair.margin() - mean).powi(2)).sum::<f64>() / count;
        let (words, image) = (Side::new(side.words)?, Side::masked(image)?);
        Ok(Self { words, image, weight, width: WIDTH * variance.sqrt(), constant })
    }

    /// Adds what every column adds to the expected outcome of the pair to `added`.
    fn add(&self, a: usize, b: usize, rows: &mut [Vec<f64>; 4], added: &mut [f64]) {
        if self.constant[a] || self.constant[b] || self.width == 0.0 {
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
                let sums = row(concept, k);
                self.by_concept[sums].iter_mut().zip(&added).for_each(|(sum, x)| *sum += x);
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

fn row(a: usize, k: usize) -> Range<usize> {
    a * k..(a + 1) * k
}

#[cfg(test)]
mod tests;
