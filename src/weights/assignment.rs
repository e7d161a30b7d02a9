//! Which tensor of a weights file fills which parameter.

use std::collections::BTreeMap;

use super::{Parameter, Transform, WeightsError, WeightsFile};

/// The full account of a weights file against a network's parameters: nothing is left out on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Parameters with their tensors, in the network's order.
    pub assigned: Vec<Assigned>,
    /// Parameters for which the file has no tensor: the name, and the name it was expected under.
    pub missing: Vec<(String, String)>,
    /// Tensors of the right name and another shape.
    pub misshapen: Vec<Misshapen>,
    /// Tensors that belong to no parameter, with their shapes.
    pub unused: Vec<(String, Vec<usize>)>,
}

/// A parameter and its tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Canonical name of the parameter.
    pub parameter: String,
    /// Name of the tensor in the file.
    pub tensor: String,
    /// From the file's layout to the canonical one.
    pub transform: Transform,
}

/// A tensor whose shape is not the parameter's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misshapen {
    /// Name of the tensor in the file.
    pub tensor: String,
    /// Its shape.
    pub found: Vec<usize>,
    /// The shape expected under this name.
    pub expected: Vec<usize>,
}

impl Assignment {
    /// Compares a file with the parameters it should hold.
    pub fn of(parameters: &[Parameter], file: &dyn WeightsFile) -> Self {
        let mut left: BTreeMap<String, Vec<usize>> = file.tensors().into_iter().collect();
        let mut account = Self { assigned: vec![], missing: vec![], misshapen: vec![], unused: vec![] };
        for parameter in parameters {
            let source =
                parameter.sources.iter().find_map(|(name, transform)| Some((left.remove_entry(name)?, *transform)));
            let Some(((tensor, found), transform)) = source else {
                let expected = parameter.sources.first().map_or(String::new(), |(name, _)| name.clone());
                account.missing.push((parameter.name.clone(), expected));
                continue;
            };
            let expected = transform.source_shape(&parameter.shape);
            if found == expected {
                account.assigned.push(Assigned { parameter: parameter.name.clone(), tensor, transform });
            } else {
                account.misshapen.push(Misshapen { tensor, found, expected });
            }
        }
        account.unused = left.into_iter().collect();
        account
    }

    /// Whether every parameter has its tensor and every tensor its parameter.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.unused.is_empty()
    }

    /// Parameters whose names were found, whatever the shapes.
    pub fn found(&self) -> usize {
        self.assigned.len() + self.misshapen.len()
    }

    /// What does not fit, one sentence per tensor: wrong shapes, then missing, then unused tensors.
    pub fn reasons(&self) -> Vec<String> {
        let misshapen = self.misshapen.iter().map(|Misshapen { tensor, found, expected }| {
            format!("{tensor} has shape {found:?}, expected {expected:?}")
        });
        let missing = self.missing.iter().map(|(parameter, name)| format!("no tensor {name} (for {parameter})"));
        let unused = self.unused.iter().map(|(tensor, shape)| format!("{tensor} {shape:?} belongs to no parameter"));
        misshapen.chain(missing).chain(unused).collect()
    }
}

/// Finds the tensor of every parameter.
///
/// # Errors
/// [`WeightsError::Unfit`] if a tensor is missing, has another shape or belongs to no parameter.
pub fn assign(parameters: &[Parameter], file: &dyn WeightsFile) -> Result<Assignment, WeightsError> {
    let assignment = Assignment::of(parameters, file);
    if assignment.is_complete() {
        Ok(assignment)
    } else {
        Err(WeightsError::Unfit { path: file.path().into(), reasons: assignment.reasons() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::weights::keras_names;

    struct Listing(Vec<(String, Vec<usize>)>);

    impl WeightsFile for Listing {
        fn path(&self) -> &Path {
            Path::new("weights/tiny.safetensors")
        }

        fn tensors(&self) -> Vec<(String, Vec<usize>)> {
            self.0.clone()
        }

        fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
            panic!("{name} is not needed to assign")
        }
    }

    fn listing(tensors: &[(&str, &[usize])]) -> Listing {
        Listing(tensors.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect())
    }

    fn parameters() -> Vec<Parameter> {
        let mut kernels: Vec<_> =
            keras_names("conv", "kernel").into_iter().map(|name| (name, Transform::HwioToOihw)).collect();
        kernels.push(("features.0.weight".into(), Transform::None));
        let mut biases = keras_names("conv", "bias");
        biases.push("features.0.bias".into());
        vec![Parameter::kernel("conv", &[64, 3, 5, 7], kernels), Parameter::bias("conv", 64, biases)]
    }

    #[test]
    fn every_spelling_of_a_name_is_found_with_its_layout() {
        for (kernel, bias) in
            [("conv/conv/kernel:0", "conv/conv/bias:0"), ("conv/kernel", "conv/bias"), ("conv.kernel", "conv.bias")]
        {
            let found = assign(&parameters(), &listing(&[(bias, &[64]), (kernel, &[5, 7, 3, 64])])).unwrap();
            assert_eq!(found.assigned[0].tensor, kernel);
            assert_eq!(found.assigned[0].transform, Transform::HwioToOihw);
            assert_eq!(found.assigned[1].tensor, bias);
        }
        let torch = listing(&[("features.0.weight", &[64, 3, 5, 7]), ("features.0.bias", &[64])]);
        assert_eq!(assign(&parameters(), &torch).unwrap().assigned[0].transform, Transform::None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let file = listing(&[("features.0.weight", &[64, 3, 7, 7]), ("aux", &[1000])]);
        let message = assign(&parameters(), &file).unwrap_err().to_string();
        assert_eq!(
            message,
            "weights/tiny.safetensors: features.0.weight has shape [64, 3, 7, 7], expected [64, 3, 5, 7]; \
             no tensor conv/conv/bias:0 (for conv.bias); aux [1000] belongs to no parameter \
             (all of it: semgpu inspect FILE --network NAME)"
        );
    }

    #[test]
    fn the_same_parameter_twice_is_refused() {
        let file =
            listing(&[("conv/kernel", &[5, 7, 3, 64]), ("features.0.weight", &[64, 3, 5, 7]), ("conv/bias", &[64])]);
        let message = assign(&parameters(), &file).unwrap_err().to_string();
        assert!(message.contains("features.0.weight [64, 3, 5, 7] belongs to no parameter"), "{message}");
    }

    #[test]
    fn of_many_reasons_the_first_are_shown() {
        let file = listing(&[("a", &[1]), ("b", &[1]), ("c", &[1])]);
        let message = assign(&parameters(), &file).unwrap_err().to_string();
        assert!(message.contains("a [1] belongs to no parameter; and 2 more"), "{message}");
    }
}
