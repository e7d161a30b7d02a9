//! Pillow's resampling to the bit, since published networks were trained and evaluated on its output.
//!
//! Nearest neighbour takes the pixel under each output pixel's centre. Bilinear and bicubic (a = -0.5) are separable
//! convolutions whose filter widens with the reduction (antialias); weights are rounded to 22 fractional bits, rows are
//! convolved first and rounded to bytes, then columns. Only what a crop keeps is computed.

use std::ops::Range;

use super::{Framing, Resize, Rgb};

/// Fractional bits of a weight: 32 less 8 for the pixel and 2 for sums beyond 0..=255.
const WEIGHT_BITS: u32 = 22;

/// Pixels that are held between the two convolutions: rows are widened before they are fewer, and those of a narrow image are many.
const HELD: usize = 1 << 24;

/// RGB bytes, `[size, size, 3]`.
pub(super) fn resize(image: &Rgb, Framing { size, resize, crop_pct }: Framing) -> Vec<u8> {
    let (x, y) = match resize {
        Resize::SquashNearest | Resize::SquashBilinear | Resize::SquashBicubic => {
            (Axis::whole(image.width, size), Axis::whole(image.height, size))
        }
        Resize::CropBilinear | Resize::CropBicubic => {
            let (width, height) = shorter_side_to(image, (size as f64 / crop_pct).round_ties_even() as usize);
            (Axis::centre(image.width, width, size), Axis::centre(image.height, height, size))
        }
    };
    match resize {
        Resize::SquashNearest => nearest(image, &x, &y),
        Resize::SquashBilinear | Resize::CropBilinear => convolve(image, &x, &y, &BILINEAR),
        Resize::SquashBicubic | Resize::CropBicubic => convolve(image, &x, &y, &BICUBIC),
    }
}

/// torchvision's `Resize(shorter)`: the longer side is truncated, so 500 x 375 becomes 341 x 256.
fn shorter_side_to(image: &Rgb, shorter: usize) -> (usize, usize) {
    if image.width <= image.height {
        (shorter, shorter * image.height / image.width)
    } else {
        (shorter * image.width / image.height, shorter)
    }
}

/// One axis of a resize: `from` pixels become `to`, of which `kept` are wanted.
struct Axis {
    from: usize,
    to: usize,
    kept: Range<usize>,
}

impl Axis {
    fn whole(from: usize, to: usize) -> Self {
        Self { from, to, kept: 0..to }
    }

    /// torchvision's `CenterCrop`: a half is rounded to even, as Python's `round` does.
    fn centre(from: usize, to: usize, size: usize) -> Self {
        let start = ((to - size) as f64 / 2.0).round_ties_even() as usize;
        Self { from, to, kept: start..start + size }
    }

    /// Input pixels per output pixel.
    fn scale(&self) -> f64 {
        self.from as f64 / self.to as f64
    }

    /// The input pixel of each kept output pixel.
    ///
    /// Pillow adds up the positions in `f64`; where `(i + 0.5) * from / to` is whole (256 to 224: every seventh pixel),
    /// its sum may stay a rounding error below and the pixel before is taken.
    fn nearest(&self) -> Vec<usize> {
        let positions = std::iter::successors(Some(self.scale() * 0.5), |position| Some(position + self.scale()));
        let sources: Vec<usize> = positions.take(self.kept.end).map(|at| (at as usize).min(self.from - 1)).collect();
        sources[self.kept.clone()].to_vec()
    }

    /// The input pixels that make each kept output pixel, with their weights.
    fn weights(&self, filter: &Filter) -> Vec<Weights> {
        let widening = self.scale().max(1.0);
        let support = filter.support * widening;
        let weigh = |i: usize| {
            let centre = (i as f64 + 0.5) * self.scale();
            // A cast saturates: positions before the first pixel become 0.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(self.from);
            let exact: Vec<f64> =
                (start..end).map(|j| (filter.weight)((j as f64 - centre + 0.5) * (1.0 / widening))).collect();
            let sum: f64 = exact.iter().sum();
            let weights = exact.iter().map(|weight| fixed_point(weight / sum)).collect();
            Weights { start, weights }
        };
        self.kept.clone().map(weigh).collect()
    }
}

/// Rounded half away from zero.
fn fixed_point(weight: f64) -> i32 {
    (weight * f64::from(1 << WEIGHT_BITS) + 0.5f64.copysign(weight)) as i32
}

/// The weights of consecutive input pixels from `start` on.
struct Weights {
    start: usize,
    weights: Vec<i32>,
}

