use super::*;
use crate::nets::golden;
use crate::nets::{Layer, Shape};
use crate::weights::fixtures::Listing;
use crate::weights::{Parameter, Part};

/// Two blocks of two heads, of which other implementations computed the golden files.
const REDUCED: Size = Size { patch: 16, width: 128, heads: 2, blocks: 2, outputs: 1000 };

fn reduced(size: &Size, graph: &Graph) -> Blueprint {
    Blueprint { name: "reduced".into(), form: "reduced".into(), ..draw(size, graph) }
}

#[test]
fn every_layer_of_a_reduced_network_equals_each_published_form() {
    let (clip, dino) = (Size { patch: 32, outputs: 64, ..REDUCED }, Size { patch: 14, ..REDUCED });
    for (file, size, graph) in [
        ("torchvision", REDUCED, TORCHVISION_FORM),
        ("timm", REDUCED, TIMM_FORM),
        ("huggingface", REDUCED, HUGGING_FACE_FORM),
        ("deit", REDUCED, DEIT_FORM),
        ("clip-openai", clip, OPENAI_FORM),
        ("clip-open_clip", clip, OPEN_CLIP_FORM),
        ("clip-huggingface", clip, HUGGING_FACE_CLIP_FORM),
        ("dinov2", dino, DINOV2_FORM),
        ("dinov2-timm", dino, DINOV2_TIMM_FORM),
        ("dinov2-huggingface", dino, DINOV2_HUGGING_FACE_FORM),
    ] {
        golden::check_drawn(&format!("vit-{file}.json"), &reduced(&size, &graph));
    }
}

#[test]
fn every_layer_of_vit_b16_equals_torchvision() {
    golden::check("vit_b16-torchvision.json", "torchvision");
}

fn learned(network: &Network, form: &str) -> usize {
    let parameters = network.blueprint(form).unwrap().parameters();
    parameters.iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum()
}

#[test]
fn the_costs_are_those_published() {
    // torchvision's documentation; Facebook's of DeiT and DINOv2, there with a mask token besides.
    for (network, published) in [
        (&B16, 86_567_656),
        (&B32, 88_224_232),
        (&DEIT_T16, 5_717_416),
        (&DEIT_S16, 22_050_664),
        (&DINOV2_S14, 22_056_192),
        (&DINOV2_B14, 86_579_712),
        (&DINOV2_L14, 304_367_616),
        // The towers of images of 151,277,313, 149,620,737 and 427,616,513.
        (&CLIP_B32, 87_849_216),
        (&CLIP_B16, 86_192_640),
        (&CLIP_L14, 303_966_208),
    ] {
        for form in network.form_names() {
            assert_eq!(learned(network, form), published, "{} {form}", network.name);
        }
    }
    let multiply_adds = |network: &Network| {
        let stages = network.draw(&network.forms[0]).stages();
        stages.iter().map(|stage| stage.multiply_adds).sum::<u64>()
    };
    // torchvision says 17.56 and 4.41 GFLOPS of multiply-adds.
    assert_eq!([multiply_adds(&B16), multiply_adds(&B32)].map(|count| (count as f64 / 1e7).round()), [1756.0, 441.0]);
}

#[test]
fn layers_are_the_residual_stream_and_the_head() {
    let layers = B16.blueprint("timm").unwrap().layers();
    let names: Vec<&str> = layers.iter().map(|layer: &Layer| layer.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[1], names[12], names[13]), (15, "embedding", "block1", "block12", "norm"));
    assert_eq!((layers[5].label.as_str(), layers[5].shape), ("block 5", Shape::Tokens([197, 768])));
    assert_eq!(layers[14].shape, Shape::Vector([1000]));
    let clip = CLIP_L14.blueprint("openai").unwrap().layers();
    assert_eq!((clip[0].shape, clip.last().unwrap().shape), (Shape::Tokens([257, 1024]), Shape::Vector([768])));
}

