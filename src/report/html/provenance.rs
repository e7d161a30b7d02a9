//! Where the results come from: `run.json`, without the folders of the machine it was written on.

use serde_json::Value;

use crate::config::Bytes;
use crate::report::html::escape;

/// Keys whose values are paths.
const PATH_KEYS: [&str; 7] = ["weights", "manifest", "file", "out", "path", "concepts", "categories"];

/// `run.json` with every file named by its name alone, also where a warning mentions it.
pub fn without_folders(run: &Value) -> Value {
    let mut paths = Vec::new();
    collect(&run["config"], None, &mut paths);
    // Longest first: one path may begin with another.
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    let mut run = run.clone();
    replace(&mut run, &paths);
    run
}

fn collect(value: &Value, key: Option<&str>, paths: &mut Vec<String>) {
    match value {
        Value::String(text) if key.is_some_and(|key| PATH_KEYS.contains(&key)) && file_name(text) != text => {
            paths.push(text.clone());
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(value, Some(key), paths)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, paths)),
        _ => {}
    }
}

fn replace(value: &mut Value, paths: &[String]) {
    match value {
        Value::String(text) => {
            for path in paths {
                *text = text.replace(path, file_name(path));
            }
        }
        Value::Object(map) => map.iter_mut().for_each(|(_, value)| replace(value, paths)),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, paths)),
        _ => {}
    }
}

/// The last part of a path of any operating system.
fn file_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
}

/// What ran where, the checksums, and the file itself.
pub fn html(run: &Value) -> String {
    if run.is_null() {
        return "<p>The results have no run.json.</p>".to_string();
    }
    let text = |value: &Value| value.as_str().map(str::to_string);
    let bytes = |value: &Value| value.as_u64().map(|bytes| Bytes(bytes).to_string());
    let adapter = &run["device"]["adapter"];
    let mut rows = vec![
        ("semgpu", text(&run["semgpu"])),
        ("Device", text(&run["device"]["name"])),
        ("Back-end, driver", text(&adapter["backend"]).zip(text(&adapter["driver"])).map(|(a, b)| format!("{a}, {b}"))),
        ("CPU threads", run["threads"].as_u64().map(|threads| threads.to_string())),
        ("Duration", run["seconds"]["total"].as_f64().map(|seconds| format!("{seconds:.0} s"))),
        ("Peak memory", bytes(&run["peak_bytes"])),
    ];
    let sums = &run["checksums"];
    for (name, sum) in [("Weights, SHA-256", &sums["weights"]), ("Images, SHA-256 of all", &sums["images"])] {
        rows.push((name, text(sum)));
    }
    for (words, sum) in
        run["config"]["words"].as_array().into_iter().flatten().zip(sums["words"].as_array().into_iter().flatten())
    {
        rows.push(("Words, SHA-256", text(sum).map(|sum| format!("{sum} ({})", words["name"].as_str().unwrap_or("")))));
    }
    for warning in run["warnings"].as_array().into_iter().flatten() {
        rows.push(("Warning", text(warning)));
    }
    let rows: String = rows
        .iter()
        .filter_map(|(name, value)| Some(format!("<dt>{name}</dt><dd>{}</dd>\n", escape(value.as_deref()?))))
        .collect();
    let json = serde_json::to_string_pretty(run).unwrap_or_default();
    format!(
        "<dl class=\"facts\">\n{rows}</dl>\n<details><summary>run.json, folders left out</summary><pre tabindex=\"0\">{}</pre>\
         </details>",
        escape(&json)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_machine_are_left_out() {
        let run = serde_json::json!({
            "config": {
                "network": {"name": "vgg16", "weights": "/home/me/my weights/vgg16.safetensors", "layers": "all"},
                "words": [{"name": "a/b", "file": "C:\\Users\\me\\glove.txt"}],
                "run": {"out": "../results/vgg16"},
            },
            "warnings": ["/home/me/my weights/vgg16.safetensors: old"],
        });
        let clean = without_folders(&run);
        assert_eq!(clean["config"]["network"]["weights"], "vgg16.safetensors");
        assert_eq!(clean["config"]["words"][0], serde_json::json!({"name": "a/b", "file": "glove.txt"}));
        assert_eq!(clean["warnings"][0], "vgg16.safetensors: old");
        assert!(!html(&clean).contains("home"), "{clean}");
    }
}
