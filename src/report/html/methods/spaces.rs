//! What `semgpu test` compared: matrices that were read, or vectors that it correlated itself.

use super::{Settings, checksum, distinct, paper};
use crate::matrices::{Entries, Read, Side};
use crate::record::Test;
use crate::wording::{counted, grouped, listed};

impl Settings<'_> {
    /// Where the vectors of words are from.
    pub(super) fn word_files(&self, test: &Test) -> String {
        let vectors = vectors(test, Side::Words);
        let of_file = |reads: &[&Read]| {
            let read = reads[0];
            let names: Vec<&str> = reads.iter().map(|read| read.name.as_str()).collect();
            let sum = checksum(test.checksums.words.get(&read.name));
            let paper = paper(&read.path, &read.name);
            format!("{} ({paper}{} per word; {}{sum})", listed(&names), counted(units(read), "value"), file(read))
        };
        let named: Vec<String> =
            vectors.chunk_by(|a, b| (&a.path, units(a)) == (&b.path, units(b))).map(of_file).collect();
        if named.is_empty() { String::new() } else { format!("Every concept had a vector in {}.", listed(&named)) }
    }

    /// Where the vectors of layers are from.
    pub(super) fn layer_files(&self, test: &Test) -> String {
        let vectors = vectors(test, Side::Images);
        if vectors.is_empty() {
            return String::new();
        }
        let named = |read: &&Read| format!("{} ({})", read.name, counted(units(read), "unit"));
        format!(
            "Vectors of {} were computed beforehand and read from files: {}.",
            self.layers_said(vectors.len()),
            listed(&vectors.iter().map(named).collect::<Vec<_>>())
        )
    }

    /// Which matrices were read, and which were made of vectors, and how.
    pub(super) fn matrices(&self, test: &Test) -> String {
        let [words, images] = [Side::Words, Side::Images].map(|side| !vectors(test, side).is_empty());
        let made = self.correlated(words, images);
        format!("{} {made}", self.read_matrices(test)).trim().to_string()
    }

    fn read_matrices(&self, test: &Test) -> String {
        let of = |side| -> Vec<&str> { matrices(test, side).iter().map(|read| read.name.as_str()).collect() };
        let (mut words, mut layers) = (of(Side::Words), of(Side::Images));
        // Older records do not say what was read.
        if test.read.is_empty() {
            words = distinct(self.results.accuracy.iter().map(|row| row.words.as_str()));
            layers = self.layers().iter().map(|(layer, _)| *layer).collect();
        }
        let mut sides = Vec::new();
        if !layers.is_empty() {
            sides.push(format!("{} ({})", self.layers_said(layers.len()), listed(&layers)));
        }
        if !words.is_empty() {
            let what = if self.has_word_layers() { "layer" } else { "word model" };
            sides.push(format!("{} ({})", counted(words.len(), what), listed(&words)));
        }
        if sides.is_empty() {
            return String::new();
        }
        let distances = test.read.iter().any(|read| read.is_matrix() && read.entries == Entries::Distances);
        let distances = if distances { " Of distances d, 1 − d is the correlation." } else { "" };
        format!(
            "Similarity matrices of {} were computed beforehand and read from files.{distances}",
            sides.join(" and of ")
        )
    }

    pub(super) fn has_word_layers(&self) -> bool {
        self.results.measures.iter().any(|row| !row.words_layer.is_empty())
    }

    /// How the vectors of either side became matrices.
    fn correlated(&self, words: bool, images: bool) -> String {
        let k = grouped(self.concepts);
        let of_words = if self.has_word_layers() { "layer of the words\u{2019} side" } else { "word model" };
        let made = match (images, words) {
            (false, false) => return String::new(),
            (true, false) => format!(
                "{}, the Pearson correlations of the vectors of the {k} concepts with each other make a {k} × {k} matrix",
                self.per_layer()
            ),
            (true, true) => format!(
                "{}, the Pearson correlations of the vectors of the {k} concepts with each other make a {k} × {k} matrix; for \
                 each {of_words}, those of the {k} word vectors",
                self.per_layer()
            ),
            (false, true) => format!(
                "For each {of_words}, the Pearson correlations of the {k} word vectors with each other make a {k} × {k} matrix"
            ),
        };
        format!("{made}, computed in double precision.")
    }
}

fn of(test: &Test, side: Side, are_matrices: bool) -> Vec<&Read> {
    test.read.iter().filter(|read| read.side == side && read.is_matrix() == are_matrices).collect()
}

fn vectors(test: &Test, side: Side) -> Vec<&Read> {
    of(test, side, false)
}

fn matrices(test: &Test, side: Side) -> Vec<&Read> {
    of(test, side, true)
}

/// Values of a vector.
fn units(read: &Read) -> usize {
    read.shape.last().copied().unwrap_or_default()
}

/// The file's name; arrays of the caller's memory have none.
fn file(read: &Read) -> String {
    if read.path.as_os_str().is_empty() { "an array".to_string() } else { read.path.display().to_string() }
}
