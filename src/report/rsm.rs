//! Similarity matrices as pictures: the word models' and those of layers along the depth, concepts by category.

use std::path::{Path, PathBuf};

use plotters::style::text_anchor::HPos;

use crate::arrays;
use crate::error::FileError;
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, TextStyle, write_figure};
use crate::report::curves::Curves;
use crate::report::notes::Notes;
use crate::report::ramp::Ramp;
use crate::report::style::{AXIS, INK, SIZE, TICK_LABEL, TITLE};
use crate::report::{ReportError, Writer, figures};
use crate::results::{Results, ResultsDir};
use crate::stats::Rsm;
use crate::stats::ceiling::mean_rsm;

/// `rsm_<network>`
pub const WRITER: Writer = Writer { name: "rsm", write };

const COLUMNS: usize = 3;
/// Word models shown, and matrices in all.
const MOST: (usize, usize) = (2, 6);

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    let of_run = ResultsDir::new(directory);
    let order = Order::read(&of_run)?;
    for curves in Curves::of_networks(&results.accuracy) {
        let words = curves.models.iter().take(MOST.0).map(|model| (model.words, of_run.words_rsm(model.words)));
        let shown = spread(curves.layers.len(), MOST.1 - curves.models.len().min(MOST.0));
        let layers = shown.into_iter().map(|n| (curves.labels[n], of_run.layer_rsm(curves.layers[n])));
        let mut matrices = Vec::new();
        for (name, path) in words.chain(layers) {
            // Results may have been copied without their matrices.
            if path.exists() {
                let (shape, values) = arrays::read_npy(&path)?;
                matrices.extend(mean(&shape, values).map(|rsm| (name.to_string(), rsm)));
            }
        }
        if !matrices.is_empty() {
            let figure = Matrices { title: curves.network.to_string(), matrices, order: &order };
            paths.extend(write_figure(&figure, &figures(directory), &curves.stem(WRITER.name))?);
        }
    }
    Ok(paths)
}

/// `[concepts, concepts]`, or the mean of `[groups, concepts, concepts]`; none of another shape, or an empty one.
pub fn mean(shape: &[usize], values: Vec<f64>) -> Option<Rsm> {
    match *shape {
        [concepts, columns] if concepts == columns && concepts > 0 => Some(Rsm::new(concepts, values)),
        [groups, concepts, columns] if concepts == columns && concepts > 0 && groups > 0 => {
            let groups: Vec<Rsm> =
                values.chunks(concepts * concepts).map(|group| Rsm::new(concepts, group.to_vec())).collect();
            Some(mean_rsm(&groups))
        }
        _ => None,
    }
}

/// `count` of `of` places, the first and the last among them, equally far apart.
fn spread(of: usize, count: usize) -> Vec<usize> {
    let count = count.min(of);
    (0..count).map(|n| (n * (of - 1) + (count - 1) / 2) / (count - 1).max(1)).collect()
}

/// The order in which concepts stand: category by category, where the manifest has them.
struct Order {
    /// The place of each row in the file; empty: as they are.
    places: Vec<usize>,
    /// Categories with the row at which each starts.
    categories: Vec<(String, usize)>,
}

impl Order {
    fn read(directory: &ResultsDir) -> Result<Self, FileError> {
        let categories = directory.categories()?;
        let names = crate::report::curves::distinct(categories.iter().map(String::as_str));
        let mut order = Self { places: Vec::new(), categories: Vec::new() };
        for name in names {
            order.categories.push((name.to_string(), order.places.len()));
            order.places.extend((0..categories.len()).filter(|&place| categories[place] == name));
        }
        Ok(order)
    }

    /// `[concepts, concepts]` in this order, without the diagonal.
    fn values(&self, rsm: &Rsm) -> Vec<f64> {
        let concepts = rsm.concepts();
        let place = |row: usize| if self.places.len() == concepts { self.places[row] } else { row };
        let at = |a: usize, b: usize| if a == b { f64::NAN } else { rsm.row(place(a))[place(b)] };
        (0..concepts).flat_map(|a| (0..concepts).map(move |b| at(a, b))).collect()
    }
}

struct Matrices<'a> {
    title: String,
    matrices: Vec<(String, Rsm)>,
    order: &'a Order,
}

const EDGE: f64 = 24.0;
const GAP: f64 = 40.0;
const TOP: f64 = EDGE + 1.25 * TITLE;
const NAME: f64 = 1.5 * TICK_LABEL;
/// Below a matrix: its colours.
const BAR: f64 = 2.4 * TICK_LABEL;

