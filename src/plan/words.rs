//! Word models: the RSM of the manifest's concepts in each, and the words of other classes for the 1 vs. 2 test.

use std::collections::BTreeSet;

use crate::classes::Classes;
use crate::config::{Config, OneVsTwoConfig, WordsConfig, draws};
use crate::evaluation::Words;
use crate::evaluation::one_vs_two::{Lexicon, OneVsTwo};
use crate::plan::PlanError;
use crate::progress::Progress;
use crate::stats::inference::Rule;
use crate::stats::similarity;
use crate::stimuli::Manifest;
use crate::vectors::{self, VectorsError};
use crate::wording::first;

/// A class outside the manifest.
pub struct OtherClass {
    /// Among the network's.
    pub index: usize,
    /// The words that may stand for it, the best first.
    pub lemmas: Vec<Lemma>,
}

/// A word for a class.
pub struct Lemma {
    /// As WordNet writes it.
    pub lemma: String,
    /// As vector files may spell it, in the order tried.
    pub spellings: Vec<String>,
}

/// A word model as read.
pub struct Model {
    /// The concepts.
    pub words: Words,
    /// The vectors of the concepts, `[concepts, dimensions]`.
    rows: Vec<f32>,
    /// `[class][lemma]` of the other classes: the vector of the first spelling that the model has; none if it is constant.
    others: Vec<Vec<Option<Vec<f32>>>>,
}

/// The classes that no image of the manifest shows, with what they are called; none without the 1 vs. 2 test.
pub fn other_classes(config: &Config, classes: &Classes, manifest: &Manifest) -> Result<Vec<OtherClass>, PlanError> {
    if config.one_vs_two.is_none() {
        return Ok(Vec::new());
    }
    let shown: BTreeSet<u32> = manifest.stimuli.iter().flatten().filter_map(|stimulus| stimulus.class_index).collect();
    if shown.is_empty() {
        return Err(PlanError::NoClassIndex(config.stimuli.manifest.clone()));
    }
    let names = |index: usize| {
        let spellings = |lemma: &str| config.spelling.tokens(lemma);
        let lemmas =
            classes.names(index).iter().map(|lemma| Lemma { lemma: lemma.clone(), spellings: spellings(lemma) });
        OtherClass { index, lemmas: lemmas.collect() }
    };
    Ok((0..classes.count()).filter(|&index| !shown.contains(&(index as u32))).map(names).collect())
}

/// What is to be said of concepts whose images are of no class that the network tells apart.
pub fn classless(manifest: &Manifest) -> Option<String> {
    let shown = |concept: usize| manifest.stimuli.iter().any(|group| group[concept].class_index.is_some());
    let all = manifest.concepts.iter().enumerate();
    let without: Vec<&str> = all.filter(|(n, _)| !shown(*n)).map(|(_, name)| name.as_str()).collect();
    let some = first(&without, 5);
    (!without.is_empty()).then(|| {
        format!(
            "{} of {} concepts are of no class of the network's ({some}); their images are left out of the 1 vs. 2 test",
            without.len(),
            manifest.concepts.len()
        )
    })
}

/// What is to be said of word models that are copies of one another, by their checksums.
pub fn doubt_of_copies(words: &[WordsConfig], sums: &[String]) -> Option<String> {
    let copy = |n: usize| Some([sums[..n].iter().position(|sum| *sum == sums[n])?, n]);
    let [one, copy] = (0..sums.len()).find_map(copy)?.map(|n| &words[n]);
    let file = copy.file.display();
    Some(format!(
        "{file}: {:?} has the vectors of {:?}, by their SHA-256; name another file, or leave it out",
        copy.name, one.name
    ))
}

