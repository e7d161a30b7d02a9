//! `.onnx`: a computation graph in protobuf, weights in it or in a file beside it.
//!
//! Exporters name and order tensors as they like, and fold batch normalization or not. So tensors are found by what the
//! graph computes with them (`layers`), and presented as `{module}.weight`, `[out, in, height, width]` or `[out, in]`,
//! and `{module}.bias`, `.running_mean`, `.running_var`, whatever the file calls them.

mod constant;
mod foreign;
mod layers;
pub(crate) mod model;
mod names;
mod nodes;
pub(crate) mod proto;
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::graph::Graph;
use super::{Format, WeightsError, WeightsFile};
use crate::files;
use constant::Constant;
use layers::{Layers, Obstacle, Recipe, is_layer, layers};
use model::Model;
pub(crate) use names::torch_scope;
use nodes::Nodes;

/// The registry entry.
pub const FORMAT: Format = Format {
    name: "ONNX",
    // A protobuf has no magic number; exporters write the version (field 1, below 128), then their name (field 2). Version 1,
    // which ONNX had for twenty days, is that of TensorFlow's SavedModels.
    sniff: |head, path| files::ending(path) == "onnx" || matches!(head, [0x08, 2..0x80, 0x12, ..]),
    open: |path| Ok(Box::new(Onnx::open(path)?)),
};

/// An open ONNX model.
pub struct Onnx {
    path: PathBuf,
    constants: Vec<Constant>,
    graph: Graph,
    recipes: BTreeMap<String, Recipe>,
}

impl Onnx {
    /// Reads the graph; values stay in the file until they are asked for.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, lacks the file its weights are in, or its layers have no stored weights.
    ///
    /// # Cost
    /// The file in memory until its graph is read; after that the nodes, and of the weights nothing, except those that a
    /// model spells out number by number.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let Model { nodes: graph, constants, outputs, functions, .. } = Model::open(path)?;
        let refused = |problem| WeightsError::Graph { path: path.into(), problem };
        let nodes = Nodes::new(&graph, &constants, &outputs);
        let walk = nodes.walk(is_layer, &outputs).map_err(|node| WeightsError::Damaged {
            path: path.into(),
            problem: format!("{} ({}) is computed from itself", node.name, node.op_type),
        })?;
        let Layers { graph, recipes } = layers(&nodes, &walk).map_err(|obstacle| match obstacle {
            Obstacle::Graph(problem) => refused(problem),
            Obstacle::Weights(error) => error,
        })?;
        if graph.layers.is_empty() {
            let inside = match functions {
                0 => String::new(),
                count => format!(" outside of its {count} functions; inline them first (onnx.inliner)"),
            };
            return Err(refused(format!("no convolution or dense layer with weights{inside}")));
        }
        Ok(Self { path: path.into(), constants, graph, recipes })
    }
}

impl WeightsFile for Onnx {
    fn path(&self) -> &Path {
        &self.path
    }

    fn files(&self) -> Vec<PathBuf> {
        model::files(&self.path, &self.constants)
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.recipes.iter().map(|(name, recipe)| (name.clone(), recipe.shape())).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        match &self.recipes[name] {
            Recipe::Stored(view) => view.read(&self.constants),
            Recipe::Scaled(view, scale) => {
                let mut values = view.read(&self.constants)?;
                let inputs = (values.len() / scale.len()).max(1);
                for (row, scale) in values.chunks_exact_mut(inputs).zip(scale) {
                    row.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
                }
                Ok(values)
            }
            Recipe::Given(values) => Ok(values.clone()),
        }
    }

    fn graph(&self) -> Option<&Graph> {
        Some(&self.graph)
    }
}

#[cfg(test)]
mod tests;
