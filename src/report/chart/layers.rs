//! Which layers are named along the horizontal axis, and how.

use crate::report::canvas::TextStyle;
use crate::report::fit::{self, Short};
use crate::report::style::{EDGE, NOTE};

/// A name at a tick.
pub struct Label {
    /// The layer's place.
    pub layer: usize,
    /// The middle of the text.
    pub x: f64,
    /// The text.
    pub text: String,
    /// The line that it stands on, from the top: names that have no room in the first take the next.
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
    /// What shortened names stand for.
    pub example: Option<String>,
}

/// Free space between two names, in em.
const GAP: f64 = 0.4;
/// Distances at which layers are named, the closest that fits.
const STRIDES: [usize; 7] = [1, 2, 5, 10, 20, 50, 100];
/// From the top of capitals to the bottom of descenders, in em.
const LINE: f64 = 0.97;
/// Names that stand higher than this are set smaller, to leave room for the curves.
const LONG: f64 = 180.0;
/// Of names that stand higher still, or are this wide among numbers, the middle is left out.
const MOST: f64 = 340.0;
/// A wider one has no room in a row, by the axis.
const WIDEST: f64 = 0.6;
/// Lines of names among numbers.
const ROWS: usize = 3;

impl LayerLabels {
    /// Names all layers side by side where that fits. Else names lose what they share; numbers that are left
    /// (`activation_17`) are set smaller if that fits, or thinned, while every other name stays, on a line of its own if need
    /// be. Where no numbers are left, names are turned upwards, and those that still collide are thinned; the first and the
    /// last stay.
    ///
    /// `ends` are those of the axis, `edge` is the right end of the figure.
    pub fn fit(labels: &[&str], style: TextStyle, ends: (f64, f64), edge: f64) -> Self {
        let row = Row { ends, edge };
        let small = TextStyle { em: style.em.min(NOTE), ..style };
        let whole: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let none = |_: usize| false;
        if let Some(level) = row.level(&whole, style, None, none).filter(Self::is_one_row) {
            return level;
        }
        let (texts, example) = match fit::short(labels) {
            Some(Short { names, example }) => (names, Some(example)),
            None => (whole, None),
        };
        if example.is_some() {
            if let Some(level) = row.level(&texts, style, example.clone(), none).filter(Self::is_one_row) {
                return level;
            }
            let is_whole = |layer: usize| texts[layer] == labels[layer];
            if (0..texts.len()).all(|layer| is_whole(layer) || fit::is_whole_number(&texts[layer])) {
                let texts = fit::cut_apart(&texts, style, MOST);
                let all =
                    [style, small].into_iter().find_map(|style| row.level(&texts, style, example.clone(), is_whole));
                return all.unwrap_or_else(|| row.thinned_level(&texts, style, example, is_whole));
            }
        }
        let widest = |style: TextStyle| widths(&texts, style).into_iter().fold(0.0, f64::max);
        let style = if widest(style) > LONG { small } else { style };
        let shown = row.thinned(&texts, &vec![LINE * style.em; labels.len()], GAP * style.em, none);
        let cut = fit::cut_apart(&texts, style, MOST);
        let shown = shown.into_iter().map(|label| Label { text: cut[label.layer].clone(), ..label }).collect();
        Self { shown, style, upwards: true, height: widest(style).min(MOST), pitch: 1.15 * style.em, example }
    }

    fn is_one_row(&self) -> bool {
        self.shown.iter().all(|label| label.row == 0)
    }
}

struct Row {
    ends: (f64, f64),
    edge: f64,
}

impl Row {
    /// All names level; none where some have no room.
    fn level(
        &self,
        texts: &[String],
        style: TextStyle,
        example: Option<String>,
        named: impl Fn(usize) -> bool,
    ) -> Option<LayerLabels> {
        let level = self.thinned_level(texts, style, example, named);
        let most = WIDEST * (self.ends.1 - self.ends.0);
        let fit = level.shown.len() == texts.len() && texts.iter().all(|text| style.width(text) <= most);
        fit.then_some(level)
    }

    /// As many names level as have room.
    fn thinned_level(
        &self,
        texts: &[String],
        style: TextStyle,
        example: Option<String>,
        named: impl Fn(usize) -> bool,
    ) -> LayerLabels {
        let shown = self.thinned(texts, &widths(texts, style), GAP * style.em, named);
        let rows = shown.iter().map(|label| label.row).max().unwrap_or(0);
        let pitch = 1.15 * style.em;
        LayerLabels { shown, style, upwards: false, height: LINE * style.em + rows as f64 * pitch, pitch, example }
    }

    /// The first and the last name, all that are `named`, and of the others the most at equal distances, of which no two
    /// collide.
    fn thinned(&self, texts: &[String], widths: &[f64], gap: f64, named: impl Fn(usize) -> bool) -> Vec<Label> {
        let Some(last) = texts.len().checked_sub(1) else {
            return Vec::new();
        };
        let slot = (self.ends.1 - self.ends.0) / texts.len() as f64;
        let x = |layer: usize| {
            let half = widths[layer] / 2.0;
            (self.ends.0 + (layer as f64 + 0.5) * slot).min(self.edge - half).max(EDGE / 2.0 + half)
        };
        let apart = |a: usize, b: usize| (x(b) - x(a)).abs() >= (widths[a] + widths[b]) / 2.0 + gap;
        let free = |layer: usize, others: &[usize]| others.iter().all(|&other| apart(layer, other));

        let mut rows: [Vec<usize>; ROWS] = std::array::from_fn(|row| if row == 0 { vec![0] } else { Vec::new() });
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
        for pair in [0, 1, 2].map(row).iter().flat_map(|row| row.windows(2)) {
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
        assert_eq!(labels.example.as_deref(), Some("1 to 49 = activation_1 to activation_49"));
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
            let stands_for = |text: &str, name: &str| text == name || name.starts_with(&format!("{text}."));
            assert!(
                stands_for(texts(&labels)[0], &names[0])
                    && stands_for(texts(&labels).last().unwrap(), &names[count - 1])
            );
            assert_apart(&labels);
        }
    }

    #[test]
    fn names_of_other_programs_keep_to_their_height() {
        let vit: Vec<String> = (0..24).map(|n| format!("encoder.layers.encoder_layer_{n}.mlp")).collect();
        let labels = fit(&vit.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((texts(&labels)[..3].to_vec(), *texts(&labels).last().unwrap()), (vec!["0", "2", "4"], "23"));
        assert!(!labels.upwards);
        assert_eq!(labels.example.as_deref(), Some("n = encoder.layers.encoder_layer_n.mlp"));
        // Of which no two share anything.
        let odd: Vec<String> = (0..30).map(|n| format!("{}{n}{}", "ab".repeat(n), "cd".repeat(30 - n))).collect();
        let labels = fit(&odd.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(labels.upwards && labels.height <= MOST);
        assert!(labels.shown.iter().all(|label| labels.style.width(&label.text) <= MOST));
    }

    #[test]
    fn numbers_are_set_smaller_before_they_are_thinned() {
        let blocks: Vec<String> = (0..16).map(|n| format!("block{n:02}")).collect();
        let names: Vec<&str> = ["pixels", "stem"].into_iter().chain(blocks.iter().map(String::as_str)).collect();
        let names = [names, vec!["head_conv", "avgpool", "logits"]].concat();
        let labels = fit(&names);
        assert_eq!(labels.shown.len(), names.len(), "{:?}", texts(&labels));
        assert_eq!(labels.style.em, NOTE);
    }
}
