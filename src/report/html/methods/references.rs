//! What the methods cite.

/// How the text cites each, in alphabetical order.
const CITED: [(&str, &str); 32] = [
    (
        "Aronow et al., 2015",
        "Aronow, P. M., Samii, C., & Assenova, V. A. (2015). Cluster–robust variance estimation for dyadic data. \
     Political Analysis, 23(4), 564–577.",
    ),
    (
        "Benjamini and Hochberg",
        "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful approach \
     to multiple testing. Journal of the Royal Statistical Society B, 57(1), 289–300.",
    ),
    (
        "Besag & Clifford, 1991",
        "Besag, J., & Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika, 78(2), 301–304.",
    ),
    (
        "Bojanowski et al., 2017",
        "Bojanowski, P., Grave, E., Joulin, A., & Mikolov, T. (2017). Enriching word vectors with subword information. \
     Transactions of the Association for Computational Linguistics, 5, 135–146.",
    ),
    (
        "Dekker et al., 2007",
        "Dekker, D., Krackhardt, D., & Snijders, T. A. B. (2007). Sensitivity of MRQAP tests to collinearity and \
     autocorrelation conditions. Psychometrika, 72(4), 563–581.",
    ),
    (
        "Dharmaretnam & Fyshe, 2018",
        "Dharmaretnam, D., & Fyshe, A. (2018). The emergence of semantics in neural network representations of visual \
     information. In Proceedings of NAACL-HLT 2018, Volume 2 (Short Papers), pp. 776–780.",
    ),
    (
        "Dosovitskiy et al., 2021",
        "Dosovitskiy, A., Beyer, L., Kolesnikov, A., Weissenborn, D., Zhai, X., Unterthiner, T., … Houlsby, N. (2021). \
     An image is worth 16x16 words: Transformers for image recognition at scale. In 9th International Conference on \
     Learning Representations.",
    ),
    (
        "Efron & Tibshirani, 1993",
        "Efron, B., & Tibshirani, R. J. (1993). An introduction to the bootstrap. New York: Chapman & Hall.",
    ),
    (
        "Freedman & Lane, 1983",
        "Freedman, D., & Lane, D. (1983). A nonstochastic interpretation of reported significance levels. Journal of \
     Business & Economic Statistics, 1(4), 292–298.",
    ),
    (
        "Gröger et al., 2026",
        "Gröger, F., Wen, S., & Brbić, M. (2026). Revisiting the Platonic Representation Hypothesis: An Aristotelian \
     view. arXiv:2602.14486.",
    ),
    (
        "He et al., 2016",
        "He, K., Zhang, X., Ren, S., & Sun, J. (2016). Deep residual learning for image recognition. In Proceedings of \
     the IEEE Conference on Computer Vision and Pattern Recognition, pp. 770–778.",
    ),
    (
        "Huh et al., 2024",
        "Huh, M., Cheung, B., Wang, T., & Isola, P. (2024). Position: The Platonic Representation Hypothesis. In \
     Proceedings of the 41st International Conference on Machine Learning, PMLR 235, pp. 20617–20642.",
    ),
    (
        "Iandola et al., 2016",
        "Iandola, F. N., Han, S., Moskewicz, M. W., Ashraf, K., Dally, W. J., & Keutzer, K. (2016). SqueezeNet: \
     AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size. arXiv:1602.07360.",
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
        "Krizhevsky, 2014",
        "Krizhevsky, A. (2014). One weird trick for parallelizing convolutional neural networks. arXiv:1404.5997.",
    ),
    (
        "Mikolov et al., 2013",
        "Mikolov, T., Sutskever, I., Chen, K., Corrado, G. S., & Dean, J. (2013). Distributed representations of words \
     and phrases and their compositionality. In Advances in Neural Information Processing Systems 26, pp. \
     3111–3119.",
    ),
    (
        "Nguyen et al., 2021",
        "Nguyen, T., Raghu, M., & Kornblith, S. (2021). Do wide and deep networks learn the same things? Uncovering how \
     neural network representations vary with width and depth. In 9th International Conference on Learning \
     Representations.",
    ),
    (
        "Nili et al., 2014",
        "Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A toolbox for \
     representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.",
    ),
    (
        "Oquab et al., 2024",
        "Oquab, M., Darcet, T., Moutakanni, T., Vo, H., Szafraniec, M., Khalidov, V., … Bojanowski, P. (2024). DINOv2: \
     Learning robust visual features without supervision. Transactions on Machine Learning Research.",
    ),
    (
        "Pennington et al., 2014",
        "Pennington, J., Socher, R., & Manning, C. D. (2014). GloVe: Global vectors for word representation. In \
     Proceedings of EMNLP 2014, pp. 1532–1543.",
    ),
    (
        "Phipson & Smyth, 2010",
        "Phipson, B., & Smyth, G. K. (2010). Permutation p-values should never be zero: Calculating exact p-values when \
     permutations are randomly drawn. Statistical Applications in Genetics and Molecular Biology, 9(1), 39.",
    ),
    (
        "Radford et al., 2021",
        "Radford, A., Kim, J. W., Hallacy, C., Ramesh, A., Goh, G., Agarwal, S., … Sutskever, I. (2021). Learning \
     transferable visual models from natural language supervision. In Proceedings of the 38th International \
     Conference on Machine Learning, PMLR 139, pp. 8748–8763.",
    ),
    (
        "Satterthwaite (1946",
        "Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics \
     Bulletin, 2(6), 110–114.",
    ),
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
        "Simonyan & Zisserman, 2015",
        "Simonyan, K., & Zisserman, A. (2015). Very deep convolutional networks for large-scale image recognition. In \
     3rd International Conference on Learning Representations.",
    ),
    (
        "Song et al., 2012",
        "Song, L., Smola, A., Gretton, A., Bedo, J., & Borgwardt, K. (2012). Feature selection via dependence \
     maximization. Journal of Machine Learning Research, 13, 1393–1434.",
    ),
    (
        "Szegedy et al., 2016",
        "Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J., & Wojna, Z. (2016). Rethinking the Inception architecture \
     for computer vision. In Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition, pp. \
     2818–2826.",
    ),
    (
        "Tan & Le, 2019",
        "Tan, M., & Le, Q. V. (2019). EfficientNet: Rethinking model scaling for convolutional neural networks. In \
     Proceedings of the 36th International Conference on Machine Learning, PMLR 97, pp. 6105–6114.",
    ),
    (
        "Touvron et al., 2021",
        "Touvron, H., Cord, M., Douze, M., Massa, F., Sablayrolles, A., & Jégou, H. (2021). Training data-efficient \
     image transformers & distillation through attention. In Proceedings of the 38th International Conference on \
     Machine Learning, PMLR 139, pp. 10347–10357.",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_in_alphabetical_order() {
        assert!(CITED.is_sorted_by_key(|(_, reference)| *reference));
    }
}
