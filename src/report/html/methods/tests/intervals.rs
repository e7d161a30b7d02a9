//! What is said of intervals, and of what was compared by them.

use super::*;

#[test]
fn only_what_was_compared_is_said_to_have_been() {
    let interval = |measure: &str, kind: &str| IntervalRow {
        p_value: ((measure, kind) != ("2v2", "value")).then_some(0.01),
        ..interval("b1c1", measure, kind, "GloVe")
    };
    let told_of = |rows: &[(&str, &str)]| {
        told(|record, results| {
            new(record, json!({"generalise": "concepts"}));
            record["config"]["two_vs_two"]["bootstrap"] = 200.into();
            results.intervals = rows.iter().map(|(measure, kind)| interval(measure, kind)).collect();
        })
    };
    says(
        &told_of(&[("2v2", "value")]),
        &[
            ("percentiles of 200 bootstrap resamples over concepts", true),
            ("Compared layer by layer", false),
            ("The spread of", false),
        ],
    );
    says(
        &told_of(&[("2v2", "value"), ("2v2", "words"), ("rsa-pearson", "value"), ("rsa-pearson", "ceiling")]),
        &[
            ("two-sided: RSA with 0, word models with each other and word models with the lower noise ceiling.", true),
            ("in 200 draws of a multivariate t", true),
            ("the one before it", false),
            ("The spread of RSA and distances to a ceiling is that of 200 bootstrap resamples over concepts;", true),
            ("The spread of differences of accuracies was taken in closed form.", true),
        ],
    );
    let of_two = told(|record, results| {
        new(record, json!({"generalise": "groups"}));
        record["config"]["two_vs_two"]["bootstrap"] = 200.into();
        results.intervals = vec![IntervalRow { freedom: 1.0, ..interval("2v2", "words") }];
    });
    says(
        &of_two,
        &[
            ("as of independent ones: two groups of images do not tell how they are correlated.", true),
            ("multivariate t", false),
        ],
    );
    let untested = told(|record, results| {
        new(record, json!({"generalise": "concepts"}));
        record["config"]["two_vs_two"]["bootstrap"] = 200.into();
        results.accuracy.iter_mut().for_each(|row| row.permutations = 0);
        results.intervals = vec![interval("2v2", "value"), interval("rsa-spearman", "value")];
    });
    says(
        &untested,
        &[
            ("the accuracies have no p-values. Confidence intervals (95 %) are percentiles of 200 bootstrap", true),
            ("two-sided: RSA with 0.", true),
            ("null distribution", false),
        ],
    );
}

#[test]
fn jackknifed_intervals_are_told_on_their_scale() {
    let of = |measures: &[(&str, Option<usize>)]| {
        let rows = crate::report::alignment::tests::rows(&[""], &["v1", "v2"]);
        let of_measure = |&(measure, neighbours): &(&str, Option<usize>)| {
            let mut row = rows.iter().find(|row| row.measure == "mknn").unwrap().clone();
            (row.measure, row.neighbours, row.ci_low, row.ci_high) = (measure.into(), neighbours, Some(0.2), Some(0.6));
            row
        };
        let table = measures.iter().map(of_measure).collect();
        let results = Results { measures: table, ..Results::default() };
        told_of_test(&results, &json!({}), &json!([]))
    };
    let reach = "reach 1.96 standard errors of the jackknife over concepts";
    let (mknn, cknna) = (("mknn", Some(3)), ("cknna", Some(3)));
    let mutual = "the log-odds of mutual nearest neighbours";
    says(&of(&[mknn]), &[(&*format!("Intervals (95 %) of {mutual} {reach}"), true), ("CKNNA", false)]);
    says(&of(&[cknna]), &[(&*format!("Intervals (95 %) of CKNNA {reach}"), true), ("log-odds", false)]);
    says(&of(&[("cka", None), mknn, cknna]), &[(&*format!("Those of {mutual} and CKNNA {reach}"), true)]);
}

#[test]
fn resampled_intervals_are_told_on_their_scale() {
    let of = |measures: &[&str]| {
        let table = crate::report::alignment::tests::rows(&[""], &["v1", "v2"]);
        let row = |measure: &&str| {
            let mut row = table[0].clone();
            (row.measure, row.neighbours, row.ci_low, row.ci_high) = (measure.to_string(), None, Some(0.2), Some(0.6));
            row
        };
        let results = Results { measures: measures.iter().map(row).collect(), ..Results::default() };
        told_of_test(&results, &json!({}), &json!([]))
    };
    let (odds, z) = ("of the concepts, in log-odds and centred", "of the concepts, by Fisher\u{2019}s z and centred");
    says(&of(&["2v2"]), &[(odds, true), ("Fisher", false), ("percentiles of 0 bootstrap resamples of", true)]);
    says(&of(&["cka", "rsa-pearson"]), &[(z, true), ("log-odds", false)]);
    says(
        &of(&["2v2", "cka"]),
        &[("of the 2 vs. 2 accuracy in log-odds, of the others by Fisher\u{2019}s z, and centred", true)],
    );
}
