use std::collections::BTreeSet;

use super::*;
use crate::config::{Bytes, Config};
use crate::device::Choice;
use crate::stats::scoring::Ties;

const SMALLEST: &str = "[network]\nname = \"vgg16\"\nrandom = true\n[stimuli]\nmanifest = \"m.csv\"\n\
                        [[words]]\nname = \"w\"\nfile = \"w.txt\"\n";

fn read(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("experiment.toml");
    std::fs::write(&path, text).unwrap();
    Config::read(&path, &overrides.iter().map(|text| text.to_string()).collect::<Vec<_>>())
}

#[test]
fn defaults_are_the_papers() {
    let config = read(SMALLEST, &[]).unwrap();
    assert_eq!(config.seed, 2018);
    assert_eq!(config.two_vs_two.permutations, 1000);
    assert!(config.stimuli.pixels);
    assert_eq!(config.network.layers, None);
    assert_eq!(config.stimuli.resize, None);
    assert!(config.one_vs_two.is_none());
}

#[test]
fn backslashes_of_windows_paths_get_their_remedy() {
    for path in [r"C:\data\m.csv", r"C:\new\table.csv", r"C:\users\m.csv"] {
        let error = read(&SMALLEST.replace("m.csv", path), &[]).unwrap_err().to_string();
        assert!(error.contains("backslash") && error.contains("experiment.toml"), "{path}: {error}");
    }
}

#[test]
fn what_is_wrong_behind_a_line_that_begins_with_a_letter_of_several_bytes_is_told() {
    let text = SMALLEST.replace("[[words]]", "note = \"\"\"\nÄpfel\"\"\"\nnotes = 3\n[[words]]");
    let error = read(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("line 8") && error.contains("there is no key `notes`"), "{error}");
}

#[test]
fn a_file_in_another_encoding_is_told_the_one_that_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("experiment.toml");
    std::fs::write(&path, b"# \xc4pfel\n").unwrap();
    let error = Config::read(&path, &[]).unwrap_err().to_string();
    assert!(error.contains("experiment.toml: is not UTF-8") && error.contains("save it as UTF-8"), "{error}");
}

#[test]
fn a_file_in_utf_16_without_a_mark_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("experiment.toml");
    std::fs::write(&path, SMALLEST.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let error = Config::read(&path, &[]).unwrap_err().to_string();
    assert!(error.contains("experiment.toml: is UTF-16, expected UTF-8"), "{error}");
}

#[test]
fn a_file_that_powershell_wrote_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("experiment.toml");
    let text = format!("\u{feff}{}", SMALLEST.replace('\n', "\r\n").replace("m.csv", "\u{c4}pfel.csv"));
    std::fs::write(&path, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let config = Config::read(&path, &[]).unwrap();
    assert_eq!(config.stimuli.manifest, directory.path().join("\u{c4}pfel.csv"));
}

#[test]
fn an_element_that_a_list_has_not_is_told_those_that_it_has() {
    let said = |text: &str| read(SMALLEST, &[text]).unwrap_err().to_string();
    assert!(said("words.1.name=V").contains("no element 1 in a list, expected a number from 0 to 0"));
    assert!(said("measures.0=cka").contains("no element 0 in an empty list; set it as a whole"));
}

#[test]
fn counts_may_be_written_by_powers_of_ten() {
    let config = read(SMALLEST, &["two_vs_two.permutations=1e4"]).unwrap();
    assert_eq!(config.two_vs_two.permutations, 10_000);
    assert!(read(SMALLEST, &["two_vs_two.permutations=1.5"]).is_err());
}