/// Reads every word model's file once.
pub fn read(
    config: &Config,
    manifest: &Manifest,
    others: &[OtherClass],
    progress: &Progress,
    warnings: &mut Vec<String>,
) -> Result<Vec<Model>, PlanError> {
    if config.words.is_empty() {
        return Err(PlanError::NoWords);
    }
    let concepts = manifest.concepts.len();
    let lemmas = others.iter().flat_map(|class| &class.lemmas).map(|lemma| &lemma.lemma);
    let wanted: Vec<String> = manifest.concepts.iter().chain(lemmas).cloned().collect();
    let mut models = Vec::new();
    for words in &config.words {
        progress.detail(format!("reading {}", words.file.display()));
        let read = vectors::read_spelled(&words.file, &wanted, &config.spelling, &mut |_| {})?;
        // The words of other classes may be missing.
        if let Some((_, wrong)) = read.not_finite.range(..concepts).next() {
            return Err(VectorsError::from(wrong.clone()).into());
        }
        warnings.extend(read.warnings);
        let mut vectors: Vec<_> = read.found.into_iter().map(|found| found.map(|(_, vector)| vector)).collect();
        let other_vectors = vectors.split_off(concepts);
        if let Some((count, missing)) = vectors::missing(&manifest.concepts, &vectors) {
            return Err(PlanError::MissingWords { path: words.file.clone(), count, concepts, words: missing });
        }
        let rows: Vec<f32> = vectors.into_iter().flatten().flatten().collect();
        let (rsm, scales) = similarity::reduced_rows(&rows, concepts, read.dimensions)
            .map_err(|source| PlanError::Words { path: words.file.clone(), source })?;
        if let Some(&constant) = rsm.constant().first() {
            let word = manifest.concepts[constant].clone();
            return Err(PlanError::ConstantWord { path: words.file.clone(), word });
        }
        let mut other_vectors = other_vectors.into_iter();
        let mut next = || other_vectors.next().flatten().filter(|vector| !similarity::is_constant(vector));
        let others = others.iter().map(|class| class.lemmas.iter().map(|_| next()).collect()).collect();
        models.push(Model {
            words: Words { name: words.name.clone(), dimensions: read.dimensions, rsm, scales: Some(scales) },
            rows,
            others,
        });
    }
    Ok(models)
}

