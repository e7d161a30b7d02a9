//! What the methods cite.

use super::Settings;
use crate::record::Maximum;
use crate::stats::generalise::Generalise;

pub const ARONOW: &str = "Aronow, P. M., Samii, C., & Assenova, V. A. (2015). Cluster–robust variance estimation for dyadic data. \
                          Political Analysis, 23(4), 564–577.";

pub const DHARMARETNAM: &str = "Dharmaretnam, D., & Fyshe, A. (2018). The emergence of semantics in neural network representations of visual information. In \
     Proceedings of NAACL-HLT 2018, Volume 2 (Short Papers), pp. 776–780.";

pub const SATTERTHWAITE: &str = "Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. \
                                 Biometrics Bulletin, 2(6), 110–114.";

impl Settings<'_> {
    pub(super) fn references(&self) -> String {
        let mut references = vec![
            DHARMARETNAM,
            "Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis – connecting the \
             branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.",
        ];
        if self.permutations > 0 {
            references.push(
                "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful \
                 approach to multiple testing. Journal of the Royal Statistical Society B, 57(1), 289–300.",
            );
        }
        if self.permutations > 0 && self.family_size() > 1 && self.record.maximum == Maximum::Studentised {
            references.push(
                "Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing: examples and methods for p-value \
                 adjustment. New York: Wiley.",
            );
        }
        if self.test.stop_after.is_some() {
            references
                .push("Besag, J., & Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika, 78(2), 301–304.");
        }
        let of_groups = self.results.accuracy.iter().map(|row| row.ceiling_low);
        if of_groups.chain(self.results.rsa.iter().map(|row| row.ceiling_low)).any(|low| low.is_some()) {
            references.push(
                "Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A toolbox for \
                 representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.",
            );
        }
        if self.of.generalise == Some(Generalise::Both) {
            references.push(
                "Schütt, H. H., Kipnis, A. D., Diedrichsen, J., & Kriegeskorte, N. (2023). Statistical inference on \
                 representational geometries. eLife, 12, e82566.",
            );
            references.push(SATTERTHWAITE);
        }
        if !self.results.controls.is_empty() {
            references.push(
                "Freedman, D., & Lane, D. (1983). A nonstochastic interpretation of reported significance levels. Journal of \
                 Business & Economic Statistics, 1(4), 292–298.",
            );
            references.push(
                "Dekker, D., Krackhardt, D., & Snijders, T. A. B. (2007). Sensitivity of MRQAP tests to collinearity and \
                 autocorrelation conditions. Psychometrika, 72(4), 563–581.",
            );
        }
        if !self.results.partition.is_empty() {
            references.push(
                "Seibold, D. R., & McPhee, R. D. (1979). Commonality analysis: a method for decomposing explained variance in \
                 multiple regression analyses. Human Communication Research, 5(4), 355–365.",
            );
        }
        references.sort_unstable();
        references.join("\n")
    }
}
