//! Features to RSMs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::made::{Made, may_be_rsms};
use super::{HalvesError, check_places, words};
use crate::arrays::{self, RsmFile, RsmsOut, Told, write_rsms};
use crate::device::{self, Choice};
use crate::error::{Error, FileError};
use crate::features::{Features, Layout};
use crate::files;
use crate::names;
use crate::progress::{Progress, Task};
use crate::results::{CONCEPTS, check_files, lines, write_lines};
use crate::stats::Rsm;
use crate::stats::similarity::rsm_of_rows;
use crate::stimuli::Manifest;
use crate::wording::{first, order_taken};

/// What `semgpu similarity` is asked for.
pub struct SimilarityRequest {
    /// Files of vectors.
    pub features: Vec<PathBuf>,
    /// How to understand them.
    pub layout: Layout,
    /// The files that the layout was read from: nothing is written over them.
    pub lists: Vec<PathBuf>,
    /// A file; of several files a directory of matrices, or a file whose groups they are.
    pub out: PathBuf,
    /// Distances 1 - r instead of correlations.
    pub distances: bool,
    /// A device that must be there; correlations are formed in double precision, which only the CPU has.
    pub device: Choice,
}

/// Correlates the features of every file; returns the files written.
///
/// # Errors
/// [`Error::Input`] for anything wrong with the files, before any is written if it shows without reading the values.
pub fn similarity(request: &SimilarityRequest, progress: &Progress) -> Result<Vec<PathBuf>, Error> {
    if let Some(name) = request.layout.concepts.as_ref().and_then(|concepts| names::twice(concepts)) {
        return Err(Error::input(HalvesError::SameConcept { path: "--concepts".into(), name: name.clone() }));
    }
    let of_words: Vec<bool> = request.features.iter().map(|path| of_words(path, request)).collect();
    let arrays = request.features.iter().zip(&of_words).filter(|(_, of_words)| !**of_words);
    progress.warn(request.layout.told.doubt(arrays.map(|(path, _)| path.as_path())));
    if are_groups(request) {
        return groups(request, progress);
    }
    let outs = outs(request).map_err(Error::input)?;
    check_outs(&outs, request)?;
    let directory = is_directory(request).then_some(&request.out);
    if let Some(directory) = directory {
        let made = Made::read(directory);
        outs.iter().try_for_each(|out| made.check(out)).map_err(Error::input)?;
    }
    // A directory's list names the concepts of every matrix there; one matrix has a list of its own.
    let manifest = request.layout.manifest.as_ref();
    let list = manifest.zip(directory).map(|(manifest, directory)| (directory.join(CONCEPTS), &manifest.concepts));
    if let Some((path, concepts)) = &list {
        check_list(path, concepts).map_err(Error::input)?;
        progress.warn(doubt_of_others(path, &outs));
    }
    progress.warn(request.layout.manifest.iter().flat_map(Manifest::doubts));
    let mut plans: Vec<Option<Features>> = Vec::new();
    let mut work = 0;
    for ((path, out), &of_words) in request.features.iter().zip(&outs).zip(&of_words) {
        if of_words {
            plans.push(None);
            continue;
        }
        let features = opened(path, request, progress)?;
        if features.groups > 1 && RsmFile::of(out).map_err(Error::input)? == RsmFile::Csv {
            return Err(Error::input(HalvesError::OneMatrix { out: out.clone(), groups: features.groups }));
        }
        if let Some(list) = words::list_beside(path).filter(|_| features.concept_lists.is_empty()) {
            progress.warn([format!(
                "{}: all rows as they stand; the words in {} name them with --rows, and --concepts FILE picks some",
                path.display(),
                list.display()
            )]);
        }
        work += features.work();
        // Of several files each is opened again when its turn comes: what an archive unpacks is held for one at a time.
        plans.push((outs.len() == 1).then_some(features));
    }
    let task = begin(request, work, progress)?;
    for (((path, out), features), of_words) in request.features.iter().zip(&outs).zip(plans).zip(of_words) {
        task.now(path.display().to_string());
        let (rsms, grouped, groups, concepts) = if of_words {
            let (rsm, concepts) = rsm_of_words(path, request, progress).map_err(Error::input)?;
            (vec![rsm], false, None, Some(concepts))
        } else {
            let features = features.map_or_else(|| Features::open(path, &request.layout).map_err(Error::input), Ok)?;
            let groups = 0..features.groups;
            let rsms = groups.map(|group| features.rsm(group, progress, &task)).collect::<Result<Vec<_>, _>>()?;
            let concepts = features.concept_names().cloned();
            (rsms, features.grouped, Some(features.group_names), concepts)
        };
        let _writing = progress.interrupt.writing();
        if let Some(directory) = directory {
            Made::enlist(directory, out, path).map_err(Error::failed)?;
        }
        write(out, &rsms, grouped, groups, concepts, request).map_err(Error::failed)?;
    }
    if let Some((path, concepts)) = list {
        write_lines(&path, concepts).map_err(Error::failed)?;
    }
    Ok(outs)
}

