//! `semgpu similarity` and `semgpu test`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::arrays::Told;
use crate::config::{OptionError, Spaces, TestRequest, named};
use crate::device::Choice;
use crate::error::Error;
use crate::features::{Layout, Token};
use crate::halves::{self, HalvesError, SimilarityRequest};
use crate::matrices::{Entries, Reading, Side};
use crate::names::read_lines;
use crate::progress::Progress;
use crate::stimuli::Manifest;

use super::run::print_page;
use super::{print, threads, use_threads};

#[derive(Args)]
pub(super) struct Similarity {
    /// [concepts, units] or [groups, concepts, units]: .npy .npz .safetensors .h5 .mat .csv; word vectors with --concepts
    #[arg(required = true, value_name = "FEATURES")]
    features: Vec<PathBuf>,
    /// The file to write, .npy .npz .safetensors .csv or .h5 (rsatoolbox's RDMs); of several FEATURES a directory, or a file
    /// whose groups (subjects) they are
    #[arg(long, value_name = "RSM.npy")]
    out: PathBuf,
    /// The array to take from a file that holds several
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    key: Option<String>,
    /// [concepts, channels, height, width]: the first axis are the concepts, all others their units
    #[arg(long)]
    flatten: bool,
    /// [concepts, tokens, units]: cls (the first token), mean, all (every unit of every token a unit), or a token's number,
    /// counted from 0
    #[arg(long, value_name = "cls|mean|all|N", conflicts_with_all = ["flatten", "stack", "groups"])]
    token: Option<Token>,
    /// The file has units (voxels) x concepts (trials)
    #[arg(long, conflicts_with = "stack")]
    transpose: bool,
    /// Every array of the file is one vector (Net2Brain's consolidate_per_layer), in the order of their names
    #[arg(long, conflicts_with = "flatten")]
    stack: bool,
    /// [N * concepts, units]: so many groups of images stand one after the other
    #[arg(long, value_name = "N", conflicts_with = "manifest")]
    groups: Option<usize>,
    /// Names of the vectors, a line each (thingsvision's file_names.txt)
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Columns path,concept,group: picks and orders the vectors by the images' paths
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Names, a line each: picks and orders the vectors by their names; of word vectors, the words
    #[arg(long, value_name = "FILE", conflicts_with = "manifest")]
    concepts: Option<PathBuf>,
    #[command(flatten)]
    told: Told,
    /// Distances 1 - r instead of correlations (.h5 always has distances)
    #[arg(long)]
    distances: bool,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// CPU threads; default: all
    #[arg(long, value_name = "T", value_parser = threads)]
    threads: Option<NonZeroUsize>,
}

#[derive(Args)]
pub(super) struct Test {
    #[command(flatten)]
    request: TestRequest,
    /// What matrices hold whose diagonal does not tell: distances 1 - r, of words, images or both; a diagonal of 1 is refused
    #[arg(long, value_name = "SIDE", num_args = 0..=1, value_parser = named::<Spaces>)]
    distances: Option<Option<Spaces>>,
    /// What matrices hold whose diagonal does not tell: correlations, of words, images or both; a diagonal of 0 is refused unless
    /// a SIDE is named
    #[arg(long, value_name = "SIDE", num_args = 0..=1, value_parser = named::<Spaces>)]
    similarities: Option<Option<Spaces>>,
    /// CPU threads; default: all
    #[arg(long, value_name = "T", value_parser = threads)]
    threads: Option<NonZeroUsize>,
}

pub(super) fn similarity(arguments: Similarity, progress: &Progress) -> Result<(), Error> {
    use_threads(arguments.threads)?;
    let lists = [&arguments.rows, &arguments.concepts, &arguments.manifest];
    let lists = lists.into_iter().flatten().cloned().collect();
    let layout = Layout {
        key: arguments.key,
        flatten: arguments.flatten,
        stack: arguments.stack,
        groups: arguments.groups,
        token: arguments.token,
        told: Told { transpose: arguments.transpose, ..arguments.told },
        rows: arguments.rows.map(|path| read_lines(&path)).transpose().map_err(Error::input)?,
        concepts: arguments.concepts.map(|path| read_lines(&path)).transpose().map_err(Error::input)?,
        manifest: arguments.manifest.map(|path| Manifest::read(&path)).transpose().map_err(Error::input)?,
    };
    let request = SimilarityRequest {
        features: arguments.features,
        layout,
        lists,
        out: arguments.out,
        distances: arguments.distances,
        device: arguments.device,
    };
    for path in halves::similarity(&request, progress)? {
        print(path.display());
    }
    Ok(())
}

pub(super) fn test(arguments: Test, progress: &Progress) -> Result<(), Error> {
    use_threads(arguments.threads)?;
    let mut request = arguments.request;
    say_entries(&mut request.reading, arguments.distances, arguments.similarities)?;
    let out = halves::Test::new(request, progress)?.run(progress)?;
    print_page(&out);
    Ok(())
}

/// What `--distances` and `--similarities` say of each side.
fn say_entries(
    reading: &mut Reading,
    distances: Option<Option<Spaces>>,
    similarities: Option<Option<Spaces>>,
) -> Result<(), HalvesError> {
    let of = |said: Option<Spaces>, side| said.unwrap_or(Spaces::Both).hold(side);
    let both = |side| [distances, similarities].iter().all(|said| said.is_some_and(|said| of(said, side)));
    if let Some(side) = [Side::Words, Side::Images].into_iter().find(|&side| both(side)) {
        let found = format!("beside --distances, of the {}", side.name());
        let expected = "one of the two for each side, such as --similarities words --distances images";
        return Err(OptionError { option: "similarities", found, expected }.into());
    }
    for (entries, said) in [(Entries::Distances, distances), (Entries::Similarities, similarities)] {
        match said {
            Some(None) => reading.entries = Some(entries),
            Some(Some(sides)) => {
                let of_side = |side| sides.hold(side).then_some(entries);
                reading.of_words = of_side(Side::Words).or(reading.of_words);
                reading.of_images = of_side(Side::Images).or(reading.of_images);
            }
            None => {}
        }
    }
    Ok(())
}
