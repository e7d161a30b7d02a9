use std::num::NonZeroU32;

use burn::tensor::Device;

use super::*;
use crate::evaluation::{Words, evaluate};
use crate::stats::Rsm;
use crate::stats::alignment::Scales;
use crate::stats::inference::Tail;
use crate::stats::permutation::{Permutations, Random};
use crate::stats::rsa::{Rsa, upper};
use crate::stats::scoring::Ties;
use crate::stats::similarity::rsm_of_rows;

const CONCEPTS: usize = 14;

fn layer(random: &mut Random, name: &str, groups: usize) -> LayerRsms {
    let rsm = |random: &mut Random| -> Rsm {
        let rows: Vec<f32> = (0..CONCEPTS * 20).map(|_| random.unit() as f32).collect();
        rsm_of_rows(&rows, CONCEPTS, 20).unwrap()
    };
    LayerRsms {
        name: name.into(),
        label: name.into(),
        units: 20,
        rsms: (0..groups).map(|_| rsm(random)).collect(),
        scales: (0..groups).map(|_| Scales::of_kernel(CONCEPTS)).collect(),
    }
}

fn options(permutations: u64) -> Options {
    Options {
        draws: Permutations::new(2018, CONCEPTS),
        permutations,
        stop_after: None,
        tail: Tail::Upper,
        family: Family::Layers,
        ties: Ties::Half,
        bootstrap: 0,
        unordered: false,
        generalise: None,
        seed: 2018,
        rsa: vec![Rsa::KendallTauA],
        device: Device::flex(),
        known: Draws::default(),
    }
}

/// Two groups, three layers, one word model, and every measure of them.
fn world() -> (Space, Vec<Words>, Alignment) {
    let mut random = Random::keyed(3, 14);
    let space = Space {
        network: "net".into(),
        layers: ["a", "b", "c"].map(|name| layer(&mut random, name, 2)).into(),
        groups: vec!["1".into(), "2".into()],
        concepts: (0..CONCEPTS).map(|concept| concept.to_string()).collect(),
    };
    let of_words = layer(&mut random, "", 1);
    let words = Words {
        name: "W".into(),
        dimensions: 20,
        rsm: of_words.rsms[0].clone(),
        scales: Some(of_words.scales[0].clone()),
    };
    let spaces = vec![WordSpace { name: "W".into(), layers: vec![of_words] }];
    (space, vec![words], Alignment { measures: Measure::ALL.into(), neighbours: 3, words: spaces })
}

#[test]
fn draws_made_elsewhere_give_the_rows_and_are_what_is_used() {
    let (space, _, alignment) = world();
    let own = align(&space, &alignment, &options(40), &Known::default(), &Progress::silent()).unwrap().0;
    assert_eq!(own.len(), 30);
    let of = |range: Range<u64>| {
        draws(&space, &alignment, &options(40), range, &Draws::default(), &Progress::silent()).unwrap()
    };
    let mut known = of(0..17);
    known.append(of(17..41));
    let sharded = Options { known: known.clone(), ..options(40) };
    assert_eq!(align(&space, &alignment, &sharded, &Known::default(), &Progress::silent()).unwrap().0, own);
    // Every measure rests on them: none keeps its value when all scores are zero.
    let mut zero = Draws::default();
    for measure in Measure::ALL {
        let what = families::in_common(measure).unwrap_or_else(|| measure.to_string());
        assert!(known.has(&what, "W"), "{what}");
        zero.insert(&what, "W", vec![vec![0; 41]; 3]);
    }
    let zeros = Options { known: zero, ..options(40) };
    let rows = align(&space, &alignment, &zeros, &Known::default(), &Progress::silent()).unwrap().0;
    assert!(rows.iter().all(|row| row.value == 0.0));
}

#[test]
fn the_main_tests_scores_serve_the_measures_they_have_in_common() {
    let (space, words, alignment) = world();
    let (options, kept) = (options(40), in_common(&alignment.measures));
    let scores = evaluate(&space, &words, &options, &kept, &Progress::silent()).unwrap().scores;
    assert_eq!(scores.families().map(|(name, _)| name).collect::<Vec<_>>(), ["2 vs. 2, W", "RSA, kendall-tau-a, W"]);
    let of = draws(&space, &alignment, &options, 0..41, &Draws::default(), &Progress::silent()).unwrap();
    let of: Vec<_> = of.families().filter(|(name, _)| scores.families().any(|(other, _)| other == *name)).collect();
    assert_eq!(of, scores.families().collect::<Vec<_>>());
    // What is done is not done again.
    let rest = draws(&space, &alignment, &options, 0..41, &scores, &Progress::silent()).unwrap();
    assert_eq!(rest.families().count(), Measure::ALL.len() - 2);
}

