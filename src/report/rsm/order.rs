//! The order in which concepts stand: category by category, where the manifest has them.

use crate::names::distinct;
use crate::stats::Rsm;

/// Where each concept stands.
pub struct Order {
    /// The place of each row in the file; empty: as they are.
    places: Vec<usize>,
    /// Categories with the row at which each starts; without any the concepts, if they are few.
    pub categories: Vec<(String, usize)>,
    /// Whether concepts are named.
    pub of_concepts: bool,
    /// What the names do not say of it, a sentence.
    pub said: String,
}

/// As many concepts have room for their names.
pub const NAMED: usize = 40;

impl Order {
    /// Category by category.
    pub fn new(categories: &[String]) -> Self {
        let mut order = Self { places: Vec::new(), categories: Vec::new(), of_concepts: false, said: String::new() };
        for name in distinct(categories.iter().map(String::as_str)) {
            order.categories.push((name.to_string(), order.places.len()));
            order.places.extend((0..categories.len()).filter(|&place| categories[place] == name));
        }
        order
    }

    /// Concepts as they are, by name if they are few.
    pub fn named(concepts: &[String]) -> Self {
        let plain = |name: &String| name.replace('_', " ");
        let (named, said) = match concepts {
            [] => (concepts, String::new()),
            [first, .., last] if concepts.len() > NAMED => {
                let (first, last) = (plain(first), plain(last));
                (&concepts[..0], format!(" Concepts stand in the order of rsm/concepts.txt, from {first} to {last}."))
            }
            _ => (concepts, " Columns stand in the order of the rows.".to_string()),
        };
        let categories = named.iter().enumerate().map(|(place, name)| (plain(name), place)).collect();
        Self { places: (0..named.len()).collect(), categories, of_concepts: !named.is_empty(), said }
    }

    /// `[concepts, concepts]` in this order, without the diagonal.
    pub fn values(&self, rsm: &Rsm) -> Vec<f64> {
        let concepts = rsm.concepts();
        let place = |row: usize| if self.places.len() == concepts { self.places[row] } else { row };
        let at = |a: usize, b: usize| if a == b { f64::NAN } else { rsm.row(place(a))[place(b)] };
        (0..concepts).flat_map(|a| (0..concepts).map(move |b| at(a, b))).collect()
    }

    /// Whether every row has a name of its own.
    pub fn is_row_by_row(&self) -> bool {
        self.categories.len() == self.places.len()
    }

    /// Each category's name with where its rows begin and end, as shares of all.
    pub fn blocks(&self) -> Vec<(&str, f64, f64)> {
        let ends = self.categories.iter().skip(1).map(|&(_, start)| start).chain([self.places.len()]);
        let share = |row: usize| row as f64 / self.places.len() as f64;
        self.categories
            .iter()
            .zip(ends)
            .map(|((name, start), end)| (name.as_str(), share(*start), share(end)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concepts_stand_category_by_category() {
        let order = Order::new(&["animal", "food", "animal"].map(String::from));
        assert_eq!(order.categories, [("animal".to_string(), 0), ("food".to_string(), 2)]);
        let values = order.values(&Rsm::new(3, vec![1.0, 0.1, 0.2, 0.1, 1.0, 0.3, 0.2, 0.3, 1.0]));
        assert_eq!(values[1..3], [0.2, 0.1]);
        assert!(values[0].is_nan());
    }
}