impl Matrices<'_> {
    fn side(&self) -> f64 {
        (f64::from(SIZE.0) - 2.0 * EDGE - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64
    }

    fn rows(&self) -> usize {
        self.matrices.len().div_ceil(COLUMNS)
    }

    fn notes(&self) -> Notes {
        let mut notes =
            "Pearson correlations of concepts, mean over groups of images. Each matrix has its own colours, \
                         which span all but the outer 1\u{a0}% at either end."
                .to_string();
        let categories: Vec<&str> = self.order.categories.iter().map(|(name, _)| name.as_str()).collect();
        if !categories.is_empty() {
            notes += &format!(" Concepts by category: {}.", categories.join(", "));
        }
        Notes::wrapped(&notes, f64::from(SIZE.0) - 2.0 * EDGE)
    }
}

impl Figure for Matrices<'_> {
    fn size(&self) -> (u32, u32) {
        let height = TOP + self.rows() as f64 * (NAME + self.side() + BAR) + self.notes().height() + EDGE;
        (SIZE.0, height.ceil() as u32)
    }

    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let side = self.side();
        canvas.text(&self.title, TextStyle::bold(TITLE, INK), (EDGE, EDGE + 0.8 * TITLE), HPos::Left)?;
        for (n, (name, rsm)) in self.matrices.iter().enumerate() {
            let left = EDGE + (n % COLUMNS) as f64 * (side + GAP);
            let top = TOP + (n / COLUMNS) as f64 * (NAME + side + BAR);
            canvas.text(name, TextStyle::regular(TICK_LABEL, INK), (left, top + TICK_LABEL), HPos::Left)?;
            let top = top + NAME;
            let values = self.order.values(rsm);
            let ramp = Ramp::middle(&values);
            canvas.raster(&ramp.raster(&values, rsm.concepts()), (left, top), side, side)?;
            for &(_, start) in self.order.categories.iter().skip(1) {
                // A tick at the margin: lines across would hide rows.
                let at = start as f64 / rsm.concepts() as f64 * side;
                canvas.line(&[(left - 8.0, top + at), (left, top + at)], AXIS, INK)?;
                canvas.line(&[(left + at, top + side), (left + at, top + side + 8.0)], AXIS, INK)?;
            }
            ramp.draw(canvas, (left, top + side + 16.0), side)?;
        }
        let foot = TOP + self.rows() as f64 * (NAME + side + BAR);
        self.notes().draw(canvas, (EDGE, foot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    #[test]
    fn layers_are_spread_from_the_first_to_the_last() {
        assert_eq!(spread(12, 4), [0, 4, 7, 11]);
        assert_eq!(spread(2, 4), [0, 1]);
        assert_eq!(spread(1, 4), [0]);
        assert_eq!(spread(5, 1), [0]);
        assert_eq!(spread(0, 4), [0; 0]);
    }

    #[test]
    fn matrices_of_nothing_are_left_out() {
        for shape in [&[0, 0][..], &[2, 0, 0], &[0, 3, 3]] {
            assert_eq!(mean(shape, Vec::new()), None, "{shape:?}");
        }
    }

    #[test]
    fn concepts_stand_category_by_category() {
        let directory = tempfile::tempdir().unwrap();
        let results = ResultsDir::new(directory.path());
        let [concepts, categories] = [["cat", "pie", "dog"], ["animal", "food", "animal"]].map(|l| l.map(String::from));
        results.write_concepts(&concepts, Some(&categories)).unwrap();
        let order = Order::read(&results).unwrap();
        assert_eq!(order.categories, [("animal".to_string(), 0), ("food".to_string(), 2)]);
        let values = order.values(&Rsm::new(3, vec![1.0, 0.1, 0.2, 0.1, 1.0, 0.3, 0.2, 0.3, 1.0]));
        assert_eq!(values[1..3], [0.2, 0.1]);
        assert!(values[0].is_nan());
    }

    #[test]
    fn matrices_on_disk_are_drawn_and_missing_ones_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let labels = ["pixels", "fc1"].map(String::from);
        let results = Results { accuracy: rows("vgg16", &labels, &["Skip Gram"]), ..Results::default() };
        assert!(write(&results, directory.path()).unwrap().is_empty());
        let rsm = [1.0, 0.5, 0.5, 1.0];
        let of_run = ResultsDir::new(directory.path());
        arrays::write_npy(&of_run.words_rsm("Skip Gram"), &[2, 2], &rsm).unwrap();
        arrays::write_npy(&of_run.layer_rsm("fc1"), &[2, 2, 2], &[rsm, rsm].concat()).unwrap();
        let paths = write(&results, directory.path()).unwrap();
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        assert!(svg.lines().any(|line| line == "Skip Gram") && svg.lines().any(|line| line == "fc1"));
        assert!(!svg.lines().any(|line| line == "pixels"));
    }
}
