use serde_json::{Value, json};

use super::*;
use crate::record;
use crate::report::curves::tests::rows;
use crate::results::{OneVsTwoRow, ResultsDir};

/// The paragraphs of three layers against two word models, by a record of schema 2 that is changed.
fn told(change: impl FnOnce(&mut Value, &mut Results)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let at = ResultsDir::new(directory.path());
    let labels = ["pixels", "B1C1", "FC1"].map(String::from);
    let mut results = Results { accuracy: rows("vgg16", &labels, &["GloVe", "SkipGram"]), ..Results::default() };
    record::tests::written(&at, |record| {
        (record["schema"], record["command"]) = (2.into(), "run".into());
        record["config"]["two_vs_two"]["ties"] = "lost".into();
        change(record, &mut results);
    });
    let record = RunRecord::read(&at).unwrap();
    paragraphs(&results, record.as_ref()).iter().map(|paragraph| paragraph.text.clone() + "\n").collect()
}

/// As this version writes it.
fn new(record: &mut Value, inference: Value) {
    (record["schema"], record["maximum"]) = (3.into(), "studentised".into());
    record["config"]["inference"] = inference;
}

#[track_caller]
fn says(told: &str, parts: &[(&str, bool)]) {
    for (part, said) in parts {
        assert_eq!(told.contains(part), *said, "{part:?} in {told}");
    }
}

#[test]
fn places_along_an_axis_are_no_layers_of_a_network() {
    let labels = ["V1", "V2"].map(String::from);
    let results = Results { accuracy: rows("brain", &labels, &["GloVe"]), ..Results::default() };
    let directory = tempfile::tempdir().unwrap();
    let at = ResultsDir::new(directory.path());
    record::tests::written(&at, |record| {
        *record = json!({
            "schema": 3, "semgpu": "0.1.0", "command": "test", "maximum": "studentised",
            "config": {
                "words": [], "images": [], "network": "brain", "permutations": 20, "rsa": ["pearson"], "seed": 5,
                "device": "cpu", "out": "out", "groups_are": "subjects", "axis": "Region",
            },
            "understood": [], "device": {"kind": "cpu", "name": "CPU", "why": "asked for", "adapter": null}, "threads": 2,
            "peak_bytes": null, "checksums": {"words": {}, "images": {}}, "seconds": {"total": 2.5},
        });
    });
    let record = RunRecord::read(&at).unwrap().unwrap();
    let told: String = paragraphs(&results, Some(&record)).iter().map(|paragraph| paragraph.text.clone()).collect();
    says(
        &told,
        &[
            ("averaged over the 5 subjects", true),
            ("2 places along \u{201c}Region\u{201d} (", true),
            ("of a network", false),
            ("groups", false),
        ],
    );
}

#[test]
fn the_family_its_maximum_and_the_tail_are_told() {
    let told_new = |inference| told(|record, _| new(record, inference));
    says(
        &told_new(json!({})),
        &[
            ("over the 3 layers, the pixels among them, of a network and word model was controlled", true),
            ("in units of its null\u{2019}s standard deviation", true),
            ("Westfall, P. H.", true),
            ("at least as high as (one-sided)", true),
            ("The choice among the word models is not corrected for.", true),
        ],
    );
    says(
        &told_new(json!({"family": "words", "tail": "two"})),
        &[
            ("over the 3 layers, the pixels among them, of all 2 word models together", true),
            ("at least as far from the null\u{2019}s mean as (two-sided)", true),
            ("not corrected for", false),
        ],
    );
    says(
        &told(|_, _| ()),
        &[("comparing each value with the permutations\u{2019} maximum", true), ("Westfall", false)],
    );
}

#[test]
fn drawing_that_could_stop_is_told_by_what_became_of_it() {
    let stopped = told(|record, results| {
        new(record, json!({}));
        record["config"]["two_vs_two"]["stop_after"] = 5.into();
        results.accuracy[0].permutations = 140;
    });
    says(
        &stopped,
        &[
            ("number 5 to reach", true),
            ("Of the 6 p-values of the 2 vs. 2 test 1 was settled early.", true),
            ("are those of the first 100", true),
            ("1,000 random permutations", true),
        ],
    );
}

#[test]
fn rules_for_ties_and_constant_rows_are_told() {
    let half = told(|record, results| {
        record["config"]["two_vs_two"]["constant"] = "half".into();
        for row in results.accuracy.iter_mut().filter(|row| row.words == "GloVe") {
            (row.null_mean, row.ties) = (0.39, 16_000);
        }
    });
    says(
        &half,
        &[
            ("in the rows of other images its column counted as a correlation of 0", true),
            ("does not vary once a and b are left out counted as a correlation of 0", true),
            ("chance is the null\u{2019}s mean", true),
            ("0.39 for GloVe", true),
            ("--ties\u{a0}half", true),
            ("of at most 1,024 units", true),
        ],
    );
}

#[test]
fn the_columns_of_the_one_vs_two_test_and_its_null_are_told() {
    let row = OneVsTwoRow {
        network: "vgg16".into(),
        layer: "fc1".into(),
        label: "FC1".into(),
        words: "GloVe".into(),
        images: 36,
        passed: 20,
        ties: 0,
        accuracy: 20.0 / 36.0,
        permutations: 1000,
        p_value: 0.3,
        p_fwer: 0.5,
        null_mean: 0.42,
        null_sd: 0.1,
    };
    let with = |columns: &str| {
        told(|record, results| {
            new(record, json!({}));
            record["config"]["one_vs_two"] = json!({"columns": columns});
            results.one_vs_two.push(row.clone());
        })
    };
    let null = ("labels are unrelated to what the network saw and answered", true);
    says(
        &with("paper"),
        &[("the predicted class's own image and word among them", true), ("mean, 0.42, not 0.5", true), null],
    );
    says(&with("others"), &[("without those of the predicted class itself", true), null]);
}
