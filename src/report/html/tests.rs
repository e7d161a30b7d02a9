use std::path::Path;

use serde_json::Value;

use super::*;
use crate::names::distinct;
use crate::report::FIGURES;
use crate::report::curves::Curves;
use crate::report::curves::tests::rows;
use crate::report::intervals::tests::correlation;
use crate::results::{
    AccuracyRow, ConceptRow, ConfusedRow, GroupRow, LostRow, MisclassifiedRow, PredictionRow, Results, ResultsDir,
    RsaRow, StimulusRow, WordsRow, figures_of,
};
use crate::{arrays, checksum, record};

/// A name that would end a script, a string, an attribute or a template's part.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&{{data}}";
const CONCEPTS: [&str; 3] = ["ant", HOSTILE, "bed"];
const GROUPS: [&str; 2] = ["1", "2"];

/// Two layers, two word models; images of the first concept only.
fn results() -> Results {
    let labels = ["PIX", "FC1"].map(String::from);
    let mut results = Results { accuracy: rows(HOSTILE, &labels, &["GloVe", HOSTILE]), ..Results::default() };
    for row in &results.accuracy {
        let (network, layer, words) = (row.network.clone(), row.layer.clone(), row.words.clone());
        for (n, concept) in CONCEPTS.into_iter().enumerate() {
            let (network, layer, words) = (network.clone(), layer.clone(), words.clone());
            let accuracy = (n + 5) as f64 / 8.0;
            let concept = concept.to_string();
            results.concepts.push(ConceptRow { network, layer, words, concept, pairs: 4, passed: 2, accuracy });
        }
        for group in GROUPS.map(String::from) {
            let (network, layer, words) = (network.clone(), layer.clone(), words.clone());
            results.groups.push(GroupRow {
                network,
                layer,
                words,
                group,
                passed: 1,
                ties: 0,
                pairs: 3,
                accuracy: 1.0 / 3.0,
            });
        }
        results.confused.push(ConfusedRow {
            network,
            layer,
            words,
            concept_a: CONCEPTS[0].into(),
            concept_b: CONCEPTS[1].into(),
            margin: -0.25,
            groups_lost: 2,
            groups_tied: 0,
        });
    }
    let sha256 = checksum::of_bytes(&png(200));
    for (group, path) in GROUPS.iter().zip(["images/a.png", "images/gone.png"]) {
        let (group, sha256) = (group.to_string(), sha256.clone());
        results.stimuli.push(StimulusRow { group, concept: "ant".into(), path: path.into(), sha256 });
    }
    let names = ("GloVe".to_string(), HOSTILE.to_string());
    results.words.push(WordsRow {
        words_a: names.0,
        words_b: names.1,
        concepts: 3,
        accuracy: 0.9,
        permutations: 1000,
        p_value: 0.001,
        rsa: Some(0.5),
    });
    results
}

fn png(red: u8) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(20, 10, image::Rgb([red, 30, 30])).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// A directory as a run leaves it, moved since: `data/` with an image, `results/` with `run.json` and a matrix.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("data/images")).unwrap();
    std::fs::write(directory.path().join("data/images/a.png"), png(200)).unwrap();
    let results = ResultsDir::new(directory.path().join("results"));
    record::tests::written(&results, |run| {
        run["config"]["network"] = serde_json::json!({"name": "net", "weights": "/gone/secret/net.safetensors"});
        run["config"]["stimuli"] = serde_json::json!({"manifest": "/gone/data/manifest.csv"});
        run["config"]["words"] = serde_json::json!([{"name": HOSTILE, "file": "/gone/secret/</script>.txt"}]);
        run["config"]["run"] = serde_json::json!({"out": "/gone/results"});
        run["network"]["name"] = "net".into();
        run["words"] = serde_json::json!([{"name": HOSTILE, "dimensions": 300}]);
        run["warnings"] = serde_json::json!(["/gone/secret/net.safetensors: old"]);
    });
    let rsm = [1.0, 0.5, -0.5, 0.5, 1.0, 0.0, -0.5, 0.0, 1.0];
    arrays::write_npy(&results.layer_rsm("fc1"), &[1, 3, 3], &rsm).unwrap();
    directory
}

fn written(results: &Results, directory: &Path) -> String {
    let material = Material::read(results, &directory.join("results")).unwrap();
    let drawings: Vec<Drawing> = FIGURES.iter().flat_map(|figure| (figure.draw)(&material).unwrap()).collect();
    // Files of another name would be neither removed nor told from somebody else's.
    let words = distinct(results.accuracy.iter().map(|row| row.words.as_str()));
    for Drawing { stem, network, .. } in &drawings {
        assert!(figures_of(network, &words).contains(stem), "{stem}");
    }
    std::fs::read_to_string(write(&material, &drawings).unwrap()).unwrap()
}

