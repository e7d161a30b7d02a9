//! The labels of a flat folder, in the forms in which ImageNet's validation labels go round.
//!
//! | line | published as |
//! | --- | --- |
//! | `ILSVRC2012_val_00000001.JPEG 65` | Caffe's `val.txt`: the class index, 0 to 999 in the order of the wnids |
//! | `ILSVRC2012_val_00000001,n01751748 …` | Kaggle's `LOC_val_solution.csv`; also with the file's ending |
//! | `n01751748` | one wnid per image: line n is the image whose name ends in n |
//! | `490` | the devkit's `ILSVRC2012_validation_ground_truth.txt`: 1 to 1000 in an order of its own |
//! | `pets_7.jpg cat` | any other word: a class of one's own |
//!
//! The devkit's numbers are not class indices. What they mean stands in its `map_clsloc.txt` (`n02119789 1 kit_fox`),
//! without which they are refused.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::{ConceptsError, classes};
use crate::error::FileError;
use crate::imagenet::CLASSES;

/// First cells of a CSV's header.
const HEADERS: [&str; 5] = ["imageid", "filename", "file", "path", "image"];

/// Whether this is a WordNet id of a noun: `n01440764`.
pub(super) fn is_wnid(text: &str) -> bool {
    text.len() == 9 && text.strip_prefix('n').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A line of labels.
struct Label<'a> {
    line: usize,
    /// Absent where the line's number is the image's.
    image: Option<&'a str>,
    class: &'a str,
}

/// The class of each of `files` that has a label: pairs of file and class, in the order of the files.
///
/// # Errors
/// A form that is not known, numbers whose order is not known, an image with two labels, or no label that fits any file.
pub(super) fn read(
    path: &Path,
    devkit: Option<&Path>,
    files: &[String],
) -> Result<Vec<(String, String)>, ConceptsError> {
    let text = fs::read_to_string(path).map_err(FileError::at(path))?;
    let labels: Vec<Label> = (1..).zip(text.lines()).filter_map(|(line, text)| parse(line, text)).collect();
    let classes = classes_of(path, devkit, &labels)?;

    let mut by_image: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut by_number: HashMap<usize, &str> = HashMap::new();
    for label in &labels {
        let class = classes.get(label.class).map_or(label.class, String::as_str);
        match label.image {
            None => {
                by_number.insert(label.line, class);
            }
            Some(image) => {
                let earlier = by_image.insert(image, (label.line, class));
                if let Some((first, _)) = earlier.filter(|(_, earlier)| *earlier != class) {
                    let (path, image) = (path.into(), image.to_string());
                    return Err(ConceptsError::TwoLabels { path, line: label.line, first, image });
                }
            }
        }
    }
    let class_of = |file: &String| {
        let stem = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem);
        let named = by_image.get(file.as_str()).or_else(|| by_image.get(stem)).map(|(_, class)| *class);
        named.or_else(|| by_number.get(&number_of(stem)?).copied()).map(str::to_string)
    };
    let labelled: Vec<(String, String)> =
        files.iter().filter_map(|file| Some((file.clone(), class_of(file)?))).collect();
    if labelled.is_empty() {
        let example = files.first().cloned().unwrap_or_default();
        return Err(ConceptsError::NoLabelFits {
            path: path.into(),
            labels: labels.len(),
            images: files.len(),
            example,
        });
    }
    Ok(labelled)
}

/// Tabs or else commas separate the fields; without either the last blank does, since names of files may have blanks.
fn parse(line: usize, text: &str) -> Option<Label<'_>> {
    let text = text.trim();
    let separator = ['\t', ','].into_iter().find(|&separator| text.contains(separator));
    let fields = match separator {
        Some(separator) => text.split_once(separator),
        None => text.rsplit_once(' '),
    };
    let Some((image, rest)) = fields else {
        return (!text.is_empty()).then_some(Label { line, image: None, class: text });
    };
    let image = unquoted(image);
    if line == 1 && HEADERS.contains(&&*image.to_lowercase()) {
        return None;
    }
    let class = unquoted(rest.split(['\t', ',']).next().unwrap_or(rest));
    // Kaggle's boxes follow the wnid.
    let first = class.split(' ').next().unwrap_or(class);
    let class = if is_wnid(first) { first } else { class };
    Some(Label { line, image: Some(image.rsplit('/').next().unwrap_or(image)), class })
}

fn unquoted(field: &str) -> &str {
    field.trim().trim_matches('"')
}

/// The number at the end of an image's name: `ILSVRC2012_val_00000001`.
fn number_of(stem: &str) -> Option<usize> {
    let digits = stem.len() - stem.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().ok()
}

