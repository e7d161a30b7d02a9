// A Value: one number, or four neighbours of a row, and its activation. To add -0 changes nothing.
alias Value1 = f32;
alias Value4 = vec4<f32>;
alias Value = Value{{ width }};

{{ parts/activation }}
fn activated1(x: f32) -> f32 {
    return activated(x, -0.0);
}

fn activated4(x: vec4<f32>) -> vec4<f32> {
    return vec4(activated(x.x, -0.0), activated(x.y, -0.0), activated(x.z, -0.0), activated(x.w, -0.0));
}
