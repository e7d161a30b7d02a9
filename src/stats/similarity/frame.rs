//! What is taken from activations before single precision multiplies them: what the images have in common.

use std::ops::Range;

use rayon::prelude::*;

/// Units of a sample, at most and as a share of all, in runs of [`RUN`].
const SAMPLE: usize = 1024;
const SHARE: usize = 16;
const RUN: usize = 64;

/// Images whose weighted mean is taken for what all have in common. Their own parts are in it with a variance of 1/16: the
/// residuals are larger by 3 % than those from the mean of all, which would take another pass over all activations.
const COMMON: usize = 16;

/// The least variance of an image in its weight, as a share of the largest one: a sample may be as good as constant where the
/// image is not.
const LEAST_WEIGHED: f64 = 1.0 / (1_u64 << 40) as f64;

/// The least variance of `m` in the sample, in units of the images' own, that is believed: contrasts would be so large that sums
/// in f32 lose the activations where the sample does not tell of the rest.
const LEAST_COMMON: f64 = 1.0 / (1_u64 << 20) as f64;

/// The residual `e_iu = x_iu - shift_i - contrast_i m_u - offset_i`, with `m` a weighted sum of some images' `x - shift`:
/// from a sample their mean, each in units of its deviation, else one image of large deviation would be all that `m` is; from
/// sums over all units what most of them have in common ([`super::Moments`]).
///
/// Correlations are those of the `x`, whatever the numbers here (see [`super::Moments`]); good ones leave residuals that
/// are small and of mean 0, and products of them lose no digits. Either the shifts or the offsets are 0: offsets are
/// used where the level of every image is near 0 by its own deviation, for then `x - contrast m` is small when it is
/// rounded; else shifts. A level of many deviations would be in `m`, and the sums of `m m` would lose the digits of its
/// variance; `x` is rounded in step with its level, so `x - shift` loses no more than it did.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// `[images]`, all three; contrasts, as `m`, of 12 bits.
    pub shifts: Vec<f32>,
    pub contrasts: Vec<f32>,
    pub offsets: Vec<f32>,
    /// The images whose sum is `m`, and their weights; none, or only weights of 0: `m` is 0. By their samples, so that the
    /// order of the images does not show, but among those that have the same sample and differ elsewhere.
    pub common: Vec<(usize, f32)>,
}

impl Frame {
    /// From a sample of every image, `[images, units]`.
    pub(super) fn new(sample: &[f32], images: usize) -> Self {
        let units = sample.len() / images;
        let rows: Vec<&[f32]> = sample.chunks_exact(units).collect();
        let means = of_rows(&rows, |_, row| mean(row));
        let variances = of_rows(&rows, |i, row| squares(row, means[i]) / units as f64);
        // The part of m in an image is then 1.5 variances, less than counts as large.
        let near = means.iter().zip(&variances).all(|(mean, variance)| 2.0 * mean * mean <= *variance);

        let mut order: Vec<usize> = (0..images).collect();
        order.sort_by(|&i, &j| rows[i].iter().map(|x| x.to_bits()).cmp(rows[j].iter().map(|x| x.to_bits())));
        let common: Vec<usize> = order.into_iter().step_by(images.div_ceil(COMMON)).collect();
        let most = variances.iter().copied().fold(0.0, f64::max);
        let deviation = |i: usize| if most > 0.0 { variances[i].max(LEAST_WEIGHED * most).sqrt() } else { 1.0 };
        let weight = |i: usize| (deviation(i) * common.len() as f64).recip() as f32;
        let common = common.iter().map(|&i| (i, weight(i))).collect();
        let zeros = vec![0.0; images];
        let shifts = if near { zeros.clone() } else { means.iter().map(|&mean| mean as f32).collect() };
        let mut frame = Self { shifts, contrasts: zeros.clone(), offsets: zeros, common };

        let mut m = vec![0.0; units];
        frame.mean(|i| rows[i], &mut m);
        let centre = mean(&m);
        let spread = squares(&m, centre);
        let slopes = of_rows(&rows, |i, row| products(row, &m, means[i], centre) / spread);
        let is_told = spread > LEAST_COMMON * units as f64;
        for (i, slope) in slopes.into_iter().enumerate() {
            let slope = slope as f32;
            frame.contrasts[i] = if is_told && slope.is_finite() { short(slope) } else { 0.0 };
            let offset = means[i] - f64::from(frame.shifts[i]) - f64::from(frame.contrasts[i]) * centre;
            frame.offsets[i] = if near && offset.is_finite() { offset as f32 } else { 0.0 };
        }
        frame
    }

    /// Shifts alone.
    pub(super) fn plain(shifts: Vec<f32>) -> Self {
        let zeros = vec![0.0; shifts.len()];
        Self { shifts, contrasts: zeros.clone(), offsets: zeros, common: Vec::new() }
    }

    /// `m`, of units of the images `row`.
    #[inline(always)]
    pub(super) fn mean<'a>(&self, row: impl Fn(usize) -> &'a [f32], m: &mut [f32]) {
        m.fill(0.0);
        for &(i, weight) in &self.common {
            m.iter_mut().zip(row(i)).for_each(|(sum, x)| *sum += weight * (x - self.shifts[i]));
        }
        // A NaN would spread from its image to all.
        m.iter_mut().for_each(|m| *m = if m.is_finite() { short(*m) } else { 0.0 });
    }
}

/// 12 bits of `x`: products of two such numbers have no rounding error.
#[inline(always)]
pub(super) fn short(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0xffff_f000)
}

/// The units of a layer's sample: runs in an odd stride, in step with no layer's rows or channels.
pub(super) fn sampled(units: usize) -> impl Iterator<Item = Range<usize>> {
    (0..units).step_by(stride(units)).map(move |start| start..units.min(start + RUN))
}

/// Units from the begin of one run to that of the next.
pub(super) fn stride(units: usize) -> usize {
    RUN * ((units / (units / SHARE).clamp(RUN, SAMPLE)) | 1)
}

/// The `number` of every row, in the widest instructions of the processor.
fn of_rows(rows: &[&[f32]], number: impl Fn(usize, &[f32]) -> f64 + Sync) -> Vec<f64> {
    let arch = pulp::Arch::new();
    let of_row = |(i, row): (usize, &&[f32])| {
        arch.dispatch(
            #[inline(always)]
            || number(i, row),
        )
    };
    rows.par_iter().enumerate().map(of_row).collect()
}

#[inline(always)]
fn mean(row: &[f32]) -> f64 {
    sum(row, |x| x) / row.len() as f64
}

#[inline(always)]
fn squares(row: &[f32], mean: f64) -> f64 {
    sum(row, |x| (x - mean) * (x - mean))
}

/// Without what is left of whole eights: the slope of a sample needs no more.
#[inline(always)]
fn products(x: &[f32], y: &[f32], mean_x: f64, mean_y: f64) -> f64 {
    let (x, y) = (x.as_chunks::<8>().0, y.as_chunks::<8>().0);
    let mut sums = [0.0; 8];
    for (x, y) in x.iter().zip(y) {
        for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
            *sum += (f64::from(x) - mean_x) * (f64::from(y) - mean_y);
        }
    }
    sums.iter().sum()
}

/// The sum of terms in a fixed order, eight side by side, for speed.
#[inline(always)]
pub(super) fn sum<T: Copy + Into<f64>>(row: &[T], term: impl Fn(f64) -> f64) -> f64 {
    let (row, rest) = row.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for row in row {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += term(x.into()));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| term(x.into())).sum::<f64>()
}
