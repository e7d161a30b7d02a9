use super::*;
use crate::nets::golden;
use crate::weights::Transform;

#[test]
fn every_layer_equals_keras() {
    golden::check("inception_v3-keras.json", "keras");
}

#[test]
fn every_layer_equals_torchvision() {
    golden::check("inception_v3-torchvision.json", "torchvision");
}

#[test]
fn torchvisions_transform_is_keras_preprocessing() {
    golden::check("inception_v3-torchvision-notransform.json", "torchvision");
}

#[test]
fn the_costs_are_those_known_of_inception() {
    let count = |form: &str| -> usize {
        // As files that are not folded hold it.
        let held =
            SPEC.blueprint(form).unwrap().parameters().into_iter().filter(|parameter| parameter.part.is_in(false));
        held.map(|parameter| parameter.shape.iter().product::<usize>()).sum()
    };
    // Keras' `count_params()`; torchvision has a scale more for each of 17,216 channels.
    assert_eq!(count("keras"), 23_851_784);
    assert_eq!(count("torchvision"), 23_851_784 + 17_216);
    let multiply_adds: u64 = draw(Origin::Keras).stages().iter().map(|stage| stage.multiply_adds).sum();
    assert_eq!(multiply_adds, 5_713_216_096);
}

#[test]
fn files_of_both_origins_name_the_last_convolution() {
    let sources = |form: &str, parameter: &str| {
        let all = SPEC.blueprint(form).unwrap().parameters();
        all.into_iter().find(|p| p.name == parameter).unwrap().sources
    };
    let keras = sources("keras", "mixed10.branch_pool.conv.weight");
    for name in ["conv2d_94/conv2d_94/kernel:0", "conv2d_94/kernel"] {
        assert!(keras.contains(&(name.to_string(), Transform::HwioToOihw)), "{name}");
    }
    assert!(keras.contains(&("conv2d_94.weight".to_string(), Transform::None)));
    let keras = sources("keras", "mixed10.branch_pool.bn.var");
    assert!(keras.iter().any(|(name, _)| name == "batch_normalization_94/moving_variance"));
    assert_eq!(sources("torchvision", "mixed10.branch_pool.bn.var")[0].0, "Mixed_7c.branch_pool.bn.running_var");
    assert_eq!(sources("torchvision", "stem.conv5.conv.weight")[0].0, "Conv2d_4a_3x3.conv.weight");
    assert!(sources("keras", "predictions.weight").contains(&("predictions.weight".to_string(), Transform::None)));
}
