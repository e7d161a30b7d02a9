//! What files of each origin call the parameters of a vision transformer.

use crate::weights::{Layout, Names, Variable};

/// The names of an origin: each the beginning of `weight` and `bias`, `{}` the block counted from 0; those preferred first.
pub struct Naming {
    /// Before all of them, in files of the whole or of a part.
    pub prefixes: &'static [&'static str],
    /// The class token, and axes of length 1 before its own.
    pub class: (&'static str, usize),
    /// The positions, alike.
    pub positions: (&'static str, usize),
    pub patches: &'static [&'static str],
    /// After the embedding (CLIP).
    pub pre_norm: &'static [&'static str],
    pub norm1: &'static [&'static str],
    pub attention: Split,
    pub project: &'static [&'static str],
    pub norm2: &'static [&'static str],
    pub inner: &'static [&'static str],
    pub outer: &'static [&'static str],
    /// Of what attention and perceptron add (DINOv2).
    pub scales: [&'static str; 2],
    pub norm: &'static [&'static str],
    pub head: Head,
}

/// What is behind the last normalization.
pub enum Head {
    /// A dense layer.
    Module(&'static str),
    /// A tensor, `[in, out]`.
    Product(&'static str),
}

/// Queries, keys and values: one product or three.
#[derive(Clone, Copy)]
pub enum Split {
    Fused(&'static [&'static str]),
    Three([&'static [&'static str]; 3]),
}

pub const TORCHVISION: Naming = Naming {
    prefixes: &[""],
    class: ("class_token", 2),
    positions: ("encoder.pos_embedding", 1),
    patches: &["conv_proj."],
    pre_norm: &[],
    norm1: &["encoder.layers.encoder_layer_{}.ln_1."],
    attention: Split::Fused(&["encoder.layers.encoder_layer_{}.self_attention.in_proj_"]),
    project: &["encoder.layers.encoder_layer_{}.self_attention.out_proj."],
    norm2: &["encoder.layers.encoder_layer_{}.ln_2."],
    // The published files are older than the modules' present names.
    inner: &["encoder.layers.encoder_layer_{}.mlp.0.", "encoder.layers.encoder_layer_{}.mlp.linear_1."],
    outer: &["encoder.layers.encoder_layer_{}.mlp.3.", "encoder.layers.encoder_layer_{}.mlp.linear_2."],
    scales: [""; 2],
    norm: &["encoder.ln."],
    head: Head::Module("heads.head"),
};

/// timm's, and of Facebook's DeiT and DINOv2.
pub const TIMM: Naming = Naming {
    prefixes: &[""],
    class: ("cls_token", 2),
    positions: ("pos_embed", 1),
    patches: &["patch_embed.proj."],
    pre_norm: &[],
    norm1: &["blocks.{}.norm1."],
    attention: Split::Fused(&["blocks.{}.attn.qkv."]),
    project: &["blocks.{}.attn.proj."],
    norm2: &["blocks.{}.norm2."],
    inner: &["blocks.{}.mlp.fc1."],
    outer: &["blocks.{}.mlp.fc2."],
    scales: ["blocks.{}.ls1.gamma", "blocks.{}.ls2.gamma"],
    norm: &["norm."],
    head: Head::Module("head"),
};

/// Hugging Face's: files' names, then those of modules since Transformers 5.
pub const HUGGING_FACE: Naming = Naming {
    prefixes: &["vit.", ""],
    class: ("embeddings.cls_token", 2),
    positions: ("embeddings.position_embeddings", 1),
    patches: &["embeddings.patch_embeddings.projection."],
    pre_norm: &[],
    norm1: &["encoder.layer.{}.layernorm_before.", "layers.{}.layernorm_before."],
    attention: Split::Three([
        &["encoder.layer.{}.attention.attention.query.", "layers.{}.attention.q_proj."],
        &["encoder.layer.{}.attention.attention.key.", "layers.{}.attention.k_proj."],
        &["encoder.layer.{}.attention.attention.value.", "layers.{}.attention.v_proj."],
    ]),
    project: &["encoder.layer.{}.attention.output.dense.", "layers.{}.attention.o_proj."],
    norm2: &["encoder.layer.{}.layernorm_after.", "layers.{}.layernorm_after."],
    inner: &["encoder.layer.{}.intermediate.dense.", "layers.{}.mlp.fc1."],
    outer: &["encoder.layer.{}.output.dense.", "layers.{}.mlp.fc2."],
    scales: [""; 2],
    norm: &["layernorm."],
    head: Head::Module("classifier"),
};

