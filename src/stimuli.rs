//! The stimuli: a manifest of images, dealt into groups, and their way to the device.

mod error;
mod gallery;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::error::FileError;
use crate::files;
use crate::imagenet::CLASSES;
use crate::images::{self, Framing};
use crate::names::{distinct, is_name};
use crate::nets::Input;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;
use crate::wording::counted;

pub use error::StimuliError;
pub use gallery::{Gallery, Shown};

/// Name of the layer that is the input image itself.
pub const PIXELS: &str = "pixels";
/// Its label in figures.
pub const PIXELS_LABEL: &str = "PIX";

/// The images of an experiment: each concept has one image in each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// In order of first appearance.
    pub concepts: Vec<String>,
    /// Group names, in order of first appearance.
    pub groups: Vec<String>,
    /// One category per concept, where the manifest has the column: the strata of the stricter null.
    pub categories: Option<Vec<String>>,
    /// `[groups][concepts]`.
    pub stimuli: Vec<Vec<Stimulus>>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stimulus {
    /// Resolved against the manifest's folder.
    pub path: PathBuf,
    /// Its ILSVRC class, 0 to 999, where given.
    pub class_index: Option<u32>,
}

impl Stimulus {
    /// Its path as the manifest in the folder `root` has it.
    pub fn listed(&self, root: &Path) -> String {
        self.path.strip_prefix(root).unwrap_or(&self.path).display().to_string()
    }
}

impl Manifest {
    /// Reads a CSV with the columns `path,concept,group[,class_index][,category]` in any order; others are ignored.
    /// Paths are relative to the CSV. The images are not opened: see [`images::check`].
    ///
    /// # Errors
    /// [`StimuliError`] names the file, the line, the concept and the group: not one image per concept and group,
    /// fewer than five concepts, a bad class index, two categories for one concept.
    pub fn read(path: &Path) -> Result<Self, StimuliError> {
        let rows = read_rows(path)?;
        let concepts: Vec<String> = distinct(rows.iter().map(|row| &row.concept)).into_iter().cloned().collect();
        let groups: Vec<String> = distinct(rows.iter().map(|row| &row.group)).into_iter().cloned().collect();
        if concepts.len() < FEWEST_CONCEPTS {
            return Err(StimuliError::Few { path: path.into(), concepts: concepts.len() });
        }
        let places = deal(path, &rows, &concepts, &groups)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let stimulus = |row: &Row| Stimulus { path: resolved(folder, &row.path), class_index: row.class_index };
        let stimuli = places.iter().map(|group| group.iter().map(|&row| stimulus(&rows[row])).collect()).collect();
        let categories = categories(path, &rows, &concepts)?;
        Ok(Self { concepts, groups, categories, stimuli })
    }

