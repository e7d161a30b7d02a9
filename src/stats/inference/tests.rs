use super::super::permutation::Random;
use super::*;

fn layer(points: &[i64]) -> LayerScores {
    LayerScores::new(points.to_vec(), 10)
}

/// Points that are known beforehand.
struct Known(Vec<Vec<i64>>);

impl Statistic for Known {
    type Error = super::super::Interrupted;

    fn whole(&self) -> i64 {
        10
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Self::Error> {
        super::super::report(progress, draws.end - draws.start)?;
        let draws = draws.start as usize..draws.end as usize;
        Ok(self.0.iter().map(|points| points[draws.clone()].to_vec()).collect())
    }
}

#[test]
fn a_family_is_drawn_until_the_rule_is_met() {
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    // Every third draw reaches the first layer, every 40th the second: its fourth exceedance is draw 160.
    let points = |every: u64| (0..=1000).map(|t| 5 + i64::from(t % every == 0)).collect::<Vec<i64>>();
    let known = Known(vec![points(3), points(40)]);
    let scores: Vec<LayerScores> = known.0.iter().map(|points| layer(points)).collect();
    for (stop_after, expected) in [(None, 1001), (NonZeroU32::new(4), 201), (NonZeroU32::new(26), 1001)] {
        let drawn = AtomicU64::new(0);
        let progress = |draws| {
            drawn.fetch_add(draws, Relaxed);
            ControlFlow::Continue(())
        };
        let tested = test(&known, Rule { permutations: 1000, stop_after, ..Rule::default() }, &progress).unwrap();
        assert_eq!((drawn.into_inner(), tested), (expected, infer(&scores, Tail::Upper, stop_after)));
    }
    let stopped = test(&known, Rule { permutations: 9, ..Rule::default() }, &|_| ControlFlow::Break(()));
    assert!(stopped.is_err());
}

#[test]
fn p_counts_the_draws_that_reach_the_observed_value() {
    // Observed 8; of 4 draws 9 and 8 reach it.
    let [inference] = infer(&[layer(&[8, 5, 9, 8, 2])], Tail::Upper, None)[..] else { panic!() };
    assert_eq!(inference.p_value, 3.0 / 5.0);
    assert_eq!(inference.p_fwer, 3.0 / 5.0);
    assert_eq!(inference.permutations, 4);
    assert!((inference.null_mean - 0.6).abs() < 1e-15);
    // Deviations -0.1, 0.3, 0.2, -0.4: squares sum to 0.30, / 4.
    assert!((inference.null_sd - 0.075_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn p_lies_within_its_bounds() {
    assert_eq!(infer(&[layer(&[10, 1, 2, 3])], Tail::Upper, None)[0].p_value, 1.0 / 4.0);
    assert_eq!(infer(&[layer(&[0, 1, 2, 3])], Tail::Upper, None)[0].p_value, 1.0);
    let without_draws = infer(&[layer(&[7])], Tail::Upper, None)[0];
    assert_eq!(without_draws.p_value, 1.0);
    assert!(without_draws.null_mean.is_nan());
    assert_eq!(infer::<LayerScores>(&[], Tail::Upper, None), []);
}

#[test]
fn fwer_is_against_the_studentised_maximum_of_each_draw() {
    // Means 5 and 4 of all four values, the observed among them; deviations 3 0 2 -5 and 2 2 -2 -2 in units of
    // sqrt(38 / 4) = 3.08 and 2: 0.97 0.00 0.65 -1.62 and 1.00 1.00 -1.00 -1.00. Maxima of the draws: 1.00 0.65 -1.00.
    let family = [layer(&[8, 5, 7, 0]), layer(&[6, 6, 2, 2])];
    let inferences = infer(&family, Tail::Upper, None);
    assert_eq!(inferences.iter().map(|i| i.p_value).collect::<Vec<_>>(), [1.0 / 4.0, 2.0 / 4.0]);
    assert_eq!(inferences.iter().map(|i| i.p_fwer).collect::<Vec<_>>(), [2.0 / 4.0, 2.0 / 4.0]);
    // Lower: observed -0.97 and -1.00; maxima of the draws 0.00 and -1.00, -0.65 and 1.00, 1.62 and 1.00.
    let inferences = infer(&family, Tail::Lower, None);
    assert_eq!(inferences.iter().map(|i| i.p_value).collect::<Vec<_>>(), [1.0, 1.0]);
    assert_eq!(inferences.iter().map(|i| i.p_fwer).collect::<Vec<_>>(), [1.0, 1.0]);
    // Two: observed 0.97 and 1.00; maxima 1.00, 1.00 and 1.62; 5 of 3 0 2 5 reaches 3, each of 2 2 2 reaches 2.
    let inferences = infer(&family, Tail::Two, None);
    assert_eq!(inferences.iter().map(|i| i.p_value).collect::<Vec<_>>(), [2.0 / 4.0, 1.0]);
    assert_eq!(inferences.iter().map(|i| i.p_fwer).collect::<Vec<_>>(), [1.0, 1.0]);
}

#[test]
fn tails_are_mirrored() {
    let mut random = Random::keyed(4, 0);
    let points: Vec<i64> = (0..=99).map(|_| i64::from(random.below(11))).collect();
    let mirrored = layer(&points.iter().map(|p| 10 - p).collect::<Vec<_>>());
    let p = |layer: &LayerScores, tail| infer(std::slice::from_ref(layer), tail, None)[0].p_value;
    let upright = layer(&points);
    assert_eq!(p(&upright, Tail::Lower), p(&mirrored, Tail::Upper));
    assert_eq!(p(&upright, Tail::Two), p(&mirrored, Tail::Two));
}

#[test]
fn the_unit_of_a_layer_decides_nothing() {
    let mut random = Random::keyed(5, 0);
    let points = || (0..=99).map(|_| i64::from(random.below(1000))).collect::<Vec<i64>>();
    let layers = [0; 2].map({
        let mut points = points;
        move |_| points()
    });
    let family = |factor: i64| {
        let second = layers[1].iter().map(|p| factor * p).collect();
        infer(&[LayerScores::new(layers[0].clone(), 1000), LayerScores::new(second, 1000)], Tail::Upper, None)
    };
    let p_fwer = |factor| family(factor).iter().map(|i| i.p_fwer).collect::<Vec<_>>();
    assert_eq!(p_fwer(1), p_fwer(64));
}

#[test]
fn a_layer_that_no_draw_moves_stands_in_nobodys_way() {
    let family = [layer(&[9, 1, 2, 3]), layer(&[7, 7, 7, 7])];
    let inferences = infer(&family, Tail::Upper, None);
    assert_eq!((inferences[0].p_value, inferences[0].p_fwer), (1.0 / 4.0, 1.0 / 4.0));
    assert_eq!((inferences[1].p_value, inferences[1].p_fwer), (1.0, 1.0));
}

#[test]
fn an_effect_in_a_narrow_null_is_found() {
    // Nulls of +-20 and +-200, and an observed value of five standard deviations of the narrow one.
    let mut random = Random::keyed(6, 0);
    let mut null = |width: u32| (0..999).map(|_| i64::from(random.below(2 * width + 1)) - i64::from(width)).collect();
    let (narrow, wide): (Vec<i64>, Vec<i64>) = (null(20), null(200));
    let scores = |observed, null: &[i64]| LayerScores::new([&[observed], null].concat(), 1000);
    let raw_maximum_reaches = wide.iter().filter(|&&points| points >= 58).count();
    assert!(raw_maximum_reaches > 300, "{raw_maximum_reaches}: the raw maximum would not see it");
    let found = infer(&[scores(58, &narrow), scores(0, &wide)], Tail::Upper, None);
    assert_eq!(found[0].p_fwer, 1.0 / 1000.0);
}

#[test]
fn families_are_the_layers_of_one_word_model_or_of_all() {
    let mut random = Random::keyed(7, 0);
    let mut members = |count: usize| -> Known {
        Known((0..count).map(|_| (0..=99).map(|_| i64::from(random.below(11))).collect()).collect())
    };
    let statistics = [members(2), members(3)];
    let go_on = |_| std::ops::ControlFlow::Continue(());
    let tested = |family| {
        let rule = Rule { permutations: 99, family, ..Rule::default() };
        let seen = std::cell::RefCell::new(Vec::new());
        let now = |models: Range<usize>| seen.borrow_mut().push((models.start, models.end));
        let inferences = test_all(&statistics, rule, &go_on, now).unwrap();
        (inferences, seen.into_inner())
    };
    let scores = |of: &[&Known]| -> Vec<LayerScores> {
        of.iter().flat_map(|known| known.0.iter().map(|points| layer(points))).collect()
    };
    let [a, b] = &statistics;
    let (each, seen) = tested(Family::Layers);
    assert_eq!(each, [infer(&scores(&[a]), Tail::Upper, None), infer(&scores(&[b]), Tail::Upper, None)]);
    assert_eq!(seen, [(0, 1), (1, 2)]);
    let (all, seen) = tested(Family::Words);
    assert_eq!(all.concat(), infer(&scores(&[a, b]), Tail::Upper, None));
    assert_eq!((all[0].len(), all[1].len(), seen), (2, 3, vec![(0, 2)]));
    let p_fwer = |of: &[Vec<Inference>]| of.iter().flatten().map(|i| i.p_fwer).collect::<Vec<_>>();
    assert!(p_fwer(&each).iter().zip(p_fwer(&all)).all(|(one, all)| *one <= all));
}

#[test]
fn a_family_of_networks_is_that_of_all_their_layers() {
    // Of A, mean 4.5 and standard deviation 2.96: 1.52 against -1.18, 0.17, -0.51. Of B, 4 and 2.83: 0 against 0, -1.41, 1.41.
    // So the maxima are 0, 0.17 and 1.41: none reaches A's 1.52, all reach B's 0.
    let (a, b) = (layer(&[9, 1, 5, 3]), layer(&[4, 4, 0, 8]));
    let mut maximum = Maximum::default();
    let [of_a, of_b] = [&a, &b].map(|layer| maximum.take_in(std::slice::from_ref(layer), Tail::Upper)[0]);
    assert_eq!((maximum.p_fwer(of_a), maximum.p_fwer(of_b)), (1.0 / 4.0, 1.0));
    let mut random = Random::keyed(8, 0);
    let mut layers = |count| -> Vec<LayerScores> {
        (0..count).map(|_| layer(&(0..=99).map(|_| i64::from(random.below(11))).collect::<Vec<_>>())).collect()
    };
    let networks = [layers(3), layers(1), layers(4)];
    for tail in [Tail::Upper, Tail::Lower, Tail::Two] {
        let mut maximum = Maximum::default();
        let observed: Vec<f64> = networks.iter().flat_map(|network| maximum.take_in(network, tail)).collect();
        let p_fwer: Vec<f64> = observed.iter().map(|&observed| maximum.p_fwer(observed)).collect();
        let at_once = infer(&networks.concat(), tail, None);
        assert_eq!(p_fwer, at_once.iter().map(|inference| inference.p_fwer).collect::<Vec<_>>());
    }
}

#[test]
fn benjamini_hochberg_worked_example() {
    // The 15 p-values of Benjamini & Hochberg (1995), section 3.2: at 0.05 the first four are rejected.
    let p_values = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0000,
    ];
    let q_values = benjamini_hochberg(&p_values);
    assert_eq!(q_values.iter().filter(|&&q| q <= 0.05).count(), 4);
    // By hand: 0.0095 * 15 / 4 and 0.0201 * 15 / 5.
    assert!((q_values[3] - 0.035625).abs() < 1e-15);
    assert!((q_values[4] - 0.0603).abs() < 1e-15);
    // 0.0278 * 15 / 6 = 0.0695 takes the smaller 0.0298 * 15 / 7.
    assert!((q_values[5] - 0.0298 * 15.0 / 7.0).abs() < 1e-15);
    assert!(q_values.is_sorted());
}

#[test]
fn q_values_stand_in_the_familys_order() {
    let q_values = benjamini_hochberg(&[0.5, 0.01, 0.04]);
    let expected = [0.5, 0.03, 0.06];
    assert!(q_values.iter().zip(expected).all(|(q, e)| (q - e).abs() < 1e-15), "{q_values:?}");
}

#[test]
fn stopping_after_h_exceedances() {
    let h = NonZeroU32::new(2);
    // Draws 2 and 5 reach 6: p = h / l = 2/5, whatever follows.
    let stopped = layer(&[6, 1, 6, 2, 3, 9, 9, 9]);
    assert_eq!(infer(std::slice::from_ref(&stopped), Tail::Upper, h)[0].p_value, 2.0 / 5.0);
    assert_eq!(infer(std::slice::from_ref(&stopped), Tail::Upper, h)[0].permutations, 4);
    // One exceedance in all 7 draws: (1 + 1) / (1 + 7).
    let running = layer(&[9, 1, 6, 2, 3, 9, 4, 4]);
    assert_eq!(infer(std::slice::from_ref(&running), Tail::Upper, h)[0].p_value, 2.0 / 8.0);
    assert!(may_stop(std::slice::from_ref(&stopped), Tail::Upper, h.unwrap()));
    assert!(!may_stop(&[stopped, running], Tail::Upper, h.unwrap()));
}

#[test]
fn the_null_is_that_of_the_first_draws_wherever_p_values_stop() {
    let h = NonZeroU32::new(2);
    let mut random = Random::keyed(9, 0);
    let points: Vec<i64> = (0..=300).map(|t| if t == 0 { 5 } else { i64::from(random.below(11)) }).collect();
    let of = |points: &[i64], stop_after| infer(&[layer(points)], Tail::Upper, stop_after)[0];
    let (stopped, first) = (of(&points, h), of(&points[..=SCALE_DRAWS], None));
    assert!(stopped.permutations < 20, "{}", stopped.permutations);
    assert_eq!((stopped.null_mean, stopped.null_sd), (first.null_mean, first.null_sd));
    // Fewer than a hundred: all of them.
    let (stopped, all) = (of(&points[..=60], h), of(&points[..=60], None));
    assert_eq!((stopped.null_mean, stopped.null_sd), (all.null_mean, all.null_sd));
    let rule = |permutations, stop_after| Rule { permutations, stop_after, ..Rule::default() };
    let moments = [rule(60, h), rule(300, h), rule(300, None)].map(Rule::of_moments);
    assert_eq!(moments, [60, SCALE_DRAWS as u64, 300]);
}

#[test]
fn the_batch_at_which_a_family_stops_changes_nothing() {
    let h = NonZeroU32::new(2);
    let mut random = Random::keyed(8, 0);
    let mut points = |observed: i64, others: u32| -> Vec<i64> {
        (0..=300).map(|t| if t == 0 { observed } else { i64::from(random.below(others)) }).collect()
    };
    // Draws 140 and 160 are the only ones that reach the first layer.
    let (mut narrow, wide) = (points(9, 9), points(4, 10));
    (narrow[140], narrow[160]) = (9, 9);
    for tail in [Tail::Upper, Tail::Two] {
        let family = |draws: usize| [&narrow, &wide].map(|points| layer(&points[..=draws])).to_vec();
        let stop = (SCALE_DRAWS..=300).find(|&draws| may_stop(&family(draws), tail, h.unwrap())).unwrap();
        for draws in [stop + 1, stop + 7, 300] {
            assert_eq!(infer(&family(draws), tail, h), infer(&family(stop), tail, h), "{tail:?}");
        }
        if tail == Tail::Upper {
            assert_eq!(stop, 160);
            assert_eq!(infer(&family(stop), tail, h)[0].p_value, 2.0 / 160.0);
        }
    }
}

#[test]
fn p_values_are_those_of_the_definition_in_numpy() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../../../tests/golden/inference.json")).unwrap();
    let points: Vec<Vec<i64>> = serde_json::from_value(golden["family"]["points"].clone()).unwrap();
    let family: Vec<LayerScores> = points.into_iter().map(|points| LayerScores::new(points, 1000)).collect();
    let tests = golden["family"]["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 6);
    for test in tests {
        let tail: Tail = serde_json::from_value(test["tail"].clone()).unwrap();
        let stop_after: Option<NonZeroU32> = serde_json::from_value(test["stop_after"].clone()).unwrap();
        let inferences = infer(&family, tail, stop_after);
        let expected = |p: &str| -> Vec<f64> { serde_json::from_value(test[p].clone()).unwrap() };
        let found = |p: fn(&Inference) -> f64| inferences.iter().map(p).collect::<Vec<_>>();
        // Fractions of small numbers, but for the last digit in which JSON is read.
        let same = |found: &[f64], expected: &[f64]| found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-15);
        let (p_values, p_fwers) = (found(|i| i.p_value), found(|i| i.p_fwer));
        assert!(same(&p_values, &expected("p_value")), "{tail:?} {stop_after:?}: {p_values:?}");
        assert!(same(&p_fwers, &expected("p_fwer")), "{tail:?} {stop_after:?}: {p_fwers:?}");
    }
}
