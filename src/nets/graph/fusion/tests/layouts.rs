//! What is computed of values that lie in another order than they are counted.

use super::{agree, check};

#[test]
fn weights_for_windows_of_one_image_are_none_of_more_that_lie_otherwise() {
    // What was before the images is behind them: of one image alone, maps lie with their channels last.
    agree("tokens before images, as maps", |d| {
        let x = d.tokens("x");
        let y = d.turned(&x, &[1, 0, 2]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let y = d.turned(&y, &[1, 2, 0]);
        let y = d.reshaped(&y, &[-1, 12, 4, 4]);
        let y = d.conv(&y, &[20, 12, 2, 2], 2, 0, 1);
        let y = d.reshaped(&y, &[-1, 20, 4]);
        d.turned(&y, &[0, 2, 1])
    });
}

#[test]
fn a_normalization_of_rows_in_another_order_may_count_its_axis_from_the_front() {
    check("tokens before images", 2, |d| {
        let x = d.tokens("x");
        let y = d.turned(&x, &[1, 0, 2]);
        let (scale, shift) = (d.weights(&[12]), d.weights(&[12]));
        let y = d.set("LayerNormalization", &[&y, &scale, &shift], &[("axis", &[2])]);
        d.turned(&y, &[1, 0, 2])
    });
}
