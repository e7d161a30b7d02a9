//! Which vector is of which concept, by its name, or of which image: names and paths, compared from their ends.

use std::collections::HashMap;
use std::path::Path;

use super::FeaturesError;
use crate::names;
use crate::stimuli::Manifest;

/// A path's parts, those of `\` too, without the ending of its file.
fn parts(path: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        path.split(['/', '\\']).map(names::plain).filter(|part| !part.is_empty() && part != ".").collect();
    if let Some(file) = parts.last_mut()
        && let Some((stem, ending)) = file.rsplit_once('.')
        && !stem.is_empty()
        && ending.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        *file = stem.to_string();
    }
    parts
}

/// How many parts at the front all paths share, their files aside.
fn shared(paths: &[Vec<String>]) -> usize {
    let Some(first) = paths.first() else { return 0 };
    let shares = |n: usize| paths.iter().all(|path| path.len() > n + 1 && path[n] == first[n]);
    (0..first.len()).take_while(|&n| shares(n)).count()
}

/// The vector of each image of the manifest, group by group.
///
/// Below the folder that all vectors' names share, a name is the end of its image's path, whole parts of it; if that is so
/// of no image, the images' paths, below the folder that they share, are the ends of the vectors' names.
///
/// # Errors
/// An image with none or several vectors, two images with one vector.
pub(super) fn find(path: &Path, manifest: &Manifest, names: &[String]) -> Result<Vec<usize>, FeaturesError> {
    let rows: Vec<Vec<String>> = names.iter().map(|name| parts(name)).collect();
    let stimuli: Vec<(&String, &String, &Path)> = manifest
        .groups
        .iter()
        .zip(&manifest.stimuli)
        .flat_map(|(group, stimuli)| {
            let named = manifest.concepts.iter().zip(stimuli);
            named.map(move |(concept, stimulus)| (group, concept, stimulus.path.as_path()))
        })
        .collect();
    let images: Vec<Vec<String>> = stimuli.iter().map(|(_, _, path)| parts(&path.to_string_lossy())).collect();
    let mut by_file: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, parts) in rows.iter().enumerate() {
        by_file.entry(parts.last().map_or("", String::as_str)).or_default().push(row);
    }
    let (above_rows, above_images) = (shared(&rows), shared(&images));
    let found_by = |matches: &dyn Fn(&[String], &[String]) -> bool| -> Vec<Vec<usize>> {
        let of = |image: &Vec<String>| {
            let same_file = by_file.get(image.last().map_or("", String::as_str)).cloned().unwrap_or_default();
            same_file.into_iter().filter(|&row| matches(&rows[row], image)).collect()
        };
        images.iter().map(of).collect()
    };
    let mut found = found_by(&|row, image| image.ends_with(&row[above_rows..]));
    if found.iter().all(Vec::is_empty) {
        found = found_by(&|row, image| row.ends_with(&image[above_images..]));
    }
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let mut order = Vec::new();
    for (image, rows) in found.into_iter().enumerate() {
        let (group, concept, file) = stimuli[image];
        let name = || format!("{} (concept {concept:?}, group {group})", file.display());
        let [row] = rows[..] else {
            let names = names[..names.len().min(3)].join(", ");
            return Err(FeaturesError::Image { path: path.into(), count: rows.len(), image: name(), names });
        };
        let other = taken.insert(row, image).filter(|&other| stimuli[other].2 != file);
        if let Some(other) = other {
            let first = stimuli[other].2.display().to_string();
            return Err(FeaturesError::OneForTwo { path: path.into(), row: names[row].clone(), first, image: name() });
        }
        order.push(row);
    }
    Ok(order)
}

/// Where in each of so many groups the vector of each concept is, by the names of all vectors.
pub(super) fn in_groups(
    path: &Path,
    concepts: &[String],
    groups: usize,
    names: &[String],
) -> Result<Vec<usize>, FeaturesError> {
    let mut places = Vec::new();
    let of_group = (names.len() / groups.max(1)).max(1);
    for (group, names) in names.chunks(of_group).enumerate() {
        places.extend(by_name(path, concepts, names)?.into_iter().map(|place| group * names.len() + place));
    }
    Ok(places)
}

