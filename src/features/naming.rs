//! What a file of features calls its vectors: lists of names, of which any may be the one that is meant.

use std::collections::HashMap;
use std::path::Path;

use super::{FeaturesError, Layout};
use crate::names::{self, Unfit};

/// The lists that name all vectors, one after the other through the groups: those that the user gives or the arrays' own
/// names (`given`), else those of `labels`, of which the ones without repetition come first.
///
/// # Errors
/// A list of another length, and one that has the file's own names in another order.
pub(super) fn lists(
    path: &Path,
    layout: &Layout,
    given: Option<Vec<String>>,
    labels: &[Vec<String>],
    axes: &[usize],
) -> Result<Vec<Vec<String>>, FeaturesError> {
    let vectors: usize = axes.iter().product();
    let own = names::lists(labels, vectors);
    if let Some(rows) = &layout.rows {
        check_rows(path, rows, &own)?;
    }
    let mut lists: Vec<Vec<String>> = match layout.rows.clone().or(given) {
        Some(list) => vec![list],
        None if own.is_empty() => labels.iter().filter(|list| list.len() == vectors).cloned().collect(),
        None => own,
    };
    if let [groups, concepts] = *axes {
        // Those of the concepts hold for every group.
        if lists.is_empty() && layout.concepts.is_some() {
            lists = names::lists(labels, concepts);
        }
        for list in lists.iter_mut().filter(|list| list.len() == concepts) {
            *list = vec![&list[..]; groups].concat();
        }
    }
    match lists.iter().find(|list| list.len() != vectors) {
        Some(list) => Err(FeaturesError::Rows { path: path.into(), found: vectors, names: list.len() }),
        None => Ok(lists),
    }
}

/// A list of the user's is no other order of the file's own, unless the file has that order too.
fn check_rows(path: &Path, rows: &[String], own: &[Vec<String>]) -> Result<(), FeaturesError> {
    let orders: Vec<Vec<usize>> =
        own.iter().filter_map(|list| names::order(rows, std::slice::from_ref(list))).collect();
    match orders.first() {
        Some(order) if !orders.iter().any(|order| names::is_same(order)) => {
            let moved = order.iter().enumerate().position(|(row, &place)| row != place).unwrap_or_default();
            Err(FeaturesError::RowsOrder { path: path.into(), name: rows[moved].clone() })
        }
        _ => Ok(()),
    }
}

/// Names that each stand once for every group do not stand twice in one: vectors of one concept beside each other are no groups.
pub(super) fn check_groups(path: &Path, lists: &[Vec<String>], groups: usize) -> Result<(), FeaturesError> {
    let unfit = |list: &Vec<String>| {
        let concepts = list.len() / groups.max(1);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        list.iter().for_each(|name| *counts.entry(name).or_default() += 1);
        let each_once = counts.values().all(|&count| count == groups);
        let twice = |group: &[String]| match names::fitting(group, concepts) {
            Err(Unfit::Twice { name, first, second }) => Some((name, first, second)),
            _ => None,
        };
        // Of as many groups as concepts they may be names of groups.
        (each_once && concepts != groups).then(|| list.chunks(concepts.max(1)).find_map(twice)).flatten()
    };
    let mut all = lists.iter().map(unfit).collect::<Option<Vec<_>>>().unwrap_or_default().into_iter();
    match all.next() {
        Some((name, first, second)) => Err(FeaturesError::Groups {
            path: path.into(),
            groups,
            found: format!(
                "rows {first} and {second} (from 0) of one group are both {name:?}, expected groups one after the other, each with \
                 every concept once: sort the rows by group, and their names"
            ),
        }),
        None => Ok(()),
    }
}

/// What is found by the lists that name what is looked for, and one of them; by none, `found`'s error of the list that names
/// most of it.
///
/// # Errors
/// Two of them find it in different places.
pub(super) fn found_by<'a>(
    path: &Path,
    lists: &'a [Vec<String>],
    found: impl Fn(&[String]) -> Result<Vec<usize>, FeaturesError>,
) -> Result<(Vec<usize>, &'a [String]), FeaturesError> {
    let mut first: Option<(Vec<usize>, &[String])> = None;
    let mut refused: Option<FeaturesError> = None;
    for list in lists {
        match (found(list), &first) {
            (Ok(places), Some((others, other))) if places != *others => {
                return Err(FeaturesError::TwoLists { path: path.into(), names: apart(other, list) });
            }
            (Ok(places), None) => first = Some((places, list)),
            (Ok(_), Some(_)) => {}
            (Err(error), _) if refused.as_ref().is_none_or(|other| lacking(&error) < lacking(other)) => {
                refused = Some(error);
            }
            (Err(_), _) => {}
        }
    }
    match first {
        Some(first) => Ok(first),
        None => Err(refused.unwrap_or_else(|| FeaturesError::NoRows(path.into()))),
    }
}

/// The first two names by which two lists differ.
pub(super) fn apart(a: &[String], b: &[String]) -> [String; 2] {
    let first = a.iter().zip(b).find(|(a, b)| a != b);
    first.map_or_else(Default::default, |(a, b)| [a.clone(), b.clone()])
}

/// How many of the names that are looked for a list lacks.
fn lacking(error: &FeaturesError) -> usize {
    match error {
        FeaturesError::NoSuchRows { count, .. } => *count,
        _ => 0,
    }
}

/// The lists that name the concepts of every group alike, those that only count last.
///
/// # Errors
/// A group with the names of the first in another order.
pub(super) fn of_concepts(
    path: &Path,
    lists: &[Vec<String>],
    labels: &[Vec<String>],
    concepts: usize,
) -> Result<Vec<Vec<String>>, FeaturesError> {
    let mut found = Vec::new();
    for list in lists {
        let groups = list.chunks(concepts).map(|group| names::fitting(group, concepts).ok());
        let Some(groups) = groups.collect::<Option<Vec<_>>>() else { continue };
        let moved = groups.iter().enumerate().find_map(|(group, names)| {
            let order = names::order(&groups[0], std::slice::from_ref(names))?;
            let concept = order.iter().enumerate().position(|(row, &place)| row != place)?;
            Some((group, groups[0][concept].clone()))
        });
        if let Some((group, name)) = moved {
            return Err(FeaturesError::GroupOrder { path: path.into(), group: group + 1, name });
        }
        if groups.iter().all(|group| *group == groups[0]) {
            found.push(groups[0].clone());
        }
    }
    found.extend(names::lists(labels, concepts));
    let mut different: Vec<Vec<String>> = Vec::new();
    for list in found {
        if !different.contains(&list) {
            different.push(list);
        }
    }
    different.sort_by_key(|list| only_count(list));
    Ok(different)
}

/// Whether names are places (1, 2, … in any order, or V1, V2, …) where img1, img2, … may be meant.
pub(super) fn only_count(list: &[String]) -> bool {
    let letters = |name: &String| name.chars().filter(|letter| !letter.is_ascii_digit()).count();
    names::are_places(list) || names::are_counted(list) && list.iter().all(|name| letters(name) <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lists_are_told_apart_by_what_differs() {
        let names = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        assert_eq!(apart(&names("ant bee cat"), &names("ant cat bee")), ["bee", "cat"]);
    }
}
