//! What there is: `semgpu layers`, `inspect`, `devices`; and how fast: `bench`.

use std::path::{Path, PathBuf};

use semgpu::config::{Bytes, Config};
use semgpu::device::{self, Choice};
use semgpu::error::Error;
use semgpu::nets::Shape;
use semgpu::plan::{self, Plan};
use semgpu::progress::Progress;
use semgpu::stimuli::Manifest;
use semgpu::vectors::Spelling;
use semgpu::weights::{Rule, WeightsError};
use semgpu::{bench, nets, results, vectors, weights};

use super::{print, print_json};

pub(super) fn layers(network: Option<&str>, form: Option<&str>, json: bool) -> Result<(), Error> {
    let Some(name) = network else {
        for network in nets::NETS {
            print(&format!("{}  (forms: {})", network.name, network.form_names().join(", ")));
        }
        return Ok(());
    };
    let (_, network) = plan::network(name, form).map_err(Error::input)?;
    let layers = network.layers();
    if json {
        let rows: Vec<_> = layers
            .iter()
            .map(|layer| {
                serde_json::json!({"name": layer.name, "label": layer.label, "shape": layer.shape.as_map(),
                    "units": layer.units(), "on_request": layer.on_request})
            })
            .collect();
        return print_json(&rows);
    }
    for layer in layers {
        let shape = match layer.shape {
            Shape::Tokens([tokens, dimensions]) => format!("{tokens} tokens x {dimensions}"),
            shape => {
                let [channels, height, width] = shape.as_map();
                format!("{channels} x {height} x {width}")
            }
        };
        let request = if layer.on_request { "  (on request)" } else { "" };
        print(&format!("{:<16} {:<10} {shape:<18} {:>9}{request}", layer.name, layer.label, layer.units()));
    }
    Ok(())
}

pub(super) fn inspect(
    file: &Path,
    network: Option<&str>,
    form: Option<&str>,
    manifest: Option<&Path>,
    progress: &Progress,
) -> Result<(), Error> {
    let open = match weights::open(file) {
        Err(WeightsError::Format { .. }) if network.is_none() && vectors::sniff(file).is_ok() => {
            return inspect_vectors(file, manifest, progress);
        }
        opened => opened.map_err(Error::input)?,
    };
    print(&format!("format: {}", weights::format(file).map_err(Error::input)?.name));
    let Some(network) = network else {
        for (name, shape) in open.tensors() {
            print(&format!("{name}  {shape:?}"));
        }
        return Ok(());
    };
    let (published, network) = plan::network(network, form).map_err(Error::input)?;
    let account = published.account(&network, open.as_ref());
    for assigned in &account.assigned {
        let rule = if assigned.rule == Rule::Place { "  by place in the graph" } else { "" };
        print(&format!("{:<28} <- {}  {:?}{rule}", assigned.parameter, assigned.tensor, assigned.transform));
    }
    if account.folded {
        print("batch normalization folded into the convolutions by the exporter");
    }
    for (tensor, why) in &account.ignored {
        print(&format!("{tensor} ignored: {why}"));
    }
    for reason in account.reasons() {
        print(&reason);
    }
    // The refusal, if it does not fit, says what to do.
    published.assign(&network, open.as_ref()).map(|_| ()).map_err(Error::input)
}

/// What a file of word vectors is, and with a manifest the token of each concept.
fn inspect_vectors(file: &Path, manifest: Option<&Path>, progress: &Progress) -> Result<(), Error> {
    let manifest = manifest.map(Manifest::read).transpose().map_err(Error::input)?;
    let concepts = manifest.map_or_else(Vec::new, |manifest| manifest.concepts);
    let total = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let task = progress.task(total);
    let mut before = 0;
    let mut counted = |read: u64, _| task.advance(read - std::mem::replace(&mut before, read));
    let mut read = vectors::read_spelled(file, &concepts, &Spelling::default(), &mut counted).map_err(Error::input)?;
    if let Some((_, wrong)) = read.not_finite.pop_first() {
        return Err(Error::input(wrong));
    }
    drop(task);
    print(&format!("format: {}", read.format));
    print(&format!("{} words of {} values", read.words, read.dimensions));
    for warning in &read.warnings {
        progress.line(format!("warning: {warning}"));
    }
    for (concept, found) in concepts.iter().zip(&read.found) {
        let token = found.as_ref().map_or("missing", |(token, _)| token.as_str());
        print(&format!("{concept:<28} <- {token}"));
    }
    Ok(())
}

pub(super) fn time(
    config: Option<PathBuf>,
    device: Option<Choice>,
    json: Option<PathBuf>,
    convolutions: bool,
    progress: &Progress,
) -> Result<(), Error> {
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
        print(&line);
    }
    if let Some(path) = json {
        results::write_json(&path, &bench).map_err(Error::failed)?;
    }
    Ok(())
}

pub(super) fn devices(json: bool) -> Result<(), Error> {
    let adapters = device::adapters();
    let auto = device::auto(&adapters).map_or("cpu".to_string(), |adapter| format!("gpu:{}", adapter.index));
    if json {
        return print_json(&serde_json::json!({"adapters": adapters, "auto": auto}));
    }
    print(&format!("cpu    {} threads", rayon::current_num_threads()));
    for adapter in &adapters {
        print(&format!(
            "gpu:{}  {}, {}, {}, {}, bindings up to {}",
            adapter.index,
            adapter.name,
            adapter.kind,
            adapter.backend,
            adapter.driver,
            Bytes(adapter.binding_bytes)
        ));
    }
    print(&format!("auto takes {auto}"));
    Ok(())
}
