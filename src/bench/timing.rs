//! A piece of work timed: medians with their spread, on a GPU that is awake.

use std::time::Instant;

use super::Row;
use crate::device::Selected;
use crate::error::Error;

/// Timed runs of every row, after one that is not counted.
pub(super) const RUNS: usize = 5;

/// Seconds that a GPU is kept busy before a row is timed: an idle H200 computes at a sixth of its rate.
pub(super) const WARMING: f64 = 0.3;

/// Seconds that a timed run lasts on a GPU, by repeating what is timed (its time is their mean): one alone is the time of
/// starting it.
pub(super) const LASTING: f64 = 0.02;
const MOST_REPEATS: f64 = 200.0;

/// GPUs whose time is estimated: operations per second and bytes per second.
const LAPTOP: (f64, f64) = (10e12, 300e9);
const SERVER: (f64, f64) = (60e12, 2000e9);

/// Work of one row.
pub(super) struct Work {
    pub(super) task: String,
    pub(super) case: String,
    pub(super) count: f64,
    pub(super) unit: &'static str,
    pub(super) operations: f64,
    pub(super) bytes: f64,
}

pub(super) fn is_software(selected: &Selected) -> bool {
    selected.adapter.as_ref().is_some_and(|adapter| adapter.is_software())
}

/// Times `run`, which need not wait for what it starts.
pub(super) fn timed(selected: &Selected, work: Work, mut run: impl FnMut() -> Result<(), Error>) -> Result<Row, Error> {
    let mut one_of = |repeats: usize| {
        let started = Instant::now();
        (0..repeats).try_for_each(|_| run())?;
        selected.device.sync().map_err(Error::failed)?;
        Ok::<f64, Error>(started.elapsed().as_secs_f64() / repeats as f64)
    };
    one_of(1)?;
    let mut repeats = 1;
    if selected.adapter.is_some() && !is_software(selected) {
        let started = Instant::now();
        while started.elapsed().as_secs_f64() < WARMING {
            repeats = (LASTING / one_of(repeats)?).clamp(1.0, MOST_REPEATS) as usize;
        }
    }
    let mut milliseconds = (0..RUNS).map(|_| Ok(1e3 * one_of(repeats)?)).collect::<Result<Vec<f64>, Error>>()?;
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[RUNS / 2];
    let implied = |(operations, bytes): (f64, f64)| 1e3 * (work.operations / operations).max(work.bytes / bytes);
    Ok(Row {
        device: selected.kind(),
        median_ms: median,
        min_ms: milliseconds[0],
        max_ms: milliseconds[RUNS - 1],
        rate: 1e3 * work.count / median,
        unit: work.unit,
        operations: work.operations,
        bytes: work.bytes,
        of_product: f64::NAN,
        laptop_ms: implied(LAPTOP),
        server_ms: implied(SERVER),
        task: work.task,
        case: work.case,
    })
}