/// A file of a form under the names that `choose` takes of each parameter's.
fn listing(network: &Network, form: &str, choose: impl Fn(&str) -> bool) -> Listing {
    let parameters = network.blueprint(form).unwrap().parameters();
    let source = |parameter: &Parameter| {
        assert_eq!(parameter.part, Part::Plain);
        let (name, transform) = parameter.sources.iter().find(|(name, _)| choose(name)).unwrap();
        (name.clone(), transform.source_shape(&parameter.shape))
    };
    Listing(parameters.iter().map(source).collect())
}

#[test]
fn files_of_all_origins_fit_as_they_are_published() {
    for (network, form, names) in [
        (
            &B16,
            "torchvision",
            &["class_token", "encoder.layers.encoder_layer_11.mlp.linear_2.bias", "heads.head.weight"][..],
        ),
        (&B16, "timm", &["cls_token", "pos_embed", "blocks.11.attn.qkv.weight", "norm.bias", "head.weight"]),
        (
            &B16,
            "huggingface",
            &["vit.encoder.layer.11.attention.attention.key.bias", "vit.layernorm.weight", "classifier.bias"],
        ),
        (
            &CLIP_B32,
            "openai",
            &["visual.proj", "visual.transformer.resblocks.11.attn.in_proj_bias", "visual.ln_pre.bias"],
        ),
        (&CLIP_B32, "huggingface", &["vision_model.pre_layrnorm.weight", "visual_projection.weight"]),
        (&DINOV2_B14, "dinov2", &["blocks.11.ls2.gamma", "pos_embed"]),
        (&DINOV2_B14, "huggingface", &["encoder.layer.11.layer_scale1.lambda1", "layernorm.bias"]),
    ] {
        let old = |name: &str| !name.contains(".mlp.0.") && !name.contains(".mlp.3.");
        let mut file = listing(network, form, old);
        for name in names {
            assert!(file.0.iter().any(|(tensor, _)| tensor == name), "{form}: {name}");
        }
        file.0.extend(["mask_token", "logit_scale", "vit.pooler.dense.bias"].map(|name| (name.to_string(), vec![1])));
        let blueprint = network.blueprint(form).unwrap();
        let account = network.account(&blueprint, &file);
        assert_eq!(account.unused.len(), 2, "{form}: {:?}", account.unused);
        file.0.retain(|(name, _)| !account.unused.iter().any(|(unused, _)| unused == name));
        let assigned = network.assign(&blueprint, &file).unwrap();
        assert_eq!((assigned.assigned.len(), assigned.ignored.len()), (blueprint.parameters().len(), 1), "{form}");
    }
    // The tower of images alone, as Transformers 5 saves it: without prefix and head.
    let mut tower = listing(&CLIP_B32, "huggingface", |name| !name.starts_with("vision_model."));
    tower.0.retain(|(name, _)| name != "visual_projection.weight");
    assert!(tower.0.iter().any(|(name, _)| name == "encoder.layers.11.self_attn.q_proj.weight"));
    let account = CLIP_B32.account(&CLIP_B32.blueprint("huggingface").unwrap(), &tower);
    assert_eq!((account.missing.len(), account.unused.len(), account.misshapen.len()), (1, 0, 0));
    let class = listing(&B16, "timm", |_| true).0.into_iter().find(|(name, _)| name == "cls_token");
    assert_eq!(class.unwrap().1, [1, 1, 768]);
    let shapes = |form: &str, tensor: &str| {
        let found = listing(&CLIP_B32, form, |_| true).0.into_iter().find(|(name, _)| name == tensor);
        found.unwrap().1
    };
    assert_eq!(shapes("openai", "visual.proj"), [768, 512]);
    assert_eq!(shapes("huggingface", "visual_projection.weight"), [512, 768]);
    assert_eq!(shapes("openai", "visual.positional_embedding"), [50, 768]);
}

