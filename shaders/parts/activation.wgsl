const ACTIVATION = {{ activation }}u; // 0 identity, 1 ReLU, 2 ReLU6, 3 none yet: a partial sum

// A sum as it leaves; NaN stays NaN.
fn activated(sum: f32, bias: f32) -> f32 {
    if ACTIVATION == 3u {
        return sum;
    }
    let x = sum + bias;
    let low = select(x, 0.0, ACTIVATION != 0u && x < 0.0);
    return select(low, 6.0, ACTIVATION == 2u && low > 6.0);
}
