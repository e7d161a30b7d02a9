use serde_json::json;

use super::*;
use crate::stats::one_vs_two::Columns;
use crate::stats::scoring::Ties;

/// As schema 1 had it.
pub fn run_1() -> Value {
    json!({
        "schema": 1,
        "semgpu": "0.1.0",
        "config": {
            "seed": 7,
            "network": {"name": "vgg16", "form": null, "weights": "/home/me/my weights/vgg16.safetensors",
                "random": false, "layers": "all"},
            "stimuli": {"manifest": "/home/me/manifest.csv", "pixels": true, "resize": "auto", "crop_pct": null},
            "words": [{"name": "a/b", "file": "C:\\Users\\me\\glove.txt"}],
            "spelling": {"case": ["as-is", "lower"], "join": ["blank", "underscore", "hyphen"], "plural": false},
            "two_vs_two": {"permutations": 1000, "ties": "half", "constant": "error", "within_categories": false,
                "stop_after": null, "bootstrap": 0},
            "one_vs_two": null,
            "rsa": {"methods": ["spearman"]},
            "run": {"device": "auto", "memory": "4.00 GiB", "threads": null, "out": "../results/vgg16"},
        },
        "network": {"name": "vgg16", "form": "keras",
            "input": {"size": 224, "preprocess": "caffe", "resize": "crop-bicubic", "crop_pct": 0.875}},
        "words": [{"name": "a/b", "dimensions": 300}],
        "device": {"kind": "cpu", "name": "CPU (2 threads)", "why": "asked for", "adapter": null},
        "threads": 2,
        "batch": 16,
        "memory": {"weights": 1, "activations": 2, "largest_stage": "fc1", "budget": 3},
        "peak_bytes": 4096,
        "checksums": {"weights": "abcdef0123456789", "words": ["0123456789abcdef"], "images": "11", "similarity": "22"},
        "seconds": {"similarity": 1.5, "total": 2.5},
        "stages": [{"group": "1", "stage": "fc1", "forward_seconds": 1.0, "similarity_seconds": 0.5,
            "peak_bytes": null}],
        "top_1": null,
        "warnings": ["/home/me/my weights/vgg16.safetensors: old"],
    })
}

/// The same of a test.
pub fn test_1() -> Value {
    json!({
        "schema": 1,
        "semgpu": "0.1.0",
        "command": "test",
        "config": {
            "words": [{"name": "W", "path": "w.npy", "array": null}],
            "images": [{"name": "L", "path": "/data/i.h5", "array": "x"}],
            "network": "brain", "entries": "distances", "concepts": null, "categories": "c.txt",
            "permutations": 20, "stop_after": 3, "ties": "won", "constant": "half", "bootstrap": 50,
            "rsa": ["kendall-tau-a"], "seed": 5, "device": "cpu", "out": "out",
        },
        "understood": ["/data/i.h5: 2 x 12 concepts"],
        "device": {"kind": "gpu", "name": "llvmpipe", "why": "asked for", "adapter": {"index": 0, "name": "llvmpipe",
            "kind": "software", "backend": "vulkan", "driver": "llvmpipe Mesa", "binding_bytes": 134217728}},
        "threads": 2,
        "peak_bytes": null,
        "checksums": {"words": {"W": "aa"}, "images": {"L": "bb"}},
        "seconds": {"total": 2.5},
    })
}

/// A record in a directory, changed by `change`.
pub fn written(directory: &ResultsDir, change: impl FnOnce(&mut Value)) {
    let mut record = run_1();
    change(&mut record);
    write_json(&directory.record(), &record).unwrap();
}

fn read(record: &Value) -> Result<RunRecord, RecordError> {
    let directory = tempfile::tempdir().unwrap();
    let results = ResultsDir::new(directory.path());
    write_json(&results.record(), record).unwrap();
    RunRecord::read(&results).map(|found| found.expect("it is there"))
}