/// Hugging Face's of DINOv2, alike.
pub const DINO_HUGGING_FACE: Naming = Naming {
    prefixes: &["", "dinov2."],
    norm1: &["encoder.layer.{}.norm1."],
    attention: Split::Three([
        &["encoder.layer.{}.attention.attention.query.", "encoder.layer.{}.attention.q_proj."],
        &["encoder.layer.{}.attention.attention.key.", "encoder.layer.{}.attention.k_proj."],
        &["encoder.layer.{}.attention.attention.value.", "encoder.layer.{}.attention.v_proj."],
    ]),
    project: &["encoder.layer.{}.attention.output.dense.", "encoder.layer.{}.attention.o_proj."],
    norm2: &["encoder.layer.{}.norm2."],
    inner: &["encoder.layer.{}.mlp.fc1."],
    outer: &["encoder.layer.{}.mlp.fc2."],
    scales: ["encoder.layer.{}.layer_scale1.lambda1", "encoder.layer.{}.layer_scale2.lambda1"],
    ..HUGGING_FACE
};

/// OpenAI's and OpenCLIP's of the whole model, and of the tower of images.
pub const OPENAI: Naming = Naming {
    prefixes: &["visual.", ""],
    class: ("class_embedding", 0),
    positions: ("positional_embedding", 0),
    patches: &["conv1."],
    pre_norm: &["ln_pre."],
    norm1: &["transformer.resblocks.{}.ln_1."],
    attention: Split::Fused(&["transformer.resblocks.{}.attn.in_proj_"]),
    project: &["transformer.resblocks.{}.attn.out_proj."],
    norm2: &["transformer.resblocks.{}.ln_2."],
    inner: &["transformer.resblocks.{}.mlp.c_fc."],
    outer: &["transformer.resblocks.{}.mlp.c_proj."],
    scales: [""; 2],
    norm: &["ln_post."],
    head: Head::Product("proj"),
};

/// Hugging Face's of CLIP; the tower of images alone has no prefix since Transformers 5.
pub const HUGGING_FACE_CLIP: Naming = Naming {
    prefixes: &["vision_model.", ""],
    class: ("embeddings.class_embedding", 0),
    positions: ("embeddings.position_embedding.weight", 0),
    patches: &["embeddings.patch_embedding."],
    // Their spelling.
    pre_norm: &["pre_layrnorm."],
    norm1: &["encoder.layers.{}.layer_norm1."],
    attention: Split::Three([
        &["encoder.layers.{}.self_attn.q_proj."],
        &["encoder.layers.{}.self_attn.k_proj."],
        &["encoder.layers.{}.self_attn.v_proj."],
    ]),
    project: &["encoder.layers.{}.self_attn.out_proj."],
    norm2: &["encoder.layers.{}.layer_norm2."],
    inner: &["encoder.layers.{}.mlp.fc1."],
    outer: &["encoder.layers.{}.mlp.fc2."],
    scales: [""; 2],
    norm: &["post_layernorm."],
    head: Head::Module("visual_projection"),
};

/// A naming, and the block that is named.
#[derive(Clone, Copy)]
pub struct Origin {
    pub naming: &'static Naming,
    pub block: usize,
}

impl Origin {
    /// `names` with every prefix, and the block in them.
    pub fn plain(self, names: &[&str]) -> Vec<String> {
        let block = self.block.to_string();
        let prefixed = |name: &str| {
            let name = name.replace("{}", &block);
            self.naming.prefixes.iter().map(move |prefix| format!("{prefix}{name}")).collect::<Vec<_>>()
        };
        names.iter().copied().flat_map(prefixed).collect()
    }

    /// A name with the axes before it.
    pub fn shaped(self, (name, axes): (&str, usize)) -> Vec<(String, usize)> {
        self.plain(&[name]).into_iter().map(|name| (name, axes)).collect()
    }

    /// The weight's and the bias' names.
    pub fn names(self, beginnings: &[&str]) -> Names {
        let named = |(variable, part): (Variable, &'static str)| {
            self.plain(beginnings).into_iter().map(move |name| (variable, format!("{name}{part}")))
        };
        Names::default().with([(Variable::Weight, "weight"), (Variable::Bias, "bias")].into_iter().flat_map(named))
    }

    /// The head's, before which no prefix stands; OpenAI's product is a parameter of the tower, `[in, out]`.
    pub fn head(self) -> Names {
        match self.naming.head {
            Head::Module(module) => Names::torch(module),
            Head::Product(name) => {
                let names = self.plain(&[name]).into_iter().map(|name| (Variable::Weight, name));
                Names::default().laid_out(names, Layout::ChannelsLast)
            }
        }
    }
}
