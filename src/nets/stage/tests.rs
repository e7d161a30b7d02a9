use burn::tensor::TensorData;

use super::*;
use crate::images::Resize;
use crate::kernels::{VALID, Window};
use crate::nets::{Builder, Conv, Input, Norm, Preprocess, Shape};
use crate::weights::Names;

const POINT: Window = Window::square(1, 1, VALID);

/// A network of an image of `size` x `size`.
fn builder(size: usize) -> Builder {
    Builder::new(Input { size, preprocess: Preprocess::Tf, resize: Resize::SquashNearest, crop_pct: 1.0 })
}

fn load(blueprint: &Blueprint) -> (Vec<Stage>, Parameters) {
    let mut parameters = Parameters::formula(blueprint.parameters());
    let stages = blueprint.load(usize::MAX, &mut parameters, &Device::flex()).unwrap();
    (stages, parameters)
}

fn f32s(data: &TensorData) -> &[f32] {
    data.as_slice().unwrap()
}

/// Numbers between -1 and 1 as images of `size` x `size`.
fn images(count: usize, size: usize) -> (Vec<f32>, Batch) {
    let values: Vec<f32> = (0..3 * count * size * size).map(|n| ((7 * n % 31) as f32 - 15.0) / 15.0).collect();
    let data = TensorData::new(values.clone(), [count, 3, size, size]);
    (values, Batch::of(Tensor::from_data(data, &Device::flex())))
}

/// Folding rounds weights and bias once more; then `f32` sums of 12 products of the order of 1, over sums of that order.
const FOLDED: f32 = 2.0 * 12.0 * f32::EPSILON / 2.0;

#[test]
fn a_folded_normalization_is_the_normalization() {
    for (bias, scale) in [(true, true), (false, true), (false, false)] {
        let mut b = builder(2);
        let norm = Some((Norm { name: "bn".into(), epsilon: 0.5 }, scale));
        b.convolution(
            b.image(),
            Conv { bias, norm, ..Conv::new("conv", Names::default(), 4, Window::square(2, 1, VALID)) },
        );
        let blueprint = b.finish(None);
        let (stages, mut parameters) = load(&blueprint);
        let mut vector = |name: &str| parameters.has(name).then(|| parameters.get(name).unwrap());
        let [own, gamma] = [vector("conv.bias"), vector("bn.gamma")];
        assert_eq!((own.is_some(), gamma.is_some()), (bias, scale));
        let [weight, beta, mean, var] =
            ["conv.weight", "bn.beta", "bn.mean", "bn.var"].map(|name| vector(name).unwrap());
        let (values, batch) = images(1, 2);
        let y = stages[0].forward(batch, &mut Taps::default()).last();
        assert_eq!(y.shape(), Shape::Map([4, 1, 1]));
        for (out, y) in f32s(&y.flat().into_data()).iter().enumerate() {
            let at = |data: &TensorData| f64::from(f32s(data)[out]);
            let kernel = &f32s(&weight)[out * 12..][..12];
            let sum: f64 = kernel.iter().zip(&values).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
            let centred = sum + own.as_ref().map_or(0.0, at) - at(&mean);
            let expected = centred / (at(&var) + 0.5).sqrt() * gamma.as_ref().map_or(1.0, at) + at(&beta);
            assert!((y - expected as f32).abs() <= FOLDED, "{bias} {scale}: {y} {expected}");
        }
    }
}

