//! Memory in whole lines of the cache: vectors that straddle two cost a third of a product's speed.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

/// Bytes of a line.
pub const LINE: usize = 64;

/// A line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Numbers that begin with a line.
#[derive(Clone)]
pub struct Lines<T> {
    lines: Vec<Line>,
    count: usize,
    of: PhantomData<T>,
}

impl<T: Pod> Lines<T> {
    /// So many zeros.
    pub fn zeros(count: usize) -> Self {
        let lines = (count * size_of::<T>()).div_ceil(size_of::<Line>());
        Self { lines: vec![Line::zeroed(); lines], count, of: PhantomData }
    }
}

impl<T: Pod> Deref for Lines<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..self.count]
    }
}

impl<T: Pod> DerefMut for Lines<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.count]
    }
}
