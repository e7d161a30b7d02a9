//! From a graph to steps for a number of images: all shapes known, all that no image changes folded.

use std::collections::HashSet;
use std::rc::Rc;

use super::fusion::{self, Chain};
use super::lowering::{Lowered, Node, Prepare, Refusal, Then};
use super::operators;
use super::value::{Constant, Known, Whole};
use super::wiring::Wiring;
use crate::weights::WeightsError;

/// Largest constant of whole numbers, in values, that is read at once.
const SMALL: usize = 1 << 16;

/// Steps in order, and what is known of every value.
pub struct Compiled {
    /// Of values that come of a step joined into another, none.
    pub known: Vec<Option<Known>>,
    /// What is computed from the images.
    pub steps: Vec<Step>,
}

/// Something computed from the images.
pub struct Step {
    /// The node, the first of those joined.
    pub at: usize,
    /// The values.
    pub outputs: Vec<usize>,
    /// What is given to it.
    pub operands: Vec<Operand>,
    /// Makes it.
    pub prepare: Prepare,
    /// Multiply-adds of its weights, for all images.
    pub multiply_adds: u64,
    /// Values of its weights.
    pub weights: usize,
}

/// What is given to a step.
pub enum Operand {
    /// The value of that number.
    Value(usize),
    /// What no image changes.
    Constant(Rc<Constant>),
}

/// What may be joined: not what is tapped, nor what leaves a stage.
pub struct Joining {
    /// Values that are wanted as they are.
    pub wanted: HashSet<usize>,
    /// The first node of every stage but the first.
    pub cuts: Vec<usize>,
}

/// Compiles for inputs of the shape `image`.
///
/// # Errors
/// [`WeightsError::Graph`] names the node and what is wrong.
pub fn compile(wiring: &Wiring, image: &[usize], joining: Option<&Joining>) -> Result<Compiled, WeightsError> {
    let model = &wiring.model;
    let mut known: Vec<Option<Known>> = vec![None; wiring.names.len()];
    known[wiring.image] = Some(Known::Computed(image.to_vec()));
    for (at, constant) in model.constants.iter().enumerate() {
        let small = constant.shape.iter().product::<usize>() <= SMALL;
        let whole = if constant.is_float().is_err() && small { constant.integers()? } else { None };
        known[wiring.constants[at]] = Some(match whole {
            Some(values) => Known::whole(Whole { shape: constant.shape.clone(), values }),
            None => Known::Constant(Rc::new(Constant::stored(model, at))),
        });
    }
    let mut compiled = Compiled { known, steps: Vec::new() };
    let mut done = vec![false; wiring.nodes()];
    for at in 0..wiring.nodes() {
        let held = wiring.outputs[at].first().is_some_and(|&value| compiled.known[value].is_some());
        if done[at] || held && wiring.operator(at) == "Constant" {
            continue;
        }
        compile_node(wiring, at, joining, &mut compiled, &mut done).map_err(|refusal| match refusal {
            Refusal::Weights(error) => error,
            Refusal::Because(reason) => {
                let node = &model.nodes[at];
                let problem = format!("{} (node {:?}): {reason}", node.op_type, node.name);
                WeightsError::Graph { path: model.path.clone(), problem }
            }
        })?;
    }
    Ok(compiled)
}

fn compile_node(
    wiring: &Wiring,
    at: usize,
    joining: Option<&Joining>,
    compiled: &mut Compiled,
    done: &mut [bool],
) -> Result<(), Refusal> {
    let model = &wiring.model;
    let mut inputs = Vec::new();
    for input in &wiring.inputs[at] {
        inputs.push(match input {
            None => None,
            Some(value) => Some(
                compiled.known[*value]
                    .clone()
                    .ok_or_else(|| format!("takes {:?}, which no node before it computes", wiring.names[*value]))?,
            ),
        });
    }
    if let Some(pattern) = joining.and_then(|joining| fusion::pattern(wiring, at, &compiled.known, joining)) {
        let shape = compiled.known[pattern.input].as_ref().expect("an input").shape().to_vec();
        let Lowered::Computed { prepare, .. } =
            Lowered::run(shape.clone(), &[0], move |mut inputs| (pattern.run)(inputs.remove(0)))?
        else {
            unreachable!("computed")
        };
        pattern.nodes.iter().for_each(|&node| done[node] = true);
        let output = wiring.outputs[pattern.nodes[pattern.nodes.len() - 1]][0];
        compiled.known[output] = Some(Known::Computed(shape));
        let operands = vec![Operand::Value(pattern.input)];
        compiled.steps.push(Step { at, outputs: vec![output], operands, prepare, multiply_adds: 0, weights: 0 });
        return Ok(());
    }
    let mut node = Node { model, at, proto: &model.nodes[at], inputs, opset: model.opset, then: Then::default() };
    let operator = operators::find(&node.proto.op_type).ok_or("this build has it not")?;
    let mut lowered = (operator.lower)(&node)?;
    let mut values: Vec<Option<usize>> = wiring.inputs[at].clone();
    let mut outputs = wiring.outputs[at].clone();
    if let (Some(joining), Lowered::Computed { shapes, .. }) = (joining, &lowered) {
        let chain = fusion::chain(wiring, &node, &shapes[0], &compiled.known, joining)?;
        if let Some(&last) = chain.nodes.last() {
            let Chain { then, nodes, summand } = chain;
            nodes.iter().for_each(|&node| done[node] = true);
            outputs = wiring.outputs[last].clone();
            node.then = then;
            if let Some(summand) = summand {
                // Behind the bias, there or not.
                values.resize(values.len().max(3), None);
                node.inputs.resize(node.inputs.len().max(3), None);
                values.push(Some(summand));
                node.inputs.push(compiled.known[summand].clone());
            }
            lowered = (operator.lower)(&node)?;
        }
    }
    done[at] = true;
    match lowered {
        Lowered::Known(known) => {
            for (&output, known) in outputs.iter().zip(known) {
                compiled.known[output] = Some(known);
            }
        }
        Lowered::Computed { shapes, takes, prepare, multiply_adds, weights } => {
            let mut operands = Vec::new();
            for &at in &takes {
                operands.push(match &node.inputs[at] {
                    Some(Known::Computed(_)) => Operand::Value(values[at].expect("an input")),
                    Some(Known::Constant(constant)) => Operand::Constant(constant.clone()),
                    Some(Known::Whole(whole)) => {
                        let values = whole.values.iter().map(|&value| value as f32).collect();
                        Operand::Constant(Rc::new(Constant::given(values, &whole.shape)))
                    }
                    None => return Err(format!("input {at} is missing").into()),
                });
            }
            let constants: Option<Vec<Rc<Constant>>> = operands
                .iter()
                .map(|operand| match operand {
                    Operand::Constant(constant) => Some(constant.clone()),
                    Operand::Value(_) => None,
                })
                .collect();
            match constants {
                Some(constants) => {
                    for (n, (&output, shape)) in outputs.iter().zip(&shapes).enumerate() {
                        let constant = Constant::computed(shape, prepare.clone(), n, constants.clone());
                        compiled.known[output] = Some(Known::Constant(Rc::new(constant)));
                    }
                }
                None => {
                    for (&output, shape) in outputs.iter().zip(&shapes) {
                        compiled.known[output] = Some(Known::Computed(shape.clone()));
                    }
                    compiled.steps.push(Step { at, outputs, operands, prepare, multiply_adds, weights });
                }
            }
        }
    }
    Ok(())
}
