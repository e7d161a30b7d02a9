//! What the user sees while it runs: bars on a terminal, plain lines elsewhere, one a minute where a task takes longer, nothing
//! when quiet. To stderr.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Error;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only (`-q`).
    Quiet,
    /// Progress and warnings.
    #[default]
    Normal,
    /// Timings and memory of every stage (`-v`).
    Verbose,
}

/// How long a task is silent where no bar is seen.
const SILENT: Duration = Duration::from_secs(60);

/// Set by Ctrl-C; asked between batches.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    /// How many write files that a stop should not leave half done.
    writing: AtomicUsize,
}

/// Something is written, until this is dropped: a stop is then heard between batches, not at once.
pub struct Writing(Interrupt);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.0.writing.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Interrupt {
    /// Asks the run to stop at the next batch.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to stop.
    pub fn stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// From here on something is written.
    pub fn writing(&self) -> Writing {
        self.0.writing.fetch_add(1, Ordering::SeqCst);
        Writing(self.clone())
    }

    /// Whether something is written.
    pub fn writes(&self) -> bool {
        self.0.writing.load(Ordering::SeqCst) > 0
    }

    /// # Errors
    /// [`Error::Interrupted`] if the run was asked to stop.
    pub fn check(&self) -> Result<(), Error> {
        if self.stopped() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// The same for a loop that is told by [`ControlFlow`].
    pub fn flow(&self) -> ControlFlow<()> {
        if self.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Reports progress and carries the wish to stop.
#[derive(Clone, Debug)]
pub struct Progress {
    verbosity: Verbosity,
    bars: bool,
    /// Ctrl-C.
    pub interrupt: Interrupt,
}

impl Progress {
    /// Bars if stderr is a terminal, lines otherwise.
    pub fn new(verbosity: Verbosity) -> Self {
        let bars = verbosity > Verbosity::Quiet && std::io::stderr().is_terminal();
        Self { verbosity, bars, interrupt: Interrupt::default() }
    }

    /// Says nothing (tests, libraries).
    pub fn silent() -> Self {
        Self { verbosity: Verbosity::Quiet, bars: false, interrupt: Interrupt::default() }
    }

    /// A line, unless quiet.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.verbosity > Verbosity::Quiet {
            say(text.as_ref());
        }
    }

    /// A line for each thing that the user should know, unless quiet.
    pub fn warn(&self, warnings: impl IntoIterator<Item = impl Display>) {
        warnings.into_iter().for_each(|warning| self.line(format!("warning: {warning}")));
    }

    /// A line for `-v`.
    pub fn detail(&self, text: impl AsRef<str>) {
        if self.verbosity == Verbosity::Verbose {
            say(text.as_ref());
        }
    }

    /// A task of `total` units of work (multiply-adds, draws); the time left is estimated from the work done.
    pub fn task(&self, total: u64) -> Task {
        let bar = if self.bars { ProgressBar::new(total) } else { ProgressBar::hidden() };
        bar.set_length(total);
        bar.set_style(
            ProgressStyle::with_template("{bar:16} {percent:>3} %  {eta:>4} left  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        // It takes a thread, for which there may be no memory.
        if self.bars {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Task { progress: self.clone(), bar, started: Instant::now(), said: AtomicU64::new(0) }
    }
}

/// A line on stderr. That nobody reads it, or that a log's disk is full, ends nothing.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A task under way; its bar goes when it is dropped.
pub struct Task {
    progress: Progress,
    bar: ProgressBar,
    started: Instant,
    /// Lines about how far it is.
    said: AtomicU64,
}

impl Task {
    /// What is being done: shown beside the bar.
    pub fn now(&self, message: String) {
        self.bar.set_message(message);
    }

    /// So much more work is done.
    pub fn advance(&self, work: u64) {
        self.bar.inc(work);
        let elapsed = self.started.elapsed();
        let (lines, said) = (elapsed.as_secs() / SILENT.as_secs(), self.said.load(Ordering::Relaxed));
        let mine = || self.said.compare_exchange(said, lines, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !self.progress.bars && lines > said && mine() {
            let done = self.bar.position().max(1) as f64 / self.bar.length().unwrap_or(0).max(1) as f64;
            self.progress.line(how_far(done, elapsed, &self.bar.message()));
        }
    }

    /// A line above the bar.
    pub fn line(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| self.progress.line(text));
    }

    /// A line above the bar, for `-v`.
    pub fn detail(&self, text: impl AsRef<str>) {
        self.bar.suspend(|| self.progress.detail(text));
    }

    /// Seconds since the task began.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// How far a task is, the time left estimated from the share that is done.
fn how_far(done: f64, elapsed: Duration, doing: &str) -> String {
    let left = elapsed.as_secs_f64() * (1.0 / done - 1.0).max(0.0);
    let left = if left < 90.0 { format!("{left:.0} s") } else { format!("{:.0} min", left / 60.0) };
    format!("{:>3.0} %  {left:>6} left  {doing}", (100.0 * done).min(100.0))
}

impl Drop for Task {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_a_task_is() {
        let after = |done: f64, seconds: u64| how_far(done, Duration::from_secs(seconds), "2v2  GloVe");
        assert_eq!(after(0.25, 60), " 25 %   3 min left  2v2  GloVe");
        assert_eq!(after(0.75, 120), " 75 %    40 s left  2v2  GloVe");
        // Tests that stop early, and estimates that were too low.
        assert_eq!(after(1.02, 120), "100 %     0 s left  2v2  GloVe");
    }
}