impl Weights {
    fn pixels(&self) -> Range<usize> {
        self.start..self.start + self.weights.len()
    }
}

/// A filter over distances in output pixels; zero beyond `support`.
struct Filter {
    support: f64,
    weight: fn(f64) -> f64,
}

const BILINEAR: Filter = Filter { support: 1.0, weight: |x| (1.0 - x.abs()).max(0.0) };

const BICUBIC: Filter = Filter { support: 2.0, weight: |x| cubic(-0.5, x) };

/// Keys' filter (1981).
pub(crate) fn cubic(a: f64, distance: f64) -> f64 {
    match distance.abs() {
        x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
        _ => 0.0,
    }
}

fn nearest(image: &Rgb, x: &Axis, y: &Axis) -> Vec<u8> {
    let (pixels, _) = image.bytes.as_chunks::<3>();
    let columns = x.nearest();
    y.nearest()
        .into_iter()
        .map(|row| &pixels[row * image.width..][..image.width])
        .flat_map(|row| columns.iter().flat_map(|&column| row[column]))
        .collect()
}

fn convolve(image: &Rgb, x: &Axis, y: &Axis, filter: &Filter) -> Vec<u8> {
    let (columns, rows) = (x.weights(filter), y.weights(filter));
    let width = columns.len();
    let first = rows.first().map_or(0, |weights| weights.start);
    let last = rows.last().map_or(0, |weights| weights.pixels().end);

    let (pixels, _) = image.bytes.as_chunks::<3>();
    let mut resized = vec![[0; 3]; rows.len() * width];
    let at_once = (HELD / (last - first).max(1)).max(1);
    for (part, columns) in columns.chunks(at_once).enumerate() {
        let mut narrowed: Vec<[u8; 3]> = Vec::with_capacity((last - first) * columns.len());
        for row in pixels.chunks_exact(image.width).take(last).skip(first) {
            narrowed.extend(columns.iter().map(|column| weighted_sum(&column.weights, row[column.pixels()].iter())));
        }
        for (row, resized) in rows.iter().zip(resized.chunks_exact_mut(width)) {
            let above = &narrowed[(row.start - first) * columns.len()..];
            for (column, pixel) in resized[part * at_once..][..columns.len()].iter_mut().enumerate() {
                *pixel = weighted_sum(&row.weights, above[column..].iter().step_by(columns.len()));
            }
        }
    }
    resized.into_flattened()
}

