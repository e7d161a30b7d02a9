//! HDF5 (`.h5`, `.hdf5`, MATLAB's `.mat` of version 7.3): named datasets, also in groups; a dataset is read whole.

mod chunks;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Attribute, ByteOrder, Dataset, Datatype, FileStorage, Hdf5File, OpenOptions};

use super::stored::{Bytes, Labels, Order, StoredArray, Unread, is_list, list_length, refuse_endless};
use super::{ArrayError, ArrayFormat, Listed, Told, malformed, matlab};
use crate::error::FileError;
use crate::files;
use crate::limits;
use crate::numbers::{Kind, Value};

const NAME: &str = ".h5";

/// Groups within groups that are looked into.
const DEEPEST: usize = 8;

/// Groups that are looked into in all: links can lead to the same ones again and again.
const MOST: usize = 10_000;

/// The attribute by which MATLAB names the class of a dataset; it writes the first axis of its arrays last.
const MATLAB_CLASS: &str = "MATLAB_class";

/// The attribute of a group in which MATLAB keeps the parts of a sparse matrix.
const MATLAB_SPARSE: &str = "MATLAB_sparse";

/// The attribute of a dataset that holds the shape of an array of MATLAB's without values.
const MATLAB_EMPTY: &str = "MATLAB_empty";

/// What users call filters that are not read, by their registered numbers.
const FILTERS: [(&str, &str); 9] = [
    ("307", "bzip2"),
    ("32000", "lzf"),
    ("32001", "blosc"),
    ("32004", "lz4"),
    ("32008", "bitshuffle"),
    ("32013", "zfp"),
    ("32015", "zstd"),
    ("32017", "sz"),
    ("32026", "blosc2"),
];

/// What is said of a cell.
const CELL: &str = "a cell in a file of MATLAB's of version 7.3, which is not read; in MATLAB: x = char(names), or save(file, …, \"-v7\")";

/// What is said of a list beside other arrays.
const ELSEWHERE: &str = "in a group of other arrays; if it names the rows of this one too, move it out of the group, to the top of the file";

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["h5", "hdf5"], list, open };

fn file(path: &Path) -> Result<Hdf5File, ArrayError> {
    let opened = files::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (bytes, file) = opened.map_err(FileError::at(path))?;
    let most = usize::try_from(limits::unpacked(bytes)).unwrap_or(usize::MAX);
    let options = OpenOptions { max_read_bytes: most, ..OpenOptions::default() }
        .with_max_chunk_bytes(most.min(hdf5_reader::DEFAULT_MAX_CHUNK_BYTES));
    let storage = FileStorage::from_file(file).map_err(|error| unreadable(path, error))?;
    Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: Error) -> ArrayError {
    match error {
        Error::Io(source) => FileError::at(path)(source).into(),
        Error::Context { source, .. } if matches!(*source, Error::UnsupportedFilter(_)) => unreadable(path, *source),
        Error::UnsupportedFilter(filter) => {
            let number = filter.rsplit(' ').next().unwrap_or_default();
            let known = FILTERS.iter().find(|(known, _)| *known == number).map(|(_, name)| name.to_string());
            ArrayError::Filter { path: path.into(), filter: known.unwrap_or(filter) }
        }
        error => malformed(path, NAME, error),
    }
}

pub(super) fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let mut listed = Vec::new();
    let mut add = |name: &str, dataset: &Dataset| {
        let value = value(dataset);
        let (float, number) = (value.is_some_and(Value::is_float), value.is_some());
        let list = is_list(dataset.shape().iter().copied());
        listed.push(Listed { name: name.to_string(), float, number, list });
        Ok(())
    };
    walk_all(&file(path)?, &mut add).map_err(|error| unreadable(path, error))?;
    Ok(listed)
}

/// Takes a dataset's name, with those of its groups, and the dataset.
type Visit<'a> = dyn FnMut(&str, &Dataset) -> Result<(), Error> + 'a;

fn walk_all(file: &Hdf5File, visit: &mut Visit) -> Result<(), Error> {
    walk(&file.root_group()?, "", &mut Vec::new(), &mut 0, visit)
}

/// Visits the datasets of a group and of those below it.
fn walk(
    group: &Group,
    prefix: &str,
    above: &mut Vec<u64>,
    looked_into: &mut usize,
    visit: &mut Visit,
) -> Result<(), Error> {
    *looked_into += 1;
    if *looked_into > MOST {
        return Err(Error::Other(format!("more than {MOST} groups")));
    }
    above.push(group.address());
    let (groups, datasets) = group.members()?;
    datasets.iter().try_for_each(|dataset| visit(&format!("{prefix}{}", dataset.name()), dataset))?;
    // MATLAB keeps the parts of cells in a group of their own.
    for group in groups.iter().filter(|group| !group.name().starts_with('#')) {
        // A link to a group above forms a circle.
        if above.len() <= DEEPEST && !above.contains(&group.address()) {
            walk(group, &format!("{prefix}{}/", group.name()), above, looked_into, visit)?;
        }
    }
    above.pop();
    Ok(())
}

