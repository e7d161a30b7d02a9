//! Attention as exporters write it: products with a softmax between them, of queries, keys and values that are moved and
//! scaled in one way or another, is one step; what is only moved is read from where it lies. Scores may have a factor of
//! every head, and constants added: of relative positions, of a mask.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Device;

use super::compile::{Compiled, View};
use super::fusion::Open;
use super::lowering::{Key, Loader, Lowered, Node, Refusal, axis};
use super::places::{Move, Places};
use super::value::{Array, Constant, Known};
use crate::kernels::attention::{Bias, Counts, Lies, Lying, Scoring, attention_of};
use crate::weights::WeightsError;

/// A length and a step of an axis.
type Run = (usize, usize);

/// Queries, keys or values: `[images, heads, tokens, units]` in a root.
struct Part {
    view: View,
    /// Lengths and steps of the axes before the tokens.
    outer: Vec<Run>,
    /// Of the tokens.
    tokens: Vec<Run>,
    units: usize,
}

impl Part {
    /// Of a view `[.., tokens, units]`, the last two in the other order if `turned`.
    fn of(view: View, turned: bool) -> Option<Self> {
        let mut axes = view.places.axes()?;
        let (mut units, mut tokens) = (axes.pop()?, axes.pop()?);
        if turned {
            std::mem::swap(&mut units, &mut tokens);
        }
        let units = match units[..] {
            [] => 1,
            [(count, 1)] => count,
            _ => return None,
        };
        // Neighbours that one run would do for are one.
        let outer = Places::strided(&axes.concat()).runs().to_vec();
        Some(Self { view, outer, tokens, units })
    }

    /// How many tokens.
    fn count(&self) -> usize {
        self.tokens.iter().map(|run| run.0).product()
    }

    /// Where they lie, and the same as places in the order of `[images, tokens, heads, units]`.
    fn lies(&self, images: usize, heads: usize) -> Option<(Lies, Places)> {
        let axes = Places::strided(&self.outer).reshaped(&[images, heads]).axes()?;
        let head = match axes[1][..] {
            [] => (1, 0),
            [run] => run,
            _ => return None,
        };
        let first = self.view.places.offset();
        let places = [&axes[0], &self.tokens, &[head, (self.units, 1)][..]].concat();
        let places = Places::strided(&places).from(first).reshaped(&[images, self.count(), heads * self.units]);
        let images = Places::strided(&axes[0]).from(first).each();
        Some((Lies { images, head: head.1, tokens: Places::strided(&self.tokens).each() }, places))
    }
}

/// A value without the products by numbers before it, and their product.
fn unscaled(compiled: &Compiled, mut value: usize, at: usize) -> (usize, f64) {
    let mut scale = 1.0;
    while let Some((_, of, number)) = multiple(compiled, value, at) {
        (value, scale) = (of, scale * number);
    }
    (value, scale)
}

/// What of the same shape times which number a value is, if the node, the first of the three, computes it as that product.
pub fn multiple(compiled: &Compiled, value: usize, at: usize) -> Option<(usize, usize, f64)> {
    // What has gone into a dense layer already is no product any more, and of a stage before only the product is known.
    let apart = compiled.is_within_stage(value, at) && compiled.open(compiled.view(value, at).of).is_none();
    let shape = |value: usize| compiled.known[value].as_ref().map(Known::shape);
    // A number may have more axes than what it multiplies.
    compiled.multiple(value).filter(|&(_, of, _)| apart && shape(of) == shape(value))
}

/// A product of queries and keys, and what becomes of it before the softmax.
struct Scores {
    /// Of the product.
    node: usize,
    queries: usize,
    keys: usize,
    /// It is multiplied by it.
    scale: f64,
    /// Then by these, and these are added.
    factors: Vec<Spread>,
    added: Vec<Spread>,
}

/// A constant, and the shape that it is spread to.
type Spread = (Rc<Constant>, Vec<usize>);

impl Scores {
    /// Behind a value that only a softmax takes, if all between is for what comes next alone.
    fn of(compiled: &Compiled, mut value: usize, at: usize) -> Option<Self> {
        let (mut scale, mut factors, mut added) = (1.0, Vec::new(), Vec::new());
        let scores = compiled.known[value].as_ref()?.units();
        loop {
            let takers = &compiled.wiring().takers[value];
            if takers.len() != 1 || !compiled.is_free(value, takers, at) {
                return None;
            }
            if let Some(of) = compiled.passed_on(value) {
                value = of;
                continue;
            }
            let node = compiled.wiring().maker[value]?;
            let inputs = &compiled.wiring().inputs[node][..];
            let shape = compiled.known[value].as_ref()?.shape();
            let spread = |constant: &Rc<Constant>| (constant.clone(), shape.to_vec());
            value = match compiled.wiring().operator(node) {
                "Reshape" => inputs[0]?,
                // What is added comes after what is multiplied.
                "Add" if scale == 1.0 && factors.is_empty() => {
                    let (of, constant) = compiled.with_constant(inputs)?;
                    added.push(spread(constant));
                    of
                }
                "Mul" | "Div" => match compiled.multiple(value) {
                    Some((_, of, number)) => {
                        scale *= number;
                        of
                    }
                    None => {
                        let (of, constant) = compiled.with_constant(compiled.made_by(value, "Mul")?.1)?;
                        factors.push(spread(constant));
                        of
                    }
                },
                "MatMul" => {
                    let &[Some(queries), Some(keys)] = inputs else { return None };
                    // What is added for several queries may spread the scores of one: these are more than products.
                    let is_unspread = shape.iter().product::<usize>() == scores;
                    return is_unspread.then_some(Self { node, queries, keys, scale, factors, added });
                }
                _ => return None,
            };
        }
    }
}

