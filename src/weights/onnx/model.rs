//! A model as its file holds it: nodes, constants, what goes in and comes out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;

use super::constant::{Constant, Home};
use super::foreign;
use super::proto::{self, ModelProto, NodeProto, ValueInfoProto};
use crate::error::FileError;
use crate::files;
use crate::limits::GRAPH_PARTS;
use crate::weights::WeightsError;

/// The axes and the length of each, where it is said: of an axis that only a call tells, none.
pub type Lengths = Vec<Option<usize>>;

/// An open model.
pub struct Model {
    /// The file.
    pub path: PathBuf,
    /// In the file's order.
    pub nodes: Vec<NodeProto>,
    /// Initializers and `Constant` nodes that are tensors.
    pub constants: Vec<Constant>,
    /// What a call gives: name and lengths; constants that have a place among the inputs, as old files do, are none.
    pub inputs: Vec<(String, Option<Lengths>)>,
    /// Names of what comes out.
    pub outputs: Vec<String>,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// Functions the graph calls.
    pub functions: usize,
}

impl Model {
    /// Reads the graph; values stay in the file until they are asked for.
    ///
    /// # Errors
    /// The file cannot be read, is damaged or lacks the file its weights are in.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let bytes = Bytes::from(files::read(path).map_err(FileError::at(path))?);
        let home = Home { path, bytes: &bytes };
        let no_model = |problem: String| match foreign::told(path, &bytes) {
            Some(problem) => WeightsError::Graph { path: path.into(), problem },
            None => home.damaged(problem),
        };
        match proto::parts(&bytes) {
            None => return Err(no_model("not a whole ONNX model".into())),
            Some(parts) if parts > GRAPH_PARTS => {
                return Err(home.damaged(format!("a graph of {parts} parts or more, expected at most {GRAPH_PARTS}")));
            }
            Some(_) => {}
        }
        // Decoded from `Bytes`, values are parts of it and not copied.
        let model =
            ModelProto::decode(bytes.clone()).map_err(|error| no_model(format!("not a whole ONNX model ({error})")))?;
        let mut graph = model.graph.ok_or_else(|| no_model("no graph, expected an ONNX model".into()))?;

        let mut constants = Vec::new();
        for tensor in graph.initializer {
            constants.push(Constant::new(tensor, home)?);
        }
        for node in &mut graph.node {
            if let (Some(mut tensor), Some(name)) = (node.constant(), node.output.first()) {
                tensor.name.clone_from(name);
                constants.push(Constant::new(tensor, home)?);
            }
        }
        // What else is a part of the file in memory is none any more, so that this can go.
        let settings = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
        for raw in settings.filter_map(|setting| setting.t.as_mut()?.raw_data.as_mut()) {
            *raw = Bytes::copy_from_slice(raw);
        }
        let held: HashSet<&str> = constants.iter().map(|constant| constant.name.as_str()).collect();
        let given = |input: &ValueInfoProto| !held.contains(input.name.as_str());
        let inputs = graph.input.iter().filter(|input| given(input)).map(|input| (input.name.clone(), lengths(input)));
        let inputs = inputs.collect();
        let opset = model.opset_import.iter().find(|set| set.domain.is_empty() || set.domain == "ai.onnx");
        Ok(Self {
            path: path.into(),
            nodes: graph.node,
            constants,
            inputs,
            outputs: graph.output.into_iter().map(|output| output.name).collect(),
            opset: opset.map_or(1, |set| set.version),
            functions: model.functions.len(),
        })
    }

    /// The stored tensor that a name is of.
    pub fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.iter().find(|constant| constant.name == name)
    }

    /// The node that computes the value that a name is of.
    pub fn maker(&self, name: &str) -> Option<&NodeProto> {
        self.nodes.iter().find(|node| node.output.iter().any(|output| output == name))
    }

    /// The model's file, and those beside it that hold values.
    pub fn files(&self) -> Vec<PathBuf> {
        files(&self.path, &self.constants)
    }
}

/// The file at `path`, and those beside it that hold values of its constants.
pub fn files(path: &Path, constants: &[Constant]) -> Vec<PathBuf> {
    let mut files = vec![path.to_path_buf()];
    for file in constants.iter().filter_map(Constant::file) {
        if !files.iter().any(|listed| listed == file) {
            files.push(file.to_path_buf());
        }
    }
    files
}

fn lengths(value: &ValueInfoProto) -> Option<Lengths> {
    let shape = value.value_type.as_ref()?.tensor.as_ref()?.shape.as_ref()?;
    let length = |value: i64| usize::try_from(value).ok().filter(|&length| length > 0);
    Some(shape.dim.iter().map(|axis| axis.value.and_then(length)).collect())
}
