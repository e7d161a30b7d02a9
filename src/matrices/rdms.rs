//! rsatoolbox's RDMs: which of the matrices in one file are groups of a layer and which are layers, by their descriptors.

use std::path::Path;

use super::{MatrixError, Reading, Side, Source};
use crate::arrays::{self, CORRELATION_DISTANCE, DISSIMILARITIES, StoredArray, Told};
use crate::files;

/// Descriptors of what is measured again of one and the same layer.
const GROUPS: [&str; 22] = [
    "group",
    "groups",
    "subject",
    "subjects",
    "subj",
    "sub",
    "subject_id",
    "participant",
    "participants",
    "session",
    "sessions",
    "sess",
    "ses",
    "run",
    "runs",
    "fold",
    "cv_fold",
    "repetition",
    "rep",
    "split",
    "observer",
    "block",
];

/// Those of whom what is measured twice is no two.
const SUBJECTS: [&str; 9] =
    ["subject", "subjects", "subj", "sub", "subject_id", "participant", "participants", "observer", "monkey"];

/// The descriptor by which `semgpu export` tells words from images.
const SPACE: &str = "space";

/// The descriptor by which rsatoolbox counts what it has.
const INDEX: &str = "index";

/// Matrices of one layer, or of one word model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// What the descriptors call it, if there are several.
    pub name: Option<String>,
    /// Its matrices among those of the file.
    pub rdms: Vec<usize>,
    /// Their groups, if the descriptors name them.
    pub groups: Option<Vec<String>>,
}

/// A file of RDMs.
pub(super) struct Rdms {
    /// `[rdms, pairs]`
    pub distances: StoredArray,
    /// What they say of each matrix, by descriptor.
    descriptors: Vec<Descriptor>,
    /// Names of the patterns, from every descriptor that has any.
    pub names: Vec<Vec<String>>,
}

impl Rdms {
    /// Opens a file of correlation distances; none if it is of another kind.
    pub fn open(path: &Path, side: Side, reading: &Reading) -> Result<Option<Self>, MatrixError> {
        if !["h5", "hdf5"].contains(&files::ending(path).as_str()) {
            return Ok(None);
        }
        let names = arrays::names(path)?;
        if !names.iter().any(|name| name == DISSIMILARITIES) {
            return Ok(None);
        }
        let mut texts = arrays::texts(path)?;
        // Numbers describe, too: subject 3, 0.25 s.
        for name in names.iter().filter(|name| name.contains("_descriptors/")) {
            if let Ok(array) = arrays::open(path, Some(name), &Told::default()) {
                texts.push((name.clone(), array.values()?.iter().map(f64::to_string).collect()));
            }
        }
        let below = |group: &str| -> Vec<Descriptor> {
            let named =
                texts.iter().filter_map(|(name, list)| Some((name.strip_prefix(group)?.to_string(), list.clone())));
            named.filter(|(name, list)| name != INDEX || !counts(list)).collect()
        };
        let mut descriptors = below("rdm_descriptors/");
        // Of a subset it does not count, and tells a matrix apart from others by nothing but its place.
        descriptors.retain(|(name, _)| name != INDEX);
        let ours = descriptors.iter().any(|(name, _)| name == SPACE);
        match arrays::text_attribute(path, "dissimilarity_measure")? {
            Some(measure) if measure == CORRELATION_DISTANCE => {}
            // rsatoolbox loses the measure of a file that it loads and saves again.
            None if ours || reading.said(side).is_some() => {}
            found => return Err(MatrixError::Measure { path: path.into(), side, found }),
        }
        let distances = arrays::open(path, Some(DISSIMILARITIES), &Told::default())?;
        let names = below("pattern_descriptors/").into_iter().map(|(_, names)| names).collect();
        Ok(Some(Self { distances, descriptors, names }))
    }

    /// The parts that a source asks for.
    pub fn parts(&self, source: &Source, side: Side, reading: &Reading) -> Result<Vec<Part>, MatrixError> {
        let count = self.distances.shape().first().copied().unwrap_or_default();
        let several = |found: String| MatrixError::Several { path: source.path.clone(), count, found };
        let mut rdms: Vec<usize> = (0..count).collect();
        if let Some((_, space)) = self.descriptors.iter().find(|(name, _)| name == SPACE)
            && space.len() == count
        {
            rdms.retain(|&rdm| space[rdm] == side.name());
        }
        if rdms.is_empty() {
            return Err(several(format!("none whose {SPACE} is {}", side.name())));
        }
        let tells = |(name, values): &&Descriptor| {
            name != SPACE && values.len() == count && rdms.iter().any(|&rdm| values[rdm] != values[rdms[0]])
        };
        let (groups, layers): (Vec<_>, Vec<_>) =
            self.descriptors.iter().filter(tells).partition(|(name, _)| reading.is_group(name));
        self.check_groups(source, reading, &rdms, &layers, &groups)?;
        let mut parts = parts(&rdms, &layers, &groups);
        let named: Vec<String> = parts.iter().filter_map(|part| part.name.clone()).collect();
        if let Some(asked) = &source.array {
            let number = asked.parse().ok().filter(|number| rdms.contains(number));
            match (parts.iter().position(|part| part.name.as_ref() == Some(asked)), number) {
                (Some(part), _) => parts = vec![parts.swap_remove(part)],
                (None, Some(rdm)) => return Ok(vec![Part { name: None, rdms: vec![rdm], groups: None }]),
                (None, None) => {
                    let found =
                        if named.is_empty() { format!("matrices 0 to {}", count - 1) } else { named.join(", ") };
                    return Err(several(format!("{found}, and none called {asked:?}")));
                }
            }
        } else if let Some(part) = named.iter().position(|name| *name == source.name) {
            parts = vec![parts.swap_remove(part)];
        }
        for part in &mut parts {
            let distinct = part.groups.as_deref().is_none_or(|groups| crate::names::twice(groups).is_none());
            match (part.rdms.len(), &part.groups) {
                (1, _) => {}
                (_, Some(_)) if distinct => {}
                _ if reading.groups_are.is_some() => part.groups = None,
                _ => {
                    let of = part.name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
                    return Err(several(format!("{} matrices{of} that nothing tells apart", part.rdms.len())));
                }
            }
        }
        Ok(parts)
    }

