//! Similarity matrices as pictures: the word models', those of layers along the depth and of the best ones, concepts by
//! category.

mod order;

use crate::report::canvas::{Anchor, Canvas, Picture, TextStyle};
use crate::report::curves::{Curves, Model};
use crate::report::fit;
use crate::report::notes::{Notes, Title};
use crate::report::ramp::Ramp;
use crate::report::style::{AXIS, EDGE, HALF_CAPITAL, INK, SOLID, TICK_LABEL, TITLE, WIDTH};
use crate::report::{Drawing, Figure, Material, ReportError};
use crate::stats::Rsm;

use order::Order;

/// `rsm_<network>`; drawn where the matrices are.
pub const FIGURE: Figure = Figure { name: "rsm", draw };

const COLUMNS: usize = 3;
/// Layers shown, and as many more as fill the last row.
const FEWEST_LAYERS: usize = 4;

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    let order = match &material.categories[..] {
        [] => Order::named(&material.directory.concepts()?),
        categories => Order::new(categories),
    };
    for curves in material.curves() {
        let mut matrices = Vec::new();
        for model in &curves.models {
            let name = Name { of: model.words.to_string(), ..Name::default() };
            matrices.extend(material.words(model.words)?.map(|rsm| (name, rsm)));
        }
        let short = fit::shortened(&curves.labels);
        for (layer, name) in shown(&curves) {
            let of = short.as_ref().map_or_else(|| name.of.clone(), |short| short.names[layer].clone());
            let name = Name { of, ..name };
            matrices.extend(material.layer(curves.layers[layer])?.map(|rsm| (name, rsm)));
        }
        if !matrices.is_empty() {
            let title = material.said().network(curves.network);
            let example = short.map_or_else(String::new, |short| format!(" Names: {}.", short.example));
            drawings.push(Drawing {
                stem: curves.stem(FIGURE.name),
                network: curves.network.to_string(),
                text: format!(
                    "Similarity matrices of the word models and of layers of {}",
                    material.said().network(curves.network)
                ),
                picture: Matrices { title, matrices, mean: curves.mean(material.said()), example, order: &order }
                    .draw(),
            });
        }
    }
    Ok(drawings)
}

/// Rows of a matrix that are drawn, as many as it has pixels in the PNG. All of 2,000 would make an SVG, and a page, of 96 MB.
const MOST: usize = 500;

/// So many rows of a matrix of `concepts` are drawn as one.
fn at_once(concepts: usize) -> usize {
    concepts.div_ceil(MOST).max(1)
}

/// A matrix with rows drawn [`at_once`], and its side: means of the values beside the diagonal. Where one is missing, as a constant
/// concept's are, so is the mean.
fn shown_values(values: Vec<f64>, concepts: usize) -> (Vec<f64>, usize) {
    let block = at_once(concepts);
    if block == 1 {
        return (values, concepts);
    }
    let side = concepts.div_ceil(block);
    let mut dots = vec![(0.0, 0.0); side * side];
    for (place, value) in values.into_iter().enumerate().filter(|(place, _)| place / concepts != place % concepts) {
        let (sum, count) = &mut dots[place / concepts / block * side + place % concepts / block];
        (*sum, *count) = (*sum + value, *count + 1.0);
    }
    (dots.into_iter().map(|(sum, count)| sum / count).collect(), side)
}

/// What stands above a matrix.
#[derive(Default)]
struct Name {
    /// The layer or the word model.
    of: String,
    /// Of a layer: for whom it is the best, if for any.
    best: String,
    /// How many word models these are.
    models: usize,
}

impl Name {
    fn line(&self) -> String {
        if self.best.is_empty() { self.of.clone() } else { format!("{}, {}", self.of, self.best) }
    }
}

/// The layers shown, with their names: equally far apart from the first to the last, and the best ones in the place of
/// their neighbours.
fn shown(curves: &Curves) -> Vec<(usize, Name)> {
    let models = curves.models.len();
    let count = (models + FEWEST_LAYERS).div_ceil(COLUMNS) * COLUMNS - models;
    let place = |layer: &str| curves.layers.iter().position(|known| *known == layer);
    let best = |model: &Model| place(&model.best().filter(|best| !best.alone)?.row.layer);
    let best: Vec<Option<usize>> = curves.models.iter().map(best).collect();
    let mut layers = spread(curves.layers.len(), count);
    for &layer in best.iter().flatten() {
        let taken = |place: &usize| *place == layer || best.contains(&Some(*place));
        if layers.contains(&layer) {
            continue;
        }
        match layers.iter_mut().filter(|place| !taken(place)).min_by_key(|place| place.abs_diff(layer)) {
            Some(nearest) => *nearest = layer,
            None => layers.push(layer),
        }
    }
    layers.sort_unstable();
    let name = |layer: usize| {
        let label = curves.labels[layer];
        let of: Vec<&str> = curves
            .models
            .iter()
            .zip(&best)
            .filter(|(_, best)| **best == Some(layer))
            .map(|(model, _)| model.words)
            .collect();
        let best = match of.len() {
            0 => String::new(),
            all if all == models => "best".to_string(),
            _ => format!("best for {}", of.join(", ")),
        };
        Name { of: label.to_string(), best, models: of.len() }
    };
    layers.into_iter().map(|layer| (layer, name(layer))).collect()
}

