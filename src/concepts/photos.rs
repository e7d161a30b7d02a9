//! The images at hand: which file shows which class.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ConceptsError, Request, labels};
use crate::error::FileError;
use crate::files;

/// Endings of the images that are read.
const ENDINGS: [&str; 11] = ["jpeg", "jpg", "png", "webp", "gif", "bmp", "tif", "tiff", "pnm", "ppm", "pgm"];

/// The images of each class.
pub(super) struct Photos {
    pub folder: PathBuf,
    /// By class: paths below `folder` with `/` between their parts, sorted.
    pub files: BTreeMap<String, Vec<String>>,
    /// Files that have no image's ending.
    pub ignored: usize,
}

impl Photos {
    /// Lists a folder per class, or a flat folder by its labels.
    pub fn list(request: &Request, warnings: &mut Vec<String>) -> Result<Self, ConceptsError> {
        let folder = request.images.clone();
        let mut photos = Self { files: BTreeMap::new(), ignored: 0, folder };
        let (subfolders, flat) = photos.entries(&request.images)?;
        match &request.labels {
            Some(path) => {
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
                    let (_, files) = photos.entries(&request.images.join(&class))?;
                    photos.files.insert(class.clone(), files.iter().map(|file| format!("{class}/{file}")).collect());
                }
            }
        }
        Ok(photos)
    }

    /// Names of a folder's folders and images, sorted; hidden ones are passed over.
    fn entries(&mut self, folder: &Path) -> Result<(Vec<String>, Vec<String>), ConceptsError> {
        let at = || FileError::at(folder);
        let (mut folders, mut images) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).map_err(at())? {
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
            } else if is_image(&path) {
                images.push(name.to_string());
            } else {
                self.ignored += 1;
            }
        }
        folders.sort();
        images.sort();
        Ok((folders, images))
    }
}

fn is_image(path: &Path) -> bool {
    ENDINGS.contains(&files::ending(path).as_str())
}