    /// Doubts about which image is whose: one file for several concepts, a group that has the files of another.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let mut first: HashMap<&Path, (&String, &String)> = HashMap::new();
        let mut shared = 0;
        for (group, stimuli) in self.groups.iter().zip(&self.stimuli) {
            for (concept, stimulus) in self.concepts.iter().zip(stimuli) {
                let (other, other_group) = *first.entry(&stimulus.path).or_insert((concept, group));
                if other != concept {
                    shared += 1;
                    if shared == 1 {
                        doubts.push(format!(
                            "{}: stands for the concept {other:?} (group {other_group}) and for {concept:?} (group {group})",
                            stimulus.path.display()
                        ));
                    }
                }
            }
        }
        if shared > 1 {
            doubts.push(format!("{} for two concepts", counted(shared - 1, "more image")));
        }
        for (n, group) in self.groups.iter().enumerate() {
            if let Some(copied) = (0..n).find(|&earlier| self.stimuli[earlier] == self.stimuli[n]) {
                let first = &self.groups[copied];
                doubts.push(format!("group {group} has the images of group {first}: it counts the same twice"));
            }
        }
        doubts
    }

    /// Images that are one by their checksums, group by group, under several names.
    pub fn doubt_of_copies(&self, sums: &[String]) -> Option<String> {
        let stimuli: Vec<&Stimulus> = self.stimuli.iter().flatten().collect();
        let mut first: HashMap<&str, &Path> = HashMap::new();
        let mut copies = stimuli.iter().zip(sums).filter_map(|(stimulus, sum)| {
            let other = *first.entry(sum).or_insert(&stimulus.path);
            (other != stimulus.path).then_some((other, &stimulus.path))
        });
        let (other, copy) = copies.next()?;
        let more = copies.count();
        let more = if more > 0 { format!("; {more} more are copies too") } else { String::new() };
        Some(format!("{}: the same image as {}, by its SHA-256{more}", copy.display(), other.display()))
    }

    /// Class indices that do not agree: several of one concept, or, of so many `classes`, others than those that are called,
    /// by their `names`, what the concepts are.
    pub fn doubts_of_classes<'a>(&self, classes: u32, names: impl Fn(u32) -> &'a [String]) -> Vec<String> {
        let form = |name: &String| name.replace(['_', '-'], " ").to_lowercase();
        let called = |class: u32| names(class).iter().map(move |name| (form(name), class));
        let known: HashMap<String, u32> = (0..classes).rev().flat_map(called).collect();
        let mut doubts = Vec::new();
        let (mut fit, mut others) = (0, Vec::new());
        for (n, concept) in self.concepts.iter().enumerate() {
            let mut indices = self.stimuli.iter().filter_map(|group| group[n].class_index);
            let Some(class) = indices.next() else { continue };
            if let Some(other) = indices.find(|&other| other != class)
                && doubts.is_empty()
            {
                doubts.push(format!(
                    "the concept {concept:?} has the class_index {class} and {other}: one class is meant"
                ));
            }
            match known.get(&form(concept)) {
                _ if class < classes && names(class).iter().any(|name| form(name) == form(concept)) => fit += 1,
                Some(&called) => others.push((concept, class, called)),
                None => {}
            }
        }
        if let Some((concept, class, called)) = others.first().filter(|_| others.len() > fit) {
            let from_1 = others.iter().all(|(_, class, called)| *class == called + 1);
            doubts.push(format!(
                "class_index: {} concepts are called what another class than theirs is, {fit} what theirs is: {concept:?} is \
                 class {called}, here {class}{}",
                others.len(),
                if from_1 { "; indices count from 0, subtract 1 from these" } else { "" }
            ));
        }
        doubts
    }

    /// Starts to decode the images of `groups` in background threads, group by group in the order of the concepts.
    ///
    /// At most `ahead` images wait decoded, and one more in each thread, `3 * framing.size^2` bytes each; a whole group is
    /// a good choice. With `sums`, every image's checksum group by group, one that is another by now is an error. See
    /// [`Loader`]. As many threads as the CPU's pool has.
    ///
    /// # Errors
    /// [`StimuliError::Thread`]
    pub fn load(
        &self,
        groups: &[usize],
        sums: Option<&[String]>,
        framing: Framing,
        ahead: usize,
    ) -> Result<Loader, StimuliError> {
        let places: Vec<usize> = groups.iter().flat_map(|&group| self.places(group)).collect();
        self.load_places(&places, sums, framing, ahead)
    }

    /// The same of single images, by their places group by group.
    ///
    /// # Errors
    /// [`StimuliError::Thread`]
    pub fn load_places(
        &self,
        places: &[usize],
        sums: Option<&[String]>,
        framing: Framing,
        ahead: usize,
    ) -> Result<Loader, StimuliError> {
        let job = |&place: &usize| {
            let (group, concept) = (place / self.concepts.len(), place % self.concepts.len());
            Job {
                path: self.stimuli[group][concept].path.clone(),
                sum: sums.map(|sums| sums[place].clone()),
                concept: self.concepts[concept].clone(),
                group: self.groups[group].clone(),
            }
        };
        Loader::start(places.iter().map(job).collect(), framing, ahead)
    }

    /// The places of a group's images.
    fn places(&self, group: usize) -> std::ops::Range<usize> {
        group * self.concepts.len()..(group + 1) * self.concepts.len()
    }
}

