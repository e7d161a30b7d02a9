//! From a graph to steps for a number of images: all shapes known, all that no image changes folded, what only moves values
//! kept as places among those of a root.

use std::collections::{HashMap, HashSet};
use std::iter::successors;
use std::rc::Rc;

use super::attention;
use super::bounds::{self, DEEPEST, MOST_MADE, MOST_VALUES, units};
use super::fusion::{self, Open};
use super::gated;
use super::layouts;
use super::lowering::{Key, Lowered, Node, Prepare, Refusal, Then};
use super::operators;
use super::places::{Places, moved};
use super::rotary;
use super::separable;
use super::value::{Constant, Known, Whole};
use super::wiring::Wiring;
use crate::weights::WeightsError;

/// Largest constant of whole numbers, in values, that is read at once.
const SMALL: usize = 1 << 16;

/// The same of the types of indices: windows of 24 x 24 tokens (SwinV2) look up 331,776 relative positions.
const MOST_INDICES: usize = 1 << 22;

/// What makes floating-point numbers of whole ones.
const MAKE_FLOATS: [&str; 4] = ["Attention", "Cast", "CastLike", "DequantizeLinear"];

/// Steps in order, and what is known of every value.
pub struct Compiled<'a> {
    wiring: &'a Wiring,
    joining: Option<&'a Joining>,
    /// Of the file's values, then of those that only steps know.
    pub known: Vec<Option<Known>>,
    /// What is computed from the images; some for what later steps compute as well, which is to be left out.
    pub steps: Vec<Step>,
    /// Values that are others moved.
    views: HashMap<usize, View>,
    /// Values whose step may do more.
    open: HashMap<usize, Open>,
    /// Where the values that only steps know are computed.
    made: HashMap<usize, usize>,
    /// How many values the nodes made of nothing, or as whole numbers.
    counted: usize,
}

/// A value that is another one moved.
#[derive(Clone)]
pub struct View {
    /// The root, computed or carried in the same stage.
    pub of: usize,
    /// Where its values lie there.
    pub places: Places,
    /// The value that was moved last; none where it is the root, or what the root's own step gives.
    from: Option<usize>,
}

/// Something computed from the images.
pub struct Step {
    /// The node, the last of those joined.
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
    /// Whether the CPU computes it.
    pub on_cpu: bool,
}

