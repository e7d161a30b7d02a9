mod intervals;

use serde_json::{Value, json};

use super::*;
use crate::record;
use crate::report::curves::tests::rows;
use crate::report::intervals::tests::{correlation, interval};
use crate::report::one_vs_two;
use crate::results::{ControlRow, IntervalRow, OneVsTwoRow, PartitionRow, ResultsDir, RsaRow};

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

/// The paragraphs of a test of matrices or vectors, with what was read of each file.
fn told_of_test(results: &Results, config: &Value, read: &Value) -> String {
    let directory = tempfile::tempdir().unwrap();
    let at = ResultsDir::new(directory.path());
    record::tests::written(&at, |record| {
        *record = json!({
            "schema": 3, "semgpu": "0.1.0", "command": "test", "maximum": "studentised",
            "config": {
                "words": [], "images": [], "network": "brain", "permutations": 20, "rsa": ["pearson"], "seed": 5,
                "device": "cpu", "out": "out",
            },
            "understood": [], "read": read,
            "device": {"kind": "cpu", "name": "CPU", "why": "asked for", "adapter": null}, "threads": 2,
            "peak_bytes": null, "checksums": {"words": {"GloVe": "0123456789abcdef"}, "images": {}},
            "seconds": {"total": 2.5},
        });
        for (key, value) in config.as_object().unwrap() {
            record["config"][key] = value.clone();
        }
    });
    let record = RunRecord::read(&at).unwrap().unwrap();
    paragraphs(results, Some(&record)).iter().map(|paragraph| paragraph.text.clone() + "\n").collect()
}

fn read(side: &str, name: &str, shape: &[usize], form: &str) -> Value {
    json!({
        "side": side, "name": name, "path": format!("{name}.npy"), "shape": shape, "form": form,
        "entries": "similarities", "matrices": 1, "concepts": 40, "groups": null, "names": null, "order": null,
    })
}

#[test]
fn places_along_an_axis_are_no_layers_of_a_network() {
    let labels = ["V1", "V2"].map(String::from);
    let results = Results { accuracy: rows("brain", &labels, &["GloVe"]), ..Results::default() };
    let told = told_of_test(&results, &json!({"groups_are": "subjects", "axis": "Region"}), &json!([]));
    says(
        &told,
        &[
            ("averaged over the 5 subjects", true),
            ("2 places along \u{201c}Region\u{201d} (v1 and v2)", true),
            ("Similarity matrices of", true),
            ("of a network", false),
            ("groups", false),
        ],
    );
}

#[test]
fn only_matrices_that_were_read_are_said_to_be_read() {
    let labels = ["V1", "V2"].map(String::from);
    let results = Results { accuracy: rows("brain", &labels, &["GloVe"]), ..Results::default() };
    let vectors = read("words", "GloVe", &[277, 50], "vectors");
    let features = [read("images", "v1", &[5, 166, 30], "features"), read("images", "v2", &[5, 166, 20], "features")];
    let matrices = ["v1", "v2"].map(|layer| read("images", layer, &[5, 166, 166], "lower triangle"));
    let both = told_of_test(&results, &json!({}), &json!([vectors, features[0], features[1]]));
    says(
        &both,
        &[
            (
                "Every concept had a vector in GloVe (Pennington et al., 2014; 50 values per word; GloVe.npy, SHA-256 0123456789ab\u{2026}).",
                true,
            ),
            ("Vectors of 2 layers were computed beforehand and read from files: v1 (30 units) and v2", true),
            ("For each layer and group of images, the Pearson correlations of the vectors of the 166 concepts", true),
            ("for each word model, those of the 166 word vectors, computed in double precision.", true),
            ("Similarity matrices of", false),
        ],
    );
    let words = told_of_test(&results, &json!({}), &json!([vectors, matrices[0], matrices[1]]));
    says(
        &words,
        &[
            ("Similarity matrices of 2 layers (v1 and v2) were computed beforehand and read from files.", true),
            ("For each word model, the Pearson correlations of the 166 word vectors", true),
            ("Vectors of", false),
        ],
    );
}

