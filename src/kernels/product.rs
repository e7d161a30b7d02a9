//! Matrix products on the CPU.

/// Entries of a matrix: their place is `steps[0]` times the row and `steps[1]` times the column.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// The entries.
    pub entries: &'a [T],
    /// From one row to the next, from one column to the next.
    pub steps: [usize; 2],
}

impl<'a, T> Matrix<'a, T> {
    /// Row by row, `step` apart.
    pub fn rows(entries: &'a [T], step: usize) -> Self {
        Self { entries, steps: [step, 1] }
    }

    /// The transpose.
    pub fn turned(self) -> Self {
        Self { steps: [self.steps[1], self.steps[0]], ..self }
    }
}

/// `out = left right`, `[m, k]` times `[k, n]`, on this thread or on all of the current rayon pool; the rows of `out` lie
/// `step` apart.
///
/// # Panics
/// If a matrix has fewer entries.
pub fn multiply<T: 'static + From<u8>>(
    [m, n, k]: [usize; 3],
    (out, step): (&mut [T], usize),
    left: Matrix<T>,
    right: Matrix<T>,
    all_threads: bool,
) {
    let holds = |len: usize, rows: usize, columns: usize, steps: [usize; 2]| {
        let last = |count: usize, step: usize| (count - 1).checked_mul(step);
        let within = || last(rows, steps[0])?.checked_add(last(columns, steps[1])?).filter(|&last| last < len);
        rows == 0 || columns == 0 || within().is_some()
    };
    assert!(step >= n && holds(out.len(), m, n, [step, 1]), "the product's entries");
    assert!(holds(left.entries.len(), m, k, left.steps), "the left matrix's entries");
    assert!(holds(right.entries.len(), k, n, right.steps), "the right matrix's entries");
    let threads = if all_threads { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    // SAFETY: every entry lies within its slice, as asserted; those of `out`, borrowed exclusively, in places of their own.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            step as isize,
            false,
            left.entries.as_ptr(),
            left.steps[1] as isize,
            left.steps[0] as isize,
            right.entries.as_ptr(),
            right.steps[1] as isize,
            right.steps[0] as isize,
            0.into(),
            1.into(),
            false,
            false,
            false,
            threads,
        );
    }
}
