//! The scoring rules: what a tie and a pair with a constant row count for.
//!
//! Scores are integer half-points (a passed pair is 2, a pair whose rows are constant is 1), so accuracies compare
//! exactly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a tie counts for: a pair whose matched and mismatched sums differ by rounding only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// Nothing: the paper's strict `>`.
    #[default]
    Lost,
    /// Half a pass.
    Half,
    /// A pass.
    Won,
}

/// What became of a pair, or of an image of the 1 vs. 2 test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The margin is positive.
    Passed,
    /// The margin is 0 to rounding.
    Tie,
    /// The margin is negative.
    Lost,
}

impl Outcome {
    /// Its half-points.
    pub fn half_points(self, ties: Ties) -> u64 {
        match self {
            Self::Passed => 2,
            Self::Tie => ties.half_points(),
            Self::Lost => 0,
        }
    }
}

impl Ties {
    /// Half-points of one tie.
    pub fn half_points(self) -> u64 {
        match self {
            Self::Lost => 0,
            Self::Half => 1,
            Self::Won => 2,
        }
    }

    /// Half-points of a group's pairs: `passed` have a positive margin, `ties` a margin at rounding distance from
    /// zero, `masked` a constant row; no pair is counted twice. A perfect score is twice the pairs.
    pub fn score(self, passed: u64, ties: u64, masked: u64) -> u64 {
        2 * passed + self.half_points() * ties + masked
    }
}

/// What to do with a constant activation row (a dead layer, a black image), which has no correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Constant {
    /// Refuse it: name the image and the layer.
    #[default]
    Error,
    /// Its pairs score half a pass, in the observed value and in every draw.
    Half,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_by_rule() {
        // 10 pairs: 5 passed, 2 ties, 1 masked, 2 lost.
        assert_eq!([Ties::Lost, Ties::Half, Ties::Won].map(|rule| rule.score(5, 2, 1)), [11, 13, 15]);
    }

    #[test]
    fn names_in_the_configuration() {
        #[derive(Deserialize)]
        struct Rules {
            ties: Ties,
            constant: Constant,
        }
        let rules: Rules = toml::from_str("ties = \"half\"\nconstant = \"error\"").unwrap();
        assert_eq!((rules.ties, rules.constant), (Ties::Half, Constant::Error));
        assert!(toml::from_str::<Rules>("ties = \"coin\"\nconstant = \"error\"").is_err());
    }
}
