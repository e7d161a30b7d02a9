//! Where the values of an array lie among those of another: what only moves values computes nothing until it must.

use burn::tensor::{Int, Tensor, TensorData};

use super::value::Array;
use crate::kernels::strided;

/// A length and a step: places so far apart.
type Run = (usize, usize);

/// The places of an array's values among those of another, its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The lengths of its axes.
    pub shape: Vec<usize>,
    /// The first value's place.
    offset: usize,
    /// Lengths and steps of an index that counts the values row by row. Neighbours that one would do for are one, so that
    /// arrays whose values lie alike have the same runs, whatever their shapes.
    runs: Vec<Run>,
}

/// A move of all values, or of some.
#[derive(Clone, Debug)]
pub enum Move {
    /// The same values in another shape.
    Reshaped(Vec<usize>),
    /// The axes in another order.
    Transposed(Vec<usize>),
    /// Of an axis, so many places from a first one on, every one or every so-manieth.
    Part { axis: usize, first: usize, count: usize, step: usize },
    /// Axes of one place as long as others, by ONNX's broadcasting.
    Spread(Vec<usize>),
}

impl Places {
    /// All values of a root, row by row.
    pub fn plain(shape: &[usize]) -> Self {
        Self::of(shape.to_vec(), 0, vec![(shape.iter().product(), 1)])
    }

    /// Of an axis each, a length and a step.
    pub fn strided(axes: &[Run]) -> Self {
        Self::of(axes.iter().map(|&(length, _)| length).collect(), 0, axes.to_vec())
    }

    fn of(shape: Vec<usize>, offset: usize, all: Vec<Run>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (length, step) in all.into_iter().filter(|&(length, _)| length != 1) {
            match runs.last_mut().filter(|last| last.1 == length * step) {
                Some(last) => *last = (last.0 * length, step),
                None => runs.push((length, step)),
            }
        }
        Self { shape, offset, runs }
    }

    /// How many values.
    pub fn units(&self) -> usize {
        self.shape.iter().product()
    }

    /// The first value's place.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The same, so much further on.
    pub fn from(self, first: usize) -> Self {
        Self { offset: self.offset + first, ..self }
    }

