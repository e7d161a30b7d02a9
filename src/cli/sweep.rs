//! `semgpu run` of a file with several networks.

use crate::config::{Bytes, Sweep};
use crate::error::Error;
use crate::plan::{Outline, Plans};
use crate::progress::Progress;
use crate::results::seen;
use crate::sweep;
use crate::wording::counted;

use super::run::{decode, describe_tests, of_matrices, print_page};

/// Runs a sweep; the last line says where its page lies.
pub(super) fn carry_out(sweep: Sweep, fresh: bool, dry_run: bool, progress: &Progress) -> Result<(), Error> {
    let note = sweep.members[0].config.stimuli.note.clone();
    let plans = Plans::new(sweep, progress).map_err(Error::input)?;
    describe(&plans, progress);
    if dry_run {
        sweep::check(&plans, fresh, progress)?;
        return decode(&plans.inputs().manifest, &plans.outlines[0].input, progress);
    }
    let out = sweep::run(&plans, fresh, progress)?;
    note.iter().for_each(|note| progress.line(format!("note: {note}")));
    print_page(&out);
    Ok(())
}

/// What all networks share, then a line for each.
pub(super) fn describe(plans: &Plans, progress: &Progress) {
    let (inputs, members) = (plans.inputs(), &plans.sweep.members);
    let (concepts, groups) = (inputs.manifest.concepts.len(), inputs.manifest.groups.len());
    progress.line(plans.device.line());
    progress.line(format!("images    {} x {}", counted(concepts, "concept"), counted(groups, "group")));
    describe_tests(&members[0].config, inputs, progress);
    progress.line(format!("networks  {}, into {}", members.len(), seen(&plans.sweep.out)));
    for (member, outline) in members.iter().zip(&plans.outlines) {
        let input = &outline.input;
        progress.line(format!(
            "  {}: {} ({}), {}, {} px, {}, {}",
            member.label,
            outline.name,
            outline.form,
            counted(outline.layers, "layer"),
            input.size,
            input.resize,
            Bytes(outline.memory.weights + outline.memory.activations)
        ));
    }
    progress.line(format!(
        "memory    {} beside the largest network, for images that several take",
        Bytes(plans.spare_bytes())
    ));
    let line = |outline: &Outline| of_matrices(outline.layers * groups + inputs.words.len(), concepts, &outline.memory);
    // The most that a network has of which they take more than itself.
    let most = plans.outlines.iter().filter(|outline| line(outline).is_some()).max_by_key(|outline| outline.layers);
    most.and_then(line).iter().for_each(|line| progress.line(line));
    progress.warn(plans.sweep.doubt_of_copies());
    progress.warn(&inputs.warnings);
}