    /// What is said to be subjects is measured once for each: sessions of one are no subjects of their own.
    fn check_groups(
        &self,
        source: &Source,
        reading: &Reading,
        rdms: &[usize],
        layers: &[&Descriptor],
        groups: &[&Descriptor],
    ) -> Result<(), MatrixError> {
        let is_subject = |name: &str| SUBJECTS.contains(&name.to_lowercase().as_str());
        let said = groups.iter().find(|(name, _)| reading.is_said(name) && is_subject(name));
        let (Some((said, _)), [_, _, ..]) = (said, groups) else { return Ok(()) };
        let alone: Vec<&Descriptor> = groups.iter().copied().filter(|(name, _)| name == said).collect();
        let repeats = |part: &Part| part.groups.as_deref().is_some_and(|groups| crate::names::twice(groups).is_some());
        match parts(rdms, layers, &alone).iter().any(repeats) {
            false => Ok(()),
            true => {
                let names: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
                Err(MatrixError::Nested { path: source.path.clone(), said: said.clone(), others: names.join(" and ") })
            }
        }
    }
}

/// A descriptor and what it says of each matrix.
type Descriptor = (String, Vec<String>);

/// Matrices of the same layer together, in the order in which layers appear.
fn parts(rdms: &[usize], layers: &[&Descriptor], groups: &[&Descriptor]) -> Vec<Part> {
    let of = |descriptors: &[&Descriptor], rdm: usize| {
        let values: Vec<&str> = descriptors.iter().map(|(_, values)| values[rdm].as_str()).collect();
        (!values.is_empty()).then(|| values.join(" "))
    };
    let mut parts: Vec<Part> = Vec::new();
    for &rdm in rdms {
        let (name, group) = (of(layers, rdm), of(groups, rdm));
        let part = match parts.iter().position(|part| part.name == name) {
            Some(part) => &mut parts[part],
            None => {
                parts.push(Part { name, rdms: Vec::new(), groups: Some(Vec::new()) });
                parts.last_mut().expect("pushed")
            }
        };
        part.rdms.push(rdm);
        part.groups = part.groups.take().zip(group).map(|(mut groups, group)| {
            groups.push(group);
            groups
        });
    }
    parts
}

/// Whether a list is 0, 1, 2, …: rsatoolbox's `index`.
fn counts(list: &[String]) -> bool {
    list.iter().enumerate().all(|(n, text)| *text == n.to_string())
}

impl Reading {
    /// Whether a descriptor tells groups apart rather than layers.
    fn is_group(&self, name: &str) -> bool {
        GROUPS.contains(&name.to_lowercase().as_str()) || self.is_said(name)
    }

    /// Whether it tells those apart that the user says the groups are.
    fn is_said(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let said = self.groups_are.as_deref().map(str::to_lowercase);
        said.is_some_and(|said| said == name || said.strip_suffix('s') == Some(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(name: &str, values: &str) -> (String, Vec<String>) {
        (name.to_string(), values.split(' ').map(str::to_string).collect())
    }

    #[test]
    fn regions_are_layers_and_subjects_groups() {
        let (roi, subject) = (descriptor("roi", "V1 V1 IT IT"), descriptor("subject", "1 2 1 2"));
        let part = |name: Option<&str>, rdms: &[usize], groups: Option<&str>| Part {
            name: name.map(str::to_string),
            rdms: rdms.to_vec(),
            groups: groups.map(|groups| descriptor("", groups).1),
        };
        let all = [0, 1, 2, 3];
        let found = parts(&all, &[&roi], &[&subject]);
        assert_eq!(found, [part(Some("V1"), &[0, 1], Some("1 2")), part(Some("IT"), &[2, 3], Some("1 2"))]);
        assert_eq!(parts(&all, &[], &[&subject])[0].rdms, all);
        assert_eq!(parts(&all, &[&roi], &[]), [part(Some("V1"), &[0, 1], None), part(Some("IT"), &[2, 3], None)]);
        let reading = Reading { groups_are: Some("Monkeys".to_string()), ..Reading::default() };
        assert!(reading.is_group("monkey") && reading.is_group("Subject") && !reading.is_group("roi"));
    }
}
