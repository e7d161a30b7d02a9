//! Classes and their names: those of ILSVRC 2012, of a file, or of folders.

use std::collections::HashMap;
use std::path::Path;

use super::ConceptsError;
use crate::error::FileError;
use crate::files;
use crate::imagenet::synsets;

/// A class of images and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// The wnid, or the name of the folder or label.
    pub key: String,
    /// Its names, the most usual one first.
    pub names: Vec<String>,
    /// Its index in ILSVRC 2012, 0 to 999.
    pub index: Option<u32>,
}

impl Class {
    /// A class that is called what its folder is called; `_` in it is a blank.
    pub fn of_folder(key: &str) -> Self {
        Self { key: key.to_string(), names: vec![key.replace('_', " ").trim().to_string()], index: None }
    }

    fn parse(line: &str) -> Self {
        let split = if line.contains('\t') { line.split_once('\t') } else { line.split_once(' ') };
        let (key, names) = split.unwrap_or((line, ""));
        let names = names.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect();
        Self { key: key.trim().to_string(), names, index: None }
    }
}

/// The 1000 classes of ILSVRC 2012 by index.
pub(super) fn imagenet() -> Vec<Class> {
    let class = |(index, (wnid, lemmas)): (u32, (&str, Vec<&str>))| Class {
        key: wnid.to_string(),
        names: lemmas.into_iter().map(str::to_string).collect(),
        index: Some(index),
    };
    (0..).zip(synsets()).map(class).collect()
}

/// Gives each folder that is called as exactly one class of ILSVRC 2012 is, but for capitals, that class's index; of two such
/// folders of one class neither has it.
pub(super) fn number(folders: &mut [Class], imagenet: &[Class]) {
    let mut called: HashMap<String, Vec<Option<u32>>> = HashMap::new();
    for class in imagenet {
        class.names.iter().for_each(|name| called.entry(name.to_lowercase()).or_default().push(class.index));
    }
    let index = |class: &Class| match called.get(&class.names[0].to_lowercase()).map(Vec::as_slice) {
        Some(&[index]) => index,
        _ => None,
    };
    let indices: Vec<Option<u32>> = folders.iter().map(index).collect();
    for (class, index) in folders.iter_mut().zip(&indices) {
        class.index = index.filter(|_| indices.iter().filter(|other| *other == index).count() == 1);
    }
}

/// A class per line: its folder or label, a tab or else the first blank, its names separated by commas. Without names, a
/// wnid has those of ILSVRC 2012 and another class is called what its folder is called.
///
/// # Errors
/// Unreadable, empty, names without a folder before them, or a class that stands there twice.
pub(super) fn read(path: &Path, imagenet: &[Class]) -> Result<Vec<Class>, ConceptsError> {
    let text = files::read_to_string(path).map_err(FileError::at(path))?;
    let known: HashMap<&str, &Class> = imagenet.iter().map(|class| (class.key.as_str(), class)).collect();
    let mut classes: Vec<Class> = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let mut class = Class::parse(line.trim());
        if class.key.ends_with(',') {
            return Err(ConceptsError::NoFolder { path: path.into(), line: number, found: class.key });
        }
        let published = known.get(class.key.as_str());
        class.index = published.and_then(|class| class.index);
        if class.names.is_empty() {
            class.names = published.map_or_else(|| Class::of_folder(&class.key).names, |class| class.names.clone());
        }
        if let Some(first) = lines.insert(class.key.clone(), number) {
            return Err(ConceptsError::SameClass { path: path.into(), line: number, first, class: class.key });
        }
        classes.push(class);
    }
    if classes.is_empty() {
        return Err(ConceptsError::NoClasses(path.into()));
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_classes_are_those_of_ilsvrc_2012() {
        let classes = imagenet();
        assert_eq!(classes.len(), 1000);
        assert!(classes.is_sorted_by(|a, b| a.key < b.key), "the class index is the order of the wnids");
        assert!(classes.iter().all(|class| crate::imagenet::is_wnid(&class.key) && !class.names.is_empty()));
        let last = &classes[999];
        assert_eq!((last.key.as_str(), last.index), ("n15075141", Some(999)));
        assert_eq!(last.names, ["toilet tissue", "toilet paper", "bathroom tissue"]);
        assert_eq!(classes[281].names, ["tabby", "tabby cat"]);
    }

    #[test]
    fn folders_called_as_one_class_is_have_its_index() {
        let names = ["Tiger", "banana", "sea_lion", "crane", "tabby", "tabby cat", "giraffe"];
        let mut folders: Vec<Class> = names.iter().map(|name| Class::of_folder(name)).collect();
        number(&mut folders, &imagenet());
        let indices: Vec<Option<u32>> = folders.iter().map(|class| class.index).collect();
        // A crane is a bird or a machine, two folders are of tabbies, and there is no giraffe.
        assert_eq!(indices, [Some(292), Some(954), Some(150), None, None, None, None]);
    }

    #[test]
    fn a_file_of_classes_may_leave_the_names_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}n02123045\r\nn02123159 tiger cat\n\nsea_lion\nmy pets\tcat, house cat\n")
            .unwrap();
        let classes = read(file.path(), &imagenet()).unwrap();
        let named: Vec<_> = classes.iter().map(|c| (c.key.as_str(), c.names.join("|"), c.index)).collect();
        let expected = [
            ("n02123045", "tabby|tabby cat".to_string(), Some(281)),
            ("n02123159", "tiger cat".to_string(), Some(282)),
            ("sea_lion", "sea lion".to_string(), None),
            ("my pets", "cat|house cat".to_string(), None),
        ];
        assert_eq!(named, expected);
        std::fs::write(file.path(), "cat\ndog\ncat\n").unwrap();
        let error = read(file.path(), &imagenet()).unwrap_err().to_string();
        assert!(error.ends_with("line 3: class \"cat\" stands in line 1 already"), "{error}");
    }
}
