//! Concepts and groups brought into one order.
//!
//! Files that name their concepts are held against each other and against `--concepts`: the same names in another order
//! are re-ordered, other names are refused. A file that names none is in the order of `--concepts`; without that list, in
//! the order of the others, if they share one.

use std::path::{Path, PathBuf};

use crate::config::TestRequest;
use crate::halves::{HalvesError, check_places};
use crate::matrices::{self, Matrices};
use crate::names;
use crate::wording::{SETTLES_ORDER, order_taken};

/// The order that all matrices were brought into.
#[derive(Default)]
pub(super) struct Order {
    /// Of the concepts, if anything names them.
    pub(super) names: Option<Vec<String>>,
    /// Whether any matrix was moved.
    pub(super) reordered: bool,
    /// What nothing but the user knows of it.
    pub(super) doubt: Option<String>,
}

impl TestRequest {
    /// Brings all matrices into one order.
    pub(super) fn align(&self, all: &mut [&mut Matrices], listed: Option<Vec<String>>) -> Result<Order, HalvesError> {
        let first = all.iter().find(|matrices| !matrices.names.is_empty());
        let (first, first_path) = (first.map(|first| first.names.clone()), first.map(|first| first.read.path.clone()));
        // Of a file's several lists, the one that the other files have too.
        let shared = |list: &&Vec<String>| {
            all.iter().all(|other| other.names.is_empty() || names::order(list, &other.names).is_some())
        };
        if let (Some(lists), Some(path), None, false) = (&first, &first_path, &listed, self.by_order) {
            check_one_order(path, lists.iter().filter(shared), all)?;
        }
        let lists = first.unwrap_or_default();
        let first = lists.iter().find(shared).or(lists.first()).cloned();
        let (from, wanted) = (self.concepts.clone().or(first_path).unwrap_or_default(), listed.or(first));
        if self.by_order {
            return Ok(as_they_stand(all, wanted, &from));
        }
        let Some(wanted) = wanted else { return Ok(Order::default()) };
        let (mut moved, mut unnamed) = (None::<PathBuf>, None::<PathBuf>);
        for matrices in all.iter_mut() {
            if matrices.names.is_empty() {
                unnamed.get_or_insert_with(|| matrices.read.path.clone());
                matrices.read.order = Some(format!("names no concepts: taken in the order of {}", from.display()));
                continue;
            }
            let meant = |list: &Vec<String>| {
                let order = names::order(&wanted, std::slice::from_ref(list))?;
                Some((matrices::shown(list), order))
            };
            let (shown, order) =
                matrices.names.iter().find_map(meant).ok_or_else(|| other_concepts(matrices, &wanted, &from))?;
            matrices.read.names = Some(shown);
            if names::is_same(&order) {
                matrices.read.order = Some("in order".to_string());
                continue;
            }
            moved.get_or_insert(matrices.read.path.clone());
            matrices.rsms.iter_mut().for_each(|rsm| *rsm = matrices::reordered(rsm, &order));
            matrices.scales.iter_mut().for_each(|scales| *scales = scales.reordered(&order));
            matrices.read.order = Some(format!("re-ordered by name to the order of {}", from.display()));
        }
        if let (Some(path), None) = (&unnamed, &self.concepts) {
            check_places(&from, &lists, path)?;
        }
        match (unnamed, moved, &self.concepts) {
            (Some(path), Some(other), None) => Err(HalvesError::Unnamed { path, first: from, other }),
            (unnamed, moved, listed) => {
                let doubt = unnamed.filter(|_| listed.is_none());
                let doubt = doubt.map(|path| order_taken(&path, from.display()) + SETTLES_ORDER);
                Ok(Order { names: Some(wanted), reordered: moved.is_some(), doubt })
            }
        }
    }
}

/// The order of files whose names are not looked at; concepts are called by `names`, those of the file `from`.
fn as_they_stand(all: &mut [&mut Matrices], names: Option<Vec<String>>, from: &Path) -> Order {
    all.iter_mut().for_each(|matrices| matrices.read.order = Some("in the order of the file".to_string()));
    let of_pairs = all.iter().find(|matrices| matrices.read.form == "pairs").map(|pairs| {
        let path = pairs.read.path.display();
        format!("--by-order: {path} is a list of pairs, whose order is that in which the names appear, of numbers that of their values")
    });
    let doubt = of_pairs.or_else(|| called_otherwise(all, names.as_ref()?, from));
    Order { names, reordered: false, doubt }
}

/// What is to be said of a file whose concepts get other names than it has, for its order is taken as it stands.
fn called_otherwise(all: &[&mut Matrices], names: &[String], from: &Path) -> Option<String> {
    let other =
        all.iter().find(|matrices| !matrices.names.is_empty() && !matrices.names.iter().any(|own| own == names))?;
    Some(format!(
        "--by-order: {} names its concepts otherwise, or in another order, than {}, from which the results have the names",
        other.read.path.display(),
        from.display()
    ))
}

/// Lists that all files share order them alike: of numbered rows beside names either may be meant.
fn check_one_order<'a>(
    path: &Path,
    mut shared: impl Iterator<Item = &'a Vec<String>>,
    all: &[&mut Matrices],
) -> Result<(), HalvesError> {
    let Some(first) = shared.next() else { return Ok(()) };
    for list in shared {
        let differs = |other: &&&mut Matrices| {
            let names = &other.names;
            !names.is_empty() && names::order(first, names) != names::order(list, names)
        };
        if let Some(other) = all.iter().find(differs) {
            return Err(HalvesError::TwoOrders {
                path: other.read.path.clone(),
                first: path.into(),
                names: [&first[0], &list[0]].map(String::clone),
            });
        }
    }
    Ok(())
}

fn other_concepts(matrices: &Matrices, wanted: &[String], from: &Path) -> HalvesError {
    let found = &matrices.names[0];
    let (path, from) = (matrices.read.path.clone(), from.to_path_buf());
    let missing = wanted.iter().find(|name| !found.contains(name)).unwrap_or(&wanted[0]).clone();
    let other = found.iter().find(|name| !wanted.contains(name)).unwrap_or(&found[0]).clone();
    HalvesError::OtherNames { path, other, from, missing }
}

/// What has groups with names has them in the same order, whatever the order of its concepts; what is to be said of other
/// names, which are those of the same groups only by their places.
pub(super) fn align_groups<'a>(
    all: impl Iterator<Item = &'a mut Matrices>,
    by_order: bool,
) -> Result<Option<String>, HalvesError> {
    let all: Vec<&mut Matrices> = all.collect();
    let Some((first, path)) = all.iter().find_map(|layer| Some((layer.groups.clone()?, layer.read.path.clone())))
    else {
        return Ok(None);
    };
    let mut doubt = None;
    for layer in all {
        let Some(groups) = layer.groups.replace(first.clone()) else { continue };
        let Some(order) = names::order(&first, std::slice::from_ref(&groups)) else {
            let other = groups.iter().find(|group| !first.contains(group)).unwrap_or(&groups[0]).clone();
            if by_order {
                doubt.get_or_insert_with(|| {
                    let file = layer.read.path.display();
                    format!(
                        "--by-order: {file} has the group {other:?}, {} has not: groups are paired as they stand",
                        path.display()
                    )
                });
                continue;
            }
            return Err(HalvesError::OtherGroups { path: layer.read.path.clone(), other, first: path });
        };
        layer.rsms = order.iter().map(|&group| layer.rsms[group].clone()).collect();
        if !layer.scales.is_empty() {
            layer.scales = order.iter().map(|&group| layer.scales[group].clone()).collect();
        }
    }
    Ok(doubt)
}
