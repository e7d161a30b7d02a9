//! The studentised maximum over a family.

use super::placed::{Count, Placed};
use super::{LayerScores, Tail};

/// The studentised maximum over the layers in every draw but the identity.
pub(super) fn farthest(layers: &[Placed], draws: usize) -> Vec<f64> {
    let farthest = |t| layers.iter().map(|layer| layer.studentised(t)).fold(f64::NEG_INFINITY, f64::max);
    (1..=draws).map(farthest).collect()
}

/// The studentised maximum over a family whose layers come in parts, the networks of a sweep: their scores need not be there
/// at the same time. All are made in full; where drawing stops early there is no such family.
#[derive(Clone, Debug, Default)]
pub struct Maximum {
    draws: Vec<f64>,
}

impl Maximum {
    /// Takes in more layers; how far out each one's observed value lies, for [`Self::p_fwer`].
    ///
    /// # Panics
    /// If the layers differ in their number of draws.
    pub fn take_in(&mut self, layers: &[LayerScores], tail: Tail) -> Vec<f64> {
        let Some(first) = layers.first() else { return Vec::new() };
        let draws = first.points.len() - 1;
        let placed: Vec<Placed> = layers.iter().map(|layer| Placed::new(layer, tail, None)).collect();
        let farthest = farthest(&placed, draws);
        if self.draws.is_empty() {
            self.draws = farthest;
        } else {
            assert!(layers.iter().all(|layer| layer.points.len() == 1 + self.draws.len()), "a family shares its draws");
            self.draws.iter_mut().zip(farthest).for_each(|(maximum, value)| *maximum = maximum.max(value));
        }
        placed.iter().map(|layer| layer.studentised(0)).collect()
    }

    /// The family-wise p-value of an observed value, once all layers are in.
    pub fn p_fwer(&self, observed: f64) -> f64 {
        Count::of(observed, self.draws.iter().copied(), None).p()
    }
}
