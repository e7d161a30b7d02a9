//! The experiment's concepts: classes x vocabularies x images -> the manifest.
//!
//! A class becomes a concept if one of its names is in every vocabulary (see [`Spelling`]) and enough of its images are
//! usable. Which images it gets is drawn by the seed; the first goes into group 1, the second into group 2, and so on.
//! Everything that decides is written down: the manifest, and a report with a line for every class.

mod classes;
mod draw;
mod error;
mod labels;
mod matching;
mod output;
mod photos;
mod said;

pub use error::ConceptsError;
pub use matching::Lemmas;
pub use output::configuration;

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, FileError};
use crate::files;
use crate::progress::Progress;
use crate::results::check_files;
use crate::stats::similarity::is_constant;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;
use crate::stimuli;
use crate::vectors::{self, Spelling};
use crate::wording::{counted, first};
use classes::Class;
use draw::Drawn;
use matching::{Match, Vocabulary};
use photos::Photos;

/// Names that a message shows of many.
const SHOWN: usize = 5;

/// What concepts are selected from, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// A folder of images per class, or one folder with `labels`.
    pub images: PathBuf,
    /// The class of each image of a flat folder.
    pub labels: Option<PathBuf>,
    /// Which number of a devkit's ground truth is which wnid.
    pub devkit: Option<PathBuf>,
    /// Own classes and their names; default: ILSVRC 2012's if a label or folder is one of its wnids, else the folders.
    pub classes: Option<PathBuf>,
    /// Name and file of each word model.
    pub words: Vec<(String, PathBuf)>,
    /// Which of a class's names may stand for it.
    pub lemmas: Lemmas,
    /// How names are looked up.
    pub spelling: Spelling,
    /// Images of a concept, which is the number of groups.
    pub per_concept: usize,
    /// Seeds the draw of images.
    pub seed: u64,
    /// CSV `concept,category`; `concept` is the name or the class.
    pub categories: Option<PathBuf>,
    /// The manifest to write.
    pub out: PathBuf,
    /// The report to write.
    pub report: PathBuf,
}

/// What became of every class.
pub struct Selection {
    /// One per class, in class order.
    outcomes: Vec<Outcome>,
    /// Per word model: its name, its words, and the classes it lacks, by their first names.
    models: Vec<(String, u64, Vec<String>)>,
}

/// What became of a class.
struct Outcome {
    class: Class,
    matched: Match,
    /// The images drawn, if the class was matched.
    drawn: Option<Drawn>,
    category: Option<String>,
}

impl Outcome {
    /// The concept's name and images, if it was selected.
    fn concept(&self, per_concept: usize) -> Option<(&str, &[String])> {
        let Match::Found { name, .. } = &self.matched else { return None };
        let drawn = self.drawn.as_ref().filter(|drawn| drawn.files.len() == per_concept)?;
        Some((name, &drawn.files))
    }
}

/// Selects concepts and their images, and writes the manifest and the report. What the user should know goes into `warnings`,
/// also where it ends in an error.
///
/// # Errors
/// [`Error::Input`] for what is wrong with the files given, or if fewer than five concepts remain (the report, which
/// says why, is then written all the same); [`Error::Failed`] if a file cannot be written.
///
/// # Cost
/// One pass over each vocabulary; every image drawn is decoded once.
pub fn select(request: &Request, warnings: &mut Vec<String>, progress: &Progress) -> Result<Selection, Error> {
    check(request).map_err(Error::input)?;
    let lists = [&request.labels, &request.devkit, &request.classes, &request.categories];
    let words = request.words.iter().map(|(_, file)| file.as_path());
    let read: Vec<&Path> = lists.into_iter().flatten().map(PathBuf::as_path).chain(words).collect();
    check_files(&[request.out.clone(), request.report.clone()], &read)?;
    let photos = Photos::list(request, warnings).map_err(Error::input)?;
    let classes = classes_of(request, &photos, warnings).map_err(Error::input)?;
    let categories = request.categories.as_deref().map(output::read_categories).transpose().map_err(Error::input)?;

    let vocabularies = vocabularies(request, &classes, progress, warnings).map_err(Error::input)?;
    let shown = |class: &Class| photos.files.get(&class.key).is_some_and(|files| files.len() >= request.per_concept);
    let matches = matching::match_classes(&classes, request.lemmas, &request.spelling, &vocabularies, shown);
    let models = vocabularies
        .iter()
        .map(|model| (model.name.clone(), model.words, matching::lacking(&classes, request.lemmas, model)))
        .collect();

    let wanted: Vec<&Class> =
        classes.iter().zip(&matches).filter(|(_, m)| matches!(m, Match::Found { .. })).map(|(c, _)| c).collect();
    let mut drawn = draw::draw(&photos, &wanted, request.per_concept, request.seed, progress).into_iter();
    let outcomes: Vec<Outcome> = classes
        .into_iter()
        .zip(matches)
        .map(|(class, matched)| {
            let drawn = if matches!(matched, Match::Found { .. }) { drawn.next() } else { None };
            Outcome { class, matched, drawn, category: None }
        })
        .collect();
    let mut selection = Selection { outcomes, models };
    selection.warn_of_images(&photos, warnings);
    if let Some(categories) = categories {
        selection.assign_categories(request, &categories).map_err(Error::input)?;
    }

    let _writing = progress.interrupt.writing();
    output::write_report(&selection, request, &photos).map_err(Error::failed)?;
    let concepts = selection.concepts(request.per_concept);
    if concepts < FEWEST_CONCEPTS {
        let summary = selection.summary(request).join("; ");
        let remedy = selection.remedy(&photos, request.per_concept).unwrap_or_default();
        return Err(Error::input(ConceptsError::Few { concepts, remedy, summary, report: request.report.clone() }));
    }
    output::write_manifest(&selection, request, &photos).map_err(Error::failed)?;
    // What was written is read once as `semgpu run` will.
    stimuli::Manifest::read(&request.out).map_err(Error::failed)?;
    Ok(selection)
}

