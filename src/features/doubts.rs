//! What of a file of features may have been understood otherwise than it was meant.

use super::{Features, FeaturesError, naming};
use crate::matrices;
use crate::names;
use crate::nets::FEWEST_UNITS;
use crate::stats::Rsm;

impl Features {
    /// A doubt about what was understood, if there is one.
    ///
    /// # Errors
    /// Two lists of names that order the concepts differently.
    pub fn doubt(&self) -> Result<Option<String>, FeaturesError> {
        let path = self.path.display();
        if let Some(([one, other], _)) = names::two_orders(&self.concept_lists) {
            return Err(FeaturesError::TwoLists { path: self.path.clone(), names: naming::apart(one, other) });
        }
        if self.grouped && self.groups > self.concepts {
            return Ok(Some(format!(
                "{path}: more groups ({}) than concepts ({}): if the first axis are the concepts, add --flatten",
                self.groups, self.concepts
            )));
        }
        // What only counts beside names is not meant.
        let meant = self.concept_lists.iter().filter(|list| !naming::only_count(list));
        if let [taken, other, ..] = &meant.collect::<Vec<_>>()[..] {
            return Ok(Some(format!(
                "{path}: two lists name the concepts ({}, … and {}, …): the matrix gets the names of the first; --rows FILE says \
                 which are meant",
                taken[0], other[0]
            )));
        }
        if !self.concept_lists.is_empty() {
            return Ok(None);
        }
        let labels = self.array().labels();
        if let (None, Some(list)) = (&self.names, labels.unread(self.concepts)) {
            return Ok(Some(format!("{path}: {}: not taken for the names of the rows: {}", list.name, list.why)));
        }
        let listed = || labels.rows.iter().find(|list| list.len() == self.concepts);
        let names = self.names.as_deref().or_else(|| listed().map(Vec::as_slice)).unwrap_or_default();
        if let (Some(columns), true) = (self.named_columns(), names.is_empty()) {
            return Ok(Some(format!(
                "{path}: {columns}: as many names as units, {}, and none for the {} rows: if they name the concepts, add --transpose",
                self.units, self.concepts
            )));
        }
        let mut groups = names.chunks(self.concepts).enumerate();
        let unfit = groups.find_map(|(group, names)| Some((group, names::fitting(names, self.concepts).err()?)));
        if let Some((group, why)) = unfit {
            let group = if self.groups > 1 { format!(" of group {}", self.group_names[group]) } else { String::new() };
            return Ok(Some(format!("{path}: names of the rows{group}: {why}; the matrix gets none")));
        }
        let other = names.chunks(self.concepts).position(|group| *group != names[..self.concepts]);
        Ok(other.map(|other| {
            format!(
                "{path}: rows of group {} are called {}, … and of group {} {}, …: that each group has the concepts in the same order is \
                 taken for granted; the matrix gets no names",
                self.group_names[0],
                names[0],
                self.group_names[other],
                names[other * self.concepts]
            )
        }))
    }

    /// How the names begin that a file has for its units, where it does not say what they name.
    fn named_columns(&self) -> Option<String> {
        let labels = self.array().labels();
        let fits = |list: &&Vec<String>| names::fitting(list, self.units).is_ok();
        let list =
            labels.rows.iter().find(fits).filter(|_| !labels.placed && self.leading == 1 && self.shape().len() == 2)?;
        Some(format!("{}, …", list[0]))
    }

    /// A file that looks as if it held similarities already: its first square symmetric, with 1 or 0 on the diagonal; its values
    /// are read where its diagonal is so.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn doubt_of_matrix(&self) -> Result<Option<String>, FeaturesError> {
        let k = self.units;
        let leading = match *self.shape() {
            [rows, units] if [rows, units] == [k, k] => 1,
            [_, rows, units] if [rows, units] == [k, k] => 2,
            _ => return Ok(None),
        };
        if self.arrays.len() != 1 {
            return Ok(None);
        }
        for row in 0..k {
            let mut own = [f64::NAN];
            self.array().read(leading, row, row, &mut own)?;
            if !matrices::is_diagonal(own[0]) {
                return Ok(None);
            }
        }
        let mut first = self.array().values()?;
        first.truncate(k * k);
        Ok(matrices::is_matrix(&Rsm::new(k, first)).then(|| {
            format!(
                "{}: a similarity matrix, by its diagonal and symmetry, and its rows are taken for vectors: `semgpu test` reads the \
                 matrix itself without --features",
                self.path.display()
            )
        }))
    }

    /// What correlations over two units are.
    pub fn doubt_of_units(&self) -> Option<String> {
        (self.units < FEWEST_UNITS).then(|| {
            format!(
                "{}: {} units, and a correlation over two is 1 or -1; expected {FEWEST_UNITS} or more, was the file read right?",
                self.path.display(),
                self.units
            )
        })
    }
}
