//! Maps that are pooled, resized and cut, against what can be computed by hand.

use super::super::drawing::{Drawing, SIZE};
use super::values::{compare, text, values};

/// `[images, 6, 4, 4]`.
fn small(d: &mut Drawing) -> String {
    d.conv("x", &[6, 3, 4, 4], 4, 0, 1)
}

#[test]
fn a_mean_counts_the_padding_but_not_what_rounding_up_adds() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[4, 3, 3, 3], 1, 1, 1);
    let settings: &[(&str, &[i64])] = &[
        ("kernel_shape", &[3, 3]),
        ("strides", &[2, 2]),
        ("pads", &[1; 4]),
        ("ceil_mode", &[1]),
        ("count_include_pad", &[1]),
    ];
    let y = d.set("AveragePool", &[&x], settings);
    let [x, y] = values(d, [&x, &y]);
    // The ninth window of a row begins at the last place of the map and ends with the padding.
    let padded = SIZE + 2;
    let expected = x.chunks(SIZE * SIZE).flat_map(|map| {
        let at = move |row: usize, column: usize| {
            let inside = (1..=SIZE).contains(&row) && (1..=SIZE).contains(&column);
            if inside { map[(row - 1) * SIZE + column - 1] } else { 0.0 }
        };
        (0..9 * 9).map(move |n| {
            let [rows, columns] = [n / 9, n % 9].map(|first| 2 * first..(2 * first + 3).min(padded));
            let count = rows.len() * columns.len();
            rows.flat_map(|row| columns.clone().map(move |column| at(row, column))).sum::<f32>() / count as f32
        })
    });
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn a_window_whose_taps_are_further_apart_than_the_map_is_wide_sees_one_place() {
    let settings: &[(&str, &[i64])] = &[("kernel_shape", &[3, 3]), ("pads", &[5; 4]), ("dilations", &[5, 5])];
    for operator in ["AveragePool", "MaxPool"] {
        let mut d = Drawing::default();
        let x = small(&mut d);
        let y = d.set(operator, &[&x], settings);
        let [x, y] = values(d, [&x, &y]);
        compare(&y, &x);
    }
}

