//! The layers' similarity matrices for the page: upper triangles of one byte per pair.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::report::curves::Curves;
use crate::report::ramp::Ramp;
use crate::report::{Material, ReportError};
use crate::stats::rsa::upper;

/// Distinct values of a byte.
const STEPS: f64 = 255.0;

/// A mean RSM: `low + byte / 255 * (high - low)`.
#[derive(Serialize)]
pub struct Matrix {
    low: f64,
    high: f64,
    /// The values that get the first and the last colour.
    ends: (f64, f64),
    /// The upper triangle row by row, as base64; not a number counts as `low`.
    triangle: String,
}

/// `[networks][layers]`, none where the results have been copied without their matrices; nothing at all if they would
/// take more than `bytes`.
///
/// # Errors
/// A matrix that cannot be read.
pub fn read(networks: &[Curves], material: &Material, bytes: usize) -> Result<Vec<Vec<Option<Matrix>>>, ReportError> {
    let mut taken = 0;
    let mut all = Vec::new();
    for curves in networks {
        let mut matrices = Vec::new();
        for layer in &curves.layers {
            let matrix = material.layer(layer)?.map(|rsm| bytes_of(&upper(&rsm)));
            taken += matrix.as_ref().map_or(0, |matrix| matrix.triangle.len());
            if taken > bytes {
                return Ok(Vec::new());
            }
            matrices.push(matrix);
        }
        all.push(matrices);
    }
    Ok(all)
}

fn bytes_of(triangle: &[f64]) -> Matrix {
    let finite = triangle.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite.fold((1.0_f64, -1.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let step = if high > low { (high - low) / STEPS } else { 1.0 };
    // A cast saturates, and turns NaN into 0.
    let bytes: Vec<u8> = triangle.iter().map(|value| ((value - low) / step).round() as u8).collect();
    Matrix { low, high, ends: Ramp::middle(triangle).ends(), triangle: STANDARD.encode(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_matrix_are_the_ends_of_a_byte() {
        let matrix = bytes_of(&[-0.5, 0.25, 1.0, f64::NAN]);
        assert_eq!((matrix.low, matrix.high), (-0.5, 1.0));
        assert_eq!(STANDARD.decode(matrix.triangle).unwrap(), [0, 128, 255, 0]);
        let constant = bytes_of(&[0.5, 0.5]);
        assert_eq!((constant.low, constant.high), (0.5, 0.5));
        assert_eq!(STANDARD.decode(constant.triangle).unwrap(), [0, 0]);
    }
}
