//! Rotary positions: pairs of units turned by an angle that grows with the token's place.

use burn::tensor::{Device, Tensor, TensorData};

use super::{cpu, from_cpu, gpu, on_cpu, strided};

/// Which units are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partners {
    /// The first and the second, the third and the fourth, ...
    Neighbours,
    /// Each of the first half and the one as far into the second.
    Halves,
}

/// Rows of units side by side, in the order of `[images, tokens, heads]`.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The first one's place.
    pub offset: usize,
    /// Lengths and steps of an index that counts them.
    pub runs: Vec<(usize, usize)>,
    /// How many there are of each token.
    pub heads: usize,
}

/// Most runs of [`Rows`].
pub const MOST_RUNS: usize = 4;

/// Rotary positions (Su et al. 2021) on a device.
pub struct Rotary {
    /// `[tokens, units]`.
    cosines: Tensor<2>,
    /// Of what each unit's partner is multiplied by.
    sines: Tensor<2>,
    partners: Partners,
}

impl Rotary {
    /// From `[tokens, units]` of each; sines have their signs.
    ///
    /// # Panics
    /// If they do not fill the shape, or units have no partners.
    pub fn new([cosines, sines]: [Vec<f32>; 2], shape: [usize; 2], partners: Partners, device: &Device) -> Self {
        assert!(shape[1].is_multiple_of(2), "pairs of {} units", shape[1]);
        let [cosines, sines] = [cosines, sines].map(|values| Tensor::from_data(TensorData::new(values, shape), device));
        Self { cosines, sines, partners }
    }

    /// Of every row in `root`, `cos x + sin partner(x)`, as `[rows, units]`.
    ///
    /// # Panics
    /// If a row lies beyond the root, or they are of other tokens or in more than [`MOST_RUNS`].
    pub fn forward(&self, root: &Tensor<1>, rows: &Rows) -> Tensor<2> {
        let [tokens, units] = self.cosines.dims();
        let count: usize = rows.runs.iter().map(|&(length, _)| length).product();
        assert!(
            rows.offset + strided::last(&rows.runs) + units <= root.dims()[0] && rows.runs.len() <= MOST_RUNS,
            "rows of the root"
        );
        assert!(count.is_multiple_of(tokens * rows.heads), "{count} rows of {tokens} tokens and {} heads", rows.heads);
        match (on_cpu(root), on_cpu(&self.cosines), on_cpu(&self.sines)) {
            (Some(values), Some(cosines), Some(sines)) => from_cpu([count, units], |out| {
                cpu::rotary(&values, rows, [&cosines, &sines], units, self.partners, out);
            }),
            _ => gpu::rotary::forward(root.clone(), rows, [&self.cosines, &self.sines], self.partners),
        }
    }
}