/// What can be wrong without reading any file to its end.
fn check(request: &Request) -> Result<(), ConceptsError> {
    if request.words.is_empty() {
        return Err(ConceptsError::NoWords);
    }
    if request.per_concept == 0 {
        return Err(ConceptsError::NoImagesAsked);
    }
    if request.spelling.case.is_empty() {
        return Err(ConceptsError::NoCase);
    }
    let mut taken: Vec<(&str, PathBuf)> = Vec::new();
    for (position, (name, file)) in request.words.iter().enumerate() {
        if request.words[..position].iter().any(|(other, _)| other == name) {
            return Err(ConceptsError::SameName(name.clone()));
        }
        taken.extend(vectors::files(file)?.into_iter().map(|file| ("--words", file)));
    }
    let given = [
        ("--labels", &request.labels),
        ("--devkit", &request.devkit),
        ("--classes", &request.classes),
        ("--category", &request.categories),
    ];
    taken.extend(given.into_iter().filter_map(|(option, path)| Some((option, path.clone()?))));
    let written = [
        ("--out", &request.out, "manifest", output::MANIFEST),
        ("--report", &request.report, "report", output::REPORT),
    ];
    for (option, path, what, columns) in written {
        if path.is_dir() {
            return Err(ConceptsError::OutIsFolder(path.clone()));
        }
        if let Some((other, _)) = taken.iter().find(|(_, taken)| same_file(path, taken)) {
            return Err(ConceptsError::OutIsTaken { option, path: path.clone(), other });
        }
        if !is_free(path, columns)? {
            return Err(ConceptsError::OutIsOther { option, path: path.clone(), what });
        }
        taken.push((option, path.clone()));
    }
    Ok(())
}

/// Whether a table of these columns may be written there: nothing is there, or an earlier one.
fn is_free(path: &Path, columns: &[&str]) -> Result<bool, FileError> {
    if !path.is_file() {
        return Ok(true);
    }
    let (columns, mut head) = (columns.join(","), Vec::new());
    let read = files::open(path).and_then(|file| file.take(columns.len() as u64).read_to_end(&mut head));
    read.map_err(FileError::at(path))?;
    Ok(head.is_empty() || head == columns.as_bytes())
}

/// Whether two paths are of one file, links followed.
fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The classes asked about: a file's, ILSVRC's if any image belongs to one of them, else one per folder or label.
fn classes_of(request: &Request, photos: &Photos, warnings: &mut Vec<String>) -> Result<Vec<Class>, ConceptsError> {
    let imagenet = classes::imagenet();
    let classes = match &request.classes {
        Some(path) => classes::read(path, &imagenet)?,
        None if imagenet.iter().any(|class| photos.files.contains_key(&class.key)) => imagenet,
        None => {
            let mut folders: Vec<Class> = photos.files.keys().map(|key| Class::of_folder(key)).collect();
            classes::number(&mut folders, &imagenet);
            folders
        }
    };
    let known: HashMap<&str, &Class> = classes.iter().map(|class| (class.key.as_str(), class)).collect();
    let (found, strangers): (Vec<&str>, Vec<&str>) =
        photos.files.keys().map(String::as_str).partition(|key| known.contains_key(key));
    if !strangers.is_empty() {
        let (of, remedy) = match (&request.classes, found.first()) {
            (None, Some(wnid)) => (
                format!(" of ILSVRC 2012, which are taken because {wnid} is one"),
                "; rename them, or name the classes by --classes FILE",
            ),
            _ => (String::new(), ""),
        };
        let cased: Vec<&str> =
            strangers.iter().filter(|key| known.contains_key(key.to_lowercase().as_str())).copied().collect();
        let capitals = match cased.is_empty() {
            true => String::new(),
            false => format!(" (classes but for their capitals: {})", first(&cased, SHOWN)),
        };
        warnings.push(format!(
            "{}: {} left out, none of the {} classes{of}: {}{capitals}{remedy}",
            request.images.display(),
            counted(strangers.len(), if request.labels.is_some() { "label" } else { "folder" }),
            classes.len(),
            first(&strangers, SHOWN)
        ));
    }
    Ok(classes)
}

