//! Kendall's tau-a in O(n log n): (concordant - discordant) / all pairs; a tie is neither.

use std::ops::{AddAssign, Range};

/// One side of Kendall's tau, sorted once.
pub(super) struct Sorted {
    order: Vec<u32>,
    /// Where values are equal in that order, more than one.
    tied: Vec<Range<usize>>,
    /// Pairs of equal values.
    pairs_tied: i64,
}

impl Sorted {
    /// Of a list and its [`sorted_order`].
    pub(super) fn new(y: &[f64], order: Vec<u32>) -> Self {
        let mut tied = Vec::new();
        let mut start = 0;
        for run in order.chunk_by(equal(y)) {
            if run.len() > 1 {
                tied.push(start..start + run.len());
            }
            start += run.len();
        }
        let pairs_tied = tied.iter().map(|run| pairs(run.len())).sum();
        Self { order, tied, pairs_tied }
    }

    /// Knight (1966): with `x`, of which only the [`ranks`] count, in the order of `y`, the discordant pairs are the
    /// inversions; concordant ones are the rest less those tied in `x` or `y`. `None` for fewer than two entries.
    pub(super) fn tau_a(&self, ranks: &[f64]) -> Option<f64> {
        let tied = |sorted: &[u32]| sorted.chunk_by(|a, b| a == b).map(|run| pairs(run.len())).sum::<i64>();
        let mut x: Vec<u32> = self.order.iter().map(|&place| ranks[place as usize] as u32).collect();
        let mut tied_in_both = 0;
        for run in &self.tied {
            x[run.clone()].sort_unstable();
            tied_in_both += tied(&x[run.clone()]);
        }
        let mut scratch = vec![0; x.len()];
        let bits = u32::BITS - x.iter().fold(0, |bits, rank| bits | rank).leading_zeros();
        let discordant = inversions(&mut x, &mut scratch, bits) as i64;
        let all = pairs(x.len());
        let concordant = all - tied(&x) - self.pairs_tied + tied_in_both - discordant;
        (all > 0).then(|| (concordant - discordant) as f64 / all as f64)
    }
}

/// What every entry contributes to tau-a: the mean of its concordances with the others, -1 to 1. Their mean is tau-a.
pub(super) fn concordances(x: &[f64], y: &[f64]) -> Vec<f64> {
    let [x, y] = [x, y].map(|list| dense(list, &sorted_order(list)));
    let values = y.iter().copied().max().map_or(0, |most| most + 1);
    let mut by_x: Vec<usize> = (0..x.len()).collect();
    by_x.sort_by_key(|&entry| x[entry]);
    let mut all_y = Counts::new(values);
    y.iter().for_each(|&y| all_y.add(y, 1));
    let mut seen = Counts::new(values);
    let mut found = vec![0.0; x.len()];
    let mut first = 0;
    for tied in by_x.chunk_by(|&a, &b| x[a] == x[b]) {
        // Entries of lower x with lower y less those with higher y; then the same of higher x, turned round.
        let below = tied.iter().map(|&entry| seen.balance(y[entry], first)).collect::<Vec<i64>>();
        tied.iter().for_each(|&entry| seen.add(y[entry], 1));
        let last = first + tied.len();
        for (&entry, below) in tied.iter().zip(below) {
            let above = all_y.balance(y[entry], x.len()) - seen.balance(y[entry], last);
            found[entry] = (below - above) as f64 / (x.len() - 1) as f64;
        }
        first = last;
    }
    found
}

/// How far apart two of these values may be and still be tied: correlations of whole numbers that are equal as fractions differ
/// in their last digit.
pub(super) fn tied_within<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    4.0 * f64::EPSILON * values.into_iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

/// Whether two values of a list are tied.
pub(super) fn equal(x: &[f64]) -> impl Fn(&u32, &u32) -> bool {
    let within = tied_within(x);
    move |&a, &b| (x[a as usize] - x[b as usize]).abs() <= within
}

/// The place of every value among the different ones.
fn dense(x: &[f64], order: &[u32]) -> Vec<usize> {
    let mut places = vec![0; x.len()];
    for (place, tied) in order.chunk_by(equal(x)).enumerate() {
        tied.iter().for_each(|&entry| places[entry as usize] = place);
    }
    places
}

/// Sums by place, of which those below a place are at hand (Fenwick 1994).
pub(super) struct Counts<T>(Vec<T>);

impl<T: Copy + Default + AddAssign> Counts<T> {
    pub(super) fn new(places: usize) -> Self {
        Self(vec![T::default(); places + 1])
    }

    pub(super) fn add(&mut self, place: usize, count: T) {
        let mut at = place + 1;
        while at < self.0.len() {
            self.0[at] += count;
            at += at & at.wrapping_neg();
        }
    }

