//! The parameters of a network, handed out one at a time.

use burn::tensor::TensorData;

use super::{Assignment, Kind, Parameter, WeightsError, WeightsFile, formula};
use crate::progress::Interrupt;
use crate::stats::permutation::Random;

/// Where the parameters of a network come from; hands them out one at a time in the canonical layout, so that beside
/// the network there is never more than one tensor (and its reordered copy).
pub struct Parameters {
    parameters: Vec<Parameter>,
    source: Source,
    interrupt: Interrupt,
}

enum Source {
    File { file: Box<dyn WeightsFile>, assignment: Assignment },
    Random { seed: u64 },
    Formula,
}

impl Parameters {
    /// From a weights file.
    ///
    /// # Panics
    /// If `assignment` is not complete for `parameters`.
    pub fn from_file(parameters: Vec<Parameter>, file: Box<dyn WeightsFile>, assignment: Assignment) -> Self {
        let parameters = of_files(parameters, assignment.folded);
        assert!(assignment.is_complete() && assignment.assigned.len() == parameters.len(), "an incomplete assignment");
        Self { parameters, source: Source::File { file, assignment }, interrupt: Interrupt::default() }
    }

    /// What the user should know of the file.
    pub fn notes(&self) -> Vec<String> {
        match &self.source {
            Source::File { file, assignment } => file.notes().into_iter().chain(assignment.note(file.path())).collect(),
            Source::Random { .. } | Source::Formula => Vec::new(),
        }
    }

    /// An untrained network, the control: kernels normal with variance `2 / fan_in` (He et al. 2015), embeddings normal with
    /// standard deviation 0.02, biases and means zero, scales and variances one. A parameter depends on `seed` and its place in the network alone.
    pub fn random(parameters: Vec<Parameter>, seed: u64) -> Self {
        Self {
            parameters: of_files(parameters, false),
            source: Source::Random { seed },
            interrupt: Interrupt::default(),
        }
    }

    /// The deterministic weights of tests and benchmarks ([`formula`]).
    #[doc(hidden)]
    pub fn formula(parameters: Vec<Parameter>) -> Self {
        Self { parameters: of_files(parameters, false), source: Source::Formula, interrupt: Interrupt::default() }
    }

    /// The same, handed out until asked to stop.
    pub fn until(self, interrupt: &Interrupt) -> Self {
        Self { interrupt: interrupt.clone(), ..self }
    }

    /// Whether batch normalization is folded into the convolutions' weights and biases, and there is none of its own.
    pub fn folded(&self) -> bool {
        matches!(&self.source, Source::File { assignment, .. } if assignment.folded)
    }

    /// Whether the network has a parameter of that name.
    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
    }

    /// One parameter, `f32` in its canonical shape.
    ///
    /// # Errors
    /// The file cannot be read, or the tensor holds other than finite floating-point numbers or a negative variance; asked
    /// to stop.
    ///
    /// # Panics
    /// If the network has no parameter of that name.
    pub fn get(&mut self, name: &str) -> Result<TensorData, WeightsError> {
        if self.interrupt.stopped() {
            return Err(WeightsError::Interrupted);
        }
        let index = self.parameters.iter().position(|parameter| parameter.name == name);
        let index = index.unwrap_or_else(|| panic!("the network lists no parameter {name}"));
        let parameter = &self.parameters[index];
        let values = match &mut self.source {
            Source::File { file, assignment } => {
                let assigned = &assignment.assigned[index];
                let values = assigned.transform.apply(file.read(&assigned.tensor)?, &parameter.shape);
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    return Err(WeightsError::NotFinite {
                        path: file.path().into(),
                        tensor: assigned.tensor.clone(),
                        index: at,
                        value: values[at],
                    });
                }
                let negative = (parameter.kind == Kind::Variance).then(|| values.iter().position(|&value| value < 0.0));
                if let Some(at) = negative.flatten() {
                    return Err(WeightsError::Negative {
                        path: file.path().into(),
                        tensor: assigned.tensor.clone(),
                        index: at,
                        value: values[at],
                    });
                }
                values
            }
            Source::Random { seed } => he_normal(parameter, Random::keyed(*seed, index as u64)),
            Source::Formula => formula::values(parameter),
        };
        Ok(TensorData::new(values, parameter.shape.clone()))
    }
}

/// The parameters of files whose batch normalization is folded, or is not.
fn of_files(mut parameters: Vec<Parameter>, folded: bool) -> Vec<Parameter> {
    parameters.retain(|parameter| parameter.part.is_in(folded));
    parameters
}

/// As the authors of vision transformers initialise class token and positions.
const EMBEDDING_SD: f64 = 0.02;