#[test]
fn names_without_the_brackets_of_their_list_are_told_them() {
    let said = |text: &str| read(SMALLEST, &[text]).unwrap_err().to_string();
    for (text, expected) in [
        ("measures=cka", "expected a list, as --set 'measures=[\"cka\"]'"),
        ("rsa.methods=pearson, spearman", "expected a list, as --set 'rsa.methods=[\"pearson\", \"spearman\"]'"),
        ("network.layers=fc1", ", as --set 'network.layers=[\"fc1\"]'"),
    ] {
        assert!(said(text).ends_with(expected), "{}", said(text));
    }
    assert!(!said("measures=cak").contains("--set '") && !said("two_vs_two.ties=los").contains("--set '"));
}

#[test]
fn messages_name_keys_and_no_types() {
    let read = |more: &str| read(&format!("{SMALLEST}{more}"), &[]).unwrap_err().to_string();
    for (text, expected) in [
        ("[two_vs_two]\npermutations = \"many\"\n", "expected a whole number"),
        ("[two_vs_two]\nstop_after = 0\n", "expected a whole number above 0"),
        ("[two_vs_two]\nties = \"loses\"\n", "did you mean \"lost\""),
        ("[run]\nthreads = -1\n", "found the number `-1`, expected a whole number"),
        ("[run]\nmemory = 4\n", "expected a number and a unit in quotes"),
        ("[rsa]\nmethods = \"pearson\"\n", "expected a list"),
    ] {
        let error = read(text);
        assert!(error.contains(expected), "{text}: {error}");
        for word in ["u64", "u32", "usize", "struct", "enum", "Option", "None", "sequence"] {
            assert!(!error.contains(word), "{text}: {error}");
        }
    }
}

#[test]
fn a_choice_that_is_no_text_is_told_the_words_there_are() {
    let inside = |network: &str| SMALLEST.replace("random = true", network);
    let below = |section: &str| format!("{SMALLEST}{section}\n");
    for (text, overriding, expected) in [
        (inside("token = 5"), "network.token=5", "there is no `5`, expected one of `cls`, `mean`, `all`"),
        (below("[two_vs_two]\nties = 5"), "two_vs_two.ties=5", "there is no `5`, expected one of `lost`, `half`"),
        (below("[inference]\ntail = 1"), "inference.tail=1", "there is no `1`, expected one of `upper`, `lower`"),
        (
            below("[inference]\ngeneralise = true"),
            "inference.generalise=true",
            "there is no `true`, expected one of `concepts`, `groups`, `both`",
        ),
        (below("[rsa]\nmethods = [2]"), "rsa.methods=[2]", "there is no `2`, expected one of `pearson`"),
        (
            SMALLEST.replace("[stimuli]", "[stimuli]\nresize = 5"),
            "stimuli.resize=5",
            "there is no `5`, expected one of `squash-nearest`",
        ),
        (below("[run]\ndevice = 1"), "run.device=1", "expected auto, cpu, gpu or gpu:N"),
    ] {
        for error in [read(&text, &[]).unwrap_err(), read(SMALLEST, &[overriding]).unwrap_err()] {
            assert!(error.to_string().contains(expected), "{overriding}: {error}");
        }
    }
    let error = read(SMALLEST, &["two_vs_two={ties = 5}"]).unwrap_err().to_string();
    assert!(error.contains("there is no `5`, expected one of `lost`"), "{error}");
    let error = read(&SMALLEST.replace("\"vgg16\"", "5"), &[]).unwrap_err().to_string();
    assert!(error.contains("found the number `5`, expected text in quotes"), "{error}");
}

#[test]
fn any_seed_goes_with_any_override() {
    let largest = format!("seed = {}\n{SMALLEST}", u64::MAX);
    assert_eq!(read(&largest, &["two_vs_two.permutations=20", "run.out=q"]).unwrap().seed, u64::MAX);
    assert_eq!(read(SMALLEST, &[&format!("seed={}", u64::MAX)]).unwrap().seed, u64::MAX);
    assert_eq!(read(&largest, &["seed=7", "run.threads=1"]).unwrap().seed, 7);
    assert_eq!(read(&largest, &["seed=0x10"]).unwrap().seed, 16);
    let error = read(&largest, &["seed=-1"]).unwrap_err().to_string();
    assert!(error.ends_with("found the number `-1`, expected a whole number, 0 or more"), "{error}");
}

