//! A piece of work timed: medians with their spread, on a GPU that is awake.

use std::time::Instant;

use burn::tensor::Tensor;

use super::{BenchError, Row};
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

/// Whether a value is within `most` of what is expected; NaN is near nothing.
pub(super) fn is_near(found: f64, expected: f64, most: f64) -> bool {
    (found - expected).abs() <= most
}

/// How far a result may be from Burn's.
pub(super) enum Within {
    /// A part of each of Burn's values.
    Each(f32),
    /// A part of the largest of them.
    Largest(f32),
}

/// Compares a result on the GPU with Burn's of the same work, before either is timed.
///
/// # Errors
/// They cannot be read, are of other lengths, or differ; what is no number differs from everything.
pub(super) fn validate<const D: usize>(
    what: &'static str,
    ours: Tensor<D>,
    burns: Tensor<D>,
    within: Within,
) -> Result<(), Error> {
    let values = |x: Tensor<D>| x.into_data().try_to_vec::<f32>().map_err(|error| error.to_string());
    let compared = values(ours).and_then(|ours| compare(&ours, &values(burns)?, within));
    compared.map_err(|difference| Error::failed(BenchError { what, device: "gpu", difference }))
}

fn compare(ours: &[f32], burns: &[f32], within: Within) -> Result<(), String> {
    if ours.len() != burns.len() {
        return Err(format!("{} values, Burn's {}", ours.len(), burns.len()));
    }
    let largest = burns.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    if largest == 0.0 {
        return Err("nothing but zeros of Burn's to compare with".to_string());
    }
    let most = |burns: f32| match within {
        Within::Each(part) => part * burns.abs(),
        Within::Largest(part) => part * largest,
    };
    let near = |ours: f32, burns: f32| is_near(ours.into(), burns.into(), most(burns).into());
    match ours.iter().zip(burns).position(|(&ours, &burns)| !near(ours, burns)) {
        Some(at) => Err(format!("value {at} is {}, Burn's {}", ours[at], burns[at])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_or_too_far_off_is_not_timed() {
        let burns = [1.0, -100.0];
        assert_eq!(compare(&[1.01, -99.5], &burns, Within::Each(0.02)), Ok(()));
        assert_eq!(compare(&[1.5, -99.5], &burns, Within::Largest(0.02)), Ok(()));
        for (ours, burns, said) in [
            ([1.5, -100.0], burns, "value 0 is 1.5, Burn's 1"),
            ([1.0, f32::NAN], burns, "value 1 is NaN, Burn's -100"),
            ([f32::NAN; 2], burns, "value 0 is NaN, Burn's 1"),
            ([1.0, -100.0], [1.0, f32::NAN], "value 1 is -100, Burn's NaN"),
            ([f32::INFINITY, -100.0], [f32::INFINITY, -100.0], "value 0 is inf, Burn's inf"),
            ([0.0; 2], [0.0; 2], "nothing but zeros"),
        ] {
            let difference = compare(&ours, &burns, Within::Each(0.02)).unwrap_err();
            assert!(difference.starts_with(said), "{difference}");
        }
        assert!(compare(&[f32::NAN; 2], &burns, Within::Largest(0.02)).is_err());
        assert_eq!(compare(&[1.0], &burns, Within::Each(0.02)), Err("1 values, Burn's 2".to_string()));
    }
}
