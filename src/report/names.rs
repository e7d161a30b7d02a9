//! What people call the networks.

/// The name in figures; that of the configuration where people have no other.
pub fn network(name: &str) -> &str {
    match name {
        "vgg16" => "VGG16",
        "vgg19" => "VGG19",
        "resnet18" => "ResNet-18",
        "resnet34" => "ResNet-34",
        "resnet50" => "ResNet-50",
        "resnet101" => "ResNet-101",
        "resnet152" => "ResNet-152",
        "inception_v3" => "Inception V3",
        "squeezenet1_1" => "SqueezeNet 1.1",
        "efficientnet_lite0" => "EfficientNet-Lite0",
        "vit_b16" => "ViT-B/16",
        "vit_b32" => "ViT-B/32",
        "deit_t16" => "DeiT-Ti/16",
        "deit_s16" => "DeiT-S/16",
        "clip_vit_b32" => "CLIP ViT-B/32",
        "clip_vit_b16" => "CLIP ViT-B/16",
        "clip_vit_l14" => "CLIP ViT-L/14",
        "dinov2_s14" => "DINOv2 S/14",
        "dinov2_b14" => "DINOv2 B/14",
        "dinov2_l14" => "DINOv2 L/14",
        "alexnet" => "AlexNet",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::NETS;

    #[test]
    fn every_network_of_this_build_has_a_name_for_people() {
        for spec in NETS {
            assert_ne!(network(spec.name), spec.name);
        }
    }
}
