//! Moves between the lanes of vectors, of which the compiler makes single moves if they are written as loops.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m128, _mm_movehl_ps, _mm_movelh_ps, _mm_shuffle_ps, _mm_unpackhi_ps, _mm_unpacklo_ps};

/// The rows as columns.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn transposed(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    let [a, b, c, d]: [__m128; 4] = bytemuck::cast(rows);
    // SAFETY: SSE is part of every x86-64.
    bytemuck::cast(unsafe {
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (later_ab, later_cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        [
            _mm_movelh_ps(ab, cd),
            _mm_movehl_ps(cd, ab),
            _mm_movelh_ps(later_ab, later_cd),
            _mm_movehl_ps(later_cd, later_ab),
        ]
    })
}

/// The rows as columns.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn transposed(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    let mut columns = [[0.0; 4]; 4];
    for (y, row) in rows.into_iter().enumerate() {
        for (x, value) in row.into_iter().enumerate() {
            columns[x][y] = value;
        }
    }
    columns
}

/// The first, third, … of eight.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn every_second_of(values: [f32; 8]) -> [f32; 4] {
    let [a, b]: [__m128; 2] = bytemuck::cast(values);
    // SAFETY: SSE is part of every x86-64.
    bytemuck::cast(unsafe { _mm_shuffle_ps::<0b10_00_10_00>(a, b) })
}

/// The first, third, … of eight.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn every_second_of([a, _, b, _, c, _, d, _]: [f32; 8]) -> [f32; 4] {
    [a, b, c, d]
}

/// As many of the first, third, … value of `from` as `to` holds.
#[inline(always)]
pub fn every_second(to: &mut [f32], from: &[f32]) {
    // The last of eight is there if another value follows.
    let whole = to.len().saturating_sub(1) / 4 * 4;
    let (fours, rest) = to.split_at_mut(whole);
    for (to, from) in fours.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<8>().0) {
        *to = every_second_of(*from);
    }
    for (to, from) in rest.iter_mut().zip(from[2 * whole..].iter().step_by(2)) {
        *to = *from;
    }
}

/// Four rows of `len`, `pitch` apart, to four values side by side, every `lanes`.
#[inline(always)]
pub fn interleave(from: &[f32], pitch: usize, len: usize, to: &mut [f32], lanes: usize) {
    let rows = [&from[..len], &from[pitch..][..len], &from[2 * pitch..][..len], &from[3 * pitch..][..len]];
    let whole = len / 4 * 4;
    for x in (0..whole).step_by(4) {
        let mut block = [[0.0; 4]; 4];
        for (block, row) in block.iter_mut().zip(rows) {
            block.copy_from_slice(&row[x..x + 4]);
        }
        for (n, values) in transposed(block).into_iter().enumerate() {
            to[(x + n) * lanes..][..4].copy_from_slice(&values);
        }
    }
    for x in whole..len {
        to[x * lanes..][..4].copy_from_slice(&[rows[0][x], rows[1][x], rows[2][x], rows[3][x]]);
    }
}

/// Four values side by side, every `lanes`, to four rows; a multiple of four `columns`.
#[inline(always)]
pub fn deinterleave<const N: usize>(from: &[f32], lanes: usize, columns: usize, rows: &mut [[f32; N]; 4]) {
    for x in (0..columns).step_by(4) {
        let mut block = [[0.0; 4]; 4];
        for (n, block) in block.iter_mut().enumerate() {
            block.copy_from_slice(&from[(x + n) * lanes..][..4]);
        }
        for (row, values) in rows.iter_mut().zip(transposed(block)) {
            row[x..x + 4].copy_from_slice(&values);
        }
    }
}
