//! Tensors of a number of axes that only the file tells.

/// Runs `$body` with the constant `$rank` of the number of axes; of none, one.
macro_rules! of_rank {
    ($axes:expr, $rank:ident => $body:expr) => {
        match $axes {
            0 | 1 => {
                const $rank: usize = 1;
                $body
            }
            2 => {
                const $rank: usize = 2;
                $body
            }
            3 => {
                const $rank: usize = 3;
                $body
            }
            4 => {
                const $rank: usize = 4;
                $body
            }
            5 => {
                const $rank: usize = 5;
                $body
            }
            6 => {
                const $rank: usize = 6;
                $body
            }
            axes => unreachable!("{axes} axes, refused before"),
        }
    };
}

pub(super) use of_rank;

/// Most axes that a tensor may have once those that stay together are one.
pub const MOST_AXES: usize = 6;

/// The lengths of `D` axes, ones before them where there are fewer.
pub fn lengths<const D: usize>(shape: &[usize]) -> [usize; D] {
    let more = D - shape.len();
    std::array::from_fn(|axis| if axis < more { 1 } else { shape[axis - more] })
}

/// What two shapes give by ONNX's (NumPy's) broadcasting.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let axes = a.len().max(b.len());
    let length = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(axes).map_or(1, |axis| shape[axis]);
    let fit = |axis| match (length(a, axis), length(b, axis)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => Err(format!("shapes {a:?} and {b:?} that do not fit each other")),
    };
    (0..axes).map(fit).collect()
}

/// Shapes that are broadcast to each other, with as few axes as say the same: neighbours that are broadcast alike are one.
pub fn merged<const N: usize>(shapes: [&[usize]; N]) -> [Vec<usize>; N] {
    let axes = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let length = |n: usize, axis: usize| {
        let shape = shapes[n];
        (axis + shape.len()).checked_sub(axes).map_or(1, |axis| shape[axis])
    };
    let mut merged: [Vec<usize>; N] = std::array::from_fn(|_| Vec::new());
    let mut before: Option<[bool; N]> = None;
    for axis in 0..axes {
        let lengths: [usize; N] = std::array::from_fn(|n| length(n, axis));
        let longest = lengths.iter().copied().max().unwrap_or(1);
        if longest == 1 {
            continue;
        }
        let spread: [bool; N] = std::array::from_fn(|n| lengths[n] != longest);
        for (merged, length) in merged.iter_mut().zip(lengths) {
            match merged.last_mut().filter(|_| before == Some(spread)) {
                Some(last) => *last *= length,
                None => merged.push(length),
            }
        }
        before = Some(spread);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_broadcast_as_numpys() {
        assert_eq!(broadcast(&[2, 3, 4], &[4]), Ok(vec![2, 3, 4]));
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Ok(vec![2, 3, 4]));
        assert_eq!(broadcast(&[], &[5]), Ok(vec![5]));
        assert!(broadcast(&[2], &[3]).is_err());
    }

    #[test]
    fn axes_that_stay_together_are_one() {
        assert_eq!(merged([&[2, 3, 4], &[4]]), [vec![6, 4], vec![1, 4]]);
        assert_eq!(merged([&[2, 3, 4], &[2, 3, 4]]), [vec![24], vec![24]]);
        assert_eq!(merged([&[2, 3, 4, 5], &[3, 1, 1]]), [vec![2, 3, 20], vec![1, 3, 1]]);
        assert_eq!(merged([&[1], &[]]), [Vec::<usize>::new(), vec![]]);
    }
}
