//! Maps in another size.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::batch::Along;
use super::bounds::{MOST_MADE, units};
use super::gathers::around;
use super::lowering::{Loader, Lowered, Node, Refusal, Run};
use super::value::{Array, Known};

/// The lengths of all axes behind it, and how many new places there are for an old one.
fn lengths(node: &Node) -> Result<(Vec<usize>, Vec<f64>), Refusal> {
    let own = node.shape(0)?;
    // Opset 10 has the scales second, later ones a region of interest before them.
    let (at_scales, at_sizes) = if node.opset < 11 { (1, 4) } else { (2, 3) };
    let given = |at: usize| node.optional(at).is_some_and(|known| known.units() > 0);
    let axes: Vec<usize> = match node.proto.ints("axes") {
        Some(axes) => axes.iter().map(|&at| super::lowering::axis(at, own.len())).collect::<Result<_, _>>()?,
        None => (0..own.len()).collect(),
    };
    let mut shape = own.to_vec();
    let mut scales: Vec<f64> = vec![1.0; own.len()];
    if given(at_sizes) {
        for (&axis, &size) in axes.iter().zip(&node.whole(at_sizes)?.values) {
            shape[axis] = size.try_into().map_err(|_| format!("a length of {size}"))?;
            scales[axis] = shape[axis] as f64 / own[axis] as f64;
        }
    } else {
        for (&axis, scale) in axes.iter().zip(node.constant(at_scales)?.values()?) {
            if !scale.is_finite() || scale <= 0.0 {
                return Err(format!("a scale of {scale}").into());
            }
            scales[axis] = f64::from(scale);
            // 30 places by f32(1.3) are 39, as in the runtimes; in f64 they would be 38.
            shape[axis] = (own[axis] as f32 * scale).floor() as usize;
        }
    }
    Ok((shape, scales))
}

/// An axis that stays as it is.
pub fn unscaled(node: &Node, along: Along) -> Option<usize> {
    let (_, scales) = lengths(node).ok()?;
    (*scales.get(along.axis)? == 1.0).then_some(along.axis)
}

/// An axis in another length: every new place is a sum of old ones.
pub fn resize(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    if node.opset < 9 {
        return Err("scales as a setting, before ONNX 9; export with opset 9 or later".into());
    }
    if let Known::Whole(_) = node.input(0)? {
        return Err("whole numbers".into());
    }
    let (shape, scales) = lengths(node)?;
    if !matches!(node.text("keep_aspect_ratio_policy"), "" | "stretch") {
        return Err("keep_aspect_ratio_policy, expected stretch".into());
    }
    let rule = Rule::of(node)?;
    if own.contains(&0) || shape.contains(&0) {
        return Err(format!("{own:?} as {shape:?}").into());
    }
    let changes = |&axis: &usize| own[axis] != shape[axis] || scales[axis] != 1.0;
    let axes: Vec<usize> = (0..own.len()).filter(changes).collect();
    for &axis in &axes {
        units(&[own[axis], shape[axis]], MOST_MADE)?;
    }
    Lowered::weighted(shape.clone(), &[0], 0, 0, move |loader: &Loader| {
        let (own, to) = (own.clone(), shape.clone());
        let matrix = |&axis: &usize| {
            let matrix = TensorData::new(rule.matrix(own[axis], to[axis], scales[axis]), [1, to[axis], own[axis]]);
            (axis, Tensor::<3>::from_data(matrix, &loader.device))
        };
        let matrices: Vec<(usize, Tensor<3>)> = axes.iter().map(matrix).collect();
        let run: Run = Arc::new(move |mut inputs| {
            let (mut x, mut now) = (inputs.remove(0), own.clone());
            for (axis, matrix) in &matrices {
                let [outer, before, inner] = around(&now, *axis);
                now[*axis] = to[*axis];
                let matrix = matrix.clone().expand::<3, _>([outer, to[*axis], before]);
                x = Array::new(matrix.matmul(x.view([outer, before, inner])), &now);
            }
            vec![x.reshaped(&to)]
        });
        Ok(run)
    })
}

