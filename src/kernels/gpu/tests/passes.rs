//! What goes over activations once: concatenations, sums and products, scaled channels, functions, means.

use burn::tensor::{Device, Tensor};

use super::super::{MAX_WORKGROUPS, test_device};
use super::{random, tensor};
use crate::kernels::join::concatenate;

/// So many results that workgroups of 256 are more than one dimension holds.
const FOLDED: usize = MAX_WORKGROUPS as usize * 256 + 3;

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

#[test]
fn concatenations_hold_every_input_in_its_place() {
    let Some(gpu) = test_device() else { return };
    let cpu = Device::flex();
    let check = |shape: [usize; 3], axis: usize, lengths: &[usize]| {
        let all = |device: &Device| {
            let of = |(n, &length): (usize, &usize)| {
                let mut shape = shape;
                shape[axis] = length;
                tensor(&random(shape.iter().product(), n as u64), shape, device)
            };
            lengths.iter().enumerate().map(of).collect::<Vec<Tensor<3>>>()
        };
        let [found, expected] = [&gpu, &cpu].map(|device| concatenate(all(device), axis));
        assert_eq!(found.dims(), expected.dims());
        assert!(values(found) == values(expected), "{lengths:?} along axis {axis} of {shape:?}");
    };
    for axis in 0..3 {
        // One, as many as a launch takes, one more, and so many that three are made; rows of fours and of other numbers.
        for count in [1, 2, 6, 7, 14] {
            let odd: Vec<usize> = (0..count).map(|n| 1 + n % 5).collect();
            check([3, 5, 7], axis, &odd);
            check([3, 5, 8], axis, &odd.iter().map(|length| 4 * length).collect::<Vec<_>>());
        }
    }
    check([2, 1, 5], 1, &[3, 0, 4]);
    check([2, 1, 1], 1, &[FOLDED / 4, FOLDED / 4 + 1]);
    // One and the same twice.
    let x: Tensor<2> = tensor(&[1.0, 2.0, 3.0, 4.0], [1, 4], &gpu);
    assert_eq!(values(concatenate(vec![x.clone(), x], 1)), [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
}