#[test]
fn records_of_the_first_schema_are_read_and_written_again_with_the_same_keys() {
    for old in [run_1(), test_1()] {
        let read_1 = read(&old).unwrap();
        let new = serde_json::to_value(&read_1).unwrap();
        for (key, value) in old.as_object().unwrap() {
            if !["schema", "config"].contains(&key.as_str()) {
                assert_eq!(new[key], *value, "{key}");
            }
        }
        for (key, value) in old["config"].as_object().unwrap() {
            assert_eq!(new["config"][key], *value, "{key}");
        }
        assert_eq!(serde_json::to_value(read(&new).unwrap()).unwrap(), new);
    }
    let (run, test) = (read(&run_1()).unwrap(), read(&test_1()).unwrap());
    assert_eq!([run.options().ties, test.options().ties], [Ties::Half, Ties::Won]);
    assert_eq!([run.seed(), test.seed()], [7, 5]);
    assert_eq!([run.maximum, test.maximum], [Maximum::Raw; 2]);
    assert_eq!([run.inference(), test.inference()], [InferenceOptions::default(); 2]);
    let mut old = run_1();
    (old["schema"], old["command"]) = (2.into(), "run".into());
    old["config"]["one_vs_two"] = json!({"permutations": null, "ties": null});
    let columns = |record: &RunRecord| record.run().unwrap().config.one_vs_two.as_ref().unwrap().columns;
    assert_eq!(columns(&read(&old).unwrap()), Columns::Others);
    assert_eq!([run.options().within_categories, test.options().within_categories], [false, true]);
}

#[test]
fn other_records_are_refused_by_their_number() {
    let mut record = run_1();
    record["schema"] = 4.into();
    let said = read(&record).unwrap_err().to_string();
    assert!(said.contains("run.json: schema 4, expected 1 to 3"), "{said}");
    record.as_object_mut().unwrap().remove("schema");
    assert!(read(&record).unwrap_err().to_string().contains("schema null"));
    record = run_1();
    record.as_object_mut().unwrap().remove("network");
    let said = read(&record).unwrap_err().to_string();
    assert!(said.contains("run.json") && said.contains("`network`"), "{said}");
    let directory = tempfile::tempdir().unwrap();
    assert!(RunRecord::read(&ResultsDir::new(directory.path())).unwrap().is_none());
}

#[test]
fn folders_of_the_machine_are_left_out() {
    let mut record = read(&run_1()).unwrap();
    let typed = ["/opt/semgpu", "run", "--set", "network.weights=/data/vgg16.pth", "/data/a=b/vgg16.toml"];
    record.origin.arguments = typed.map(str::to_string).to_vec();
    let clean = serde_json::to_value(record.without_folders()).unwrap();
    assert_eq!(
        clean["origin"]["arguments"],
        json!(["semgpu", "run", "--set", "network.weights=vgg16.pth", "vgg16.toml"])
    );
    let text = r#"words=[{name="G",file="/data/glove.txt"},{name="W",file="C:\w\w.bin"}]"#.to_string();
    let origin = Origin { arguments: vec![text, "network.weights=\"/data/vgg16.pth\"".into()], ..Origin::default() };
    let named = r#"words=[{name="G",file="glove.txt"},{name="W",file="w.bin"}]"#;
    assert_eq!(origin.without_folders().arguments, [named, "network.weights=\"vgg16.pth\""]);
    assert_eq!(clean["config"]["network"]["weights"], "vgg16.safetensors");
    assert_eq!(clean["config"]["words"][0], json!({"name": "a/b", "file": "glove.txt"}));
    assert_eq!(clean["config"]["run"]["out"], "vgg16");
    assert_eq!(clean["warnings"][0], "vgg16.safetensors: old");
    let mut record = test_1();
    record["config"]["words"][0]["path"] = "/data/vectors/w.txt".into();
    record["read"] = json!([{"side": "images", "name": "L", "path": "/data/i.h5", "shape": [2, 66], "form": "pairs",
        "entries": "distances", "matrices": 2, "concepts": 12, "groups": null, "names": null,
        "order": "names no concepts: taken in the order of /data/vectors/w.txt"}]);
    let clean = serde_json::to_value(read(&record).unwrap().without_folders()).unwrap();
    assert_eq!(clean["understood"][0], "i.h5: 2 x 12 concepts");
    assert_eq!(clean["read"][0]["path"], "i.h5");
    assert_eq!(clean["read"][0]["order"], "names no concepts: taken in the order of w.txt");
    assert!(!clean.to_string().contains("/data"), "{clean}");
}
