// 0 identity, 1 ReLU, 2 ReLU6, 3 none yet: a partial sum, 4 GELU, 5 GELU by tanh, 6 CLIP's GELU, 7 SiLU, 8 hard swish
const ACTIVATION = {{ activation }}u;

{{ parts/nan }}
// The error function: Juffa's minimax polynomials, one near 0, one in an exponent.
fn error_function(x: f32) -> f32 {
    let t = min(abs(x), 4.0);
    let s = t * t;
    let high = -1.7285347e-5 * t + 3.8319713e-4;
    let low = -3.8839644e-3 * t + 2.4254622e-2;
    let exponent = (((high * s + low) * t - 0.10677788) * t - 0.6348467) * t - 0.12871751;
    let far = 1.0 - exp(exponent * t - t);
    let even = ((-5.967617e-4 * s + 4.9911942e-3) * s - 2.6768135e-2) * s + 0.112819925;
    let near = ((even * s - 0.37612534) * s + 0.12837917) * x + x;
    return select(near, select(far, -far, x < 0.0), t > 0.9277344);
}

// A sum as it leaves; NaN stays NaN.
fn activated(sum: f32, bias: f32) -> f32 {
    if ACTIVATION == 3u {
        return sum;
    }
    let x = sum + bias;
    if ACTIVATION == 4u {
        return 0.5 * x * (1.0 + error_function(x * 0.70710678));
    }
    if ACTIVATION == 5u {
        return x / (1.0 + exp(min(-1.5957691 * (x + 0.044715 * x * x * x), 88.0)));
    }
    if ACTIVATION == 6u {
        return x / (1.0 + exp(min(-1.702 * x, 88.0)));
    }
    if ACTIVATION == 7u {
        return x / (1.0 + exp(min(-x, 88.0)));
    }
    if ACTIVATION == 8u {
        return x * (clamp(x + 3.0, 0.0, 6.0) / 6.0);
    }
    let low = select(x, 0.0, ACTIVATION != 0u && x < 0.0);
    let bounded = select(low, 6.0, ACTIVATION == 2u && low > 6.0);
    return select(bounded, x, is_nan(x));
}
