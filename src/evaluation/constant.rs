//! What is said of constant images, which `constant = "half"` lets through.

use super::{LayerRsms, Space};
use crate::stats::Rsm;
use crate::stats::alignment::{Measure, Scales};
use crate::wording::grouped;

/// The constant images of a layer.
pub struct Constant<'a> {
    layer: &'a LayerRsms,
    images: usize,
    /// The first one's concept and group.
    first: (&'a str, &'a str),
    /// Pairs with one of them, and all pairs, over all groups.
    pairs: [usize; 2],
}

impl<'a> Constant<'a> {
    /// Those of a layer, if it has any.
    pub fn of(space: &'a Space, layer: &'a LayerRsms) -> Option<Self> {
        let among = |concepts: usize| concepts * concepts.saturating_sub(1) / 2;
        let lost = |rsm: &Rsm| among(rsm.concepts()) - among(rsm.concepts() - rsm.constant().len());
        let groups = layer.rsms.iter().zip(&space.groups);
        let mut all = groups.flat_map(|(rsm, group)| rsm.constant().into_iter().map(move |concept| (concept, group)));
        let (concept, group) = all.next()?;
        Some(Self {
            layer,
            images: 1 + all.count(),
            first: (&space.concepts[concept], group),
            pairs: [layer.rsms.iter().map(lost).sum(), layer.rsms.iter().map(|rsm| among(rsm.concepts())).sum()],
        })
    }

    /// By the 2 vs. 2 test in full, beside which RSA stands.
    pub fn of_tests(&self) -> String {
        format!("{}; {}; RSA leaves {} out", self.which(), self.counted(), self.left_out())
    }

    /// By measures alone; nothing where none of them minds.
    pub fn of_measures(&self, measures: &[Measure]) -> Option<String> {
        let among = |which: fn(Measure) -> bool| {
            let names: Vec<&str> = measures.iter().filter(|m| which(**m)).map(|m| m.name()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let mut groups = self.layer.rsms.iter().zip(&self.layer.scales);
        let said = [
            among(|measure| measure == Measure::TwoVsTwo).map(|name| format!("{name}: {}", self.counted())),
            among(|measure| measure.rsa().is_some()).map(|names| format!("{names}: {} are left out", self.left_out())),
            // Vectors tell what a constant one has in common with others; a matrix taken for the kernel does not.
            among(|measure| measure.needs_gram())
                .filter(|_| {
                    groups
                        .any(|(rsm, scales)| !rsm.constant().is_empty() && *scales == Scales::of_kernel(rsm.concepts()))
                })
                .map(|names| format!("{names}: 0 stands for {} similarities", self.its())),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| format!("{}; {}", self.which(), said.join("; ")))
    }

    fn which(&self) -> String {
        let (concept, group) = self.first;
        let (images, first) = match self.images {
            1 => ("1 image has".to_string(), ""),
            images => (format!("{images} images have"), "the first "),
        };
        format!(
            "layer {}: {images} no variance over the units, {first}that of {concept:?} in group {group}",
            self.layer.name
        )
    }

    fn counted(&self) -> String {
        let them = if self.images == 1 { "it" } else { "them" };
        format!("pairs with {them} count half, and 0 stands for {} similarities among those of others", self.its())
    }

    fn left_out(&self) -> String {
        let [lost, all] = self.pairs;
        format!("{} {} of {} pairs", self.its(), grouped(lost), grouped(all))
    }

    fn its(&self) -> &'static str {
        if self.images == 1 { "its" } else { "their" }
    }
}