#[test]
fn every_value_has_an_interval_and_what_the_groups_agree_on() {
    let (space, words, alignment) = world();
    let options = Options { bootstrap: 40, ..options(20) };
    let own = align(&space, &alignment, &options, &Known::default(), &Progress::silent()).unwrap().0;
    for row in &own {
        let (low, high) = row.ci_low.zip(row.ci_high).unwrap_or_else(|| panic!("{} {}", row.measure, row.layer));
        assert!(low <= row.value && row.value <= high, "{}: {low} {} {high}", row.measure, row.value);
        let (lower, upper) = row.ceiling_low.zip(row.ceiling_high).unwrap();
        assert!(lower <= upper && lower > -1.0 && upper <= 1.0 + 1e-12, "{}: {lower} {upper}", row.measure);
    }
    // The main test's accuracies, their intervals and ceilings are those of its measure.
    let main = evaluate(&space, &words, &options, &in_common(&alignment.measures), &Progress::silent()).unwrap();
    let known = Known { scores: Some(&main.scores), accuracy: &main.results.accuracy };
    assert_eq!(align(&space, &alignment, &options, &known, &Progress::silent()).unwrap().0, own);
    for (row, accuracy) in own.iter().zip(&main.results.accuracy) {
        assert_eq!(
            (row.value, row.ci_low, row.ceiling_low),
            (accuracy.accuracy, accuracy.ci_low, accuracy.ceiling_low)
        );
    }
    let changed: Vec<AccuracyRow> =
        main.results.accuracy.iter().map(|row| AccuracyRow { ci_low: Some(-7.0), ..row.clone() }).collect();
    let known = Known { scores: None, accuracy: &changed };
    let rows = align(&space, &alignment, &options, &known, &Progress::silent()).unwrap().0;
    assert!(rows[..3].iter().all(|row| row.ci_low == Some(-7.0)) && rows[3..] == own[3..]);
    let alone = Options { bootstrap: 0, ..options };
    let rows = align(&space, &alignment, &alone, &Known::default(), &Progress::silent()).unwrap().0;
    assert!(rows.iter().all(|row| row.ci_low.is_none() && row.ceiling_low.is_some()));
}

/// Two layers of words: noise, and what the images' first layer has in its first group.
fn layered(space: &Space) -> WordSpace {
    let Space { layers, .. } = space;
    let mut like = layer(&mut Random::keyed(5, 14), "h2", 1);
    (like.rsms, like.scales) = (vec![layers[0].rsms[0].clone()], vec![layers[0].scales[0].clone()]);
    WordSpace { name: "V".into(), layers: vec![layer(&mut Random::keyed(6, 14), "h1", 1), like] }
}

#[test]
fn what_is_inferred_together_stops_at_the_same_draw() {
    let (space, _, mut alignment) = world();
    let alone = [world().2, Alignment { measures: Measure::ALL.into(), neighbours: 3, words: vec![layered(&space)] }];
    alignment.words.push(layered(&space));
    for family in [Family::Layers, Family::Words, Family::Networks] {
        let early = Options { stop_after: NonZeroU32::new(3), family, ..options(400) };
        let of = |alignment| align(&space, alignment, &early, &Known::default(), &Progress::silent()).unwrap().0;
        let rows = of(&alignment);
        assert_eq!(rows.len(), Measure::ALL.len() * 9);
        // Some pairs draw to the end, others of their measure, word model and family stop long before.
        for measure in Measure::ALL {
            let drawn = |words: &str| -> Vec<u64> {
                let of = rows.iter().filter(|row| row.measure == measure.name() && row.words == words);
                of.map(|row| row.permutations).collect()
            };
            assert!(drawn("V").contains(&400) && drawn("V").iter().any(|&draws| draws < 400), "{:?}", drawn("V"));
            assert!(drawn("W").iter().any(|&draws| draws < 400), "{measure}: {:?}", drawn("W"));
        }
        // A pair's p-value is that of its own draws, whatever is drawn beside it.
        let own = |row: &MeasureRow| (row.value, row.permutations, row.p_value);
        for alone in alone.iter().flat_map(of) {
            let same = |row: &&MeasureRow| {
                [&row.measure, &row.words, &row.words_layer, &row.layer]
                    == [&alone.measure, &alone.words, &alone.words_layer, &alone.layer]
            };
            assert_eq!(rows.iter().find(same).map(own), Some(own(&alone)), "{} {}", alone.measure, alone.layer);
        }
    }
}

/// Image 4 of layer b is constant in the second group.
fn darken(space: &mut Space) {
    let mut values = space.layers[1].rsms[1].values().to_vec();
    (0..CONCEPTS)
        .filter(|&n| n != 4)
        .for_each(|n| (values[4 * CONCEPTS + n], values[n * CONCEPTS + 4]) = (f64::NAN, f64::NAN));
    space.layers[1].rsms[1] = Rsm::new(CONCEPTS, values);
}

