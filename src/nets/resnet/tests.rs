use super::*;
use crate::nets::golden;
use crate::weights::fixtures::Listing;
use crate::weights::{Assignment, Parameter, Part, Transform};

fn resnet50(form: &str) -> Blueprint {
    RESNET50.blueprint(form).unwrap()
}

#[test]
fn blocks_of_two_convolutions_equal_torchvision() {
    golden::check("resnet18-torchvision.json", "torchvision");
}

#[test]
fn every_layer_equals_each_published_form() {
    for form in RESNET50.form_names() {
        golden::check(&format!("resnet50-{form}.json"), form);
    }
}

/// Numbers that are learned: neither folded biases nor running means and variances.
fn learned(network: &Network, form: &str) -> usize {
    let all = network.blueprint(form).unwrap().parameters().into_iter();
    let all = all.filter(|p| p.part != Part::FoldedBias && !p.name.ends_with(".mean") && !p.name.ends_with(".var"));
    all.map(|parameter| parameter.shape.iter().product::<usize>()).sum()
}

#[test]
fn the_costs_are_those_published() {
    // keras.applications counts the 53 convolutions' biases, and 53,120 running means and variances on top.
    assert_eq!(learned(&RESNET50, "torchvision"), 25_557_032);
    assert_eq!(learned(&RESNET50, "keras"), 25_636_712 - 53_120);
    for (network, published) in
        [(&RESNET18, 11_689_512), (&RESNET34, 21_797_672), (&RESNET101, 44_549_160), (&RESNET152, 60_192_808)]
    {
        assert_eq!(learned(network, "torchvision"), published, "{}", network.name);
    }
    let multiply_adds = |form: &str| resnet50(form).stages().iter().map(|stage| stage.multiply_adds).sum::<u64>();
    assert_eq!(multiply_adds("torchvision"), 4_089_184_256);
    assert_eq!(multiply_adds("keras"), 3_857_973_248);
    assert!(multiply_adds("keras2_1") < multiply_adds("keras"));
}

/// A file of a form under the names that `choose` takes of each parameter's.
fn listing(form: &str, folded: bool, choose: impl Fn(&(String, Transform)) -> bool) -> Listing {
    let parameters = resnet50(form).parameters().into_iter().filter(|parameter| parameter.part.is_in(folded));
    let source = |parameter: Parameter| {
        let (name, transform) = parameter.sources.into_iter().find(|source| choose(source)).unwrap();
        (name, transform.source_shape(&parameter.shape))
    };
    Listing(parameters.map(source).collect())
}

#[test]
fn files_of_all_origins_name_the_last_block() {
    let names = |form: &str, parameter: &str| -> Vec<String> {
        let all = resnet50(form).parameters();
        let found = all.into_iter().find(|p| p.name == parameter).unwrap();
        found.sources.into_iter().map(|(name, _)| name).collect()
    };
    for (form, parameter, name) in [
        ("keras2_1", "stage5.block3.conv3.weight", "res5c_branch2c/res5c_branch2c/kernel:0"),
        ("keras2_0", "stage4.block6.bn2.var", "bn4f_branch2b/bn4f_branch2b/moving_variance:0"),
        ("keras2_2", "stage3.block1.shortcut.conv.bias", "res3a_branch1/res3a_branch1/bias:0"),
        ("keras2_1", "predictions.weight", "fc1000/fc1000/kernel:0"),
        ("keras", "stage5.block3.bn3.gamma", "conv5_block3_3_bn/conv5_block3_3_bn/gamma"),
        ("keras", "stage2.block1.shortcut.conv.weight", "conv2_block1_0_conv.weight"),
        ("keras", "stem.bn.mean", "conv1_bn.moving_mean"),
        ("torchvision", "stage2.block1.shortcut.bn.beta", "layer1.0.downsample.1.bias"),
        ("torchvision", "stage5.block3.bn3.mean", "layer4.2.bn3.running_mean"),
        ("torchvision", "stem.conv.weight", "conv1.weight"),
    ] {
        assert!(names(form, parameter).contains(&name.to_string()), "{form} {parameter} {name}");
    }
}

#[test]
fn folded_files_fit_under_the_names_of_every_form() {
    for form in RESNET50.form_names() {
        let file = listing(form, true, |(name, transform)| {
            *transform == Transform::None && (name.ends_with(".weight") || name.ends_with(".bias"))
        });
        let assignment = RESNET50.assign(&resnet50(form), &file).unwrap();
        assert!(assignment.folded, "{form}");
        assert_eq!(assignment.assigned.len(), 2 * 54);
    }
}

#[test]
fn other_forms_are_recognised_by_their_names() {
    let refused = |form: &str, file: &Listing| RESNET50.assign(&resnet50(form), file).unwrap_err().to_string();
    let keras = listing("keras", false, |_| true);
    assert!(
        refused("keras2_1", &keras).contains("set form = \"keras\", or --form of semgpu inspect"),
        "{}",
        refused("keras2_1", &keras)
    );
    let keras2 = listing("keras2_0", false, |_| true);
    assert!(refused("torchvision", &keras2).contains("set form = \"keras2_1\""));
    assert!(RESNET50.assign(&resnet50("keras2_2"), &keras2).is_ok());
    let mut torchvision = listing("torchvision", false, |_| true);
    torchvision.0.push(("bn1.num_batches_tracked".into(), vec![]));
    assert!(refused("keras", &torchvision).contains("set form = \"torchvision\""));
    assert_eq!(RESNET50.assign(&resnet50("torchvision"), &torchvision).unwrap().ignored.len(), 1);
}

#[test]
fn of_a_file_without_a_head_that_alone_is_to_be_left_out() {
    let (network, mut file) = (resnet50("keras"), listing("keras", false, |_| true));
    let stages = network.stages();
    file.0.retain(|(name, _)| !name.starts_with("predictions"));
    let head = network.head(&RESNET50.account(&network, &file), stages.len()).unwrap();
    let layers: Vec<&str> =
        stages[head..].iter().flat_map(|stage| &stage.layers).map(|layer| layer.name.as_str()).collect();
    assert_eq!(layers, ["predictions"]);
    file.0.retain(|(name, _)| !name.starts_with("conv4_block1_1_conv"));
    assert!(network.head(&RESNET50.account(&network, &file), head + 1).is_none_or(|other| other < head));
}

#[test]
fn look_alikes_are_refused_by_name() {
    for (tensor, what) in [
        ("resnetv24_batchnorm0_gamma", "ResNet v2"),
        ("conv2_block1_preact_bn/gamma", "ResNet v2"),
        ("post_bn/gamma", "ResNet v2"),
        ("stages.0.blocks.0.norm1.weight", "ResNet v2"),
        ("resnetv17_conv0_weight", "MXNet"),
        ("conv1.0.weight", "ResNet-D"),
        ("resnet.embedder.embedder.convolution.weight", "export the model to ONNX"),
    ] {
        let file = Listing(vec![(tensor.into(), vec![64])]);
        let message = RESNET50.assign(&resnet50("keras"), &file).unwrap_err().to_string();
        assert!(message.contains(tensor) && message.contains(what), "{message}");
    }
}

#[test]
fn names_that_exporters_keep_after_folding_are_not_taken_for_whole() {
    let file = listing("torchvision", false, |_| true);
    let weights = file.0.into_iter().filter(|(name, _)| !name.contains("bn") && !name.contains("downsample.1"));
    let account = Assignment::of(&resnet50("torchvision").parameters(), &[], &Listing(weights.collect()));
    assert!(!account.folded && account.missing.len() == 4 * 53, "{account:?}");
}
