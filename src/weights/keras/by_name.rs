//! The layout of Keras 1 and 2, and of Keras 3's `.h5`: the attribute `layer_names` lists the groups of the layers, the
//! attribute `weight_names` of each its datasets. The names of the datasets say little: their order counts.

use std::collections::BTreeSet;

use hdf5_reader::group::Group;

use super::{MAX_VARIABLES, Problem, Variable, descend, names, strings};

/// The variables of a model; `None` if `model` has no list of layers.
pub(super) fn variables(model: &Group) -> Result<Option<Vec<Variable>>, Problem> {
    let attributes = model.attributes()?;
    let Some(layers) = strings(&attributes, "layer_names")? else { return Ok(None) };
    if strings(&attributes, "backend")?.is_some_and(|backend| backend == ["theano"]) {
        return Err(Problem::Layout(
            "written by Keras on Theano, whose convolution kernels are rotated by 180 degrees: load it in Keras 2 on \
             TensorFlow, which rotates them back, and save it from there"
                .into(),
        ));
    }
    let mut variables = Vec::new();
    for layer in layers {
        let group = descend(model, &layer)?;
        let weights = strings(&group.attributes()?, "weight_names")?.unwrap_or_default();
        if variables.len() + weights.len() > MAX_VARIABLES {
            return Err(Problem::Layout(format!("more than {MAX_VARIABLES} variables")));
        }
        let owners: BTreeSet<&str> = weights.iter().filter_map(|weight| names::owner(weight)).collect();
        for weight in &weights {
            let (folder, dataset) = weight.rsplit_once('/').unwrap_or(("", weight));
            // A group whose weights belong to several layers is a model inside this one. One layer's weights are its
            // own even if TensorFlow appended a number to the scope they were made in.
            let owner = names::owner(weight).filter(|_| owners.len() > 1).unwrap_or(&layer);
            variables.push(Variable {
                layer: owner.to_string(),
                name: names::variable(&layer, weight),
                values: descend(&group, folder)?.dataset(dataset)?,
            });
        }
    }
    Ok(Some(variables))
}
