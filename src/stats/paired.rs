//! Is one accuracy higher than another on concepts like these?
//!
//! Two layers (networks, word models) that are tested on the same concepts profit alike from easy ones, so their difference
//! varies less than either; [`influence`](super::influence) has its variance `v` in closed form. Of a difference `d`:
//!
//! - `t = d / sqrt(v)` is held against draws `t* = z / s`: `z` standard normal, `s^2` chi-squared over the degrees of freedom
//!   of `v`; two-sided `p = (1 + #{|t*| >= |t|}) / (1 + draws)`;
//! - interval: `d` plus and minus `sqrt(v)` times the quantile of `|t*|`;
//! - over a family `p_fwer` by the maximum of `|t*|` in each draw. All differences share the draw's random weights of
//!   concepts: `z = sum_c w_c L_c / |L|` with their influences `L` (a multiplier bootstrap), and `s^2` is the mean square of such
//!   sums, so differences that the same concepts move are not paid for twice. The maximum may run over further differences
//!   that were only looked at: a layer that was chosen because it is the best is held against the others by the maximum over
//!   every two layers.
//!
//! The influences of two groups all lie along one line, whatever moves what: by shared weights any of 4 layers that have nothing to
//! do with each other had a family-wise p of .05 or less in .18 of worlds, any of 12 in .44; of three groups or more in .04 to .08
//! (600 worlds). Of two, nothing is drawn: `p` is that of Student's t with one degree of freedom, and `p_fwer = 1 - (1 - p)^m` of
//! `m` comparisons, as of independent ones.
//!
//! A difference of 0 has p = 1; of two sides that are one it is 0, its interval nothing else, and it takes no part in the
//! maximum.
//!
//! A permutation of the words does not serve here: it asks whether either is related to the words at all.
//!
//! # Its level and its power
//!
//! Worlds of concepts with eight features, words that share nine tenths of them, layers that are alike but for their noise
//! (`tests::level_and_power_at_length`, 4,000 worlds of 12 concepts, 2,000 of 20 and 30, 800 of 50, 400 of 100). Rejected at .05
//! where there is no difference:
//!
//! | concepts | accuracy near .5 | .67 to .75 | .81 | .92 to .95 |
//! | --- | --- | --- | --- | --- |
//! | 12, one group | .059, .060 | .052 | .044 | .029 |
//! | 12, three groups | | .051 | | .043 |
//! | 30, one group | .050, .053 | .055 | | .042 |
//! | 30, three groups | | | | .050 |
//! | 50, three groups | | | | .051 |
//! | 100, one group | .048 | | | .062 |
//!
//! Found where there is one, and by a z-test with the true spread, which nobody has:
//!
//! | concepts | accuracies | found | by z | share | intervals that hold it |
//! | --- | --- | --- | --- | --- | --- |
//! | 12, one group | .74, .54 | .153 | .159 | .97 | .935 |
//! | 12, one group | .92, .67 | .255 | .336 | .76 | .905 |
//! | 12, one group | .98, .81 | .177 | .287 | .62 | .863 |
//! | 12, three groups | .87, .67 | .474 | .529 | .89 | .945 |
//! | 20, one group | .95, .80 | .342 | .380 | .90 | .897 |
//! | 30, one group | .94, .80 | .530 | .476 | 1.11 | .914 |
//! | 30, one group | .99, .94 | .282 | .253 | 1.12 | .861 |
//! | 50, three groups | .96, .91 | .734 | .621 | 1.18 | .930 |
//! | 100, one group | .94, .89 | .383 | .365 | 1.05 | .938 |
//!
//! Twelve concepts near 1 are 66 pairs of which a layer loses two to six: few differences can be called one. There too, where a
//! layer with almost no lost pairs is held against another, intervals are too short away from 0 (they miss on that side, not on
//! the other).
//!
//! Of four neighbouring layers without a difference (the same test, 2,000 worlds of 12 concepts, 1,000 of 30) any had a family-wise
//! p of .05 or less in .070 (12 concepts, accuracy .67), .024 (12, .92), .057 (30, .58) and .036 (30, .94) of worlds: with so few
//! concepts the tails are heavier far out than Student's.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use rayon::prelude::*;

use super::bootstrap::Interval;
use super::influence::{MANY, Spread};
use super::permutation::Random;
use super::rsa::dot;
use super::{Interrupted, LEVEL, Progress, report};

/// Keeps the draws' random numbers apart from others under the same seed.
const STREAM: u64 = 0x7061_6972_6564_5f74;

/// So many influences are few enough to be drawn one by one.
const FEW: usize = 256;

/// What is left of a direction of length 1 when others are taken off and is no longer than this is rounding.
const LEFT: f64 = 1e-7;

/// The difference of two accuracies, a - b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// As observed.
    pub observed: f64,
    /// Ends of its confidence interval.
    pub interval: Interval,
    /// Two-sided.
    pub p_value: f64,
    /// The same against the maximum over the family.
    pub p_fwer: f64,
}