/// Every vocabulary in one pass each, for all the names of all classes.
fn vocabularies(
    request: &Request,
    classes: &[Class],
    progress: &Progress,
    warnings: &mut Vec<String>,
) -> Result<Vec<Vocabulary>, ConceptsError> {
    let mut names: Vec<String> =
        classes.iter().flat_map(|class| request.lemmas.of(class)).map(str::to_string).collect();
    names.sort();
    names.dedup();
    let mut vocabularies = Vec::new();
    for (model, file) in &request.words {
        let bytes = std::fs::metadata(file).map_err(FileError::at(file))?.len();
        let task = progress.task(bytes);
        task.now(format!("reading {model}"));
        let read = vectors::read_spelled(file, &names, &request.spelling, &mut |bytes| task.advance(bytes))?;
        warnings.extend(read.warnings);
        if let Some(first) = read.not_finite.values().next() {
            let count = counted(read.not_finite.len(), "name");
            warnings.push(format!("{model}: {count} counted as missing for a vector that is not finite: {first}"));
        }
        let (mut tokens, mut constant) = (BTreeMap::new(), Vec::new());
        for (name, found) in names.iter().zip(read.found) {
            match found {
                Some((_, vector)) if is_constant(&vector) => constant.push(name.as_str()),
                Some((token, _)) => drop(tokens.insert(name.clone(), token)),
                None => {}
            }
        }
        if !constant.is_empty() {
            let (count, some) = (counted(constant.len(), "name"), first(&constant, 5));
            warnings.push(format!(
                "{model}: {count} counted as missing for a constant vector, which correlates with nothing: {some}"
            ));
        }
        let (dimensions, found) = (read.dimensions, tokens.len());
        task.line(format!(
            "words     {model}: {}, {} words of {dimensions} values, {found} of {} names, {:.1} s",
            read.format,
            read.words,
            names.len(),
            task.seconds()
        ));
        vocabularies.push(Vocabulary { name: model.clone(), words: read.words, tokens });
    }
    Ok(vocabularies)
}

