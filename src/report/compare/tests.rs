use super::*;
use crate::record::Compared;
use crate::report::curves::tests::rows;
use crate::report::networks::tests::row;
use crate::report::style::Shape;
use crate::results::{NetworkRow, figure_name, write_table};

fn of<'a>(run: &'a str, rows: &'a [AccuracyRow]) -> Overlay<'a> {
    Overlay { name: run, run, rows, null: None }
}

#[test]
fn networks_of_any_depth_share_an_axis() {
    let labels = |count: usize| (0..count).map(|n| format!("layer {n}")).collect::<Vec<_>>();
    let (deep, shallow) = (rows("resnet50", &labels(51), &["GloVe"]), rows("vgg16", &labels(17), &["GloVe"]));
    let overlays = [of("deep", &deep), of("shallow", &shallow)];
    let svg = chart(&overlays, &Shown::of(&overlays, &[]), "").draw().svg;
    for text in ["Networks compared, GloVe", "Relative depth", "ResNet-50", "VGG16", "0.4", "chance"] {
        assert!(svg.contains(&format!(">{text}</text>")), "{text}");
    }
    assert!(svg.contains("fill=\"#eeeeee\""), "the null's band");
    let notes = |overlays: &[Overlay]| chart(overlays, &Shown::of(overlays, &[]), "").notes;
    assert!(notes(&overlays).contains(ASIDE) && !notes(&overlays[..1]).contains(ASIDE));
    assert!(
        tests("concepts and groups", [false; 2])
            .ends_with("within.csv (between layers); they generalise to other concepts and groups.")
    );
    assert!(tests("subjects", [true, false]).ends_with("are in within.csv; they generalise to other subjects."));
    assert_eq!(tests("groups", [true; 2]), "");
}

#[test]
fn colour_is_the_run_dash_and_marker_the_words() {
    let labels = ["a", "b"].map(String::from);
    let [one, other] = ["GloVe", "SkipGram"].map(|words| rows("vgg16", &labels, &[words]));
    let overlays = [("trained", &one), ("trained", &other), ("random", &one), ("random", &other)];
    let overlays = overlays.map(|(run, rows)| of(run, rows));
    let shown = Shown::of(&overlays, &[]);
    let chart = chart(&overlays, &shown, "");
    let styles: Vec<CurveStyle> = chart.curves.iter().take(4).map(|curve| curve.style).collect();
    assert!(styles[0].color == styles[1].color && styles[0].dash == styles[2].dash);
    assert!(styles[0].color != styles[2].color && styles[0].dash != styles[1].dash);
    assert!(styles[0].shape == styles[2].shape && styles[0].shape != styles[1].shape);
    let legend: Vec<&str> = chart.legend.iter().map(|entry| entry.text).collect();
    assert_eq!(legend, ["trained", "random", "GloVe", "SkipGram"]);
    let samples: Vec<Shape> = chart.legend.iter().map(|entry| entry.style.shape).collect();
    assert_eq!(samples, [Shape::None, Shape::None, styles[0].shape, styles[1].shape]);
    assert_eq!(chart.title, "VGG16");
}

#[test]
fn every_word_model_of_one_run_has_a_style_of_its_own() {
    let models = ["SkipGram", "GloVe", "BERT", "LSA", "GloVe 50-d", "a", "b"];
    let labels = ["a", "b"].map(String::from);
    let tables = models.map(|words| rows("vgg16", &labels, &[words]));
    let overlays: Vec<Overlay> =
        models.iter().zip(&tables).map(|(name, rows)| Overlay { name, run: "run", rows, null: None }).collect();
    let shown = Shown::of(&overlays, &[]);
    let chart = chart(&overlays, &shown, "");
    for (n, a) in chart.curves[..7].iter().enumerate() {
        assert!(chart.curves[..n].iter().all(|b| a.style.dash != b.style.dash && a.style.shape != b.style.shape));
    }
}

