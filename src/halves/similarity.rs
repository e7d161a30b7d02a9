//! Features to RSMs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::made::Made;
use super::{HalvesError, check_places, words};
use crate::arrays::{self, RsmFile, RsmsOut, Told, write_rsms};
use crate::device::{self, Choice};
use crate::error::{Error, FileError};
use crate::features::{Features, Layout};
use crate::names;
use crate::progress::{Progress, Task};
use crate::results::{CONCEPTS, check_files, lines, write_lines};
use crate::stats::Rsm;
use crate::stats::similarity::rsm_of_rows;
use crate::wording::order_taken;

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
    if let Some(doubt) = request.layout.told.doubt(arrays.map(|(path, _)| path.as_path())) {
        progress.line(format!("warning: {doubt}"));
    }
    if are_groups(request) {
        return groups(request, progress);
    }
    let outs = outs(request).map_err(Error::input)?;
    check_outs(&outs, request)?;
    let mut made = is_directory(request).then(|| Made::read(&request.out));
    if let Some(made) = &made {
        outs.iter().try_for_each(|out| made.check(out)).map_err(Error::input)?;
    }
    let manifest = request.layout.manifest.as_ref();
    let list = manifest.zip(outs.first()).map(|(manifest, out)| (out.with_file_name(CONCEPTS), &manifest.concepts));
    if let Some((path, concepts)) = &list {
        check_list(path, concepts).map_err(Error::input)?;
    }
    say_doubts_of_manifest(request, progress);
    let mut plans: Vec<Option<Features>> = Vec::new();
    let mut work = 0;
    for ((path, out), &of_words) in request.features.iter().zip(&outs).zip(&of_words) {
        if of_words {
            plans.push(None);
            continue;
        }
        let features = opened(path, request, progress)?;
        if features.grouped && RsmFile::of(out).map_err(Error::input)? == RsmFile::Csv {
            return Err(Error::input(HalvesError::OneMatrix { out: out.clone(), groups: features.groups }));
        }
        if let Some(list) = words::list_beside(path).filter(|_| features.concept_lists.is_empty()) {
            progress.line(format!(
                "warning: {}: all rows as they stand; the words in {} name them with --rows, and --concepts FILE picks some",
                path.display(),
                list.display()
            ));
        }
        work += features.work();
        // Of several files each is opened again when its turn comes: what an archive unpacks is held for one at a time.
        plans.push((outs.len() == 1).then_some(features));
    }
    let task = begin(request, work, progress)?;
    for (((path, out), features), of_words) in request.features.iter().zip(&outs).zip(plans).zip(of_words) {
        task.now(path.display().to_string());
        if of_words {
            let (rsm, concepts) = rsm_of_words(path, request, progress).map_err(Error::input)?;
            let _writing = progress.interrupt.writing();
            made.as_mut().map_or(Ok(()), |made| made.enlist(out, path)).map_err(Error::failed)?;
            write(out, &[rsm], false, None, Some(concepts), request).map_err(Error::failed)?;
            continue;
        }
        let features = features.map_or_else(|| Features::open(path, &request.layout).map_err(Error::input), Ok)?;
        let groups = 0..features.groups;
        let rsms = groups.map(|group| features.rsm(group, progress, &task)).collect::<Result<Vec<_>, _>>()?;
        let _writing = progress.interrupt.writing();
        made.as_mut().map_or(Ok(()), |made| made.enlist(out, path)).map_err(Error::failed)?;
        let concepts = features.concept_names().cloned();
        write(out, &rsms, features.grouped, Some(features.group_names), concepts, request).map_err(Error::failed)?;
    }
    if let Some((path, concepts)) = list {
        write_lines(&path, concepts).map_err(Error::failed)?;
    }
    Ok(outs)
}