impl Selection {
    /// Concepts selected.
    pub fn concepts(&self, per_concept: usize) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.concept(per_concept).is_some()).count()
    }

    fn assign_categories(
        &mut self,
        request: &Request,
        categories: &HashMap<String, String>,
    ) -> Result<(), ConceptsError> {
        let mut missing = Vec::new();
        for outcome in &mut self.outcomes {
            let Some((name, _)) = outcome.concept(request.per_concept) else { continue };
            let category = categories.get(name).or_else(|| categories.get(&outcome.class.key)).cloned();
            if category.is_none() {
                missing.push(name.to_string());
            }
            outcome.category = category;
        }
        match (missing.is_empty(), &request.categories) {
            (false, Some(path)) => Err(ConceptsError::NoCategory { path: path.clone(), concepts: missing }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture below `images` for each of `files`, and a word model of `words`.
    fn request(folder: &Path, files: &[&str], words: &[&str]) -> Request {
        for (number, file) in (0..).zip(files) {
            let path = folder.join("images").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let picture = image::RgbImage::from_pixel(2, 2, image::Rgb([number, 0, 0]));
            picture.save_with_format(path, image::ImageFormat::Png).unwrap();
        }
        let vectors: String =
            words.iter().enumerate().map(|(row, word)| format!("{word} {row} 2 {}\n", row * row)).collect();
        std::fs::write(folder.join("words.txt"), vectors).unwrap();
        Request {
            images: folder.join("images"),
            labels: None,
            devkit: None,
            classes: None,
            words: vec![("Model".to_string(), folder.join("words.txt"))],
            lemmas: Lemmas::First,
            spelling: Spelling::default(),
            per_concept: 1,
            seed: 1,
            categories: None,
            out: folder.join("manifest.csv"),
            report: folder.join("report.csv"),
        }
    }

    fn selected(request: &Request) -> (Result<Selection, Error>, String) {
        let mut warnings = Vec::new();
        let selection = select(request, &mut warnings, &Progress::silent());
        (selection, warnings.join("\n"))
    }

    #[test]
    fn images_and_files_of_others_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["ant/a.png", "bee/a.png", "cat/a.png", "dog/a.png", "elk/a.png"];
        let mut request = request(folder.path(), &files, &["ant", "bee", "cat", "dog", "elk"]);
        assert!(selected(&request).0.is_ok());
        assert!(selected(&request).0.is_ok(), "its own of before");
        std::fs::write(&request.report, "mine").unwrap();
        let refusal = selected(&request).0.err().unwrap().to_string();
        assert!(refusal.contains("report.csv: is there, and no report of semgpu's"), "{refusal}");
        assert_eq!(std::fs::read_to_string(&request.report).unwrap(), "mine");
        std::fs::remove_file(&request.report).unwrap();
        request.out = request.images.join("ant/a.png");
        let refusal = selected(&request).0.err().unwrap().to_string();
        assert!(refusal.contains("a.png: is there, and no manifest of semgpu's"), "{refusal}");
        assert!(image::open(&request.out).is_ok());
    }

    #[test]
    fn folders_that_are_no_class_are_named_also_where_too_few_concepts_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            ["n01776313/a.png", "N02129604/a.png", "ant/a.png", "bee/a.png", "cat/a.png", "dog/a.png", "elk/a.png"];
        let request = request(folder.path(), &files, &["tick", "ant", "bee", "cat", "dog", "elk"]);
        let (selection, said) = selected(&request);
        assert!(matches!(selection, Err(Error::Input(_))));
        for expected in [
            "6 folders left out, none of the 1000 classes of ILSVRC 2012, which are taken because n01776313 is one: ",
            ": N02129604, ant, bee, cat, dog, …",
            " (classes but for their capitals: N02129604); rename them",
        ] {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn why_a_class_has_too_few_images_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "ant/images/a.png",
            "bee/a.heic",
            "bee/b.heic",
            "cat/a.JFIF",
            "dog/a.jpe",
            "elk/a.pbm",
            "fox/a.pam",
            "gnu/a.png",
        ];
        let request = request(folder.path(), &files, &["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]);
        let (selection, said) = selected(&request);
        assert_eq!(selection.map(|selection| selection.concepts(1)).map_err(|error| error.to_string()), Ok(5));
        let summary = selected(&request).0.ok().unwrap().summary(&request).join("\n");
        assert!(summary.contains("7 -> 5 with 1 usable image; fewer: ant, bee"), "{summary}");
        assert!(said.contains("1 subfolder left out, images are looked for right above: ant/images"), "{said}");
        assert!(
            said.contains("2 files left out: no image by the ending of its name: bee/a.heic, bee/b.heic"),
            "{said}"
        );
        let report = std::fs::read_to_string(&request.report).unwrap();
        for expected in [
            "has 0 images, 1 needed; left out: 1 subfolder (images)",
            "has 0 images, 1 needed; left out: 2 files without an image's ending (a.heic, …)",
        ] {
            assert!(report.contains(expected), "{report}");
        }
    }

    #[test]
    fn a_constant_vector_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["ant", "bee", "cat", "dog", "elk", "fox"];
        let files = names.map(|name| format!("{name}/a.png"));
        let request = request(folder.path(), &files.each_ref().map(String::as_str), &names);
        let vectors = std::fs::read_to_string(folder.path().join("words.txt")).unwrap();
        std::fs::write(folder.path().join("words.txt"), vectors.replace("bee 1 2 1", "bee 1 1 1")).unwrap();
        let (selection, said) = selected(&request);
        assert_eq!(selection.map(|selection| selection.concepts(1)).map_err(|error| error.to_string()), Ok(5));
        assert!(said.contains("Model: 1 name counted as missing for a constant vector") && said.ends_with("bee"));
    }

    #[test]
    fn a_folder_without_images_is_told_from_one_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut request = request(folder.path(), &["ant/a.png"], &["ant"]);
        let said = |request: &Request| selected(request).0.err().unwrap().to_string();
        let labels = folder.path().join("labels.txt");
        std::fs::write(&labels, "a.png ant\n").unwrap();
        request.labels = Some(labels);
        let error = said(&request);
        assert!(
            error.contains("no images; left out: 1 subfolder (ant); without --labels a folder is a class"),
            "{error}"
        );
        request.labels = None;
        request.images = folder.path().join("empty");
        assert!(said(&request).starts_with("--images ") && said(&request).contains("expected a folder of images"));
        std::fs::create_dir(&request.images).unwrap();
        assert!(said(&request).contains("empty: no images, expected images"), "{}", said(&request));
    }
}