    /// Lengths and steps of an index that counts the values row by row.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The same values in another shape.
    pub fn reshaped(self, shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), ..self }
    }

    /// Whether they are all values of a root of so many, row by row.
    pub fn is_plain(&self, units: usize) -> bool {
        self.offset == 0 && (self.runs == [(units, 1)] || self.runs.is_empty() && units == 1)
    }

    /// Whether they are all values of a root of so many, each once.
    pub fn is_permutation(&self, units: usize) -> bool {
        let mut runs = self.runs.clone();
        runs.sort_by_key(|&(_, step)| step);
        let mut next = 1;
        for (length, step) in runs {
            if step != next {
                return false;
            }
            next *= length;
        }
        self.offset == 0 && next == units
    }

    /// Whether their values lie alike, in whatever shapes.
    pub fn lie_as(&self, other: &Self) -> bool {
        (self.offset, &self.runs) == (other.offset, &other.runs)
    }

    /// The runs of every axis; `None` if one of them is of no whole runs.
    pub fn axes(&self) -> Option<Vec<Vec<Run>>> {
        if self.units() == 0 {
            return Some(self.shape.iter().map(|&length| vec![(length, 1)]).collect());
        }
        let mut runs = self.runs.iter().rev().copied();
        let (mut left, mut step) = (1, 0);
        let mut axes = vec![Vec::new(); self.shape.len()];
        for (axis, &length) in axes.iter_mut().zip(&self.shape).rev() {
            let mut wanted = length;
            while wanted > 1 {
                if left == 1 {
                    (left, step) = runs.next()?;
                }
                let count = if left.is_multiple_of(wanted) { wanted } else { left };
                if !wanted.is_multiple_of(count) {
                    return None;
                }
                axis.insert(0, (count, step));
                (wanted, left, step) = (wanted / count, left / count, step * count);
            }
        }
        (left == 1).then_some(axes)
    }

    /// The axis whose values lie so far apart, if there is one of that length.
    pub fn axis_of(&self, run: Run) -> Option<usize> {
        self.axes()?.iter().position(|axis| axis[..] == [run])
    }

    /// What a move makes of it; `None` if its places cannot be said by runs.
    pub fn moved(&self, by: &Move) -> Option<Self> {
        let flat = |axes: &[Vec<Run>]| axes.concat();
        Some(match by {
            Move::Reshaped(shape) => Self { shape: shape.clone(), ..self.clone() },
            Move::Transposed(order) => {
                let axes = self.axes()?;
                let shape = order.iter().map(|&axis| self.shape[axis]).collect();
                Self::of(shape, self.offset, order.iter().flat_map(|&axis| axes[axis].clone()).collect())
            }
            &Move::Part { axis, first, count, step } => {
                if (first, count) == (0, self.shape[axis]) {
                    return Some(self.clone());
                }
                let mut axes = self.axes()?;
                let apart = match axes[axis][..] {
                    // Of an axis of one place nothing is left.
                    [] => 1,
                    [(_, apart)] => apart,
                    _ => return None,
                };
                axes[axis] = vec![(count, apart * step)];
                let mut shape = self.shape.clone();
                shape[axis] = count;
                Self::of(shape, self.offset + first * apart, flat(&axes))
            }
            Move::Spread(shape) => {
                let mut axes = vec![Vec::new(); shape.len() - self.shape.len()];
                axes.extend(self.axes()?);
                let own = [&vec![1; shape.len() - self.shape.len()], &self.shape[..]].concat();
                for ((axis, &length), own) in axes.iter_mut().zip(shape).zip(own) {
                    if length != own {
                        *axis = vec![(length, 0)];
                    }
                }
                Self::of(shape.clone(), self.offset, flat(&axes))
            }
        })
    }

    /// The same places in a root whose runs of `from` values, `apart` from each other, are `to` long; `None` if they do not end
    /// with such a run.
    pub fn rows_of(&self, [from, to]: [usize; 2], apart: usize, shape: Vec<usize>) -> Option<Self> {
        let axes = self.axes()?;
        let (last, before) = axes.split_last()?;
        let row = from * apart;
        if last[..] != [(from, apart)] && !(from == 1 && last.is_empty()) || !self.offset.is_multiple_of(row) {
            return None;
        }
        let mut runs: Vec<Run> = Vec::new();
        for (length, step) in before.concat() {
            runs.push(match step {
                _ if step < apart => (length, step),
                _ if step.is_multiple_of(row) => (length, step / from * to),
                _ => return None,
            });
        }
        runs.push((to, apart));
        Some(Self::of(shape, self.offset / from * to, runs))
    }

    /// The place of every value, row by row.
    pub fn each(&self) -> Vec<usize> {
        self.runs.iter().fold(vec![self.offset], |found, &(length, step)| {
            found.into_iter().flat_map(|at| (0..length).map(move |n| at + n * step)).collect()
        })
    }

    /// The values of the root that lie there, row by row.
    pub fn take(&self, root: Tensor<1>) -> Tensor<1> {
        if let Some(values) = strided::copy(&root, self.offset, &self.runs) {
            return values;
        }
        let places: Vec<i32> = self.each().into_iter().map(|place| place as i32).collect();
        let (count, device) = (places.len(), root.device());
        root.select(0, Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device))
    }
}

/// An array with its axes in another order.
pub fn permuted(x: Array, order: &[usize]) -> Array {
    moved(x, &[Move::Transposed(order.to_vec())])
}

