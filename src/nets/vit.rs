//! Vision transformers (Dosovitskiy et al. 2021): an image's patches as tokens behind a class token; blocks, each an attention
//! and a perceptron of two layers, normalised before and added to what went in; a normalization; a head on the class token.
//!
//! A stage is the embedding, one block, the last normalization, or the head. Tapped are `embedding` (what the first block takes), `block1`
//! … `block12` (counted as Hugging Face's `hidden_states`; timm's `blocks.0` is `block1`), `norm`, and `logits` or
//! `projection`. The family in one drawing:
//!
//! | network | form | who | images | epsilon | perceptron |
//! | --- | --- | --- | --- | --- | --- |
//! | `vit_b16`, `vit_b32` | `torchvision` | torchvision | ImageNet's mean, bilinear to 256, crop | 1e-6 | GELU |
//! | | `timm` | timm, augreg | -1 to 1, bicubic to 248, crop | 1e-6 | GELU |
//! | | `huggingface` | `google/vit-…` | -1 to 1, squashed | 1e-12 | GELU |
//! | `deit_t16`, `deit_s16` | `timm` | timm, Facebook's weights | ImageNet's mean, bicubic to 248, crop | 1e-6 | GELU |
//! | `clip_vit_…` | `openai` | OpenAI, OpenCLIP's `openai` | CLIP's mean, bicubic to 224, crop | 1e-5 | CLIP's GELU |
//! | | `open_clip` | OpenCLIP's other weights | the same | 1e-5 | GELU |
//! | | `huggingface` | `openai/clip-…` | the same | 1e-5 | CLIP's GELU |
//! | `dinov2_…` | `dinov2` | Facebook | ImageNet's mean, bicubic to 256, crop | 1e-6 | GELU |
//! | | `timm` | timm at 224 pixels | ImageNet's mean, bicubic to 224, crop | 1e-6 | GELU |
//! | | `huggingface` | `facebook/dinov2-…` | as `dinov2` | 1e-6 | GELU |
//!
//! DINOv2's positions are of 37 x 37 places (518 pixels) and are brought to 16 x 16 as each of the three does it. Its blocks
//! scale what they add (LayerScale), which goes into the weights before it when they are loaded.

mod naming;

use self::naming::{
    DINO_HUGGING_FACE, HUGGING_FACE, HUGGING_FACE_CLIP, Naming, OPENAI, Origin, Split, TIMM, TORCHVISION,
};
use super::positions::{Filter, Resample};
use super::tokens::Embed;
use super::{Blueprint, Builder, Conv, Form, Input, LookAlike, Network, Preprocess, Value};
use crate::images::Resize;
use crate::kernels::{Activation, VALID, Window};
use crate::weights::Ignored;