#[test]
fn empty_paths_are_refused_with_the_remedy() {
    for error in [
        read(&SMALLEST.replace("m.csv", ""), &[]).unwrap_err().to_string(),
        read(SMALLEST, &["network.weights="]).unwrap_err().to_string(),
        read(SMALLEST, &["run.out=\"\""]).unwrap_err().to_string(),
    ] {
        assert!(error.contains(": a path is empty") && error.ends_with("leave its key out"), "{error}");
    }
}

#[test]
fn a_section_is_no_list() {
    let expected = "two_vs_two: found a list, expected a section with the keys two_vs_two.permutations, ";
    let of_file = read(&format!("two_vs_two = [200]\n{SMALLEST}"), &[]).unwrap_err().to_string();
    assert!(of_file.contains(&format!("experiment.toml: {expected}")), "{of_file}");
    let of_override = read(SMALLEST, &["two_vs_two=[200]"]).unwrap_err().to_string();
    assert!(of_override.contains(&format!("--set two_vs_two=[200]: {expected}")), "{of_override}");
    let bare = read(SMALLEST, &["words=GloVe"]).unwrap_err().to_string();
    assert!(bare.contains("words: found \"GloVe\", expected sections [[words]]"), "{bare}");
}

#[test]
fn a_key_of_no_section_below_one_is_told_where_it_stands() {
    let error = read(&format!("{SMALLEST}measures = [\"cka\"]\n"), &[]).unwrap_err().to_string();
    assert!(error.ends_with("measures is in no section: write it above the first [section] of the file"), "{error}");
    let schema = crate::config::json_schema();
    let keys = schema["properties"].as_object().unwrap().iter();
    let alone = keys.filter(|(key, value)| value["type"].is_string() && *key != "words").map(|(key, _)| key.as_str());
    assert_eq!(alone.collect::<BTreeSet<_>>(), BTreeSet::from(WITHOUT_SECTION));
}

#[test]
fn an_empty_section_asks_for_the_one_vs_two_test() {
    assert!(read(&format!("{SMALLEST}[one_vs_two]\n"), &[]).unwrap().one_vs_two.is_some());
    assert!(read(SMALLEST, &["one_vs_two={}"]).unwrap().one_vs_two.is_some());
    let config = read(SMALLEST, &["one_vs_two.ties=half"]).unwrap();
    assert_eq!(config.one_vs_two.unwrap().ties, Some(Ties::Half));
}

#[test]
fn paths_are_relative_to_the_file_and_of_overrides_to_the_current_directory() {
    let config = read(SMALLEST, &["words.0.file=other.txt"]).unwrap();
    assert!(config.stimuli.manifest.is_absolute());
    assert_eq!(config.words[0].file, std::path::absolute("other.txt").unwrap());
    let config = read(SMALLEST, &["run.out=2024-01-01", "words=[{name = \"x\", file = \"y.txt\"}]"]).unwrap();
    assert_eq!(config.run.out, Some(std::path::absolute("2024-01-01").unwrap()), "text, not a date");
    assert_eq!(config.words[0].file, std::path::absolute("y.txt").unwrap());
    let config = read(SMALLEST, &["run.out=\"q\"", "words.0.file= lead"]).unwrap();
    assert_eq!(config.run.out, Some(std::path::absolute("q").unwrap()), "quotes are TOML's");
    let error = read(SMALLEST, &["run.out=\"C:\\new\\data\""]).unwrap_err().to_string();
    assert!(error.contains("backslash"), "{error}");
    assert_eq!(config.words[0].file, std::path::absolute(" lead").unwrap());
}

