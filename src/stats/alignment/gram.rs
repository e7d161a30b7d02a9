//! The Gram matrix of a layer, and what of a layer's vectors its correlations leave out.

use crate::stats::Rsm;
use crate::stats::similarity::Standard;

/// Mean and standard deviation of every vector: with the RSM they are the Gram matrix, so a layer is reduced once.
#[derive(Clone, Debug, PartialEq)]
pub struct Scales {
    /// Values of a vector.
    pub units: usize,
    /// `[concepts]`
    pub means: Vec<f64>,
    /// `[concepts]`, divided by the number of units.
    pub deviations: Vec<f64>,
}

impl Scales {
    /// Of vectors that have passed.
    pub fn of(standards: &[Standard]) -> Self {
        Self {
            units: standards.first().map_or(0, Standard::count),
            means: standards.iter().map(Standard::mean).collect(),
            deviations: standards.iter().map(Standard::deviation).collect(),
        }
    }

    /// Those with which a matrix is its own kernel: vectors of mean 0 and unit length.
    pub fn of_kernel(concepts: usize) -> Self {
        Self { units: 1, means: vec![0.0; concepts], deviations: vec![1.0; concepts] }
    }

    /// The concepts in another order.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let of = |values: &[f64]| order.iter().map(|&concept| values[concept]).collect();
        Self { units: self.units, means: of(&self.means), deviations: of(&self.deviations) }
    }

    /// As a file has them, `[concepts, 3]`: mean, standard deviation, units.
    pub fn to_rows(&self) -> Vec<f64> {
        let rows = self.means.iter().zip(&self.deviations);
        rows.flat_map(|(&mean, &deviation)| [mean, deviation, self.units as f64]).collect()
    }

    /// From such rows; none where they are none.
    pub fn from_rows(rows: &[f64]) -> Option<Self> {
        let rows = rows.as_chunks::<3>().0;
        let units = rows.first()?[2];
        let fits = |&[mean, deviation, other]: &[f64; 3]| mean.is_finite() && deviation >= 0.0 && other == units;
        (units >= 1.0 && units.fract() == 0.0 && rows.iter().all(fits)).then(|| Self {
            units: units as usize,
            means: rows.iter().map(|row| row[0]).collect(),
            deviations: rows.iter().map(|row| row[1]).collect(),
        })
    }
}

/// Inner products of one space's concept vectors.
///
/// # Shapes
/// `[concepts, concepts]`, row-major and symmetric.
#[derive(Clone, Debug, PartialEq)]
pub struct Gram {
    concepts: usize,
    values: Vec<f64>,
}

impl Gram {
    /// Wraps `[concepts, concepts]` inner products, or any kernel's values.
    ///
    /// # Panics
    /// If `values` does not hold `concepts * concepts` numbers.
    pub fn new(concepts: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), concepts * concepts, "a Gram matrix of {concepts} concepts is square");
        Self { concepts, values }
    }

    /// `K_ij = units (r_ij sd_i sd_j + mean_i mean_j)`. Equal vectors have equal rows to the bit, as in the RSM; a
    /// constant vector covaries with nothing.
    ///
    /// # Panics
    /// If the two are of different concepts.
    pub fn of(rsm: &Rsm, scales: &Scales) -> Self {
        let n = rsm.concepts();
        let Scales { units, means, deviations } = scales;
        assert!(means.len() == n && deviations.len() == n, "an RSM and scales of the same concepts");
        let value = |i: usize, j: usize| {
            let r = rsm.row(i)[j];
            // A diagonal of 1 also where the vector is constant: its deviation is 0 to rounding.
            let covariance = if r.is_nan() { 0.0 } else { r * (deviations[i] * deviations[j]) };
            *units as f64 * (covariance + means[i] * means[j])
        };
        Self { concepts: n, values: (0..n * n).map(|at| value(at / n, at % n)).collect() }
    }

    /// Number of concepts.
    pub fn concepts(&self) -> usize {
        self.concepts
    }

    /// All values, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Row `a`.
    pub fn row(&self, a: usize) -> &[f64] {
        &self.values[a * self.concepts..(a + 1) * self.concepts]
    }

    /// The first concept whose vector has no direction.
    pub fn without_direction(&self) -> Option<usize> {
        (0..self.concepts).find(|&a| !(self.row(a)[a] > 0.0 && self.row(a)[a].is_finite()))
    }

    /// Of the same vectors at unit length: cosines.
    pub fn cosines(&self) -> Self {
        let lengths: Vec<f64> = (0..self.concepts).map(|a| self.row(a)[a].sqrt()).collect();
        self.map(|a, b, value| value / (lengths[a] * lengths[b]))
    }

    /// `HKH`: every row and every column sums to 0.
    pub fn centred(&self) -> Self {
        let n = self.concepts as f64;
        let rows: Vec<f64> = (0..self.concepts).map(|a| self.row(a).iter().sum::<f64>() / n).collect();
        let all = rows.iter().sum::<f64>() / n;
        self.map(|a, b, value| value - rows[a] - rows[b] + all)
    }

    /// The U-centred matrix of the module documentation; its diagonal is 0.
    pub fn u_centred(&self) -> Self {
        let n = self.concepts as f64;
        // Centred first, which changes nothing but that less cancels.
        let centred = self.centred();
        let rows: Vec<f64> =
            (0..self.concepts).map(|a| centred.row(a).iter().sum::<f64>() - centred.row(a)[a]).collect();
        let all = rows.iter().sum::<f64>() / ((n - 1.0) * (n - 2.0));
        let off = |a: usize, b: usize, value: f64| value - (rows[a] + rows[b]) / (n - 2.0) + all;
        centred.map(|a, b, value| if a == b { 0.0 } else { off(a, b, value) })
    }

    /// `exp(-d^2 / 2 s^2)` of the vectors' distances `d`, `s` their median (of two concepts apart); none where all
    /// vectors are equal, or differ by no more than rounding.
    pub fn rbf(&self) -> Option<Self> {
        let noise = 4.0 * self.concepts as f64 * f64::EPSILON;
        let squared = |a: usize, b: usize| {
            let both = self.row(a)[a] + self.row(b)[b];
            let apart = both - 2.0 * self.row(a)[b];
            if apart > noise * both { apart } else { 0.0 }
        };
        let mut distances: Vec<f64> = (0..self.concepts).flat_map(|a| (0..a).map(move |b| squared(a, b))).collect();
        distances.sort_unstable_by(f64::total_cmp);
        let (middle, half) = (distances.len() / 2, distances.len() % 2);
        let median = (distances[middle].sqrt() + distances[middle + half - 1].sqrt()) / 2.0;
        (median > 0.0).then(|| self.map(|a, b, _| (-squared(a, b) / (2.0 * median * median)).exp()))
    }

    fn map(&self, value: impl Fn(usize, usize, f64) -> f64) -> Self {
        let places = (0..self.concepts).flat_map(|a| (0..self.concepts).map(move |b| (a, b)));
        let values = places.zip(&self.values).map(|((a, b), &found)| value(a, b, found)).collect();
        Self { concepts: self.concepts, values }
    }
}
