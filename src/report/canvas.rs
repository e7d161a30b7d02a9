//! A surface in the figure's pixels that draws alike on a bitmap and in an SVG.

use std::cell::RefCell;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, OutlinedGlyph, ScaleFont};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageEncoder, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform};

use crate::report::ReportError;
use crate::report::style::{PAPER, SIZE, Shape, WIDTH_MM};
use crate::results::write_atomically;

/// A back-end's or an encoder's error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DrawError(Box<dyn std::error::Error + Send + Sync>);

impl DrawError {
    fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}

/// A picture that can be drawn on any back-end.
pub trait Figure {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32) {
        SIZE
    }

    /// Draws it.
    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError>;
}

/// A plotters back-end whose errors can be kept.
pub trait Backend: DrawingBackend<ErrorType: 'static> {}

impl<B: DrawingBackend<ErrorType: 'static>> Backend for B {}

/// Back-end units per pixel: bitmaps are drawn larger and averaged down, which smooths their edges; the SVG's
/// coordinates, whole numbers, get finer.
const SCALE: u32 = 3;

/// Verdana has the same widths, where a reader of the SVG has no DejaVu.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
static REGULAR: LazyLock<FontRef> = LazyLock::new(|| font(include_bytes!("../../data/fonts/DejaVuSans.ttf")));
static BOLD: LazyLock<FontRef> = LazyLock::new(|| font(include_bytes!("../../data/fonts/DejaVuSans-Bold.ttf")));

fn font(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the fonts inside the program are valid")
}

/// Text of one size and colour.
#[derive(Clone, Copy)]
pub struct TextStyle {
    /// Height of an em.
    pub em: f64,
    /// Bold or regular.
    pub bold: bool,
    /// Its colour.
    pub color: RGBColor,
}

impl TextStyle {
    /// Regular text.
    pub const fn regular(em: f64, color: RGBColor) -> Self {
        Self { em, bold: false, color }
    }

    /// Bold text.
    pub const fn bold(em: f64, color: RGBColor) -> Self {
        Self { em, bold: true, color }
    }

    /// Width of a line of text.
    pub fn width(&self, text: &str) -> f64 {
        self.glyphs(text).1 / f64::from(SCALE)
    }

    /// The glyphs of a line of text from the origin along the baseline, and where the next would stand, in back-end
    /// units.
    fn glyphs(&self, text: &str) -> (Vec<OutlinedGlyph>, f64) {
        let font: &FontRef = if self.bold { &BOLD } else { &REGULAR };
        let em = self.em as f32 * SCALE as f32;
        // ab_glyph's scale is the height from descent to ascent.
        let font = font.as_scaled(em * font.height_unscaled() / font.units_per_em().unwrap_or(font.height_unscaled()));
        let mut outlines = Vec::new();
        let (mut x, mut last) = (0.0, None);
        for character in text.chars() {
            let glyph = font.scaled_glyph(character);
            let id = glyph.id;
            x += last.map_or(0.0, |last| font.kern(last, id));
            let placed = Glyph { position: ab_glyph::point(x, 0.0), ..glyph };
            outlines.extend(font.outline_glyph(placed));
            x += font.h_advance(id);
            last = Some(id);
        }
        (outlines, x.into())
    }
}

/// A point in the figure's pixels, from the upper left.
pub type Point = (f64, f64);

/// How a back-end takes text.
enum Letters {
    /// As coverage of pixels: plotters' own text on bitmaps ignores the glyphs' bearings.
    Pixels,
    /// As text, which stays text in the file.
    Text,
}

/// The surface of one figure.
pub struct Canvas<B: DrawingBackend> {
    area: DrawingArea<B, Shift>,
    letters: Letters,
    /// Elements of an SVG that plotters has no name for; they lie on top.
    images: RefCell<String>,
}

impl<B: Backend> Canvas<B> {
    fn new(backend: B, letters: Letters) -> Result<Self, DrawError> {
        let area = backend.into_drawing_area();
        area.fill(&PAPER).map_err(DrawError::new)?;
        Ok(Self { area, letters, images: RefCell::default() })
    }

    /// Ends the picture; returns what an SVG takes besides.
    fn finish(self) -> Result<String, DrawError> {
        self.area.present().map_err(DrawError::new)?;
        Ok(self.images.into_inner())
    }

    /// A small image, its pixels drawn as rectangles from `corner` over `width` and `height`.
    pub fn raster(&self, image: &RgbImage, corner: Point, width: f64, height: f64) -> Result<(), DrawError> {
        let (left, top) = units(corner);
        let (right, bottom) = units((corner.0 + width, corner.1 + height));
        let (wide, high) = ((right - left).max(1) as u32, (bottom - top).max(1) as u32);
        if let Letters::Text = self.letters {
            let png = STANDARD.encode(encoded(image)?);
            let written = writeln!(
                self.images.borrow_mut(),
                "<image x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{png}\"/>"
            );
            return written.map_err(DrawError::new);
        }
        for y in 0..high {
            for x in 0..wide {
                let [r, g, b] = image.get_pixel(x * image.width() / wide, y * image.height() / high).0;
                let at = (left + x as i32, top + y as i32);
                self.area.draw_pixel(at, &RGBColor(r, g, b)).map_err(DrawError::new)?;
            }
        }
        Ok(())
    }

