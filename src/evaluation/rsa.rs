//! RSA: every layer against a word model by the correlation of their RSMs.

use super::{Evaluation, Words};
use crate::error::Error;
use crate::results::RsaRow;
use crate::stats::ceiling;
use crate::stats::rsa::{Rsa, RsaTest};

impl Evaluation<'_> {
    /// A layer of which a group has no correlation with the words has no row.
    pub fn rsa(&self, model: &Words, method: Rsa) -> Result<Vec<RsaRow>, Error> {
        self.now(&format!("RSA, {method}"), model);
        let test = RsaTest::new(method, &model.rsm, &self.space.rsms(), &self.options.draws);
        let layers = test.members().iter().map(|&layer| &self.space.layers[layer]);
        let rows = layers.zip(self.test(&test)?).map(|(layer, inference)| {
            let ceiling = ceiling::rsa_ceiling(method, &layer.rsms);
            RsaRow {
                network: self.space.network.clone(),
                layer: layer.name.clone(),
                words: model.name.clone(),
                method: method.to_string(),
                rsa: inference.value,
                permutations: inference.permutations,
                p_value: inference.p_value,
                p_fwer: inference.p_fwer,
                q_fdr: inference.q_fdr,
                null_mean: inference.null_mean,
                null_sd: inference.null_sd,
                ceiling_low: ceiling.map(|ceiling| ceiling.lower),
                ceiling_high: ceiling.map(|ceiling| ceiling.upper),
            }
        });
        Ok(rows.collect())
    }
}
