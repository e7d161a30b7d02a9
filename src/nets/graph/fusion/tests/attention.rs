//! Attention as exporters write it, and what looks like it.

use super::super::super::drawing::Drawing;
use super::{agree, check};

#[test]
fn attention_is_one_step_however_it_is_written() {
    let attend = |d: &mut Drawing, [q, k, v]: [&str; 3]| {
        let y = d.node("MatMul", &[q, k]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        d.node("MatMul", &[&y, v])
    };
    // Patches, queries to values, attention, the layer after it with the sum.
    check("timm", 4, |d| {
        let x = d.tokens("x");
        let y = d.dense(&x, 12, 36);
        let y = d.reshaped(&y, &[0, 16, 3, 3, 4]);
        let y = d.turned(&y, &[2, 0, 3, 1, 4]);
        let parts = [0i64, 1, 2].map(|n| {
            let place = d.whole(&[n]);
            let part = d.set("Gather", &[&y, &place], &[("axis", &[0])]);
            let axis = d.whole(&[0]);
            d.node("Squeeze", &[&part, &axis])
        });
        let scale = d.number(0.707);
        let k = d.turned(&parts[1], &[0, 1, 3, 2]);
        let (q, k) = (d.node("Mul", &[&parts[0], &scale]), d.node("Mul", &[&k, &scale]));
        let y = attend(d, [&q, &k, &parts[2]]);
        let y = d.turned(&y, &[0, 2, 1, 3]);
        let y = d.reshaped(&y, &[0, 16, 12]);
        let y = d.dense(&y, 12, 12);
        d.node("Add", &[&x, &y])
    });
    // Tokens before images, heads and images as one.
    check("torchvision", 5, |d| {
        let x = d.tokens("x");
        let y = d.norm(&x, 12);
        let y = d.turned(&y, &[1, 0, 2]);
        let y = d.dense(&y, 12, 36);
        let y = d.reshaped(&y, &[16, -1, 3, 12]);
        let y = d.turned(&y, &[2, 0, 1, 3]);
        let parts = [0i64, 1, 2].map(|n| {
            let place = d.whole(&[n]);
            let part = d.set("Gather", &[&y, &place], &[("axis", &[0])]);
            let part = d.reshaped(&part, &[16, -1, 4]);
            let part = d.turned(&part, &[1, 0, 2]);
            d.reshaped(&part, &[-1, 3, 16, 4])
        });
        let scale = d.number(0.5);
        let k = d.reshaped(&parts[1], &[-1, 16, 4]);
        let k = d.turned(&k, &[0, 2, 1]);
        let k = d.reshaped(&k, &[-1, 3, 4, 16]);
        let q = d.node("Mul", &[&parts[0], &scale]);
        let y = attend(d, [&q, &k, &parts[2]]);
        let y = d.turned(&y, &[2, 0, 1, 3]);
        let y = d.reshaped(&y, &[-1, 12]);
        let y = d.dense(&y, 12, 12);
        let y = d.reshaped(&y, &[16, -1, 12]);
        let y = d.turned(&y, &[1, 0, 2]);
        d.node("Add", &[&y, &x])
    });
    // Three layers, the queries' scaled, and the scores too; the softmax in other numbers.
    check("Hugging Face", 6, |d| {
        let x = d.tokens("x");
        let [q, k, v] = [0; 3].map(|_| d.dense(&x, 12, 12));
        let scale = d.number(0.5);
        let q = d.node("Mul", &[&q, &scale]);
        let parts = [(&q, [0, 2, 1, 3]), (&k, [0, 2, 3, 1]), (&v, [0, 2, 1, 3])].map(|(part, order)| {
            let part = d.reshaped(part, &[0, 16, 3, 4]);
            d.turned(&part, &order)
        });
        let y = d.node("MatMul", &[&parts[0], &parts[1]]);
        let by = d.number(1.5);
        let y = d.node("Div", &[&y, &by]);
        let y = d.set("Cast", &[&y], &[("to", &[1])]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let y = d.set("Cast", &[&y], &[("to", &[10])]);
        let y = d.node("MatMul", &[&y, &parts[2]]);
        let y = d.turned(&y, &[0, 2, 1, 3]);
        let y = d.reshaped(&y, &[0, 16, 12]);
        d.dense(&y, 12, 5)
    });
}

/// Queries, keys and values of three heads, from windows of 4 of the 16 tokens; what attends to what, from those scores.
pub fn windowed(d: &mut Drawing, scored: impl Fn(&mut Drawing, &str) -> String) -> String {
    let x = d.tokens("x");
    let y = d.reshaped(&x, &[-1, 4, 12]);
    let y = d.dense(&y, 12, 36);
    let y = d.reshaped(&y, &[-1, 4, 3, 3, 4]);
    let y = d.turned(&y, &[2, 0, 3, 1, 4]);
    let [q, k, v] = [0i64, 1, 2].map(|n| {
        let place = d.whole(&[n]);
        let part = d.set("Gather", &[&y, &place], &[("axis", &[0])]);
        d.reshaped(&part, &[-1, 3, 4, 4])
    });
    let k = d.turned(&k, &[0, 1, 3, 2]);
    let y = d.node("MatMul", &[&q, &k]);
    let y = scored(d, &y);
    let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
    let y = d.node("MatMul", &[&y, &v]);
    let y = d.turned(&y, &[0, 2, 1, 3]);
    let y = d.reshaped(&y, &[-1, 16, 12]);
    let y = d.dense(&y, 12, 12);
    d.node("Add", &[&x, &y])
}

#[test]
fn attention_with_what_is_added_to_scores_is_one_step() {
    check("relative positions", 4, |d| {
        windowed(d, |d, y| {
            let (scale, bias) = (d.number(0.7), d.weights(&[1, 3, 4, 4]));
            let y = d.node("Mul", &[y, &scale]);
            d.node("Add", &[&y, &bias])
        })
    });
    check("and a mask of every window", 4, |d| {
        windowed(d, |d, y| {
            let (bias, mask) = (d.weights(&[3, 4, 4]), d.weights(&[4, 1, 4, 4]));
            let y = d.node("Add", &[&bias, y]);
            let y = d.reshaped(&y, &[-1, 4, 3, 4, 4]);
            let y = d.node("Add", &[&y, &mask]);
            d.reshaped(&y, &[-1, 3, 4, 4])
        })
    });
    check("a factor of every head", 4, |d| {
        windowed(d, |d, y| {
            let (factor, bias) = (d.weights(&[3, 1, 1]), d.weights(&[3, 4, 4]));
            let y = d.node("Mul", &[y, &factor]);
            d.node("Add", &[&y, &bias])
        })
    });
    check("a factor of every head alone", 4, |d| {
        windowed(d, |d, y| {
            let factor = d.weights(&[3, 1, 1]);
            d.node("Mul", &[y, &factor])
        })
    });
    check("a factor below nothing", 11, |d| {
        windowed(d, |d, y| {
            let scale = d.number(-0.7);
            d.node("Mul", &[y, &scale])
        })
    });
    check("a factor of every key", 11, |d| {
        windowed(d, |d, y| {
            let factor = d.weights(&[4]);
            d.node("Mul", &[y, &factor])
        })
    });
}

#[test]
fn attention_of_images_and_heads_in_one_axis_is_one_step_with_what_is_added() {
    check("one head", 6, |d| {
        let x = d.tokens("x");
        let [q, k, v] = [0; 3].map(|_| d.dense(&x, 12, 4));
        let k = d.turned(&k, &[0, 2, 1]);
        let y = d.node("MatMul", &[&q, &k]);
        let (bias, mask) = (d.weights(&[1, 1, 16, 16]), d.weights(&[16]));
        let y = d.reshaped(&y, &[-1, 1, 16, 16]);
        let y = d.node("Add", &[&y, &bias]);
        let y = d.reshaped(&y, &[-1, 16, 16]);
        let y = d.node("Add", &[&y, &mask]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let y = d.node("MatMul", &[&y, &v]);
        d.dense(&y, 4, 5)
    });
}

#[test]
fn queries_that_the_stage_before_scaled_are_read_as_they_are() {
    agree("one value alive before the keys' layer", |d| {
        let x = d.tokens("x");
        let x = d.node("Relu", &[&x]);
        let half = d.number(0.5);
        let q = d.node("Mul", &[&x, &half]);
        let v = d.dense(&q, 12, 12);
        let k = d.turned(&v, &[0, 2, 1]);
        let y = d.node("MatMul", &[&q, &k]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        d.node("MatMul", &[&y, &v])
    });
}

/// Queries of `rows` tokens, keys and values of the 16 tokens, each `[images, 3, tokens, 4]`.
fn parts(d: &mut Drawing, rows: i64) -> [String; 3] {
    let x = d.tokens("x");
    let of = if rows == 1 { d.set("ReduceMean", &[&x], &[("axes", &[1])]) } else { x.clone() };
    [(&of, rows), (&x, 16), (&x, 16)].map(|(x, tokens)| {
        let part = d.dense(x, 12, 12);
        let part = d.reshaped(&part, &[-1, tokens, 3, 4]);
        d.turned(&part, &[0, 2, 1, 3])
    })
}

#[test]
fn scores_and_weights_that_are_spread_are_none_of_one_step() {
    // The biases of 16 queries are added to the scores of one.
    agree("scores of one query", |d| {
        let [q, k, v] = parts(d, 1);
        let k = d.turned(&k, &[0, 1, 3, 2]);
        let (y, bias) = (d.node("MatMul", &[&q, &k]), d.weights(&[3, 16, 16]));
        let y = d.node("Add", &[&y, &bias]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let y = d.node("MatMul", &[&y, &v]);
        d.reshaped(&y, &[-1, 192])
    });
    agree("values of more heads", |d| {
        let [q, k, v] = parts(d, 16);
        let k = d.turned(&k, &[0, 1, 3, 2]);
        let y = d.node("MatMul", &[&q, &k]);
        let y = d.reshaped(&y, &[-1, 3, 1, 16, 16]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let v = d.reshaped(&v, &[-1, 1, 3, 16, 4]);
        let y = d.node("MatMul", &[&y, &v]);
        d.reshaped(&y, &[-1, 576])
    });
    agree("values of more axes", |d| {
        let [q, k, v] = parts(d, 16);
        let k = d.turned(&k, &[0, 1, 3, 2]);
        let y = d.node("MatMul", &[&q, &k]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let v = d.reshaped(&v, &[1, -1, 3, 16, 4]);
        let y = d.node("MatMul", &[&y, &v]);
        let y = d.turned(&y, &[1, 3, 0, 2, 4]);
        d.reshaped(&y, &[-1, 16, 12])
    });
}

#[test]
fn masks_of_windows_that_stand_before_the_images_are_of_every_batch() {
    agree("windows first", |d| {
        let x = d.tokens("x");
        let y = d.reshaped(&x, &[-1, 4, 4, 12]);
        let y = d.turned(&y, &[1, 0, 2, 3]);
        let y = d.reshaped(&y, &[-1, 4, 12]);
        let [q, k, v] = [0; 3].map(|_| {
            let part = d.dense(&y, 12, 12);
            let part = d.reshaped(&part, &[-1, 4, 3, 4]);
            d.turned(&part, &[0, 2, 1, 3])
        });
        let k = d.turned(&k, &[0, 1, 3, 2]);
        let (y, mask) = (d.node("MatMul", &[&q, &k]), d.weights(&[4, 1, 1, 4, 4]));
        let y = d.reshaped(&y, &[4, -1, 3, 4, 4]);
        let y = d.node("Add", &[&y, &mask]);
        let y = d.reshaped(&y, &[-1, 3, 4, 4]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let y = d.node("MatMul", &[&y, &v]);
        let y = d.turned(&y, &[0, 2, 1, 3]);
        let y = d.reshaped(&y, &[4, -1, 4, 12]);
        let y = d.turned(&y, &[1, 0, 2, 3]);
        d.reshaped(&y, &[-1, 16, 12])
    });
}