    /// A line through `points`.
    pub fn line(&self, points: &[Point], width: u32, color: RGBColor) -> Result<(), DrawError> {
        let path: Vec<_> = points.iter().map(|&point| units(point)).collect();
        let style = color.stroke_width(width * SCALE);
        self.area.draw(&PathElement::new(path, style)).map_err(DrawError::new)
    }

    /// A line through `points`, broken into strokes: lengths of strokes and gaps in turn, none for a solid line.
    pub fn dashed(&self, points: &[Point], dash: &[f64], width: u32, color: RGBColor) -> Result<(), DrawError> {
        strokes(points, dash).iter().try_for_each(|stroke| self.line(stroke, width, color))
    }

    /// A filled polygon.
    pub fn polygon(&self, corners: &[Point], color: impl Color) -> Result<(), DrawError> {
        let corners: Vec<_> = corners.iter().map(|&corner| units(corner)).collect();
        self.area.draw(&Polygon::new(corners, color.to_rgba())).map_err(DrawError::new)
    }

    /// A marker, on a rim of paper that sets it off from lines; a hollow one is filled with paper.
    pub fn marker(
        &self,
        shape: Shape,
        centre: Point,
        radius: f64,
        color: RGBColor,
        filled: bool,
    ) -> Result<(), DrawError> {
        const RIM: f64 = 1.5;
        let outline = (radius * 0.32).max(3.0);
        self.shape(shape, centre, radius + RIM, PAPER)?;
        self.shape(shape, centre, radius, color)?;
        if !filled {
            self.shape(shape, centre, radius - outline, PAPER)?;
        }
        Ok(())
    }

    fn shape(&self, shape: Shape, (x, y): Point, radius: f64, color: RGBColor) -> Result<(), DrawError> {
        match shape {
            Shape::None => Ok(()),
            Shape::Circle => {
                let radius = (radius * f64::from(SCALE)).round() as u32;
                self.area.draw(&Circle::new(units((x, y)), radius, color.filled())).map_err(DrawError::new)
            }
            Shape::Polygon(corners) => {
                let corners: Vec<_> = corners.iter().map(|&(dx, dy)| (x + radius * dx, y + radius * dy)).collect();
                self.polygon(&corners, color)
            }
        }
    }

    /// A line of text whose baseline's left end, middle or right end is at `at`.
    pub fn text(&self, text: &str, style: TextStyle, at: Point, anchor: HPos) -> Result<(), DrawError> {
        self.place(text, style, at, anchor, FontTransform::None)
    }

    /// A line of text that reads upwards.
    pub fn text_upwards(&self, text: &str, style: TextStyle, at: Point, anchor: HPos) -> Result<(), DrawError> {
        self.place(text, style, at, anchor, FontTransform::Rotate270)
    }

    fn place(
        &self,
        text: &str,
        style: TextStyle,
        at: Point,
        anchor: HPos,
        turn: FontTransform,
    ) -> Result<(), DrawError> {
        match self.letters {
            Letters::Pixels => self.place_pixels(text, style, at, anchor, turn),
            Letters::Text => self.place_text(text, style, at, anchor, turn),
        }
    }

    fn place_pixels(
        &self,
        text: &str,
        style: TextStyle,
        at: Point,
        anchor: HPos,
        turn: FontTransform,
    ) -> Result<(), DrawError> {
        let (glyphs, width) = style.glyphs(text);
        let shift = match anchor {
            HPos::Left => 0.0,
            HPos::Center => width / 2.0,
            HPos::Right => width,
        };
        let (x, y) = units(at);
        let mut drawn = Ok(());
        for glyph in glyphs {
            let corner = glyph.px_bounds().min;
            let (left, top) = ((f64::from(corner.x) - shift).round() as i32, corner.y as i32);
            glyph.draw(|column, row, coverage| {
                let (dx, dy) = turn.transform(left + column as i32, top + row as i32);
                if drawn.is_ok() {
                    drawn = self.area.draw_pixel((x + dx, y + dy), &style.color.mix(coverage.into()));
                }
            });
        }
        drawn.map_err(DrawError::new)
    }