/// The words that stand for classes, and the 1 vs. 2 test over them. A class outside the manifest gets its first lemma
/// that every word model has; those words are a stratum of their own where concepts are permuted within categories.
pub fn one_vs_two(
    config: &Config,
    section: &OneVsTwoConfig,
    (manifest, classes): (&Manifest, &Classes),
    models: &[Model],
    others: &[OtherClass],
    mut strata: Option<Vec<u32>>,
) -> Result<(Lexicon, OneVsTwo), PlanError> {
    let mut lexicon = Lexicon::of_manifest(manifest, classes);
    let mut rows: Vec<Vec<f32>> = models.iter().map(|model| model.rows.clone()).collect();
    for (place, class) in others.iter().enumerate() {
        let of_all = |lemma: usize| models.iter().map(move |model| model.others[place][lemma].as_deref());
        let Some(found) = (0..class.lemmas.len()).find(|&lemma| of_all(lemma).all(|vector| vector.is_some())) else {
            continue;
        };
        let Lemma { lemma, spellings } = &class.lemmas[found];
        // Two classes may have one word (crane, the bird and the machine).
        let known = lexicon.words.iter().position(|known| known == lemma || spellings.contains(known));
        lexicon.of_class[class.index] = Some(known.unwrap_or(lexicon.words.len()));
        if known.is_none() {
            lexicon.words.push(lemma.clone());
            rows.iter_mut().zip(of_all(found)).for_each(|(rows, vector)| rows.extend(vector.into_iter().flatten()));
        }
    }
    let words = lexicon.words.len();
    let mut rsms = Vec::new();
    for ((model, rows), file) in models.iter().zip(&rows).zip(&config.words) {
        let rsm = similarity::rsm_of_rows(rows, words, model.words.dimensions);
        rsms.push(rsm.map_err(|source| PlanError::Words { path: file.file.clone(), source })?);
    }
    if let Some(strata) = &mut strata {
        strata.resize(words, u32::MAX);
    }
    let test = OneVsTwo {
        rsms,
        draws: draws(config.seed, words, strata.as_deref()),
        rule: Rule {
            permutations: section.permutations.unwrap_or(config.two_vs_two.permutations),
            stop_after: None,
            tail: config.inference.tail,
            family: config.inference.family,
        },
        columns: section.columns,
        ties: section.ties.unwrap_or(config.two_vs_two.ties),
    };
    Ok((lexicon, test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stimuli::Stimulus;
    use crate::vectors::Spelling;

    const CONFIG: &str = "[network]\nname = \"vgg16\"\nrandom = true\n[stimuli]\nmanifest = \"m.csv\"\n\
                          [[words]]\nname = \"a\"\nfile = \"a.txt\"\n[[words]]\nname = \"b\"\nfile = \"b.txt\"\n\
                          [two_vs_two]\npermutations = 9\n[one_vs_two]\nties = \"half\"\n";

    /// Five concepts of classes 0 to 4.
    fn manifest() -> Manifest {
        let stimulus = |class: u32| Stimulus { path: "x.png".into(), class_index: Some(class) };
        Manifest {
            concepts: ["crane", "dog", "cat", "cup", "car"].map(String::from).to_vec(),
            groups: vec!["1".into()],
            categories: None,
            stimuli: vec![(0..5).map(stimulus).collect()],
        }
    }

    fn class(index: usize, lemmas: &[&str]) -> OtherClass {
        let lemma = |lemma: &&str| Lemma { lemma: lemma.to_string(), spellings: Spelling::default().tokens(lemma) };
        OtherClass { index, lemmas: lemmas.iter().map(lemma).collect() }
    }

    fn written(directory: &std::path::Path, name: &str, words: &[&str]) -> std::path::PathBuf {
        let line = |(n, word): (usize, &&str)| format!("{word} {} {} {}\n", n + 1, n * n % 7, 3 * n % 5);
        let path = directory.join(name);
        std::fs::write(&path, words.iter().enumerate().map(line).collect::<String>()).unwrap();
        path
    }

    #[test]
    fn word_models_of_one_file_are_told() {
        let config: Config = toml::from_str(CONFIG).unwrap();
        let said = |sums: [&str; 2]| doubt_of_copies(&config.words, &sums.map(String::from));
        assert_eq!(said(["1", "2"]), None);
        assert!(said(["1", "1"]).unwrap().starts_with("b.txt: \"b\" has the vectors of \"a\", by their SHA-256"));
    }

    #[test]
    fn a_lemma_whose_vector_is_constant_to_rounding_gives_way_to_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let mut config: Config = toml::from_str(CONFIG).unwrap();
        let file = written(directory.path(), "a.txt", &["crane", "dog", "cat", "cup", "car", "ape"]);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + "great_ape 1 1.0000001 1\n").unwrap();
        config.words.truncate(1);
        config.words[0].file = file;
        let (manifest, others) = (manifest(), [class(10, &["great ape", "ape"])]);
        let models = read(&config, &manifest, &others, &Progress::silent(), &mut Vec::new()).unwrap();
        let (section, classes) = (config.one_vs_two.as_ref().unwrap(), Classes::imagenet());
        let (lexicon, test) = one_vs_two(&config, section, (&manifest, &classes), &models, &others, None).unwrap();
        assert_eq!(lexicon.words[5..], ["ape"]);
        assert!(test.rsms[0].constant().is_empty());
    }

    #[test]
    fn other_classes_get_their_first_lemma_that_every_model_has_in_any_spelling() {
        let directory = tempfile::tempdir().unwrap();
        let mut config: Config = toml::from_str(CONFIG).unwrap();
        let concepts = ["crane", "dog", "cat", "cup", "car"];
        let with = |others: &[&'static str]| [&concepts[..], others].concat();
        config.words[0].file = written(directory.path(), "a.txt", &with(&["great_ape", "ape", "tench", "Siamese_cat"]));
        config.words[1].file = written(directory.path(), "b.txt", &with(&["ape", "siamese-cat"]));
        let text = std::fs::read_to_string(&config.words[1].file).unwrap();
        std::fs::write(&config.words[1].file, text.clone() + "great_ape 1 2 nan\n").unwrap();
        let others = [
            class(10, &["great ape", "ape"]),
            class(11, &["tench"]),
            class(12, &["crane"]),
            class(13, &["Siamese cat"]),
        ];
        let (manifest, section) = (manifest(), config.one_vs_two.as_ref().unwrap());
        let models = read(&config, &manifest, &others, &Progress::silent(), &mut Vec::new()).unwrap();
        let (lexicon, test) = one_vs_two(
            &config,
            section,
            (&manifest, &Classes::imagenet()),
            &models,
            &others,
            Some(vec![0, 0, 0, 1, 1]),
        )
        .unwrap();
        assert_eq!(lexicon.words[5..], ["ape", "Siamese cat"]);
        let of_class = |class: usize| lexicon.of_class[class];
        assert_eq!([0, 4, 10, 11, 12, 13].map(of_class), [Some(0), Some(4), Some(5), None, Some(0), Some(6)]);
        assert_eq!((test.rule.permutations, test.ties), (9, crate::stats::scoring::Ties::Half));
        for (rsm, model) in test.rsms.iter().zip(&models) {
            assert_eq!(rsm.concepts(), 7);
            assert!((rsm.row(1)[3] - model.words.rsm.row(1)[3]).abs() < 1e-12);
        }
        assert!((1..20).all(|t| test.draws.draw(t)[5..].iter().all(|&word| word >= 5)));
        // A concept of the manifest has to have one.
        std::fs::write(&config.words[1].file, "dog 1 2 nan\n".to_string() + &text).unwrap();
        let error = read(&config, &manifest, &others, &Progress::silent(), &mut Vec::new()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("b.txt: line 1: the vector of \"dog\" has NaN"), "{error}");
    }
}