/// A value of a family that is tested together.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The value in its standard deviations, whatever its sign.
    pub t: f64,
    /// Degrees of freedom of the deviation, one at least.
    pub freedom: usize,
    /// What each of the things that other worlds have other ones of, or each resample of them, contributes to it.
    pub influences: &'a [f64],
}

impl<'a> From<&'a Spread> for Member<'a> {
    fn from(spread: &'a Spread) -> Self {
        let t = t(spread.difference, spread.variance.sqrt());
        Self { t, freedom: spread.freedom, influences: &spread.influences }
    }
}

/// A value in its standard deviations, whatever its sign: of nothing 0, however it varies.
pub(super) fn t(value: f64, deviation: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.abs() / deviation }
}

/// The p-values of a family's members against the maximum over all in each of `draws` draws; `progress` is told the draws.
///
/// # Errors
/// [`Interrupted`] if `progress` asks to stop.
///
/// # Cost
/// Per draw as many sets of normal numbers as the most degrees of freedom, 120 at most, and one; a set is a number for each
/// influence, or where these are many for each member if they are fewer. Parallel over draws.
///
/// # Panics
/// If there are no draws, or members of different numbers of influences.
pub fn family_wise(family: &[Member], draws: u64, seed: u64, progress: &Progress) -> Result<Vec<f64>, Interrupted> {
    assert!(draws > 0, "a draw at least");
    if family.is_empty() {
        return Ok(Vec::new());
    }
    let mut directions = directions(family.iter().map(|member| member.influences));
    if directions[0].len() > FEW.max(family.len()) {
        directions = in_their_span(directions);
    }
    let freedom: Vec<usize> = family.iter().map(|member| member.freedom).collect();
    let (_, largest) = drawn((&directions, &freedom), 0, draws, seed, progress)?;
    let reached = |member: &Member| largest.iter().filter(|&&largest| largest >= member.t).count();
    Ok(family.iter().map(|member| (1 + reached(member)) as f64 / (1 + draws) as f64).collect())
}

/// The family-wise p-values of members of two groups, by their own: `progress` is told the draws that are not needed.
///
/// # Errors
/// [`Interrupted`] if `progress` asks to stop.
pub fn family_wise_of_two(own: &[f64], draws: u64, progress: &Progress) -> Result<Vec<f64>, Interrupted> {
    report(progress, draws)?;
    Ok(own.iter().map(|&p| any_of(own.len(), p)).collect())
}

/// Tests each difference of a family by `draws` draws; `looked_at` are the influences of values any
/// two of which were compared to choose the family, and which its family-wise p covers. What differs by nothing takes no part.
/// `progress` is told the draws.
///
/// # Errors
/// [`Interrupted`] if `progress` asks to stop.
///
/// # Panics
/// If there are no draws, or the differences are of different numbers of concepts.
pub fn differences(
    family: &[Spread],
    looked_at: &[Vec<f64>],
    draws: u64,
    seed: u64,
    progress: &Progress,
) -> Result<Vec<Difference>, Interrupted> {
    assert!(draws > 0, "a draw at least");
    let nothing = Difference { observed: 0.0, interval: Interval { low: 0.0, high: 0.0 }, p_value: 1.0, p_fwer: 1.0 };
    let mut all = vec![nothing; family.len()];
    let family: Vec<(usize, &Spread)> = family.iter().enumerate().filter(|(_, spread)| spread.variance > 0.0).collect();
    if family.is_empty() {
        return Ok(all);
    }
    let members: Vec<Member> = family.iter().map(|(_, spread)| Member::from(*spread)).collect();
    // Of two groups.
    if members.iter().all(|member| member.freedom == 1) {
        report(progress, draws)?;
        let compared = members.len().max(looked_at.len() * looked_at.len().saturating_sub(1) / 2);
        for ((place, spread), member) in family.into_iter().zip(&members) {
            let p = of_two(member.t);
            all[place] = tested(spread, (LEVEL * FRAC_PI_2).tan(), [p, any_of(compared, p)]);
        }
        return Ok(all);
    }
    let beside = every_two(looked_at);
    let directions = directions(members.iter().map(|member| member.influences).chain(beside.iter().map(Vec::as_slice)));
    let mut freedom: Vec<usize> = members.iter().map(|member| member.freedom).collect();
    // Those beside the family have its fewest.
    freedom.resize(directions.len(), freedom.iter().copied().min().unwrap_or(1));
    let (drawn, largest) = drawn((&directions, &freedom), family.len(), draws, seed, progress)?;
    let p = |as_large: usize| (1 + as_large) as f64 / (1 + draws) as f64;
    for (n, (place, spread)) in family.into_iter().enumerate() {
        let mut own: Vec<f64> = drawn.iter().map(|all| all[n]).collect();
        own.sort_unstable_by(f64::total_cmp);
        let as_large = |all: &[f64]| p(all.iter().filter(|&&drawn| drawn >= members[n].t).count());
        all[place] = tested(spread, super::bootstrap::quantile(&own, LEVEL), [as_large(&own), as_large(&largest)]);
    }
    Ok(all)
}

