//! What the methods cite.

pub const ARONOW: &str = "Aronow, P. M., Samii, C., & Assenova, V. A. (2015). Cluster–robust variance estimation for dyadic data. \
                          Political Analysis, 23(4), 564–577.";

pub const DHARMARETNAM: &str = "Dharmaretnam, D., & Fyshe, A. (2018). The emergence of semantics in neural network representations of visual information. In \
     Proceedings of NAACL-HLT 2018, Volume 2 (Short Papers), pp. 776–780.";

pub const SATTERTHWAITE: &str = "Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. \
                                 Biometrics Bulletin, 2(6), 110–114.";

/// How the text cites each.
const CITED: [(&str, &str); 14] = [
    (
        "Benjamini and Hochberg",
        "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful \
     approach to multiple testing. Journal of the Royal Statistical Society B, 57(1), 289–300.",
    ),
    (
        "Besag & Clifford, 1991",
        "Besag, J., & Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika, 78(2), 301–304.",
    ),
    (
        "Dekker et al., 2007",
        "Dekker, D., Krackhardt, D., & Snijders, T. A. B. (2007). Sensitivity of MRQAP tests to collinearity and \
     autocorrelation conditions. Psychometrika, 72(4), 563–581.",
    ),
    ("Dharmaretnam & Fyshe, 2018", DHARMARETNAM),
    (
        "Freedman & Lane, 1983",
        "Freedman, D., & Lane, D. (1983). A nonstochastic interpretation of reported significance levels. Journal of \
     Business & Economic Statistics, 1(4), 292–298.",
    ),
    (
        "Huh et al., 2024",
        "Huh, M., Cheung, B., Wang, T., & Isola, P. (2024). Position: The Platonic Representation Hypothesis. In \
     Proceedings of the 41st International Conference on Machine Learning, PMLR 235, pp. 20617–20642.",
    ),
    (
        "Kornblith et al., 2019",
        "Kornblith, S., Norouzi, M., Lee, H., & Hinton, G. (2019). Similarity of neural network representations \
     revisited. In Proceedings of the 36th International Conference on Machine Learning, PMLR 97, pp. 3519–3529.",
    ),
    (
        "Kriegeskorte et al., 2008",
        "Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis – connecting the \
     branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.",
    ),
    (
        "Nili et al., 2014",
        "Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A toolbox for \
     representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.",
    ),
    ("Satterthwaite (1946)", SATTERTHWAITE),
    (
        "Schütt et al. (2023)",
        "Schütt, H. H., Kipnis, A. D., Diedrichsen, J., & Kriegeskorte, N. (2023). Statistical inference on \
     representational geometries. eLife, 12, e82566.",
    ),
    (
        "Seibold & McPhee, 1979",
        "Seibold, D. R., & McPhee, R. D. (1979). Commonality analysis: a method for decomposing explained variance in \
     multiple regression analyses. Human Communication Research, 5(4), 355–365.",
    ),
    (
        "Song et al., 2012",
        "Song, L., Smola, A., Gretton, A., Bedo, J., & Borgwardt, K. (2012). Feature selection via dependence \
     maximization. Journal of Machine Learning Research, 13, 1393–1434.",
    ),
    (
        "Westfall & Young, 1993",
        "Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing: examples and methods for p-value \
     adjustment. New York: Wiley.",
    ),
];

/// Those that a text cites, a line each.
pub fn of(text: &str) -> String {
    let cited: Vec<&str> =
        CITED.iter().filter(|(cited, _)| text.contains(cited)).map(|(_, reference)| *reference).collect();
    cited.join("\n")
}
