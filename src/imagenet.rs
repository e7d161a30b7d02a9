//! The 1000 classes of ILSVRC 2012 in index order: WordNet synsets and their lemmas.

/// Classes.
pub const CLASSES: usize = 1000;

/// One class a line, `<wnid> <lemma>, <lemma>, …`; the line is the index.
const SYNSETS: &str = include_str!("../data/imagenet/synsets.txt");

/// The WordNet id and the lemmas of every class, `[classes]`; the first lemma is the class's name.
pub fn synsets() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    SYNSETS.lines().filter_map(|line| line.split_once(' ')).map(|(wnid, lemmas)| (wnid, lemmas.split(", ").collect()))
}

/// Whether this is a WordNet id of a noun: `n01440764`.
pub fn is_wnid(text: &str) -> bool {
    text.len() == 9 && text.strip_prefix('n').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_those_that_networks_index() {
        let lemmas: Vec<_> = synsets().map(|(_, lemmas)| lemmas).collect();
        assert_eq!(lemmas.len(), CLASSES);
        assert!(lemmas.iter().flatten().all(|lemma| !lemma.trim().is_empty()));
        assert_eq!(lemmas[0], ["tench", "Tinca tinca"]);
        assert_eq!((lemmas[134][0], lemmas[517][0], lemmas[951][0]), ("crane", "crane", "lemon"));
        assert_eq!(lemmas[999][0], "toilet tissue");
    }
}