/// Compiles for inputs of the shape `image`.
///
/// # Errors
/// [`WeightsError::Graph`] names the node and what is wrong.
pub fn compile<'a>(
    wiring: &'a Wiring,
    image: &[usize],
    joining: Option<&'a Joining>,
) -> Result<Compiled<'a>, WeightsError> {
    let model = &wiring.model;
    let beyond = |refusal: Refusal| WeightsError::Graph { path: model.path.clone(), problem: refusal.to_string() };
    units(image, MOST_VALUES).map_err(beyond)?;
    let mut known: Vec<Option<Known>> = vec![None; wiring.names.len()];
    known[wiring.image] = Some(Known::Computed(image.to_vec()));
    let mut left = 4 * MOST_MADE;
    for (at, constant) in model.constants.iter().enumerate() {
        if let Err(name) = constant.is_read() {
            if wiring.takers[wiring.constants[at]].is_empty() {
                continue;
            }
            let problem = format!(
                "{} is of type {name}, expected floating-point numbers of 16 bits or more, INT64, INT32, INT16, INT8, UINT16, UINT8 \
                 or BOOL",
                constant.name
            );
            return Err(WeightsError::Graph { path: model.path.clone(), problem });
        }
        let most = match constant.is_float() {
            Err("INT32" | "INT64") => MOST_INDICES,
            _ => SMALL,
        };
        let small = units(&constant.shape, MOST_VALUES).map_err(beyond)? <= most.min(left);
        let whole = if constant.is_float().is_err() && small { constant.integers()? } else { None };
        left -= whole.as_ref().map_or(0, Vec::len);
        known[wiring.constants[at]] = Some(match whole {
            Some(values) => Known::whole(Whole { shape: constant.shape.clone(), values }),
            None => Known::Constant(Rc::new(Constant::stored(model, at))),
        });
    }
    let (views, open, made) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut compiled = Compiled { wiring, joining, known, steps: Vec::new(), views, open, made, counted: 0 };
    for at in 0..wiring.nodes() {
        let held = wiring.outputs[at].first().is_some_and(|&value| compiled.known[value].is_some());
        if held && wiring.operator(at) == "Constant" {
            continue;
        }
        compiled.node(at).map_err(|refusal| match refusal {
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

impl<'a> Compiled<'a> {
    /// The graph.
    pub fn wiring(&self) -> &'a Wiring {
        self.wiring
    }

    /// Whether the CPU computes it.
    pub fn on_cpu(&self) -> bool {
        self.joining.is_some_and(|joining| joining.on_cpu)
    }

    fn node(&mut self, at: usize) -> Result<(), Refusal> {
        if self.wiring.model.nodes[at].output.iter().all(String::is_empty) {
            return Err("computes nothing".into());
        }
        bounds::settings(self.wiring.model.nodes[at].whole_settings())?;
        let mut inputs = Vec::new();
        for input in &self.wiring.inputs[at] {
            inputs.push(match input {
                None => None,
                Some(value) => {
                    let name = &self.wiring.names[*value];
                    let none = || format!("takes {name:?}, which no node before it computes");
                    Some(self.known[*value].clone().ok_or_else(none)?)
                }
            });
        }
        let operator = operators::find(self.wiring.operator(at)).ok_or("this build has it not")?;
        let values = self.wiring.inputs[at].clone();
        let mut laid = Open::new(at, Rc::new(operator.lower), inputs, values);
        // What the node is by itself is asked first: a graph is refused for the same reasons however it is tapped.
        let mut lowered = laid.lower(self.wiring)?;
        if self.joining.is_some()
            && let Lowered::Computed { shapes, .. } = &lowered
        {
            let shape = shapes[0].clone();
            if fusion::join(self, at, &shape)? || attention::join(self, at, &shape)? || rotary::join(self, at, &shape)?
            {
                return Ok(());
            }
            laid.opens = fusion::opens(self, at);
            laid.channels = fusion::channels(self, at, &shape);
            if fusion::unscale(self, at, &mut laid) {
                lowered = laid.lower(self.wiring)?;
            }
            let in_pass = match separable::joined(self, at, &laid)? {
                Some(open) => Some(open),
                None => gated::joined(self, at, &laid)?,
            };
            let other = match in_pass {
                Some(open) => Some((open, Places::plain(&shape))),
                None => layouts::laid(self, at, &laid)?,
            };
            if let Some((other, places)) = other {
                return self.put(other, self.wiring.outputs[at][0], places);
            }
        }
        self.record(at, laid, lowered)
    }

    /// Takes over what a node comes to.
    fn record(&mut self, at: usize, laid: Open, lowered: Lowered) -> Result<(), Refusal> {
        let outputs = self.wiring.outputs[at].clone();
        match lowered {
            Lowered::Known(known) => {
                for (&output, known) in outputs.iter().zip(known) {
                    let units = units(known.shape(), MOST_VALUES)?;
                    // What is only passed on is the file's, or computed when it is asked for.
                    if !matches!(&known, Known::Constant(constant) if !constant.is_given()) {
                        self.count(units)?;
                    }
                    self.known[output] = Some(known);
                }
            }
            Lowered::Moved(all) => {
                let value = laid.values[0].ok_or("input 0 is missing")?;
                let shape = self.known[value].as_ref().expect("an input").shape().to_vec();
                for (&output, moves) in outputs.iter().zip(&all) {
                    let own = moves.iter().try_fold(Places::plain(&shape), |places, by| places.moved(by));
                    let shape = own.ok_or("moves that do not fit")?.shape;
                    if units(&shape, MOST_VALUES)? == 0 {
                        // No image changes what is not there.
                        self.known[output] = Some(Known::Constant(Rc::new(Constant::given(Vec::new(), &shape))));
                        continue;
                    }
                    if self.joining.is_some() && laid.inputs[0].as_ref().is_some_and(Known::is_computed) {
                        let View { of, places, .. } = self.view(value, at);
                        if let Some(places) = moves.iter().try_fold(places, |places, by| places.moved(by)) {
                            self.known[output] = Some(Known::Computed(shape));
                            self.views.insert(output, View { of, places, from: Some(value) });
                            continue;
                        }
                    }
                    let moves = moves.clone();
                    let lowered = Lowered::run(shape, &[0], move |mut inputs| moved(inputs.remove(0), &moves))?;
                    self.push(at, &laid, lowered, &[output])?;
                }
            }
            lowered @ Lowered::Computed { .. } => {
                self.push(at, &laid, lowered, &outputs)?;
                if laid.opens {
                    self.open.insert(outputs[0], laid);
                }
            }
        }
        Ok(())
    }

    /// Takes over a step, or the constants that it makes of constants.
    fn push(&mut self, at: usize, laid: &Open, lowered: Lowered, outputs: &[usize]) -> Result<(), Refusal> {
        let Lowered::Computed { shapes, takes, prepare, multiply_adds, weights } = lowered else {
            return Err("nothing to compute".into());
        };
        let mut operands = Vec::new();
        for &at in &takes {
            operands.push(match &laid.inputs[at] {
                Some(Known::Computed(_)) => Operand::Value(laid.values[at].expect("an input")),
                Some(Known::Constant(constant)) => Operand::Constant(constant.clone()),
                Some(Known::Whole(whole)) => {
                    self.count(whole.values.len())?;
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
        let whole = !MAKE_FLOATS.contains(&self.wiring.operator(at))
            && takes.iter().all(|&at| laid.inputs[at].as_ref().is_some_and(Known::is_whole));
        for (n, (&output, shape)) in outputs.iter().zip(&shapes).enumerate() {
            let values = units(shape, MOST_VALUES)?;
            self.known[output] = Some(match &constants {
                None if values == 0 => return Err(format!("a value of the shape {shape:?}").into()),
                None => Known::Computed(shape.clone()),
                Some(_) if values == 0 => Known::Constant(Rc::new(Constant::given(Vec::new(), shape))),
                Some(all) => {
                    let given = all.iter().map(|constant| constant.shape.iter().product::<usize>());
                    units(shape, MOST_MADE.max(given.sum()))?;
                    let constant = Constant::computed(shape, prepare.clone(), n, all.clone(), whole);
                    if constant.is_beyond(DEEPEST) {
                        return Err(format!("a constant computed of more than {DEEPEST} others").into());
                    }
                    Known::Constant(Rc::new(constant))
                }
            });
        }
        if constants.is_none() {
            self.steps.push(Step { at, outputs: outputs.to_vec(), operands, prepare, multiply_adds, weights });
        }
        Ok(())
    }

    /// Counts values that a node made.
    fn count(&mut self, more: usize) -> Result<(), Refusal> {
        self.counted += more;
        match self.counted <= 4 * MOST_MADE {
            true => Ok(()),
            false => Err(format!("more than {} values that no image changes", 4 * MOST_MADE).into()),
        }
    }

    /// Adds a step of one output: `output` itself, or the root in which its values lie at `places`.
    pub fn put(&mut self, open: Open, output: usize, places: Places) -> Result<(), Refusal> {
        let lowered = open.lower(self.wiring)?;
        let Lowered::Computed { shapes, .. } = &lowered else { return Err("nothing to compute".into()) };
        let at = open.step;
        let root = if places.shape == shapes[0] && places.is_plain(places.units()) {
            output
        } else {
            let root = self.known.len();
            self.known.push(None);
            self.made.insert(root, at);
            self.known[output] = Some(Known::Computed(places.shape.clone()));
            self.views.insert(output, View { of: root, places, from: None });
            root
        };
        self.push(at, &open, lowered, &[root])?;
        if open.opens {
            self.open.insert(root, open);
        }
        Ok(())
    }

    /// What the step of a root may do more.
    pub fn open(&self, root: usize) -> Option<&Open> {
        self.open.get(&root)
    }

    fn stage(&self, at: usize) -> usize {
        self.joining.map_or(0, |joining| joining.cuts.partition_point(|&cut| cut <= at))
    }

    /// Whether the stage of the node at `at` computes a value.
    pub fn is_within_stage(&self, value: usize, at: usize) -> bool {
        self.maker(value).is_some_and(|maker| self.stage(maker) == self.stage(at))
    }

    /// The node that computes a value; none of the image.
    pub fn maker(&self, value: usize) -> Option<usize> {
        if value < self.wiring.names.len() { self.wiring.maker[value] } else { self.made.get(&value).copied() }
    }

    /// A value as seen by the node at `at`: moved from a root in its stage, or as it is.
    pub fn view(&self, value: usize, at: usize) -> View {
        let here = |view: &&View| self.is_within_stage(value, at) || self.carries(view);
        match self.views.get(&value).filter(here) {
            Some(view) => view.clone(),
            None => {
                let shape = self.known[value].as_ref().map_or(&[][..], Known::shape);
                View { of: value, places: Places::plain(shape), from: None }
            }
        }
    }

    /// The values between a view and its root, which may be the last of them; none is computed but that.
    pub fn through(&self, view: &View) -> impl Iterator<Item = usize> {
        successors(view.from, |value| if *value == view.of { None } else { self.views.get(value)?.from })
    }

    /// Whether a later stage is given the root of a view instead of its values: all of them, the images first.
    fn carries(&self, view: &View) -> bool {
        let (places, images) = (&view.places, view.places.shape.first().copied().unwrap_or(1).max(1));
        let whole = self.known[view.of].as_ref().is_some_and(|known| places.is_permutation(known.units()));
        whole && (images == 1 || places.axes().is_some_and(|axes| axes[0] == [(images, places.units() / images)]))
    }

    /// What a later stage is given for a value.
    pub fn carried(&self, value: usize) -> usize {
        self.views.get(&value).filter(|view| self.carries(view)).map_or(value, |view| view.of)
    }

    /// Where a value comes from, for steps of the stage from the node `first` on that is given the values `given`; none if
    /// it is computed or given itself.
    pub fn source(&self, value: usize, given: &[usize]) -> Option<&View> {
        self.views.get(&value).filter(|_| !given.contains(&value))
    }

    /// Whether nothing but the nodes `within` takes a value, and it is neither tapped nor leaves the stage of `at`.
    pub fn is_free(&self, value: usize, within: &[usize], at: usize) -> bool {
        if value >= self.wiring.names.len() {
            return true;
        }
        let Some(joining) = self.joining else { return false };
        !joining.wanted.contains(&value)
            && !self.wiring.results.contains(&value)
            && self.is_within_stage(value, at)
            && self.wiring.takers_of_values(value).all(|taker| within.contains(&taker))
    }

    /// What is known of a value, if it is one number that no image changes.
    pub fn number(&self, value: usize) -> Option<f64> {
        match self.known[value].as_ref()? {
            Known::Constant(constant) => constant.number().ok().flatten().map(f64::from),
            Known::Whole(whole) if whole.values.len() == 1 => Some(whole.values[0] as f64),
            _ => None,
        }
    }

    /// A node with what is known of its inputs.
    pub fn node_at(&self, at: usize) -> Node<'a> {
        let model = &*self.wiring.model;
        let inputs = self.wiring.inputs[at].iter().map(|input| input.and_then(|value| self.known[value].clone()));
        let (proto, inputs, then) = (&model.nodes[at], inputs.collect(), Then::default());
        Node { model, key: Key::new(at, at, &then), proto, inputs, opset: model.opset, then }
    }

    /// The node, and what it takes, of a value that is computed by an operator of that name.
    pub fn made_by(&self, value: usize, operator: &str) -> Option<(usize, &'a [Option<usize>])> {
        let maker = *self.wiring.maker.get(value)?.as_ref()?;
        (self.wiring.operator(maker) == operator).then(|| (maker, &self.wiring.inputs[maker][..]))
    }

    /// The value that a node passes on as this one, in other floating-point numbers or the same.
    pub fn passed_on(&self, value: usize) -> Option<usize> {
        let maker = (*self.wiring.maker.get(value)?)?;
        let passes = matches!(self.wiring.operator(maker), "Cast" | "CastLike" | "Dropout" | "Identity");
        self.views.get(&value).filter(|_| passes)?.from
    }

    /// Of a node's two inputs, a number that no image changes, and the other.
    pub fn numbered(&self, inputs: &[Option<usize>]) -> Option<(usize, f64)> {
        let &[Some(a), Some(b)] = inputs else { return None };
        match (self.number(a), self.number(b)) {
            (None, Some(number)) => Some((a, number)),
            (Some(number), None) => Some((b, number)),
            _ => None,
        }
    }

    /// If a value is another times a number that no image changes, by a product or a quotient: its node, the other value, the
    /// number.
    pub fn multiple(&self, value: usize) -> Option<(usize, usize, f64)> {
        if let Some((node, inputs)) = self.made_by(value, "Mul")
            && let Some((of, number)) = self.numbered(inputs)
        {
            return Some((node, of, number));
        }
        let (node, &[Some(of), Some(by)]) = self.made_by(value, "Div")? else { return None };
        Some((node, of, 1.0 / self.number(by)?))
    }

    /// Of a node's two inputs, the one that is computed and the other, floating-point numbers that no image changes.
    pub fn with_constant(&self, inputs: &[Option<usize>]) -> Option<(usize, &Rc<Constant>)> {
        let &[Some(a), Some(b)] = inputs else { return None };
        match (&self.known[a], &self.known[b]) {
            (Some(Known::Computed(_)), Some(Known::Constant(constant))) => Some((a, constant)),
            (Some(Known::Constant(constant)), Some(Known::Computed(_))) => Some((b, constant)),
            _ => None,
        }
    }

    /// Whether a value is computed from the images.
    pub fn is_computed(&self, value: usize) -> bool {
        self.known[value].as_ref().is_some_and(Known::is_computed)
    }
}