/// Correlates the features of every file, which are the groups of one file: subjects with voxels of their own.
fn groups(request: &SimilarityRequest, progress: &Progress) -> Result<Vec<PathBuf>, Error> {
    let out = &request.out;
    check_outs(std::slice::from_ref(out), request)?;
    if RsmFile::of(out).map_err(Error::input)? == RsmFile::Csv {
        return Err(Error::input(HalvesError::OneMatrix { out: out.clone(), groups: request.features.len() }));
    }
    say_doubts_of_manifest(request, progress);
    let called: Vec<String> = file_names(&request.features).iter().map(|name| name.to_string_lossy().into()).collect();
    if let Some(name) = names::twice(&called) {
        let (first, second) = (request.features[0].clone(), name.clone().into());
        return Err(Error::input(HalvesError::SameOut { first, second, out: out.clone() }));
    }
    // The concepts of the files so far, the lists of names that they share, and the one that names them or else the first.
    let mut concepts: Option<(usize, Vec<Vec<String>>, &PathBuf)> = None;
    let mut work = 0;
    for path in &request.features {
        let features = opened(path, request, progress)?;
        let mut own = (features.concepts, features.concept_lists.clone(), path);
        let (named, all) = (!own.1.is_empty(), concepts.take());
        let mut shared = own.1.clone();
        if let Some((_, lists, _)) = all.as_ref().filter(|(_, lists, _)| named && !lists.is_empty()) {
            shared.retain(|list| lists.contains(list));
        }
        let others = all.as_ref().filter(|all| all.0 != own.0 || named && shared.is_empty());
        if let (Some(first), _) | (_, Some(first)) = (others.map(|all| all.2), features.grouped.then_some(path)) {
            let (path, first, grouped) = (path.clone(), first.clone(), features.grouped);
            return Err(Error::input(HalvesError::NoGroup { path, first, grouped, out: out.clone() }));
        }
        if let Some((_, lists, other)) = all.as_ref().filter(|(_, lists, _)| lists.is_empty() == named) {
            let (with, lists, without) = if named { (path, &own.1, *other) } else { (*other, lists, path) };
            check_places(with, lists, without).map_err(Error::input)?;
            progress.line(format!("warning: {}", order_taken(without, with.display())));
        }
        own.1 = shared;
        work += features.work();
        // Of two that name them the first, by what they share.
        concepts = Some(match all {
            Some((count, lists, first)) if !lists.is_empty() && named => (count, own.1, first),
            Some(all) if !named => all,
            _ => own,
        });
    }
    let task = begin(request, work, progress)?;
    let mut rsms = Vec::new();
    for path in &request.features {
        task.now(path.display().to_string());
        rsms.push(Features::open(path, &request.layout).map_err(Error::input)?.rsm(0, progress, &task)?);
    }
    let _writing = progress.interrupt.writing();
    let names = concepts.and_then(|(_, lists, _)| lists.into_iter().next());
    write(out, &rsms, true, Some(called), names, request).map_err(Error::failed)?;
    Ok(vec![out.clone()])
}

fn say_doubts_of_manifest(request: &SimilarityRequest, progress: &Progress) {
    for doubt in request.layout.manifest.as_ref().map(|manifest| manifest.doubts()).unwrap_or_default() {
        progress.line(format!("warning: {doubt}"));
    }
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
    doubts
        .into_iter()
        .flatten()
        .chain(features.doubt_of_units())
        .for_each(|doubt| progress.line(format!("warning: {doubt}")));
    Ok(features)
}

/// Nothing is written over what is read, and no list of names but that of a matrix that is written anew.
fn check_outs(outs: &[PathBuf], request: &SimilarityRequest) -> Result<(), Error> {
    let written: Vec<PathBuf> = outs.iter().flat_map(|out| [out.clone(), names::list_of(out)]).collect();
    let read: Vec<&Path> = request.features.iter().chain(&request.lists).map(PathBuf::as_path).collect();
    check_files(&written, &read)?;
    let own = |out: &&PathBuf| !out.exists() && !has_names(out) && names::list_of(out).exists();
    match outs.iter().find(own) {
        Some(out) => Err(Error::input(HalvesError::OwnList { list: names::list_of(out), out: out.clone() })),
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
    match concepts.filter(|_| request.layout.manifest.is_none() || are_groups(request)) {
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

/// Whether --out is one file for several.
fn are_groups(request: &SimilarityRequest) -> bool {
    request.features.len() > 1 && !request.out.is_dir() && RsmFile::of(&request.out).is_ok()
}

/// Whether --out is a directory of matrices.
fn is_directory(request: &SimilarityRequest) -> bool {
    request.features.len() != 1 || request.out.is_dir()
}

/// What files are called, or, where they share a name, their folders.
fn file_names(files: &[PathBuf]) -> Vec<OsString> {
    let stems: BTreeSet<_> = files.iter().map(|path| path.file_stem()).collect();
    let name = |path: &PathBuf| match stems.len() == files.len() {
        true => path.file_stem().map(OsStr::to_owned),
        false => path.parent().and_then(Path::file_name).or(path.file_stem()).map(OsStr::to_owned),
    };
    files.iter().map(|path| name(path).unwrap_or_default()).collect()
}

/// Where each file's RSMs go: --out, or in a directory `.npy` files called as the features' files are, or, where those
/// share their name, as their folders.
fn outs(request: &SimilarityRequest) -> Result<Vec<PathBuf>, HalvesError> {
    if !is_directory(request) {
        RsmFile::of(&request.out)?;
        return Ok(vec![request.out.clone()]);
    }
    let mut taken: BTreeMap<PathBuf, &PathBuf> = BTreeMap::new();
    let mut outs = Vec::new();
    for (path, mut file) in request.features.iter().zip(file_names(&request.features)) {
        file.push(".npy");
        let out = request.out.join(file);
        if let Some(first) = taken.insert(out.clone(), path) {
            return Err(HalvesError::SameOut { first: first.clone(), second: path.clone(), out });
        }
        outs.push(out);
    }
    Ok(outs)
}
