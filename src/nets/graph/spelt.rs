//! Operators that are several of ONNX's in one, spelt out: attention (ONNX's own, since version 23, and those that ONNX
//! Runtime's optimizer writes), and what that optimizer joins around it. What is spelt out is computed like the graphs that
//! were never joined.
//!
//! References: <https://onnx.ai/onnx/operators/onnx__Attention.html>,
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md>

use super::mask::{ADDED, SEES_NONE};
use super::modules::shared;
use crate::weights::onnx::model::Model;
use crate::weights::onnx::proto::{AttributeProto, NodeProto};

/// Of operators that ONNX Runtime adds to ONNX's.
const RUNTIME: &str = "com.microsoft";

/// A setting of `Transpose` that no file has: the last two axes change places, however many there are.
pub const LAST_TWO: &str = "last two";
/// Another, done before that: the first axis goes where the rows of matrices are.
pub const FIRST_AS_ROWS: &str = "first as rows";

/// The model without such operators.
///
/// # Errors
/// A sentence: the node, and what of it this build does not compute.
pub fn out(mut model: Model) -> Result<Model, String> {
    let mut nodes = Vec::with_capacity(model.nodes.len());
    for node in std::mem::take(&mut model.nodes) {
        let mut pieces = Pieces { node: &node, nodes: Vec::new() };
        let spelt = match (node.domain.as_str(), node.op_type.as_str()) {
            _ if node.output.first().is_none_or(String::is_empty) => Ok(()),
            ("" | "ai.onnx", "Attention") => pieces.attention(),
            ("" | "ai.onnx", "SimplifiedLayerNormalization") => pieces.root_mean_square(),
            (RUNTIME, "Attention") => pieces.projected_attention(),
            (RUNTIME, "MultiHeadAttention") => pieces.multi_head_attention(),
            (RUNTIME, "SkipLayerNormalization") => pieces.skip_layer_normalization(),
            (RUNTIME, "SkipSimplifiedLayerNormalization") => pieces.skip_root_mean_square(),
            (RUNTIME, "BiasGelu" | "Gelu") => pieces.gelu("none"),
            (RUNTIME, "FastGelu") => pieces.gelu("tanh"),
            (RUNTIME, "FusedConv") => pieces.fused_conv(),
            (RUNTIME, "FusedGemm") => pieces.fused_gemm(),
            (RUNTIME, "FusedMatMul") => pieces.fused_matmul(),
            (RUNTIME, "QuickGelu") => pieces.quick_gelu(),
            (RUNTIME, "QuantizeLinear" | "DequantizeLinear") => pieces.as_onnx(),
            _ => Ok(()),
        };
        spelt.map_err(|reason| format!("{} (node {:?}): {reason}", node.op_type, node.name))?;
        let pieces = pieces.nodes;
        if pieces.is_empty() { nodes.push(node) } else { nodes.extend(pieces) }
    }
    model.nodes = nodes;
    Ok(model)
}

/// A node, and what it is spelt out as so far.
struct Pieces<'a> {
    node: &'a NodeProto,
    nodes: Vec<NodeProto>,
}

/// Of an attention: queries `[images, heads, tokens, units]`, keys `[images, heads, units, tokens]`, values.
struct Parts {
    queries: String,
    keys: String,
    values: String,
}

type Spelt = Result<(), String>;