/// A path of the manifest; one that was written on Windows is also found elsewhere.
fn resolved(folder: &Path, path: &str) -> PathBuf {
    let as_written = folder.join(path);
    let with_slashes = || folder.join(path.replace('\\', "/"));
    if path.contains('\\') && !as_written.exists() { with_slashes() } else { as_written }
}

/// A line of the manifest.
struct Row {
    line: u64,
    path: String,
    concept: String,
    group: String,
    class_index: Option<u32>,
    category: Option<String>,
}

fn read_rows(path: &Path) -> Result<Vec<Row>, StimuliError> {
    let text = files::read_text(path).map_err(FileError::at(path))?;
    let csv_error = |error| FileError::at(path)(files::csv_error(&error, &text));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&text[..]);
    let header = reader.headers().map_err(csv_error)?.clone();
    let found = || header.iter().collect::<Vec<_>>().join(",");
    let find = |column: &'static str| {
        let mut places = (0..header.len()).filter(|&place| header[place] == *column);
        match (places.next(), places.next()) {
            (Some(_), Some(_)) => Err(StimuliError::ColumnTwice { path: path.into(), column, found: found() }),
            (place, _) => Ok(place),
        }
    };
    let needed = |column| {
        let missing = || StimuliError::Column { path: path.into(), column, found: found() };
        find(column).and_then(|place| place.ok_or_else(missing))
    };
    let (paths, concepts, groups) = (needed("path")?, needed("concept")?, needed("group")?);
    let (class_indices, categories) = (find("class_index")?, find("category")?);

    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        let line = files::line_of(&record, &text);
        let cell = |index: usize, column| match &record[index] {
            "" => Err(StimuliError::Empty { path: path.into(), line, column }),
            cell if column != "path" && !is_name(cell) => {
                Err(StimuliError::Name { path: path.into(), line, column, found: cell.to_string() })
            }
            cell => Ok(cell.to_string()),
        };
        let class_index = match class_indices.map(|index| &record[index]) {
            None | Some("") => None,
            Some(cell) => {
                // Beside empty cells pandas writes whole numbers as 3.0.
                let parsed = cell
                    .strip_suffix(".0")
                    .unwrap_or(cell)
                    .parse()
                    .ok()
                    .filter(|&class: &u32| (class as usize) < CLASSES);
                let error = || StimuliError::ClassIndex { path: path.into(), line, found: cell.to_string() };
                Some(parsed.ok_or_else(error)?)
            }
        };
        rows.push(Row {
            line,
            path: cell(paths, "path")?,
            concept: cell(concepts, "concept")?,
            group: cell(groups, "group")?,
            class_index,
            category: categories.map(|index| cell(index, "category")).transpose()?,
        });
    }
    Ok(rows)
}

/// The row of each concept in each group: `[groups][concepts]`.
fn deal(path: &Path, rows: &[Row], concepts: &[String], groups: &[String]) -> Result<Vec<Vec<usize>>, StimuliError> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        if let Some(first) = places.insert((&row.group, &row.concept), index) {
            return Err(StimuliError::Duplicate {
                path: path.into(),
                line: row.line,
                first: rows[first].line,
                concept: row.concept.clone(),
                group: row.group.clone(),
            });
        }
    }
    // Every place has one row at most: the first that has none is near, however many there are.
    let place = |group: &String, concept: &String| {
        places.get(&(group.as_str(), concept.as_str())).copied().ok_or_else(|| StimuliError::Missing {
            path: path.into(),
            line: rows.iter().find(|row| row.concept == *concept).map_or(0, |row| row.line),
            concept: concept.clone(),
            group: group.clone(),
            more: groups.len() * concepts.len() - rows.len() - 1,
        })
    };
    groups.iter().map(|group| concepts.iter().map(|concept| place(group, concept)).collect()).collect()
}

