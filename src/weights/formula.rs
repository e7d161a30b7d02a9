//! Deterministic weights and images for tests and benchmarks, equal to the bit to those of the golden files.
//!
//! `tests/golden/recipe/common.py` is the same in Python; each operation rounds to `f32`, none is fused.

use super::{Kind, Parameter};

/// 2^32 over the golden ratio.
const GOLDEN: u32 = 0x9e37_79b9;

/// The values of a parameter in its canonical layout: `centre + amplitude * uniform`.
pub(super) fn values(parameter: &Parameter) -> Vec<f32> {
    let (centre, amplitude) = match parameter.kind {
        Kind::Kernel { fan_in, gain } => (0.0, (3.0 * gain / fan_in as f64).sqrt() as f32),
        Kind::Bias if parameter.name.ends_with(".bias") => (0.0, 0.05),
        Kind::Bias => (0.0, 0.1),
        Kind::Scale => (1.0, 0.1),
        Kind::Variance => (1.0, 0.25),
        Kind::Embedding => (0.0, 0.5),
    };
    let hash = name_hash(&parameter.name);
    let count: usize = parameter.shape.iter().product();
    (0..count as u32).map(|i| centre + amplitude * uniform(element(hash, i))).collect()
}

/// Image `n`: RGB bytes, `[size, size, 3]`, coarse patches of 32 pixels with fine noise.
pub fn image(n: usize, size: usize) -> Vec<u8> {
    let fine = name_hash(&format!("image{n}"));
    let coarse = name_hash(&format!("image{n}.coarse"));
    let pixel = |i: usize| {
        let (y, x, channel) = (i / 3 / size, i / 3 % size, i % 3);
        let patch = ((y >> 5) * 64 + (x >> 5)) * 3 + channel;
        ((3 * (element(coarse, patch as u32) >> 24) + (element(fine, i as u32) >> 24)) >> 2) as u8
    };
    (0..size * size * 3).map(pixel).collect()
}

/// A number in `[-1, 1)` from the upper 24 bits.
fn uniform(bits: u32) -> f32 {
    ((bits >> 8) as i32 - (1 << 23)) as f32 * f32::powi(2.0, -23)
}

/// The random bits of element `i` under a name.
fn element(hash: u32, i: u32) -> u32 {
    lowbias32(hash.wrapping_add(i.wrapping_mul(GOLDEN)))
}

/// FNV-1a.
fn name_hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Wellons' integer hash of low bias.
fn lowbias32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{Names, Normalised};

    #[test]
    fn equals_the_python_to_the_bit() {
        // Printed by `python3 tests/golden/recipe/common.py`.
        let mut first = Parameter::kernel("block1.conv1", &[64, 3, 3, 3], vec![]);
        first.kind = Kind::Kernel { fan_in: 27, gain: 0.006 };
        let first = values(&first);
        assert_eq!((first[0].to_bits(), first[1727].to_bits()), (0xbcaa_be9e, 0xbc39_4d3a));
        let normalised = Normalised {
            conv: "stage3.block2.conv2",
            norm: "stage3.block2.bn2",
            shape: [8, 1, 1, 1],
            bias: false,
            scale: true,
        };
        let variance = normalised.parameters(&Names::default()).pop().unwrap();
        assert_eq!(variance.name, "stage3.block2.bn2.var");
        assert_eq!(values(&variance)[7].to_bits(), 0x3f7f_c466);
        let amplitude = (3.0 * 2.0 / 25088.0f64).sqrt() as f32;
        let last = uniform(element(name_hash("fc1.weight"), 102_760_447)) * amplitude;
        assert_eq!((amplitude.to_bits(), last.to_bits()), (0x3c7d_5fd1, 0x3c14_46d0));
    }

    #[test]
    fn images_equal_the_python() {
        let image0 = image(0, 224);
        assert_eq!(image0[..6], [107, 88, 28, 101, 75, 57]);
        assert_eq!(image0.iter().map(|&v| u64::from(v)).sum::<u64>(), 18_800_706);
        let image1 = image(1, 299);
        assert_eq!(image1[..6], [173, 31, 140, 171, 43, 119]);
        assert_eq!(image1.iter().map(|&v| u64::from(v)).sum::<u64>(), 33_082_834);
    }
}
