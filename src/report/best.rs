//! Which layer is best: by its value, or, where chance differs between layers, by how far above chance it lies.

use crate::report::chance;
use crate::report::curves::LayerRow;

/// The best of the layers of a word model.
pub struct Best<'a, R> {
    /// Its row.
    pub row: &'a R,
    /// How far above its null's mean it lies, in its null's standard deviations; only where that decided, for chance differs
    /// between the layers.
    pub above: Option<f64>,
}

impl<'a, R: LayerRow> Best<'a, R> {
    /// The first of those that are best; none without an accuracy.
    pub fn of(rows: impl Iterator<Item = &'a R>) -> Option<Self>
    where
        R: 'a,
    {
        let (rows, differs) = ranked(rows);
        let row = *rows.first()?;
        Some(Self { row, above: differs.then(|| above(row)) })
    }

    /// How it was chosen, behind "best" or "best layer"; nothing where by accuracy.
    pub fn how(&self) -> &'static str {
        if self.above.is_some() { " against its own chance" } else { "" }
    }

    /// Chance, with the distance from it where that decided: "chance 0.413, 3.1 s.d. above it"; none without draws.
    pub fn chance(&self) -> Option<String> {
        let (mean, ..) = self.row.null()?;
        let distance = self.above.map_or_else(String::new, |above| {
            let side = if above < 0.0 { "below" } else { "above" };
            format!(", {:.1} s.d. {side} it", above.abs())
        });
        Some(format!("chance {mean:.3}{distance}"))
    }
}

/// Rows with an accuracy, the best first, equals in their order; and whether chance differs between them, which then decided.
pub fn ranked<'a, R: LayerRow>(rows: impl Iterator<Item = &'a R>) -> (Vec<&'a R>, bool) {
    let mut rows: Vec<&R> = rows.filter(|row| row.accuracy().is_finite()).collect();
    let differs = chance::differs(&rows);
    let value = |row: &R| if differs { above(row) } else { row.accuracy() };
    rows.sort_by(|a, b| value(b).total_cmp(&value(a)));
    (rows, differs)
}

/// Standard deviations of the null above its mean; a null without any says nothing.
fn above<R: LayerRow>(row: &R) -> f64 {
    match row.null() {
        Some((mean, sd, _)) if sd > 0.0 => (row.accuracy() - mean) / sd,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    #[test]
    fn the_best_layer_is_the_one_farthest_above_chance_only_where_chance_differs() {
        let mut table = rows("net", &["a", "b", "c"].map(String::from), &["GloVe"]);
        let nulls = [(0.62, 0.48), (0.58, 0.49), (0.60, 0.41)];
        for (row, (accuracy, mean)) in table.iter_mut().zip(nulls) {
            (row.accuracy, row.null_mean, row.null_sd) = (accuracy, mean, 0.05);
        }
        let best = Best::of(table.iter()).unwrap();
        assert_eq!((best.row.layer.as_str(), best.how()), ("c", " against its own chance"));
        assert_eq!(best.chance().unwrap(), "chance 0.410, 3.8 s.d. above it");
        // So few draws put the null's mean anywhere.
        table.iter_mut().for_each(|row| row.permutations = 9);
        let best = Best::of(table.iter()).unwrap();
        assert_eq!((best.row.layer.as_str(), best.how(), best.chance().unwrap().as_str()), ("a", "", "chance 0.480"));
        table.iter_mut().for_each(|row| row.permutations = 0);
        let best = Best::of(table.iter()).unwrap();
        assert_eq!((best.row.layer.as_str(), best.chance()), ("a", None));
    }
}
