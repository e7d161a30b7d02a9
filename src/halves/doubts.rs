//! What the user should know of a test before it starts.

use super::reading::Inputs;
use crate::config::{TestRequest, doubt_of_neighbours, doubt_of_tail};
use crate::evaluation::alignment::WordSpace;
use crate::evaluation::controls::Controls;
use crate::evaluation::{Space, Words};
use crate::fonts;
use crate::matrices::{Entries, Read, Reading, Side};
use crate::stats::alignment::Measure;
use crate::stats::scoring::Ties;

/// What the user should know before the test.
pub(super) fn warnings(
    request: &TestRequest,
    inputs: &Inputs,
    categories: Option<&[String]>,
    in_full: bool,
    controls: &Controls,
) -> Vec<String> {
    let of_request = [
        request.options.doubt(categories),
        request.options.doubt_of_p(categories),
        request.options.doubt_of_intervals(),
        request.inference.doubt(inputs.space.groups.len()),
        doubt_of_neighbours(&request.measures, request.neighbours),
        doubt_of_tail(&request.measures, request.inference.tail),
        not_done(request, &inputs.words, &inputs.word_spaces).filter(|_| !in_full),
        fonts::doubt(names(request, inputs, categories)),
    ];
    let doubts = inputs.doubts.iter().cloned().chain(of_request.into_iter().flatten());
    let doubts = doubts.chain(without_effect(request, &inputs.read)).chain(same_groups(&inputs.space));
    doubts.chain(controls.read.iter().filter_map(|(_, doubt)| doubt.clone())).collect()
}

/// What stands in figures.
fn names<'a>(
    request: &'a TestRequest,
    inputs: &'a Inputs,
    categories: Option<&'a [String]>,
) -> impl Iterator<Item = &'a str> {
    let titles = [&request.network].into_iter().chain(&request.axis).chain(&request.reading.groups_are);
    let sources = request.words.iter().chain(&request.images).chain(request.controls.sources());
    let layers = inputs.space.layers.iter().map(|layer| &layer.label);
    let layers = inputs.words.iter().map(|words| &words.name).chain(layers);
    let names = titles.chain(sources.map(|source| &source.name)).chain(layers);
    names.chain(&inputs.space.concepts).chain(categories.into_iter().flatten()).map(String::as_str)
}