#[test]
fn chance_is_told_apart_where_it_differs() {
    let labels = ["a", "b"].map(String::from);
    let tables = ["GloVe", "SkipGram"].map(|words| rows("vgg16", &labels, &[words]));
    let mut moved = tables.clone();
    moved.iter_mut().flatten().for_each(|row| row.null_mean = 0.6);
    let drawn = |overlays: &[Overlay]| {
        let chart_notes = |chart: Chart| {
            let lines = chart.curves.into_iter().skip(overlays.len()).map(|line| line.style);
            (lines.collect::<Vec<_>>(), chart.notes)
        };
        chart_notes(chart(overlays, &Shown::of(overlays, &[]), "p"))
    };
    let (lines, notes) = drawn(&[of("one", &tables[0]), of("other", &tables[0])]);
    assert!(lines.len() == 1 && lines[0].color == GREY && !notes.contains("Thin lines"));
    let (lines, notes) = drawn(&[of("one", &moved[0]), of("other", &moved[0]), of("third", &tables[0])]);
    assert_eq!(lines.iter().map(|line| line.color).collect::<Vec<_>>(), [curve(0).color, curve(1).color, GREY]);
    assert!(notes.ends_with("of each curve, in its colour.") && notes.contains("the nulls of all curves."), "{notes}");
    let crossed: Vec<Overlay> =
        ["one", "other"].iter().flat_map(|run| moved.iter().map(|rows| of(run, rows))).collect();
    let (lines, notes) = drawn(&crossed);
    assert!(lines[0].color == lines[1].color && lines[0].dash != lines[1].dash, "{lines:?}");
    assert!(notes.ends_with("colour and dash."), "{notes}");
}

#[test]
fn what_was_not_tested_is_not_filled_beside_what_was() {
    let labels = ["a", "b"].map(String::from);
    let tested = rows("vgg16", &labels, &["GloVe"]);
    let mut other = tested.clone();
    for row in &mut other {
        (row.permutations, row.p_value, row.p_fwer) = (0, 1.0, 1.0);
        (row.null_mean, row.null_sd) = (f64::NAN, f64::NAN);
    }
    let drawn = |tables: &[&[AccuracyRow]]| {
        let overlays: Vec<Overlay> =
            tables.iter().zip(["one", "two", "three"]).map(|(rows, run)| of(run, rows)).collect();
        let shown = Shown::of(&overlays, &[]);
        let chart = chart(&overlays, &shown, "p");
        let last = chart.curves[tables.len() - 1].marks.iter().map(|mark| mark.look).collect::<Vec<_>>();
        (last, chart.notes)
    };
    let (looks, notes) = drawn(&[&tested, &other]);
    assert!(looks == [Look::Hollow; 2] && notes.contains("hollow: n.s., or not tested. Band"), "{notes}");
    assert!(notes.ends_with("s.d., of the one curve that was tested."), "{notes}");
    let (_, notes) = drawn(&[&tested, &tested, &other]);
    assert!(notes.ends_with("s.d., spanning the nulls of the curves that were tested."), "{notes}");
    let (_, notes) = drawn(&[&tested, &tested]);
    assert!(notes.contains("hollow: n.s. Band") && notes.ends_with("the nulls of all curves."), "{notes}");
    let (looks, notes) = drawn(&[&other, &other]);
    assert!(looks == [Look::Filled; 2] && !notes.contains("hollow"), "{notes}");
}

#[test]
fn runs_of_a_sweep_have_its_labels() {
    let directory = tempfile::tempdir().unwrap();
    let network = |label: &str| NetworkRow { name: "squeezenet1_1".into(), ..row(label, 0.7) };
    let labels = ["squeezenet1_1", "SqueezeNet 1.1, random"];
    write_table(directory.path(), &labels.map(network)).unwrap();
    let folders = labels.map(figure_name);
    let compared = |folder: &String| {
        let directory = directory.path().join(folder);
        std::fs::create_dir(&directory).unwrap();
        Compared { name: folder.clone(), directory, accuracy: String::new() }
    };
    let runs: Vec<Compared> = folders.iter().map(compared).collect();
    let table = rows("squeezenet1_1", &["a", "b"].map(String::from), &["GloVe"]);
    let overlays: Vec<Overlay> =
        folders.iter().map(|folder| Overlay { name: folder, run: folder, rows: &table, null: None }).collect();
    let shown = Shown::of(&overlays, &runs);
    assert_eq!(
        overlays.iter().map(|overlay| shown.curve(overlay.name)).collect::<Vec<_>>(),
        ["SqueezeNet 1.1", labels[1]]
    );
}