/// The registry entry of ViT-B/16.
pub const B16: Network = Network {
    name: "vit_b16",
    forms: &[
        Form { name: "torchvision", draw: || draw(&BASE_16, &TORCHVISION_FORM) },
        Form { name: "timm", draw: || draw(&BASE_16, &TIMM_FORM) },
        Form { name: "huggingface", draw: || draw(&BASE_16, &HUGGING_FACE_FORM) },
    ],
    ignored: &[POOLER],
    look_alikes: &[],
};
/// The registry entry of ViT-B/32.
pub const B32: Network = Network {
    name: "vit_b32",
    forms: &[
        Form { name: "torchvision", draw: || draw(&BASE_32, &TORCHVISION_FORM) },
        Form { name: "timm", draw: || draw(&BASE_32, &TIMM_FORM) },
        Form { name: "huggingface", draw: || draw(&BASE_32, &HUGGING_FACE_FORM) },
    ],
    ..B16
};
/// The registry entry of DeiT-Ti/16 (Touvron et al. 2021).
pub const DEIT_T16: Network = Network {
    name: "deit_t16",
    forms: &[Form { name: "timm", draw: || draw(&Size { width: 192, heads: 3, ..BASE_16 }, &DEIT_FORM) }],
    look_alikes: NO_DEIT,
    ..B16
};
/// The registry entry of DeiT-S/16.
pub const DEIT_S16: Network = Network {
    name: "deit_s16",
    forms: &[Form { name: "timm", draw: || draw(&Size { width: 384, heads: 6, ..BASE_16 }, &DEIT_FORM) }],
    look_alikes: NO_DEIT,
    ..B16
};
/// The registry entry of CLIP's ViT-B/32 (Radford et al. 2021).
pub const CLIP_B32: Network = Network {
    name: "clip_vit_b32",
    forms: &[
        Form { name: "openai", draw: || draw(&CLIP_BASE_32, &OPENAI_FORM) },
        Form { name: "open_clip", draw: || draw(&CLIP_BASE_32, &OPEN_CLIP_FORM) },
        Form { name: "huggingface", draw: || draw(&CLIP_BASE_32, &HUGGING_FACE_CLIP_FORM) },
    ],
    ignored: TEXT,
    look_alikes: &[],
};
/// The registry entry of CLIP's ViT-B/16.
pub const CLIP_B16: Network = Network {
    name: "clip_vit_b16",
    forms: &[
        Form { name: "openai", draw: || draw(&CLIP_BASE_16, &OPENAI_FORM) },
        Form { name: "open_clip", draw: || draw(&CLIP_BASE_16, &OPEN_CLIP_FORM) },
        Form { name: "huggingface", draw: || draw(&CLIP_BASE_16, &HUGGING_FACE_CLIP_FORM) },
    ],
    ..CLIP_B32
};
/// The registry entry of CLIP's ViT-L/14.
pub const CLIP_L14: Network = Network {
    name: "clip_vit_l14",
    forms: &[
        Form { name: "openai", draw: || draw(&CLIP_LARGE_14, &OPENAI_FORM) },
        Form { name: "open_clip", draw: || draw(&CLIP_LARGE_14, &OPEN_CLIP_FORM) },
        Form { name: "huggingface", draw: || draw(&CLIP_LARGE_14, &HUGGING_FACE_CLIP_FORM) },
    ],
    ..CLIP_B32
};
/// The registry entry of DINOv2's ViT-S/14 (Oquab et al. 2023).
pub const DINOV2_S14: Network = Network {
    name: "dinov2_s14",
    forms: &[
        Form { name: "dinov2", draw: || draw(&SMALL_14, &DINOV2_FORM) },
        Form { name: "timm", draw: || draw(&SMALL_14, &DINOV2_TIMM_FORM) },
        Form { name: "huggingface", draw: || draw(&SMALL_14, &DINOV2_HUGGING_FACE_FORM) },
    ],
    ignored: &[MASK, HUGGING_FACE_MASK, DINOV2_MASK, DINOV2_HEAD, DINOV2_TIMM_HEAD],
    look_alikes: WITH_REGISTERS,
};
/// The registry entry of DINOv2's ViT-B/14.
pub const DINOV2_B14: Network = Network {
    name: "dinov2_b14",
    forms: &[
        Form { name: "dinov2", draw: || draw(&BASE_14, &DINOV2_FORM) },
        Form { name: "timm", draw: || draw(&BASE_14, &DINOV2_TIMM_FORM) },
        Form { name: "huggingface", draw: || draw(&BASE_14, &DINOV2_HUGGING_FACE_FORM) },
    ],
    ..DINOV2_S14
};
/// The registry entry of DINOv2's ViT-L/14.
pub const DINOV2_L14: Network = Network {
    name: "dinov2_l14",
    forms: &[
        Form { name: "dinov2", draw: || draw(&LARGE_14, &DINOV2_FORM) },
        Form { name: "timm", draw: || draw(&LARGE_14, &DINOV2_TIMM_FORM) },
        Form { name: "huggingface", draw: || draw(&LARGE_14, &DINOV2_HUGGING_FACE_FORM) },
    ],
    ..DINOV2_S14
};

const POOLER: Ignored =
    Ignored { prefix: "vit.pooler.", suffix: "", why: "a layer for training with text, not part of the classifier" };
const MASK: Ignored = Ignored { prefix: "mask_token", suffix: "", why: "stands for hidden patches in training" };
const HUGGING_FACE_MASK: Ignored = Ignored { prefix: "embeddings.mask_token", ..MASK };
const DINOV2_MASK: Ignored = Ignored { prefix: "dinov2.embeddings.mask_token", ..MASK };
const DINOV2_HEAD: Ignored = Ignored { prefix: "classifier.", suffix: "", why: "is a head, which the network has not" };
const DINOV2_TIMM_HEAD: Ignored = Ignored { prefix: "head.", ..DINOV2_HEAD };
const NO_DEIT: &[LookAlike] = &[
    LookAlike {
        tensor: "layernorm_before",
        what: "it has Transformers' names, which are not read; export the model to ONNX and run that: network.file, or bring the \
               weights of timm or Facebook",
    },
    LookAlike {
        tensor: "dist_token",
        what: "it is distilled, with a second token in every block, another network; export the model to ONNX and run that: \
               network.file, or bring the weights of the one that is not distilled",
    },
];
const WITH_REGISTERS: &[LookAlike] = &[
    LookAlike { tensor: "register_tokens", what: REGISTERS },
    // timm's.
    LookAlike { tensor: "reg_token", what: REGISTERS },
];
const REGISTERS: &str = "it has register tokens, another network; export the model to ONNX and run that: network.file, or bring the \
                         weights without registers";
