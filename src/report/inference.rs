//! What a p-value says and what it covers, in the words of figures.

use crate::config::InferenceOptions;
use crate::report::material::Said;
use crate::stats::generalise::Generalise;
use crate::stats::inference::{Family, Tail};

/// What a family-wise p under a figure of so many word models covers; `of` is how it was taken, where that is known.
pub fn covers(of: Option<InferenceOptions>, models: usize) -> &'static str {
    match of.map(|of| of.family) {
        Some(Family::Words | Family::Networks) if models > 1 => "family-wise over the layers of all word models",
        Some(Family::Layers) if models > 1 => "family-wise over the layers of each word model, not over word models",
        Some(_) => "family-wise over layers",
        None => "family-wise",
    }
}

/// The tail behind a p, after a comma; nothing where that is not known.
pub fn tail(of: Option<InferenceOptions>) -> &'static str {
    match of.map(|of| of.tail) {
        Some(Tail::Upper) => ", one-sided (high)",
        Some(Tail::Lower) => ", one-sided (low)",
        Some(Tail::Two) => ", two-sided",
        None => "",
    }
}

/// What intervals speak of: over concepts, over subjects.
pub fn over(of: Option<InferenceOptions>, told: Said) -> String {
    let over = of.and_then(|of| of.generalise).unwrap_or(Generalise::Concepts);
    format!("over {}", over.said(told.all()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_word_models_are_said_to_be_covered_or_not() {
        let of = |family| Some(InferenceOptions { family, tail: Tail::Two, generalise: None });
        assert!(covers(of(Family::Layers), 2).ends_with("not over word models"));
        assert!(covers(of(Family::Words), 2).ends_with("all word models"));
        assert_eq!(covers(of(Family::Words), 1), covers(of(Family::Layers), 1));
        assert_eq!((tail(of(Family::Layers)), tail(None)), (", two-sided", ""));
    }
}