#[test]
fn other_forms_and_missing_scales_are_recognised() {
    let refused = |network: &Network, form: &str, file: &Listing| {
        network.assign(&network.blueprint(form).unwrap(), file).unwrap_err().to_string()
    };
    let timm = listing(&B16, "timm", |_| true);
    assert!(refused(&B16, "torchvision", &timm).contains("set form = \"timm\""));
    let huggingface = listing(&CLIP_B16, "huggingface", |_| true);
    assert!(refused(&CLIP_B16, "openai", &huggingface).contains("set form = \"huggingface\""));
    let mut unscaled = listing(&DINOV2_S14, "dinov2", |_| true);
    unscaled.0.retain(|(name, _)| name != "blocks.3.ls1.gamma");
    let message = refused(&DINOV2_S14, "dinov2", &unscaled);
    assert!(message.contains("no tensor blocks.3.ls1.gamma (for block4.attention.scale)"), "{message}");
    // Of Transformers; distilled; with registers.
    for (network, form, tensor) in [
        (&DEIT_T16, "timm", "deit.encoder.layer.0.layernorm_before.weight"),
        (&DEIT_S16, "timm", "dist_token"),
        (&DINOV2_S14, "huggingface", "embeddings.register_tokens"),
        (&DINOV2_S14, "timm", "reg_token"),
    ] {
        let message = refused(network, form, &Listing(vec![(tensor.into(), vec![192])]));
        assert!(message.contains(tensor) && message.contains("export the model to ONNX"), "{message}");
    }
    let mut headed = listing(&DINOV2_S14, "huggingface", |name| name.starts_with("dinov2."));
    headed.0.push(("classifier.weight".to_string(), vec![1000, 768]));
    let account = DINOV2_S14.assign(&DINOV2_S14.blueprint("huggingface").unwrap(), &headed).unwrap();
    assert_eq!(account.ignored, [("classifier.weight".to_string(), "is a head, which the network has not")]);
    let mut headed = listing(&DINOV2_S14, "timm", |_| true);
    headed.0.push(("head.weight".to_string(), vec![1000, 384]));
    let account = DINOV2_S14.assign(&DINOV2_S14.blueprint("timm").unwrap(), &headed).unwrap();
    assert_eq!(account.ignored[0].0, "head.weight");
    // Without a head the normalization is there, from which a head would take the class token.
    let (blueprint, mut headless) = (B16.blueprint("timm").unwrap(), listing(&B16, "timm", |_| true));
    headless.0.retain(|(name, _)| !name.starts_with("head."));
    let stages = blueprint.stages();
    let head = blueprint.head(&B16.account(&blueprint, &headless), stages.len()).unwrap();
    let left_out: Vec<&str> = stages[head..].iter().flat_map(|stage| &stage.layers).map(|layer| &*layer.name).collect();
    assert_eq!(left_out, ["logits"]);
    // timm normalizes behind the mean over tokens where that is what the head takes.
    headless.0.iter_mut().filter(|(name, _)| name.starts_with("norm.")).for_each(|(name, _)| name.insert_str(0, "fc_"));
    headless.0.extend([("head.weight".to_string(), vec![10, 768]), ("head.bias".to_string(), vec![10])]);
    let account = B16.account(&blueprint, &headless);
    let head = blueprint.head(&account, stages.len()).unwrap();
    assert_eq!(stages[head].layers[0].name, "norm");
    let account = account.without(&blueprint.parameters_from(head)).unwrap();
    assert!(account.ignored.iter().any(|(name, _)| name == "fc_norm.weight"));
    // Of another patch size.
    let message = refused(&B32, "timm", &timm);
    assert!(message.contains("holds the weights of vit_b16"), "{message}");
}

#[test]
fn images_are_brought_to_the_sizes_that_are_published() {
    for (network, form, side) in [
        (&B16, "torchvision", 256.0),
        (&B16, "timm", 248.0),
        (&DEIT_T16, "timm", 248.0),
        (&DEIT_S16, "timm", 248.0),
        (&CLIP_B16, "openai", 224.0),
        (&DINOV2_S14, "dinov2", 256.0),
        (&DINOV2_S14, "timm", 224.0),
        (&DINOV2_S14, "huggingface", 256.0),
    ] {
        let input = network.blueprint(form).unwrap().input;
        assert_eq!((input.size as f64 / input.crop_pct).round(), side, "{} {form}", network.name);
        assert!(input.resize.crops());
    }
}