#[test]
fn what_a_constant_image_takes_from_measures_is_told() {
    let (mut space, _, mut alignment) = world();
    darken(&mut space);
    alignment.measures = vec![Measure::RsaPearson, Measure::RsaSpearman, Measure::Cka];
    let options = Options { bootstrap: 9, ..options(9) };
    let (rows, said) = align(&space, &alignment, &options, &Known::default(), &Progress::silent()).unwrap();
    assert_eq!(rows.len(), 9, "every layer has a value by every measure");
    let whose = "layer b: 1 image has no variance over the units, that of \"4\" in group 2";
    let lost = "rsa-pearson, rsa-spearman: its 13 of 182 pairs are left out; cka: 0 stands for its similarities";
    let none = |m: &str| format!("{m}: no interval at b: an image is constant there, or no resample has a value");
    assert_eq!(said, [format!("{whose}; {lost}"), none("rsa-pearson"), none("rsa-spearman")]);
    let intervals: Vec<bool> = rows.iter().map(|row| row.ci_low.is_some()).collect();
    assert_eq!(intervals, [true, false, true, true, false, true, true, true, true]);
}

#[test]
fn groups_of_words_meet_their_own_images_where_an_image_is_constant() {
    let (mut space, _, mut alignment) = world();
    alignment.measures = vec![Measure::RsaPearson, Measure::RsaSpearman];
    alignment.words = vec![WordSpace { name: "G".into(), layers: vec![layer(&mut Random::keyed(7, 14), "h", 2)] }];
    let of = |space: &Space| align(space, &alignment, &options(40), &Known::default(), &Progress::silent()).unwrap();
    let complete = of(&space).0;
    darken(&mut space);
    let (rows, said) = of(&space);
    assert_eq!(rows.iter().map(|row| row.layer.as_str()).collect::<Vec<_>>(), ["a", "c", "a", "c"]);
    let expected = |measure: Measure| {
        format!("{measure}: net b: left out: it does not vary over the concepts, or one has no correlation")
    };
    assert_eq!(said, alignment.measures.iter().copied().map(expected).collect::<Vec<_>>());
    for (row, before) in rows.iter().zip(complete.iter().filter(|row| row.layer != "b")) {
        assert_eq!((row.value, row.p_value, row.null_mean), (before.value, before.p_value, before.null_mean));
    }
    // Each group of words with its own images.
    for row in &rows[..2] {
        let images = &space.layers.iter().find(|layer| layer.name == row.layer).unwrap().rsms;
        let groups = alignment.words[0].layers[0].rsms.iter().zip(images);
        let sum: f64 =
            groups.map(|(words, images)| Rsa::Pearson.correlation(&upper(words), &upper(images)).unwrap()).sum();
        assert!((row.value - sum / 2.0).abs() < 1e-12, "{}, expected {}", row.value, sum / 2.0);
    }
}

#[test]
fn vectors_that_have_all_but_rounding_in_common_are_left_out_and_what_helps_is_said() {
    let (mut space, _, mut alignment) = world();
    alignment.measures = vec![Measure::Cka, Measure::CkaDebiased, Measure::CkaRbf];
    space.layers[1].scales.iter_mut().for_each(|scales| scales.means.fill(1e9));
    let (rows, said) = align(&space, &alignment, &options(9), &Known::default(), &Progress::silent()).unwrap();
    assert!(rows.len() == 6 && rows.iter().all(|row| row.layer != "b"), "{rows:?}");
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.iter().all(|said| said.contains("net b: left out") && said.contains("its mean over the concepts")));
}

