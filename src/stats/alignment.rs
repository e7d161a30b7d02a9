//! Measures of alignment between two spaces of many layers, as the field has used them since the Platonic Representation
//! Hypothesis (Huh et al. 2024): centred kernel alignment, mutual nearest neighbours, and RSA, all under one null.
//!
//! With `K = X X^T` and `L = Y Y^T` the Gram matrices of the two spaces' `n` concept vectors and `H = I - 1/n`:
//!
//! | measure | definition | source |
//! | --- | --- | --- |
//! | `cka` | `<HKH, HLH> / (|HKH| |HLH|)` | Kornblith et al. 2019 |
//! | `cka-debiased` | `HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))`, HSIC the unbiased estimate of Song et al. 2012, eq. 5 | Nguyen et al. 2021 |
//! | `cka-rbf` | `cka` of `exp(-d^2 / 2 s^2)`, `s` the median distance `d` of two concepts | Kornblith et al. 2019 |
//! | `mknn` | mean share of common members of the two sets of `k` nearest neighbours (cosine, self left out) | Huh et al. 2024 |
//! | `cknna` | the unbiased HSIC of `M K` and `M L`, `M` the pairs that are neighbours in both, normalised by the same of each with itself, `+ 1e-6` in the denominator; of vectors of unit length | Huh et al. 2024, their `metrics.py` |
//! | `rsa-cosine` | cosine of the entries `1 - r` above the diagonal | rsatoolbox |
//! | `rsa-pearson`, `rsa-spearman`, `rsa-kendall` | correlation of the entries above the diagonal | [`rsa`](super::rsa) |
//!
//! A draw re-indexes the words, so nothing upstream is computed again: CKA and RSA are inner products of prepared matrices
//! ([`inner`]), neighbours are looked up ([`neighbours`]). Inner products and CKNNA are f64 on the CPU whatever
//! the device: their values are results, to the last digit, and WGSL has no f64. Mutual neighbours are counted on a GPU
//! where there is one: whole numbers, the same everywhere. Where words and images both have
//! groups, group `g` meets group `g`; values are means over groups.
//!
//! # Debiasing as centring
//! With the diagonal of `K` set to 0 and `U_ij = K_ij - (r_i + r_j) / (n-2) + s / ((n-1)(n-2))` off it (`r` the row sums,
//! `s` their sum), `HSIC = <U(K), U(L)> / (n (n-3))` (Szekely & Rizzo 2014): an inner product again.

mod ceilings;
pub mod deleted;
mod gram;
pub mod inner;
pub mod neighbours;
pub mod reference;
pub mod resampled;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ceilings::noise_ceiling;
pub use gram::{Gram, Scales};

use super::Rsm;
use super::rsa::Rsa;

/// As many standard errors of a normal estimate on either side hold [`LEVEL`](super::LEVEL).
const NORMAL: f64 = 1.959_963_984_540_054;

/// A measure of two spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The 2 vs. 2 test.
    #[serde(rename = "2v2")]
    TwoVsTwo,
    /// Pearson correlation of the RSMs.
    RsaPearson,
    /// Spearman's.
    RsaSpearman,
    /// Kendall's tau-a.
    #[serde(alias = "rsa-kendall-tau-a")]
    RsaKendall,
    /// Cosine of the dissimilarities.
    RsaCosine,
    /// Linear CKA.
    Cka,
    /// The same by the unbiased HSIC.
    CkaDebiased,
    /// CKA of Gaussian kernels.
    CkaRbf,
    /// Mutual k-nearest neighbours.
    Mknn,
    /// CKA over mutual neighbours.
    Cknna,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::TwoVsTwo,
        Self::RsaPearson,
        Self::RsaSpearman,
        Self::RsaKendall,
        Self::RsaCosine,
        Self::Cka,
        Self::CkaDebiased,
        Self::CkaRbf,
        Self::Mknn,
        Self::Cknna,
    ];

    /// As in configurations and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoVsTwo => "2v2",
            Self::RsaPearson => "rsa-pearson",
            Self::RsaSpearman => "rsa-spearman",
            Self::RsaKendall => "rsa-kendall",
            Self::RsaCosine => "rsa-cosine",
            Self::Cka => "cka",
            Self::CkaDebiased => "cka-debiased",
            Self::CkaRbf => "cka-rbf",
            Self::Mknn => "mknn",
            Self::Cknna => "cknna",
        }
    }

    /// Whether it needs Gram matrices: correlations have lost the vectors' lengths.
    pub fn needs_gram(self) -> bool {
        matches!(self, Self::Cka | Self::CkaDebiased | Self::CkaRbf | Self::Mknn | Self::Cknna)
    }

    /// No value is lower, but of kernels with negative eigenvalues, and correlations above 1: an inner product of two matrices
    /// without such eigenvalues, or negative entries, is not below 0.
    fn least(self) -> f64 {
        if matches!(self, Self::Cka | Self::CkaRbf | Self::RsaCosine) { 0.0 } else { -1.0 }
    }

    /// Whether it counts neighbours.
    pub fn counts_neighbours(self) -> bool {
        matches!(self, Self::Mknn | Self::Cknna)
    }

    /// The correlation of RSMs that it is.
    pub fn rsa(self) -> Option<Rsa> {
        match self {
            Self::RsaPearson => Some(Rsa::Pearson),
            Self::RsaSpearman => Some(Rsa::Spearman),
            Self::RsaKendall => Some(Rsa::KendallTauA),
            _ => None,
        }
    }
}

impl From<Rsa> for Measure {
    fn from(rsa: Rsa) -> Self {
        match rsa {
            Rsa::Pearson => Self::RsaPearson,
            Rsa::Spearman => Self::RsaSpearman,
            Rsa::KendallTauA => Self::RsaKendall,
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A layer of one side, reduced to what the measures need.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Correlations, one matrix a group; empty where there are none.
    pub rsms: &'a [Rsm],
    /// Gram matrices, one a group; empty where there are none.
    pub grams: &'a [Gram],
}

/// Where a measure has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unvaried {
    /// Whether it is a layer of the words.
    pub words: bool,
    /// The layer's place.
    pub layer: usize,
}