    /// The sum below a place.
    pub(super) fn below(&self, place: usize) -> T {
        let (mut at, mut sum) = (place, T::default());
        while at > 0 {
            sum += self.0[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}

impl Counts<i64> {
    /// How many are below a place less how many are above it, of so many.
    fn balance(&self, place: usize, count: usize) -> i64 {
        self.below(place) - (count as i64 - self.below(place + 1))
    }
}

/// Pairs of so many.
fn pairs(n: usize) -> i64 {
    (n * n.saturating_sub(1) / 2) as i64
}

/// Ranks from 0 without gaps, of a list in its [`sorted_order`].
pub(super) fn ranks(x: &[f64], order: &[u32]) -> Vec<f64> {
    dense(x, order).into_iter().map(|place| place as f64).collect()
}

/// Sorts `x`, numbers of so many bits, and counts the pairs that stood in the wrong order. Those with a 1 as their highest bit
/// go behind those with a 0, whatever the numbers: nothing is branched on and nothing waits for a comparison, as it does
/// where sorted halves are merged.
fn inversions(x: &mut [u32], scratch: &mut [u32], bits: u32) -> u64 {
    const INSERTED: usize = 16;
    if x.len() <= INSERTED {
        return inserted(x);
    }
    let Some(bit) = bits.checked_sub(1) else { return 0 };
    let ones_behind = &mut scratch[..x.len()];
    let (mut zeros, mut ones, mut count) = (0, 0, 0);
    for place in 0..x.len() {
        let entry = x[place];
        let one = (entry >> bit & 1) as usize;
        x[zeros] = entry;
        ones_behind[ones] = entry;
        count += ones & one.wrapping_sub(1);
        ones += one;
        zeros += 1 - one;
    }
    x[zeros..].copy_from_slice(&ones_behind[..ones]);
    let (with_zeros, with_ones) = x.split_at_mut(zeros);
    count as u64 + inversions(with_zeros, scratch, bit) + inversions(with_ones, scratch, bit)
}

/// [`inversions`] of a few entries: each moves left past the larger ones.
fn inserted(x: &mut [u32]) -> u64 {
    let mut count = 0;
    for end in 1..x.len() {
        let entry = x[end];
        let place = x[..end].iter().filter(|&&earlier| earlier <= entry).count();
        x.copy_within(place..end, place + 1);
        x[place] = entry;
        count += (end - place) as u64;
    }
    count
}

/// The places of `x` from its smallest value to its largest.
pub(super) fn sorted_order(x: &[f64]) -> Vec<u32> {
    ascending(x.iter().copied().zip(0..).collect())
}

/// The places of these values by ascending value, of equal ones as they come.
pub(super) fn ascending(mut placed: Vec<(f64, u32)>) -> Vec<u32> {
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::super::permutation::Random;
    use super::*;

    fn brute(x: &[f64], y: &[f64]) -> f64 {
        let mut difference = 0;
        for i in 0..x.len() {
            for j in 0..i {
                let concordance = (x[i] - x[j]) * (y[i] - y[j]);
                difference += i32::from(concordance > 0.0) - i32::from(concordance < 0.0);
            }
        }
        f64::from(difference) / (x.len() * (x.len() - 1) / 2) as f64
    }

    #[test]
    fn agrees_with_counting_with_and_without_ties() {
        let mut random = Random::keyed(5, 1);
        for n in [2, 3, 16, 17, 33, 66, 200] {
            for values in [3, 8, 1 << 20] {
                let mut list = || (0..n).map(|_| f64::from(random.below(values))).collect::<Vec<f64>>();
                let (x, y) = (list(), list());
                let found = Sorted::new(&y, sorted_order(&y)).tau_a(&ranks(&x, &sorted_order(&x)));
                assert_eq!(found, Some(brute(&x, &y)), "n = {n}, {values} values");
            }
        }
        assert_eq!(Sorted::new(&[1.0], vec![0]).tau_a(&[0.0]), None);
    }

    #[test]
    fn concordances_are_counted_entry_by_entry() {
        let mut random = Random::keyed(6, 1);
        for values in [3, 8, 1 << 20] {
            let mut list = || (0..40).map(|_| f64::from(random.below(values))).collect::<Vec<f64>>();
            let (x, y) = (list(), list());
            let sign = |d: f64| if d == 0.0 { 0.0 } else { d.signum() };
            let expected = |i: usize| (0..40).map(|j| sign(x[i] - x[j]) * sign(y[i] - y[j])).sum::<f64>() / 39.0;
            let found = concordances(&x, &y);
            assert!((0..40).all(|i| (found[i] - expected(i)).abs() < 1e-15), "{found:?}");
        }
    }

    #[test]
    fn reversed_lists_have_every_pair_discordant() {
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| -x).collect();
        let ranks = ranks(&x, &sorted_order(&x));
        assert_eq!(Sorted::new(&y, sorted_order(&y)).tau_a(&ranks), Some(-1.0));
        assert_eq!(Sorted::new(&x, sorted_order(&x)).tau_a(&ranks), Some(1.0));
    }
}