    fn place_text(
        &self,
        text: &str,
        style: TextStyle,
        at: Point,
        anchor: HPos,
        turn: FontTransform,
    ) -> Result<(), DrawError> {
        // plotters-svg divides the size by 1.24 and sets the baseline of text hung by its top 0.76 em lower.
        let (dx, dy) = match turn {
            FontTransform::Rotate270 => (0.76 * style.em, 0.0),
            _ => (0.0, 0.76 * style.em),
        };
        let weight = if style.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::Name(FAMILY), 1.24 * style.em * f64::from(SCALE), weight);
        let font = font.transform(turn).color(&style.color).pos(Pos::new(anchor, VPos::Top));
        self.area.draw(&Text::new(text, units((at.0 - dx, at.1 - dy)), font)).map_err(DrawError::new)
    }
}

fn units((x, y): Point) -> (i32, i32) {
    let scale = f64::from(SCALE);
    ((x * scale).round() as i32, (y * scale).round() as i32)
}

/// Cuts the line through `points` into the strokes of `dash`; the pattern runs on around corners.
fn strokes(points: &[Point], dash: &[f64]) -> Vec<Vec<Point>> {
    let (Some(&first), false) = (points.first(), dash.is_empty()) else {
        return vec![points.to_vec()];
    };
    let mut strokes = Vec::new();
    let mut stroke = vec![first];
    let (mut part, mut left) = (0, dash[0]);
    for ends in points.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                stroke.push(to);
                break;
            }
            from = (from.0 + (to.0 - from.0) * left / length, from.1 + (to.1 - from.1) * left / length);
            stroke.push(from);
            if part % 2 == 0 {
                strokes.push(std::mem::take(&mut stroke));
            }
            stroke = vec![from];
            part += 1;
            left = dash[part % dash.len()];
        }
    }
    if part % 2 == 0 {
        strokes.push(stroke);
    }
    strokes
}

/// Draws `figure` as `<directory>/<stem>.png` and `.svg`; returns the two paths.
pub fn write_figure(figure: &impl Figure, directory: &Path, stem: &str) -> Result<Vec<PathBuf>, ReportError> {
    let png_path = directory.join(format!("{stem}.png"));
    let svg_path = directory.join(format!("{stem}.svg"));
    let png = png(figure).map_err(|source| ReportError::Draw { path: png_path.clone(), source })?;
    let svg = svg(figure).map_err(|source| ReportError::Draw { path: svg_path.clone(), source })?;
    write_atomically(&png_path, |file| file.write_all(&png))?;
    write_atomically(&svg_path, |file| file.write_all(svg.as_bytes()))?;
    Ok(vec![png_path, svg_path])
}

fn png(figure: &impl Figure) -> Result<Vec<u8>, DrawError> {
    let size = figure.size();
    let (width, height) = (size.0 * SCALE, size.1 * SCALE);
    let mut pixels = RgbImage::new(width, height);
    let canvas = Canvas::new(BitMapBackend::with_buffer(&mut pixels, (width, height)), Letters::Pixels)?;
    figure.draw(&canvas)?;
    canvas.finish()?;
    encoded(&image::imageops::thumbnail(&pixels, size.0, size.1))
}

fn encoded(pixels: &RgbImage) -> Result<Vec<u8>, DrawError> {
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(pixels, pixels.width(), pixels.height(), image::ExtendedColorType::Rgb8)
        .map_err(DrawError::new)?;
    Ok(png)
}

/// The figure as an SVG document.
pub fn svg(figure: &impl Figure) -> Result<String, DrawError> {
    let size = figure.size();
    let (width, height) = (size.0 * SCALE, size.1 * SCALE);
    let mut svg = String::new();
    let canvas = Canvas::new(SVGBackend::with_string(&mut svg, (width, height)), Letters::Text)?;
    figure.draw(&canvas)?;
    let images = canvas.finish()?;
    // The document gets its size in print; the coordinates stay.
    let [width_mm, height_mm] = [size.0, size.1].map(|pixels| WIDTH_MM * f64::from(pixels) / f64::from(SIZE.0));
    let units = format!("width=\"{width}\" height=\"{height}\"");
    let svg = svg.replacen(&units, &format!("width=\"{width_mm}mm\" height=\"{height_mm}mm\""), 1);
    Ok(svg.replacen("</svg>", &format!("{images}</svg>"), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_run_on_around_corners() {
        let corner = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)];
        assert_eq!(strokes(&corner, &[]), [corner.to_vec()]);
        let expected =
            [vec![(0.0, 0.0), (3.0, 0.0)], vec![(4.0, 0.0), (5.0, 0.0), (5.0, 2.0)], vec![(5.0, 3.0), (5.0, 5.0)]];
        assert_eq!(strokes(&corner, &[3.0, 1.0]), expected);
    }

    #[test]
    fn text_is_as_wide_as_its_advances() {
        // DejaVu Sans: a digit advances by 1303 of 2048 units.
        let width = TextStyle::regular(2048.0, PAPER).width("00");
        assert!((width - 2606.0).abs() < 0.01, "{width}");
    }
}