fn weighted_sum<'a>(weights: &[i32], pixels: impl Iterator<Item = &'a [u8; 3]>) -> [u8; 3] {
    let mut sums = [1 << (WEIGHT_BITS - 1); 3];
    for (weight, pixel) in weights.iter().zip(pixels) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += weight * i32::from(value);
        }
    }
    sums.map(|sum: i32| (sum >> WEIGHT_BITS).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fnv1a(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// The first `n` random bytes of `name`, by the recipe in `tests/golden/README.md`.
    fn random_bytes(name: &str, n: u32) -> Vec<u8> {
        let lowbias32 = |mut x: u32| {
            x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
            x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
            x ^ (x >> 16)
        };
        let hash = fnv1a(name.as_bytes());
        (0..n).map(|i| (lowbias32(hash.wrapping_add(i.wrapping_mul(0x9e37_79b9))) >> 24) as u8).collect()
    }

    /// Test image `n`: squares of 32 pixels under noise.
    fn image(n: u64, width: usize, height: usize) -> Rgb {
        let fine = random_bytes(&format!("image{n}"), (width * height * 3) as u32);
        let coarse = random_bytes(&format!("image{n}.coarse"), 64 * 64 * 3);
        let mut bytes = Vec::with_capacity(fine.len());
        for y in 0..height {
            for x in 0..width {
                for c in 0..3 {
                    let square = u32::from(coarse[((y / 32) * 64 + x / 32) * 3 + c]);
                    bytes.push(((3 * square + u32::from(fine[(y * width + x) * 3 + c])) >> 2) as u8);
                }
            }
        }
        Rgb { width, height, bytes }
    }

    fn golden(name: &str) -> Value {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Holds `bytes` to a golden case: single values first, since they say more than a hash.
    fn assert_golden(name: &str, case: &Value, bytes: &[u8]) {
        for pair in case["values"].as_array().unwrap() {
            let index = pair[0].as_u64().unwrap() as usize;
            assert_eq!(u64::from(bytes[index]), pair[1].as_u64().unwrap(), "{name}: value {index}");
        }
        assert_eq!(format!("{:08x}", fnv1a(bytes)), case["fnv1a32"].as_str().unwrap(), "{name}");
    }

    #[test]
    fn equals_keras_and_torchvision() {
        let source = image(2, 500, 375);
        let cases = golden("resize.json")["cases"].clone();
        for size in [224, 299] {
            for (filter, rule) in [("nearest", Resize::SquashNearest), ("bilinear", Resize::SquashBilinear)] {
                let name = format!("keras_{filter}_{size}");
                assert_golden(&name, &cases[&name], &resize(&source, Framing { size, resize: rule, crop_pct: 0.875 }));
            }
        }
        for (shorter, size) in [(256, 224), (342, 299)] {
            let name = format!("torchvision_pil_resize{shorter}");
            let (width, height) = shorter_side_to(&source, shorter);
            assert_eq!(cases[&name]["shape"], serde_json::json!([height, width, 3]));
            let (x, y) = (Axis::whole(500, width), Axis::whole(375, height));
            assert_golden(&name, &cases[&name], &convolve(&source, &x, &y, &BILINEAR));
            let name = format!("{name}_crop{size}");
            assert_golden(
                &name,
                &cases[&name],
                &resize(&source, Framing { size, resize: Resize::CropBilinear, crop_pct: 0.875 }),
            );
        }
    }

    #[test]
    fn equals_pillow_on_every_rule() {
        for case in golden("resize_pillow.json").as_array().unwrap() {
            let number = |key: &str| case[key].as_u64().unwrap() as usize;
            let rule = serde_json::from_value(case["rule"].clone()).unwrap();
            let crop_pct = case["crop_pct"].as_f64().unwrap();
            let source = image(case["image"].as_u64().unwrap(), number("width"), number("height"));
            let resized = resize(&source, Framing { size: number("size"), resize: rule, crop_pct });
            assert_golden(&case.to_string(), case, &resized);
        }
    }

    #[test]
    fn three_pixels_to_two_by_hand() {
        let image = Rgb { width: 3, height: 1, bytes: vec![0, 0, 0, 90, 90, 90, 200, 200, 200] };
        // Centres at 0.75 and 2.25: the pixels 0 and 2.
        assert_eq!(nearest(&image, &Axis::whole(3, 2), &Axis::whole(1, 1)), [0, 0, 0, 200, 200, 200]);
        // Distances of pixel centres from 0.75, in output pixels: 1/6, 1/2, 7/6 (outside): weights 5/8 and 3/8.
        let bilinear = convolve(&image, &Axis::whole(3, 2), &Axis::whole(1, 1), &BILINEAR);
        assert_eq!(bilinear, [34, 34, 34, 159, 159, 159]);
    }

    #[test]
    fn the_crop_is_a_part_of_the_whole() {
        let source = image(5, 97, 61);
        let (width, height) = shorter_side_to(&source, 37);
        let whole = convolve(&source, &Axis::whole(97, width), &Axis::whole(61, height), &BICUBIC);
        let (x, y) = (Axis::centre(97, width, 32), Axis::centre(61, height, 32));
        // 37 - 32 = 5: half of it, 2.5, is rounded to even.
        assert_eq!((width, y.kept.start), (58, 2));
        let cropped = convolve(&source, &x, &y, &BICUBIC);
        for (row, line) in cropped.chunks_exact(32 * 3).enumerate() {
            let start = ((y.kept.start + row) * width + x.kept.start) * 3;
            assert_eq!(line, &whole[start..start + 32 * 3]);
        }
    }

    #[test]
    fn a_narrow_image_is_widened_some_columns_at_a_time() {
        // 33, and the rest of 40.
        let height = HELD / 33;
        let bytes = (0..height).flat_map(|row| [(row % 251) as u8; 3]).collect();
        let image = Rgb { width: 1, height, bytes };
        let rows = Axis::whole(height, 2);
        let narrow = convolve(&image, &Axis::whole(1, 1), &rows, &BILINEAR);
        let wide = convolve(&image, &Axis::whole(1, 40), &rows, &BILINEAR);
        assert_eq!(wide, [narrow[..3].repeat(40), narrow[3..].repeat(40)].concat());
    }

    #[test]
    fn a_single_pixel_fills_the_image() {
        let pixel = Rgb { width: 1, height: 1, bytes: vec![1, 2, 3] };
        for rule in [
            Resize::SquashNearest,
            Resize::SquashBilinear,
            Resize::SquashBicubic,
            Resize::CropBilinear,
            Resize::CropBicubic,
        ] {
            assert_eq!(resize(&pixel, Framing { size: 5, resize: rule, crop_pct: 0.875 }), [1, 2, 3].repeat(25));
        }
    }
}