/// How places of a resized axis are read from the old ones.
struct Rule {
    mode: String,
    nearest: String,
    coordinates: String,
    cubic: f64,
    /// Where the new places are further apart than the old, each is of all the old ones around it.
    antialias: bool,
    /// What would be beyond the ends is left out; else it is the last one.
    exclude_outside: bool,
}

impl Rule {
    fn of(node: &Node) -> Result<Self, Refusal> {
        let or = |text: &str, default: &str| if text.is_empty() { default.to_string() } else { text.to_string() };
        let rule = Self {
            mode: or(node.text("mode"), "nearest"),
            // Before the mode could be chosen, ONNX Runtime took the place below, or above where it leaves places out.
            nearest: or(node.text("nearest_mode"), if node.opset < 11 { "outer" } else { "round_prefer_floor" }),
            coordinates: or(
                node.text("coordinate_transformation_mode"),
                if node.opset < 11 { "asymmetric" } else { "half_pixel" },
            ),
            cubic: f64::from(node.float("cubic_coeff_a", -0.75)),
            antialias: node.int("antialias", 0) != 0,
            exclude_outside: node.int("exclude_outside", 0) != 0,
        };
        let known = matches!(rule.mode.as_str(), "nearest" | "linear" | "cubic")
            && matches!(
                rule.coordinates.as_str(),
                "half_pixel" | "pytorch_half_pixel" | "asymmetric" | "align_corners" | "tf_half_pixel_for_nn"
            );
        if !known || rule.antialias && rule.mode == "nearest" {
            let Self { mode, coordinates, antialias, .. } = rule;
            return Err(format!("mode {mode}, coordinates {coordinates}, antialias {antialias}").into());
        }
        Ok(rule)
    }

    /// What an old place so far from a new one weighs, in steps of the old, or of the new ones if these are further apart.
    fn weight(&self, distance: f64) -> f64 {
        let (x, a) = (distance.abs(), self.cubic);
        match self.mode.as_str() {
            "linear" => (1.0 - x).max(0.0),
            _ if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            _ if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            _ => 0.0,
        }
    }

    /// `[new, old]`, row by row.
    fn matrix(&self, old: usize, new: usize, scale: f64) -> Vec<f32> {
        let mut matrix = vec![0.0f64; new * old];
        // Which old place is the nearest of two may hang on the last bit, and the runtimes compute in f32.
        let rounded = |x: f64| if self.mode == "nearest" { f64::from(x as f32) } else { x };
        let scale = rounded(scale);
        for (n, row) in matrix.chunks_exact_mut(old.max(1)).enumerate() {
            let n = n as f64;
            let place = match self.coordinates.as_str() {
                "asymmetric" => rounded(n / scale),
                "align_corners" if new == 1 => 0.0,
                "align_corners" => rounded(n * (old as f64 - 1.0) / (new as f64 - 1.0)),
                "pytorch_half_pixel" if new == 1 => 0.0,
                "tf_half_pixel_for_nn" => rounded((n + 0.5) / scale),
                _ => rounded(rounded((n + 0.5) / scale) - 0.5),
            };
            let last = old as f64 - 1.0;
            let mut add = |at: f64, weight: f64| row[at.clamp(0.0, last) as usize] += weight;
            if self.mode == "nearest" {
                let nearest = match self.nearest.as_str() {
                    "floor" => place.floor(),
                    "ceil" => place.ceil(),
                    "outer" if scale < 1.0 => place.ceil(),
                    "outer" => place.floor(),
                    "round_prefer_ceil" => (place + 0.5).floor(),
                    _ => (place - 0.5).ceil(),
                };
                add(nearest, 1.0);
                continue;
            }
            let step = if self.antialias { scale.recip().max(1.0) } else { 1.0 };
            let reach = if self.mode == "linear" { step } else { 2.0 * step };
            let (first, end) = ((place - reach).ceil() as i64, (place + reach).floor() as i64);
            for at in first..=end {
                let at = at as f64;
                if !self.exclude_outside || (0.0..=last).contains(&at) {
                    add(at, self.weight((at - place) / step));
                }
            }
            let all: f64 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= all);
        }
        matrix.into_iter().map(|weight| weight as f32).collect()
    }
}
