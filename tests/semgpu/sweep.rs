//! Several networks in one experiment.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Small, column, fail, root, semgpu, succeed};

/// The small experiment over three networks: the trained one, a random one of the same name, and a graph of a file.
fn sweep(family: &str) -> Small {
    let small = Small::make();
    let text = small.read("experiment.toml");
    let (_, rest) = text.split_once("[stimuli]").unwrap();
    let weights = root().join("weights/squeezenet1_1.safetensors");
    let tables = [
        format!("name = \"squeezenet1_1\"\nweights = {weights:?}\nlayers = [\"conv1\", \"fire2\"]\n"),
        "name = \"squeezenet1_1\"\nlabel = \"random\"\nrandom = true\nlayers = [\"conv1\", \"fire2\"]\n".to_string(),
        format!(
            "file = {:?}\nlabel = \"tiny, a graph\"\ninput = {{ values = \"imagenet\" }}\n",
            root().join("tests/golden/onnx/tiny.legacy.onnx")
        ),
    ];
    for (n, table) in tables.iter().enumerate() {
        small.write(
            &format!("single{n}.toml"),
            &format!("seed = 3\n[network]\n{table}[stimuli]{rest}[inference]\nfamily = \"{family}\"\n"),
        );
    }
    let networks: String = tables.iter().map(|table| format!("[[network]]\n{table}")).collect();
    small.write("sweep.toml", &format!("seed = 3\n{networks}[stimuli]{rest}[inference]\nfamily = \"{family}\"\n"));
    small
}

const FOLDERS: [&str; 3] = ["squeezenet1_1", "random", "tiny__a_graph"];

fn run(small: &Small, out: &str, more: &[&str]) -> String {
    let (config, out) = (small.text("sweep.toml"), small.text(out));
    let output = succeed(&[&["run", &config, "--out", &out], more].concat());
    String::from_utf8(output.stderr).unwrap()
}