#[test]
fn parts_make_up_the_batch() {
    let (values, batch) = images(5, 1);
    let parts = std::cell::RefCell::new(Vec::new());
    let whole = in_parts(batch.0, 2, |part| {
        parts.borrow_mut().push(part[0].images());
        vec![part[0].clone(), Activations::Vector(part[0].clone().flat() * 2.0)]
    });
    assert_eq!(parts.into_inner(), [2, 2, 1]);
    let [same, doubled] = whole.try_into().unwrap();
    assert_eq!(f32s(&same.flat().into_data()), values);
    assert_eq!(f32s(&doubled.flat().into_data()), values.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
}

#[test]
fn what_is_large_inside_runs_in_parts_unless_it_is_tapped() {
    let mut b = builder(2);
    // 4 MiB of an image inside the first stage: four images at once.
    let large = b.convolution(b.image(), Conv::new("large", Names::default(), 1 << 18, POINT));
    b.tap_on_request(large, "large", "L");
    let small = b.mean(large);
    let x = b.dense(small, "small", &Names::default(), 2);
    b.tap(x, "small", "S");
    let (stages, _) = load(&b.finish(None));
    assert_eq!(stages[0].drawn().part, 4);
    let forward = |wanted: &[&str]| {
        let mut taps = Taps::new(wanted.iter().map(|name| name.to_string()));
        let outputs = stages[0].forward(images(5, 2).1, &mut taps).last().flat().into_data();
        (outputs, taps.take().into_iter().map(|(name, tap)| (name, tap.dims())).collect::<Vec<_>>())
    };
    let (in_parts, seen) = forward(&["small"]);
    assert_eq!(seen, [("small".to_string(), [5, 2])]);
    let (whole, seen) = forward(&["small", "large"]);
    assert_eq!(seen, [("large".to_string(), [5, 1 << 20]), ("small".to_string(), [5, 2])]);
    in_parts.assert_approx_eq(&whole, burn::tensor::Tolerance::<f32>::default());
}

#[test]
fn a_stage_carries_all_that_later_ones_take() {
    let mut b = builder(2);
    let point = |name: &str, outputs| Conv::new(name, Names::default(), outputs, POINT);
    let a = b.convolution(b.image(), point("a", 4));
    let a = b.relu(a);
    let c = b.convolution(a, point("c", 4));
    b.tap(c, "c", "C");
    b.cut();
    let d = b.relu(c);
    b.cut();
    let sum = b.plus(d, a);
    let all = b.concatenate(&[sum, c]);
    b.tap(all, "all", "ALL");
    let blueprint = b.finish(None);
    let map = Shape::Map([4, 2, 2]);
    let carried: Vec<_> = blueprint.stages().into_iter().map(|stage| stage.carried).collect();
    assert_eq!(carried, [vec![map; 2], vec![map; 3], vec![Shape::Map([8, 2, 2])]]);
    let costs: Vec<_> = blueprint.stages().iter().map(|stage| stage.multiply_adds).collect();
    assert_eq!(costs, [4 * (12 + 16), 0, 0]);

    let (stages, _) = load(&blueprint);
    // The ReLU of `a` is done with it; that of `c` is not, which is a layer.
    assert_eq!(stages.iter().map(|stage| stage.drawn().steps.len()).collect::<Vec<_>>(), [2, 1, 2]);
    let mut taps = Taps::new(["c", "all"].map(String::from));
    let last = stages.iter().fold(images(3, 2).1, |batch, stage| stage.forward(batch, &mut taps)).last();
    let seen: Vec<_> = taps.take();
    assert_eq!(seen.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["c", "all"]);
    let (c, all) = (seen[0].1.clone().into_data(), last.flat().into_data());
    for (c, all) in f32s(&c).chunks(16).zip(f32s(&all).chunks(32)) {
        assert_eq!(c, &all[16..]);
        assert!(all[..16].iter().zip(c).all(|(sum, c)| *sum >= c.max(0.0)));
    }
}

#[test]
fn tokens_pass_as_maps_do() {
    let mut b = builder(4);
    let patches = b.convolution(b.image(), Conv::new("patches", Names::default(), 5, Window::square(2, 2, VALID)));
    let tokens = b.tokens(patches);
    b.tap(tokens, "tokens", "T");
    b.cut();
    let dense = b.dense(tokens, "dense", &Names::default(), 7);
    let sum = b.concatenate(&[dense, dense]);
    let mean = b.mean(sum);
    b.tap(mean, "mean", "M");
    let blueprint = b.finish(None);
    assert_eq!(blueprint.stages()[0].carried, [Shape::Tokens([4, 5])]);
    assert_eq!(blueprint.stages()[1].multiply_adds, 4 * 5 * 7);
    assert!(blueprint.facts().channels_last);

    let (stages, mut parameters) = load(&blueprint);
    let mut taps = Taps::new(["tokens", "mean"].map(String::from));
    stages.iter().fold(images(2, 4).1, |batch, stage| stage.forward(batch, &mut taps));
    let seen: Vec<_> = taps.take().into_iter().map(|(_, tap)| tap.into_data()).collect();
    let [weight, bias] = ["dense.weight", "dense.bias"].map(|name| parameters.get(name).unwrap());
    for (tokens, mean) in f32s(&seen[0]).chunks(4 * 5).zip(f32s(&seen[1]).chunks(7)) {
        for ((row, bias), mean) in f32s(&weight).chunks(5).zip(f32s(&bias)).zip(mean) {
            let dense = |token: &[f32]| bias + token.iter().zip(row).map(|(x, w)| x * w).sum::<f32>();
            let expected = tokens.chunks(5).map(dense).sum::<f32>() / 4.0;
            assert!((mean - expected).abs() <= FOLDED, "{mean} {expected}");
        }
    }
}

#[test]
fn a_depthwise_convolution_between_points_is_one_step_unless_what_is_between_is_a_layer() {
    let forward = |tapped: bool, steps: &[usize]| {
        let mut b = builder(6);
        let x = b.convolution(b.image(), Conv::new("x", Names::default(), 4, POINT));
        b.tap(x, "x", "X");
        b.cut();
        let wide = b.convolution(x, Conv::new("expand", Names::default(), 12, POINT));
        let wide = b.relu6(wide);
        if tapped {
            b.tap_on_request(wide, "wide", "W");
        }
        let window = Window::square(3, 1, [(1, 1); 2]);
        let mixed = b.convolution(wide, Conv { groups: 12, ..Conv::new("depthwise", Names::default(), 12, window) });
        let mixed = b.relu6(mixed);
        let y = b.convolution(mixed, Conv::new("project", Names::default(), 4, POINT));
        let y = b.plus(y, x);
        b.tap(y, "y", "Y");
        b.cut();
        // Without an expansion, and with nothing to add.
        let mixed = b.convolution(y, Conv { groups: 4, ..Conv::new("mixed", Names::default(), 4, window) });
        let z = b.convolution(mixed, Conv::new("z", Names::default(), 5, POINT));
        b.tap(z, "z", "Z");
        let (stages, _) = load(&b.finish(None));
        assert_eq!(stages.iter().map(|stage| stage.drawn().steps.len()).collect::<Vec<_>>(), steps);
        let mut taps = Taps::new(["y", "z"].map(String::from));
        stages.iter().fold(images(3, 6).1, |batch, stage| stage.forward(batch, &mut taps));
        taps.take().into_iter().map(|(_, tap)| f32s(&tap.into_data()).to_vec()).collect::<Vec<_>>()
    };
    let (one, three) = (forward(false, &[1, 1, 1]), forward(true, &[1, 2, 1]));
    assert_eq!(one, three);
    assert_eq!(one.iter().map(Vec::len).collect::<Vec<_>>(), [3 * 4 * 36, 3 * 5 * 36]);
}

#[test]
fn a_convolution_of_one_channel_is_no_depthwise_one() {
    let mut b = builder(4);
    let x = b.convolution(b.image(), Conv::new("one", Names::default(), 1, POINT));
    let x = b.convolution(x, Conv::new("around", Names::default(), 1, Window::square(3, 1, [(1, 1); 2])));
    let x = b.convolution(x, Conv::new("two", Names::default(), 2, POINT));
    b.tap(x, "two", "T");
    let (stages, _) = load(&b.finish(None));
    assert_eq!(stages[0].drawn().steps.len(), 3);
}

#[test]
fn convolutions_write_into_the_concatenation_unless_they_are_layers_or_taken_twice() {
    let forward = |tapped: bool| {
        let mut b = builder(10);
        let conv = |name: &str, outputs, window| Conv::new(name, Names::default(), outputs, window);
        let x = b.convolution(b.image(), conv("x", 17, POINT));
        let x = b.relu(x);
        let [point, wide] = [("point", 8, POINT), ("wide", 33, Window::square(3, 1, [(1, 1); 2]))];
        let [point, wide] = [point, wide].map(|(name, outputs, window)| {
            let y = b.convolution(x, conv(name, outputs, window));
            let y = b.relu(y);
            if tapped {
                b.tap_on_request(y, name, name);
            }
            y
        });
        let twice = b.convolution(x, conv("twice", 5, POINT));
        let pooled = b.max_pool(x, Window::square(3, 1, [(1, 1); 2]));
        let all = b.concatenate(&[twice, point, pooled, wide, twice]);
        b.tap(all, "all", "A");
        let (stages, _) = load(&b.finish(None));
        let parts = |step: &&Step| matches!(step.role, Role::Part { .. });
        assert_eq!(stages[0].drawn().steps.iter().filter(parts).count(), if tapped { 0 } else { 2 });
        let all = stages[0].forward(images(3, 10).1, &mut Taps::default()).last().flat().into_data();
        f32s(&all).to_vec()
    };
    let (written, copied) = (forward(false), forward(true));
    assert_eq!(written.len(), 3 * (5 + 8 + 17 + 33 + 5) * 100);
    assert_eq!(written, copied);
}

#[test]
fn a_transformers_residual_is_the_sum_and_its_scale_goes_into_the_weights() {
    let mut b = builder(2);
    let tokens = b.tokens(b.image());
    let normed = b.layer_norm(tokens, "norm", &Names::default(), 1e-6);
    let y = b.scaled_dense(normed, "dense", &Names::default(), 3, &[]);
    let sum = b.plus(y, tokens);
    b.tap(sum, "sum", "SUM");
    let blueprint = b.finish(None);
    let (stages, mut parameters) = load(&blueprint);
    let (values, batch) = images(1, 2);
    let mut taps = Taps::new(["sum".to_string()]).of(crate::nets::Token::Cls);
    let y = stages[0].forward(batch, &mut taps).last();
    assert_eq!(y.shape(), Shape::Tokens([4, 3]));
    let y = y.flat().into_data();
    let mut vector =
        |name: &str| f32s(&parameters.get(name).unwrap()).iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let (gamma, beta) = (vector("norm.gamma"), vector("norm.beta"));
    let (weight, bias, scale) = (vector("dense.weight"), vector("dense.bias"), vector("dense.scale"));
    for (place, y) in f32s(&y).chunks_exact(3).enumerate() {
        let x: Vec<f64> = (0..3).map(|channel| f64::from(values[channel * 4 + place])).collect();
        let mean = x.iter().sum::<f64>() / 3.0;
        let sd = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 3.0 + 1e-6).sqrt();
        let normed: Vec<f64> = (0..3).map(|n| (x[n] - mean) / sd * gamma[n] + beta[n]).collect();
        for out in 0..3 {
            let sum: f64 = (0..3).map(|n| weight[out * 3 + n] * normed[n]).sum();
            let expected = (sum + bias[out]) * scale[out] + x[out];
            assert!((f64::from(y[out]) - expected).abs() <= 4.0 * f64::from(FOLDED), "{place} {out}");
        }
    }
    // The first token alone is tested as the class token.
    let (name, tested) = taps.take().pop().unwrap();
    assert_eq!((name.as_str(), tested.dims()), ("sum", [1, 3]));
    assert_eq!(f32s(&tested.into_data()), &f32s(&y)[..3]);
}