/// The type of a dataset's values, if they are real numbers.
fn value(dataset: &Dataset) -> Option<Value> {
    if matlab_other(dataset).is_some() {
        return None;
    }
    if let Some(class) = matlab_class(dataset)
        && matches!(class.as_str(), "char" | "cell" | "struct" | "function_handle")
    {
        return None;
    }
    Value::of_hdf5(dataset).or_else(|| whole(dataset.dtype()))
}

fn whole(datatype: &Datatype) -> Option<Value> {
    match datatype {
        Datatype::FixedPoint { size, signed, byte_order } => {
            let kind = if *signed { Kind::Signed } else { Kind::Unsigned };
            Value::new(kind, (*size).into(), *byte_order == ByteOrder::BigEndian)
        }
        // h5py's truth values.
        Datatype::Enum { base, members } if members.len() == 2 => whole(base),
        _ => None,
    }
}

/// What a type that is none of numbers is called: h5py keeps complex numbers as two fields.
fn called(datatype: &Datatype) -> String {
    let Datatype::Compound { fields, .. } = datatype else { return format!("{datatype:?}") };
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    if names == ["r", "i"] { "complex".to_string() } else { format!("[{}]", names.join(", ")) }
}

fn matlab_class(dataset: &Dataset) -> Option<String> {
    dataset.attribute(MATLAB_CLASS).ok()?.read_string().ok()
}

/// What a dataset of MATLAB's is, whatever class its values have, if it is no array of real numbers for that.
fn matlab_other(dataset: &Dataset) -> Option<&'static str> {
    match dataset.dtype() {
        _ if dataset.attribute(MATLAB_EMPTY).is_ok() => Some("empty"),
        Datatype::Compound { .. } => Some("complex"),
        _ => None,
    }
}

pub(super) fn open(path: &Path, names: &[&str], _: &Told) -> Result<Vec<StoredArray>, ArrayError> {
    let file = file(path)?;
    let Lists { texts, unread, arrays } = lists(path, &file)?;
    let places = texts.iter().map(|(name, list)| place(name, list.len(), &arrays)).collect::<Vec<_>>();
    let all: HashSet<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    // Names of the arrays themselves, whose order they state.
    let of_arrays = |list: &[String]| list.len() == all.len() && list.iter().all(|name| all.contains(name.as_str()));
    let mut labels = Arc::new(Labels::default());
    let mut opened = Vec::new();
    for name in names {
        let array = read(path, &file, name)?;
        let (of_array, elsewhere): (Vec<_>, Vec<_>) =
            texts.iter().zip(&places).partition(|(_, place)| is_in(name, place));
        let mut rows: Vec<Vec<String>> = of_array.into_iter().map(|((_, list), _)| list.clone()).collect();
        let fits = |((name, list), _): (&(String, Vec<String>), _)| {
            let length = list.len();
            array.shape().contains(&length).then(|| Unread { name: name.clone(), length, why: ELSEWHERE })
        };
        let unread = unread.iter().cloned().chain(elsewhere.into_iter().find_map(fits)).collect();
        for group in groups_of(name) {
            let attributes = match group {
                "" => file.root_group().and_then(|root| root.attributes()),
                group => file.group(group).and_then(|group| group.attributes()),
            };
            rows.extend(listed_in(&attributes.unwrap_or_default()));
        }
        rows.extend(listed_in(&file.dataset(name).map_err(|error| unreadable(path, error))?.attributes()));
        rows.retain(|list| !of_arrays(list));
        let own = Labels { rows, unread, ..Labels::default() };
        // One for all arrays that have the same.
        if own != *labels {
            labels = Arc::new(own);
        }
        opened.push(array.labelled(labels.clone()));
    }
    Ok(opened)
}

/// The groups that a dataset is in, the file itself first.
fn groups_of(name: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(name.match_indices('/').map(move |(end, _)| &name[..end]))
}

/// The nearest group above a list that has arrays of so many rows, in it or below it: the list is of these.
fn place<'a>(list: &'a str, length: usize, arrays: &[(String, Vec<u64>)]) -> &'a str {
    let fits =
        |group: &&&str| arrays.iter().any(|(array, rows)| is_in(array, group) && rows.contains(&(length as u64)));
    let above: Vec<&str> = groups_of(list).collect();
    above.iter().rev().find(fits).copied().unwrap_or_default()
}

/// Whether a dataset is in a group or below it.
fn is_in(name: &str, group: &str) -> bool {
    group.is_empty() || name.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
}

/// The lists of texts among attributes: h5py's `dataset.attrs["concepts"] = names`.
fn listed_in(attributes: &[Attribute]) -> impl Iterator<Item = Vec<String>> {
    let lists = attributes.iter().filter(|attribute| list_length(attribute.shape.iter().copied()) > Some(1));
    lists.filter_map(|attribute| attribute.read_strings().ok())
}