/// The JSON of a `<script>` as the browser finds it: up to the first end tag.
fn json(page: &str, id: &str) -> Value {
    let start = format!("<script type=\"application/json\" id=\"{id}\">");
    let (_, rest) = page.split_once(&start).unwrap();
    serde_json::from_str(rest.split_once("</script").unwrap().0).unwrap()
}

/// Up to the last place, which serde_json's reader does not promise; the browser's does.
fn same(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() <= f64::EPSILON * expected.abs())
}

#[test]
fn the_page_holds_the_rows() {
    let (results, directory) = (results(), directory());
    let data = json(&written(&results, directory.path()), "data");
    assert_eq!(data["concepts"], serde_json::json!(CONCEPTS));
    assert_eq!(data["groups"], serde_json::json!(GROUPS));
    for (n, row) in results.accuracy.iter().enumerate() {
        // Rows stand layer by layer, each with two word models.
        let test = &data["networks"][0]["models"][n % 2]["tests"][n / 2];
        assert_eq!(data["networks"][0]["models"][n % 2]["words"], row.words);
        assert_eq!(data["networks"][0]["layers"][n / 2]["name"], row.layer);
        assert!(same(&test["accuracy"], row.accuracy));
        assert!(same(&test["p"], row.p_value) && same(&test["fwer"], row.p_fwer) && same(&test["fdr"], row.q_fdr));
        assert!(same(&test["null"][0], row.null_mean) && same(&test["null"][1], row.null_sd));
        assert!(same(&test["groups"][0], 1.0 / 3.0) && same(&test["groups"][1], 1.0 / 3.0));
        // 5/8, 6/8 and 7/8 of four pairs.
        assert_eq!((&test["concepts"], &test["whole"]), (&serde_json::json!([5, 6, 7]), &8.into()));
        assert_eq!(test["confused"], serde_json::json!([[0, 1, -0.25, 2]]));
    }
}

#[test]
fn a_misclassified_image_has_its_margins_and_the_layer_where_it_is_lost() {
    let (mut results, directory) = (results(), directory());
    assert!(!written(&results, directory.path()).contains("id=\"mistakes\""));
    let (network, group, path) = (HOSTILE.to_string(), "2".to_string(), "images/gone.png".to_string());
    let (concept, predicted) = ("ant".to_string(), "bee".to_string());
    for (layer, margin) in [("pix", Some(0.25)), ("fc1", Some(-0.5))] {
        results.misclassified.push(MisclassifiedRow {
            network: network.clone(),
            group: group.clone(),
            path: path.clone(),
            concept: concept.clone(),
            predicted: predicted.clone(),
            layer: layer.into(),
            words: "GloVe".into(),
            margin,
        });
    }
    results.lost.push(LostRow {
        network: network.clone(),
        group: group.clone(),
        path: path.clone(),
        concept: concept.clone(),
        predicted,
        words: "GloVe".into(),
        lost_from: Some("fc1".into()),
    });
    results.predictions.push(PredictionRow {
        network,
        group,
        path,
        concept,
        class_index: Some(310),
        predicted_index: 309,
        predicted: Some("bee".into()),
        correct: Some(false),
        predicted_class: "bee".into(),
    });
    let page = written(&results, directory.path());
    assert!(page.contains("id=\"mistakes\""));
    let network = &json(&page, "data")["networks"][0];
    let margins = serde_json::json!([[0.25, -0.5], [null, null]]);
    let mistake = serde_json::json!({
        "concept": 0, "group": 1, "predicted": "bee", "margins": margins, "lost_from": [1, null],
    });
    assert_eq!(network["mistakes"], serde_json::json!([mistake]));
    assert_eq!(network["answers"][0], serde_json::json!([null, ["bee", false]]));
}

#[test]
fn images_are_found_where_the_project_was_moved_to_and_missed_in_peace() {
    let (results, directory) = (results(), directory());
    let page = written(&results, directory.path());
    let pictures = json(&page, "pictures");
    assert_eq!((&pictures["size"], &pictures["groups"], &pictures["missing"]), (&112.into(), &2.into(), &1.into()));
    let jpegs = &pictures["jpegs"];
    assert!(jpegs[0][1].is_null() && jpegs[1][0].is_null());
    let jpeg =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, jpegs[0][0].as_str().unwrap()).unwrap();
    let picture = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
    assert_eq!((picture.width(), picture.height()), (112, 112));

    std::fs::write(directory.path().join("data/images/a.png"), png(100)).unwrap();
    let pictures = json(&written(&results, directory.path()), "pictures");
    assert_eq!((&pictures["missing"], &pictures["altered"]), (&1.into(), &1.into()));
    assert_eq!(pictures["jpegs"][0], serde_json::json!([null, null]));

    std::fs::remove_dir_all(directory.path().join("data")).unwrap();
    std::fs::remove_dir_all(directory.path().join("results/rsm")).unwrap();
    let page = written(&results, directory.path());
    assert_eq!(json(&page, "pictures")["size"], 0);
    assert_eq!(json(&page, "pictures")["missing"], 2);
    assert_eq!(json(&page, "matrices"), serde_json::json!([[null, null]]));
}

