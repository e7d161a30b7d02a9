//! RSA: every layer against a word model by the correlation of their RSMs.

use super::{Evaluation, Words, of_ceiling};
use crate::error::Error;
use crate::results::RsaRow;
use crate::stats::Rsm;
use crate::stats::ceiling::{self, Ceiling};
use crate::stats::inference::Inference;
use crate::stats::rsa::{Rsa, RsaTest};

/// What is shown of a test, and the name of its families of scores.
pub fn what(method: Rsa) -> String {
    format!("RSA, {method}")
}

impl Evaluation<'_> {
    /// Every measure's rows, word model by word model. A layer of which a group has no correlation with the words has no
    /// row.
    pub fn rsa(&self) -> Result<Vec<RsaRow>, Error> {
        if self.words.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = vec![Vec::new(); self.words.len()];
        let layers = self.space.rsms();
        for &method in &self.options.rsa {
            let tests = self.rsa_tests(method, &layers);
            let inferences = self.test(&what(method), &tests)?;
            self.now(&what(method), "noise ceilings");
            let ceiling = |rsms: &&[Rsm]| -> Result<Option<Ceiling>, Error> {
                self.interrupt.check()?;
                let found = ceiling::rsa_ceiling(method, rsms);
                self.task.advance(of_ceiling(rsms.len()));
                Ok(found)
            };
            let ceilings = layers.iter().map(ceiling).collect::<Result<Vec<_>, _>>()?;
            for (n, (model, test)) in self.words.iter().zip(&tests).enumerate() {
                for (&layer, inference) in test.members().iter().zip(&inferences[n]) {
                    rows[n].push(self.rsa_row(model, method, layer, inference, ceilings[layer]));
                }
            }
        }
        Ok(rows.concat())
    }

    /// One test a word model.
    pub fn rsa_tests<'a>(&'a self, method: Rsa, layers: &[&'a [Rsm]]) -> Vec<RsaTest<'a>> {
        let test = |model: &'a Words| RsaTest::new(method, &model.rsm, layers, &self.options.draws);
        self.words.iter().map(test).collect()
    }

    fn rsa_row(
        &self,
        model: &Words,
        method: Rsa,
        layer: usize,
        inference: &Inference,
        ceiling: Option<Ceiling>,
    ) -> RsaRow {
        let layer = &self.space.layers[layer];
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
    }
}
