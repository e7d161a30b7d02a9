//! Numbers and factors that go on with the layer before or behind them.

use super::super::super::drawing::Drawing;
use super::{agree, check};

#[test]
fn numbers_before_a_layer_are_in_its_weights() {
    fn scaled(d: &mut Drawing, x: &str) -> String {
        let (times, by) = (d.number(1.7), d.number(0.3));
        let y = d.node("Mul", &[&times, x]);
        d.node("Div", &[&y, &by])
    }
    // What comes in goes round the layer as well, so that the graph is not cut before it.
    check("of a convolution", 3, |d| {
        let x = d.conv("x", &[6, 3, 3, 3], 1, 1, 1);
        let y = d.node("Sigmoid", &[&x]);
        let y = scaled(d, &y);
        let y = d.conv(&y, &[6, 6, 3, 3], 1, 1, 1);
        d.node("Add", &[&x, &y])
    });
    check("of a dense layer", 3, |d| {
        let x = d.tokens("x");
        let y = d.node("Tanh", &[&x]);
        let y = scaled(d, &y);
        let y = d.dense(&y, 12, 12);
        d.node("Add", &[&x, &y])
    });
    agree("that has more axes than what it multiplies", |d| {
        let x = d.tokens("x");
        let y = d.node("Tanh", &[&x]);
        let number = d.constant(vec![1.7], &[1; 4]);
        let y = d.node("Mul", &[&y, &number]);
        let y = d.dense(&y, 12, 7);
        d.turned(&y, &[1, 0, 2, 3])
    });
    check("of a layer that shares it with others", 5, |d| {
        let x = d.conv("x", &[6, 3, 3, 3], 1, 1, 1);
        let y = d.node("Sigmoid", &[&x]);
        let y = scaled(d, &y);
        let z = d.conv(&y, &[6, 6, 3, 3], 1, 1, 1);
        d.node("Add", &[&y, &z])
    });
    // The last number of an activation is its own.
    check("behind an activation in pieces", 4, |d| {
        let x = d.tokens("x");
        let y = d.node("Tanh", &[&x]);
        let [by, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|value| d.number(value));
        let z = d.node("Div", &[&y, &by]);
        let z = d.node("Erf", &[&z]);
        let z = d.node("Add", &[&z, &one]);
        let z = d.node("Mul", &[&y, &z]);
        let z = d.node("Mul", &[&z, &half]);
        let z = d.dense(&z, 12, 12);
        d.node("Add", &[&x, &z])
    });
}

#[test]
fn factors_of_channels_go_on_with_what_follows() {
    // Two convolutions, the mean, the gate's convolution and function, all the rest.
    check("of maps", 6, |d| {
        let x = d.conv("x", &[6, 3, 3, 3], 2, 1, 1);
        let y = d.conv(&x, &[6, 6, 3, 3], 1, 1, 1);
        let mean = d.node("GlobalAveragePool", &[&y]);
        let gate = d.conv(&mean, &[6, 6, 1, 1], 1, 0, 1);
        let gate = d.node("Sigmoid", &[&gate]);
        let number = d.number(0.2);
        let y = d.node("Mul", &[&gate, &y]);
        let y = d.node("Mul", &[&y, &number]);
        let y = d.node("Add", &[&x, &y]);
        d.node("Relu", &[&y])
    });
    // The patches, a layer, the norms, their mean, the quotient, all the rest, the last layer.
    check("of tokens, over the norms of channels", 7, |d| {
        let x = d.tokens("x");
        let x = d.dense(&x, 12, 20);
        let x = d.node("Relu", &[&x]);
        let norms = d.set("ReduceL2", &[&x], &[("axes", &[1])]);
        let mean = d.set("ReduceMean", &[&norms], &[("axes", &[-1])]);
        let factors = d.node("Div", &[&norms, &mean]);
        let (scale, shift) = (d.weights(&[20]), d.weights(&[1, 1, 20]));
        let y = d.node("Mul", &[&x, &factors]);
        let y = d.node("Mul", &[&y, &scale]);
        let y = d.node("Add", &[&shift, &y]);
        let y = d.node("Add", &[&x, &y]);
        d.dense(&y, 20, 7)
    });
}

#[test]
fn factors_of_images_that_are_not_the_first_axis_are_those_of_their_number() {
    fn gated(d: &mut Drawing) -> String {
        let x = d.tokens("x");
        let x = d.turned(&x, &[1, 0, 2]);
        let x = d.node("Tanh", &[&x]);
        let mean = d.set("ReduceMean", &[&x], &[("axes", &[2])]);
        let gate = d.node("Sigmoid", &[&mean]);
        d.node("Mul", &[&x, &gate])
    }
    agree("with a number before a layer", |d| {
        let y = gated(d);
        let number = d.number(0.2);
        let y = d.node("Mul", &[&y, &number]);
        let y = d.dense(&y, 12, 7);
        d.turned(&y, &[1, 0, 2])
    });
    agree("with an activation", |d| {
        let y = gated(d);
        let y = d.node("Relu", &[&y]);
        d.turned(&y, &[1, 0, 2])
    });
}

#[test]
fn rows_over_their_norms_are_one_step() {
    fn norm(d: &mut Drawing, x: &str, axis: i64) -> String {
        let least = d.number(1e-12);
        let norm = d.set("ReduceL2", &[x], &[("axes", &[axis])]);
        d.node("Clip", &[&norm, &least])
    }
    // The patches, the quotient, the layer behind it.
    check("over the last axis", 3, |d| {
        let x = d.tokens("x");
        let norm = norm(d, &x, -1);
        let y = d.node("Div", &[&x, &norm]);
        d.dense(&y, 12, 7)
    });
    check("over another axis, in pieces", 5, |d| {
        let x = d.tokens("x");
        let norm = norm(d, &x, 1);
        let y = d.node("Div", &[&x, &norm]);
        d.dense(&y, 12, 7)
    });
    check("whose norm is used twice", 5, |d| {
        let x = d.tokens("x");
        let norm = norm(d, &x, -1);
        let y = d.node("Div", &[&x, &norm]);
        d.node("Add", &[&y, &norm])
    });
}
