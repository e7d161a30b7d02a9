//! The configuration in a `.keras` archive: which layers there are, in the order in which `.weights.h5` counts them.

use std::collections::HashMap;

use serde_json::Value;

/// The layers of a model by their path in `.weights.h5`: `layers/conv2d_3`, `layers/functional/layers/dense`.
#[derive(Default)]
pub(super) struct Config(HashMap<String, LayerConfig>);

/// What a file without it would leave open.
pub(super) struct LayerConfig {
    pub(super) name: String,
    /// Its place among the layers of its model.
    pub(super) place: usize,
    /// Of a batch normalisation: that it has no beta.
    pub(super) uncentred: bool,
}

impl Config {
    /// Lists the layers of a model, and those of models inside it. What has no layers lists none: files that name their
    /// layers need no configuration.
    pub(super) fn of(model: &Value) -> Self {
        let mut config = Self::default();
        config.add(model, "");
        config
    }

    fn add(&mut self, model: &Value, path: &str) {
        let Some(layers) = model["config"]["layers"].as_array() else { return };
        let mut classes: HashMap<String, usize> = HashMap::new();
        for (at, layer) in layers.iter().enumerate() {
            let class = snake_case(layer["class_name"].as_str().unwrap_or_default());
            let count = classes.entry(class.clone()).or_default();
            let place = if *count == 0 { class } else { format!("{class}_{count}") };
            *count += 1;
            let path = format!("{path}layers/{place}");
            if let Some(name) = layer["config"]["name"].as_str() {
                let uncentred = layer["config"]["center"] == Value::Bool(false);
                self.0.insert(path.clone(), LayerConfig { name: name.to_string(), place: at, uncentred });
            }
            self.add(layer, &format!("{path}/"));
        }
    }

    /// The layer at a path.
    pub(super) fn layer(&self, path: &str) -> Option<&LayerConfig> {
        self.0.get(path)
    }
}

/// A class's name as Keras spells it in paths: `DepthwiseConv2D` is `depthwise_conv2d`, `ReLU` is `re_lu`.
fn snake_case(class: &str) -> String {
    let characters: Vec<char> = class.chars().collect();
    let mut snake = String::new();
    for (at, &character) in characters.iter().enumerate() {
        let lowercase = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_lowercase);
        if character.is_ascii_uppercase() && at > 0 && (lowercase(at.checked_sub(1)) || lowercase(Some(at + 1))) {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_spelled_as_keras_does() {
        for (class, snake) in [
            ("Conv2D", "conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("BatchNormalization", "batch_normalization"),
            ("ReLU", "re_lu"),
            ("InputLayer", "input_layer"),
        ] {
            assert_eq!(snake_case(class), snake);
        }
    }
}