/// An array moved.
///
/// # Panics
/// If the moves do not fit it one after the other.
pub fn moved(x: Array, moves: &[Move]) -> Array {
    let places = moves.iter().try_fold(Places::plain(&x.shape), |places, by| places.moved(by));
    let places = places.expect("moves that fit");
    let shape = places.shape.clone();
    if places.is_plain(x.shape.iter().product()) {
        x.reshaped(&shape)
    } else {
        Array::new(places.take(x.flat()), &shape)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::kernels::gpu::test_device;

    fn moved(shape: &[usize], moves: &[Move]) -> Option<Places> {
        moves.iter().try_fold(Places::plain(shape), |places, by| places.moved(by))
    }

    #[test]
    fn moves_are_numpys() {
        let part = |axis, first, count| Move::Part { axis, first, count, step: 1 };
        let found = moved(&[2, 3, 4], &[Move::Transposed(vec![2, 0, 1]), part(0, 1, 2)]).unwrap();
        assert_eq!(
            (found.shape.clone(), found.each()),
            (vec![2, 2, 3], vec![1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22])
        );
        let spread = moved(&[2, 1], &[Move::Spread(vec![3, 2, 2])]).unwrap();
        assert_eq!(spread.each(), [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
        // There and back, through a shape that merges axes which do not lie side by side.
        let forth = moved(&[2, 3, 4], &[Move::Transposed(vec![1, 0, 2]), Move::Reshaped(vec![6, 4])]).unwrap();
        assert!(!forth.is_plain(24) && forth.is_permutation(24));
        let back =
            forth.moved(&Move::Reshaped(vec![3, 2, 4])).unwrap().moved(&Move::Transposed(vec![1, 0, 2])).unwrap();
        assert_eq!(back, Places::plain(&[2, 3, 4]));
        // No runs say the second axis of two by six after three by four were turned.
        let turned = moved(&[3, 4], &[Move::Transposed(vec![1, 0]), Move::Reshaped(vec![6, 2])]).unwrap();
        assert_eq!(turned.moved(&Move::Transposed(vec![1, 0])), None);
        assert!(!moved(&[4, 3], &[part(0, 1, 2)]).unwrap().is_permutation(12));
    }

    #[test]
    fn rows_keep_their_places_when_they_get_longer() {
        let turned = moved(&[5, 7, 3], &[Move::Transposed(vec![1, 0, 2])]).unwrap();
        let wider = turned.rows_of([3, 4], 1, vec![7, 5, 4]).unwrap();
        assert_eq!(wider, moved(&[5, 7, 4], &[Move::Transposed(vec![1, 0, 2])]).unwrap());
        let across = moved(&[5, 7, 3], &[Move::Transposed(vec![0, 2, 1])]).unwrap();
        assert_eq!(across.rows_of([7, 2], 1, vec![5, 3, 2]), None);
        let shorter = across.rows_of([7, 2], 3, vec![5, 3, 2]).unwrap();
        assert_eq!(shorter, moved(&[5, 2, 3], &[Move::Transposed(vec![0, 2, 1])]).unwrap());
    }

    #[test]
    fn values_are_taken_from_their_places_on_every_device() {
        let part = |axis, first, count| Move::Part { axis, first, count, step: 1 };
        let cases: &[(&[usize], &[Move])] = &[
            (&[7], &[]),
            (&[33, 70], &[Move::Transposed(vec![1, 0])]),
            (&[2, 40, 3, 5, 8], &[Move::Transposed(vec![2, 0, 3, 1, 4]), part(0, 1, 1)]),
            (&[2, 40, 3, 5, 8], &[Move::Transposed(vec![2, 0, 3, 4, 1]), part(0, 2, 1), part(3, 3, 2)]),
            (&[3, 17, 19, 21], &[Move::Transposed(vec![0, 2, 3, 1])]),
            (&[3, 19, 21, 17], &[Move::Transposed(vec![0, 3, 1, 2]), part(1, 5, 4)]),
            (&[5, 9, 8], &[Move::Part { axis: 1, first: 1, count: 4, step: 2 }, part(2, 4, 4)]),
            (&[5, 9, 8], &[Move::Part { axis: 2, first: 1, count: 3, step: 3 }, Move::Transposed(vec![2, 0, 1])]),
            (&[6, 4], &[part(1, 1, 1), Move::Spread(vec![2, 6, 5])]),
            (&[2, 3, 4, 6], &[Move::Reshaped(vec![2, 3, 2, 2, 3, 2]), Move::Transposed(vec![0, 2, 4, 1, 3, 5])]),
            (&[4, 4, 4, 4, 4], &[Move::Transposed(vec![4, 3, 2, 1, 0]), part(2, 1, 2)]),
        ];
        for (shape, moves) in cases {
            let found = moved(shape, moves).unwrap();
            let units = shape.iter().product::<usize>();
            let values: Vec<f32> = (0..units).map(|n| n as f32).collect();
            let expected: Vec<f32> = found.each().into_iter().map(|n| n as f32).collect();
            for device in std::iter::once(Device::flex()).chain(test_device()) {
                let root = Tensor::<1>::from_data(TensorData::new(values.clone(), [units]), &device);
                let taken = found.take(root).into_data().try_to_vec::<f32>().unwrap();
                assert_eq!(taken, expected, "{shape:?} {moves:?}");
            }
        }
    }
}