/// Every file below, by its path, but what tells times: records and the page that has them.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !["run.json", "report.html"].iter().any(|name| path.ends_with(name)) {
                found.push((path.strip_prefix(directory).unwrap().to_path_buf(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn assert_same(one: Vec<(PathBuf, Vec<u8>)>, other: Vec<(PathBuf, Vec<u8>)>) {
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    for ((name, one), (_, other)) in one.iter().zip(&other) {
        assert!(one == other, "{}", name.display());
    }
}

/// What a sweep leaves, but the record, which names its folder, and shards.
fn of_sweep(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = files(directory);
    all.retain(|(path, _)| {
        let shards = path.iter().any(|part| part.to_string_lossy().ends_with(".shards"));
        !shards && !path.ends_with("networks.json")
    });
    assert!(all.len() > 60, "{} files", all.len());
    all
}

#[test]
fn every_network_has_the_results_of_a_run_of_its_own() {
    let small = sweep("layers");
    let said = run(&small, "all", &[]);
    // Two networks see the same pixels.
    let images = Small::CONCEPTS * Small::GROUPS;
    assert!(said.contains(&format!("{} decoded, {images} taken from memory", 2 * images)), "{said}");
    for (n, folder) in FOLDERS.iter().enumerate() {
        let (config, out) = (small.text(&format!("single{n}.toml")), small.text(&format!("alone{n}")));
        succeed(&["run", &config, "--out", &out]);
        assert_same(files(&small.path("all").join(folder)), files(&small.path(&format!("alone{n}"))));
        let page = |out: &str| small.path(out).join("report.html").exists();
        assert!(page(&format!("alone{n}")) && page(&format!("all/{folder}")));
    }
    // One table of all, with each network's own values.
    let table = small.read("all/accuracy.csv");
    let alone: Vec<f64> =
        (0..3).flat_map(|n| column(&small.read(&format!("alone{n}/accuracy.csv")), "p_fwer")).collect();
    let cells = |name: &str| -> Vec<String> {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let place = reader.headers().unwrap().iter().position(|column| column == name).unwrap();
        reader.records().map(|row| row.unwrap()[place].to_string()).collect()
    };
    assert_eq!(cells("p_fwer").iter().map(|cell| cell.parse().unwrap()).collect::<Vec<f64>>(), alone);
    assert!(cells("network").contains(&"tiny, a graph".to_string()));
    let networks = small.read("all/networks.csv");
    assert_eq!(networks.lines().count(), 1 + 3, "{networks}");
    assert!(networks.contains("\nsqueezenet1_1,squeezenet1_1,GloVe,3,"), "{networks}");
    let figure = small.path("all/figures/networks_GloVe.svg");
    let drawn = std::fs::read_to_string(&figure).unwrap();
    assert!(drawn.contains(">SqueezeNet 1.1</text>") && drawn.contains(">tiny, a graph</text>"));
    let page = small.read("all/report.html");
    assert!(page.contains("href=\"tiny__a_graph/report.html\""));
    // Drawn again, and compared, as any run's.
    std::fs::remove_file(&figure).unwrap();
    succeed(&["plot", &small.text("all")]);
    assert_eq!((std::fs::read_to_string(&figure).unwrap(), small.read("all/report.html")), (drawn, page));
    let [one, other] = ["all/squeezenet1_1", "all/random"].map(|name| small.text(name));
    succeed(&["compare", &one, &other, "--bootstrap", "20", "--out", &small.text("compared")]);
    let table = small.read("compared/compare.csv");
    // Every two networks of a sweep, by its directory; one that is named beside it stands once.
    succeed(&["compare", &small.text("all"), &other, "--bootstrap", "20", "--out", &small.text("pairs")]);
    let all = small.read("pairs/compare.csv");
    assert!(table.lines().all(|line| all.contains(line)), "{all}");
    let page = small.read("pairs/report.html");
    assert!(page.contains("3 runs side by side") && page.contains("id=\"pair-2\""));
    let record = small.read("all/networks.json").replace("\"finished\": true", "\"finished\": false");
    small.write("all/networks.json", &record);
    let said = fail(&["compare", &small.text("all"), "--out", &small.text("pairs")], 2);
    assert!(said.contains("the sweep is not finished"), "{said}");
    let said = fail(&["plot", &small.text("all")], 2);
    assert!(said.contains("the sweep is not finished"), "{said}");
}

#[test]
fn family_wise_p_covers_all_networks_where_it_is_asked_for() {
    let small = sweep("networks");
    let apart = sweep("layers");
    run(&small, "all", &[]);
    run(&apart, "all", &[]);
    let column = |small: &Small, name: &str| -> Vec<f64> {
        let table = small.read("all/accuracy.csv").replace("\"tiny, a graph\"", "tiny");
        column(&table, name)
    };
    let (over_all, each) = (column(&small, "p_fwer"), column(&apart, "p_fwer"));
    assert_eq!(column(&small, "p_value"), column(&apart, "p_value"));
    assert!(over_all.iter().zip(&each).all(|(all, each)| all >= each), "{over_all:?} {each:?}");
    assert!(over_all.iter().sum::<f64>() > each.iter().sum(), "{over_all:?} {each:?}");
    // From the scores that were kept, by the definition: each layer's draws less their mean, in units of their spread.
    let mut layers: Vec<Vec<f64>> = Vec::new();
    for folder in FOLDERS {
        let bytes = std::fs::read(small.path("all").join(format!("{folder}.draws.safetensors"))).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor("2 vs. 2, GloVe").unwrap();
        assert_eq!(tensor.shape()[1], 51);
        let points = tensor.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64);
        layers.extend(points.collect::<Vec<f64>>().chunks_exact(51).map(<[f64]>::to_vec));
    }
    let placed: Vec<Vec<f64>> = layers
        .iter()
        .map(|points| {
            let mean = points.iter().sum::<f64>() / 51.0;
            let spread = (points.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / 51.0).sqrt();
            points.iter().map(|p| (p - mean) / spread).collect()
        })
        .collect();
    let maximum = |t: usize| placed.iter().map(|layer| layer[t]).fold(f64::NEG_INFINITY, f64::max);
    let expected: Vec<f64> = placed
        .iter()
        .map(|layer| (1.0 + (1..=50).filter(|&t| maximum(t) >= layer[0] - 1e-9).count() as f64) / 51.0)
        .collect();
    assert_eq!(over_all, expected);
    // A network's own results do not know of the others.
    let (config, out) = (small.text("single1.toml"), small.text("alone"));
    succeed(&["run", &config, "--out", &out]);
    assert_same(files(&small.path("all/random")), files(&small.path("alone")));
    assert_ne!(small.read("all/accuracy.csv"), apart.read("all/accuracy.csv"));
}

#[test]
fn a_killed_sweep_goes_on_with_the_network_in_progress() {
    let small = sweep("networks");
    run(&small, "whole", &[]);
    let (config, out) = (small.text("sweep.toml"), small.text("killed"));
    let mut child = semgpu(&["run", &config, "--out", &out]).spawn().unwrap();
    let second = small.path("killed/random/rsm/pixels.npy");
    let started = Instant::now();
    while !second.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!small.path("killed/networks.csv").exists());
    // A figure of all networks that none of semgpu's is.
    std::fs::create_dir(small.path("killed/figures")).unwrap();
    let figure = "killed/figures/networks_GloVe.png";
    small.write(figure, "mine");
    let said = fail(&["run", &config, "--out", &out], 2);
    assert!(said.contains(&format!("{}: semgpu did not write this file", small.text(figure))), "{said}");
    std::fs::remove_file(small.path(figure)).unwrap();
    let record = small.path("killed/squeezenet1_1/run.json");
    let before = std::fs::metadata(&record).unwrap().modified().unwrap();
    let said = run(&small, "killed", &[]);
    assert!(said.contains("network 1 of 3  squeezenet1_1: finished before"), "{said}");
    assert!(said.matches("finished before").count() == 1, "{said}");
    assert_eq!(before, std::fs::metadata(&record).unwrap().modified().unwrap());
    let of = |name: &str| of_sweep(&small.path(name));
    assert_same(of("whole"), of("killed"));
    // One whose tables another program changed is not.
    let table = small.read("killed/squeezenet1_1/accuracy.csv");
    small.write("killed/squeezenet1_1/accuracy.csv", &table.replacen(",0.", ",0.0", 1));
    let said = run(&small, "killed", &[]);
    assert!(said.matches("finished before").count() == 2 && !said.contains("squeezenet1_1: finished before"), "{said}");
    assert_same(of("whole"), of("killed"));
    // Nor is one where a table, a matrix or a figure is missing.
    for lost in ["concepts.csv", "rsm/fire2.npy", "figures/accuracy_squeezenet1_1.svg"] {
        std::fs::remove_file(small.path(&format!("killed/squeezenet1_1/{lost}"))).unwrap();
        let said = run(&small, "killed", &[]);
        assert!(
            said.matches("finished before").count() == 2 && !said.contains("squeezenet1_1: finished before"),
            "{said}"
        );
        assert_same(of("whole"), of("killed"));
    }
    // Finished, other tests are made of the same matrices; and everything again where that is asked for.
    let said = run(&small, "killed", &["--set", "two_vs_two.permutations=20"]);
    assert!(!said.contains("finished before") && said.contains("all layers are there"), "{said}");
    assert_eq!(said.matches(": two_vs_two.permutations 50 -> 20").count(), 3, "{said}");
    let said = fail(&["export", &out, "--out", &small.text("rdms.h5")], 2);
    assert!(said.contains("a sweep, whose networks have the matrices; name one of them: "), "{said}");
    assert!(said.contains(&small.text("killed/squeezenet1_1")), "{said}");
    let said = run(&small, "killed", &["--fresh"]);
    assert!(!said.contains("finished before") && !said.contains("all layers are there"), "{said}");
    assert_same(of("whole"), of("killed"));
}

#[test]
fn shards_of_a_sweep_merge_to_its_results() {
    let small = sweep("networks");
    run(&small, "whole", &[]);
    let (config, out, tables) = (small.text("sweep.toml"), small.text("merged"), small.text("tables"));
    let told = ["--size", "10s", "--seconds-per-group", "9", "--seconds-per-draw", "0.3", "--device", "cpu"];
    succeed(&[&["shards", &config, "--out", &out, "--tables", &tables], &told[..]].concat());
    let table = |name: &str| -> Vec<String> {
        small
            .read(&format!("tables/{name}.txt"))
            .lines()
            .map(|line| line.split_once(' ').unwrap().1.to_string())
            .collect()
    };
    let called = |line: &String| {
        // A label with a blank in it stands in quotes.
        let line = line.replace("'tiny, a graph'", "tiny,\u{a0}a\u{a0}graph");
        let words: Vec<String> = line.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
        succeed(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (groups, draws, merges) = (table("groups"), table("draws"), table("merge"));
    assert_eq!((groups.len(), merges.len()), (3 * Small::GROUPS, 3));
    // Where one network is not cut anew, none is: the commands of all hold.
    called(&groups[Small::GROUPS]);
    let lists = || ["squeezenet1_1", "random"].map(|label| small.read(&format!("merged/{label}.shards/shards.json")));
    let cut = lists();
    let coarse = ["shards", &config, "--out", &out, "--tables", &tables, "--size", "1h"];
    let said = fail(&[&coarse[..], &told[2..]].concat(), 2);
    assert!(said.contains("random.shards") && said.contains("cut before in other pieces"), "{said}");
    assert!(lists() == cut);
    groups.iter().for_each(|line| drop(called(line)));
    draws.iter().for_each(|line| drop(called(line)));
    let status = succeed(&["status", &config, "--out", &out]);
    let said = String::from_utf8(status.stdout).unwrap();
    for label in ["squeezenet1_1", "random", "tiny, a graph"] {
        assert!(said.contains(&format!("sweep.toml  {label}  groups: 2 of 2 shards done")), "{said}");
    }
    // The last merge leaves the tables of all.
    for (n, line) in merges.iter().enumerate() {
        assert!(!small.path("merged/networks.csv").exists(), "{n}");
        called(line);
    }
    let of = |name: &str| of_sweep(&small.path(name));
    assert_same(of("whole"), of("merged"));
    std::fs::remove_file(small.path("merged/networks.csv")).unwrap();
    let merge = ["merge", &config, "--out", &out, "--device", "cpu"];
    succeed(&merge);
    assert_same(of("whole"), of("merged"));
    // A merge that is refused changes nothing.
    let taken = ["random", "squeezenet1_1"].map(|label| {
        let shards = std::fs::read_dir(small.path(&format!("merged/{label}.shards"))).unwrap();
        let mut shards = shards.map(|entry| entry.unwrap().path());
        let shard = shards.find(|path| path.extension().is_some_and(|ending| ending == "safetensors")).unwrap();
        std::fs::rename(&shard, small.path(&format!("away.{label}"))).unwrap();
        (label, shard)
    });
    for which in [&["--network", "random"][..], &[]] {
        let said = fail(&[&merge[..], &["--fresh"], which].concat(), 2);
        assert!(said.contains("missing or not whole"), "{said}");
        // Of all networks that are merged.
        assert_eq!(said.contains("--network squeezenet1_1 "), which.is_empty(), "{said}");
        assert!(said.contains("--network random ") && !said.contains("replaces"), "{said}");
        assert_same(of("whole"), of("merged"));
    }
    taken.iter().for_each(|(label, shard)| std::fs::rename(small.path(&format!("away.{label}")), shard).unwrap());
    // One that changes a network leaves no table of all that says otherwise, until the last is merged.
    let unmerge = |folder: &str| std::fs::remove_file(small.path("merged").join(folder).join("report.html")).unwrap();
    unmerge("random");
    called(&merges[0]);
    assert!(!small.path("merged/networks.csv").exists());
    assert!(fail(&["plot", &out], 2).contains("the sweep is not finished"));
    // Whichever is last, also of two at once.
    unmerge("squeezenet1_1");
    std::thread::scope(|scope| {
        merges[..2].iter().for_each(|line| drop(scope.spawn(move || called(line))));
    });
    assert_same(of("whole"), of("merged"));
    let said = fail(&["shard", &config, "--out", &out, "--groups", "1-1"], 2);
    assert!(said.contains("--network with one of squeezenet1_1, random, tiny, a graph"), "{said}");
    let said = fail(&["merge", &config, "--out", &out, "--network", "vgg16"], 2);
    assert!(said.contains("no network \"vgg16\""), "{said}");
    // A label with a comma is meant whole.
    let said = fail(&["merge", &config, "--out", &out, "--network", "tiny a graph"], 2);
    assert!(said.contains("did you mean \"tiny, a graph\"?"), "{said}");
    assert!(!fail(&["merge", &config, "--out", &out, "--network", "graph"], 2).contains("did you mean"));
}

#[test]
fn a_sweep_of_other_networks_replaces_none_unless_asked() {
    let small = sweep("networks");
    let text = small.read("sweep.toml");
    run(&small, "all", &[]);
    let before = files(&small.path("all"));
    // Without the last network, and with another label for it.
    let (networks, rest) = text.split_once("[stimuli]").unwrap();
    let parts: Vec<&str> = networks.split("[[network]]").collect();
    let fewer = format!("{}[[network]]{}[[network]]{}[stimuli]{rest}", parts[0], parts[1], parts[2]);
    let (config, out) = (small.text("sweep.toml"), small.text("all"));
    for other in [fewer.clone(), text.replace("tiny, a graph", "other")] {
        small.write("sweep.toml", &other);
        for more in [&[][..], &["--dry-run"]] {
            let said = fail(&[&["run", &config, "--out", &out], more].concat(), 2);
            assert!(said.contains("tiny, a graph, which this one has not") && said.contains("--fresh"), "{said}");
        }
        let said = fail(&["shards", &config, "--out", &out, "--tables", &small.text("t"), "--device", "cpu"], 2);
        assert!(said.contains("tiny, a graph, which") && !said.contains("--fresh"), "{said}");
        let folder = small.text("all/tiny__a_graph");
        assert!(said.contains("name them in the file again") && said.contains(&format!("remove {folder}, ")), "{said}");
        let said = fail(&["merge", &config, "--out", &out, "--network", "random", "--device", "cpu"], 2);
        assert!(said.contains("a merge of all networks with --fresh, without --network"), "{said}");
    }
    assert_same(before, files(&small.path("all")));
    small.write("sweep.toml", &fewer);
    small.write("all/tiny__a_graph/notes.txt", "mine");
    let folder = small.text("all/tiny__a_graph");
    let removed =
        format!("removes what semgpu wrote of tiny, a graph, which this sweep has not: {folder}, {folder}.draws");
    for more in [&["--fresh", "--dry-run"][..], &["--fresh"]] {
        let said = run(&small, "all", more);
        assert!(said.contains(&removed), "{said}");
    }
    assert!(!small.path("all/tiny__a_graph.draws.safetensors").exists());
    let left = files(&small.path("all/tiny__a_graph"));
    assert_eq!(left, [(PathBuf::from("notes.txt"), b"mine".to_vec())]);
    std::fs::remove_dir_all(small.path("all/tiny__a_graph")).unwrap();
    // A folder of one's own with the name of a network that was dropped.
    small.write("sweep.toml", &text);
    run(&small, "all", &[]);
    std::fs::remove_dir_all(small.path("all/tiny__a_graph")).unwrap();
    std::fs::create_dir(small.path("all/tiny__a_graph")).unwrap();
    small.write("all/tiny__a_graph/report.html", "mine");
    small.write("sweep.toml", &fewer);
    let said = fail(&["run", &config, "--out", &out, "--fresh", "--device", "cpu"], 2);
    assert!(said.contains("not empty, and not a results directory") && said.contains("tiny__a_graph"), "{said}");
    assert_eq!(small.read("all/tiny__a_graph/report.html"), "mine");
    std::fs::remove_dir_all(small.path("all/tiny__a_graph")).unwrap();
    run(&small, "all", &["--fresh"]);
    // Networks may be added.
    small.write("sweep.toml", &text);
    let said = run(&small, "all", &[]);
    assert_eq!(said.matches("finished before").count(), 2, "{said}");
    run(&small, "whole", &[]);
    assert_same(of_sweep(&small.path("whole")), of_sweep(&small.path("all")));
}

#[test]
fn files_of_others_among_a_sweeps_stay_and_a_new_label_is_told_on_its_own_page() {
    let small = sweep("networks");
    let text = small.read("sweep.toml");
    run(&small, "all", &[]);
    let (config, out) = (small.text("sweep.toml"), small.text("all"));
    let (scores, figure) = ("all/random.draws.safetensors", "all/figures/networks_Other.png");
    let own = std::fs::read(small.path(scores)).unwrap();
    for (name, more) in [(scores, "--set=seed=3"), (scores, "--fresh"), (figure, "--set=words.0.name=Other")] {
        small.write(name, "mine");
        let said = fail(&["run", &config, "--out", &out, "--device", "cpu", more], 2);
        assert!(said.contains(&format!("{}: semgpu did not write this file", small.text(name))), "{said}");
        assert_eq!(small.read(name), "mine");
        std::fs::remove_file(small.path(name)).unwrap();
        std::fs::write(small.path(scores), &own).unwrap();
    }
    // Scores of semgpu's own that are cut off.
    std::fs::write(small.path(scores), &own[..own.len() / 2]).unwrap();
    let said = fail(&["run", &config, "--out", &out, "--device", "cpu"], 2);
    assert!(said.contains("random.draws.safetensors: semgpu began this file") && said.contains("remove it"), "{said}");
    std::fs::write(small.path(scores), &own).unwrap();
    // A label with the same folder.
    small.write("sweep.toml", &text.replace("tiny, a graph", "tiny; a graph"));
    let said = run(&small, "all", &[]);
    assert!(said.matches("finished before").count() == 2 && said.contains("all layers are there"), "{said}");
    for page in ["all/report.html", "all/tiny__a_graph/report.html", "all/tiny__a_graph/run.json"] {
        assert!(small.read(page).contains("tiny; a graph") && !small.read(page).contains("tiny, a graph"), "{page}");
    }
    assert_eq!(run(&small, "all", &[]).matches("finished before").count(), 3);
    // A file with the name of the scores of a network that was dropped.
    let (networks, rest) = text.split_once("[stimuli]").unwrap();
    let fewer = networks.rsplit_once("[[network]]").unwrap().0;
    small.write("sweep.toml", &format!("{fewer}[stimuli]{rest}"));
    std::fs::remove_dir_all(small.path("all/tiny__a_graph")).unwrap();
    small.write("all/tiny__a_graph.draws.safetensors", "mine");
    run(&small, "all", &["--fresh"]);
    // Without a family of all networks none are kept, and those of before go.
    assert!(small.path(scores).exists());
    run(&small, "all", &["--fresh", "--set", "inference.family=layers"]);
    assert!(!small.path(scores).exists());
    assert_eq!(small.read("all/tiny__a_graph.draws.safetensors"), "mine");
}

#[test]
fn what_is_wrong_with_a_sweep_is_said_before_any_work() {
    let small = sweep("networks");
    let (config, out) = (small.text("sweep.toml"), small.text("all"));
    let arguments = ["run", &config, "--out", &out];
    let refused = |more: &[&str]| fail(&[&arguments[..], more].concat(), 2);
    // Every network that cannot run is named, with its place.
    let said = refused(&["--set", "network.0.weights=gone.pth", "--set", "network.2.layers=[\"conv9\"]"]);
    assert!(said.contains("2 networks cannot run"), "{said}");
    assert!(said.contains("[[network]] 1 (squeezenet1_1): network.weights: there is no file"), "{said}");
    assert!(said.contains("[[network]] 3 (tiny, a graph): network.layers") && said.contains("conv9"), "{said}");
    let said = refused(&["--set", "network.1.label=SqueezeNet1_1"]);
    assert!(said.contains("[[network]] 1 and 2") && said.contains("label"), "{said}");
    // What they share, once.
    let said = refused(&["--set", "stimuli.manifest=gone.csv"]);
    assert_eq!(said.matches("gone.csv").count(), 1, "{said}");
    let said = refused(&["--set", "two_vs_two.stop_after=5"]);
    assert!(said.contains("two_vs_two.stop_after") && said.contains("every draw of every network"), "{said}");
    assert!(fail(&["bench", "--config", &config], 2).contains("3 networks in [[network]], expected one"));
    assert!(!small.path("all").exists());
    // A dry run writes nothing.
    succeed(&[&arguments[..], &["--dry-run"]].concat());
    assert!(!small.path("all").exists());
    // Neither kind of results goes into the other's directory.
    small.run("single", &[]);
    let said = fail(&["run", &config, "--out", &small.text("single")], 2);
    assert!(said.contains("another experiment"), "{said}");
    run(&small, "all", &[]);
    let said = fail(&["run", &small.text("experiment.toml"), "--out", &out], 2);
    assert!(said.contains("networks of a sweep of another experiment"), "{said}");
    // Nor does --fresh, which is not said to, and nothing is lost.
    let before = files(&small.path("all"));
    for (config, out) in [("experiment.toml", "all"), ("sweep.toml", "single")] {
        for more in [&["--fresh"][..], &[]] {
            let said = fail(&[&["run", &small.text(config), "--out", &small.text(out)], more].concat(), 2);
            assert!(said.contains("or remove this one") && !said.contains("--fresh"), "{said}");
        }
    }
    assert_same(before.clone(), files(&small.path("all")));
    // Networks without what is made of all of them, as copied or where it was lost: they are gone on with.
    let made = ["networks.json", "networks.csv", "accuracy.csv", "report.html"];
    made.iter().for_each(|name| std::fs::remove_file(small.path(&format!("all/{name}"))).unwrap());
    std::fs::remove_dir_all(small.path("all/figures")).unwrap();
    small.write("all/report.html", "mine");
    assert!(fail(&["run", &config, "--out", &small.text("all")], 2).contains("report.html is none of its files"));
    assert_eq!(small.read("all/report.html"), "mine");
    std::fs::remove_file(small.path("all/report.html")).unwrap();
    assert!(run(&small, "all", &[]).contains("finished before"));
    assert_same(before, files(&small.path("all")));
    // A file of others with the name of a sweep's record.
    std::fs::create_dir(small.path("mine")).unwrap();
    small.write("mine/networks.json", "{\"nodes\": [1, 2]}");
    small.write("mine/accuracy.csv", "mine");
    let said = fail(&["run", &config, "--out", &small.text("mine")], 2);
    assert!(said.contains("networks.json is none of its files"), "{said}");
    assert_eq!(small.read("mine/accuracy.csv"), "mine");
    // A network's folder that holds another experiment.
    let said = refused(&["--set", "network.1.label=random", "--set", "seed=4"]);
    assert!(said.contains("random") && said.contains("--fresh"), "{said}");
    // What --fresh removes of it is said before any work.
    let said = run(&small, "all", &["--set", "network.1.label=random", "--set", "seed=4", "--fresh", "--dry-run"]);
    let weights = "network.weights: random, seed 3 there, random, seed 4 here";
    assert!(said.contains(&format!("random: removes the layers of a run of another experiment ({weights})")), "{said}");
    assert!(said.contains("squeezenet1_1: replaces the results of ") && said.contains(": seed 3 -> 4\n"), "{said}");
}