impl Pieces<'_> {
    /// The value of an input; of none that is given or is left out.
    fn input(&self, at: usize) -> Option<String> {
        self.node.input(at).map(str::to_string)
    }

    fn needed(&self, at: usize) -> Result<String, String> {
        self.input(at).ok_or_else(|| format!("input {at} is missing"))
    }

    /// That there are no inputs and outputs but these.
    fn nothing_else(&self, inputs: &[usize], outputs: &[usize]) -> Spelt {
        let beyond = |names: &[String], known: &[usize]| {
            (0..names.len()).find(|at| !names[*at].is_empty() && !known.contains(at))
        };
        match (beyond(&self.node.input, inputs), beyond(&self.node.output, outputs)) {
            (Some(at), _) => Err(format!("input {at} ({}), which this build has not", self.node.input[at])),
            (_, Some(at)) => Err(format!("output {at} ({}), which this build has not", self.node.output[at])),
            (None, None) => Ok(()),
        }
    }

    /// That settings which would change what is computed are not made.
    fn unset(&self, settings: &[&str]) -> Spelt {
        let made = |name: &&&str| self.node.attribute(name).is_some_and(|setting| setting.i != 0 || setting.f != 0.0);
        match settings.iter().find(made) {
            Some(name) => Err(format!("{name} is set, which this build has not")),
            None => Ok(()),
        }
    }

    fn heads(&self, setting: &str) -> Result<i64, String> {
        let heads = self.node.int(setting).ok_or_else(|| format!("no {setting}"))?;
        if heads > 0 { Ok(heads) } else { Err(format!("{setting} = {heads}")) }
    }

    /// A node of several outputs.
    fn several(&mut self, operator: &str, inputs: &[&str], settings: Vec<AttributeProto>, outputs: Vec<String>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: outputs,
            name: self.node.name.clone(),
            op_type: operator.to_string(),
            attribute: settings,
            domain: String::new(),
            metadata: self.node.metadata.clone(),
        });
    }

    /// A name that is of this node alone.
    fn fresh(&self) -> String {
        format!("{} ({})", self.node.output[0], self.nodes.len())
    }

    fn piece(&mut self, operator: &str, inputs: &[&str], settings: Vec<AttributeProto>) -> String {
        let output = self.fresh();
        self.several(operator, inputs, settings, vec![output.clone()]);
        output
    }

    /// The operator of ONNX that has the same name and meaning.
    fn as_onnx(&mut self) -> Spelt {
        self.nodes.push(NodeProto { domain: String::new(), ..self.node.clone() });
        Ok(())
    }

    /// The node that gives the output at `at`.
    fn last(&mut self, at: usize, operator: &str, inputs: &[&str], settings: Vec<AttributeProto>) {
        let output = self.node.output[at].clone();
        self.several(operator, inputs, settings, vec![output.clone()]);
        // The optimizer gave the node the name of the first of those that it is in place of, and the value that of the last.
        if output.starts_with('/') {
            self.nodes.last_mut().expect("this").name = output;
        }
    }

    fn number(&mut self, value: f32) -> String {
        self.piece("Constant", &[], vec![float("value_float", value)])
    }

    /// Three equal parts along the last axis, or such as the lengths say.
    fn thirds(&mut self, x: &str, lengths: Option<&[i64]>) -> [String; 3] {
        let outputs: [String; 3] = std::array::from_fn(|n| format!("{}.{n}", self.fresh()));
        let settings = [ints("split", lengths.unwrap_or_default())].into_iter().filter(|_| lengths.is_some());
        let settings = settings.chain([int("axis", -1)]).collect();
        self.several("Split", &[x], settings, outputs.to_vec());
        outputs
    }

    /// Of tokens `[images, tokens, heads * units]`, `[images, heads, tokens, units]` in the order of `axes`.
    fn headed(&mut self, x: &str, heads: i64, axes: [i64; 4]) -> String {
        // As it is: what has other axes than three is refused.
        let x = self.piece("Transpose", &[x], vec![ints("perm", &[0, 1, 2])]);
        let x = self.piece("Reshape", &[&x], vec![ints("shape", &[0, 0, heads, -1])]);
        self.piece("Transpose", &[&x], vec![ints("perm", &axes)])
    }

    /// `softmax(scale Q K^T + added) V`, `[images, heads, tokens, units]`, with the scale `1 / sqrt(units)` where none is set.
    fn attended(&mut self, parts: &Parts, added: Option<&str>) -> String {
        let scale = match self.node.float("scale").filter(|&scale| scale != 0.0) {
            Some(scale) => self.number(scale),
            None => {
                let units = self.piece("Shape", &[&parts.queries], vec![int("start", -1)]);
                let units = self.piece("Cast", &[&units], vec![int("to", 1)]);
                let root = self.piece("Sqrt", &[&units], vec![]);
                self.piece("Reciprocal", &[&root], vec![])
            }
        };
        let scores = self.piece("MatMul", &[&parts.queries, &parts.keys], vec![]);
        let mut scores = self.piece("Mul", &[&scores, &scale], vec![]);
        if let Some(added) = added {
            scores = self.piece("Add", &[&scores, added], vec![]);
        }
        let weights = self.piece("Softmax", &[&scores], vec![int("axis", -1)]);
        self.piece("MatMul", &[&weights, &parts.values], vec![])
    }

    /// The same of tokens, the heads of each side by side again.
    fn attended_tokens(&mut self, [queries, keys, values]: &[String; 3], heads: i64, added: Option<&str>) {
        let parts = Parts {
            queries: self.headed(queries, heads, [0, 2, 1, 3]),
            keys: self.headed(keys, heads, [0, 2, 3, 1]),
            values: self.headed(values, heads, [0, 2, 1, 3]),
        };
        let x = self.attended(&parts, added);
        let x = self.piece("Transpose", &[&x], vec![ints("perm", &[0, 2, 1, 3])]);
        self.last(0, "Reshape", &[&x], vec![ints("shape", &[0, 0, -1])]);
    }

    /// ONNX's, of queries, keys and values with a mask that is added: of three axes, or of four with the heads second.
    fn attention(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2, 3], &[0])?;
        self.unset(&["is_causal", "softcap", "qk_matmul_output_mode"])?;
        let parts = [self.needed(0)?, self.needed(1)?, self.needed(2)?];
        let mask = self.input(3).map(|mask| self.piece("Attention", &[&mask], vec![int(ADDED, 1)]));
        if self.node.int("q_num_heads").is_none() {
            let [queries, keys, values] = parts;
            let keys = self.piece("Transpose", &[&keys], vec![ints("perm", &[0, 1, 3, 2])]);
            let x = self.attended(&Parts { queries, keys, values }, mask.as_deref());
            self.last(0, "Identity", &[&x], vec![]);
        } else {
            let heads = self.heads("q_num_heads")?;
            if self.heads("kv_num_heads")? != heads {
                return Err("other numbers of heads for queries and keys, which this build has not".to_string());
            }
            self.attended_tokens(&parts, heads, mask.as_deref());
        }
        let softmax = self.nodes.iter_mut().filter(|piece| mask.is_some() && piece.op_type == "Softmax");
        softmax.for_each(|piece| piece.attribute.push(int(SEES_NONE, 1)));
        Ok(())
    }

    /// ONNX Runtime's `Attention`: of tokens, with the weights of queries, keys and values side by side.
    fn projected_attention(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2, 5], &[0])?;
        self.unset(&["unidirectional", "do_rotary", "past_present_share_buffer"])?;
        let (x, weights) = (self.needed(0)?, self.needed(1)?);
        let heads = self.heads("num_heads")?;
        let mut x = self.piece("MatMul", &[&x, &weights], vec![]);
        if let Some(bias) = self.input(2) {
            x = self.piece("Add", &[&x, &bias], vec![]);
        }
        let lengths = self.node.ints("qkv_hidden_sizes").filter(|lengths| !lengths.is_empty());
        let parts = self.thirds(&x, lengths);
        self.attended_tokens(&parts, heads, self.input(5).as_deref());
        Ok(())
    }

    /// ONNX Runtime's, of queries, keys and values whose bias may be to be added.
    fn multi_head_attention(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2, 3, 5], &[0])?;
        self.unset(&["unidirectional"])?;
        let mut parts = [self.needed(0)?, self.needed(1)?, self.needed(2)?];
        let heads = self.heads("num_heads")?;
        if let Some(bias) = self.input(3) {
            let biases = self.thirds(&bias, None);
            for (part, bias) in parts.iter_mut().zip(&biases) {
                *part = self.piece("Add", &[part, bias], vec![]);
            }
        }
        self.attended_tokens(&parts, heads, self.input(5).as_deref());
        Ok(())
    }

    /// ONNX Runtime's, of the sum of two values and a bias that may be there.
    fn skip_layer_normalization(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2, 3, 4], &[0, 3])?;
        let (sum, scale, shift) = (self.skip_sum(4)?, self.needed(2)?, self.input(3).unwrap_or_default());
        let epsilon = self.node.float("epsilon").unwrap_or(1e-12);
        self.last(0, "LayerNormalization", &[&sum, &scale, &shift], vec![float("epsilon", epsilon)]);
        Ok(())
    }

    /// The same by the root of the mean square, which has no shift.
    fn skip_root_mean_square(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2, 3], &[0, 3])?;
        let (sum, scale) = (self.skip_sum(3)?, self.needed(2)?);
        let epsilon = self.node.float("epsilon").unwrap_or(1e-12);
        self.last(0, "RMSNormalization", &[&sum, &scale], vec![float("epsilon", epsilon)]);
        Ok(())
    }

    /// The sum of the first two inputs and of that at `bias`, if there is one.
    fn skip_sum(&mut self, bias: usize) -> Result<String, String> {
        let (own, skip) = (self.needed(0)?, self.needed(1)?);
        let x = match self.input(bias) {
            Some(bias) => self.sum(&own, &bias, &[&own]),
            None => own.clone(),
        };
        Ok(match self.node.output.get(3).filter(|name| !name.is_empty()).cloned() {
            Some(sum) => {
                self.last(3, "Add", &[&x, &skip], vec![]);
                sum
            }
            None => self.sum(&x, &skip, &[&own, &skip]),
        })
    }

    /// A sum, of the module that gives the values `of` rather than of the normalization or activation that takes it, by the
    /// names of PyTorch's older exporter: the last sum of a transformer's last block.
    fn sum(&mut self, x: &str, y: &str, of: &[&str]) -> String {
        let output = self.piece("Add", &[x, y], vec![]);
        let folders = of.iter().map(|name| name.starts_with('/').then(|| &name[..name.rfind('/').unwrap_or(0)]));
        let folders: Option<Vec<&str>> = folders.collect();
        if let Some(folder) = folders.and_then(|folders| folders.into_iter().reduce(|a, b| shared(a, b, '/'))) {
            self.nodes.last_mut().expect("the sum").name = format!("{folder}/Add");
        }
        output
    }

    /// What became `RMSNormalization` of ONNX 23.
    fn root_mean_square(&mut self) -> Spelt {
        self.nothing_else(&[0, 1], &[0])?;
        let (x, scale) = (self.needed(0)?, self.needed(1)?);
        self.last(0, "RMSNormalization", &[&x, &scale], self.node.attribute.clone());
        Ok(())
    }

    /// Of a value and a bias that may be there.
    fn gelu(&mut self, approximate: &str) -> Spelt {
        self.nothing_else(&[0, 1], &[0])?;
        let mut x = self.needed(0)?;
        if let Some(bias) = self.input(1) {
            x = self.sum(&x, &bias, &[&x]);
        }
        self.last(0, "Gelu", &[&x], vec![text("approximate", approximate)]);
        Ok(())
    }

    /// A convolution, to which another value may be added, and what follows.
    fn fused_conv(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2, 3], &[0])?;
        let (x, kernel, bias) = (self.needed(0)?, self.needed(1)?, self.input(2).unwrap_or_default());
        let mut x = self.piece("Conv", &[&x, &kernel, &bias], self.but_activation());
        if let Some(summand) = self.input(3) {
            x = self.sum(&x, &summand, &[&x, &summand]);
        }
        let numbers = self.node.attribute("activation_params").map_or(&[][..], |numbers| &numbers.floats);
        self.activated(&x, numbers)
    }

    /// A dense layer and what follows.
    fn fused_gemm(&mut self) -> Spelt {
        self.nothing_else(&[0, 1, 2], &[0])?;
        let (x, weights, bias) = (self.needed(0)?, self.needed(1)?, self.input(2).unwrap_or_default());
        let x = self.piece("Gemm", &[&x, &weights, &bias], self.but_activation());
        let numbers = ["activation_alpha", "activation_beta", "activation_gamma"];
        let numbers: Vec<f32> = numbers.into_iter().filter_map(|name| self.node.float(name)).collect();
        self.activated(&x, &numbers)
    }

    /// The settings of what is before the activation.
    fn but_activation(&self) -> Vec<AttributeProto> {
        let own = |setting: &&AttributeProto| !setting.name.starts_with("activation");
        self.node.attribute.iter().filter(own).cloned().collect()
    }

    /// The activation that the node names, with its numbers.
    fn activated(&mut self, x: &str, numbers: &[f32]) -> Spelt {
        let activation =
            self.node.text("activation").and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        match (activation, numbers) {
            ("", _) => self.last(0, "Identity", &[x], vec![]),
            ("Relu" | "Sigmoid" | "Softplus" | "Softsign" | "Tanh", _) => self.last(0, activation, &[x], vec![]),
            ("Elu" | "LeakyRelu" | "ThresholdedRelu", &[alpha]) => {
                self.last(0, activation, &[x], vec![float("alpha", alpha)]);
            }
            ("HardSigmoid", &[alpha, beta]) => {
                self.last(0, activation, &[x], vec![float("alpha", alpha), float("beta", beta)]);
            }
            ("Clip", &[low, high]) => {
                let (low, high) = (self.number(low), self.number(high));
                self.last(0, activation, &[x, &low, &high], vec![]);
            }
            _ => return Err(format!("activation {activation:?} of {numbers:?}, which this build has not")),
        }
        Ok(())
    }

    /// A product of matrices, either of which may be turned or have its rows before its stack, times a number.
    fn fused_matmul(&mut self) -> Spelt {
        self.nothing_else(&[0, 1], &[0])?;
        let mut sides = [self.needed(0)?, self.needed(1)?];
        for (side, settings) in sides.iter_mut().zip([["transBatchA", "transA"], ["transBatchB", "transB"]]) {
            let [first, turned] = settings.map(|setting| i64::from(self.node.int(setting).unwrap_or(0) != 0));
            if first + turned > 0 {
                *side = self.piece("Transpose", &[side], vec![int(FIRST_AS_ROWS, first), int(LAST_TWO, turned)]);
            }
        }
        let [a, b] = sides;
        match self.node.float("alpha").unwrap_or(1.0) {
            1.0 => self.last(0, "MatMul", &[&a, &b], vec![]),
            alpha => {
                let (product, alpha) = (self.piece("MatMul", &[&a, &b], vec![]), self.number(alpha));
                self.last(0, "Mul", &[&product, &alpha], vec![]);
            }
        }
        Ok(())
    }

    /// `x sigmoid(alpha x)`.
    fn quick_gelu(&mut self) -> Spelt {
        self.nothing_else(&[0], &[0])?;
        let x = self.needed(0)?;
        let alpha = self.number(self.node.float("alpha").unwrap_or(1.702));
        let gate = self.piece("Mul", &[&x, &alpha], vec![]);
        let gate = self.piece("Sigmoid", &[&gate], vec![]);
        self.last(0, "Mul", &[&x, &gate], vec![]);
        Ok(())
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_string(), i, ..AttributeProto::default() }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.to_string(), ints: ints.to_vec(), ..AttributeProto::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.to_string(), f, ..AttributeProto::default() }
}

fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.to_string(), s: s.as_bytes().to_vec(), ..AttributeProto::default() }
}