/// `count` of `of` places, the first and the last among them, equally far apart.
fn spread(of: usize, count: usize) -> Vec<usize> {
    let count = count.min(of);
    (0..count).map(|n| (n * (of - 1) + (count - 1) / 2) / (count - 1).max(1)).collect()
}

struct Matrices<'a> {
    title: String,
    matrices: Vec<(Name, Rsm)>,
    /// Over what they are means, behind a comma.
    mean: String,
    /// What shortened names stand for, a sentence behind a blank.
    example: String,
    order: &'a Order,
}

const GAP: f64 = 40.0;
const TOP: f64 = EDGE + 1.25 * TITLE;
/// Above a matrix: its name, on a second line for whom it is the best where one line has no room.
const NAME: f64 = 1.5 * TICK_LABEL;
const SECOND: f64 = 0.9 * TICK_LABEL;
const NAME_TEXT: TextStyle = TextStyle::regular(TICK_LABEL, INK);
/// Below a matrix: its colours.
const BAR: f64 = 2.4 * TICK_LABEL;
/// Of a tick at a category's first row.
const TICK: f64 = 8.0;
/// The categories' names, the largest that keep to their rows: 3.6 to 2 pt, for supplements.
const CATEGORY: (f64, f64) = (24.0, 13.0);
/// They take no more beside the matrices; of longer ones the middle is left out.
const WIDEST: f64 = 0.15 * WIDTH;

