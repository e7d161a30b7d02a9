//! Student's t distribution, of any number of degrees of freedom.

/// Steps of a bisection that leave nothing of an interval but rounding.
const BISECTIONS: usize = 200;

/// The probability of a t further from 0 than this, on either side.
pub(super) fn beyond(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The t that is not passed, on either side, with the probability `level`.
pub(super) fn quantile(level: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while beyond(high, freedom) > 1.0 - level {
        high *= 2.0;
    }
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if beyond(middle, freedom) > 1.0 - level { low = middle } else { high = middle }
    }
    high
}

/// The regularised incomplete beta function, by its continued fraction (Abramowitz & Stegun 26.5.8), evaluated from the
/// front (Lentz 1976).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let factor = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let away = |x: f64| if x.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { x };
    let (mut c, mut d) = (1.0, away(1.0 - (a + b) * x / (a + 1.0)).recip());
    let mut value = d;
    for m in (1..1000).map(f64::from) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for term in [even, odd] {
            d = away(1.0 + term * d).recip();
            c = away(1.0 + term / c);
            value *= c * d;
        }
        if (value / before - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    factor * value
}

/// The logarithm of the gamma function, by Stirling's series where it has 16 digits.
fn ln_gamma(x: f64) -> f64 {
    const LARGE: f64 = 15.0;
    if x < LARGE {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0];
    let corrections = series.iter().rev().fold(0.0, |sum, term| sum / (x * x) + term) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + corrections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_by_hand() {
        // One degree of freedom is Cauchy's, two have t / sqrt(2 + t^2), many are normal.
        for t in [0.1, 1.0, 3.0, 40.0] {
            assert!((beyond(t, 1.0) - (1.0 - 2.0 / std::f64::consts::PI * f64::atan(t))).abs() < 1e-14, "t {t}");
            assert!((beyond(t, 2.0) - (1.0 - t / (2.0 + t * t).sqrt())).abs() < 1e-14, "t {t}");
        }
        assert_eq!(beyond(0.0, 7.0), 1.0);
        // scipy.stats.t.sf, twice.
        assert!((beyond(1.96, 1e4) - 0.05002352023183303).abs() < 1e-9);
    }

    /// `scipy.stats.t.ppf(0.975, freedom)`.
    #[test]
    fn quantiles_are_those_of_scipy() {
        let expected = [
            (1.0, 12.706204736174694),
            (4.0, 2.7764451051977934),
            (7.5, 2.333039626864974),
            (30.0, 2.0422724563012378),
        ];
        for (freedom, expected) in expected {
            let found = quantile(0.95, freedom);
            assert!((found - expected).abs() < 1e-9, "{freedom}: {found}, expected {expected}");
        }
    }
}
