//! Where a layer's values lie in their null, and how many draws reach the observed one.

use std::num::NonZeroU32;

use super::{LayerScores, Tail, of_moments};

/// A layer's scores by how far out they lie in their null.
pub(super) struct Placed<'a> {
    points: &'a [i64],
    tail: Tail,
    /// Scores that the mean and the spread are of, the observed one among them.
    count: i128,
    sum: i128,
    /// Standard deviation, `count` times.
    spread: f64,
}

impl<'a> Placed<'a> {
    pub(super) fn new(layer: &'a LayerScores, tail: Tail, stop_after: Option<NonZeroU32>) -> Self {
        let points = &layer.points;
        let scaling = &points[..=of_moments(points.len() - 1, stop_after)];
        let (count, sum) = (scaling.len() as i128, scaling.iter().map(|&points| i128::from(points)).sum::<i128>());
        let squares: f64 = scaling.iter().map(|&points| ((count * i128::from(points) - sum) as f64).powi(2)).sum();
        // Where no draw differs, no value does: 0 of any unit.
        let spread = (squares / count as f64).sqrt().max(f64::MIN_POSITIVE);
        Self { points, tail, count, sum, spread }
    }

    /// How far draw `t` lies from the mean on the tail's side, `count` times.
    fn extremity(&self, t: usize) -> i128 {
        let distance = self.count * i128::from(self.points[t]) - self.sum;
        match self.tail {
            Tail::Upper => distance,
            Tail::Lower => -distance,
            Tail::Two => distance.abs(),
        }
    }

    pub(super) fn studentised(&self, t: usize) -> f64 {
        self.extremity(t) as f64 / self.spread
    }

    pub(super) fn counted(&self, stop_after: Option<NonZeroU32>) -> Count {
        Count::of(self.extremity(0), (1..self.points.len()).map(|t| self.extremity(t)), stop_after)
    }
}

/// Where counting ended: `reached` of `draws` scored at least the observed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    reached: u64,
    pub(super) draws: u64,
    pub(super) stopped: bool,
}

impl Count {
    pub(super) fn of<T: PartialOrd>(
        observed: T,
        null: impl Iterator<Item = T>,
        stop_after: Option<NonZeroU32>,
    ) -> Self {
        let mut count = Self { reached: 0, draws: 0, stopped: false };
        for score in null {
            if score >= observed {
                if stop_after.is_some_and(|h| count.reached + 1 == u64::from(h.get())) {
                    return Self { stopped: true, ..count };
                }
                count.reached += 1;
            }
            count.draws += 1;
        }
        count
    }

    pub(super) fn p(self) -> f64 {
        (1 + self.reached) as f64 / (1 + self.draws) as f64
    }
}