/// What CLIP's files hold beside the tower of images.
const TEXT: &[Ignored] = &[
    text("transformer."),
    text("text_model."),
    text("text."),
    text("token_embedding."),
    text("positional_embedding"),
    text("ln_final."),
    text("text_projection"),
    text("logit_scale"),
    text("logit_bias"),
    text("input_resolution"),
    text("context_length"),
    text("vocab_size"),
    Ignored { prefix: "vision_model.", suffix: "position_ids", why: "counts places" },
];

const fn text(prefix: &'static str) -> Ignored {
    Ignored { prefix, suffix: "", why: "is of the tower of texts" }
}

/// What decides a network of the family.
#[derive(Clone, Copy)]
struct Size {
    /// Pixels along a side of a patch.
    patch: usize,
    /// Dimensions of a token.
    width: usize,
    heads: usize,
    blocks: usize,
    /// Classes, or dimensions of the projection.
    outputs: usize,
}

const BASE_16: Size = Size { patch: 16, width: 768, heads: 12, blocks: 12, outputs: 1000 };
const BASE_32: Size = Size { patch: 32, ..BASE_16 };
const SMALL_14: Size = Size { patch: 14, width: 384, heads: 6, ..BASE_16 };
const BASE_14: Size = Size { patch: 14, ..BASE_16 };
const LARGE_14: Size = Size { patch: 14, width: 1024, heads: 16, blocks: 24, ..BASE_16 };
const CLIP_BASE_32: Size = Size { outputs: 512, ..BASE_32 };
const CLIP_BASE_16: Size = Size { outputs: 512, ..BASE_16 };
const CLIP_LARGE_14: Size = Size { outputs: 768, ..LARGE_14 };

/// What a form decides.
#[derive(Clone, Copy)]
struct Graph {
    naming: &'static Naming,
    preprocess: Preprocess,
    resize: Resize,
    crop_pct: f64,
    /// Of every normalization.
    epsilon: f64,
    /// Inside the perceptrons.
    activation: Activation,
    head: Head,
    /// Places along a side of the positions in files, and how they are brought to the image's.
    positions: Option<(usize, Filter)>,
}

/// What follows the last normalization.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Head {
    /// A classifier.
    Classes,
    /// A product without bias.
    Projection,
    None,
}

const TORCHVISION_FORM: Graph = Graph {
    naming: &TORCHVISION,
    preprocess: Preprocess::Torch,
    resize: Resize::CropBilinear,
    crop_pct: 0.875,
    epsilon: 1e-6,
    activation: Activation::Gelu,
    head: Head::Classes,
    positions: None,
};
/// timm's 0.9 makes 248 of 224, whatever is left over.
const TIMM_CROP: f64 = 224.0 / 248.0;
const TIMM_FORM: Graph = Graph {
    naming: &TIMM,
    preprocess: Preprocess::Tf,
    resize: Resize::CropBicubic,
    crop_pct: TIMM_CROP,
    ..TORCHVISION_FORM
};
const HUGGING_FACE_FORM: Graph = Graph {
    naming: &HUGGING_FACE,
    preprocess: Preprocess::Tf,
    resize: Resize::SquashBilinear,
    crop_pct: 1.0,
    epsilon: 1e-12,
    ..TORCHVISION_FORM
};
/// As timm crops; Facebook's own code has 256 of 224.
const DEIT_FORM: Graph = Graph { preprocess: Preprocess::Torch, ..TIMM_FORM };
const OPENAI_FORM: Graph = Graph {
    naming: &OPENAI,
    preprocess: Preprocess::Clip,
    resize: Resize::CropBicubic,
    crop_pct: 1.0,
    epsilon: 1e-5,
    activation: Activation::QuickGelu,
    head: Head::Projection,
    positions: None,
};
const OPEN_CLIP_FORM: Graph = Graph { activation: Activation::Gelu, ..OPENAI_FORM };
const HUGGING_FACE_CLIP_FORM: Graph = Graph { naming: &HUGGING_FACE_CLIP, ..OPENAI_FORM };
const DINOV2_FORM: Graph =
    Graph { crop_pct: 0.875, head: Head::None, positions: Some((37, Filter::Sharp { offset: 0.1 })), ..DEIT_FORM };
