use std::ops::ControlFlow;

use super::*;
use crate::stats::inference::{self, Inference, LayerScores, Rule};
use crate::stats::permutation::Random;
use crate::stats::rsa::Rsa;

/// Sums of a few dozen terms of order 1.
const CLOSE: f64 = 1e-13;

/// The margin of one mistake by the definition; shares nothing with [`OneVsTwoTest`], which is held to it.
///
/// # Shapes
/// As [`OneVsTwoTest::new`]; `image` is the RSM of the mistake's group, `columns` those of the margin, `draw` a permutation
/// of the words.
fn margin_reference(words: &Rsm, image: &Rsm, columns: &[usize], mistake: &Mistake, draw: &[u32]) -> f64 {
    let (mut seen, mut truth, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
    for &j in columns {
        let column = draw[j] as usize;
        seen.push(image.row(mistake.image)[j]);
        truth.push(words.row(draw[mistake.truth] as usize)[column]);
        predicted.push(words.row(draw[mistake.predicted] as usize)[column]);
    }
    crate::stats::two_vs_two::pearson(&seen, &truth) - crate::stats::two_vs_two::pearson(&seen, &predicted)
}

/// The RSM of random vectors of so many units.
fn random_rsm(random: &mut Random, concepts: usize, units: usize) -> Rsm {
    let vectors: Vec<Vec<f64>> = (0..concepts).map(|_| (0..units).map(|_| random.normal()).collect()).collect();
    let r = |a: usize, b: usize| Rsa::Pearson.correlation(&vectors[a], &vectors[b]).unwrap();
    Rsm::new(
        concepts,
        (0..concepts * concepts)
            .map(|at| if at % (concepts + 1) == 0 { 1.0 } else { r(at / concepts, at % concepts) })
            .collect(),
    )
}

/// Answers of a network that is right on two thirds of `concepts`; some mistakes fall on words from `concepts` to
/// `words`, outside the manifest.
fn answers(random: &mut Random, concepts: usize, words: usize) -> Answers {
    let mut answers = Answers::default();
    for concept in 0..concepts {
        if random.below(3) > 0 {
            answers.correct.push(concept);
            continue;
        }
        let predicted = random.below(words as u32) as usize;
        if predicted != concept {
            answers.mistakes.push(Mistake { image: concept, truth: concept, predicted });
        }
    }
    answers
}

/// A word RSM, two groups' answers, and the RSMs of three layers in both.
fn world(seed: u64, concepts: usize, outside: usize) -> (Rsm, [Answers; 2], [Vec<Rsm>; 3]) {
    let mut random = Random::keyed(seed, 0);
    let words = random_rsm(&mut random, concepts + outside, 20);
    let groups = [0; 2].map(|_| answers(&mut random, concepts, concepts + outside));
    let layers = [0; 3].map(|_| vec![random_rsm(&mut random, concepts, 30), random_rsm(&mut random, concepts, 30)]);
    (words, groups, layers)
}

/// One layer's result.
#[derive(Debug)]
struct LayerTest {
    margins: Vec<Option<f64>>,
    passed: u64,
    ties: u64,
    scores: LayerScores,
}

/// Without the columns of the two classes.
fn test(words: &Rsm, groups: &[Answers], layers: &[Vec<Rsm>], permutations: u64) -> Vec<LayerTest> {
    test_by((Columns::Others, Ties::Lost), words, groups, layers, permutations)
}

fn test_by(
    rules: (Columns, Ties),
    words: &Rsm,
    groups: &[Answers],
    layers: &[Vec<Rsm>],
    permutations: u64,
) -> Vec<LayerTest> {
    let layers: Vec<&[Rsm]> = layers.iter().map(Vec::as_slice).collect();
    let draws = Permutations::new(7, words.concepts());
    let test = OneVsTwoTest::new(words, groups, &layers, &draws, rules);
    let points = test.points(0..permutations + 1, &|_| ControlFlow::Continue(())).unwrap();
    let layer = |(layer, points): (usize, Vec<i64>)| {
        let margins: Vec<Option<f64>> = test.margins().iter().map(|margins| margins[layer]).collect();
        let count = |what| margins.iter().flatten().filter(|&&margin| outcome(margin) == what).count() as u64;
        let (passed, ties) = (count(Outcome::Passed), count(Outcome::Tie));
        LayerTest { passed, ties, scores: LayerScores::new(points, test.whole()), margins }
    };
    points.into_iter().enumerate().map(layer).collect()
}

fn inferences(
    columns: Columns,
    words: &Rsm,
    groups: &[Answers],
    layers: &[Vec<Rsm>],
    permutations: u64,
) -> Vec<Inference> {
    let layers: Vec<&[Rsm]> = layers.iter().map(Vec::as_slice).collect();
    let draws = Permutations::new(7, words.concepts());
    let test = OneVsTwoTest::new(words, groups, &layers, &draws, (columns, Ties::Lost));
    inference::test(&test, Rule { permutations, ..Rule::default() }, &|_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn it_stops_when_asked() {
    let (words, groups, layers) = world(1, 12, 3);
    let layers: Vec<&[Rsm]> = layers.iter().map(Vec::as_slice).collect();
    let draws = Permutations::new(7, 15);
    let test = OneVsTwoTest::new(&words, &groups, &layers, &draws, (Columns::Paper, Ties::Lost));
    assert_eq!(test.points(0..10, &|_| ControlFlow::Break(())), Err(Interrupted));
}

#[test]
fn by_hand() {
    // Concept 0 is taken for 1; columns 2 to 6. Its image's correlations with theirs rise in steps of 0.1.
    let mut image = vec![0.5; 49];
    let mut words = vec![0.5; 49];
    for (n, j) in (2..7).enumerate() {
        image[j] = 0.1 * n as f64;
        // The true word's rise too, with two steps exchanged: deviations -2 -1 0 1 2 and -2 -1 1 0 2 give 9 / 10.
        words[j] = [0.1, 0.2, 0.4, 0.3, 0.5][n];
        // The predicted word's fall: -1.
        words[7 + j] = 0.9 - 0.1 * n as f64;
    }
    let (image, words) = (Rsm::new(7, image), Rsm::new(7, words));
    let mistake = Mistake { image: 0, truth: 0, predicted: 1 };
    // The predicted class's own image is recognised; it is a column by the letter of the paper.
    let groups = [Answers { correct: vec![1, 2, 3, 4, 5, 6], mistakes: vec![mistake] }];
    let [tested] = &test(&words, &groups, &[vec![image.clone()]], 0)[..] else { panic!() };
    assert!((tested.margins[0].unwrap() - 1.9).abs() < CLOSE, "{tested:?}");
    assert_eq!((tested.passed, tested.ties), (1, 0));
    assert_eq!(tested.scores.observed(), 1.0);
    let identity = [0, 1, 2, 3, 4, 5, 6];
    let reference = margin_reference(&words, &image, &[2, 3, 4, 5, 6], &mistake, &identity);
    assert!((reference - 1.9).abs() < CLOSE, "{reference}");
    // With it: the image's 0.5, the true word's 0.5 and the predicted word's 0.5 (its own 1 would stand there, were the
    // matrix one of correlations).
    let paper = &test_by((Columns::Paper, Ties::Lost), &words, &groups, &[vec![image.clone()]], 0)[0];
    let reference = margin_reference(&words, &image, &[1, 2, 3, 4, 5, 6], &mistake, &identity);
    assert!((paper.margins[0].unwrap() - reference).abs() < CLOSE && (reference - 1.9).abs() > 0.001, "{reference}");
}

#[test]
fn every_draw_equals_the_definition() {
    let (words, groups, layers) = world(1, 40, 5);
    let draws = Permutations::new(7, 45);
    let others = |correct: &[usize], m: &Mistake| -> Vec<usize> {
        correct.iter().copied().filter(|j| ![m.truth, m.predicted].contains(j)).collect()
    };
    for columns in [Columns::Paper, Columns::Others] {
        let tested = test_by((columns, Ties::Lost), &words, &groups, &layers, 20);
        for (layer, tested) in layers.iter().zip(&tested) {
            let scores: Vec<f64> = [tested.scores.observed()].into_iter().chain(tested.scores.null()).collect();
            for (t, score) in scores.into_iter().enumerate() {
                let draw = draws.draw(t as u64);
                let margins: Vec<f64> = groups
                    .iter()
                    .zip(layer)
                    .flat_map(|(group, image)| group.mistakes.iter().map(move |mistake| (group, image, mistake)))
                    .map(|(group, image, mistake)| {
                        let left = others(&group.correct, mistake);
                        let columns = if columns == Columns::Paper { &group.correct } else { &left };
                        margin_reference(&words, image, columns, mistake, &draw)
                    })
                    .collect();
                let passed = margins.iter().filter(|&&margin| margin > 0.0).count();
                assert_eq!(score, passed as f64 / margins.len() as f64, "{columns:?}, draw {t}");
                if t == 0 {
                    let same = |(found, expected): (&Option<f64>, &f64)| (found.unwrap() - expected).abs() < CLOSE;
                    assert!(tested.margins.iter().zip(&margins).all(same));
                }
            }
        }
    }
    let p = |columns| test_by((columns, Ties::Lost), &words, &groups, &layers, 0)[0].margins.clone();
    assert_ne!(p(Columns::Paper), p(Columns::Others), "the predicted class's own image is a column somewhere");
}

#[test]
fn exchanging_true_and_predicted_gives_one_minus_the_accuracy_in_every_draw() {
    let (words, groups, layers) = world(2, 40, 5);
    let exchanged = groups.clone().map(|mut group| {
        group.mistakes.iter_mut().for_each(|m| std::mem::swap(&mut m.truth, &mut m.predicted));
        group
    });
    let there = test(&words, &groups, &layers, 50);
    let back = test(&words, &exchanged, &layers, 50);
    for (there, back) in there.iter().zip(&back) {
        assert_eq!(there.ties, 0);
        assert!((there.scores.observed() + back.scores.observed() - 1.0).abs() < CLOSE);
        assert!(there.scores.null().zip(back.scores.null()).all(|(a, b)| (a + b - 1.0).abs() < CLOSE));
    }
}

#[test]
fn the_order_of_the_concepts_changes_nothing() {
    let (words, groups, layers) = world(3, 40, 0);
    let order: Vec<usize> = Permutations::new(5, 40).draw(1).iter().map(|&c| c as usize).collect();
    let place = |concept: usize| order.iter().position(|&c| c == concept).unwrap();
    let moved = |rsm: &Rsm| Rsm::new(40, (0..1600).map(|at| rsm.row(order[at / 40])[order[at % 40]]).collect());
    let groups_moved = groups.clone().map(|group| Answers {
        correct: group.correct.iter().map(|&c| place(c)).collect(),
        mistakes: group
            .mistakes
            .iter()
            .map(|m| Mistake { image: place(m.image), truth: place(m.truth), predicted: place(m.predicted) })
            .collect(),
    });
    let layers_moved: Vec<Vec<Rsm>> = layers.iter().map(|groups| groups.iter().map(moved).collect()).collect();
    let there = test(&words, &groups, &layers, 0);
    let back = test(&moved(&words), &groups_moved, &layers_moved, 0);
    for (there, back) in there.iter().zip(&back) {
        assert_eq!((there.passed, there.ties), (back.passed, back.ties));
        let same = |(a, b): (&Option<f64>, &Option<f64>)| (a.unwrap() - b.unwrap()).abs() < CLOSE;
        assert!(there.margins.iter().zip(&back.margins).all(same));
    }
}

#[test]
fn words_that_mean_the_same_tie_by_rule() {
    // All words have the same similarities to the columns: no word is nearer.
    let words = Rsm::new(8, (0..64).map(|at| if at / 8 == at % 8 { 1.0 } else { (at % 8) as f64 / 10.0 }).collect());
    let image = random_rsm(&mut Random::keyed(4, 0), 8, 10);
    let mistakes = vec![Mistake { image: 0, truth: 0, predicted: 1 }];
    let groups = [Answers { correct: vec![2, 3, 4, 5, 6], mistakes }];
    for (ties, accuracy) in [(Ties::Lost, 0.0), (Ties::Half, 0.5), (Ties::Won, 1.0)] {
        let tested = &test_by((Columns::Paper, ties), &words, &groups, &[vec![image.clone()]], 0)[0];
        assert_eq!((tested.passed, tested.ties, tested.scores.observed()), (0, 1, accuracy));
    }
}

#[test]
fn a_constant_image_scores_half_in_every_draw() {
    let (words, groups, mut layers) = world(5, 40, 0);
    let dark = groups[0].mistakes[0].image;
    let hidden = |at: usize| (at / 40 == dark) != (at % 40 == dark);
    let seen = layers[1][0].values();
    layers[1][0] = Rsm::new(40, (0..1600).map(|at| if hidden(at) { f64::NAN } else { seen[at] }).collect());
    let with = test(&words, &groups, &layers, 10);
    let mut without = groups.clone();
    without[0].mistakes.remove(0);
    let rest = test(&words, &without, &layers, 10);
    assert_eq!(with[1].margins[0], None);
    assert_eq!(with[1].passed, rest[1].passed);
    let images = with[1].margins.len() as f64;
    let expected = |accuracy: f64| (accuracy * (images - 1.0) + 0.5) / images;
    let nulls = with[1].scores.null().zip(rest[1].scores.null());
    assert!(
        nulls
            .chain([(with[1].scores.observed(), rest[1].scores.observed())])
            .all(|(found, accuracy)| { (found - expected(accuracy)).abs() < CLOSE })
    );
}

#[test]
fn p_is_calibrated_and_without_the_two_columns_chance_is_one_half() {
    const WORLDS: u64 = 300;
    for columns in [Columns::Paper, Columns::Others] {
        let worlds: Vec<(f64, f64, f64)> = (0..WORLDS)
            .into_par_iter()
            .map(|seed| {
                let (words, groups, layers) = world(100 + seed, 20, 4);
                let inferred = inferences(columns, &words, &groups, &layers, 99);
                let smallest = inferred.iter().map(|i| i.p_fwer).fold(1.0, f64::min);
                (inferred[0].p_value, smallest, inferred[0].null_mean)
            })
            .collect();
        // Of 300 uniform p-values more than 28 (fewer than 4) are at most 0.05 in one run out of 1000. A test of few
        // images has few values and its p-values are above uniform, never below.
        let rejected = worlds.iter().filter(|(p, ..)| *p <= 0.05).count();
        assert!(rejected <= 28, "{columns:?}: {rejected} of {WORLDS}");
        let families = worlds.iter().filter(|(_, p, _)| *p <= 0.05).count();
        assert!((2..=28).contains(&families), "{columns:?}: {families} families of {WORLDS}");
        // A draw's accuracy over a dozen images has a standard deviation below 0.25, 300 x 99 of them 0.25 / sqrt(300)
        // at the worst, were the draws of a world all alike; four of those.
        let mean = worlds.iter().map(|(_, _, mean)| mean).sum::<f64>() / WORLDS as f64;
        let close = (mean - 0.5).abs() < 4.0 * 0.25 / (WORLDS as f64).sqrt();
        assert!(close || columns == Columns::Paper, "{mean}");
    }
}

#[test]
fn images_that_keep_their_meaning_are_significant() {
    // Images whose similarities are those of the true words.
    let (words, groups, _) = world(6, 40, 0);
    let layers = [vec![words.clone(), words.clone()]];
    let inferred = inferences(Columns::Paper, &words, &groups, &layers, 99)[0];
    assert_eq!((inferred.value, inferred.p_value), (1.0, 0.01));
}

#[test]
#[should_panic(expected = "a margin is a number")]
fn a_margin_that_is_none_is_no_tie() {
    outcome(f64::NAN);
}

#[test]
fn a_class_is_lost_where_no_later_layer_has_an_advantage() {
    let lost = |margins: &[f64]| lost_from(&margins.iter().map(|&m| Some(m)).collect::<Vec<_>>());
    assert_eq!(lost(&[0.1, -0.1, 0.2, 0.0, -0.3]), Some(3));
    assert_eq!(lost(&[0.1, -0.1, 0.2]), None);
    assert_eq!(lost(&[-0.1, -0.1]), Some(0));
    assert_eq!(lost_from(&[Some(0.1), None]), Some(1));
}

#[test]
fn margins_are_those_of_the_definition_in_numpy() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../../../tests/golden/inference.json")).unwrap();
    let golden = &golden["one_vs_two"];
    let rsm = |name: &str| {
        let rows: Vec<Vec<f64>> = serde_json::from_value(golden[name].clone()).unwrap();
        Rsm::new(rows.len(), rows.concat())
    };
    let (words, image) = (rsm("word_rsm"), rsm("image_rsm"));
    let mistakes: Vec<(usize, usize)> = serde_json::from_value(golden["mistakes"].clone()).unwrap();
    let answers = Answers {
        correct: serde_json::from_value(golden["correct"].clone()).unwrap(),
        mistakes: mistakes.into_iter().map(|(truth, predicted)| Mistake { image: truth, truth, predicted }).collect(),
    };
    let permutations: Vec<Vec<u32>> = serde_json::from_value(golden["permutations"].clone()).unwrap();
    let draws = Permutations::new(1, words.concepts());
    for (name, columns) in [("paper", Columns::Paper), ("others", Columns::Others)] {
        let expected: Vec<Vec<f64>> = serde_json::from_value(golden["margins"][name].clone()).unwrap();
        let groups = [answers.clone()];
        let layer = [image.clone()];
        let test = OneVsTwoTest::new(&words, &groups, &[&layer], &draws, (columns, Ties::Lost));
        for (draw, expected) in permutations.iter().zip(&expected) {
            let found: Vec<f64> = test.images.iter().map(|image| image.margins(&words, draw)[0].unwrap()).collect();
            assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < CLOSE), "{name}: {found:?}, {expected:?}");
        }
    }
}
