//! `semgpu similarity` and `semgpu test`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use semgpu::device::Choice;
use semgpu::error::Error;
use semgpu::features::Layout;
use semgpu::halves::{self, SimilarityRequest, TestRequest};
use semgpu::matrices::{Entries, Source};
use semgpu::progress::Progress;
use semgpu::stats::rsa::Rsa;
use semgpu::stats::scoring::{Constant, Ties};
use semgpu::stimuli::Manifest;

use super::{print, stop_on_ctrl_c, use_threads};

#[derive(Args)]
pub(super) struct Similarity {
    /// [concepts, units] or [groups, concepts, units], f32 or f64: .npy .npz .safetensors .h5 .csv
    #[arg(required = true, value_name = "FEATURES")]
    features: Vec<PathBuf>,
    /// The file to write, .npy .npz .safetensors .csv or .h5 (rsatoolbox's RDMs); for several FEATURES a directory
    #[arg(long, value_name = "RSM.npy")]
    out: PathBuf,
    /// The array to take from a file that holds several
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    key: Option<String>,
    /// [concepts, channels, height, width]: the first axis are the concepts, all others their units
    #[arg(long)]
    flatten: bool,
    /// Every array of the file is one vector (Net2Brain's consolidate_per_layer), in the order of their names
    #[arg(long, conflicts_with = "flatten")]
    stack: bool,
    /// [N * concepts, units]: so many groups of images stand one after the other
    #[arg(long, value_name = "N", conflicts_with = "manifest")]
    groups: Option<usize>,
    /// Names of the vectors, a line each (thingsvision's file_names.txt)
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Columns path,concept,group: picks and orders the vectors by the images' file names
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Distances 1 - r instead of correlations (.h5 always has distances)
    #[arg(long)]
    distances: bool,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// CPU threads; default: all
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
}

#[derive(Args)]
pub(super) struct Test {
    /// A word model's matrix, [concepts, concepts]; NAME=FILE::ARRAY takes one of several arrays
    #[arg(long, required = true, value_name = "NAME=RSM.npy")]
    words: Vec<Source>,
    /// A layer's matrix, [concepts, concepts] or [groups, concepts, concepts]; layers in input order
    #[arg(long, required = true, value_name = "LAYER=RSM.npy")]
    images: Vec<Source>,
    /// Names of the concepts, a line each, in the matrices' order
    #[arg(long, value_name = "FILE")]
    concepts: Option<PathBuf>,
    /// Categories of the concepts, a line each: permute only within them
    #[arg(long, value_name = "FILE")]
    categories: Option<PathBuf>,
    /// The network's name in tables and figures
    #[arg(long, default_value = "images", value_name = "NAME")]
    network: String,
    /// Matrices without a diagonal that tells hold distances 1 - r
    #[arg(long, conflicts_with = "similarities")]
    distances: bool,
    /// Matrices without a diagonal that tells hold correlations
    #[arg(long)]
    similarities: bool,
    /// Draws of the null
    #[arg(long, default_value_t = 1000, value_name = "N")]
    permutations: u64,
    /// Draw until so many draws of every layer reach its observed value
    #[arg(long, value_name = "N")]
    stop_after: Option<NonZeroU32>,
    /// A tied pair counts as lost, half or won
    #[arg(long, default_value = "lost", value_parser = named::<Ties>)]
    ties: Ties,
    /// A row of NaN (a constant image): error, or half for its pairs
    #[arg(long, default_value = "error", value_parser = named::<Constant>)]
    constant: Constant,
    /// Bootstrap resamples over concepts, for 95 % intervals
    #[arg(long, default_value_t = 0, value_name = "N")]
    bootstrap: u64,
    /// Also correlate the matrices: pearson, spearman, kendall-tau-a (repeatable)
    #[arg(long, value_parser = named::<Rsa>)]
    rsa: Vec<Rsa>,
    /// Seeds the draws
    #[arg(long, default_value_t = 2018, value_name = "S")]
    seed: u64,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// CPU threads; default: all
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// Where results go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A value by its name in the configuration.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(serde::de::IntoDeserializer::into_deserializer(name))
}

pub(super) fn similarity(arguments: Similarity, progress: &Progress) -> Result<(), Error> {
    use_threads(arguments.threads);
    stop_on_ctrl_c(progress);
    let layout = Layout {
        key: arguments.key,
        flatten: arguments.flatten,
        stack: arguments.stack,
        groups: arguments.groups,
        rows: arguments.rows.map(|path| halves::read_lines(&path)).transpose().map_err(Error::input)?,
        manifest: arguments.manifest.map(|path| Manifest::read(&path)).transpose().map_err(Error::input)?,
    };
    let request = SimilarityRequest {
        features: arguments.features,
        layout,
        out: arguments.out,
        distances: arguments.distances,
        device: arguments.device,
    };
    for path in halves::similarity(&request, progress)? {
        print(&path.display().to_string());
    }
    Ok(())
}

pub(super) fn test(arguments: Test, progress: &Progress) -> Result<(), Error> {
    use_threads(arguments.threads);
    stop_on_ctrl_c(progress);
    let request = TestRequest {
        words: arguments.words,
        images: arguments.images,
        network: arguments.network,
        entries: match (arguments.distances, arguments.similarities) {
            (true, _) => Some(Entries::Distances),
            (_, true) => Some(Entries::Similarities),
            _ => None,
        },
        concepts: arguments.concepts,
        categories: arguments.categories,
        permutations: arguments.permutations,
        stop_after: arguments.stop_after,
        ties: arguments.ties,
        constant: arguments.constant,
        bootstrap: arguments.bootstrap,
        rsa: arguments.rsa,
        seed: arguments.seed,
        device: arguments.device,
        out: arguments.out,
    };
    let out = halves::Test::new(request, progress).map_err(Error::input)?.run(progress)?;
    print(&out.display().to_string());
    Ok(())
}