#[test]
fn joined_batches_are_the_batch_of_all_their_images() {
    let (values, whole) = images(7, 4);
    let image = values.len() / 7;
    let parts = [0..2, 2..4, 4..6, 6..7].map(|range: Range<usize>| {
        let data = TensorData::new(values[range.start * image..range.end * image].to_vec(), [range.len(), 3, 4, 4]);
        // Two values alive at once, of different shapes.
        let map = Tensor::<4>::from_data(data, &Device::flex());
        let sums = map.clone().flatten::<2>(1, 3).sum_dim(1);
        Batch(vec![Activations::Map(map), Activations::Vector(sums)])
    });
    let joined = Batch::join(parts.to_vec(), 3);
    assert_eq!(joined.iter().map(Batch::images).collect::<Vec<_>>(), [6, 1]);
    let flat = |batches: Vec<Batch>, place: usize| {
        let all = batches.into_iter().flat_map(|batch| f32s(&batch.0[place].clone().flat().into_data()).to_vec());
        all.collect::<Vec<f32>>()
    };
    assert_eq!(flat(joined.clone(), 0), flat(vec![whole], 0));
    assert_eq!(flat(joined, 1), flat(parts.to_vec(), 1));
    assert_eq!(Batch::join(parts.to_vec(), 1).len(), 4);
}
