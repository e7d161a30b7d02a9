//! Which layers are named along the horizontal axis, and how.

use crate::report::canvas::TextStyle;
use crate::report::style::NOTE;

/// A name at a tick.
pub struct Label {
    /// The layer's place.
    pub layer: usize,
    /// The middle of the text.
    pub x: f64,
    /// The text.
    pub text: String,
    /// The line that it stands on, from the top: names that have no room in the first take the second.
    pub row: usize,
}

/// The names that fit side by side.
pub struct LayerLabels {
    /// Names at ticks; the other layers have a tick only.
    pub shown: Vec<Label>,
    /// Their style.
    pub style: TextStyle,
    /// Whether they read upwards.
    pub upwards: bool,
    /// Height they take.
    pub height: f64,
    /// From row to row.
    pub pitch: f64,
    /// The axis' title.
    pub title: String,
}

/// Free space between two names, in em.
const GAP: f64 = 0.4;
/// Distances at which layers are named, the closest that fits.
const STRIDES: [usize; 7] = [1, 2, 5, 10, 20, 50, 100];
/// From the top of capitals to the bottom of descenders, in em.
const LINE: f64 = 0.97;
/// Names that stand higher than this are set smaller, to leave room for the curves.
const LONG: f64 = 180.0;

impl LayerLabels {
    /// Names all layers side by side where that fits. Else names that differ in a number only (`activation_17`) become
    /// that number and are thinned, while every other name stays, on a second line if need be; where no names do, all are
    /// turned upwards, and those that still collide are thinned; the first and the last stay.
    ///
    /// `ends` are those of the axis, `edge` is the right end of the figure.
    pub fn fit(labels: &[&str], style: TextStyle, ends: (f64, f64), edge: f64) -> Self {
        let whole: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let line = LINE * style.em;
        let pitch = 1.15 * style.em;
        let row = Row { ends, edge, gap: GAP * style.em };

        let level = row.thinned(&whole, &widths(&whole, style), |_| false);
        if level.len() == labels.len() && level.iter().all(|label| label.row == 0) {
            return Self { shown: level, style, upwards: false, height: line, pitch, title: "Layer".into() };
        }
        if let Some((numbers, example)) = numbered(labels) {
            let named = |layer: usize| numbers[layer] == labels[layer];
            let shown = row.thinned(&numbers, &widths(&numbers, style), named);
            let rows = shown.iter().map(|label| label.row).max().unwrap_or(0);
            let height = line + rows as f64 * pitch;
            return Self { shown, style, upwards: false, height, pitch, title: format!("Layer ({example})") };
        }
        let longest = widths(&whole, style).into_iter().fold(0.0, f64::max);
        let style = if longest > LONG { TextStyle { em: NOTE, ..style } } else { style };
        let shown = row.thinned(&whole, &vec![LINE * style.em; labels.len()], |_| false);
        let height = widths(&whole, style).into_iter().fold(0.0, f64::max);
        Self { shown, style, upwards: true, height, pitch, title: "Layer".into() }
    }
}

struct Row {
    ends: (f64, f64),
    edge: f64,
    gap: f64,
}

impl Row {
    /// The first and the last name, all that are `named`, and of the others the most at equal distances, of which no two
    /// collide.
    fn thinned(&self, texts: &[String], widths: &[f64], named: impl Fn(usize) -> bool) -> Vec<Label> {
        let Some(last) = texts.len().checked_sub(1) else {
            return Vec::new();
        };
        let slot = (self.ends.1 - self.ends.0) / texts.len() as f64;
        let x = |layer: usize| (self.ends.0 + (layer as f64 + 0.5) * slot).min(self.edge - widths[layer] / 2.0);
        let apart = |a: usize, b: usize| (x(b) - x(a)).abs() >= (widths[a] + widths[b]) / 2.0 + self.gap;
        let free = |layer: usize, others: &[usize]| others.iter().all(|&other| apart(layer, other));

        let mut rows = [vec![0], Vec::new()];
        for layer in std::iter::once(last).chain((1..last).filter(|&layer| named(layer))).filter(|&layer| layer > 0) {
            if let Some(row) = rows.iter_mut().find(|row| free(layer, row)) {
                row.push(layer);
            }
        }
        // Round numbers are named, whatever stands before the first.
        let number = |layer: usize| texts[layer].parse().unwrap_or(layer);
        let at_stride = |stride: usize| -> Vec<usize> {
            (1..last).filter(|&layer| number(layer) % stride == 0 && !named(layer) && free(layer, &rows[0])).collect()
        };
        let thinned = STRIDES
            .into_iter()
            .map(at_stride)
            .find(|layers| layers.windows(2).all(|pair| apart(pair[0], pair[1])))
            .unwrap_or_default();
        rows[0].extend(thinned);
        let label = |row: usize, layer: usize| Label { layer, x: x(layer), text: texts[layer].clone(), row };
        let mut labels: Vec<Label> = rows
            .iter()
            .enumerate()
            .flat_map(|(row, layers)| layers.iter().map(move |&layer| label(row, layer)))
            .collect();
        labels.sort_unstable_by_key(|label| label.layer);
        labels
    }
}