/// Box-Muller: two normal numbers from two uniform ones.
fn he_normal(parameter: &Parameter, mut random: Random) -> Vec<f32> {
    let count = parameter.shape.iter().product();
    let sd = match parameter.kind {
        Kind::Kernel { fan_in, .. } => (2.0 / fan_in as f64).sqrt(),
        Kind::Embedding => EMBEDDING_SD,
        Kind::Bias => return vec![0.0; count],
        Kind::Scale | Kind::Variance => return vec![1.0; count],
    };
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 - u lies in (0, 1], so the logarithm is finite.
        let radius = sd * (-2.0 * (1.0 - random.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * random.unit()).sin_cos();
        values.extend([(radius * cos) as f32, (radius * sin) as f32]);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::weights::{Names, Normalised, Transform, assign, safetensors::Safetensors};

    fn parameters() -> Vec<Parameter> {
        let dense = vec![("dense/kernel".to_string(), Transform::Transpose)];
        vec![
            Parameter::kernel("conv", &[64, 32, 3, 3], vec![("conv/kernel".into(), Transform::HwioToOihw)]),
            Parameter::kernel("dense", &[2, 3], dense),
            Parameter::bias("dense", 3, vec![("dense/bias".into(), Transform::None)]),
        ]
    }

    #[test]
    fn random_kernels_have_the_variance_of_he() {
        let data = Parameters::random(parameters(), 2018).get("conv.weight").unwrap();
        let values = data.as_slice::<f32>().unwrap();
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count - mean * mean;
        let expected = 2.0 / (32.0 * 9.0);
        // Standard errors: sd / sqrt(n) of the mean, variance * sqrt(2 / n) of the variance; four of each.
        assert!(mean.abs() < 4.0 * (expected / count).sqrt(), "mean {mean}");
        assert!((variance - expected).abs() < 4.0 * expected * (2.0 / count).sqrt(), "variance {variance}");
        let beyond = values.iter().filter(|&&v| f64::from(v).abs() > 1.959964 * expected.sqrt()).count() as f64;
        // 5 % of a normal distribution lie beyond 1.96 sd; binomial standard error sqrt(n 0.05 0.95).
        assert!((beyond - 0.05 * count).abs() < 4.0 * (count * 0.05 * 0.95).sqrt(), "{beyond} of {count}");
    }

    #[test]
    fn random_weights_depend_on_seed_and_place_only() {
        let get = |seed, names: &[&str]| {
            let mut random = Parameters::random(parameters(), seed);
            names.iter().map(|name| random.get(name).unwrap()).collect::<Vec<_>>()
        };
        let both = get(1, &["conv.weight", "dense.weight"]);
        assert_eq!(get(1, &["dense.weight"])[0], both[1]);
        assert_ne!(get(2, &["dense.weight"])[0], both[1]);
        assert_eq!(get(1, &["dense.bias"])[0], TensorData::new(vec![0f32; 3], [3]));
    }

    /// A file with `dense/kernel` `[3, 2]` and `dense/bias` `[3]`.
    fn dense(kernel: [f32; 6]) -> Result<TensorData, WeightsError> {
        let bytes: Vec<u8> = kernel.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensors = [
            ("dense/kernel", TensorView::new(Dtype::F32, vec![3, 2], &bytes).unwrap()),
            ("dense/bias", TensorView::new(Dtype::F32, vec![3], &[0; 12]).unwrap()),
        ];
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), safetensors::serialize(tensors, None).unwrap()).unwrap();
        let parameters = parameters().split_off(1);
        let file = Safetensors::open(path.path())?;
        let assignment = assign(&parameters, &[], &file)?;
        Parameters::from_file(parameters, Box::new(file), assignment).get("dense.weight")
    }

    #[test]
    fn file_tensors_arrive_in_the_canonical_layout() {
        let data = dense([0.0, 1.0, 10.0, 11.0, 20.0, 21.0]).unwrap();
        assert_eq!(data, TensorData::new(vec![0.0f32, 10.0, 20.0, 1.0, 11.0, 21.0], [2, 3]));
    }

    #[test]
    fn nan_is_an_error_that_names_the_tensor() {
        let message = dense([0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0]).unwrap_err().to_string();
        assert!(message.contains("dense/kernel holds NaN at element 4"), "{message}");
        let message = dense([0.0, 0.0, f32::NEG_INFINITY, 0.0, 0.0, 0.0]).unwrap_err().to_string();
        assert!(message.contains("dense/kernel holds -inf at element 1"), "{message}");
    }

    #[test]
    fn a_negative_variance_is_an_error() {
        let shape = [2, 1, 1, 1];
        let listed = Normalised { conv: "conv", norm: "bn", shape, bias: false, scale: false };
        let listed = listed.parameters(&Names::torch_normalised("conv", "bn"));
        let bytes: Vec<u8> = [0.0f32, -1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = |shape: &[usize]| TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
        let names = ["bn.bias", "bn.running_mean", "bn.running_var"];
        let tensors = names.map(|name| (name, view(&[2]))).into_iter().chain([("conv.weight", view(&shape))]);
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), safetensors::serialize(tensors, None).unwrap()).unwrap();
        let file = Safetensors::open(path.path()).unwrap();
        let assignment = assign(&listed, &[], &file).unwrap();
        let mut parameters = Parameters::from_file(listed, Box::new(file), assignment);
        assert!(!parameters.has("conv.bias") && parameters.get("bn.mean").is_ok());
        let message = parameters.get("bn.var").unwrap_err().to_string();
        assert!(message.contains("bn.running_var holds -1 at element 1, expected a variance"), "{message}");
    }
}