/// Factors of every head and what is added to its scores, constants of which a part is taken.
struct Biased {
    /// Images after which what is added repeats.
    period: usize,
    /// `[heads]` of each.
    factors: Vec<(Rc<Constant>, Places)>,
    /// `[period, heads, queries, keys]` of each.
    added: Vec<(Rc<Constant>, Places)>,
}

/// Most values of what is added on a GPU: the 128 MiB that every one binds.
const MOST_ADDED: usize = 32 << 20;

impl Biased {
    /// If factors differ by the head alone, and what is added is the same for every image of a `batch` of so many.
    fn of(scores: Scores, counts: Counts, batch: usize) -> Option<Self> {
        let Counts { images, heads, queries, keys, .. } = counts;
        let spread = |all: Vec<Spread>| -> Option<Vec<(Rc<Constant>, Places)>> {
            let places = |(constant, shape): Spread| {
                let places = Places::plain(&constant.shape).moved(&Move::Spread(shape))?;
                Some((constant, places))
            };
            all.into_iter().map(places).collect()
        };
        // One place of an axis whose places are all the same.
        let one = |places: Places, axis: usize| {
            let same = places.axes()?[axis].iter().all(|run| run.1 == 0);
            same.then(|| places.moved(&Move::Part { axis, first: 0, count: 1, step: 1 }))?
        };
        let (factors, added) = (spread(scores.factors)?, spread(scores.added)?);
        let factors = factors.into_iter().map(|(constant, places)| {
            let places = one(places.reshaped(&[images, heads, queries * keys]), 0)?;
            Some((constant, one(places, 2)?))
        });
        let factors = factors.collect::<Option<Vec<_>>>()?;
        // Windows of an image follow each other within a batch's.
        let mut repeats = images;
        for (_, places) in &added {
            let axes = places.clone().reshaped(&[images, heads * queries * keys]).axes()?;
            let same = axes[0].iter().take_while(|run| run.1 == 0).map(|run| run.0).product();
            repeats = repeats.min(same);
        }
        let period = images / repeats;
        // Else a batch of another number of images needs another layout of it.
        if !images.is_multiple_of(batch * period) {
            return None;
        }
        let added = added.into_iter().map(|(constant, places)| {
            Some((constant, one(places.reshaped(&[repeats, period, heads, queries, keys]), 0)?))
        });
        Some(Self { period, factors, added: added.collect::<Option<_>>()? })
    }

    /// What was laid out for another number of images, if that is the same.
    ///
    /// # Errors
    /// The file cannot be read.
    fn laid_out(&self, key: Key, counts: Counts, loader: &Loader) -> Result<Arc<Bias>, WeightsError> {
        let kept = loader.once(key, || self.load(counts, &loader.device))?;
        if kept.is_of(counts, self.period) { Ok(kept) } else { Ok(Arc::new(self.load(counts, &loader.device)?)) }
    }

    /// # Errors
    /// The file cannot be read.
    fn load(&self, counts: Counts, device: &Device) -> Result<Bias, WeightsError> {
        let Counts { heads, queries, keys, .. } = counts;
        let (mut factors, mut sum) = (vec![1.0; heads], vec![0.0; self.period * heads * queries * keys]);
        for part in &self.factors {
            factors.iter_mut().zip(taken(part)?).for_each(|(factor, by)| *factor *= by);
        }
        for part in &self.added {
            sum.iter_mut().zip(taken(part)?).for_each(|(sum, more)| *sum += more);
        }
        Ok(Bias::new(factors, &sum, [self.period, heads, queries, keys], device))
    }
}

/// The values of a constant that lie in places.
fn taken((constant, places): &(Rc<Constant>, Places)) -> Result<Vec<f32>, WeightsError> {
    let values = Array::of(constant.values()?, &constant.shape, &Device::flex());
    Ok(Array::new(places.take(values.flat()), &places.shape).to_vec())
}

/// Joins the second product of an attention, of the shape `mixed`, to what is before it.
///
/// # Errors
/// As those of the operators.
pub fn join(compiled: &mut Compiled, at: usize, mixed: &[usize]) -> Result<bool, Refusal> {
    let Some((step, places)) = found(compiled, at, mixed) else { return Ok(false) };
    compiled.put(step, compiled.wiring().outputs[at][0], places)?;
    Ok(true)
}