/// The wnid of every number among the labels; nothing if they are no numbers.
fn classes_of(path: &Path, devkit: Option<&Path>, labels: &[Label]) -> Result<HashMap<String, String>, ConceptsError> {
    let numbers: Option<Vec<u32>> = labels.iter().map(|label| label.class.parse().ok()).collect();
    let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else { return Ok(HashMap::new()) };
    if let Some(devkit) = devkit {
        let map = read_devkit(devkit)?;
        return match labels.iter().find(|label| !map.contains_key(label.class)) {
            None => Ok(map),
            Some(label) => Err(ConceptsError::NotInDevkit {
                path: path.into(),
                line: label.line,
                number: label.class.to_string(),
                devkit: devkit.into(),
            }),
        };
    }
    // Lists with names count from 0; a list without names is the devkit's unless it has a 0.
    let listed = labels.iter().all(|label| label.image.is_none());
    let from_0 = numbers.iter().all(|&number| (number as usize) < CLASSES) && (!listed || numbers.contains(&0));
    if !from_0 {
        let largest = numbers.iter().max().copied().unwrap_or_default();
        return Err(ConceptsError::UnknownOrder { path: path.into(), largest });
    }
    let wnids: Vec<String> = classes::imagenet().into_iter().map(|class| class.key).collect();
    Ok(labels
        .iter()
        .zip(numbers)
        .map(|(label, index)| (label.class.to_string(), wnids[index as usize].clone()))
        .collect())
}

/// Lines with a wnid and a number in their first two fields.
fn read_devkit(path: &Path) -> Result<HashMap<String, String>, ConceptsError> {
    let text = fs::read_to_string(path).map_err(FileError::at(path))?;
    let mut map = HashMap::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let fields: Vec<&str> = text.split([',', ' ', '\t']).filter(|field| !field.is_empty()).take(2).collect();
        let pair = match fields[..] {
            [wnid, number] if is_wnid(wnid) => Some((number, wnid)),
            [number, wnid] if is_wnid(wnid) => Some((number, wnid)),
            _ => None,
        };
        let Some((number, wnid)) = pair.filter(|(number, _)| number.parse::<u32>().is_ok()) else {
            return Err(ConceptsError::Devkit { path: path.into(), line, found: text.to_string() });
        };
        map.insert(number.to_string(), wnid.to_string());
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str, devkit: Option<&str>) -> Result<Vec<String>, String> {
        let written = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), text).unwrap();
            file
        };
        let files = ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000003.JPEG"].map(str::to_string);
        let (file, devkit) = (written(text), devkit.map(written));
        let read = read(file.path(), devkit.as_ref().map(|file| file.path()), &files);
        read.map(|labels| labels.into_iter().map(|(_, class)| class).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_published_form_gives_the_same_wnids() {
        // Class indices 65 and 970.
        let expected = Ok(vec!["n01751748".to_string(), "n09193705".to_string()]);
        for text in [
            "ILSVRC2012_val_00000003.JPEG 970\nILSVRC2012_val_00000001.JPEG 65\n",
            "val/ILSVRC2012_val_00000001.JPEG\t65\nval/ILSVRC2012_val_00000003.JPEG\t970\n",
            "ImageId,PredictionString\nILSVRC2012_val_00000001,n01751748 111 108 499 372 \n\
             ILSVRC2012_val_00000003,n09193705 1 2 3 4 n09193705 5 6 7 8\n",
            "filename,wnid\r\nILSVRC2012_val_00000001.JPEG,n01751748\r\nILSVRC2012_val_00000003.JPEG,n09193705\r\n",
            "n01751748\nn01440764\nn09193705\n",
            "65\n0\n970\n",
        ] {
            assert_eq!(labels(text, None), expected, "{text}");
        }
        let map = "n01751748 490 sea_snake\nn09193705 361 alp\nn02119789 1 kit_fox\n";
        assert_eq!(labels("490\n1\n361\n", Some(map)), expected);
        assert_eq!(labels("my dog.jpg dog\nILSVRC2012_val_00000003.JPEG cat\n", None), Ok(vec!["cat".to_string()]));
        assert_eq!(labels("\"ILSVRC2012_val_00000003.JPEG\",\"sea lion\",7\n", None), Ok(vec!["sea lion".to_string()]));
    }

    #[test]
    fn numbers_of_an_unknown_order_are_refused() {
        for text in ["490\n361\n171\n", "1000\n1\n2\n", "ILSVRC2012_val_00000001.JPEG 1000\n"] {
            let error = labels(text, None).unwrap_err();
            assert!(error.contains("devkit") && error.contains("map_clsloc.txt"), "{error}");
        }
        let error = labels("490\n2\n3\n", Some("n01751748 490 sea_snake\n")).unwrap_err();
        assert!(error.contains("line 2: number 2 is not in"), "{error}");
        let error = labels("490\n", Some("sea_snake\n")).unwrap_err();
        assert!(error.contains("line 1: \"sea_snake\", expected a wnid and its number"), "{error}");
    }

    #[test]
    fn labels_that_cannot_be_are_named() {
        let error = labels("ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000001.JPEG 66\n", None).unwrap_err();
        assert!(error.contains("line 2: ILSVRC2012_val_00000001.JPEG has another label in line 1"), "{error}");
        let error = labels("other.jpg 65\n", None).unwrap_err();
        assert!(error.contains("none of its 1 labels is for any of the 2 images"), "{error}");
    }
}
