//! The operators of ONNX that graphs are computed with.
//!
//! To add one: a function of its family's file, and its line here.

use super::lowering::{Lowered, Node, Refusal};
use super::{convolutions, elementwise, gathers, moves, norms, products, quantised, response, shapes, transposed};

/// An operator: its name, and what a node of it computes.
pub struct Operator {
    /// ONNX's name.
    pub name: &'static str,
    /// From what is known of the inputs to the outputs.
    pub lower: fn(&Node) -> Result<Lowered, Refusal>,
}

const fn operator(name: &'static str, lower: fn(&Node) -> Result<Lowered, Refusal>) -> Operator {
    Operator { name, lower }
}

/// The operators of this build.
pub const OPERATORS: &[Operator] = &[
    operator("Abs", elementwise::abs),
    operator("Add", elementwise::add),
    operator("And", elementwise::and),
    operator("AveragePool", convolutions::average_pooling),
    operator("BatchNormalization", convolutions::batch_normalization),
    operator("Cast", shapes::cast),
    operator("CastLike", shapes::cast_like),
    operator("Ceil", elementwise::ceil),
    operator("Clip", elementwise::clip),
    operator("Concat", gathers::concat),
    operator("Constant", shapes::constant),
    operator("ConstantOfShape", shapes::constant_of_shape),
    operator("Conv", convolutions::conv),
    operator("ConvTranspose", transposed::conv_transpose),
    operator("DequantizeLinear", quantised::dequantize),
    operator("Div", elementwise::div),
    operator("Dropout", shapes::identity),
    operator("Einsum", products::einsum),
    operator("Elu", elementwise::elu),
    operator("Equal", elementwise::equal),
    operator("Erf", elementwise::erf),
    operator("Exp", elementwise::exp),
    operator("Expand", moves::expand),
    operator("Flatten", moves::flatten),
    operator("Floor", elementwise::floor),
    operator("Gather", moves::gather),
    operator("GatherND", gathers::gather_nd),
    operator("Gelu", elementwise::gelu),
    operator("Gemm", products::gemm),
    operator("GlobalAveragePool", convolutions::global_average),
    operator("GlobalMaxPool", convolutions::global_max),
    operator("Greater", elementwise::greater),
    operator("GreaterOrEqual", elementwise::greater_or_equal),
    operator("HardSigmoid", elementwise::hard_sigmoid),
    operator("HardSwish", elementwise::hard_swish),
    operator("Identity", shapes::identity),
    operator("IsNaN", elementwise::is_nan),
    operator("LRN", response::local_response),
    operator("LayerNormalization", norms::layer_normalization),
    operator("LeakyRelu", elementwise::leaky_relu),
    operator("Less", elementwise::less),
    operator("LessOrEqual", elementwise::less_or_equal),
    operator("MatMul", products::matmul),
    operator("Max", elementwise::max),
    operator("MaxPool", convolutions::max_pooling),
    operator("Min", elementwise::min),
    operator("Mod", elementwise::modulo),
    operator("Mul", elementwise::mul),
    operator("Neg", elementwise::neg),
    operator("Not", elementwise::not),
    operator("Or", elementwise::or),
    operator("Pad", gathers::pad),
    operator("Pow", elementwise::pow),
    operator("QuantizeLinear", quantised::quantize),
    operator("Range", shapes::range),
    operator("Reciprocal", elementwise::reciprocal),
    operator("ReduceL2", norms::l2),
    operator("ReduceMax", norms::maximum),
    operator("ReduceMean", norms::mean),
    operator("ReduceMin", norms::minimum),
    operator("ReduceProd", norms::product),
    operator("ReduceSum", norms::sum),
    operator("Relu", elementwise::relu),
    operator("Reshape", moves::reshape),
    operator("Resize", convolutions::resize),
    operator("ScatterND", gathers::scatter_nd),
    operator("Shape", shapes::shape),
    operator("Sigmoid", elementwise::sigmoid),
    operator("Size", shapes::size),
    operator("Slice", moves::slice),
    operator("Softmax", norms::softmax),
    operator("Split", moves::split),
    operator("Sqrt", elementwise::sqrt),
    operator("Squeeze", moves::squeeze),
    operator("Sub", elementwise::sub),
    operator("Sum", elementwise::sum_all),
    operator("Tanh", elementwise::tanh),
    operator("Tile", gathers::tile),
    operator("Transpose", moves::transpose),
    operator("Unsqueeze", moves::unsqueeze),
    operator("Where", elementwise::choose),
];

/// The operator of that name.
pub fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.binary_search_by(|operator| operator.name.cmp(name)).ok().map(|at| &OPERATORS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_found_by_its_name() {
        for operator in OPERATORS {
            assert_eq!(find(operator.name).map(|found| found.name), Some(operator.name));
        }
        assert!(find("Loop").is_none());
    }
}