/// What the files so far have in common.
struct Common<'a> {
    /// The first that names the concepts, or, where none does, the first.
    path: &'a Path,
    concepts: usize,
    /// The lists of names that all have that have any.
    lists: Vec<Vec<String>>,
}

/// Correlates the features of every file, which are the groups of one file: subjects with voxels of their own.
fn groups(request: &SimilarityRequest, progress: &Progress) -> Result<Vec<PathBuf>, Error> {
    let out = &request.out;
    check_outs(std::slice::from_ref(out), request)?;
    if RsmFile::of(out).map_err(Error::input)? == RsmFile::Csv {
        return Err(Error::input(HalvesError::OneMatrix { out: out.clone(), groups: request.features.len() }));
    }
    progress.warn(request.layout.manifest.iter().flat_map(Manifest::doubts));
    let called = file_names(request, "").map_err(Error::input)?;
    let called: Vec<String> = called.iter().map(|name| name.to_string_lossy().into()).collect();
    let mut all: Option<Common> = None;
    let mut work = 0;
    for path in &request.features {
        let features = opened(path, request, progress)?;
        work += features.work();
        let no_group = |first: &Path, grouped| {
            let (path, first) = (path.clone(), first.to_path_buf());
            Err(Error::input(HalvesError::NoGroup { path, first, grouped, out: out.clone() }))
        };
        if features.grouped {
            return no_group(path, true);
        }
        let own = Common { path, concepts: features.concepts, lists: features.concept_lists };
        let Some(before) = all.take() else {
            all = Some(own);
            continue;
        };
        let both = !before.lists.is_empty() && !own.lists.is_empty();
        let shared: Vec<_> = own.lists.iter().filter(|list| before.lists.contains(list)).cloned().collect();
        if own.concepts != before.concepts || both && shared.is_empty() {
            return no_group(before.path, false);
        }
        all = Some(match (before.lists.is_empty(), own.lists.is_empty()) {
            (true, true) => before,
            // By what they share.
            (false, false) => Common { lists: shared, ..before },
            (own_alone, _) => {
                let (with, without) = if own_alone { (own, before) } else { (before, own) };
                check_places(with.path, &with.lists, without.path).map_err(Error::input)?;
                progress.warn([order_taken(without.path, with.path.display())]);
                with
            }
        });
    }
    let task = begin(request, work, progress)?;
    let mut rsms = Vec::new();
    for path in &request.features {
        task.now(path.display().to_string());
        rsms.push(Features::open(path, &request.layout).map_err(Error::input)?.rsm(0, progress, &task)?);
    }
    let _writing = progress.interrupt.writing();
    let names = all.and_then(|all| all.lists.into_iter().next());
    write(out, &rsms, true, Some(called), names, request).map_err(Error::failed)?;
    Ok(vec![out.clone()])
}

/// So much work begins on the device that is asked for, if that is there.
fn begin(request: &SimilarityRequest, work: u64, progress: &Progress) -> Result<Task, Error> {
    device::select(request.device).map_err(Error::input)?;
    progress.line("correlating in double precision, on the CPU");
    Ok(progress.task(work))
}

/// Features that a file holds; how they were understood, and what is doubtful about it, is said.
fn opened(path: &Path, request: &SimilarityRequest, progress: &Progress) -> Result<Features, Error> {
    let features = Features::open(path, &request.layout).map_err(Error::input)?;
    progress.line(features.describe());
    let doubts = [features.doubt().map_err(Error::input)?, features.doubt_of_matrix().map_err(Error::input)?];
    progress.warn(doubts.into_iter().flatten().chain(features.doubt_of_units()));
    Ok(features)
}

