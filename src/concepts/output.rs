//! What the selection leaves behind: the manifest, the report, the next configuration.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::matching::Match;
use super::photos::{Ignored, Photos};
use super::{ConceptsError, Outcome, Request, Selection};
use crate::error::FileError;
use crate::files;
use crate::results::write_atomically;
use crate::vectors::Spelling;
use crate::wording::counted;

/// The manifest's columns before the category.
pub(super) const MANIFEST: &[&str] = &["path", "concept", "group", "class_index"];

/// The report's columns before those of the word models.
pub(super) const REPORT: &[&str] =
    &["class", "class_index", "names", "concept", "reason", "missing_from", "images", "left_out"];

/// Reads `concept,category`; `concept` may also hold a class.
///
/// # Errors
/// Unreadable, no such columns, or a concept with two categories.
pub(super) fn read_categories(path: &Path) -> Result<HashMap<String, String>, ConceptsError> {
    let text = files::read_to_string(path).map_err(FileError::at(path))?;
    let csv_error = |error| FileError::at(path)(files::csv_error(&error, text.as_bytes()));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(csv_error)?.clone();
    let column = |names: &[&str]| header.iter().position(|name| names.contains(&name));
    let (Some(concepts), Some(categories)) = (column(&["concept", "class"]), column(&["category"])) else {
        let found = header.iter().collect::<Vec<_>>().join(",");
        return Err(ConceptsError::CategoryColumns { path: path.into(), found });
    };
    let mut known: HashMap<String, (u64, String)> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        let (concept, category) = (record[concepts].to_string(), record[categories].to_string());
        if category.is_empty() {
            continue;
        }
        let line = files::line_of(&record, text.as_bytes());
        let (first, earlier) = known.entry(concept.clone()).or_insert_with(|| (line, category.clone()));
        if *earlier != category {
            let (path, first, found) = (path.into(), *first, [earlier.clone(), category]);
            return Err(ConceptsError::TwoCategories { path, line, first, concept, found });
        }
    }
    Ok(known.into_iter().map(|(concept, (_, category))| (concept, category)).collect())
}

/// The images' folder as seen from the manifest's, both made absolute; absolute where no relative path leads there.
fn folder_from(manifest: &Path, images: &Path) -> Result<PathBuf, FileError> {
    let parent = files::folder(manifest);
    fs::create_dir_all(parent).map_err(FileError::at(parent))?;
    let from = parent.canonicalize().map_err(FileError::at(parent))?;
    let to = images.canonicalize().map_err(FileError::at(images))?;
    // There is none to another drive. Made canonical the folder would begin as no other program knows it, with `\\?\`.
    let way = files::way(&from, &to);
    way.map_or_else(|| std::path::absolute(images).map_err(FileError::at(images)), Ok)
}

/// Writes `path,concept,group,class_index[,category]`, concept by concept.
pub(super) fn write_manifest(selection: &Selection, request: &Request, photos: &Photos) -> Result<(), FileError> {
    let folder = folder_from(&request.out, &photos.folder)?;
    let folder = folder.to_str().ok_or_else(|| {
        let source = std::io::Error::other("the path of the images is not UTF-8, which a manifest has to be");
        FileError { path: folder.clone(), source }
    })?;
    // Forward slashes are understood everywhere.
    let folder = if cfg!(windows) { folder.replace('\\', "/") } else { folder.to_string() };
    write_atomically(&request.out, |file| {
        let mut table = csv::Writer::from_writer(file);
        let mut header = MANIFEST.to_vec();
        header.extend(request.categories.is_some().then_some("category"));
        table.write_record(header).map_err(files::csv_unwritten)?;
        for outcome in &selection.outcomes {
            let Some((concept, files)) = outcome.concept(request.per_concept) else { continue };
            for (group, file) in (1..).zip(files) {
                let path = if folder.is_empty() { file.clone() } else { format!("{folder}/{file}") };
                let index = outcome.class.index.map(|index| index.to_string()).unwrap_or_default();
                let mut row = vec![path, concept.to_string(), i32::to_string(&group), index];
                row.extend(outcome.category.clone());
                table.write_record(row).map_err(files::csv_unwritten)?;
            }
        }
        table.flush()
    })
}

/// Writes a line for every class: what became of it and why, and its token in every model.
pub(super) fn write_report(selection: &Selection, request: &Request, photos: &Photos) -> Result<(), FileError> {
    write_atomically(&request.report, |file| {
        let mut table = csv::Writer::from_writer(file);
        let models = selection.models.iter().map(|(name, ..)| format!("token in {name}"));
        let header = REPORT.iter().map(|column| column.to_string()).chain(models);
        table.write_record(header).map_err(files::csv_unwritten)?;
        for outcome in &selection.outcomes {
            let row = report_row(outcome, request, photos, selection.models.len());
            table.write_record(row).map_err(files::csv_unwritten)?;
        }
        table.flush()
    })
}

