//! Work of Rust's on behalf of Python: without the GIL, and ended by Ctrl-C.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use semgpu::cli;
use semgpu::error::Error;
use semgpu::progress::Progress;

/// How often Python's signals are looked at.
const OFTEN: Duration = Duration::from_millis(50);

/// Tells a waiting thread that this one is done, or has panicked.
struct Done<'a> {
    done: &'a AtomicBool,
    waiting: Thread,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        self.waiting.unpark();
    }
}

/// Computes in a thread of its own without the GIL. What Python's signal handlers raise meanwhile stops the work where it can
/// be stopped, and is raised then.
///
/// # Errors
/// The work's, as [`raised`]; what a signal handler raised: `KeyboardInterrupt`.
pub fn compute<T: Send>(py: Python, work: impl FnOnce(&Progress) -> Result<T, Error> + Send) -> PyResult<T> {
    static FIRST: OnceLock<u32> = OnceLock::new();
    if *FIRST.get_or_init(process::id) != process::id() {
        let why = "semgpu was used before this process was forked from another, and its threads stayed there; start \
                   processes by multiprocessing's \"spawn\" or \"forkserver\"";
        return Err(PyRuntimeError::new_err(why));
    }
    let (progress, done) = (Progress::silent(), AtomicBool::new(false));
    thread::scope(|scope| {
        let at_end = Done { done: &done, waiting: thread::current() };
        let worker = scope.spawn(|| {
            let _at_end = at_end;
            work(&progress)
        });
        let mut stopped = Ok(());
        while !done.load(Ordering::SeqCst) {
            py.detach(|| thread::park_timeout(OFTEN));
            if stopped.is_ok() {
                stopped = py.check_signals();
            }
            if stopped.is_err() {
                progress.interrupt.stop();
            }
        }
        let result = py.detach(|| worker.join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        stopped?;
        result.map_err(raised)
    })
}

/// An error as Python knows it: `ValueError` for the user's input, else `RuntimeError`.
pub fn raised(error: Error) -> PyErr {
    let said = cli::chain(&error);
    match error {
        Error::Input(_) => PyValueError::new_err(said),
        Error::Failed(_) => PyRuntimeError::new_err(said),
        Error::Interrupted => PyKeyboardInterrupt::new_err(said),
    }
}