/// A difference with the quantile of `|t|` that its interval reaches, and its p-values: by itself, and over the family.
fn tested(spread: &Spread, quantile: f64, [p_value, p_fwer]: [f64; 2]) -> Difference {
    let (observed, reach) = (spread.difference, spread.variance.sqrt() * quantile);
    let end = |end: f64| end.clamp(-1.0, 1.0);
    let interval = Interval { low: end(observed - reach), high: end(observed + reach) };
    Difference { observed, interval, p_value, p_fwer }
}

/// Two-sided p of Student's t with one degree of freedom.
fn of_two(t: f64) -> f64 {
    FRAC_2_PI * t.recip().atan()
}

/// The p of any of so many independent comparisons.
fn any_of(compared: usize, p: f64) -> f64 {
    p.max(-(compared as f64 * (-p).ln_1p()).exp_m1())
}

/// The differences of every two influences, but for those of two that are one to rounding.
fn every_two(of: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut differences = Vec::new();
    for (n, a) in of.iter().enumerate() {
        for b in &of[..n] {
            let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            if dot(&difference, &difference) > LEFT * LEFT * dot(a, a).max(dot(b, b)) {
                differences.push(difference);
            }
        }
    }
    differences
}

/// As many influences of each.
fn directions<'a>(all: impl Iterator<Item = &'a [f64]>) -> Vec<Vec<f64>> {
    let all: Vec<Vec<f64>> = all.map(direction).collect();
    assert!(all.iter().all(|direction| direction.len() == all[0].len()), "members of as many influences");
    all
}

/// The influences at length 1; all alike where there are none.
fn direction(influences: &[f64]) -> Vec<f64> {
    let length = influences.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length > 0.0 {
        influences.iter().map(|x| x / length).collect()
    } else {
        vec![(influences.len() as f64).sqrt().recip(); influences.len()]
    }
}

/// The directions in coordinates of the space that they span (Gram & Schmidt): the angles between them, and so all that is drawn,
/// stay what they are.
fn in_their_span(directions: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(directions.len());
    for mut rest in directions {
        let mut own = Vec::with_capacity(basis.len() + 1);
        for axis in &basis {
            let along = dot(axis, &rest);
            rest.iter_mut().zip(axis).for_each(|(x, axis)| *x -= along * axis);
            own.push(along);
        }
        let left = dot(&rest, &rest).sqrt();
        if left > LEFT {
            rest.iter_mut().for_each(|x| *x /= left);
            basis.push(rest);
            own.push(left);
        }
        found.push(own);
    }
    found.iter_mut().for_each(|own| own.resize(basis.len(), 0.0));
    found
}

/// `[draws][kept]`: `|t*|` of the first `kept` members, and the largest of all in every draw, by their directions and degrees of
/// freedom.
fn drawn(
    (directions, freedom): (&[Vec<f64>], &[usize]),
    kept: usize,
    draws: u64,
    seed: u64,
    progress: &Progress,
) -> Result<(Vec<Vec<f64>>, Vec<f64>), Interrupted> {
    // A set of squares each: more say nothing more.
    let freedom = freedom.iter().map(|&freedom| freedom.min(MANY));
    let directions: Vec<(&[f64], usize)> = directions.iter().map(Vec::as_slice).zip(freedom).collect();
    let draws = (0..draws).into_par_iter().map(|t| {
        let all = draw(seed, t, &directions);
        let largest = all.iter().copied().fold(0.0, f64::max);
        report(progress, 1).map(|()| (all[..kept].to_vec(), largest))
    });
    Ok(draws.collect::<Result<Vec<_>, Interrupted>>()?.into_iter().unzip())
}

/// `|t*|` of every difference, of as many influences and with its degrees of freedom: the squares behind its estimated
/// variance are of the same weights of concepts for all, as those of a matrix of variances (Wishart's) are.
fn draw(seed: u64, t: u64, directions: &[(&[f64], usize)]) -> Vec<f64> {
    let mut random = Random::keyed(seed ^ STREAM, t);
    let mut weights = vec![0.0; directions[0].0.len()];
    let mut again = |weights: &mut [f64]| weights.iter_mut().for_each(|weight| *weight = normal(&mut random));
    again(&mut weights);
    let values: Vec<f64> = directions.iter().map(|(direction, _)| dot(direction, &weights)).collect();
    let mut squares = vec![0.0; directions.len()];
    let most = directions.iter().map(|(_, freedom)| *freedom).max().unwrap_or(1);
    for n in 0..most {
        again(&mut weights);
        for (square, (direction, _)) in squares.iter_mut().zip(directions).filter(|(_, (_, freedom))| n < *freedom) {
            *square += dot(direction, &weights).powi(2);
        }
    }
    let scaled = values.iter().zip(&squares).zip(directions);
    scaled.map(|((value, square), (_, freedom))| value.abs() / (square / *freedom as f64).sqrt()).collect()
}

/// A standard normal number (Box & Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

#[cfg(test)]
mod tests;