/// Nothing is written over what is read, and no list of names but that of a matrix that is written anew.
fn check_outs(outs: &[PathBuf], request: &SimilarityRequest) -> Result<(), Error> {
    let written: Vec<PathBuf> = outs.iter().flat_map(|out| [out.clone(), names::list_of(out)]).collect();
    let read: Vec<&Path> = request.features.iter().chain(&request.lists).map(PathBuf::as_path).collect();
    check_files(&written, &read)?;
    let own = |out: &&PathBuf| !out.exists() && !has_names(out) && names::list_of(out).exists();
    if let Some(out) = outs.iter().find(own) {
        return Err(Error::input(HalvesError::OwnList { list: names::list_of(out), out: out.clone() }));
    }
    // Of a directory's matrices its list says whose they are.
    match outs.iter().find(|out| !is_directory(request) && out.exists() && !may_be_rsms(out)) {
        Some(out) => Err(Error::input(HalvesError::NoRsm(out.clone()))),
        None => Ok(()),
    }
}

/// Whether a file is of word vectors, of which the words that count have to be said.
fn of_words(path: &Path, request: &SimilarityRequest) -> bool {
    let readable = arrays::names(path).is_ok();
    let Layout { key, flatten, token, stack, rows, told, .. } = &request.layout;
    // What is said of an array is said of features.
    let of_array = key.is_some() || *flatten || token.is_some() || *stack || rows.is_some() || *told != Told::default();
    words::is_vectors(path) && (request.layout.concepts.is_some() && !of_array || !readable)
}

/// The RSM of the concepts' word vectors, and their names.
fn rsm_of_words(
    path: &Path,
    request: &SimilarityRequest,
    progress: &Progress,
) -> Result<(Rsm, Vec<String>), HalvesError> {
    let concepts = request.layout.concepts.as_deref();
    let vectors = words::read(path, concepts, progress)?;
    let (count, dimensions) = (vectors.rows.len() / vectors.dimensions, vectors.dimensions);
    progress.line(format!(
        "{}: {count} of {} words x {dimensions} values, found by name",
        path.display(),
        vectors.total
    ));
    let rsm = rsm_of_rows(&vectors.rows, count, dimensions)
        .map_err(|source| HalvesError::Vectors { path: path.into(), source })?;
    match rsm.constant().first() {
        Some(&constant) => Err(HalvesError::Constant {
            path: path.into(),
            group: "of words".to_string(),
            concept: concepts.unwrap_or_default()[constant].clone(),
            words: true,
        }),
        None => Ok((rsm, concepts.unwrap_or_default().to_vec())),
    }
}

/// Writes the RSMs of a file, and what its concepts are called: in the file where its format has a place for it, else in
/// a list beside it.
fn write(
    out: &Path,
    rsms: &[Rsm],
    grouped: bool,
    groups: Option<Vec<String>>,
    concepts: Option<Vec<String>>,
    request: &SimilarityRequest,
) -> Result<(), FileError> {
    let labels = groups.map(|groups| ("group", groups)).into_iter().collect();
    let (rsms, distances) = (rsms.iter().collect(), request.distances);
    write_rsms(out, &RsmsOut { rsms, grouped, labels, concepts: concepts.as_deref(), distances })?;
    let beside = names::list_of(out);
    // The list beside a file that names its concepts is another matrix's.
    if has_names(out) && concepts.is_some() {
        return Ok(());
    }
    match concepts.filter(|_| request.layout.manifest.is_none() || !is_directory(request)) {
        Some(concepts) => write_lines(&beside, &concepts),
        // That of an earlier matrix would be believed.
        None if beside.exists() => std::fs::remove_file(&beside).map_err(FileError::at(&beside)),
        None => Ok(()),
    }
}

/// Whether the format of a file has a place for its concepts' names.
fn has_names(out: &Path) -> bool {
    matches!(RsmFile::of(out), Ok(RsmFile::Csv | RsmFile::Hdf5))
}

/// A list of other concepts stays: the matrices beside it are in its order.
fn check_list(path: &Path, concepts: &[String]) -> Result<(), HalvesError> {
    let found = lines(path)?;
    if found.is_empty() || found == concepts {
        return Ok(());
    }
    Err(HalvesError::OtherConcepts { path: path.into(), found: found.len(), expected: concepts.len() })
}

