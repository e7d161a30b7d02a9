//! What has one name in two runs and is not one thing, and p-values that do not mean the same.

use std::collections::BTreeMap;

use crate::nets::Input;
use crate::record::{Command, RunRecord};

/// Word models of another file than in the first run that has their name, networks whose images arrive otherwise, and tests of
/// another tail than the first run's; only `words`, or all where there are none.
pub fn doubts(runs: &[(&str, RunRecord)], words: &[String]) -> Vec<String> {
    let mut said = Vec::new();
    for (n, (name, record)) in runs.iter().enumerate() {
        for (model, sum) in sums(record).into_iter().filter(|(model, _)| words.is_empty() || words.contains(model)) {
            // Of a matrix and of vectors the files are others in any case.
            let is_run = record.run().is_some();
            let known = |(_, first): &&(&str, RunRecord)| first.run().is_some() == is_run;
            let first = runs[..n].iter().filter(known).find_map(|(first, r)| Some((first, sums(r).remove(&model)?)));
            if let Some((first, _)) = first.filter(|(_, of_first)| *of_first != sum) {
                said.push(format!("{model} is another file in {name} than in {first}, by its SHA-256 in run.json"));
            }
        }
        let (first, tail) = (&runs[0].0, runs[0].1.inference().tail);
        if record.inference().tail != tail {
            said.push(format!(
                "p-values of {name} are {}, those of {first} {}: filled marks do not mean the same",
                record.inference().tail.said(),
                tail.said()
            ));
        }
        let Some(network) = record.run().map(|run| &run.network) else { continue };
        let first = runs[..n].iter().find_map(|(first, record)| {
            let run = record.run().filter(|run| run.network.name == network.name)?;
            Some((first, &run.network.input))
        });
        if let Some((first, input)) = first
            && let Some(differences) = differences(&network.input, input)
        {
            said.push(format!("images reach {} differently in {name} than in {first}: {differences}", network.name));
        }
    }
    said
}

/// The checksum of every word model's file.
fn sums(record: &RunRecord) -> BTreeMap<String, String> {
    match &record.command {
        Command::Test(test) => test.checksums.words.clone(),
        Command::Run(run) => {
            let names = run.words.iter().map(|words| words.name.clone());
            names.zip(run.checksums.words.iter().cloned()).collect()
        }
    }
}

/// In what two inputs are not the same, in words.
fn differences(here: &Input, there: &Input) -> Option<String> {
    let cropped = |input: &Input| if input.resize.crops() { format!(" {}", input.crop_pct) } else { String::new() };
    let parts = |input: &Input| {
        [
            ("values", input.preprocess.name()),
            ("resize", format!("{}{}", input.resize, cropped(input))),
            ("size", input.size.to_string()),
        ]
    };
    let both = parts(here).into_iter().zip(parts(there)).filter(|(here, there)| here != there);
    let said: Vec<String> = both.map(|((key, here), (_, there))| format!("{key} {here}, not {there}")).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::written;
    use crate::results::ResultsDir;
    use crate::stats::inference::Tail;

    #[test]
    fn what_has_one_name_and_is_not_one_thing_is_said() {
        let of = |sum: &str, preprocess: &str| {
            let folder = tempfile::tempdir().unwrap();
            let directory = ResultsDir::new(folder.path());
            written(&directory, |record| {
                record["checksums"]["words"][0] = sum.into();
                record["network"]["input"]["preprocess"] = preprocess.into();
            });
            RunRecord::read(&directory).unwrap().unwrap()
        };
        let runs = [("a", of("0", "caffe")), ("b", of("1", "caffe")), ("c", of("0", "torch"))];
        let expected = [
            "a/b is another file in b than in a, by its SHA-256 in run.json",
            "images reach vgg16 differently in c than in a: values imagenet, not caffe",
        ];
        assert_eq!(doubts(&runs, &[]), expected);
        assert_eq!(doubts(&runs, &["other".to_string()]), expected[1..]);
        assert!(doubts(&runs[..1], &[]).is_empty());
        let mut lower = of("0", "caffe");
        if let Command::Run(run) = &mut lower.command {
            run.config.inference.tail = Tail::Lower;
        }
        let said = doubts(&[("a", of("0", "caffe")), ("d", lower)], &[]);
        assert_eq!(
            said,
            ["p-values of d are of low values, those of a of high values: filled marks do not mean the same"]
        );
    }
}
