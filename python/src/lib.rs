//! `semgpu._semgpu`: what `semgpu/__init__.py` calls. Arrays of Python's in, tables and matrices out.

mod arrays;
mod work;

use pyo3::prelude::*;

use semgpu::cli::{self, Memory};

#[global_allocator]
static MEMORY: Memory = Memory;

#[pymodule]
mod _semgpu {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use pyo3::exceptions::PyValueError;
    use semgpu::config::TestRequest;
    use semgpu::device::Choice;
    use semgpu::error::{Error, FileError};
    use semgpu::halves::{Test, given};
    use semgpu::matrices::Source;
    use semgpu::record::RunRecord;
    use semgpu::results::{ResultsDir, table_text};
    use semgpu::stats::alignment::Measure;

    #[pymodule_export]
    use super::arrays::Matrices;
    use super::arrays::lent;
    use super::work::{compute, raised};
    use super::*;

    /// A space: its name, what messages call it, its array.
    type Named<'py> = (String, String, Bound<'py, PyAny>);

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        // SAFETY: as `os.environ[…] = …`, which Python's import would be as well; the GIL is held.
        unsafe { cli::quieten_drivers() };
        Ok(())
    }

    /// The RSM of each group of features.
    #[pyfunction]
    fn rsm(py: Python, called: &str, array: &Bound<PyAny>, device: &str) -> PyResult<Matrices> {
        let features = lent(called, array)?;
        let device = choice(device)?;
        let mut shape = features.shape().to_vec();
        let rsms = compute(py, move |progress| given::rsms(features, device, progress))?;
        let units = shape.len() - 1;
        shape[units] = shape[units - 1];
        let mut values = Vec::with_capacity(shape.iter().product());
        rsms.into_iter().for_each(|rsm| values.extend_from_slice(rsm.values()));
        Ok(Matrices::new(shape, values))
    }

    /// The table of a test, as the text of its CSV, and what the user should know; with `out` its results are kept there.
    #[pyfunction]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn test(
        py: Python,
        words: Vec<Named>,
        layers: Vec<Named>,
        permutations: u64,
        measure: &str,
        neighbours: usize,
        seed: u64,
        concepts: Option<Vec<String>>,
        device: &str,
        out: Option<PathBuf>,
    ) -> PyResult<(String, Vec<String>)> {
        let sources = |spaces: Vec<Named>| {
            let source = |(name, called, array): Named| -> PyResult<Source> {
                let source = given::source(&name, lent(&called, &array)?, concepts.as_deref());
                source.map_err(|error| raised(error.into()))
            };
            spaces.into_iter().map(source).collect::<PyResult<Vec<_>>>()
        };
        let mut request = TestRequest::new(sources(words)?, sources(layers)?, out.clone());
        let measure = named(measure)?;
        request.measures.extend(measure);
        request.options.permutations = permutations;
        (request.neighbours, request.seed, request.device) = (neighbours, seed, choice(device)?);
        compute(py, move |progress| {
            let test = Test::new(request, progress)?;
            let Some(out) = out else {
                let (results, warnings) = test.results(progress)?;
                let table = measure.map_or_else(|| table_text(&results.accuracy), |_| table_text(&results.measures));
                return Ok((table, warnings));
            };
            test.run(progress)?;
            let directory = ResultsDir::new(out);
            let table = directory.table(if measure.is_some() { "measures" } else { "accuracy" });
            let text = std::fs::read_to_string(&table).map_err(FileError::at(table)).map_err(Error::failed)?;
            let record = RunRecord::read(&directory).map_err(Error::failed)?;
            Ok((text, record.map_or_else(Vec::new, |record| record.warnings)))
        })
    }

    /// A command line, the program's name first; its exit code.
    #[pyfunction]
    fn main(py: Python, arguments: Vec<OsString>) -> u8 {
        py.detach(|| cli::main(&arguments))
    }

    fn choice(device: &str) -> PyResult<Choice> {
        device.parse().map_err(|error| raised(Error::input(error)))
    }

    /// A measure by its name; none is the 2 vs. 2 test, made in full.
    fn named(measure: &str) -> PyResult<Option<Measure>> {
        match Measure::ALL.into_iter().find(|known| known.name() == measure) {
            Some(Measure::TwoVsTwo) => Ok(None),
            Some(known) => Ok(Some(known)),
            None => {
                let known = Measure::ALL.map(Measure::name).join(", ");
                Err(PyValueError::new_err(format!("measure {measure:?}: expected one of {known}")))
            }
        }
    }
}