fn found(compiled: &Compiled, at: usize, mixed: &[usize]) -> Option<(Open, Places)> {
    let wiring = compiled.wiring();
    if wiring.operator(at) != "MatMul" {
        return None;
    }
    let &[Some(mut weights), Some(values)] = &wiring.inputs[at][..] else { return None };
    let alone = |value: usize| {
        let takers = &wiring.takers[value];
        takers.len() == 1 && compiled.is_free(value, takers, at)
    };
    let mut free = alone(weights);
    while let Some(of) = compiled.passed_on(weights) {
        weights = of;
        free &= alone(weights);
    }
    let (softmax, &[Some(scored)]) = compiled.made_by(weights, "Softmax")? else { return None };
    let shape = compiled.known[weights].as_ref()?.shape();
    let opset = wiring.model.opset;
    let along = wiring.model.nodes[softmax].int("axis").unwrap_or(if opset < 13 { 1 } else { -1 });
    if axis(along, shape.len()).ok()? + 1 != shape.len() || shape.len() < 3 {
        return None;
    }
    let scores = Scores::of(compiled, scored, at).filter(|scores| free && scores.node < softmax)?;
    let Scores { queries, keys, mut scale, .. } = scores;
    if ![queries, keys, values].iter().all(|&value| compiled.is_computed(value)) {
        return None;
    }
    let mut part = |value: usize, turned: bool, scaled: bool| {
        let (value, number) = if scaled { unscaled(compiled, value, at) } else { (value, 1.0) };
        scale *= number;
        Part::of(compiled.view(value, at), turned)
    };
    let parts = [part(queries, false, true)?, part(keys, true, true)?, part(values, false, false)?];
    let [q, k, v] = &parts;
    let count: usize = shape[..shape.len() - 2].iter().product();
    let batch = compiled.known[wiring.image].as_ref()?.shape()[0];
    let is_plain = scores.factors.is_empty() && scores.added.is_empty();
    let outer = |part: &Part| <[Run; 2]>::try_from(&part.outer[..]).ok();
    let [images, heads] = match (&shape[..shape.len() - 2], parts.iter().find_map(outer)) {
        (&[.., heads], _) if shape.len() > 3 => [count / heads, heads],
        // Images and heads may be one axis; what is added is the same for every image.
        _ if !is_plain && count.is_multiple_of(batch) => [batch, count / batch],
        (_, Some([images, heads])) => [images.0, heads.0],
        _ => [1, count],
    };
    let fits = |part: &Part| part.outer.iter().map(|run| run.0).product::<usize>() == count;
    if !parts.iter().all(fits) || images * heads != count {
        return None;
    }
    let (queries, keys, own) = (q.count(), k.count(), q.units);
    // Softmax looks for the largest score before it is scaled. Values of more heads than weights spread these.
    let is_unspread = mixed.iter().product::<usize>() == count * queries * own;
    if k.units != own || v.units != own || v.count() != keys || scale <= 0.0 || !is_unspread {
        return None;
    }
    let counts = Counts { images, heads, queries, keys, units: own };
    let lies: Vec<(Lies, Places)> = parts.iter().map(|part| part.lies(images, heads)).collect::<Option<_>>()?;
    let lies: Arc<[(Lies, Places)]> = lies.into();
    let values: Vec<usize> = parts.iter().map(|part| part.view.of).collect();
    let inputs = values.iter().map(|&value| compiled.known[value].clone()).collect();
    let biased = if is_plain { None } else { Some(Rc::new(Biased::of(scores, counts, batch)?)) };
    let bound = |biased: &Rc<Biased>| biased.period * heads * queries * keys.next_multiple_of(4) <= MOST_ADDED;
    if !compiled.on_cpu() && !biased.as_ref().is_none_or(bound) {
        return None;
    }
    let lower = move |node: &Node| attends(node.key, counts, scale, &lies, biased.clone());
    let open = Open::new(at, Rc::new(lower), inputs, values.into_iter().map(Some).collect());
    let token = heads * own;
    let places = Places::strided(&[(images, queries * token), (heads, own), (queries, token), (own, 1)]);
    Some((open, places.reshaped(mixed)))
}

fn attends(
    key: Key,
    counts: Counts,
    scale: f64,
    lies: &Arc<[(Lies, Places)]>,
    biased: Option<Rc<Biased>>,
) -> Result<Lowered, Refusal> {
    let Counts { images, heads, queries, units, .. } = counts;
    let (shape, lies) = (vec![images, queries, heads, units], lies.clone());
    Lowered::weighted(shape, &[0, 1, 2], 0, 0, move |loader| {
        let bias = biased.as_ref().map(|biased| biased.laid_out(key, counts, loader)).transpose()?;
        let lies = lies.clone();
        Ok(Arc::new(move |inputs: Vec<Array>| {
            let lying = std::array::from_fn(|n| Lying { values: inputs[n].clone().flat(), lies: &lies[n].0 });
            let copied = |n: usize| {
                let places = &lies[n].1;
                places.take(inputs[n].clone().flat()).reshape(<[usize; 3]>::try_from(&places.shape[..]).expect("three"))
            };
            let scoring = Scoring { scale, bias: bias.as_deref() };
            vec![Array::new(attention_of(lying, counts, scoring, copied), &[images, queries, heads, units])]
        }))
    })
}