impl Matrices<'_> {
    /// Room for the categories' names.
    fn margin(&self) -> f64 {
        let blocks = self.order.blocks();
        let least = if self.order.is_row_by_row() { 0.0 } else { CATEGORY.1 };
        let style = TextStyle::regular(CATEGORY.0.min(Self::row(0.0, blocks.len()).max(least)), INK);
        let widest = blocks.iter().map(|(name, ..)| style.width(name)).fold(0.0, f64::max).min(WIDEST);
        if widest > 0.0 { widest + 2.0 * TICK } else { 0.0 }
    }

    /// What each of so many names has beside matrices with such a margin.
    fn row(margin: f64, names: usize) -> f64 {
        (WIDTH - 2.0 * EDGE - margin - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64 / names as f64
    }

    fn side(&self) -> f64 {
        Self::row(self.margin(), 1)
    }

    fn title(&self) -> Title {
        Title::fit(&self.title, EDGE)
    }

    /// The lines of a matrix's name, and their type.
    fn lines(&self, name: &Name) -> Vec<(String, TextStyle)> {
        let small = TextStyle { em: fit::SMALL * TICK_LABEL, ..NAME_TEXT };
        let line = name.line();
        if small.width(&line) > self.side() && !name.best.is_empty() {
            // A list with its middle left out looks like one name.
            let best = match small.width(&name.best) > self.side() && name.models > 1 {
                true => format!("best for {} word models", name.models),
                false => name.best.clone(),
            };
            return [&name.of, &best].map(|text| (fit::cut(text, small, self.side()), small)).into();
        }
        vec![fit::shrunk(&line, NAME_TEXT, self.side())]
    }

    /// What names take above the matrices.
    fn name(&self) -> f64 {
        let lines = self.matrices.iter().map(|(name, _)| self.lines(name).len()).max().unwrap_or(1);
        NAME + SECOND * (lines - 1) as f64
    }

    /// Where the first row of matrices starts, with their names.
    fn top(&self) -> f64 {
        TOP + self.title().more()
    }

    fn foot(&self) -> f64 {
        self.top() + self.matrices.len().div_ceil(COLUMNS) as f64 * (self.name() + self.side() + BAR)
    }

    /// What a dot is, where it is more than a pair.
    fn dot(&self) -> String {
        match at_once(self.matrices.iter().map(|(_, rsm)| rsm.concepts()).max().unwrap_or(0)) {
            1 => String::new(),
            block => format!(" A dot is the mean of {block} x {block} of them, white where one has no value."),
        }
    }

    fn draw(&self) -> Picture {
        let notes = Notes::wrapped(
            &format!(
                "Pearson correlations of concepts{}.{}{}{} Each matrix has its own colour scale, from the 1st to the 99th \
                 percentile of {}; entries on the diagonal are omitted.",
                self.mean,
                self.dot(),
                self.order.said,
                self.example,
                if self.dot().is_empty() { "its entries" } else { "its dots" }
            ),
            WIDTH - 2.0 * EDGE,
        );
        let mut canvas = Canvas::new(self.foot() + notes.height() + EDGE);
        let (side, above) = (self.side(), self.name());
        self.title().draw(&mut canvas);
        for (n, (name, rsm)) in self.matrices.iter().enumerate() {
            let left = EDGE + self.margin() + (n % COLUMNS) as f64 * (side + GAP);
            let top = self.top() + (n / COLUMNS) as f64 * (above + side + BAR);
            let top = top + above;
            for (n, (line, style)) in self.lines(name).iter().rev().enumerate() {
                let baseline = top - (NAME - TICK_LABEL) - SECOND * n as f64;
                canvas.text(line, *style, (left, baseline), Anchor::Start);
            }
            let (values, columns) = shown_values(self.order.values(rsm), rsm.concepts());
            let ramp = Ramp::middle(&values);
            canvas.raster(&ramp.raster(&values, columns), (left, top), side, side);
            for &(_, start) in self.order.categories.iter().skip(1).filter(|_| !self.order.of_concepts) {
                // A tick at the margin: lines across would hide rows.
                let at = start as f64 / rsm.concepts() as f64 * side;
                canvas.line(&[(left - TICK, top + at), (left, top + at)], SOLID, AXIS, INK);
                canvas.line(&[(left + at, top + side), (left + at, top + side + TICK)], SOLID, AXIS, INK);
            }
            if n % COLUMNS == 0 {
                self.name_categories(&mut canvas, (left - 1.5 * TICK, top));
            }
            ramp.draw(&mut canvas, (left, top + side + 16.0), side);
        }
        notes.draw(&mut canvas, (EDGE, self.foot()));
        canvas.finish()
    }

    /// The type of the categories' names, and where each stands from the top of a matrix.
    fn placed(&self) -> (f64, Vec<f64>) {
        let blocks = self.order.blocks();
        let row = self.side() / blocks.len() as f64;
        // Beside rows of one name each every name stands at its own.
        let mut em = if self.order.is_row_by_row() { CATEGORY.0.min(row) } else { CATEGORY.0 };
        let mut heights = apart(&blocks, self.side(), em);
        let keep = |heights: &[f64], em: f64| {
            let strays = |(height, (_, start, end)): (&f64, &(&str, f64, f64))| {
                height + em / 2.0 < start * self.side() || height - em / 2.0 > end * self.side()
            };
            !heights.iter().zip(&blocks).any(strays)
        };
        let least = CATEGORY.1.min(row);
        while em > least && !keep(&heights, em) {
            em = (em - 1.0).max(least);
            heights = apart(&blocks, self.side(), em);
        }
        (em, heights)
    }

    fn name_categories(&self, canvas: &mut Canvas, (right, top): (f64, f64)) {
        let (em, heights) = self.placed();
        let style = TextStyle::regular(em, INK);
        let names: Vec<String> = self.order.blocks().iter().map(|(name, ..)| name.to_string()).collect();
        for (name, height) in fit::cut_apart(&names, style, self.margin() - 1.5 * TICK).iter().zip(heights) {
            let at = (right, top + height + HALF_CAPITAL * em);
            canvas.text(name, style, at, Anchor::End);
        }
    }
}

