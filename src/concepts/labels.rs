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

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::{ConceptsError, classes};
use crate::error::FileError;
use crate::files;
use crate::imagenet::{CLASSES, is_wnid};
use crate::names;

/// What headers call the column of images, in lower case.
const IMAGES: [&str; 10] =
    ["imageid", "image_id", "filename", "file_name", "file", "path", "image", "image_name", "img", "name"];

/// What headers call the column of classes, in lower case.
const CLASS: [&str; 12] = [
    "label",
    "labels",
    "class",
    "classes",
    "wnid",
    "synset",
    "class_index",
    "class_id",
    "category",
    "predictionstring",
    "target",
    "concept",
];

/// Images of ILSVRC 2012's validation set: people keep some of them and the whole list.
const VALIDATION: usize = 50_000;

/// A line of labels.
struct Label {
    line: usize,
    /// Absent where the line's place is the image's number.
    image: Option<String>,
    class: String,
}

/// What kind of thing a class is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wnid,
    Number,
    Word,
}

impl Label {
    fn kind(&self) -> Kind {
        match &self.class {
            class if is_wnid(class) => Kind::Wnid,
            class if class.parse::<f64>().is_ok() => Kind::Number,
            _ => Kind::Word,
        }
    }

    /// The whole number, also of `92.0`.
    fn number(&self) -> Option<u32> {
        let number: f64 = self.class.parse().ok()?;
        (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
    }
}

/// The class of each of `files` that has a label: pairs of file and class, in the order of the files.
///
/// # Errors
/// A form that is not known, numbers whose order is not known or that stand among names, a list without images' names that
/// is not one line for each image from number 1 on, an image with two labels, or no label that fits any file.
pub(super) fn read(
    path: &Path,
    devkit: Option<&Path>,
    files: &[String],
) -> Result<Vec<(String, String)>, ConceptsError> {
    let text = files::read_to_string(path).map_err(FileError::at(path))?;
    let labels = labels(path, &text, files)?;
    let classes = classes_of(path, devkit, &labels)?;

    let mut by_image: HashMap<&str, (usize, &str)> = HashMap::new();
    for (label, class) in labels.iter().zip(&classes) {
        let Some(image) = label.image.as_deref() else { continue };
        let earlier = by_image.insert(image, (label.line, class));
        if let Some((first, _)) = earlier.filter(|(_, earlier)| earlier != class) {
            let (path, image) = (path.into(), image.to_string());
            return Err(ConceptsError::TwoLabels { path, line: label.line, first, image });
        }
    }
    let listed = labels.iter().all(|label| label.image.is_none());
    if listed {
        check_numbers(path, &labels, files)?;
    }
    let class_of = |file: &String| {
        let plain = names::plain(file);
        let stem = stem(&plain);
        let by_number = || classes.get(number_of(stem)?.checked_sub(1)?).map(String::as_str).filter(|_| listed);
        let named = by_image.get(plain.as_str()).or_else(|| by_image.get(stem)).map(|(_, class)| *class);
        named.or_else(by_number).map(str::to_string)
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

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// A list without names is of images numbered 1 to its length, all of them or some of ILSVRC's.
fn check_numbers(path: &Path, labels: &[Label], files: &[String]) -> Result<(), ConceptsError> {
    let numbers: BTreeSet<usize> = files.iter().filter_map(|file| number_of(stem(file))).collect();
    let all = numbers.len() == files.len() && numbers.first() == Some(&1) && numbers.last() == Some(&labels.len());
    let validation = files.iter().all(|file| file.starts_with("ILSVRC2012_val_")) && labels.len() == VALIDATION;
    if all && files.len() == labels.len() || validation {
        return Ok(());
    }
    let (first, last) = (numbers.first().copied(), numbers.last().copied());
    let found = match first.zip(last) {
        Some((first, last)) => format!("{} images numbered {first} to {last}", files.len()),
        None => format!("{} images without numbers", files.len()),
    };
    Err(ConceptsError::Unnamed { path: path.into(), labels: labels.len(), found })
}

/// The labels, without comments, empty lines and a header.
///
/// A header is a first line whose image or class is called as columns are, or the only one whose class is no number and no
/// wnid.
fn labels(path: &Path, text: &str, files: &[String]) -> Result<Vec<Label>, ConceptsError> {
    let said = (1..).zip(text.lines()).map(|(line, text)| (line, text.trim()));
    let said: Vec<(usize, &str)> = said.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')).collect();
    let separator = separator(&said);
    let fields = |&(line, text): &(usize, &str)| match fields(text, separator) {
        Some(fields) => Ok((line, fields)),
        None => Err(ConceptsError::LabelQuote { path: path.into(), line, found: text.to_string() }),
    };
    let mut lines = said.iter().map(fields).collect::<Result<Vec<(usize, Vec<String>)>, _>>()?;
    let is = |names: &[&str], field: &str| names.contains(&field.to_lowercase().as_str());
    let (mut image, mut class) = (0, 1);
    if let Some((line, header)) = lines.first().cloned() {
        let column = |names: &[&str]| header.iter().position(|field| is(names, field));
        let named = match &header[..] {
            [only] => is(&CLASS, only) && lines.len() > files.len(),
            _ => column(&IMAGES).is_some() && !files.iter().any(|file| stem(file) == stem(&header[0])),
        };
        if named {
            lines.remove(0);
            image = column(&IMAGES).unwrap_or(0);
            // Of several the finest: a coarser one has categories of the classes. Of those as fine not numbers, which may count
            // one's own classes rather than ImageNet's; then the first.
            let called = (0..header.len()).filter(|&column| is(&CLASS, &header[column]));
            let called = called.rev().max_by_key(|&column| {
                let cells = lines.iter().filter_map(|(_, fields)| fields.get(column).map(String::as_str));
                let values: BTreeSet<&str> = cells.filter(|cell| !cell.is_empty()).collect();
                let has_words = values.iter().any(|value| value.parse::<f64>().is_err());
                (values.len(), has_words || is(&["class_index"], &header[column]))
            });
            class = called.unwrap_or(usize::from(image == 0));
            if header.len() > 2 && called.is_none() {
                let header = header.join(",");
                return Err(ConceptsError::LabelColumns { path: path.into(), line, header });
            }
        }
    }
    let label = |(line, fields): (usize, Vec<String>)| match &fields[..] {
        [only] => Label { line, image: None, class: names::plain(only) },
        _ => {
            let cell = |column: usize| fields.get(column).map_or("", String::as_str);
            let (file, class) = (cell(image), cell(class));
            // Kaggle's boxes follow the wnid.
            let first = class.split(' ').next().unwrap_or(class);
            let class = names::plain(if is_wnid(first) { first } else { class });
            Label { line, image: file.rsplit(['/', '\\']).next().map(names::plain), class }
        }
    };
    // Beside an image, no class is no label.
    let is_label = |label: &Label| label.image.is_none() || !label.class.is_empty();
    let mut labels: Vec<Label> = lines.into_iter().map(label).filter(is_label).collect();
    let of_file =
        |label: &Label| files.iter().any(|file| label.image.as_deref().is_some_and(|image| stem(file) == stem(image)));
    let alone = labels.len() > 1
        && labels[0].kind() == Kind::Word
        && labels[1..].iter().all(|label| label.kind() != Kind::Word)
        && !of_file(&labels[0]);
    if alone {
        labels.remove(0);
    }
    Ok(labels)
}

/// What separates the fields of most lines outside quotes: tabs, semicolons or else commas.
fn separator(lines: &[(usize, &str)]) -> Option<u8> {
    let count = |sign: u8| lines.iter().filter(|(_, line)| files::outside_quotes(line, sign)).count();
    [b'\t', b';', b','].into_iter().find(|&sign| 2 * count(sign) > lines.len())
}

/// The fields of a line; without a separator the last blank is one, since names of files may have blanks. None if a quotation
/// mark is not paired.
fn fields(line: &str, separator: Option<u8>) -> Option<Vec<String>> {
    let Some(separator) = separator else {
        let fields = line.rsplit_once(char::is_whitespace).map_or(vec![line], |(image, class)| vec![image, class]);
        return Some(fields.into_iter().map(|field| field.trim().trim_matches('"').trim().to_string()).collect());
    };
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(separator);
    let record = reader.from_reader(line.as_bytes()).into_records().next()?.ok()?;
    // Behind a blank a mark is part of its field, and what it should hold together is in several.
    let paired = |field: &str| !field.starts_with('"') || field.len() > 1 && field.ends_with('"');
    let fields = record.iter().map(|field| paired(field).then(|| field.trim_matches('"').trim().to_string()));
    fields.collect()
}

/// The number at the end of an image's name: `ILSVRC2012_val_00000001`.
fn number_of(stem: &str) -> Option<usize> {
    let digits = stem.len() - stem.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().ok()
}

/// The class of every label: wnids for numbers, others as they are.
fn classes_of(path: &Path, devkit: Option<&Path>, labels: &[Label]) -> Result<Vec<String>, ConceptsError> {
    let Some(first) = labels.iter().find(|label| label.kind() == Kind::Number) else {
        return Ok(labels.iter().map(|label| label.class.clone()).collect());
    };
    // A number is never a word.
    let number = |label: &Label| {
        label.number().ok_or_else(|| {
            let label = if label.kind() == Kind::Number { label } else { first };
            ConceptsError::NumberAmongNames { path: path.into(), line: label.line, found: label.class.clone() }
        })
    };
    let numbers = labels.iter().map(number).collect::<Result<Vec<u32>, _>>()?;
    if let Some(devkit) = devkit {
        let map = read_devkit(devkit)?;
        let wnid = |(label, number): (&Label, &u32)| {
            map.get(number).cloned().ok_or_else(|| ConceptsError::NotInDevkit {
                path: path.into(),
                line: label.line,
                number: label.class.clone(),
                devkit: devkit.into(),
            })
        };
        return labels.iter().zip(&numbers).map(wnid).collect();
    }
    // Lists with names count from 0; a list without names is the devkit's unless it has a 0.
    let listed = labels.iter().all(|label| label.image.is_none());
    let from_0 = numbers.iter().all(|&number| (number as usize) < CLASSES) && (!listed || numbers.contains(&0));
    if !from_0 {
        let largest = numbers.iter().max().copied().unwrap_or_default();
        return Err(ConceptsError::UnknownOrder { path: path.into(), largest });
    }
    let imagenet = classes::imagenet();
    Ok(numbers.iter().map(|&index| imagenet[index as usize].key.clone()).collect())
}

/// Lines with a wnid and a number in their first two fields.
fn read_devkit(path: &Path) -> Result<HashMap<u32, String>, ConceptsError> {
    let text = files::read_to_string(path).map_err(FileError::at(path))?;
    let mut map = HashMap::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let fields: Vec<&str> = text.split([',', ' ', '\t']).filter(|field| !field.is_empty()).take(2).collect();
        let pair = match fields[..] {
            [wnid, number] if is_wnid(wnid) => Some((number, wnid)),
            [number, wnid] if is_wnid(wnid) => Some((number, wnid)),
            _ => None,
        };
        let Some((number, wnid)) = pair.and_then(|(number, wnid)| Some((number.parse().ok()?, wnid))) else {
            return Err(ConceptsError::Devkit { path: path.into(), line, found: text.to_string() });
        };
        let earlier = map.insert(number, wnid.to_string());
        if let Some(earlier) = earlier.filter(|earlier| earlier != wnid) {
            let (path, found) = (path.into(), [earlier, wnid.to_string()]);
            return Err(ConceptsError::TwoWnids { path, line, number, found });
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str, devkit: Option<&str>) -> Result<Vec<String>, String> {
        let written = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            file
        };
        let files = [1, 2, 3].map(|n| format!("ILSVRC2012_val_0000000{n}.JPEG"));
        let (file, devkit) = (written(text), devkit.map(written));
        let read = read(file.path(), devkit.as_ref().map(|file| file.path()), &files);
        let without_2 = |labels: Vec<(String, String)>| labels.into_iter().filter(|(file, _)| !file.contains("02"));
        read.map(|labels| without_2(labels).map(|(_, class)| class).collect()).map_err(|error| error.to_string())
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
            "\u{feff}65\n0\n970\n",
            "\n\nn01751748\nn01440764\nn09193705\n",
            "wnid\nn01751748\nn01440764\nn09193705\n",
            "what it shows\nn01751748\nn01440764\nn09193705\n",
            "# by hand\nILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000003.JPEG 970\n",
            "\u{feff}ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000003.JPEG 970\n",
            "image_name,label\nILSVRC2012_val_00000001.JPEG,65.0\nILSVRC2012_val_00000003.JPEG,970.0\n",
            "split;label;image\nval;65;a\\ILSVRC2012_val_00000001.JPEG\nval;970;a\\ILSVRC2012_val_00000003.JPEG\n",
            "ILSVRC2012_val_00000001.JPEG,65\nILSVRC2012_val_00000002.JPEG,\nILSVRC2012_val_00000003.JPEG,970\n",
            "image,class_id,wnid\nILSVRC2012_val_00000001.JPEG,0,n01751748\nILSVRC2012_val_00000003.JPEG,1,n09193705\n",
            "image,category,wnid\nILSVRC2012_val_00000001.JPEG,animal,n01751748\nILSVRC2012_val_00000003.JPEG,animal,n09193705\n",
            "image,label,category\nILSVRC2012_val_00000001.JPEG,65,animal\nILSVRC2012_val_00000003.JPEG,970,\n",
        ] {
            assert_eq!(labels(text, None), expected, "{text}");
        }
        let map = "n01751748 490 sea_snake\nn09193705 361 alp\nn02119789 1 kit_fox\n";
        assert_eq!(labels("490\n1\n361\n", Some(map)), expected);
        assert_eq!(labels("my dog.jpg dog\nILSVRC2012_val_00000003.JPEG cat\n", None), Ok(vec!["cat".to_string()]));
        assert_eq!(labels("\"ILSVRC2012_val_00000003.JPEG\",\"sea lion\",7\n", None), Ok(vec!["sea lion".to_string()]));
    }

    #[test]
    fn what_stands_in_quotes_is_one_field() {
        let class = |class: &str| labels(&format!("ILSVRC2012_val_00000003.JPEG,{class}\na.jpg,cat\n"), None);
        for (written, meant) in [
            ("\"crane, bird\"", "crane, bird"),
            ("\"crane; bird\"", "crane; bird"),
            ("\"a \"\"big\"\" dog\"", "a \"big\" dog"),
            ("\"crane\",\"a bird, of many\"", "crane"),
            (" \"crane\"", "crane"),
        ] {
            assert_eq!(class(written), Ok(vec![meant.to_string()]), "{written}");
        }
        let error = class(" \"crane, bird\"").unwrap_err();
        assert!(error.contains("line 1: ") && error.contains("quotation mark"), "{error}");
        // One name with a comma makes no table of commas.
        let blanks = "a,b.jpg dog\nILSVRC2012_val_00000003.JPEG cat\nc.jpg fox\n";
        assert_eq!(labels(blanks, None), Ok(vec!["cat".to_string()]));
    }

    #[test]
    fn numbers_of_an_unknown_order_are_refused() {
        for text in [
            "490\n361\n171\n",
            "\u{feff}490\n361\n171\n",
            "id\n490\n361\n171\n",
            "1000\n1\n2\n",
            "ILSVRC2012_val_00000001.JPEG 1000\n",
        ] {
            let error = labels(text, None).unwrap_err();
            assert!(error.contains("devkit") && error.contains("map_clsloc.txt"), "{error}");
        }
        let error = labels("490\n2\n3\n", Some("n01751748 490 sea_snake\n")).unwrap_err();
        assert!(error.contains("line 2: number 2 is not in"), "{error}");
        let error = labels("490\n2\n3\n", Some("sea_snake\n")).unwrap_err();
        assert!(error.contains("line 1: \"sea_snake\", expected a wnid and its number"), "{error}");
        let devkit = "n01751748 490 sea_snake\nn09193705 361 alp\nn02119789 490 kit_fox\n";
        let error = labels("490\n361\n361\n", Some(devkit)).unwrap_err();
        assert!(error.contains("line 3: number 490 is n02119789, and n01751748 in a line before"), "{error}");
    }

    #[test]
    fn labels_that_cannot_be_are_named() {
        let error = labels("ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000001.JPEG 66\n", None).unwrap_err();
        assert!(error.contains("line 2: ILSVRC2012_val_00000001.JPEG has another label in line 1"), "{error}");
        let error = labels("other.jpg 65\n", None).unwrap_err();
        assert!(error.contains("none of its 1 labels is for any of the 3 images"), "{error}");
        let error = labels("ILSVRC2012_val_00000001.JPEG cat\nILSVRC2012_val_00000003.JPEG 92\n", None).unwrap_err();
        assert!(error.contains("line 2: \"92\" among names"), "{error}");
        let error = labels("ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000003.JPEG 92.5\n", None).unwrap_err();
        assert!(error.contains("line 2: \"92.5\""), "{error}");
        let error = labels("file,split,what\na,b,c\n", None).unwrap_err();
        assert!(error.contains("line 1: columns file,split,what"), "{error}");
    }

    #[test]
    fn a_list_without_names_is_of_images_numbered_from_1() {
        let error = labels("n01751748\nn01440764\n", None).unwrap_err();
        assert!(error.contains("2 labels without images' names for 3 images numbered 1 to 3"), "{error}");
        let error = labels("cat\ndog\n\ncat\ndog\n", None).unwrap_err();
        assert!(error.contains("4 labels without images' names"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "n01751748\nn01440764\n").unwrap();
        let error = read(file.path(), None, &["img_0.jpg", "img_1.jpg"].map(str::to_string)).unwrap_err().to_string();
        assert!(error.contains("2 images numbered 0 to 1") && error.contains("`image class`"), "{error}");
    }
}