/// Matrices without names that stood in a directory before its list, which then names their concepts too.
fn doubt_of_others(list: &Path, outs: &[PathBuf]) -> Option<String> {
    let entries = std::fs::read_dir(list.parent()?).ok().filter(|_| !list.exists())?;
    let nameless = |path: &PathBuf| {
        RsmFile::of(path).is_ok() && !has_names(path) && !names::list_of(path).exists() && !outs.contains(path)
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let others: BTreeSet<String> = paths.filter(nameless).map(|path| files::name(&path)).collect();
    (!others.is_empty()).then(|| {
        format!(
            "{}: names the concepts of what stood there before too ({}): if its rows are in another order, give --out another \
             directory",
            list.display(),
            first(&Vec::from_iter(others), 5)
        )
    })
}

/// Whether --out is one file for several.
fn are_groups(request: &SimilarityRequest) -> bool {
    request.features.len() > 1 && !request.out.is_dir() && RsmFile::of(&request.out).is_ok()
}

/// Whether --out is a directory of matrices.
fn is_directory(request: &SimilarityRequest) -> bool {
    !are_groups(request) && (request.features.len() != 1 || request.out.is_dir())
}

/// What the features' files are called, or, where they share a name, their folders: the parts of --out, with this ending.
fn file_names(request: &SimilarityRequest, ending: &str) -> Result<Vec<OsString>, HalvesError> {
    let files = &request.features;
    // A link of another name is another file.
    let place = |path: &PathBuf| {
        // A name alone has no folder that could be looked up.
        let whole = std::path::absolute(path).ok()?;
        Some(whole.parent()?.canonicalize().ok()?.join(whole.file_name()?))
    };
    let places: Vec<PathBuf> = files.iter().map(|path| place(path).unwrap_or_else(|| path.clone())).collect();
    if let Some(second) = (1..files.len()).find(|&n| places[..n].contains(&places[n])) {
        return Err(HalvesError::Twice(files[second].clone()));
    }
    let stems: BTreeSet<_> = files.iter().map(|path| path.file_stem()).collect();
    let folder = |path: &Path| path.parent()?.file_name().filter(|_| stems.len() < files.len()).map(OsStr::to_owned);
    let mut taken: BTreeMap<OsString, &PathBuf> = BTreeMap::new();
    let mut names = Vec::new();
    for path in files {
        let mut name = folder(path).unwrap_or_else(|| path.file_stem().unwrap_or_default().to_owned());
        name.push(ending);
        if let Some(first) = taken.insert(name.clone(), path) {
            let (first, second) = (first.clone(), path.clone());
            return Err(HalvesError::SameOut { first, second, out: request.out.join(name) });
        }
        names.push(name);
    }
    Ok(names)
}

/// Where each file's RSMs go: --out, or in a directory `.npy` files called as the features' files are, or, where those
/// share their name, as their folders.
fn outs(request: &SimilarityRequest) -> Result<Vec<PathBuf>, HalvesError> {
    if !is_directory(request) {
        RsmFile::of(&request.out)?;
        return Ok(vec![request.out.clone()]);
    }
    Ok(file_names(request, ".npy")?.into_iter().map(|name| request.out.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_files_that_would_be_one_both_are_named_and_one_that_is_given_twice() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for (out, part) in [("all.npy", "b"), ("folder", "b.npy")] {
            let request = |features: [&str; 3]| SimilarityRequest {
                features: features.map(at).to_vec(),
                layout: Layout::default(),
                lists: Vec::new(),
                out: at(out),
                distances: false,
                device: Choice::Cpu,
            };
            let said = |features| similarity(&request(features), &Progress::silent()).unwrap_err().to_string();
            let twice = said(["a/f.npy", "a/g.npy", "a/f.npy"]);
            assert!(twice.starts_with(&format!("{}: given twice", at("a/f.npy").display())), "{twice}");
            let here = ["f.npy", "./f.npy"].map(PathBuf::from).to_vec();
            let here = SimilarityRequest { features: here, ..request(["", "", ""]) };
            assert!(matches!(file_names(&here, "npy"), Err(HalvesError::Twice(_))));
            let said = said(["a/f.npy", "b/f.npy", "b/g.npy"]);
            let [first, second, out] = [at("b/f.npy"), at("b/g.npy"), at(out).join(part)];
            let expected = format!("{} and {} would both become {}", first.display(), second.display(), out.display());
            assert!(said.starts_with(&expected), "{said}");
        }
    }
}
