//! The test by its definition, in plain loops: what the fast forms are held to.

use super::FLAT_ROW;
use crate::stats::Rsm;

/// The margins of one draw: every vector without its columns a and b, Pearson's correlation. Slow: four correlations of
/// `k - 2` entries for each of `k (k-1) / 2` pairs. With [`two_vs_two`](super::two_vs_two()) it shares what counts as a row
/// that does not vary, nothing else.
///
/// # Shapes
/// `[k (k-1) / 2]` in row order; NaN where an image is constant.
pub fn margins_reference(words: &Rsm, image: &Rsm, draw: &[u32]) -> Vec<f64> {
    let k = words.concepts();
    let constant = image.constant();
    let word = |a: usize, j: usize| words.row(draw[a] as usize)[draw[j] as usize];
    let picture = |a: usize, j: usize| if constant.contains(&j) { 0.0 } else { image.row(a)[j] };
    let mut margins = Vec::new();
    for a in 0..k {
        for b in a + 1..k {
            if constant.contains(&a) || constant.contains(&b) {
                margins.push(f64::NAN);
                continue;
            }
            let others: Vec<usize> = (0..k).filter(|&j| j != a && j != b).collect();
            let word = |c: usize| others.iter().map(|&j| word(c, j)).collect::<Vec<f64>>();
            let picture = |c: usize| others.iter().map(|&j| picture(c, j)).collect::<Vec<f64>>();
            let matched = pearson(&word(a), &picture(a)) + pearson(&word(b), &picture(b));
            let mismatched = pearson(&word(a), &picture(b)) + pearson(&word(b), &picture(a));
            margins.push(matched - mismatched);
        }
    }
    margins
}

/// Pearson's correlation; 0 where a vector does not vary.
pub(in crate::stats) fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let count = x.len() as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        xy += (x - mean_x) * (y - mean_y);
        xx += (x - mean_x) * (x - mean_x);
        yy += (y - mean_y) * (y - mean_y);
    }
    let flat = |centred: f64, mean: f64| centred <= FLAT_ROW * (centred + count * mean * mean);
    if flat(xx, mean_x) || flat(yy, mean_y) { 0.0 } else { xy / (xx * yy).sqrt() }
}
