//! A batch normalization of trained mean and variance, as what it multiplies by and what it adds.

/// Of one output, behind a layer that adds `bias`: with `s = gamma / sqrt(var + epsilon)`, `s` and `s (bias - mean) + beta`.
pub fn scale_and_shift([gamma, beta, mean, var]: [f64; 4], epsilon: f64, bias: f64) -> (f64, f64) {
    let scale = gamma / (var + epsilon).sqrt();
    (scale, (bias - mean) * scale + beta)
}