fn report_row(outcome: &Outcome, request: &Request, photos: &Photos, models: usize) -> Vec<String> {
    let concept = outcome.concept(request.per_concept).map(|(name, _)| name.to_string());
    let (reason, missing_from) = match &outcome.matched {
        _ if concept.is_some() => (String::new(), String::new()),
        Match::Missing { name, models } => (format!("{name:?} is not in every vocabulary"), models.join("; ")),
        Match::Taken { name, class } => (format!("{name:?} is the name of {class} already"), String::new()),
        Match::SeveralWords { name } => (format!("{name:?} has several words, and none are joined"), String::new()),
        Match::Found { name, .. } => {
            let (images, usable) = outcome.drawn.as_ref().map_or((0, 0), |d| (d.images, d.images - d.unusable.len()));
            let found = if images == usable { String::new() } else { format!(" ({usable} of them usable)") };
            let ignored = photos.ignored.get(&outcome.class.key).map(Ignored::said).unwrap_or_default();
            let images = counted(images, "image");
            (format!("{name:?} has {images}{found}, {} needed{ignored}", request.per_concept), String::new())
        }
    };
    let images = photos.files.get(&outcome.class.key).map_or(0, Vec::len).to_string();
    let unusable = outcome.drawn.iter().flat_map(|drawn| &drawn.unusable);
    let left_out = unusable.map(|image| image.file.as_str()).collect::<Vec<_>>().join("; ");
    let index = outcome.class.index.map(|index| index.to_string()).unwrap_or_default();
    let names = outcome.class.names.join(", ");
    let key = outcome.class.key.clone();
    let mut row = vec![key, index, names, concept.unwrap_or_default(), reason, missing_from, images, left_out];
    match &outcome.matched {
        Match::Found { tokens, .. } => row.extend(tokens.iter().cloned()),
        _ => row.extend((0..models).map(|_| String::new())),
    }
    row
}

/// A configuration that runs the experiment on these concepts with a network's weights, of a form other than its first if one
/// is named; paths as in `request`.
pub fn configuration(request: &Request, network: &str, form: Option<&str>, weights: &Path) -> String {
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    let form = form.map(|form| format!("form = {form:?}\n")).unwrap_or_default();
    let mut text = format!(
        "seed = {}\n\n[network]\nname = {network:?}  # others: semgpu layers\n{form}weights = {}\n\n[stimuli]\nmanifest = {}\n",
        request.seed,
        quoted(weights),
        quoted(&request.out)
    );
    for (name, file) in &request.words {
        let name = toml::Value::String(name.clone());
        text += &format!("\n[[words]]\nname = {name}\nfile = {}\n", quoted(file));
    }
    if request.spelling != Spelling::default() {
        let Spelling { case, join, plural } = &request.spelling;
        let list = |names: Vec<String>| names.join(", ");
        let cases = list(case.iter().map(|case| format!("{:?}", case.name())).collect());
        let joins = list(join.iter().map(|join| format!("{:?}", join.name())).collect());
        text += &format!("\n[spelling]\ncase = [{cases}]\njoin = [{joins}]\nplural = {plural}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concept_has_one_category() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            fs::write(file.path(), text).unwrap();
            read_categories(file.path()).map_err(|error| error.to_string())
        };
        let found = read("\u{feff}concept,category\r\ndog,animal\r\noak,\r\ndog,animal\r\n").unwrap();
        assert_eq!(found, HashMap::from([("dog".to_string(), "animal".to_string())]));
        let error = read("concept,category\r\ndog,animal\r\n\r\ndog,pet\r\n").unwrap_err();
        assert!(
            error.ends_with("line 4: \"dog\" is of category \"pet\", and of \"animal\" in line 2; expected one"),
            "{error}"
        );
    }

    #[test]
    fn the_images_folder_is_found_from_the_manifest() {
        let root = tempfile::tempdir().unwrap();
        let images = root.path().join("data/val");
        fs::create_dir_all(&images).unwrap();
        let from = |manifest: &str| folder_from(&root.path().join(manifest), &images).unwrap();
        assert_eq!(from("manifest.csv"), Path::new("data/val"));
        assert_eq!(from("out/new/manifest.csv"), Path::new("../../data/val"));
        assert_eq!(from("data/val/manifest.csv"), Path::new(""));
        assert!(folder_from(&root.path().join("m.csv"), &root.path().join("nowhere")).is_err());
    }
}
