//! The list of copies of pairs that a resample of concepts makes, and its order without sorting it.

use std::ops::Range;

use crate::stats::kendall::ascending;

/// Concepts as a resample draws them.
pub(super) struct Drawn {
    /// How often each is drawn.
    pub(super) copies: Vec<u32>,
    /// Where the copies of each pair begin in the list of all copies of pairs; then how many there are.
    starts: Vec<u32>,
}

impl Drawn {
    /// Of concepts that are drawn so often.
    pub(super) fn new(copies: &[u32]) -> Self {
        let pairs = copies.iter().enumerate().flat_map(|(a, x)| copies[a + 1..].iter().map(move |y| x * y));
        let ends = pairs.scan(0, |end, times| {
            *end += times;
            Some(*end)
        });
        Self { copies: copies.to_vec(), starts: std::iter::once(0).chain(ends).collect() }
    }

    /// Where the copies of a pair are.
    fn places(&self, pair: u32) -> Range<u32> {
        self.starts[pair as usize]..self.starts[pair as usize + 1]
    }

    /// The entries of an upper triangle, each as often as its pair of concepts is drawn.
    pub(super) fn list(&self, triangle: &[f64]) -> Vec<f64> {
        let entries = triangle.iter().zip(0..);
        entries.flat_map(|(&entry, pair)| std::iter::repeat_n(entry, self.places(pair).len())).collect()
    }

    /// The places in the list by ascending entry, of the pairs' by ascending entry.
    pub(super) fn order(&self, ascending: &[u32]) -> Vec<u32> {
        ascending.iter().flat_map(|&pair| self.places(pair)).collect()
    }

    /// The same of a list whose pairs are not sorted: of each, one copy is.
    pub(super) fn sorted(&self, list: &[f64]) -> Vec<u32> {
        let pairs = 0..self.starts.len() as u32 - 1;
        let first = |pair: u32| Some((list[self.places(pair).next()? as usize], pair));
        self.order(&ascending(pairs.filter_map(first).collect()))
    }
}