#[test]
fn groups_of_words_meet_images_without_groups() {
    let (mut space, _, mut alignment) = world();
    space.groups.truncate(1);
    for layer in &mut space.layers {
        layer.rsms.truncate(1);
        layer.scales.truncate(1);
    }
    // Of CKNNA a layer may have no value.
    let others = [Measure::TwoVsTwo, Measure::RsaKendall, Measure::Cknna];
    alignment.measures.retain(|measure| !others.contains(measure));
    let grouped = layer(&mut Random::keyed(7, 14), "", 2);
    let one = |group: usize| {
        let (rsms, scales) = (vec![grouped.rsms[group].clone()], vec![grouped.scales[group].clone()]);
        LayerRsms { name: String::new(), label: String::new(), units: 20, rsms, scales }
    };
    let (single, own) = (world().2.words, [one(0), one(1)]);
    let of = |alignment: &Alignment| {
        let options = Options { bootstrap: 20, ..options(20) };
        align(&space, alignment, &options, &Known::default(), &Progress::silent()).unwrap().0
    };
    let [first, second] = own.map(|layer| {
        alignment.words = vec![WordSpace { name: "G".into(), layers: vec![layer] }];
        of(&alignment)
    });
    alignment.words = vec![WordSpace { name: "G".into(), layers: vec![grouped] }];
    let together = of(&alignment);
    assert_eq!(together.len(), alignment.measures.len() * 3);
    for (row, (a, b)) in together.iter().zip(first.iter().zip(&second)) {
        let expected = (a.value + b.value) / 2.0;
        assert!((row.value - expected).abs() < 1e-12, "{}: {}, expected {expected}", row.measure, row.value);
        assert_eq!((row.groups, a.groups, row.permutations), (2, 1, 20), "{}", row.measure);
        assert!(row.ci_low.is_some() && row.ceiling_low.is_none(), "{}", row.measure);
    }
    // Beside them words without groups are as they are alone.
    alignment.words = single;
    let alone = of(&alignment);
    alignment.words.push(WordSpace { name: "G".into(), layers: vec![layer(&mut Random::keyed(7, 14), "", 2)] });
    let beside = of(&alignment);
    for (row, alone) in beside.iter().filter(|row| row.words == "W").zip(&alone) {
        assert!((row.value - alone.value).abs() < 1e-12 && row.groups == 1 && row.ceiling_low.is_none());
    }
}

#[test]
fn calibrated_scores_are_of_the_upper_tail_alone() {
    let (space, _, alignment) = world();
    let of = |tail: Tail| {
        let options = Options { tail, ..options(40) };
        align(&space, &alignment, &options, &Known::default(), &Progress::silent()).unwrap().0
    };
    for row in of(Tail::Upper) {
        assert!(row.tau.is_some() && row.calibrated_both.is_some());
    }
    for row in of(Tail::Lower).into_iter().chain(of(Tail::Two)) {
        assert_eq!((row.tau, row.tau_both, row.calibrated, row.calibrated_both), (None, None, None, None));
        assert!(row.p_both > 0.0);
    }
}

#[test]
fn a_measure_above_1_has_no_calibrated_score() {
    let (mut space, _, mut alignment) = world();
    // Similarities of one sign, as of images, and nearly all others are neighbours.
    let layers = space.layers.iter_mut().chain(alignment.words.iter_mut().flat_map(|words| &mut words.layers));
    for rsm in layers.flat_map(|layer| &mut layer.rsms) {
        *rsm = Rsm::new(CONCEPTS, rsm.values().iter().map(|r| 0.9 + 0.1 * r).collect());
    }
    alignment.measures = vec![Measure::Cka, Measure::Cknna];
    let of =
        |alignment: &Alignment| align(&space, alignment, &options(40), &Known::default(), &Progress::silent()).unwrap();
    let few = of(&alignment);
    assert!(few.0.iter().all(|row| row.calibrated.is_some() && row.calibrated_both.is_some()), "{:?}", few.1);
    alignment.neighbours = 11;
    let (rows, warnings) = of(&alignment);
    for row in rows.iter().filter(|row| row.measure == "cknna") {
        assert!(row.tau > Some(1.0) && row.calibrated.is_none() && row.calibrated_both.is_none() && row.p_value > 0.0);
    }
    assert!(rows.iter().filter(|row| row.measure == "cka").all(|row| row.calibrated.is_some()));
    assert!(warnings.iter().any(|said| said.starts_with("cknna: no calibrated score at 3 of 3 pairs")), "{warnings:?}");
}

#[test]
fn intervals_hold_the_value_that_is_written() {
    let (mut space, _, mut alignment) = world();
    space.groups.truncate(1);
    for layer in &mut space.layers {
        layer.rsms.truncate(1);
        layer.scales.truncate(1);
    }
    // A space with itself, and (by correlations) with its opposite.
    let own = alignment.words[0].layers[0].rsms[0].clone();
    let opposite = own.values().iter().enumerate().map(|(n, r)| if n % (CONCEPTS + 1) == 0 { 1.0 } else { -r });
    space.layers[1].rsms[0] = Rsm::new(CONCEPTS, opposite.collect());
    space.layers[0].rsms[0] = own;
    alignment.measures.retain(|&measure| measure != Measure::Cknna);
    let options = Options { bootstrap: 20, ..options(0) };
    let rows = align(&space, &alignment, &options, &Known::default(), &Progress::silent()).unwrap().0;
    assert_eq!(rows.len(), alignment.measures.len() * 3);
    for row in rows {
        let Some((low, high)) = row.ci_low.zip(row.ci_high) else { panic!("{} {}", row.measure, row.layer) };
        assert!(low <= row.value && row.value <= high, "{}: {low} {} {high}", row.measure, row.value);
        assert!(-1.0 <= low && high <= 1.0, "{}: {low} {high}", row.measure);
    }
}
