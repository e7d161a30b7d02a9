{{ parts/activation }}
// A sum as it leaves for its place among the results; where there are summands, the one of that place is added before.
fn finished(sum: f32, bias: f32, to: u32) -> f32 {
    var terms = vec2(sum, bias);
{{ repeat s {{ summed }} }}
    terms = vec2(sum + bias, summands[to]);
{{ end }}
    return activated(terms.x, terms.y);
}
