//! What there is: `semgpu layers`, `devices`; and how fast: `bench`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Bytes, Config};
use crate::device::{self, Choice};
use crate::error::{Error, FileError};
use crate::files;
use crate::imagenet::CLASSES;
use crate::nets::{Layer, Shape};
use crate::plan::{self, Plan};
use crate::progress::Progress;
use crate::wording::counted;
use crate::{bench, nets, results, weights};

use super::{print, print_json};

#[derive(Args)]
pub(super) struct Layers {
    /// The network; all networks if absent
    network: Option<String>,
    /// A published graph of the network
    #[arg(long)]
    form: Option<String>,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Bench {
    /// Also times the stages of this experiment's network
    #[arg(long)]
    config: Option<PathBuf>,
    /// The GPU to compare with the CPU; default: the one `auto` takes, if any
    #[arg(long)]
    device: Option<Choice>,
    /// Writes the rows as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Times nothing but the convolutions of networks on the GPU, beside Burn's
    #[arg(long)]
    convolutions: bool,
    /// Writes every kernel's complete WGSL, as it is launched, and times nothing
    #[arg(long, value_name = "DIR")]
    shaders: Option<PathBuf>,
}

/// The networks, or the layers of one.
pub(super) fn layers(arguments: &Layers, progress: &Progress) -> Result<(), Error> {
    match &arguments.network {
        Some(name) => layers_of(name, arguments.form.as_deref(), arguments.json, progress),
        None => networks(arguments.json),
    }
}

fn networks(json: bool) -> Result<(), Error> {
    if json {
        let row = |network: &&nets::Network| serde_json::json!({"name": network.name, "forms": network.form_names()});
        return print_json(&nets::NETS.iter().map(row).collect::<Vec<_>>());
    }
    for network in nets::NETS {
        print(format!("{}  (forms: {})", network.name, network.form_names().join(", ")));
    }
    Ok(())
}

fn layers_of(name: &str, form: Option<&str>, json: bool, progress: &Progress) -> Result<(), Error> {
    let file = Path::new(name);
    if nets::find(name).is_none() && (files::ending(file) == "onnx" || name.contains(std::path::is_separator)) {
        std::fs::metadata(file).map_err(FileError::at(file)).map_err(Error::input)?;
    }
    // What computes a layer of a graph.
    let layers: Vec<(Layer, Option<String>)> = match nets::find(name) {
        None if files::ending(file) == "onnx" || is_graph(file) => {
            let graph = graph(file)?;
            progress.warn(graph.doubt_of_images());
            let operators = graph.operators().map(|operator| Some(operator.to_string()));
            graph.layers.iter().cloned().zip(operators).collect()
        }
        _ => {
            let layers = plan::network(name, form).map_err(Error::input)?.1.layers();
            layers.into_iter().map(|layer| (layer, None)).collect()
        }
    };
    if json {
        let row = |(layer, operator): &(Layer, Option<String>)| {
            serde_json::json!({"name": layer.name, "label": layer.label, "operator": operator,
                "shape": layer.shape.as_map(), "units": layer.units(), "on_request": layer.on_request})
        };
        return print_json(&layers.iter().map(row).collect::<Vec<_>>());
    }
    let width = layers.iter().map(|(layer, _)| layer.name.len()).max().unwrap_or(0).clamp(16, 56);
    let operators = layers.iter().flat_map(|(_, operator)| operator).map(String::len).max().unwrap_or(0);
    progress.line(columns(&layers));
    for (layer, operator) in layers {
        let shape = match layer.shape {
            Shape::Tokens([tokens, dimensions]) => format!("{tokens} tokens x {dimensions}"),
            shape => {
                let [channels, height, width] = shape.as_map();
                format!("{channels} x {height} x {width}")
            }
        };
        let request = if layer.on_request { "  (on request)" } else { "" };
        // A graph's layers have no shorter name.
        let about = match operator {
            Some(operator) => format!("{operator:<operators$} "),
            None if layer.label == layer.name => String::new(),
            None => format!("{:<10} ", layer.label),
        };
        print(format!("{:<width$} {about}{shape:<18} {:>9}{request}", layer.name, layer.units()));
    }
    Ok(())
}

/// What stands in a line of each of the layers.
fn columns(layers: &[(Layer, Option<String>)]) -> String {
    let about = match layers {
        [(_, Some(_)), ..] => ", operator",
        _ if layers.iter().any(|(layer, _)| layer.label != layer.name) => ", label in figures",
        _ => "",
    };
    let request = match layers.iter().any(|(layer, _)| layer.on_request) {
        true => "; (on request): tested where network.layers names it, no part of layers = \"all\"",
        false => "",
    };
    format!("columns   name{about}, shape, units{request}")
}

/// Whether a file is of a graph rather than of weights alone.
pub(super) fn is_graph(file: &Path) -> bool {
    weights::format(file).is_ok_and(|format| format.name == weights::onnx::FORMAT.name)
}

/// The graph of a file, where it does not say for which size of images for the first that it takes: transformers take one.
pub(super) fn graph(file: &Path) -> Result<nets::GraphNetwork, Error> {
    /// Neighbours differ in their numbers of patches: what is refused alike for two is refused for any size.
    const USUAL: [usize; 12] = [224, 256, 384, 512, 336, 518, 448, 299, 240, 128, 64, 32];
    let first = match nets::GraphNetwork::open(file, None) {
        Ok(graph) => return Ok(graph),
        Err(error) => error,
    };
    let mut last = first.to_string();
    for size in USUAL {
        match nets::GraphNetwork::open(file, Some(size)) {
            Ok(graph) => return Ok(graph),
            Err(error) if error.to_string() == last => return Err(Error::input(error)),
            Err(error) => last = error.to_string(),
        }
    }
    Err(Error::input(first))
}

/// What a graph takes, computes and gives.
pub(super) fn print_graph(graph: &nets::GraphNetwork, file: &Path) {
    let all = graph.layers.iter().filter(|layer| !layer.on_request).count();
    let outputs = graph.outputs();
    // Of more there is a line each, below.
    let few = outputs.len() <= 4;
    let classes = match graph.classifier(CLASSES) {
        Some(_) => ", ImageNet's classes".to_string(),
        None if few => {
            let said = |output: &&Layer| format!(", {} out of {}", counted(output.units(), "unit"), output.name);
            outputs.iter().map(said).collect()
        }
        None => format!(", {} outputs:", outputs.len()),
    };
    print(format!("graph: {}", graph.summary()));
    print(format!(
        "layers: {all} with layers = \"all\", {} in all (semgpu layers {}); {}, {} of weights{classes}",
        graph.layers.len(),
        file.display(),
        counted(graph.stages.len(), "stage"),
        Bytes(graph.weight_bytes)
    ));
    if !few && graph.classifier(CLASSES).is_none() {
        let width = outputs.iter().map(|output| output.name.len()).max().unwrap_or(0).clamp(16, 56);
        outputs.iter().for_each(|output| print(format!("{:<width$} {:>9}", output.name, output.units())));
    }
}

pub(super) fn bench(arguments: Bench, progress: &Progress) -> Result<(), Error> {
    let Bench { config, device, json, convolutions, shaders } = arguments;
    if let Some(directory) = shaders {
        return bench::write_shaders(&directory);
    }
    json.as_deref().map_or(Ok(()), bench::check_json)?;
    let config = config.map(|path| Config::read(&path, &[])).transpose().map_err(Error::input)?;
    let plan = config
        .map(|mut config| {
            config.run.device = device.unwrap_or(config.run.device);
            Plan::new(config, progress)
        })
        .transpose()
        .map_err(Error::input)?;
    let gpu = match &plan {
        Some(plan) => plan.placement.device.clone(),
        None => device::select(device.unwrap_or_default()).map_err(Error::input)?,
    };
    let mut devices = vec![device::select(Choice::Cpu).map_err(Error::input)?];
    if gpu.adapter.is_some() {
        devices.push(gpu);
    }
    let bench = bench::run(&devices, plan, convolutions, progress)?;
    for line in bench.table() {
        print(line);
    }
    if let Some(path) = json {
        results::write_json(&path, &bench).map_err(Error::failed)?;
    }
    Ok(())
}

pub(super) fn devices(json: bool) -> Result<(), Error> {
    let adapters = device::adapters();
    let auto = device::auto(&adapters).map_or("cpu".to_string(), |adapter| format!("gpu:{}", adapter.index));
    let unseen = device::unseen(&adapters);
    if json {
        return print_json(&serde_json::json!({"adapters": adapters, "auto": auto, "unseen": unseen}));
    }
    print(format!("cpu    {}", counted(rayon::current_num_threads(), "thread")));
    for adapter in &adapters {
        print(format!(
            "gpu:{}  {}, {}, {}, {}, bindings up to {}",
            adapter.index,
            adapter.name,
            adapter.kind,
            adapter.backend,
            adapter.driver,
            Bytes(adapter.binding_bytes)
        ));
    }
    print(format!("auto takes {auto}"));
    unseen.iter().for_each(print);
    Ok(())
}