fn categories(path: &Path, rows: &[Row], concepts: &[String]) -> Result<Option<Vec<String>>, StimuliError> {
    let mut first: HashMap<&str, (&Row, &String)> = HashMap::new();
    for row in rows {
        let Some(category) = &row.category else { return Ok(None) };
        let (earlier, known) = first.entry(&row.concept).or_insert((row, category));
        if *known != category {
            return Err(StimuliError::Category {
                path: path.into(),
                line: row.line,
                concept: row.concept.clone(),
                found: category.clone(),
                first: earlier.line,
                expected: known.to_string(),
            });
        }
    }
    Ok(Some(concepts.iter().map(|concept| first[concept.as_str()].1.clone()).collect()))
}

/// An image to decode, and what to name in its error.
struct Job {
    path: PathBuf,
    sum: Option<String>,
    concept: String,
    group: String,
}

/// Decodes images ahead of the device: an iterator over their RGB bytes, `[size, size, 3]` each, in order.
///
/// Each of the worker threads decodes every n-th image into a bounded queue of its own, so the order needs no sorting
/// and a slow device holds them up. Dropping the iterator ends them; the drop waits for the images under way.
///
/// # Errors
/// An item is an error that names file, concept and group where an image cannot be used; later items still follow.
pub struct Loader {
    queues: Vec<Receiver<Result<Vec<u8>, StimuliError>>>,
    workers: Vec<JoinHandle<()>>,
    jobs: Arc<Vec<Job>>,
    next: usize,
}

impl Loader {
    fn start(jobs: Vec<Job>, framing: Framing, ahead: usize) -> Result<Self, StimuliError> {
        let threads = rayon::current_num_threads().min(jobs.len());
        let jobs = Arc::new(jobs);
        let worker = |first: usize| {
            let (sender, queue) = sync_channel(ahead / threads);
            let jobs = Arc::clone(&jobs);
            let decode = move || {
                for job in jobs.iter().skip(first).step_by(threads) {
                    if sender.send(job.decode(framing)).is_err() {
                        return;
                    }
                }
            };
            let worker = thread::Builder::new().spawn(decode).map_err(StimuliError::Thread)?;
            Ok::<_, StimuliError>((queue, worker))
        };
        let started = (0..threads).map(worker).collect::<Result<Vec<_>, _>>()?;
        let (queues, workers) = started.into_iter().unzip();
        Ok(Self { queues, workers, jobs, next: 0 })
    }
}

impl Job {
    fn decode(&self, framing: Framing) -> Result<Vec<u8>, StimuliError> {
        images::load_unchanged(&self.path, self.sum.as_deref(), framing).map_err(|source| {
            let (concept, group) = (self.concept.clone(), self.group.clone());
            StimuliError::Image { concept, group, source: Box::new(source) }
        })
    }
}

impl Iterator for Loader {
    type Item = Result<Vec<u8>, StimuliError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.jobs.len() {
            return None;
        }
        let queue = &self.queues[self.next % self.queues.len()];
        self.next += 1;
        Some(queue.recv().expect("a worker sends one result per image"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.jobs.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Loader {}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queues.clear();
        for worker in self.workers.drain(..) {
            // A worker cannot panic; were it to, its images would have been missed in `next`.
            let _ = worker.join();
        }
    }
}

/// The network input of a batch of RGB images: `[images, 3, size, size]`, preprocessed.
pub fn batch(rgb: &[Vec<u8>], input: &Input, device: &Device) -> Tensor<4> {
    let values = rgb.par_iter().flat_map_iter(|image| input.preprocess.apply(image, input.size)).collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [rgb.len(), 3, input.size, input.size]), device)
}

#[cfg(test)]
mod tests;