/// Where the vector of each concept is, by the vectors' names.
fn by_name(path: &Path, concepts: &[String], names: &[String]) -> Result<Vec<usize>, FeaturesError> {
    let names: Vec<String> = names.iter().map(|name| names::plain(name)).collect();
    let mut rows: HashMap<&str, (usize, Option<usize>)> = HashMap::new();
    for (row, name) in names.iter().enumerate() {
        let (first, again) = rows.entry(name).or_insert((row, None));
        if row != *first {
            again.get_or_insert(row);
        }
    }
    let mut places = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    let mut twice = None;
    for concept in concepts {
        match rows.get(concept.as_str()) {
            Some(&(first, again)) => {
                twice = twice.or(again.map(|second| (first, second)));
                places.push(first);
            }
            None => missing.push(concept),
        }
    }
    if !missing.is_empty() {
        let some = |names: &[&str]| names[..names.len().min(5)].join(", ");
        let found: Vec<&str> = names.iter().map(String::as_str).collect();
        let (count, concepts) = (missing.len(), some(&missing));
        return Err(FeaturesError::NoSuchRows { path: path.into(), count, concepts, names: some(&found) });
    }
    match twice {
        Some((first, second)) => {
            Err(FeaturesError::Twice { path: path.into(), name: names[first].clone(), first, second })
        }
        None => Ok(places),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stimuli::Stimulus;

    fn found(images: &[&str], names: &[&str]) -> Result<Vec<usize>, String> {
        let stimulus = |path: &&str| Stimulus { path: path.into(), class_index: None };
        let manifest = Manifest {
            concepts: (0..images.len()).map(|n| format!("c{n}")).collect(),
            groups: vec!["1".to_string()],
            categories: None,
            stimuli: vec![images.iter().map(stimulus).collect()],
        };
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        find(Path::new("f.npy"), &manifest, &names).map_err(|error| error.to_string())
    }

    #[test]
    fn a_vector_is_found_by_the_whole_end_of_its_images_path() {
        let images = ["x/cat/01.jpg", "x/dog/01.jpg", "x/dog/02.jpg"];
        assert_eq!(found(&images, &["dog/02.png", "cat/01.png", "dog/01.png"]), Ok(vec![1, 2, 0]));
        assert_eq!(
            found(&images, &["C:\\y\\dog\\02.jpg", "C:\\y\\cat\\01.jpg", "C:\\y\\dog\\01.jpg"]),
            Ok(vec![1, 2, 0])
        );
        // Flat lists of one side or the other.
        assert_eq!(found(&["x/a/n1.jpg", "x/b/n2.jpg"], &["n2", "n1"]), Ok(vec![1, 0]));
        assert_eq!(found(&["x/n1.jpg", "x/n2.jpg"], &["b/n2.jpg", "a/n1.jpg"]), Ok(vec![1, 0]));
        assert_eq!(found(&["x/v.1.jpg", "x/v.2.jpg"], &["v.2", "v.1"]), Ok(vec![1, 0]));
    }

    #[test]
    fn a_concept_is_found_by_its_name_in_every_group() {
        let names = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let found = |concepts: &str, groups: usize, rows: &str| {
            in_groups(Path::new("f.npy"), &names(concepts), groups, &names(rows)).map_err(|error| error.to_string())
        };
        assert_eq!(found("dog cat", 2, "cat ox dog dog cat ox"), Ok(vec![2, 0, 3, 4]));
        let twice = found("dog cat", 1, "cat ox dog dog cat dog").unwrap_err();
        assert!(twice.contains("\"dog\"") && twice.contains('2') && twice.contains('3'), "{twice}");
        assert_eq!(found("dog cat", 1, "ox cat ox dog"), Ok(vec![3, 1]));
        let missing = found("dog cow cat", 1, "cat ox dog dog").unwrap_err();
        assert!(missing.contains("names 1 that no vector has (cow)"), "{missing}");
    }

    #[test]
    fn another_folders_vector_is_not_taken() {
        let missing = found(&["x/cat/01.jpg", "x/dog/01.jpg"], &["cat/01.jpg", "dog/02.jpg"]).unwrap_err();
        assert!(missing.contains("0 vectors for the image x/dog/01.jpg"), "{missing}");
        let split = found(&["val/cat/01.jpg", "val/dog/01.jpg"], &["train/cat/01.jpg", "val/dog/01.jpg"]).unwrap_err();
        assert!(split.contains("0 vectors for the image val/cat/01.jpg"), "{split}");
        let shared = found(&["x/cat/01.jpg", "x/dog/01.jpg"], &["01.jpg", "02.jpg"]).unwrap_err();
        assert!(shared.contains("x/dog/01.jpg") && shared.contains("x/cat/01.jpg"), "{shared}");
        let several = found(&["x/01.jpg", "x/02.jpg"], &["a/01.jpg", "b/01.jpg", "a/02.jpg"]).unwrap_err();
        assert!(several.contains("2 vectors for the image x/01.jpg"), "{several}");
    }
}
