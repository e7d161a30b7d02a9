//! Which layer is best: by its value, or, where chance differs between layers, by how far above chance it lies; the lowest
//! where low values speak against the null, the farthest from chance where both do.

use crate::report::chance;
use crate::report::curves::LayerRow;
use crate::report::inference::Null;
use crate::stats::inference::Tail;

/// The best of the layers of a word model.
pub struct Best<'a, R> {
    /// Its row.
    pub row: &'a R,
    /// How far above its null's mean it lies, in its null's standard deviations; only where that decided, for chance differs
    /// between the layers.
    pub above: Option<f64>,
    /// Whether it is the only row: nothing was chosen.
    pub alone: bool,
    tail: Tail,
}

impl<'a, R: LayerRow> Best<'a, R> {
    /// The first of those that are best; none without a value. `null` is how draws were made, where that is known;
    /// without any, high values are best.
    pub fn of(rows: impl Iterator<Item = &'a R>, null: Option<Null>) -> Option<Self>
    where
        R: 'a,
    {
        let all: Vec<&R> = rows.collect();
        let alone = all.len() == 1;
        let Ranked { rows, differs, tail } = ranked(all.into_iter(), null);
        let row = *rows.first()?;
        Some(Self { row, above: differs.then(|| above(row)), alone, tail })
    }

    /// "best", what it is, and how it was chosen, between what stands before and behind; nothing where nothing was.
    pub fn chosen(&self, before: &str, what: &str, behind: &str) -> String {
        if self.alone { String::new() } else { format!("{before}best{what}{}{behind}", self.how()) }
    }

    /// How it was chosen, behind "best" or "best layer"; nothing where it is the highest.
    pub fn how(&self) -> &'static str {
        match (self.tail, self.above.is_some()) {
            (Tail::Upper, false) => "",
            (Tail::Upper, true) => " (against its own chance)",
            (Tail::Lower, false) => " (lowest)",
            (Tail::Lower, true) => " (lowest against its own chance)",
            (Tail::Two, false) => " (farthest from chance)",
            (Tail::Two, true) => " (farthest from its own chance)",
        }
    }

    /// [`chance`](Self::chance) in parentheses where it decided, else nothing.
    pub fn by_chance(&self) -> String {
        self.above.and_then(|_| self.chance()).map_or_else(String::new, |said| format!(" ({said})"))
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

/// Rows with a value, the best first.
pub struct Ranked<'a, R> {
    /// Equals in their order.
    pub rows: Vec<&'a R>,
    /// Whether chance differs between them, which then decided.
    differs: bool,
    tail: Tail,
}

/// Ranks rows as [`Best::of`] does.
pub fn ranked<'a, R: LayerRow>(rows: impl Iterator<Item = &'a R>, null: Option<Null>) -> Ranked<'a, R> {
    let mut rows: Vec<&R> = rows.filter(|row| row.value().is_finite()).collect();
    let tested = rows.iter().any(|row| row.null().is_some());
    let tail = null.filter(|_| tested).map_or(Tail::Upper, |null| null.rule.tail);
    let differs = chance::differs(&rows, null);
    let far = |row: &R| match (tail, differs) {
        (Tail::Upper, false) => row.value(),
        (Tail::Upper, true) => above(row),
        (Tail::Lower, false) => -row.value(),
        (Tail::Lower, true) => -above(row),
        (Tail::Two, false) => row.null().map_or(0.0, |(mean, ..)| (row.value() - mean).abs()),
        (Tail::Two, true) => above(row).abs(),
    };
    rows.sort_by(|a, b| far(b).total_cmp(&far(a)));
    Ranked { rows, differs, tail }
}

/// Standard deviations of the null above its mean; a null without any says nothing.
fn above<R: LayerRow>(row: &R) -> f64 {
    match row.null() {
        Some((mean, sd, _)) if sd > 0.0 => (row.value() - mean) / sd,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::results::AccuracyRow;

    #[test]
    fn the_best_layer_is_the_one_farthest_above_chance_only_where_chance_differs() {
        let mut table = rows("net", &["a", "b", "c"].map(String::from), &["GloVe"]);
        let nulls = [(0.62, 0.48), (0.58, 0.49), (0.60, 0.41)];
        for (row, (accuracy, mean)) in table.iter_mut().zip(nulls) {
            (row.accuracy, row.null_mean, row.null_sd) = (accuracy, mean, 0.05);
        }
        let best = Best::of(table.iter(), None).unwrap();
        assert_eq!((best.row.layer.as_str(), best.how()), ("c", " (against its own chance)"));
        assert_eq!(best.chance().unwrap(), "chance 0.410, 3.8 s.d. above it");
        // So few draws put the null's mean anywhere.
        table.iter_mut().for_each(|row| row.permutations = 9);
        let best = Best::of(table.iter(), None).unwrap();
        assert_eq!((best.row.layer.as_str(), best.how(), best.chance().unwrap().as_str()), ("a", "", "chance 0.480"));
        table.iter_mut().for_each(|row| row.permutations = 0);
        let best = Best::of(table.iter(), None).unwrap();
        assert_eq!((best.row.layer.as_str(), best.chance()), ("a", None));
        assert_eq!(best.chosen(", ", " layer", ""), ", best layer");
        let alone = Best::of(table[..1].iter(), None).unwrap();
        assert_eq!((alone.row.layer.as_str(), alone.chosen(", ", " layer", "")), ("a", String::new()));
    }

    #[test]
    fn the_best_layer_is_where_the_tail_looks_for_it() {
        use crate::stats::inference::Rule;
        let mut table = rows("net", &["a", "b", "c"].map(String::from), &["GloVe"]);
        for (row, (accuracy, mean)) in table.iter_mut().zip([(0.70, 0.5), (0.0, 0.5), (0.55, 0.5)]) {
            (row.accuracy, row.null_mean, row.null_sd) = (accuracy, mean, 0.05);
        }
        let null = |tail, stop_after| {
            let rule = Rule { permutations: 1000, stop_after, tail, ..Rule::default() };
            Some(Null { rule, ..Null::default() })
        };
        let best = |table: &[AccuracyRow], tail| {
            let best = Best::of(table.iter(), null(tail, None)).unwrap();
            (best.row.layer.clone(), best.how())
        };
        assert_eq!(best(&table, Tail::Upper), ("a".into(), ""));
        assert_eq!(best(&table, Tail::Lower), ("b".into(), " (lowest)"));
        assert_eq!(best(&table, Tail::Two), ("b".into(), " (farthest from chance)"));
        // Of chances that differ: 4.0, 1.0 and -5.0 standard deviations.
        table.iter_mut().zip([0.50, -0.05, 0.80]).for_each(|(row, mean)| row.null_mean = mean);
        assert_eq!(best(&table, Tail::Upper), ("a".into(), " (against its own chance)"));
        assert_eq!(best(&table, Tail::Lower), ("c".into(), " (lowest against its own chance)"));
        assert_eq!(best(&table, Tail::Two), ("c".into(), " (farthest from its own chance)"));
        // Where p-values stopped after a few draws, chance is still that of the first hundred.
        table.iter_mut().for_each(|row| (row.permutations, row.null_sd) = (1, 0.3));
        let stopped = Best::of(table.iter(), null(Tail::Upper, std::num::NonZeroU32::new(2))).unwrap();
        assert!(stopped.above.is_some() && Best::of(table.iter(), None).unwrap().above.is_none());
        // Nothing was drawn: no value speaks against a null.
        table.iter_mut().for_each(|row| row.permutations = 0);
        assert_eq!(best(&table, Tail::Lower), ("a".into(), ""));
    }
}