#[test]
fn nothing_in_a_name_is_markup() {
    let directory = directory();
    let page = written(&results(), directory.path());
    assert!(!page.contains("<img"), "the script makes images, names make none");
    // Three of JSON and the page's own.
    assert_eq!(page.matches("</script").count(), 4);
    assert!(page.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;{{data}}"));
}

#[test]
fn the_page_loads_nothing_and_names_no_folder() {
    let directory = directory();
    let page = written(&results(), directory.path());
    for attribute in ["src=", "href=", "url(", "@import"] {
        for (at, _) in page.match_indices(attribute) {
            let value = page[at + attribute.len()..].trim_start_matches('"');
            let inside = value.starts_with('#') || value.starts_with("data:") || value.starts_with("x onerror");
            // The same name in a figure, at the end of a line.
            let inside = inside || value.starts_with("x</text>");
            assert!(inside, "{}", &page[at..(at + 80).min(page.len())]);
        }
    }
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("/gone") && !page.contains("secret"));
}

#[test]
fn settings_are_told_in_words() {
    let directory = directory();
    let page = written(&results(), directory.path());
    let told = [
        "The shorter side of each image was scaled to 256 pixels by bicubic interpolation with antialiasing",
        "net in its keras form, with the weights of net.safetensors, SHA-256 abcdef012345…",
        "(300 values per word; ",
        "13,695 pairs of concepts",
        "counted as half a pass; none occurred",
        "1,000 random permutations of the concepts of the word matrix (seed 7)",
        "semgpu 0.1.0 on CPU (2 threads)",
        "Proceedings of NAACL-HLT 2018",
    ];
    for text in told {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_graph_of_a_file_holds_its_weights() {
    let directory = directory();
    for (network, random) in [
        (serde_json::json!({"name": "net", "file": "/gone/net.onnx"}), false),
        (serde_json::json!({"name": "net", "random": true}), true),
    ] {
        record::tests::written(&ResultsDir::new(directory.path().join("results")), |run| {
            run["config"]["network"] = network.clone();
        });
        let page = written(&results(), directory.path());
        assert_eq!(page.contains("random weights"), random, "{network}");
        assert_eq!(page.contains("with the weights of net.onnx"), !random, "{network}");
    }
}

#[test]
fn results_without_run_json_or_permutations_make_a_page() {
    let directory = directory();
    std::fs::remove_file(directory.path().join("results/run.json")).unwrap();
    let mut results = results();
    for row in &mut results.accuracy {
        (row.permutations, row.p_value, row.p_fwer) = (0, f64::NAN, f64::NAN);
        (row.q_fdr, row.null_mean, row.null_sd) = (f64::NAN, f64::NAN, f64::NAN);
    }
    let rsa = |row: &AccuracyRow| RsaRow {
        permutations: 0,
        p_value: 1.0,
        p_fwer: 1.0,
        q_fdr: 1.0,
        null_mean: f64::NAN,
        null_sd: f64::NAN,
        ..correlation(row)
    };
    results.rsa = results.accuracy.iter().map(rsa).collect();
    let page = written(&results, directory.path());
    assert!(page.contains("The results have no run.json"));
    assert!(!page.contains("NaN"));
    let test = &json(&page, "data")["networks"][0]["models"][0]["tests"][0];
    assert!(test["p"].is_null() && test["rsas"] == serde_json::json!([["pearson", 0.25, null]]), "{test}");
    assert!(!page.contains("<td>1.0000</td>"), "a p-value without permutations");
}

#[test]
fn a_page_keeps_to_its_size() {
    let (results, directory) = (results(), directory());
    let material = Material::read(&results, &directory.path().join("results")).unwrap();
    let read = |bytes| pictures::read(&material, bytes);
    let large = embedded(&read(1_000_000)).len();
    assert_eq!(
        json(&format!("<script type=\"application/json\" id=\"p\">{}</script>", embedded(&read(10))), "p")["size"],
        0
    );
    for bytes in [2500, 3000, 5000] {
        assert!(embedded(&read(bytes)).len() <= bytes.min(large) + 100);
    }
    let networks = Curves::under(None, &results.accuracy);
    let matrices = matrices::read(&networks, &material, 3).unwrap();
    assert!(matrices.is_empty(), "three bytes of triangle are four of base64");
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let (results, directory) = (results(), directory());
    assert_eq!(written(&results, directory.path()), written(&results, directory.path()));
}