/// Where names stand from the top of a matrix: in the middle of their rows, moved as little as keeps them from each other
/// and from what is below.
fn apart(blocks: &[(&str, f64, f64)], side: f64, em: f64) -> Vec<f64> {
    let mut heights: Vec<f64> = blocks.iter().map(|(_, start, end)| (start + end) / 2.0 * side).collect();
    let mut highest = em / 2.0;
    for height in &mut heights {
        *height = height.max(highest);
        highest = *height + em;
    }
    let mut lowest = side - em / 2.0;
    for height in heights.iter_mut().rev() {
        *height = height.min(lowest);
        lowest = *height - em;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::order::NAMED;
    use super::*;
    use crate::arrays;
    use crate::report::curves::tests::rows;
    use crate::results::{Results, ResultsDir};

    #[test]
    fn layers_are_spread_from_the_first_to_the_last() {
        assert_eq!(spread(12, 4), [0, 4, 7, 11]);
        assert_eq!(spread(2, 4), [0, 1]);
        assert_eq!(spread(1, 4), [0]);
        assert_eq!(spread(5, 1), [0]);
        assert_eq!(spread(0, 4), [0; 0]);
    }

    #[test]
    fn every_word_model_and_every_best_layer_is_shown() {
        let labels: Vec<String> = (0..20).map(|n| format!("layer{n}")).collect();
        let mut table = rows("net", &labels, &["a", "b"]);
        for row in &mut table {
            row.accuracy = if (row.words.as_str(), row.layer.as_str()) == ("a", "layer12") { 0.95 } else { 0.5 };
            row.accuracy =
                if (row.words.as_str(), row.layer.as_str()) == ("b", "layer13") { 0.95 } else { row.accuracy };
        }
        let curves = Curves::under(None, &table).remove(0);
        let shown = shown(&curves);
        let names: Vec<String> = shown.iter().map(|(_, name)| name.line()).collect();
        assert_eq!(names, ["layer0", "layer12, best for a", "layer13, best for b", "layer19"]);
        let alone = rows("net", &labels[..1], &["a", "b"]);
        let alone = super::shown(&Curves::under(None, &alone).remove(0));
        assert_eq!(alone[0].1.line(), "layer0");
    }

    #[test]
    fn few_concepts_without_categories_are_named() {
        let names = |count: usize| (0..count).map(|n| format!("concept_{n}")).collect::<Vec<_>>();
        let many = Order::named(&names(41));
        assert!(many.categories.is_empty() && many.said.ends_with("rsm/concepts.txt, from concept 0 to concept 40."));
        assert!(Order::named(&[]).categories.is_empty() && Order::named(&[]).said.is_empty());
        let order = Order::named(&names(40));
        assert_eq!(order.categories[39], ("concept 39".to_string(), 39));
        let rsm = Rsm::new(40, (0..1600).map(|n| if n % 41 == 0 { 1.0 } else { 0.5 }).collect());
        let name = Name { of: "fc1".into(), ..Name::default() };
        let figure = Matrices {
            title: "VGG16".into(),
            matrices: vec![(name, rsm)],
            mean: String::new(),
            example: String::new(),
            order: &order,
        };
        assert!(figure.side() > 350.0 && figure.draw().svg.contains(">concept 39</text>"));
    }

    #[test]
    fn more_rows_than_a_picture_shows_are_drawn_as_their_means() {
        let same = [f64::NAN, 0.1, 0.2, f64::NAN];
        assert_eq!(shown_values(same.to_vec(), 2).1, 2);
        // Rows 0 and 1 make the first row of dots, the last one stands alone.
        let concepts = 2 * MOST - 1;
        let value = |a: usize, b: usize| if a == b { f64::NAN } else { (a + b) as f64 };
        let values = (0..concepts * concepts).map(|place| value(place / concepts, place % concepts)).collect();
        let (dots, side) = shown_values(values, concepts);
        assert_eq!((side, dots.len(), &dots[..2]), (MOST, MOST * MOST, &[1.0, 3.0][..]));
        assert!(dots[MOST * MOST - 1].is_nan());
        // A constant concept.
        let value = |a: usize, b: usize| if a == b || [a, b].contains(&3) { f64::NAN } else { 0.5 };
        let values = (0..concepts * concepts).map(|place| value(place / concepts, place % concepts)).collect();
        let dots = shown_values(values, concepts).0;
        assert_eq!([dots[0], dots[2], dots[MOST + 2]].map(f64::is_nan), [false, false, true]);
        let order = Order::named(&[]);
        let note = |concepts: usize| {
            let rsm = Rsm::new(concepts, vec![0.5; concepts * concepts]);
            let matrices = vec![(Name { of: "fc1".into(), ..Name::default() }, rsm)];
            Matrices { title: String::new(), matrices, mean: String::new(), example: String::new(), order: &order }
                .dot()
        };
        assert_eq!(
            [MOST, MOST + 1].map(note),
            ["", " A dot is the mean of 2 x 2 of them, white where one has no value."]
        );
    }

    #[test]
    fn every_concept_stands_at_its_row() {
        for count in 3..=NAMED {
            let concepts: Vec<String> = (0..count).map(|n| format!("concept_{n}")).collect();
            for order in [Order::named(&concepts), Order::new(&concepts)] {
                let name = Name { of: "fc1".into(), ..Name::default() };
                let rsm = Rsm::new(count, vec![1.0; count * count]);
                let figure = Matrices {
                    title: String::new(),
                    matrices: vec![(name, rsm)],
                    mean: String::new(),
                    example: String::new(),
                    order: &order,
                };
                let (em, heights) = figure.placed();
                let row = figure.side() / count as f64;
                assert!(em <= row && heights.len() == count, "{count}: {em} of {row}");
                for (n, height) in heights.iter().enumerate() {
                    assert!((height - (n as f64 + 0.5) * row).abs() < 1e-6, "{n} of {count} at {height}");
                }
            }
        }
    }

    #[test]
    fn names_of_categories_stand_apart_and_above_the_end() {
        let blocks = [("a", 0.0, 0.75), ("b", 0.75, 0.875), ("c", 0.875, 1.0)];
        assert_eq!(apart(&blocks, 80.0, 20.0), [30.0, 50.0, 70.0]);
        assert_eq!(apart(&blocks, 800.0, 20.0), [300.0, 650.0, 750.0]);
    }

    #[test]
    fn long_names_of_layers_stay_readable() {
        let order = Order::new(&[]);
        let name = |of: &str, best: &str| Name { of: of.into(), best: best.into(), models: 0 };
        let rsm = || Rsm::new(2, vec![1.0, 0.5, 0.5, 1.0]);
        let long = name("encoder.layers.encoder_layer_0.self_attention", "best for SkipGram, GloVe 100-d");
        let figure = Matrices {
            title: "ViT".into(),
            matrices: vec![(name("fc1", "best"), rsm()), (long, rsm())],
            mean: String::new(),
            example: String::new(),
            order: &order,
        };
        let lines = figure.lines(&figure.matrices[1].0);
        assert_eq!((figure.lines(&figure.matrices[0].0).len(), lines.len()), (1, 2));
        assert!(
            lines
                .iter()
                .all(|(line, style)| style.em >= fit::SMALL * TICK_LABEL && style.width(line) <= figure.side() + 1.0)
        );
        assert!(lines[0].0.starts_with("encoder.") && lines[0].0.ends_with("attention"), "{}", lines[0].0);
        let many = Name { models: 3, ..name("fc1", "best for SkipGram, Cross-lingual, one with a long name") };
        assert_eq!(figure.lines(&many)[1].0, "best for 3 word models");
    }

    #[test]
    fn long_names_of_layers_lose_what_they_share() {
        let directory = tempfile::tempdir().unwrap();
        let labels = ["0", "1", "2"].map(|n| format!("model.blocks.{n}.mlp.activation"));
        let results = Results { accuracy: rows("net", &labels, &["a"]), ..Results::default() };
        let of_run = ResultsDir::new(directory.path());
        for label in &labels {
            arrays::write_npy(&of_run.layer_rsm(label), &[1, 2, 2], &[1.0, 0.5, 0.5, 1.0]).unwrap();
        }
        let svg = draw(&Material::read(&results, directory.path()).unwrap()).unwrap().remove(0).picture.svg;
        assert!(svg.contains("model.blocks.n.mlp.activation.") && !svg.contains("blocks.1"), "{svg}");
    }

    #[test]
    fn matrices_on_disk_are_drawn_and_missing_ones_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let labels = ["pixels", "fc1"].map(String::from);
        let results = Results { accuracy: rows("vgg16", &labels, &["Skip Gram"]), ..Results::default() };
        let drawn = || draw(&Material::read(&results, directory.path()).unwrap()).unwrap();
        assert!(drawn().is_empty());
        let rsm = [1.0, 0.5, 0.5, 1.0];
        let of_run = ResultsDir::new(directory.path());
        arrays::write_npy(&of_run.words_rsm("Skip Gram"), &[2, 2], &rsm).unwrap();
        arrays::write_npy(&of_run.layer_rsm("fc1"), &[2, 2, 2], &[rsm, rsm].concat()).unwrap();
        let svg = drawn().remove(0).picture.svg;
        assert!(svg.contains(">Skip Gram</text>") && svg.contains(">fc1, best</text>"));
        assert!(!svg.contains(">pixels</text>") && !svg.contains("Columns stand"));
        of_run.write_concepts(&["polar_bear", "saw"].map(String::from), None).unwrap();
        let svg = drawn().remove(0).picture.svg;
        assert!(svg.contains(">polar bear</text>") && svg.contains(">saw</text>") && svg.contains("Columns stand"));
    }
}
