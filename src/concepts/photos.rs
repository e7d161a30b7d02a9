//! The images at hand: which file shows which class.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{ConceptsError, Request, labels};
use crate::error::FileError;
use crate::files;
use crate::wording::{counted, first};

/// Endings of the images that are read.
const ENDINGS: [&str; 15] =
    ["jpeg", "jpg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "pnm", "pbm", "pgm", "ppm", "pam"];

/// What a folder has beside images, sorted.
#[derive(Default)]
pub(super) struct Ignored {
    /// Files that have no image's ending.
    pub files: Vec<String>,
    /// Folders where images are expected.
    pub folders: Vec<String>,
}

impl Ignored {
    /// `; left out: 2 files without an image's ending (a.txt, …), 1 subfolder (images)`, or nothing.
    pub fn said(&self) -> String {
        let named =
            |names: &[String], things: String| (!names.is_empty()).then(|| format!("{things} ({})", first(names, 1)));
        let files = named(&self.files, counted(self.files.len(), "file") + " without an image's ending");
        let folders = named(&self.folders, counted(self.folders.len(), "subfolder"));
        let said: Vec<String> = files.into_iter().chain(folders).collect();
        if said.is_empty() { String::new() } else { format!("; left out: {}", said.join(", ")) }
    }
}

/// The images of each class.
pub(super) struct Photos {
    pub folder: PathBuf,
    /// By class: paths below `folder` with `/` between their parts, sorted.
    pub files: BTreeMap<String, Vec<String>>,
    /// By class: what its folder has beside them; under "" what `folder` has.
    pub ignored: BTreeMap<String, Ignored>,
}

impl Photos {
    /// Paths of what was ignored, one for each: files and folders, sorted by class.
    pub fn all_ignored(&self) -> Ignored {
        let mut all = Ignored::default();
        for (class, ignored) in &self.ignored {
            let path = |name: &String| if class.is_empty() { name.clone() } else { format!("{class}/{name}") };
            all.files.extend(ignored.files.iter().map(path));
            all.folders.extend(ignored.folders.iter().map(path));
        }
        all
    }

    /// Lists a folder per class, or a flat folder by its labels.
    pub fn list(request: &Request, warnings: &mut Vec<String>) -> Result<Self, ConceptsError> {
        let folder = request.images.clone();
        let mut photos = Self { files: BTreeMap::new(), ignored: BTreeMap::new(), folder };
        if let Err(source) = fs::read_dir(&request.images) {
            return Err(ConceptsError::Images { folder: request.images.clone(), source });
        }
        let (subfolders, flat) = photos.entries("")?;
        if flat.is_empty() && (request.labels.is_some() || subfolders.is_empty()) {
            let ignored = Ignored { folders: subfolders, ..photos.ignored.remove("").unwrap_or_default() };
            let remedy = if ignored.folders.is_empty() { "" } else { "; without --labels a folder is a class" };
            let found = format!("no images{}{remedy}", ignored.said());
            return Err(ConceptsError::NoImages { folder: request.images.clone(), found });
        }
        match &request.labels {
            Some(path) => {
                photos.ignored.entry(String::new()).or_default().folders = subfolders;
                let labelled = labels::read(path, request.devkit.as_deref(), &flat)?;
                let unlabelled = flat.len() - labelled.len();
                if unlabelled > 0 {
                    warnings.push(format!("{}: no label for {unlabelled} of {} images", path.display(), flat.len()));
                }
                for (file, class) in labelled {
                    photos.files.entry(class).or_default().push(file);
                }
            }
            None if subfolders.is_empty() => {
                return Err(ConceptsError::Flat { folder: request.images.clone(), images: flat.len() });
            }
            None => {
                for class in subfolders {
                    let (below, files) = photos.entries(&class)?;
                    photos.ignored.entry(class.clone()).or_default().folders = below;
                    photos.files.insert(class.clone(), files.iter().map(|file| format!("{class}/{file}")).collect());
                }
            }
        }
        Ok(photos)
    }

    /// Names of the folders and images of a class's folder, sorted; hidden ones are passed over.
    fn entries(&mut self, class: &str) -> Result<(Vec<String>, Vec<String>), ConceptsError> {
        let folder = self.folder.join(class);
        let at = || FileError::at(&folder);
        let (mut folders, mut images, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for entry in fs::read_dir(&folder).map_err(at())? {
            let path = entry.map_err(at())?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                return Err(ConceptsError::Name(path));
            };
            if name.starts_with('.') {
                continue;
            }
            // Follows links, as the decoder will.
            if path.is_dir() {
                folders.push(name.to_string());
            } else if ENDINGS.contains(&files::ending(&path).as_str()) {
                images.push(name.to_string());
            } else {
                others.push(name.to_string());
            }
        }
        folders.sort();
        images.sort();
        others.sort();
        self.ignored.entry(class.to_string()).or_default().files = others;
        Ok((folders, images))
    }
}