#[test]
fn a_window_larger_than_the_map_is_the_map_where_their_number_is_rounded_up() {
    // Hugging Face's EfficientNet pools a map of few places by a window of as many as it has channels.
    let settings: &[(&str, &[i64])] =
        &[("kernel_shape", &[640, 640]), ("strides", &[640, 640]), ("ceil_mode", &[1]), ("count_include_pad", &[1])];
    // Of three by three taps with a place between, two by two are on the map.
    let dilated: &[(&str, &[i64])] =
        &[("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("dilations", &[2, 2]), ("ceil_mode", &[1])];
    let mean = |map: &[f32]| map.iter().sum::<f32>() / map.len() as f32;
    let largest = |map: &[f32]| map.iter().copied().fold(f32::MIN, f32::max);
    for operator in ["AveragePool", "MaxPool"] {
        let mut d = Drawing::default();
        let x = small(&mut d);
        let [all, some] = [settings, dilated].map(|settings| d.set(operator, &[&x], settings));
        let y = d.node("Add", &[&all, &some]);
        let [x, all, some, _] = values(d, [&x, &all, &some, &y]);
        let pool = |map: &[f32]| if operator == "MaxPool" { largest(map) } else { mean(map) };
        compare(&all, &x.chunks(16).map(pool).collect::<Vec<f32>>());
        let of_taps = |map: &[f32]| pool(&[0, 2, 8, 10].map(|place| map[place]));
        compare(&some, &x.chunks(16).map(of_taps).collect::<Vec<f32>>());
    }
}

#[test]
fn means_along_the_depth_are_of_neighbouring_channels() {
    let mut d = Drawing::default();
    let x = small(&mut d);
    let y = d.reshaped(&x, &[0, 1, 6, 4, 4]);
    let y = d.set("AveragePool", &[&y], &[("kernel_shape", &[3, 1, 1]), ("pads", &[0; 6])]);
    let y = d.reshaped(&y, &[0, 4, 4, 4]);
    let [x, y] = values(d, [&x, &y]);
    let expected = x
        .chunks(6 * 16)
        .flat_map(|image| (0..4 * 16).map(move |n| (0..3).map(|channel| image[n + 16 * channel]).sum::<f32>() / 3.0));
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn a_kernel_of_one_place_along_the_last_of_five_axes_sees_each_of_its_places_alone() {
    // LambdaNet's, here by steps of two down and with more below than above.
    let mut d = Drawing::default();
    let x = small(&mut d);
    let kernel: Vec<f32> = (0..5 * 2 * 3 * 2).map(|n| (n * 7 % 19) as f32 / 19.0 - 0.5).collect();
    let (weights, y) = (d.constant(kernel.clone(), &[5, 2, 3, 2, 1]), d.reshaped(&x, &[0, 2, 4, 4, 3]));
    let settings: &[(&str, &[i64])] =
        &[("strides", &[2, 1, 1]), ("dilations", &[1, 2, 1]), ("pads", &[1, 1, 0, 2, 0, 0])];
    let y = d.set("Conv", &[&y, &weights], settings);
    let [x, y] = values(d, [&x, &y]);
    let mut expected = Vec::new();
    for (image, out, row, column, last) in
        (0..2 * 5 * 3 * 3 * 3).map(|n| (n / 135, n / 27 % 5, n / 9 % 3, n / 3 % 3, n % 3))
    {
        let mut sum = 0.0;
        for (input, down, across) in (0..2 * 3 * 2).map(|n| (n / 6, n / 2 % 3, n % 2)) {
            let (row, column) = (2 * row + down, column + 2 * across);
            if (1..5).contains(&row) && (1..5).contains(&column) {
                let place = ((image * 2 + input) * 4 + row - 1) * 4 + column - 1;
                sum += kernel[(out * 2 + input) * 6 + down * 2 + across] * x[place * 3 + last];
            }
        }
        expected.push(sum);
    }
    compare(&y, &expected);
}

#[test]
fn windows_are_put_back_to_a_map_and_summed_where_they_overlap() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[18, 3, 4, 4], 4, 0, 1);
    let (columns, map, window) = (d.reshaped(&x, &[0, 18, 16]), d.whole(&[8, 7]), d.whole(&[3, 3]));
    let y = d.set("Col2Im", &[&columns, &map, &window], &[("strides", &[2, 2]), ("pads", &[1; 4])]);
    let [x, y] = values(d, [&x, &y]);
    let expected = x.chunks(18 * 16).flat_map(|image| {
        let mut y = vec![0.0; 2 * 8 * 7];
        for (n, value) in image.iter().enumerate() {
            let input = n / 16;
            let (row, column) = (n / 4 % 4 * 2 + input % 9 / 3, n % 4 * 2 + input % 3);
            if (1..=8).contains(&row) && (1..=7).contains(&column) {
                y[(input / 9 * 8 + row - 1) * 7 + column - 1] += value;
            }
        }
        y
    });
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn with_antialias_a_new_place_is_of_all_the_old_ones_around_it() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[4, 3, 3, 3], 1, 1, 1);
    let scales = d.constant(vec![1.0, 1.0, 0.25, 0.25], &[4]);
    let y = d.set("Resize", &[&x, "", &scales], &[("antialias", &[1]), ("exclude_outside", &[1])]);
    d.nodes.last_mut().unwrap().attribute.push(text("mode", "linear"));
    let [x, y] = values(d, [&x, &y]);
    // A triangle of eight places around the middle of every four, cut at the ends.
    let triangle = [1.0, 3.0, 5.0, 7.0, 7.0, 5.0, 3.0, 1.0];
    let weights = |new: usize| {
        let around = (0..8).filter_map(move |n| Some(((4 * new + n).checked_sub(2)?, triangle[n])));
        let within: Vec<(usize, f32)> = around.filter(|&(old, _)| old < SIZE).collect();
        let all: f32 = within.iter().map(|(_, weight)| weight).sum();
        within.into_iter().map(move |(old, weight)| (old, weight / all))
    };
    let expected = x.chunks(SIZE * SIZE).flat_map(|map| {
        (0..4 * 4).map(move |n| {
            let of_row = |(row, by): (usize, f32)| {
                weights(n % 4).map(move |(column, weight)| by * weight * map[row * SIZE + column]).sum::<f32>()
            };
            weights(n / 4).map(of_row).sum()
        })
    });
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn what_has_no_length_is_nothing_beside_another() {
    // As PyTorch writes a roll by no places.
    let mut d = Drawing::default();
    let x = small(&mut d);
    let [end, far, axis] = [4, i64::MAX, 2].map(|number| d.whole(&[number]));
    let none = d.node("Slice", &[&x, &end, &far, &axis]);
    let y = d.set("Concat", &[&none, &x], &[("axis", &[2])]);
    let [x, y] = values(d, [&x, &y]);
    assert_eq!(y, x);
}

#[test]
fn nothing_may_be_left_of_an_axis_of_one_place_and_of_what_is_cut_by_steps() {
    let mut d = Drawing::default();
    let x = small(&mut d);
    let one = d.conv(&x, &[1, 6, 1, 1], 1, 0, 1);
    let [first, end, axis] = [0, 0, 1].map(|number| d.whole(&[number]));
    let none = d.node("Slice", &[&one, &first, &end, &axis]);
    let same = d.set("Concat", &[&none, &x], &[("axis", &[1])]);
    let cut = |d: &mut Drawing, channels: [i64; 2]| {
        let numbers = [[channels[0], 0], [channels[1], 4], [1, 2], [1, 2]].map(|both| d.whole(&both));
        d.node("Slice", &[&same, &numbers[0], &numbers[1], &numbers[2], &numbers[3]])
    };
    let (none, half) = (cut(&mut d, [6, 9]), cut(&mut d, [0, 6]));
    let y = d.set("Concat", &[&half, &none], &[("axis", &[1])]);
    let [x, same, half, y] = values(d, [&x, &same, &half, &y]);
    assert_eq!(same, x);
    assert_eq!(y, half);
}

#[test]
fn lengths_and_nearest_places_are_those_of_single_precision() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[4, 3, 3, 3], 1, 1, 1);
    let [first, end, axis] = [0, 10, 3].map(|number| d.whole(&[number]));
    let x = d.node("Slice", &[&x, &first, &end, &axis]);
    let scales = d.constant(vec![1.0, 1.0, 0.6, 0.7], &[4]);
    let y = d.node("Resize", &[&x, "", &scales]);
    let settings = [("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")];
    d.nodes.last_mut().unwrap().attribute.extend(settings.map(|(name, value)| text(name, value)));
    let [x, y] = values(d, [&x, &y]);
    // 6 / f32(0.6) rounds to 10 and 10 f32(0.7) to 7, but both are less.
    let (rows, columns) = ([0, 1, 3, 5, 6, 8, 10, 11, 13], [0, 1, 2, 4, 5, 7, 8]);
    let expected = x.chunks(SIZE * 10).flat_map(|map| {
        rows.into_iter().flat_map(move |row| columns.into_iter().map(move |column| map[row * 10 + column]))
    });
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn the_nearest_place_of_tensorflow_is_that_below_the_middle() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[4, 3, 3, 3], 1, 1, 1);
    let scales = d.constant(vec![1.0, 1.0, 0.5, 0.375], &[4]);
    let y = d.node("Resize", &[&x, "", &scales]);
    let settings =
        [("mode", "nearest"), ("coordinate_transformation_mode", "tf_half_pixel_for_nn"), ("nearest_mode", "floor")];
    d.nodes.last_mut().unwrap().attribute.extend(settings.map(|(name, value)| text(name, value)));
    let [x, y] = values(d, [&x, &y]);
    // The places n + 1/2 by 2 and by 8/3.
    let expected = x.chunks(SIZE * SIZE).flat_map(|map| {
        let row = move |row: usize| [1, 4, 6, 9, 12, 14].map(|column| map[(2 * row + 1) * SIZE + column]);
        (0..SIZE / 2).flat_map(row)
    });
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn the_ends_of_a_transposed_convolution_may_lose_as_much_each_as_they_like() {
    let mut d = Drawing::default();
    let kernel = d.weights(&[3, 4, 3, 3]);
    let all = d.set("ConvTranspose", &["x", &kernel], &[("strides", &[2, 2])]);
    let cut = d.set("ConvTranspose", &["x", &kernel], &[("strides", &[2, 2]), ("pads", &[0, 2, 1, 1])]);
    d.beside.push(all.clone());
    let [all, cut] = values(d, [&all, &cut]);
    let side = 2 * SIZE + 1;
    let rows = all.chunks(side * side).flat_map(|map| map.chunks(side).take(side - 1));
    compare(&cut, &rows.flat_map(|row| row[2..side - 1].to_vec()).collect::<Vec<f32>>());
}

