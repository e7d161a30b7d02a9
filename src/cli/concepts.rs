//! `semgpu concepts`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::concepts::{self, Lemmas, Request};
use crate::error::{Error, FileError};
use crate::nets::{self, Form};
use crate::progress::Progress;
use crate::vectors::{Case, Join, Spelling};
use crate::{plan, weights};

use super::{print, quickstart};

#[derive(Args)]
pub(super) struct Concepts {
    /// A folder of images per class (wnids or words), or one folder with --labels
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The class of each image of a flat folder: Caffe's val.txt, Kaggle's LOC_val_solution.csv, lines `image wnid` or
    /// `wnid`, the devkit's ground truth with --devkit
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// What the numbers of the devkit's ground truth mean: its map_clsloc.txt
    #[arg(long, value_name = "FILE", requires = "labels")]
    devkit: Option<PathBuf>,
    /// Only these classes, with names of one's own: lines `class name, name, …`; default: the 1000 of ILSVRC 2012 if
    /// images have their wnids, else a class per folder
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// A word model; repeat for each one: a concept has to be in all of them
    #[arg(long, value_name = "NAME=FILE", required = true, value_parser = name_and_file)]
    words: Vec<(String, PathBuf)>,
    /// Which of a class's names may stand for it
    #[arg(long, value_name = "first|any", default_value = "first", value_parser = lemmas)]
    lemma: Lemmas,
    /// Capitals, in the order tried: as-is, lower, upper
    #[arg(long, value_delimiter = ',', default_value = "as-is,lower", value_parser = case)]
    case: Vec<Case>,
    /// How several words are joined, in the order tried: blank, underscore, hyphen; or none: single words only
    #[arg(long, default_value = "blank,underscore,hyphen", value_parser = joins)]
    join: Joins,
    /// Tries the regular plural too
    #[arg(long)]
    plural: bool,
    /// Images of a concept, one for each group
    #[arg(long, value_name = "N", default_value_t = 5)]
    per_concept: usize,
    /// Draws the images
    #[arg(long, default_value_t = 2018)]
    seed: u64,
    /// CSV concept,category for the stricter null (two_vs_two.within_categories)
    #[arg(long, value_name = "FILE")]
    category: Option<PathBuf>,
    /// The manifest to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The network of the configuration that is printed; default: squeezenet1_1, whose weights are written beside the
    /// manifest
    #[arg(long, value_name = "NAME", requires = "weights")]
    network: Option<String>,
    /// The network's weights file
    #[arg(long, value_name = "FILE", requires = "network")]
    weights: Option<PathBuf>,
    /// What became of every class, and why; default: beside the manifest, its name with `.report.csv`
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A list of joins as one argument.
#[derive(Clone)]
struct Joins(Vec<Join>);

fn name_and_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_string(), file.into())),
        _ => Err("expected NAME=FILE, such as GloVe=glove.6B.300d.txt".to_string()),
    }
}

fn lemmas(text: &str) -> Result<Lemmas, String> {
    match text {
        "first" => Ok(Lemmas::First),
        "any" => Ok(Lemmas::Any),
        _ => Err("expected first or any".to_string()),
    }
}

fn case(text: &str) -> Result<Case, String> {
    let cases = [Case::AsIs, Case::Lower, Case::Upper];
    cases.into_iter().find(|case| case.name() == text).ok_or_else(|| "expected as-is, lower or upper".to_string())
}

fn joins(text: &str) -> Result<Joins, String> {
    if text == "none" {
        return Ok(Joins(Vec::new()));
    }
    let joins = [Join::Blank, Join::Underscore, Join::Hyphen];
    let find = |name: &str| joins.into_iter().find(|join| join.name() == name);
    let found: Option<Vec<Join>> = text.split(',').map(find).collect();
    found.map(Joins).ok_or_else(|| "expected blank, underscore, hyphen, separated by commas, or none".to_string())
}

pub(super) fn choose(arguments: Concepts, progress: &Progress) -> Result<(), Error> {
    if let Some(network) = &arguments.network {
        plan::network(network, None).map_err(Error::input)?;
    }
    match &arguments.weights {
        Some(weights) => {
            std::fs::metadata(weights).map_err(FileError::at(weights)).map_err(Error::input)?;
        }
        None => quickstart::check_weights(&arguments.out)?,
    }
    let there = arguments.out.exists();
    let report = arguments.report.unwrap_or_else(|| arguments.out.with_extension("report.csv"));
    let request = Request {
        images: arguments.images,
        labels: arguments.labels,
        devkit: arguments.devkit,
        classes: arguments.classes,
        words: arguments.words,
        lemmas: arguments.lemma,
        spelling: Spelling { case: arguments.case, join: arguments.join.0, plural: arguments.plural },
        per_concept: arguments.per_concept,
        seed: arguments.seed,
        categories: arguments.category,
        out: arguments.out,
        report,
    };
    let mut warnings = Vec::new();
    let selection = concepts::select(&request, &mut warnings, progress);
    progress.warn(&warnings);
    let selection = selection?;
    for line in selection.summary(&request) {
        progress.line(line);
    }
    let replaced = if there { ", in the place of what was there" } else { "" };
    progress.line(format!("manifest  {}{replaced}", request.out.display()));
    progress.line(format!("report    {}: every class, and why it is in or not", request.report.display()));
    let (network, weights) = match (arguments.network, arguments.weights) {
        (Some(network), Some(weights)) => (network, weights),
        _ => {
            let path = quickstart::put_weights(&request.out).map_err(Error::failed)?;
            progress.line(format!("weights   {}: SqueezeNet 1.1, for a start", path.display()));
            ("squeezenet1_1".to_string(), path)
        }
    };
    progress.line(match std::io::stdout().is_terminal() {
        true => "next: save the following in this directory as experiment.toml, then `semgpu run experiment.toml`\n",
        false => {
            "next: `semgpu run` with the configuration, which went to stdout; its paths are relative to this directory, where it has \
             to lie"
        }
    });
    print(concepts::configuration(&request, &network, form_of(&network, &weights), &weights).trim_end());
    Ok(())
}

/// The form of a network that a weights file is of, where that is not the first, which is taken if none is named; a file that
/// fits none is left to the run, which says why.
fn form_of(network: &str, weights: &Path) -> Option<&'static str> {
    let network = nets::find(network)?;
    let file = network.within(weights::open(weights).ok()?, None).ok()?;
    let fits =
        |form: &&Form| network.blueprint(form.name).is_some_and(|form| network.assign(&form, file.as_ref()).is_ok());
    let form = network.forms.iter().find(fits)?.name;
    (form != network.forms[0].name).then_some(form)
}
