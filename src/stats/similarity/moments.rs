//! What the sums over a layer's units tell: correlations, and in which frame sums lose fewer digits.

use super::CONSTANT_VARIANCE;
use super::frame::{self, Frame};

/// How large what is multiplied for an image may be (its residuals, its part of `m`), in variances of its activations.
/// Beyond, the sums are repeated.
const LARGE: f64 = 2.0;

/// The same of an image whose variance f32 sums still hold, to a thousandth.
const MOST_HELD: f64 = 1024.0;

/// The square of 1e-18, the least distance of activations from their mean: smaller ones have products below the smallest
/// f32 that keeps all its digits.
const LEAST_SQUARE: f64 = 1e-36;

/// Residuals of which a better frame leaves no more than this share of their variance are wrong ones, from a sample that does
/// not tell, or from an image unlike the others: the sums are repeated. Not where residuals are a smaller share of the
/// activations' variance: they are what the 12 bits of a contrast leave (2^-22), by far.
const MOST_LEFT: f64 = 0.1;
const LEAST_RESIDUAL: f64 = 1.0 / 65536.0;

/// Steps to the first principal component of a few images: one that has nothing in common with 15 others that are alike falls
/// to 1/15 in each.
const POWERS: usize = 8;

/// Sums over a layer's units of products of residuals `e_i`, of the common `m` and of a vector of ones.
pub(super) struct Moments {
    pub units: usize,
    pub frame: Frame,
    /// `[images + 2, images + 2]`, lower triangle; the last two rows are those of `m` and of ones.
    products: Vec<f64>,
    /// Of each image the mean of its activations, less its shift and offset.
    rests: Vec<f64>,
}

impl Moments {
    pub fn new(units: usize, frame: Frame, products: Vec<f64>) -> Self {
        let mut moments = Self { units, frame, products, rests: Vec::new() };
        let (common, ones) = (moments.images(), moments.images() + 1);
        let rest =
            |i: usize| moments.product(ones, i) + f64::from(moments.frame.contrasts[i]) * moments.product(ones, common);
        moments.rests = (0..moments.images()).map(rest).collect();
        moments
    }

    fn images(&self) -> usize {
        self.frame.shifts.len()
    }

    /// The mean of the products of two rows, `i >= j`.
    fn product(&self, i: usize, j: usize) -> f64 {
        self.products[i * (self.images() + 2) + j] / self.units as f64
    }

    pub fn mean(&self, i: usize) -> f64 {
        f64::from(self.frame.shifts[i]) + f64::from(self.frame.offsets[i]) + self.rests[i]
    }

    /// `c_ij / n`, for `i >= j`: the mean of `(e_i + contrast_i m)(e_j + contrast_j m)`, less the product of the means.
    pub fn covariance(&self, i: usize, j: usize) -> f64 {
        let common = self.images();
        let (a, b) = (f64::from(self.frame.contrasts[i]), f64::from(self.frame.contrasts[j]));
        let mixed = b * self.product(common, i) + a * self.product(common, j);
        self.product(i, j) + mixed + a * b * self.product(common, common) - self.rests[i] * self.rests[j]
    }

    /// The largest variance at which image `i` counts as constant.
    fn constant_variance(&self, i: usize) -> f64 {
        (CONSTANT_VARIANCE * self.mean(i).powi(2)).max(LEAST_SQUARE)
    }

    pub fn is_constant(&self, i: usize) -> bool {
        self.covariance(i, i) <= self.constant_variance(i)
    }

    /// The mean square of what is multiplied for image `i`: of its residuals or its part of `m`.
    fn multiplied(&self, i: usize) -> f64 {
        let common = self.images();
        let part = f64::from(self.frame.contrasts[i]).powi(2) * self.product(common, common);
        self.product(i, i).max(part)
    }

    /// Whether the sums have not lost the variance of image `i`.
    fn is_held(&self, i: usize) -> bool {
        let covariance = self.covariance(i, i);
        covariance > self.constant_variance(i) && self.multiplied(i) <= MOST_HELD * covariance
    }

    /// Whether the residuals of image `i` or its part of `m` cost digits, and are not as small as f32 gets; in the better frame
    /// the residuals have the variance `left`.
    pub fn is_far(&self, i: usize, left: f64) -> bool {
        let (covariance, least) = (self.covariance(i, i), self.constant_variance(i));
        let residual = self.product(i, i) - self.product(self.images() + 1, i).powi(2);
        self.multiplied(i) > LARGE * covariance + least
            || self.is_held(i) && left < MOST_LEFT * residual && residual > LEAST_RESIDUAL * covariance + least
    }

    /// The frame in which residuals have mean 0 and nothing in common with what most of the common images have in common, and
    /// the variances of residuals there. Without an image that is held `m` is 0.
    pub fn better_frame(&self) -> (Frame, Vec<f64>) {
        let common = self.principal();
        let with_m =
            |i: usize| -> f64 { common.iter().map(|&(j, weight)| f64::from(weight) * self.of_two(i, j)).sum() };
        let variance: f64 = common.iter().map(|&(i, weight)| f64::from(weight) * with_m(i)).sum();
        let slope = |i: usize| if variance > 0.0 && self.is_held(i) { with_m(i) / variance } else { 0.0 };
        let slopes: Vec<f64> = (0..self.images()).map(slope).collect();
        let left = slopes.iter().enumerate().map(|(i, slope)| self.covariance(i, i) - slope * slope * variance);
        let frame = Frame {
            contrasts: slopes.iter().map(|&slope| frame::short(slope as f32)).collect(),
            common,
            ..Frame::plain((0..self.images()).map(|i| self.mean(i) as f32).collect())
        };
        (frame, left.collect())
    }

    /// The common images with their weights in their first principal component, each image in units of its deviation: an image
    /// unlike the others has no part in it. Weights of images that are not held are 0.
    fn principal(&self) -> Vec<(usize, f32)> {
        let held: Vec<usize> = self.frame.common.iter().map(|&(i, _)| i).filter(|&i| self.is_held(i)).collect();
        let deviations: Vec<f64> = held.iter().map(|&i| self.covariance(i, i).sqrt()).collect();
        // Not all alike: they would be orthogonal to what images and as many negatives of them have in common.
        let mut shares: Vec<f64> = (1..=held.len()).map(|n| 1.0 / n as f64).collect();
        for _ in 0..POWERS {
            let next = |a: usize| -> f64 {
                let with = |b: usize| shares[b] * self.of_two(held[a], held[b]) / (deviations[a] * deviations[b]);
                (0..held.len()).map(with).sum()
            };
            let next: Vec<f64> = (0..held.len()).map(next).collect();
            let size = next.iter().map(|share| share.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
            shares = next.into_iter().map(|share| share / size).collect();
        }
        let mut weights = vec![0.0; self.images()];
        (0..held.len()).for_each(|a| weights[held[a]] = shares[a] / deviations[a]);
        self.frame.common.iter().map(|&(i, _)| (i, weights[i] as f32)).collect()
    }

    /// [`Self::covariance`] in any order.
    fn of_two(&self, i: usize, j: usize) -> f64 {
        self.covariance(i.max(j), i.min(j))
    }
}