const DINOV2_TIMM_FORM: Graph = Graph { crop_pct: 1.0, positions: Some((37, Filter::Antialias)), ..DINOV2_FORM };
const DINOV2_HUGGING_FACE_FORM: Graph =
    Graph { naming: &DINO_HUGGING_FACE, positions: Some((37, Filter::Sharp { offset: 0.0 })), ..DINOV2_FORM };

/// Height and width of images.
const PIXELS: usize = 224;

fn draw(size: &Size, graph: &Graph) -> Blueprint {
    let Graph { naming, preprocess, resize, crop_pct, epsilon, .. } = *graph;
    let origin = Origin { naming, block: 0 };
    let is_clip = graph.head == Head::Projection;
    let mut b = Builder::new(Input { size: PIXELS, preprocess, resize, crop_pct });
    let window = Window::square(size.patch, size.patch, VALID);
    let patches = Conv { bias: !is_clip, ..Conv::new("patches", origin.names(naming.patches), size.width, window) };
    let patches = b.convolution(b.image(), patches);
    let to = PIXELS / size.patch;
    let resample = graph.positions.map(|(from, filter)| Resample { from, to, filter });
    let (class, positions) = (origin.shaped(naming.class), origin.shaped(naming.positions));
    let embed = Embed { name: "embedding", class: &class, positions: &positions, resample };
    let mut x = b.embedding(patches, &embed);
    if is_clip {
        x = b.layer_norm(x, "embedding.norm", &origin.names(naming.pre_norm), epsilon);
    }
    b.tap(x, "embedding", "embedding");
    b.cut();
    for block in 0..size.blocks {
        x = draw_block(&mut b, x, size, graph, block);
        b.tap(x, &format!("block{}", block + 1), &format!("block {}", block + 1));
        b.cut();
    }
    x = b.layer_norm(x, "norm", &origin.names(naming.norm), epsilon);
    b.tap(x, "norm", "norm");
    let name = match graph.head {
        Head::Classes => "logits",
        Head::Projection => "projection",
        Head::None => return b.finish(None),
    };
    b.cut();
    x = b.class(x);
    x = b.product(x, name, &origin.head(), size.outputs, !is_clip);
    b.tap(x, name, name);
    b.finish((graph.head == Head::Classes).then_some(name))
}

fn draw_block(b: &mut Builder, x: Value, size: &Size, graph: &Graph, block: usize) -> Value {
    let Size { width, heads, .. } = *size;
    let Graph { naming, epsilon, .. } = *graph;
    let origin = Origin { naming, block };
    let name = |part: &str| format!("block{}.{part}", block + 1);
    let added = |b: &mut Builder, x, y, part: &str, names: &[&str], scale: Option<&str>| {
        let y = match scale {
            Some(scale) => b.scaled_dense(y, &name(part), &origin.names(names), width, &origin.plain(&[scale])),
            None => b.dense(y, &name(part), &origin.names(names), width),
        };
        b.plus(y, x)
    };
    let y = b.layer_norm(x, &name("norm1"), &origin.names(naming.norm1), epsilon);
    let parts = match naming.attention {
        Split::Fused(names) => vec![b.dense(y, &name("qkv"), &origin.names(names), 3 * width)],
        Split::Three(parts) => {
            let all = ["query", "key", "value"].into_iter().zip(parts);
            all.map(|(part, names)| b.dense(y, &name(part), &origin.names(names), width)).collect()
        }
    };
    let y = b.attention(&parts, heads);
    let scales = if graph.head == Head::None { naming.scales.map(Some) } else { [None; 2] };
    let x = added(b, x, y, "attention", naming.project, scales[0]);
    let y = b.layer_norm(x, &name("norm2"), &origin.names(naming.norm2), epsilon);
    let y = b.dense(y, &name("inner"), &origin.names(naming.inner), 4 * width);
    let y = b.activation(y, graph.activation);
    added(b, x, y, "outer", naming.outer, scales[1])
}

#[cfg(test)]
mod tests;