#[test]
fn a_test_of_layers_on_both_sides_has_its_definitions_and_what_it_cites() {
    let measured = |measures: [&str; 2]| {
        let mut table = crate::report::alignment::tests::rows(&["h1", "h2"], &["v1", "v2"]);
        for row in &mut table {
            row.measure = measures[usize::from(row.measure != "cka")].into();
        }
        let results = Results { measures: table, ..Results::default() };
        told_of_test(&results, &json!({}), &json!([read("words", "GPT h1", &[12, 64], "features")]))
    };
    says(
        &measured(["2v2", "cka-debiased"]),
        &[
            ("For each of the 66 pairs of concepts a and b", true),
            ("Every concept had a vector in GPT h1 (64 values per word", true),
            (
                "of the highest value of all pairs in each draw (τ over all pairs), as of a best pair and in curves over depth",
                true,
            ),
            ("Dharmaretnam, D., & Fyshe, A. (2018)", true),
            ("Song, L., Smola, A.", true),
            ("Nguyen, T., Raghu, M.", true),
            ("Gröger, F., Wen, S.", true),
            ("Phipson, B., & Smyth", true),
            ("Huh, M., Cheung, B.", false),
            ("No permutation test was made", false),
        ],
    );
    let mut table = crate::report::alignment::tests::rows(&[""], &["v1", "v2"]);
    let vectors = json!([read("words", "GPT", &[12, 64], "features")]);
    let told_of = |measures| told_of_test(&Results { measures, ..Results::default() }, &json!({}), &vectors);
    says(&told_of(table.clone()), &[("There is none where the value or τ is above 1", false)]);
    table[3].calibrated = None;
    says(&told_of(table), &[("the value of a space with itself: nothing bounds mknn where few concepts", true)]);
    says(
        &measured(["mknn", "rsa-pearson"]),
        &[("2 vs. 2", false), ("Huh, M., Cheung, B.", true), ("Kriegeskorte, N., Mur, M.", true), ("Song", false)],
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
    let of_one_layer = told(|record, results| {
        new(record, json!({}));
        results.accuracy.retain(|row| row.layer == "fc1");
    });
    says(
        &of_one_layer,
        &[("family-wise error rate", false), ("The choice among the word models is not corrected for.", true)],
    );
    says(
        &told(|_, _| ()),
        &[("comparing each value with the permutations\u{2019} maximum", true), ("Westfall", false)],
    );
}

#[test]
fn built_in_networks_and_published_word_vectors_are_cited() {
    let of = |network: Value| {
        told(|record, _| {
            record["network"]["name"] = "vgg16".into();
            record["config"]["network"] = network;
        })
    };
    says(
        &of(json!({"name": "vgg16", "random": true})),
        &[
            ("passed through VGG16 (Simonyan & Zisserman, 2015) in", true),
            ("Simonyan, K.", true),
            ("(Pennington et al., 2014; ", true),
            ("Pennington, J.", true),
        ],
    );
    says(
        &of(json!({"name": "vgg16", "file": "/gone/net.onnx"})),
        &[("passed through vgg16 in", true), ("Simonyan", false)],
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
fn measures_alone_have_their_null_told() {
    let told = |config: Value, counts: [u64; 2]| {
        let mut table = crate::report::alignment::tests::rows(&[""], &["v1", "v2"]);
        for (row, count) in table.iter_mut().zip(counts.into_iter().cycle()) {
            row.permutations = count;
        }
        table.iter_mut().filter(|row| row.measure == "mknn").for_each(|row| row.words = "BERT".into());
        let results = Results { measures: table, ..Results::default() };
        told_of_test(&results, &config, &json!([]))
    };
    says(
        &told(json!({"permutations": 99, "within_categories": true, "tail": "lower", "family": "words"}), [99, 99]),
        &[
            ("99 random permutations of the concepts of the words\u{2019} side within their categories (seed 5)", true),
            ("and measures shared the same permutations", true),
            ("at least as low as (one-sided)", true),
            ("over all pairs of layers of all word models together (p_fwer)", true),
            ("(both over the permutations and the observed value)", true),
            ("stop early", false),
            ("No permutation test", false),
            ("word matrix", false),
        ],
    );
    let stopped = told(json!({"permutations": 199, "stop_after": 10, "tail": "two"}), [9, 85]);
    says(
        &stopped,
        &[
            ("came from at most 199 random permutations of the concepts", true),
            ("at least as far from the null\u{2019}s mean as (two-sided)", true),
            ("number 10 to reach", true),
            ("Of the 4 p-values 4 were settled early.", true),
            ("nulls are those of the first 100 permutations", true),
            ("(both over the first 100 permutations and the observed value)", true),
            ("against one layer of the words\u{2019} side (p_fwer)", true),
            ("85 permutations", false),
        ],
    );
    // Each is told once.
    assert_eq!(stopped.matches("Westfall & Young, 1993").count(), 1, "{stopped}");
    says(
        &told(json!({"permutations": 99, "stop_after": 10}), [9, 99]),
        &[
            ("nulls are those of all 99 permutations", true),
            ("(both over the first 99 permutations and the observed value)", true),
            ("first 100", false),
        ],
    );
}

#[test]
fn measures_beside_the_2_vs_2_test_are_of_its_permutations() {
    let told = told(|record, results| {
        new(record, json!({"family": "words"}));
        record["config"]["two_vs_two"]["stop_after"] = 5.into();
        results.measures = crate::report::alignment::tests::rows(&[""], &["v1", "v2"]);
    });
    says(
        &told,
        &[
            ("All were tested under the permutations of the 2 vs. 2 test, with the same tail.", true),
            ("against one layer of the words\u{2019} side (p_fwer)", true),
            ("at most 1,000 random permutations", true),
            ("Of the 10 p-values of the 2 vs. 2 test and the measures 4 were settled early.", true),
            ("comes from", false),
        ],
    );
}

#[test]
fn one_method_of_rsa_is_one_measure() {
    let of = |methods: &[&str], permutations: u64| {
        told(|_, results| {
            let row = correlation(&results.accuracy[0]);
            let of = |method: &&str| RsaRow { method: method.to_string(), permutations, ..row.clone() };
            results.rsa = methods.iter().map(of).collect();
        })
    };
    says(&of(&["spearman"], 0), &[("also computed by the measure spearman.", true)]);
    says(&of(&["spearman"], 99), &[("same permutations, with the measure spearman.", true)]);
    says(&of(&["pearson", "spearman"], 0), &[("also computed by the measures pearson and spearman.", true)]);
}

#[test]
fn what_categories_are_and_how_many_resamples_is_told() {
    let of = |spaces: &str| {
        told(|record, results| {
            record["config"]["two_vs_two"]["bootstrap"] = 200.into();
            let row = &results.accuracy[0];
            results.partition = vec![PartitionRow {
                network: row.network.clone(),
                layer: row.layer.clone(),
                label: row.label.clone(),
                spaces: spaces.into(),
                part: spaces.into(),
                kind: "total".into(),
                explained: 0.5,
                ci_low: Some(0.4),
                ci_high: Some(0.6),
            }];
        })
    };
    let shared = "By category the similarity of two concepts is 1 where they share it";
    says(
        &of("pixels + category"),
        &[(shared, true), ("percentiles of 200 bootstrap resamples over concepts, centred", true)],
    );
    says(&of("pixels + GloVe"), &[(shared, false)]);
}

#[test]
fn by_spearman_ranks_are_regressed() {
    let of = |measure: &str| {
        told(|_, results| {
            let row = &results.accuracy[1];
            let control = ControlRow {
                network: row.network.clone(),
                layer: row.layer.clone(),
                label: row.label.clone(),
                words: row.words.clone(),
                given: "pixels".into(),
                measure: measure.into(),
                value: 0.1,
                without: 0.2,
                permutations: 99,
                p_value: 0.01,
                p_fwer: 0.02,
                q_fdr: 0.02,
                null_mean: 0.0,
                null_sd: 0.1,
                ties: None,
            };
            results.controls = vec![control];
        })
    };
    let ranks = "above the diagonal (by rsa-spearman their ranks) were regressed";
    says(&of("rsa-spearman"), &[(ranks, true)]);
    says(&of("rsa-pearson"), &[("above the diagonal were regressed", true)]);
}

#[test]
fn nothing_is_averaged_over_one_group() {
    let of_groups = |groups| told(|_, results| results.accuracy.iter_mut().for_each(|row| row.groups = groups));
    says(&of_groups(5), &[("  ", false)]);
    says(&of_groups(5), &[("upper triangles, averaged over groups of images (Kriegeskorte", true)]);
    says(&of_groups(1), &[("upper triangles (Kriegeskorte", true), ("averaged", false)]);
    says(&of_groups(5), &[("all layers, groups of images and word models shared", true)]);
    says(&of_groups(1), &[("all layers and word models shared", true)]);
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
            ("activations are constant were left out of it, as observed and in every permutation", true),
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
    let row = OneVsTwoRow { null_mean: 0.42, ..one_vs_two::tests::rows(&["GloVe"]).remove(0) };
    let with = |columns: &str| {
        told(|record, results| {
            new(record, json!({}));
            record["config"]["one_vs_two"] = json!({"columns": columns});
            results.one_vs_two.push(row.clone());
        })
    };
    let within = told(|record, results| {
        new(record, json!({}));
        record["config"]["one_vs_two"] = json!({"columns": "others"});
        record["config"]["two_vs_two"]["within_categories"] = true.into();
        results.one_vs_two.push(row.clone());
    });
    says(&within, &[("of all words that can take part, within their categories,", true)]);
    says(
        &with("others"),
        &[
            ("of all words that can take part, shared by layers, groups and word models, with the same tail and", true),
            ("images with fewer than 5 such correlations did not take part", true),
        ],
    );
    // Nothing is above where the 2 vs. 2 test drew nothing.
    let alone = told(|record, results| {
        new(record, json!({"tail": "lower"}));
        record["config"]["one_vs_two"] = json!({});
        results.accuracy.iter_mut().for_each(|row| row.permutations = 0);
        results.one_vs_two.push(row.clone());
    });
    says(
        &alone,
        &[
            ("as above", false),
            ("No permutation test was made", false),
            ("at least as low as (one-sided)", true),
            ("The family-wise error rate over the 3 layers, the pixels among them, of a network and word model", true),
            ("with the smallest such value in each permutation", true),
        ],
    );
    let null = ("labels are unrelated to what the network saw and answered", true);
    says(
        &with("paper"),
        &[("the predicted class's own image and word among them", true), ("mean, 0.42, not 0.5", true), null],
    );
    says(&with("others"), &[("without those of the predicted class itself", true), null]);
}
