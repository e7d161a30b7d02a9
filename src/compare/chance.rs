//! Where chance lies at the layers that are held against each other: a difference of chances is one of accuracies.

use super::Curve;
use crate::report::{Null, chance_differs};
use crate::results::AccuracyRow;

/// What is said of two curves whose chance differs where they are tested; none where draws explain it.
pub fn between(a: &Curve, b: &Curve) -> Option<String> {
    let counterparts = a.rows.iter().zip(a.counterparts(b));
    let pairs: Vec<_> = counterparts.filter_map(|(row, m)| Some((row, &b.rows[m?]))).collect();
    said(&pairs, a.null, |[layer, other]| [format!("{} at {layer}", a.name), format!("{} at {other}", b.name)])
}

/// The same of the layers of one curve that are tested.
pub fn within(curve: &Curve, pairs: &[(usize, usize)]) -> Option<String> {
    let pairs: Vec<_> = pairs.iter().map(|&(n, m)| (&curve.rows[n], &curve.rows[m])).collect();
    said(&pairs, curve.null, |layers| [format!("{} at {}", curve.name, layers[0]), layers[1].to_string()])
}

/// By the pair whose chances are farthest apart.
fn said(
    pairs: &[(&AccuracyRow, &AccuracyRow)],
    null: Option<Null>,
    names: impl Fn([&str; 2]) -> [String; 2],
) -> Option<String> {
    let apart = |(a, b): &(&AccuracyRow, &AccuracyRow)| (a.null_mean - b.null_mean).abs();
    let differ = pairs.iter().filter(|(a, b)| chance_differs(&[*a, *b], null));
    let (a, b) = differ.max_by(|one, other| apart(one).total_cmp(&apart(other)))?;
    let [one, other] = names([&a.layer, &b.layer]);
    Some(format!(
        "chance, the null's mean, differs by {:.2}: {one} {:.2}, {other} {:.2}; that part of their difference is due to ties \
         (avoided by ties = half) or to draws within categories",
        apart(&(a, b)),
        a.null_mean,
        b.null_mean
    ))
}
