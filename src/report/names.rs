//! What people call the networks, and the papers of networks and word vectors.

/// Every built-in network: its name in a configuration, in figures, and its paper as the methods cite it.
const NETWORKS: [(&str, &str, &str); 21] = [
    ("vgg16", "VGG16", "Simonyan & Zisserman, 2015"),
    ("vgg19", "VGG19", "Simonyan & Zisserman, 2015"),
    ("resnet18", "ResNet-18", "He et al., 2016"),
    ("resnet34", "ResNet-34", "He et al., 2016"),
    ("resnet50", "ResNet-50", "He et al., 2016"),
    ("resnet101", "ResNet-101", "He et al., 2016"),
    ("resnet152", "ResNet-152", "He et al., 2016"),
    ("inception_v3", "Inception V3", "Szegedy et al., 2016"),
    ("squeezenet1_1", "SqueezeNet 1.1", "Iandola et al., 2016"),
    ("efficientnet_lite0", "EfficientNet-Lite0", "Tan & Le, 2019"),
    ("vit_b16", "ViT-B/16", "Dosovitskiy et al., 2021"),
    ("vit_b32", "ViT-B/32", "Dosovitskiy et al., 2021"),
    ("deit_t16", "DeiT-Ti/16", "Touvron et al., 2021"),
    ("deit_s16", "DeiT-S/16", "Touvron et al., 2021"),
    ("clip_vit_b32", "CLIP ViT-B/32", "Radford et al., 2021"),
    ("clip_vit_b16", "CLIP ViT-B/16", "Radford et al., 2021"),
    ("clip_vit_l14", "CLIP ViT-L/14", "Radford et al., 2021"),
    ("dinov2_s14", "DINOv2 S/14", "Oquab et al., 2024"),
    ("dinov2_b14", "DINOv2 B/14", "Oquab et al., 2024"),
    ("dinov2_l14", "DINOv2 L/14", "Oquab et al., 2024"),
    ("alexnet", "AlexNet", "Krizhevsky, 2014"),
];

/// Published word vectors: what their file or their name has in it, in small letters and digits alone, and their paper.
const WORDS: [(&str, &str); 6] = [
    ("glove", "Pennington et al., 2014"),
    ("word2vec", "Mikolov et al., 2013"),
    ("googlenews", "Mikolov et al., 2013"),
    ("skipgram", "Mikolov et al., 2013"),
    ("fasttext", "Bojanowski et al., 2017"),
    ("wikinews300d", "Bojanowski et al., 2017"),
];

/// The name in figures; that of the configuration where people have no other.
pub fn network(name: &str) -> &str {
    NETWORKS.iter().find(|(known, ..)| *known == name).map_or(name, |entry| entry.1)
}

/// The paper of a built-in network.
pub fn network_paper(name: &str) -> Option<&'static str> {
    NETWORKS.iter().find(|(known, ..)| *known == name).map(|(.., paper)| *paper)
}

/// The paper of a word model, where its file's name or its own says which it is.
pub fn words_paper(file: &str, name: &str) -> Option<&'static str> {
    let of = |text: &str| {
        let plain: String = text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        WORDS.iter().find(|(part, _)| plain.contains(part)).map(|(_, paper)| *paper)
    };
    of(file).or_else(|| of(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::NETS;
    use crate::report::html::references;

    #[test]
    fn every_network_of_this_build_has_a_name_for_people_and_a_paper() {
        assert_eq!(NETWORKS.len(), NETS.len());
        for spec in NETS {
            assert_ne!(network(spec.name), spec.name);
            assert!(references::of(network_paper(spec.name).unwrap()).contains("20"), "{}", spec.name);
        }
        assert!(WORDS.iter().all(|(_, paper)| !references::of(paper).is_empty()));
    }

    #[test]
    fn word_vectors_are_known_by_their_file_or_their_name() {
        for (file, name, paper) in [
            ("glove.6B.100d.txt", "words", Some("Pennington et al., 2014")),
            ("GoogleNews-vectors-negative300.bin", "words", Some("Mikolov et al., 2013")),
            ("vectors.npz", "Skip-Gram", Some("Mikolov et al., 2013")),
            ("wiki-news-300d-1M.vec", "words", Some("Bojanowski et al., 2017")),
            ("vectors.npz", "mine", None),
        ] {
            assert_eq!(words_paper(file, name), paper, "{file} {name}");
        }
    }
}