/// Two groups that are one and the same in every layer.
fn same_groups(space: &Space) -> Option<String> {
    let same = |a: usize, b: usize| {
        space.layers.iter().all(|layer| {
            let (a, b) = (layer.rsms[a].values(), layer.rsms[b].values());
            a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
        })
    };
    let mut pairs = (0..space.groups.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let (a, b) = pairs.find(|&(a, b)| same(a, b))?;
    Some(format!(
        "groups {} and {} have the same matrix in every layer: was a file given twice? They are no two samples",
        space.groups[a], space.groups[b]
    ))
}

/// A word model of one matrix.
pub(super) fn is_single(space: &WordSpace) -> bool {
    space.layers.len() == 1 && space.layers[0].rsms.len() == 1
}

/// What goes with the 2 vs. 2 test in full alone, of what is asked for.
fn not_done(request: &TestRequest, words: &[Words], spaces: &[WordSpace]) -> Option<String> {
    let TestRequest { controls, rsa, inference, .. } = request;
    let of_words = controls.partition.iter().filter(|space| words.iter().any(|model| model.name == space.name));
    let mut asked: Vec<String> = of_words.map(|space| format!("--partition {}", space.name)).collect();
    asked.extend((!controls.given.is_empty()).then(|| "--given".to_string()));
    asked.extend((!rsa.is_empty()).then(|| "--rsa".to_string()));
    asked.extend(inference.generalise.map(|over| format!("--generalise {over}")));
    let remedy = match spaces.iter().find(|space| !is_single(space)) {
        None => "ask for --measure 2v2 as well".to_string(),
        Some(space) => {
            format!("{} has layers or groups: test words of one matrix each, with --measure 2v2 as well", space.name)
        }
    };
    let asked = asked.join(", ");
    (!asked.is_empty()).then(|| {
        format!("{asked}: not done: it goes with the 2 vs. 2 test of word models, not with other measures; {remedy}")
    })
}

/// Options that change nothing, each with why.
fn without_effect(request: &TestRequest, read: &[Read]) -> Vec<String> {
    let TestRequest { words, images, controls, measures, options, .. } = request;
    let features = |side: Side| request.features.is_some_and(|features| features.hold(side));
    let sides = [Side::Words, Side::Images];
    let vectors: Vec<&Read> = read.iter().filter(|read| read.form == "vectors").collect();
    let mut doubts = Vec::new();
    if let Some(kernels) = request.kernels {
        if !measures.iter().any(|measure| measure.needs_gram()) {
            doubts.push(
                "--kernels: no effect: none of cka, cka-debiased, cka-rbf, mknn and cknna is among the measures".into(),
            );
        } else if let Some(side) = sides.into_iter().find(|&side| kernels.hold(side) && features(side)) {
            doubts.push(format!("--kernels: no effect on the {}, which are features (--features)", side.name()));
        } else if let Some(vectors) = vectors.first().filter(|_| kernels.hold(Side::Words)) {
            doubts.push(format!("--kernels: no effect on {}, which are word vectors", vectors.path.display()));
        }
    }
    if options.ties != Ties::default() && !measures.is_empty() && !measures.contains(&Measure::TwoVsTwo) {
        doubts.push("--ties: no effect: 2v2 is not among the measures".into());
    }
    // A file that is controlled for is a matrix, read as the images' are.
    let has_matrices = |side: Side| {
        let controls = side == Side::Images && controls.sources().next().is_some();
        controls || read.iter().any(|read| read.side == side && read.is_matrix())
    };
    let Reading { entries, of_words, of_images, .. } = &request.reading;
    for (entries, of, who) in [
        (entries, &sides[..], "words and images"),
        (of_words, &[Side::Words], "words"),
        (of_images, &[Side::Images], "images"),
    ] {
        let Some(entries) = entries.filter(|_| !of.iter().any(|&side| has_matrices(side))) else { continue };
        let option = if entries == Entries::Distances { "--distances" } else { "--similarities" };
        doubts.push(format!("{option}: no effect: the {who} are features or word vectors, not matrices"));
    }
    doubts.extend(read.iter().find(|read| read.zero_diagonal).map(|read| {
        format!(
            "--similarities: {} has a diagonal of 0, as distances have, and is read as correlations; if it holds distances, leave \
             it out, or say --similarities {} alone",
            read.path.display(),
            if read.side == Side::Images { Side::Words } else { Side::Images }.name()
        )
    }));
    if let Some(groups_are) = &request.reading.groups_are
        && read.iter().all(|read| read.matrices == 1)
    {
        doubts.push(format!(
            "--groups-are {groups_are}: no effect: every layer has one matrix; files of several become groups of one layer by \
             `semgpu similarity FILE FILE … --out ALL.npy`"
        ));
    }
    let sources = words.iter().chain(images).chain(controls.sources()).map(|source| source.path.as_path());
    let arrays = sources.filter(|path| !vectors.iter().any(|vectors| vectors.path == *path));
    doubts.extend(request.reading.told.doubt(arrays));
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_entries_where_no_file_has_any_is_told() {
        let mut request = TestRequest::new(Vec::new(), Vec::new(), None);
        request.reading.entries = Some(Entries::Distances);
        let said = |request: &TestRequest, form: &str, entries: Entries| {
            let read = Read {
                side: Side::Images,
                name: "a".into(),
                path: "a.npy".into(),
                shape: vec![8, 8],
                form: form.into(),
                entries,
                zero_diagonal: false,
                matrices: 1,
                concepts: 8,
                groups: None,
                names: None,
                order: None,
            };
            without_effect(request, &[read]).join("\n")
        };
        for form in ["square", "condensed"] {
            assert_eq!(said(&request, form, Entries::Distances), "");
        }
        for form in ["vectors", "features"] {
            let without = said(&request, form, Entries::Similarities);
            assert_eq!(
                without,
                "--distances: no effect: the words and images are features or word vectors, not matrices"
            );
        }
        let of_words = TestRequest {
            reading: Reading { of_words: Some(Entries::Distances), ..Reading::default() },
            ..request.clone()
        };
        let without = said(&of_words, "square", Entries::Similarities);
        assert_eq!(without, "--distances: no effect: the words are features or word vectors, not matrices");
        request.reading.entries = Some(Entries::Similarities);
        assert_eq!(said(&request, "square", Entries::Similarities), "");
    }
}