fn widths(texts: &[String], style: TextStyle) -> Vec<f64> {
    texts.iter().map(|text| style.width(text)).collect()
}

/// Drops the name that at least half of the labels share before a number; also says what the first of the numbers
/// stands for.
fn numbered(labels: &[&str]) -> Option<(Vec<String>, String)> {
    let split = |label: &str| label.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let name = |label: &str| label[..split(label)].to_owned();
    let shared = labels
        .iter()
        .map(|label| (name(label), labels.iter().filter(|other| name(other) == name(label)).count()))
        .filter(|(name, count)| !name.is_empty() && 2 * count >= labels.len())
        .map(|(name, _)| name)
        .next()?;
    let is_numbered = |label: &str| name(label) == shared && label.len() > shared.len();
    let number = |label: &str| if is_numbered(label) { label[shared.len()..].to_owned() } else { label.to_owned() };
    let first = labels.iter().copied().find(|label| is_numbered(label))?;
    Some((labels.iter().map(|label| number(label)).collect(), format!("{} = {first}", number(first))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::{INK, TICK_LABEL, WIDTH};

    const STYLE: TextStyle = TextStyle::regular(TICK_LABEL, INK);

    fn fit(labels: &[&str]) -> LayerLabels {
        LayerLabels::fit(labels, STYLE, (200.0, 1450.0), WIDTH)
    }

    fn texts(labels: &LayerLabels) -> Vec<&str> {
        labels.shown.iter().map(|label| label.text.as_str()).collect()
    }

    fn assert_apart(labels: &LayerLabels) {
        let row = |row| labels.shown.iter().filter(|label| label.row == row).collect::<Vec<_>>();
        for pair in [0, 1].map(row).iter().flat_map(|row| row.windows(2)) {
            let width = |label: &Label| if labels.upwards { TICK_LABEL } else { STYLE.width(&label.text) };
            let between = pair[1].x - pair[0].x - (width(pair[0]) + width(pair[1])) / 2.0;
            assert!(between > 0.0, "{} and {}", pair[0].text, pair[1].text);
        }
    }

    #[test]
    fn few_names_stand_side_by_side() {
        let labels = fit(&["pixels", "conv1", "fc1", "PRED"]);
        assert_eq!(texts(&labels), ["pixels", "conv1", "fc1", "PRED"]);
        assert!(!labels.upwards);
        assert_apart(&labels);
    }

    #[test]
    fn names_without_a_shared_number_are_turned() {
        let names = ["pixels", "B1C1", "B1C2", "B2C1", "B2C2", "B3C1", "B3C2", "B3C3", "B4C1", "B4C2", "B4C3", "B5C1"];
        let names: Vec<&str> = names.into_iter().chain(["B5C2", "B5C3", "FC1", "FC2", "PRED"]).collect();
        let labels = fit(&names);
        assert_eq!(texts(&labels), names);
        assert!(labels.upwards);
        assert_apart(&labels);
    }

    #[test]
    fn many_numbered_names_become_numbers_and_are_thinned() {
        let names: Vec<String> = (1..50).map(|i| format!("activation_{i}")).collect();
        let names: Vec<&str> = std::iter::once("pixels").chain(names.iter().map(|s| s.as_str())).collect();
        let names = [names, vec!["predictions"]].concat();
        let labels = fit(&names);
        assert_eq!(texts(&labels)[..3], ["pixels", "5", "10"]);
        assert_eq!(*texts(&labels).last().unwrap(), "predictions");
        assert_eq!(labels.title, "Layer (1 = activation_1)");
        assert_apart(&labels);
    }

    #[test]
    fn every_name_among_numbers_stays() {
        let names: Vec<String> = (1..50).map(|i| format!("A{i}")).collect();
        let names: Vec<&str> = ["pixels", "STEM"].into_iter().chain(names.iter().map(|s| s.as_str())).collect();
        let labels = fit(&[names, vec!["AVG", "PRED"]].concat());
        for name in ["pixels", "STEM", "AVG", "PRED"] {
            assert!(texts(&labels).contains(&name), "{name} in {:?}", texts(&labels));
        }
        assert!(labels.shown.len() > 8 && labels.height > STYLE.em);
        assert_apart(&labels);
    }

    #[test]
    fn any_number_of_long_names_fits() {
        for count in [1, 2, 7, 51, 400] {
            let names: Vec<String> = (0..count).map(|i| format!("{i}.stage.with_a_long_name")).collect();
            let labels = fit(&names.iter().map(|s| s.as_str()).collect::<Vec<_>>());
            assert_eq!(texts(&labels)[0], names[0]);
            assert_eq!(*texts(&labels).last().unwrap(), names[count - 1]);
            assert_apart(&labels);
        }
    }
}
