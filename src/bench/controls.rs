//! The tests given another space, beside the same tests given nothing, f64 on the CPU whatever the device.

use std::ops::ControlFlow;

use super::{Row, Work, random_rsm, timed};
use crate::device::Selected;
use crate::error::Error;
use crate::stats::inference::Statistic;
use crate::stats::partial::{Measure, PartialTest};
use crate::stats::permutation::Permutations;
use crate::stats::rsa::{Rsa, RsaTest};
use crate::stats::scoring::Ties;
use crate::stats::two_vs_two::TwoVsTwoTest;
use crate::stats::{Rsm, two_vs_two};

/// What a test given a space is called, after the test's name.
const GIVEN: &str = " given 1";

/// A layer of five groups against a word model, given nothing and given one space.
///
/// # Errors
/// [`Error::Failed`] for a matrix that cannot be tested.
pub(super) fn rows(selected: &Selected) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for (concepts, draws) in [(166, 400), (1000, 8)] {
        let words = random_rsm(concepts, 300, 1);
        let images: Vec<Rsm> = (2..7).map(|seed| random_rsm(concepts, 400, seed)).collect();
        let given = [random_rsm(concepts, 100, 7)];
        let permutations = Permutations::new(2018, concepts);
        let layers = [&images[..]];
        // Of the plain tests: what a regression adds is what the row is to show.
        let work = |task: &str, operations: f64| Work {
            task: task.to_string(),
            case: format!("k {concepts}, {draws} draws, 5 RSMs"),
            count: draws as f64,
            unit: "permutations",
            operations,
            bytes: (8 * concepts * concepts * images.len()) as f64 * draws as f64,
        };
        let go_on = |_| ControlFlow::Continue(());
        let of_rsa = (concepts * (concepts - 1) * images.len()) as f64 * draws as f64;
        let of_pairs = two_vs_two::operations(concepts, draws, images.len()) as f64;
        let plain = RsaTest::new(Rsa::Pearson, &words, &layers, &permutations);
        rows.push(timed(selected, work("RSA", of_rsa), || Ok(plain.points(1..draws + 1, &go_on).map(|_| ())?))?);
        let partial = PartialTest::new(Measure::Pearson, &words, &layers, &[&given], &permutations);
        rows.push(timed(selected, work(&format!("RSA{GIVEN}"), of_rsa), || {
            Ok(partial.points(1..draws + 1, &go_on).map(|_| ())?)
        })?);
        let plain = TwoVsTwoTest::new(&words, &layers, &permutations, Ties::Lost, &selected.device);
        rows.push(timed(selected, work("2 vs. 2", of_pairs), || {
            Ok(plain.points(1..draws + 1, &go_on).map(|_| ())?)
        })?);
        let partial = PartialTest::new(Measure::TwoVsTwo(Ties::Lost), &words, &layers, &[&given], &permutations);
        rows.push(timed(selected, work(&format!("2 vs. 2{GIVEN}"), of_pairs), || {
            Ok(partial.points(1..draws + 1, &go_on).map(|_| ())?)
        })?);
    }
    Ok(rows)
}

/// How many times as long a test takes given a space, by medians, and from the fastest run by the slowest to the reverse.
pub(super) fn ratios(rows: &[Row]) -> Vec<String> {
    let ratio = |row: &Row| {
        let name = row.task.strip_suffix(GIVEN)?;
        let plain = rows.iter().find(|plain| plain.task == name && plain.case == row.case)?;
        Some(format!(
            "{}, {}: {:.2} times as long as given nothing ({:.2} to {:.2})",
            row.task,
            row.case,
            row.median_ms / plain.median_ms,
            row.min_ms / plain.max_ms,
            row.max_ms / plain.min_ms
        ))
    };
    rows.iter().filter_map(ratio).collect()
}
