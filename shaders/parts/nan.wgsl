// A comparison with NaN is false, and NVIDIA's compiler takes two of them for the larger and the smaller number: exponent and
// mantissa say what is NaN.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}
