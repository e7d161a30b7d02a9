//! The operators of ONNX that graphs are computed with.
//!
//! To add one: a function of its family's file, and its line here, which also says where the operator leaves the images.

use super::batch::{Follows, each, first, moved};
use super::lowering::{Lowered, Node, Refusal};
use super::{
    convolutions, elementwise, functions, gathers, largest, mask, moves, norms, products, quantised, recurrent, resize,
    response, shapes, transposed,
};

/// An operator: its name, and what a node of it computes.
pub struct Operator {
    /// ONNX's name.
    pub name: &'static str,
    /// From what is known of the inputs to the outputs.
    pub lower: fn(&Node) -> Result<Lowered, Refusal>,
    /// Where it leaves an axis of an input.
    pub follows: Follows,
}

const fn operator(name: &'static str, lower: fn(&Node) -> Result<Lowered, Refusal>, follows: Follows) -> Operator {
    Operator { name, lower, follows }
}

/// The operators of this build.
pub const OPERATORS: &[Operator] = &[
    operator("Abs", functions::abs, each),
    operator("Add", elementwise::add, each),
    operator("And", elementwise::and, each),
    operator("ArgMax", largest::arg_max, largest::beside_places),
    operator("ArgMin", largest::arg_min, largest::beside_places),
    operator("Attention", mask::added, each),
    operator("AveragePool", convolutions::average_pooling, first),
    operator("BatchNormalization", convolutions::batch_normalization, each),
    operator("Cast", shapes::cast, each),
    operator("CastLike", shapes::cast_like, each),
    operator("Ceil", functions::ceil, each),
    operator("Celu", functions::celu, each),
    operator("Clip", functions::clip, each),
    operator("Col2Im", transposed::columns_to_image, first),
    operator("Concat", gathers::concat, gathers::along_others),
    operator("Constant", shapes::constant, moved),
    operator("ConstantOfShape", shapes::constant_of_shape, moved),
    operator("Conv", convolutions::conv, first),
    operator("ConvTranspose", transposed::conv_transpose, first),
    operator("Cos", functions::cos, each),
    operator("CumSum", norms::cumulative, norms::beside_sums),
    operator("DepthToSpace", moves::depth_to_space, moved),
    operator("DequantizeLinear", quantised::dequantize, each),
    operator("Div", elementwise::div, each),
    operator("Dropout", shapes::dropout, moved),
    operator("Einsum", products::einsum, products::of_letters),
    operator("Elu", functions::elu, each),
    operator("Equal", elementwise::equal, each),
    operator("Erf", functions::erf, each),
    operator("Exp", functions::exp, each),
    operator("Expand", moves::expand, moved),
    operator("Flatten", moves::flatten, moved),
    operator("Floor", functions::floor, each),
    operator("Gather", moves::gather, moves::around_gathered),
    operator("GatherND", gathers::gather_nd, gathers::behind_indices),
    operator("Gelu", functions::gelu, each),
    operator("Gemm", products::gemm, first),
    operator("GlobalAveragePool", convolutions::global_average, first),
    operator("GlobalMaxPool", convolutions::global_max, first),
    operator("Greater", elementwise::greater, each),
    operator("GreaterOrEqual", elementwise::greater_or_equal, each),
    operator("GroupNormalization", norms::group_normalization, first),
    operator("HardSigmoid", functions::hard_sigmoid, each),
    operator("HardSwish", functions::hard_swish, each),
    operator("Identity", shapes::identity, moved),
    operator("InstanceNormalization", norms::instance_normalization, first),
    operator("IsInf", functions::is_inf, each),
    operator("IsNaN", functions::is_nan, each),
    operator("LRN", response::local_response, first),
    operator("LSTM", recurrent::lstm, recurrent::behind_directions),
    operator("LayerNormalization", norms::layer_normalization, norms::before_normalized),
    operator("LeakyRelu", functions::leaky_relu, each),
    operator("Less", elementwise::less, each),
    operator("LessOrEqual", elementwise::less_or_equal, each),
    operator("Log", functions::log, each),
    operator("LogSoftmax", norms::log_softmax, norms::beside_rows),
    operator("LpNormalization", norms::lp_normalization, norms::beside_norms),
    operator("MatMul", products::matmul, products::of_matrices),
    operator("Max", elementwise::max, each),
    operator("MaxPool", convolutions::max_pooling, first),
    operator("Min", elementwise::min, each),
    operator("Mish", functions::mish, each),
    operator("Mod", elementwise::modulo, each),
    operator("Mul", elementwise::mul, each),
    operator("Neg", functions::neg, each),
    operator("Not", functions::not, each),
    operator("OneHot", shapes::one_hot, moved),
    operator("Or", elementwise::or, each),
    operator("PRelu", elementwise::prelu, each),
    operator("Pad", gathers::pad, gathers::unpadded),
    operator("Pow", elementwise::pow, each),
    operator("QuantizeLinear", quantised::quantize, each),
    operator("RMSNormalization", norms::rms_normalization, norms::before_normalized),
    operator("Range", shapes::range, moved),
    operator("Reciprocal", functions::reciprocal, each),
    operator("ReduceL1", norms::l1, norms::unreduced),
    operator("ReduceL2", norms::l2, norms::unreduced),
    operator("ReduceLogSum", norms::log_of_sum, norms::unreduced),
    operator("ReduceLogSumExp", norms::log_of_sum_of_exponentials, norms::unreduced),
    operator("ReduceMax", norms::maximum, norms::unreduced),
    operator("ReduceMean", norms::mean, norms::unreduced),
    operator("ReduceMin", norms::minimum, norms::unreduced),
    operator("ReduceProd", norms::product, norms::unreduced),
    operator("ReduceSum", norms::sum, norms::unreduced),
    operator("ReduceSumSquare", norms::sum_of_squares, norms::unreduced),
    operator("Relu", functions::relu, each),
    operator("Reshape", moves::reshape, moved),
    operator("Resize", resize::resize, resize::unscaled),
    operator("Round", functions::round, each),
    operator("ScatterND", gathers::scatter_nd, gathers::scattered),
    operator("Selu", functions::selu, each),
    operator("Shape", shapes::shape, moved),
    operator("Sigmoid", functions::sigmoid, each),
    operator("Sign", functions::sign, each),
    operator("Sin", functions::sin, each),
    operator("Size", shapes::size, moved),
    operator("Slice", moves::slice, moves::uncut),
    operator("Softmax", norms::softmax, norms::beside_rows),
    operator("Softplus", functions::softplus, each),
    operator("Softsign", functions::softsign, each),
    operator("SpaceToDepth", moves::space_to_depth, moved),
    operator("Split", moves::split, moved),
    operator("Sqrt", functions::sqrt, each),
    operator("Squeeze", moves::squeeze, moved),
    operator("Sub", elementwise::sub, each),
    operator("Sum", elementwise::sum_all, each),
    operator("Swish", functions::swish, each),
    operator("Tanh", functions::tanh, each),
    operator("ThresholdedRelu", functions::thresholded_relu, each),
    operator("Tile", gathers::tile, each),
    operator("TopK", largest::top, largest::beside_ranks),
    operator("Transpose", moves::transpose, moved),
    operator("Trilu", elementwise::triangle, elementwise::beside_matrices),
    operator("Unsqueeze", moves::unsqueeze, moved),
    operator("Upsample", resize::resize, resize::unscaled),
    operator("Where", elementwise::choose, each),
];

/// What activations are made of, and residual sums: a unit of what comes out for a unit of what goes in.
pub const ELEMENTWISE: &[&str] = &[
    "Add",
    "BatchNormalization",
    "Celu",
    "Clip",
    "Div",
    "Elu",
    "Erf",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mish",
    "Mul",
    "PRelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
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
