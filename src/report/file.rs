//! Drawings as files: SVG, PNG and PDF, all of the same size in print.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};

use crate::error::Error;
use crate::progress::Interrupt;
use crate::report::canvas::Picture;
use crate::report::ink::{Ink, Segment};
use crate::report::style::{Color, WIDTH, WIDTH_MM};
use crate::report::{Drawing, ReportError, Style, pdf};
use crate::results::{MADE, ResultsDir, figure_files, write_atomically};

/// Writes every drawing as `<directory>/figures/<stem>.png`, `.svg` and `.pdf`; returns the files.
///
/// # Errors
/// A picture that cannot be encoded or written; [`Error::Interrupted`].
pub fn write(
    drawings: &[Drawing],
    style: Style,
    directory: &Path,
    interrupt: &Interrupt,
) -> Result<Vec<PathBuf>, Error> {
    let directory = ResultsDir::new(directory);
    let paths = drawings.par_iter().map(|Drawing { stem, picture, .. }| {
        interrupt.check()?;
        let plain = (style == Style::Plain).then(|| picture.plain());
        Ok(write_one(plain.as_ref().unwrap_or(picture), figure_files(&directory, stem))?)
    });
    Ok(paths.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

/// Writes a picture as PNG, SVG and PDF into the files of these formats.
fn write_one(picture: &Picture, paths: [PathBuf; 3]) -> Result<[PathBuf; 3], ReportError> {
    let failed = |path: &PathBuf, source| ReportError::Draw { path: path.clone(), source };
    let png = png(picture).map_err(|source| failed(&paths[0], source))?;
    let pdf = pdf::document(picture).map_err(|source| failed(&paths[2], source.into()))?;
    let svg = format!("<!-- {MADE} -->\n{}", picture.svg);
    for (path, bytes) in paths.iter().zip([&png, svg.as_bytes(), &pdf]) {
        write_atomically(path, |file| file.write_all(bytes))?;
    }
    Ok(paths)
}

fn png(picture: &Picture) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let (width, height) = (WIDTH as u32, picture.height as u32);
    let mut pixels =
        Pixmap::new(width, height).ok_or_else(|| format!("no picture of {width} x {height} pixels can be made"))?;
    pixels.fill(tiny_skia::Color::WHITE);
    picture.ink.iter().for_each(|ink| paint(&mut pixels, ink));

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let per_metre = (1000.0 * WIDTH / WIDTH_MM).round() as u32;
    encoder.add_text_chunk("Software".to_string(), MADE.to_string())?;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    // On paper everything is opaque.
    let rgb: Vec<u8> = pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}

fn paint(pixels: &mut Pixmap, ink: &Ink) {
    let of = |Color(r, g, b): Color, opacity: f64| {
        let mut paint = Paint::default();
        paint.set_color_rgba8(r, g, b, (255.0 * opacity).round() as u8);
        paint
    };
    match ink {
        Ink::Fill { path, color, opacity } => {
            if let Some(path) = outline(path) {
                pixels.fill_path(&path, &of(*color, *opacity), FillRule::Winding, Transform::identity(), None);
            }
        }
        Ink::Stroke { path, dash, width, color } => {
            if let Some(path) = outline(path) {
                let dash = StrokeDash::new(dash.iter().map(|&length| length as f32).collect(), 0.0);
                let stroke = Stroke { width: *width as f32, dash, ..Stroke::default() };
                pixels.stroke_path(&path, &of(*color, 1.0), &stroke, Transform::identity(), None);
            }
        }
        Ink::Image { image, corner, size } => {
            let edge = |at: f64, most: u32| (at.round().max(0.0) as u32).min(most);
            let (width, height) = (pixels.width(), pixels.height());
            let (left, right) = (edge(corner.0, width), edge(corner.0 + size.0, width));
            let (top, bottom) = (edge(corner.1, height), edge(corner.1 + size.1, height));
            for (y, x) in (top..bottom).flat_map(|y| (left..right).map(move |x| (y, x))) {
                let from = ((x - left) * image.width() / (right - left), (y - top) * image.height() / (bottom - top));
                let [r, g, b] = image.get_pixel(from.0, from.1).0;
                let at = 4 * (y * width + x) as usize;
                pixels.data_mut()[at..at + 4].copy_from_slice(&[r, g, b, 255]);
            }
        }
    }
}

/// None for an empty path.
fn outline(segments: &[Segment]) -> Option<tiny_skia::Path> {
    let mut path = PathBuilder::new();
    for &segment in segments {
        match segment {
            Segment::Move((x, y)) => path.move_to(x as f32, y as f32),
            Segment::Line((x, y)) => path.line_to(x as f32, y as f32),
            Segment::Curve(a, b, to) => {
                path.cubic_to(a.0 as f32, a.1 as f32, b.0 as f32, b.1 as f32, to.0 as f32, to.1 as f32);
            }
            Segment::Close => path.close(),
        }
    }
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::canvas::{Anchor, Canvas, TextStyle};
    use crate::report::style::INK;
    use crate::results::is_marked;

    fn drawing() -> Drawing {
        let mut canvas = Canvas::new(1000.0);
        canvas.polygon(&[(0.0, 0.0), (800.0, 0.0), (800.0, 500.0), (0.0, 500.0)], INK, 1.0);
        canvas.text("layer", TextStyle::regular(100.0, INK), (900.0, 900.0), Anchor::Start);
        let red = image::RgbImage::from_pixel(2, 1, image::Rgb([255, 0, 0]));
        canvas.raster(&red, (100.0, 600.0), 50.0, 50.0);
        Drawing { stem: "a".into(), network: String::new(), text: String::new(), picture: canvas.finish() }
    }

    #[test]
    fn a_drawing_becomes_three_files_of_one_size() {
        let directory = tempfile::tempdir().unwrap();
        let paths = write(&[drawing()], Style::Full, directory.path(), &Interrupt::default()).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.png", "a.svg", "a.pdf"]);
        assert!(paths.iter().all(|path| is_marked(path)));
        let picture = image::open(&paths[0]).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (1600, 1000));
        let at = |x, y| picture.get_pixel(x, y).0;
        assert_eq!(
            [at(400, 250), at(1200, 250), at(149, 649), at(150, 650)],
            [[0x22; 3], [0xFF; 3], [255, 0, 0], [0xFF; 3]]
        );
        let of_text =
            |(x, y, pixel): (u32, u32, &image::Rgb<u8>)| x > 900 && (800..900).contains(&y) && pixel.0 == [0x22; 3];
        assert!(picture.enumerate_pixels().filter(|&pixel| of_text(pixel)).count() > 1000);
        let bytes = std::fs::read(&paths[0]).unwrap();
        let at = bytes.windows(4).position(|name| name == b"pHYs").unwrap();
        // 1600 pixels in 85 mm.
        assert_eq!(bytes[at + 4..at + 13], [0, 0, 73, 136, 0, 0, 73, 136, 1]);
    }

    #[test]
    fn the_same_drawing_gives_the_same_bytes() {
        let bytes = || {
            let directory = tempfile::tempdir().unwrap();
            let paths = write(&[drawing()], Style::Full, directory.path(), &Interrupt::default()).unwrap();
            paths.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(), bytes());
    }
}
