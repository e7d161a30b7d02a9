//! What a layer is called in the program a model was exported from.

/// The module or layer of a node, by its initializer's name or its own; `None` if neither tells (`/Conv_7`).
pub fn module(node: &str, initializer: &str) -> Option<String> {
    // A key of PyTorch's state_dict.
    if let Some(module) = initializer.strip_suffix(".weight") {
        return Some(module.to_string());
    }
    // MXNet (the ONNX model zoo) and Caffe2.
    let zoo = ["_weight", "_gamma", "_w_0", "_s_0"].iter().find_map(|suffix| initializer.strip_suffix(suffix));
    if let Some(module) = zoo {
        return Some(module.to_string());
    }
    let mut parts: Vec<&str> = node.split('/').collect();
    parts.pop();
    if node.starts_with('/') {
        let module = torch_scope(&parts[1..]);
        return (!module.is_empty()).then_some(module);
    }
    // A Keras layer between the model's name and the operation's.
    parts.last().map(|layer| layer.to_string())
}

/// PyTorch's exporter repeats a container's name in its children's: `/layer1/layer1.0/conv1` is `layer1.0.conv1`.
pub fn torch_scope(parts: &[&str]) -> String {
    let mut path: Vec<&str> = Vec::new();
    for part in parts {
        if path.last().is_some_and(|last| part.strip_prefix(last).is_some_and(|rest| rest.starts_with('.'))) {
            path.pop();
        }
        path.push(part);
    }
    path.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exporter_tells_in_its_way() {
        let module = |node, initializer| module(node, initializer).unwrap_or("?".into());
        assert_eq!(module("node_Conv_754", "layer1.0.conv1.weight"), "layer1.0.conv1");
        assert_eq!(module("/layer1/layer1.0/downsample/downsample.0/Conv", "onnx::Conv_500"), "layer1.0.downsample.0");
        assert_eq!(module("/features/features.0/Conv", "onnx::Conv_1"), "features.0");
        assert_eq!(module("/fc/Gemm", "onnx::Gemm_1"), "fc");
        assert_eq!(module("/Conv_7", "onnx::Conv_4405"), "?");
        assert_eq!(
            module("resnet50/conv2_block1_0_conv/BiasAdd", "resnet50/conv2_block1_0_conv/BiasAdd_weights_fused_bn"),
            "conv2_block1_0_conv"
        );
        assert_eq!(module("Conv__3264", "Conv__3264_weights_fused_bn"), "?");
        assert_eq!(module("resnetv17_stage1_conv0_fwd", "resnetv17_stage1_conv0_weight"), "resnetv17_stage1_conv0");
        assert_eq!(module("", "res2_0_branch2a_w_0"), "res2_0_branch2a");
    }
}
