//! The plans of a sweep: every network is checked before any work, one at a time is held.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use super::common::{Common, Seen};
use super::{Fitted, Inputs, Plan, PlanError, check_inputs, check_values};
use crate::classes::Classes;
use crate::config::{Config, Member, Sweep};
use crate::device::{self, Selected};
use crate::nets::Input;
use crate::progress::Progress;
use crate::record::Memory;
use crate::stimuli::Manifest;

/// The networks of a sweep, ready to be planned in full one after the other: hundreds of them would not fit in memory.
pub struct Plans {
    /// As configured.
    pub sweep: Sweep,
    /// What is known of each network.
    pub outlines: Vec<Outline>,
    /// Where all of them run.
    pub device: Selected,
    /// What reading the images and the words took.
    pub shared_seconds: f64,
    /// What networks of the same classes share, by the list of these.
    common: Vec<(Option<PathBuf>, Common)>,
}

/// A network that can run.
pub struct Outline {
    /// What results call it.
    pub name: String,
    /// Its published graph.
    pub form: String,
    /// Size and preprocessing of its images.
    pub input: Input,
    /// Layers tested.
    pub layers: usize,
    /// What it needs.
    pub memory: Memory,
}

/// Why a sweep cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// What all networks share.
    #[error(transparent)]
    Common(#[from] PlanError),
    /// Networks that cannot run, by their numbers and labels.
    #[error("{}", broken(.0))]
    Broken(Vec<(usize, String, PlanError)>),
}

impl Plans {
    /// Checks everything: what the networks share, then every network; reads images and words once.
    ///
    /// # Errors
    /// What is wrong with the part that is shared, or every network that cannot run.
    pub fn new(sweep: Sweep, progress: &Progress) -> Result<Self, SweepError> {
        let started = Instant::now();
        let config = &sweep.members[0].config;
        check_values(config)?;
        check_inputs(config, |key| !is_networks(key))?;
        let manifest = Manifest::read(&config.stimuli.manifest).map_err(PlanError::from)?;
        let device = device::select(config.run.device).map_err(PlanError::from)?;
        let mut shared_seconds = started.elapsed().as_secs_f64();
        let (mut outlines, mut broken) = (Vec::new(), Vec::new());
        let mut kinds: Vec<(&Config, Classes, Manifest)> = Vec::new();
        for (n, member) in sweep.members.iter().enumerate() {
            match outline(&member.config, &device, manifest.clone()) {
                Ok((outline, classes, manifest)) => {
                    outlines.push(outline);
                    if kinds.iter().all(|(config, ..)| config.network.classes != member.config.network.classes) {
                        kinds.push((&member.config, classes, manifest));
                    }
                }
                Err(error) => broken.push((n + 1, member.label.clone(), error)),
            }
        }
        if !broken.is_empty() {
            return Err(SweepError::Broken(broken));
        }
        let mut seen = Seen::default();
        let mut common = Vec::new();
        for (config, classes, manifest) in kinds {
            let started = Instant::now();
            let read = Common::read(config, &classes, manifest, &seen, progress)?;
            // The others' images were seen.
            if common.is_empty() {
                shared_seconds += started.elapsed().as_secs_f64();
            }
            seen.sums.clone_from(&read.image_sums);
            common.push((config.network.classes.clone(), read));
        }
        Ok(Self { sweep, outlines, device, shared_seconds, common })
    }

    /// The experiment of a network, in full.
    ///
    /// # Errors
    /// Its files are no longer what they were.
    pub fn plan(&self, network: usize) -> Result<Plan, SweepError> {
        let Member { label, config } = &self.sweep.members[network];
        let (_, common) = self
            .common
            .iter()
            .find(|(classes, _)| *classes == config.network.classes)
            .expect("read for the classes of every network");
        let fitted = Fitted::new(config, self.device.clone(), &common.inputs.manifest);
        let plan = fitted.and_then(|fitted| Plan::of(config.clone(), fitted, common.clone()));
        plan.map_err(|error| SweepError::Broken(vec![(network + 1, label.clone(), error)]))
    }

    /// The images and the words of all.
    pub fn inputs(&self) -> &Inputs {
        &self.common[0].1.inputs
    }

    /// Memory that the largest network leaves of its budget, in bytes.
    pub fn spare_bytes(&self) -> u64 {
        let spare = |outline: &Outline| {
            outline.memory.budget.saturating_sub(outline.memory.weights + outline.memory.activations)
        };
        self.outlines.iter().map(spare).min().unwrap_or_default()
    }
}

/// Whether a file is a network's own, by its key.
fn is_networks(key: &str) -> bool {
    key.starts_with("network.")
}

fn outline(
    config: &Config,
    device: &Selected,
    mut manifest: Manifest,
) -> Result<(Outline, Classes, Manifest), PlanError> {
    check_inputs(config, is_networks)?;
    let Fitted { model, placement, .. } = Fitted::new(config, device.clone(), &manifest)?;
    model.classify(config, &mut manifest)?;
    let outline = Outline {
        name: model.network.name,
        form: model.network.form,
        input: model.input,
        layers: model.layers.len(),
        memory: placement.memory,
    };
    Ok((outline, model.classes, manifest))
}

fn broken(networks: &[(usize, String, PlanError)]) -> String {
    let mut text = match networks.len() {
        1 => String::new(),
        many => format!("{many} networks cannot run:\n"),
    };
    for (n, (number, label, error)) in networks.iter().enumerate() {
        let end = if n + 1 < networks.len() { "\n" } else { "" };
        write!(text, "[[network]] {number} ({label}): {error}{end}").expect("text takes text");
    }
    text
}
