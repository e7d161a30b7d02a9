//! The layout of Keras 3's `.weights.h5`: `layers/{class}_{k}/vars/{i}`, where `k` counts the layers of a class in the
//! order of the graph. Where a layer has its name from: the attribute `name` of `vars`; in files of older releases, which
//! have none, the configuration in the `.keras` archive. With neither, tensors keep their path, `layers/conv2d_3/vars/0`,
//! which is no layer's name: only a network without branches knows which layer that is.

use std::collections::HashSet;

use hdf5_reader::group::Group;

use super::config::Config;
use super::{MAX_VARIABLES, Problem, Variable, found, names, strings};

/// Models inside models inside models: no network comes near.
const MAX_DEPTH: usize = 32;
/// Where the layers are; the second name is that of TensorFlow 2.13 to 2.15.
const LAYERS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];
/// What a layer may keep beside its weights.
const NOT_WEIGHTS: [&str; 3] = ["optimizer", "metrics", "seed_generator"];

/// The variables of all layers.
pub(super) fn variables(root: &Group, config: &Config) -> Result<Vec<Variable>, Problem> {
    check_attributes(root)?;
    for layers in LAYERS {
        if let Some(group) = found(root.group(layers))? {
            let mut walk = Walk { config, seen: HashSet::new(), variables: vec![] };
            walk.group(&group, layers, 0)?;
            if !walk.variables.is_empty() {
                return Ok(walk.variables);
            }
        }
    }
    Err(Problem::Open("has no layers with weights, expected those of a Keras model".into()))
}

struct Walk<'a> {
    config: &'a Config,
    /// Addresses of the groups visited.
    seen: HashSet<u64>,
    variables: Vec<Variable>,
}

impl Walk<'_> {
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Result<(), Problem> {
        if depth > MAX_DEPTH || !self.seen.insert(group.address()) {
            return Err(Problem::Layout(format!("{path}: groups inside each other")));
        }
        let mut children = group.groups()?;
        // Listed by their names: `dense` before `functional`.
        let place = |child: &Group| self.config.layer(&format!("{path}/{}", child.name())).map(|layer| layer.place);
        children.sort_by_key(place);
        if children.iter().any(|child| place(child).is_none()) {
            check_order(&children, path)?;
        }
        for child in children {
            match child.name() {
                "vars" => self.layer(&child, path)?,
                name if NOT_WEIGHTS.contains(&name) => {}
                name => self.group(&child, &format!("{path}/{name}"), depth + 1)?,
            }
        }
        Ok(())
    }

    fn layer(&mut self, vars: &Group, path: &str) -> Result<(), Problem> {
        let mut datasets = vars.datasets()?;
        if self.variables.len() + datasets.len() > MAX_VARIABLES {
            return Err(Problem::Layout(format!("more than {MAX_VARIABLES} variables")));
        }
        let index = |name: &str| name.rsplit('/').next().and_then(|name| name.parse::<usize>().ok());
        datasets.sort_by_key(|dataset| index(dataset.name()));
        if !datasets.iter().enumerate().all(|(place, dataset)| index(dataset.name()) == Some(place)) {
            return Err(Problem::Layout(format!("{path}/vars: datasets not named 0, 1, 2, …")));
        }
        let layer = self.config.layer(path);
        let name = strings(&vars.attributes()?, "name")?.and_then(|mut names| names.pop());
        let Some(name) = name.or_else(|| layer.map(|layer| layer.name.clone())) else {
            let unnamed = datasets.into_iter().enumerate();
            self.variables.extend(unnamed.map(|(place, values)| Variable {
                layer: format!("{path}/vars"),
                name: place.to_string(),
                values,
            }));
            return Ok(());
        };
        let class = path.rsplit('/').next().unwrap_or(path);
        let class = class.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_').unwrap_or(class);
        let ranks: Vec<usize> = datasets.iter().map(|dataset| dataset.shape().len()).collect();
        let variables = names::by_position(class, &ranks, layer.is_some_and(|layer| layer.uncentred));
        for (variable, values) in variables.into_iter().zip(datasets) {
            self.variables.push(Variable { layer: name.clone(), name: variable, values });
        }
        Ok(())
    }
}

/// A model of its user's own class keeps layers under the attributes that hold them, in the order of the alphabet, and under
/// `layers` those alone whose attributes come after it.
fn check_attributes(root: &Group) -> Result<(), Problem> {
    for attribute in root.groups()? {
        let name = attribute.name();
        if !LAYERS.contains(&name) && !NOT_WEIGHTS.contains(&name) && has_kernel(&attribute, &mut HashSet::new(), 0)? {
            return Err(Problem::Open(format!(
                "layers are attributes of its class ({name}), and the file does not tell their order; save the network that one \
                 of them holds: model.NAME.save(\"network.keras\")"
            )));
        }
    }
    Ok(())
}

/// Whether a layer in it has a tensor of several axes; metrics have none.
fn has_kernel(group: &Group, seen: &mut HashSet<u64>, depth: usize) -> Result<bool, Problem> {
    if depth > MAX_DEPTH || !seen.insert(group.address()) {
        return Ok(false);
    }
    if group.name() == "vars" && group.datasets()?.iter().any(|values| values.shape().len() > 1) {
        return Ok(true);
    }
    for child in group.groups()? {
        if has_kernel(&child, seen, depth + 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Without a configuration nothing tells whether layers beside a model are before it or behind.
fn check_order(children: &[Group], path: &str) -> Result<(), Problem> {
    let (mut model, mut layer) = (None, None);
    for child in children {
        let [newer, older] = LAYERS.map(|layers| found(child.group(layers)));
        if newer?.is_some() || older?.is_some() {
            model = Some(child.name());
        } else if let Some(vars) = found(child.group("vars"))?
            && !vars.datasets()?.is_empty()
        {
            layer = Some(child.name());
        }
    }
    match (model, layer) {
        (Some(model), Some(layer)) => Err(Problem::Open(format!(
            "{path}/{layer} may stand before {path}/{model} or behind it, which a file of weights alone does not tell; save the \
             whole model, as .keras"
        ))),
        _ => Ok(()),
    }
}