#[test]
fn triangles_of_masks_and_of_maps() {
    let mut d = Drawing::default();
    let (x, ones, next) = (small(&mut d), d.whole(&[1; 16]), d.whole(&[1]));
    let mask = d.reshaped(&ones, &[4, 4]);
    let mask = d.set("Trilu", &[&mask], &[("upper", &[0])]);
    let mask = d.set("Cast", &[&mask], &[("to", &[1])]);
    let below = d.node("Mul", &[&x, &mask]);
    let above = d.node("Trilu", &[&x, &next]);
    let y = d.node("Add", &[&below, &above]);
    let [x, below, y] = values(d, [&x, &below, &y]);
    assert_eq!(y, x);
    let expected = x.iter().enumerate().map(|(n, x)| if n % 4 <= n / 4 % 4 { *x } else { 0.0 });
    compare(&below, &expected.collect::<Vec<f32>>());
}

#[test]
fn an_equation_of_one_input_turns_it() {
    let mut d = Drawing::default();
    let x = small(&mut d);
    let turned = d.turned(&x, &[0, 2, 3, 1]);
    let y = d.node("Einsum", &[&x]);
    d.nodes.last_mut().unwrap().attribute.push(text("equation", "b c h w -> b h w c"));
    let all = d.node("Add", &[&turned, &y]);
    let [turned, y, _] = values(d, [&turned, &y, &all]);
    assert_eq!(y, turned);
}
