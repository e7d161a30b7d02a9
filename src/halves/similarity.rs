//! Features to RSMs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::HalvesError;
use crate::arrays::{RsmFile, RsmsOut, write_rsms};
use crate::device::{self, Choice};
use crate::error::Error;
use crate::features::{Features, Layout};
use crate::progress::Progress;
use crate::results::{CONCEPTS, lines, write_lines};

/// What `semgpu similarity` is asked for.
pub struct SimilarityRequest {
    /// Files of vectors.
    pub features: Vec<PathBuf>,
    /// How to understand them.
    pub layout: Layout,
    /// A file, or for several files a directory.
    pub out: PathBuf,
    /// Distances 1 - r instead of correlations.
    pub distances: bool,
    /// Where it runs.
    pub device: Choice,
}

/// Correlates the features of every file; returns the files written.
///
/// # Errors
/// [`Error::Input`] for anything wrong with the files, before any is written if it shows without reading the values.
pub fn similarity(request: &SimilarityRequest, progress: &Progress) -> Result<Vec<PathBuf>, Error> {
    let outs = outs(request).map_err(Error::input)?;
    let manifest = request.layout.manifest.as_ref();
    let list = manifest.zip(outs.first()).map(|(manifest, out)| (out.with_file_name(CONCEPTS), &manifest.concepts));
    if let Some((path, concepts)) = &list {
        check_list(path, concepts).map_err(Error::input)?;
    }
    let open = |path: &Path| Features::open(path, &request.layout).map_err(Error::input);
    let (mut work, mut only) = (0, None);
    for (path, out) in request.features.iter().zip(&outs) {
        let features = open(path)?;
        progress.line(features.describe());
        if let Some(doubt) = features.doubt() {
            progress.line(format!("warning: {doubt}"));
        }
        if features.grouped && RsmFile::of(out).map_err(Error::input)? == RsmFile::Csv {
            return Err(Error::input(HalvesError::OneMatrix { out: out.clone(), groups: features.groups }));
        }
        work += features.work();
        // Of several files each is opened again when its turn comes: what an archive unpacks is held for one at a time.
        only = (outs.len() == 1).then_some(features);
    }
    let device = device::select(request.device).map_err(Error::input)?;
    progress.line(device.line());
    let task = progress.task(work);
    for (path, out) in request.features.iter().zip(&outs) {
        task.now(path.display().to_string());
        let features = only.take().map_or_else(|| open(path), Ok)?;
        let groups = 0..features.groups;
        let rsms = groups.map(|group| features.rsm(group, &device, progress, &task)).collect::<Result<Vec<_>, _>>()?;
        let file = RsmsOut {
            rsms: rsms.iter().collect(),
            grouped: features.grouped,
            labels: vec![("group", features.group_names)],
            concepts: manifest.map(|manifest| manifest.concepts.as_slice()),
            distances: request.distances,
        };
        write_rsms(out, &file).map_err(Error::failed)?;
    }
    if let Some((path, concepts)) = list {
        write_lines(&path, concepts).map_err(Error::failed)?;
    }
    Ok(outs)
}

/// A list of other concepts stays: the matrices beside it are in its order.
fn check_list(path: &Path, concepts: &[String]) -> Result<(), HalvesError> {
    let found = lines(path)?;
    if found.is_empty() || found == concepts {
        return Ok(());
    }
    Err(HalvesError::OtherConcepts { path: path.into(), found: found.len(), expected: concepts.len() })
}

/// Where each file's RSMs go: --out, or in a directory `.npy` files called as the features' files are, or, where those
/// share their name, as their folders.
fn outs(request: &SimilarityRequest) -> Result<Vec<PathBuf>, HalvesError> {
    if let ([_], false) = (&request.features[..], request.out.is_dir()) {
        RsmFile::of(&request.out)?;
        return Ok(vec![request.out.clone()]);
    }
    let stems: BTreeSet<_> = request.features.iter().map(|path| path.file_stem()).collect();
    let name = |path: &Path| match stems.len() == request.features.len() {
        true => path.file_stem().map(|name| name.to_owned()),
        false => path.parent().and_then(Path::file_name).map(|name| name.to_owned()),
    };
    let mut taken: BTreeMap<PathBuf, &PathBuf> = BTreeMap::new();
    let mut outs = Vec::new();
    for path in &request.features {
        let mut file = name(path).unwrap_or_default();
        file.push(".npy");
        let out = request.out.join(file);
        if let Some(first) = taken.insert(out.clone(), path) {
            return Err(HalvesError::SameOut { first: first.clone(), second: path.clone(), out });
        }
        outs.push(out);
    }
    Ok(outs)
}