#[test]
fn overrides_hold_in_any_directory_whatever_paths_are_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("experiment.toml");
    std::fs::write(&file, SMALLEST).unwrap();
    let given = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let overrides = given(&[
        "run.out=q",
        "run.out=\"q\"",
        "controls.given=[\"gist=gist.npy\", \"pixels\"]",
        "controls.given.0=gist=it's.npy",
        "words=[{name = \"x\", file = \"y.txt\"}]",
        " words.0.file = lead",
    ]);
    let anywhere = from_anywhere(&file, &overrides).unwrap();
    assert_eq!(anywhere[0], anywhere[1]);
    let here = std::env::current_dir().unwrap();
    for (anywhere, name) in anywhere.iter().zip(["q", "q", "gist.npy", "it's.npy", "y.txt", " lead"]) {
        assert!(anywhere.contains(here.join(name).to_str().unwrap()), "{anywhere}");
    }
    let (again, once) = (Config::read(&file, &anywhere).unwrap(), Config::read(&file, &overrides).unwrap());
    assert_eq!(toml::to_string(&again).unwrap(), toml::to_string(&once).unwrap());
    let others = given(&["seed=7", "network.name=vgg16", "run.memory=900 MiB", "controls.given=[\"pixels\"]"]);
    assert_eq!(from_anywhere(&file, &others).unwrap(), others);
    // What the file says already.
    let same = format!("stimuli.manifest={}", directory.path().join("m.csv").display());
    assert_eq!(from_anywhere(&file, std::slice::from_ref(&same)).unwrap(), [same.as_str()]);
}

#[test]
fn overrides_take_toml_values_and_bare_text() {
    let config = read(
        SMALLEST,
        &["two_vs_two.permutations=20", "run.device=gpu:1", "network.layers=[\"fc1\"]", "run.memory=900 MiB", "seed=7"],
    )
    .unwrap();
    assert_eq!(config.two_vs_two.permutations, 20);
    assert_eq!(config.run.device, Choice::Gpu(Some(1)));
    assert_eq!(config.run.memory, Some(Bytes(900 << 20)));
    assert_eq!(config.seed, 7);
    assert_eq!(config.network.layers, Some(vec!["fc1".to_string()]));
}

#[test]
fn a_network_of_a_file_is_called_after_the_file_that_is_read() {
    let text = SMALLEST.replace("name = \"vgg16\"\nrandom = true\n", "file = \"nets/a.onnx\"\n");
    let name = |overrides: &[&str]| read(&text, overrides).unwrap().network.name;
    assert_eq!(name(&[]), "a");
    assert_eq!(name(&["seed=7", "network.file=b.onnx"]), "b");
    assert_eq!(name(&["network.name=net", "network.file=b.onnx"]), "net");
}

#[test]
fn overrides_change_nothing_else() {
    let text = format!("{SMALLEST}[run]\nmemory = \"0.7 GB\"\n");
    let (whole, changed) = (read(&text, &[]).unwrap(), read(&text, &["seed=7"]).unwrap());
    assert_eq!(changed.run.memory, whole.run.memory);
    assert_eq!(changed.stimuli.manifest.file_name(), whole.stimuli.manifest.file_name());
}

#[test]
fn unknown_keys_and_wrong_types_name_the_line() {
    let error = read(&format!("{SMALLEST}[two_vs_two]\npermutation = 3\n"), &[]).unwrap_err().to_string();
    assert!(error.contains("experiment.toml") && error.contains("permutation") && error.contains("line 10"), "{error}");
    assert!(error.contains("did you mean \"permutations\""), "{error}");
    let error = read(&format!("{SMALLEST}[run]\nmemory = \"4 elephants\"\n"), &[]).unwrap_err().to_string();
    assert!(error.contains("4 elephants"), "{error}");
    let error = read(SMALLEST, &["two_vs_two.permutation=3"]).unwrap_err().to_string();
    assert!(error.contains("permutation"), "{error}");
    assert!(read(SMALLEST, &["nonsense"]).is_err());
}