fn read(path: &Path, file: &Hdf5File, name: &str) -> Result<StoredArray, ArrayError> {
    let error = |error| unreadable(path, error);
    if let Some((group, _)) = name.rsplit_once('/')
        && file.group(group).is_ok_and(|group| group.attribute(MATLAB_SPARSE).is_ok())
    {
        return Err(matlab::not_numbers(path, group, "sparse", false));
    }
    let dataset = file.dataset(name).map_err(error)?;
    let matlab = matlab_class(&dataset);
    let value = value(&dataset).ok_or_else(|| match &matlab {
        Some(class) => {
            let text = class == "char" || class == "cell" && cells_are_texts(file);
            matlab::not_numbers(path, name, matlab_other(&dataset).filter(|_| !text).unwrap_or(class), text)
        }
        None => ArrayError::NotNumbers { path: path.into(), found: called(dataset.dtype()) },
    })?;
    let mut shape: Vec<usize> = dataset.shape().iter().map(|&axis| axis as usize).collect();
    refuse_endless(path, &shape)?;
    let announced = shape.iter().fold(value.bytes as u128, |bytes, &axis| bytes.saturating_mul(axis as u128));
    limits::check_unpacked(file.storage().len(), announced).map_err(FileError::at(path))?;
    let bytes = match chunks::by_widest_shape(file, &dataset).map_err(error)? {
        Some(bytes) => bytes,
        None => dataset.read_raw_bytes().map_err(error)?,
    };
    let order = if matlab.is_some() { Order::Fortran } else { Order::C };
    if order == Order::Fortran {
        shape.reverse();
    }
    let length = bytes.len();
    StoredArray::new(path, shape, order, value, Arc::new(Bytes::Held(bytes.into())), 0..length)
}

/// Whether all that the cells of a file of MATLAB's hold is text; an empty one has a place among them.
fn cells_are_texts(file: &Hdf5File) -> bool {
    let text = |dataset: &Dataset| {
        matlab_class(dataset).is_some_and(|class| ["char", "canonical empty"].contains(&class.as_str()))
    };
    let members = file.group("#refs#").and_then(|group| group.members());
    members.is_ok_and(|(groups, datasets)| groups.is_empty() && datasets.iter().all(text))
}

/// Every list of texts in the file, with its name, those among the file's own attributes last.
///
/// # Errors
/// A file that cannot be read or is malformed.
pub fn texts(path: &Path) -> Result<Texts, ArrayError> {
    let file = file(path)?;
    let mut texts = lists(path, &file)?.texts;
    let attributes = file.root_group().and_then(|root| root.attributes()).unwrap_or_default();
    texts.extend(listed_in(&attributes).map(|list| (String::new(), list)));
    Ok(texts)
}

/// Lists of texts, each with its name.
type Texts = Vec<(String, Vec<String>)>;

/// What a file holds that may name rows, and whose.
struct Lists {
    texts: Texts,
    /// The cells of a file of MATLAB's, which may be names and are not read.
    unread: Vec<Unread>,
    /// Its arrays of several axes, with how long those are that rows may be along.
    arrays: Vec<(String, Vec<u64>)>,
}

fn lists(path: &Path, file: &Hdf5File) -> Result<Lists, ArrayError> {
    let (mut texts, mut unread, mut arrays) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |name: &str, dataset: &Dataset| {
        let length = list_length(dataset.shape().iter().copied());
        let name = name.to_string();
        let Some(length) = length else {
            // Units are along the last; MATLAB turns axes round.
            let units = usize::from(matlab_class(dataset).is_none());
            let rows = dataset.shape().iter().copied().take(dataset.shape().len().saturating_sub(units)).collect();
            arrays.extend(value(dataset).filter(|_| dataset.shape().len() > 1).map(|_| (name, rows)));
            return Ok(());
        };
        if matches!(dataset.dtype(), Datatype::String { .. } | Datatype::VarLen { .. }) {
            texts.extend(dataset.read_strings().ok().map(|list| (name, list)));
        } else if matlab_class(dataset).is_some_and(|class| class == "cell") {
            unread.push(Unread { name, length, why: CELL });
        }
        Ok(())
    };
    walk_all(file, &mut add).map_err(|error| unreadable(path, error))?;
    Ok(Lists { texts, unread, arrays })
}

/// The group and its attribute by which the RDMs that semgpu writes are known as its own.
pub(super) const OWN: (&str, &str) = ("descriptors", "semgpu");

/// Whether a file holds RDMs that semgpu wrote.
pub fn is_own_rdms(path: &Path) -> bool {
    file(path).is_ok_and(|file| file.group(OWN.0).is_ok_and(|group| group.attribute(OWN.1).is_ok()))
}

/// The text of an attribute of the file's root, if it has one of that name.
///
/// # Errors
/// A file that cannot be read or is malformed.
pub fn text_attribute(path: &Path, name: &str) -> Result<Option<String>, ArrayError> {
    let root = file(path)?.root_group().map_err(|error| unreadable(path, error))?;
    match root.attribute(name) {
        Ok(attribute) => attribute.read_string().map(Some).map_err(|error| unreadable(path, error)),
        Err(Error::AttributeNotFound(_)) => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}
