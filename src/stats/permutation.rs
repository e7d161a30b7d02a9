//! Permutations of the concepts, the draws of every null distribution.

use std::collections::{BTreeMap, BTreeSet};

/// The draws of one run: draw `t` is a permutation of the concepts that depends on `(seed, t)` alone, so any slice of
/// the draws can be computed anywhere, in any order, and every device agrees to the bit.
///
/// Draw 0 is the identity: the observed value comes out of the same kernel as its null. With `strata`, a draw permutes
/// concepts only among those of the same stratum (the stricter null: category structure alone cannot pass it).
#[derive(Clone, Debug)]
pub struct Permutations {
    seed: u64,
    concepts: usize,
    /// Indices of the concepts of each stratum; one stratum of all concepts where none is given.
    strata: Vec<Vec<u32>>,
}

impl Permutations {
    /// Draws over all `concepts`.
    pub fn new(seed: u64, concepts: usize) -> Self {
        Self { seed, concepts, strata: vec![(0..concepts as u32).collect()] }
    }

    /// Draws that keep every concept within its stratum; `stratum[c]` names concept `c`'s.
    pub fn stratified(seed: u64, stratum: &[u32]) -> Self {
        let mut strata: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (concept, &s) in stratum.iter().enumerate() {
            strata.entry(s).or_default().push(concept as u32);
        }
        Self { seed, concepts: stratum.len(), strata: strata.into_values().collect() }
    }

    /// Number of concepts a draw permutes.
    pub fn concepts(&self) -> usize {
        self.concepts
    }

    /// Draw `t`: `draw[a]` is the concept whose word takes the place of concept `a`'s.
    ///
    /// Fisher-Yates over each stratum; the random numbers are a SplitMix64 stream started at `(seed, t)`, reduced to a
    /// range by Lemire's multiply-and-reject, so they are exactly uniform.
    pub fn draw(&self, t: u64) -> Vec<u32> {
        let mut draw: Vec<u32> = (0..self.concepts as u32).collect();
        if t == 0 {
            return draw;
        }
        let mut random = Random::keyed(self.seed, t);
        for members in &self.strata {
            let mut shuffled = members.clone();
            for i in (1..shuffled.len()).rev() {
                shuffled.swap(i, random.below(i as u32 + 1) as usize);
            }
            for (&place, &concept) in members.iter().zip(&shuffled) {
                draw[place as usize] = concept;
            }
        }
        draw
    }
}

/// Where each concept went under a draw.
pub(super) fn inverse(draw: &[u32]) -> Vec<u32> {
    let mut places = vec![0; draw.len()];
    invert(draw, &mut places);
    places
}

/// [`inverse`] into `places`.
///
/// # Panics
/// If the draw has a concept beyond the places.
pub(super) fn invert(draw: &[u32], places: &mut [u32]) {
    draw.iter().zip(0..).for_each(|(&concept, place)| places[concept as usize] = place);
}

/// The stratum of each concept: the place of its category among the categories in alphabetical order.
pub fn strata(categories: &[String]) -> Vec<u32> {
    let distinct: Vec<&String> = categories.iter().collect::<BTreeSet<_>>().into_iter().collect();
    categories.iter().map(|category| distinct.partition_point(|&other| other < category) as u32).collect()
}

/// A counter-based stream of random numbers: SplitMix64 (Steele, Lea & Flood 2014) started at a hash of `(seed, t)`.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of draw `t` under `seed`.
    pub fn keyed(seed: u64, t: u64) -> Self {
        Self { state: mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(t)) }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A uniform integer in `0..bound` (Lemire 2019, with rejection).
    pub fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = (self.bits() >> 32) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * f64::powi(2.0, -53)
    }

    /// A standard normal number, as far as the worlds of tests need: the sum of 12 uniform ones.
    #[cfg(test)]
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// The finaliser of SplitMix64.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draw_zero_is_the_identity_and_others_are_permutations() {
        let draws = Permutations::new(2018, 166);
        assert_eq!(draws.draw(0), (0..166).collect::<Vec<u32>>());
        for t in 1..50 {
            let mut draw = draws.draw(t);
            assert_ne!(draw, draws.draw(t + 1));
            draw.sort_unstable();
            assert_eq!(draw, (0..166).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn every_arrangement_of_three_is_equally_likely() {
        let draws = Permutations::new(7, 3);
        let mut seen = std::collections::HashMap::<Vec<u32>, u32>::new();
        for t in 1..=6000 {
            *seen.entry(draws.draw(t)).or_default() += 1;
        }
        // 6 cells of 1000 expected, chi-square with 5 degrees of freedom: 20.5 is p = 0.001.
        let chi: f64 = seen.values().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert_eq!(seen.len(), 6);
        assert!(chi < 20.5, "chi-square {chi}");
    }

    #[test]
    fn strata_keep_their_members() {
        let stratum = [0, 1, 0, 1, 1, 0, 2];
        let draws = Permutations::stratified(1, &stratum);
        for t in 0..100 {
            for (place, &concept) in draws.draw(t).iter().enumerate() {
                assert_eq!(stratum[place], stratum[concept as usize]);
            }
        }
        assert!((1..100).any(|t| draws.draw(t)[0] != 0));
    }
}
