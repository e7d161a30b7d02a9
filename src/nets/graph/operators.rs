//! The operators of ONNX that graphs are computed with.
//!
//! To add one: a function of its family's file, and its line here.

use super::lowering::{Lowered, Node, Refusal};
use super::{
    convolutions, elementwise, functions, gathers, moves, norms, products, quantised, response, shapes, transposed,
};

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
    operator("Abs", functions::abs),
    operator("Add", elementwise::add),
    operator("And", elementwise::and),
    operator("AveragePool", convolutions::average_pooling),
    operator("BatchNormalization", convolutions::batch_normalization),
    operator("Cast", shapes::cast),
    operator("CastLike", shapes::cast_like),
    operator("Ceil", functions::ceil),
    operator("Celu", functions::celu),
    operator("Clip", functions::clip),
    operator("Concat", gathers::concat),
    operator("Constant", shapes::constant),
    operator("ConstantOfShape", shapes::constant_of_shape),
    operator("Conv", convolutions::conv),
    operator("ConvTranspose", transposed::conv_transpose),
    operator("Cos", functions::cos),
    operator("CumSum", norms::cumulative),
    operator("DepthToSpace", moves::depth_to_space),
    operator("DequantizeLinear", quantised::dequantize),
    operator("Div", elementwise::div),
    operator("Dropout", shapes::identity),
    operator("Einsum", products::einsum),
    operator("Elu", functions::elu),
    operator("Equal", elementwise::equal),
    operator("Erf", functions::erf),
    operator("Exp", functions::exp),
    operator("Expand", moves::expand),
    operator("Flatten", moves::flatten),
    operator("Floor", functions::floor),
    operator("Gather", moves::gather),
    operator("GatherND", gathers::gather_nd),
    operator("Gelu", functions::gelu),
    operator("Gemm", products::gemm),
    operator("GlobalAveragePool", convolutions::global_average),
    operator("GlobalMaxPool", convolutions::global_max),
    operator("Greater", elementwise::greater),
    operator("GreaterOrEqual", elementwise::greater_or_equal),
    operator("GroupNormalization", norms::group_normalization),
    operator("HardSigmoid", functions::hard_sigmoid),
    operator("HardSwish", functions::hard_swish),
    operator("Identity", shapes::identity),
    operator("InstanceNormalization", norms::instance_normalization),
    operator("IsNaN", functions::is_nan),
    operator("LRN", response::local_response),
    operator("LayerNormalization", norms::layer_normalization),
    operator("LeakyRelu", functions::leaky_relu),
    operator("Less", elementwise::less),
    operator("LessOrEqual", elementwise::less_or_equal),
    operator("Log", functions::log),
    operator("LogSoftmax", norms::log_softmax),
    operator("LpNormalization", norms::lp_normalization),
    operator("MatMul", products::matmul),
    operator("Max", elementwise::max),
    operator("MaxPool", convolutions::max_pooling),
    operator("Min", elementwise::min),
    operator("Mish", functions::mish),
    operator("Mod", elementwise::modulo),
    operator("Mul", elementwise::mul),
    operator("Neg", functions::neg),
    operator("Not", functions::not),
    operator("OneHot", shapes::one_hot),
    operator("Or", elementwise::or),
    operator("PRelu", elementwise::prelu),
    operator("Pad", gathers::pad),
    operator("Pow", elementwise::pow),
    operator("QuantizeLinear", quantised::quantize),
    operator("RMSNormalization", norms::rms_normalization),
    operator("Range", shapes::range),
    operator("Reciprocal", functions::reciprocal),
    operator("ReduceL1", norms::l1),
    operator("ReduceL2", norms::l2),
    operator("ReduceLogSum", norms::log_of_sum),
    operator("ReduceLogSumExp", norms::log_of_sum_of_exponentials),
    operator("ReduceMax", norms::maximum),
    operator("ReduceMean", norms::mean),
    operator("ReduceMin", norms::minimum),
    operator("ReduceProd", norms::product),
    operator("ReduceSum", norms::sum),
    operator("ReduceSumSquare", norms::sum_of_squares),
    operator("Relu", functions::relu),
    operator("Reshape", moves::reshape),
    operator("Resize", convolutions::resize),
    operator("Round", functions::round),
    operator("ScatterND", gathers::scatter_nd),
    operator("Selu", functions::selu),
    operator("Shape", shapes::shape),
    operator("Sigmoid", functions::sigmoid),
    operator("Sign", functions::sign),
    operator("Sin", functions::sin),
    operator("Size", shapes::size),
    operator("Slice", moves::slice),
    operator("Softmax", norms::softmax),
    operator("Softplus", functions::softplus),
    operator("Softsign", functions::softsign),
    operator("SpaceToDepth", moves::space_to_depth),
    operator("Split", moves::split),
    operator("Sqrt", functions::sqrt),
    operator("Squeeze", moves::squeeze),
    operator("Sub", elementwise::sub),
    operator("Sum", elementwise::sum_all),
    operator("Swish", functions::swish),
    operator("Tanh", functions::tanh),
    operator("ThresholdedRelu", functions::thresholded_relu),
    operator("Tile", gathers::tile),
    operator("Transpose", moves::transpose),
    operator("Unsqueeze", moves::unsqueeze),
    operator("Upsample", convolutions::resize),
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
