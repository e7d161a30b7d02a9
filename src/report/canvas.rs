//! A surface in the figure's pixels: what is drawn becomes an SVG, whose text is text, and ink for other pictures.

use std::fmt::{self, Display, Write};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageEncoder, RgbImage};
use ttf_parser::Face;

use crate::fonts::{BOLD, REGULAR};
use crate::report::ink::{self, Ink};
use crate::report::style::{Color, PAPER, Shape, WIDTH, WIDTH_MM};

/// Verdana has the same widths, where a reader of the SVG has no DejaVu.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Text of one size and colour.
#[derive(Clone, Copy)]
pub struct TextStyle {
    /// Height of an em.
    pub em: f64,
    /// Bold or regular.
    pub bold: bool,
    /// Its colour.
    pub color: Color,
}

impl TextStyle {
    /// Regular text.
    pub const fn regular(em: f64, color: Color) -> Self {
        Self { em, bold: false, color }
    }

    /// Bold text.
    pub const fn bold(em: f64, color: Color) -> Self {
        Self { em, bold: true, color }
    }

    fn face(&self) -> &'static Face<'static> {
        if self.bold { &BOLD } else { &REGULAR }
    }

    /// Width of a line of text, without kerning.
    pub fn width(&self, text: &str) -> f64 {
        let face = self.face();
        let advance = |character| face.glyph_hor_advance(face.glyph_index(character).unwrap_or_default());
        let units: f64 = text.chars().map(|character| f64::from(advance(character).unwrap_or(0))).sum();
        units * self.em / f64::from(face.units_per_em())
    }
}

/// A point in the figure's pixels, from the upper left.
pub type Point = (f64, f64);

/// Which part of a line of text stands at its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A finished figure.
pub struct Picture {
    /// As a document.
    pub svg: String,
    /// As strokes and fills on paper.
    pub ink: Vec<Ink>,
    /// Height in pixels; the width is every figure's.
    pub height: f64,
    /// How long the beginning of the SVG is, before anything is drawn.
    head: usize,
    around: Vec<Around>,
}

/// A title or notes: a part of a picture's SVG and ink.
struct Around {
    svg: Range<usize>,
    ink: Range<usize>,
    edge: Edge,
}

/// Where what stands around a figure ends or begins.
#[derive(Clone, Copy)]
pub enum Edge {
    /// All above this height.
    Above(f64),
    /// All below.
    Below(f64),
}

impl Picture {
    /// Without title and notes, and without the space that they take.
    pub fn plain(&self) -> Self {
        let (mut top, mut bottom) = (0.0_f64, self.height);
        for Around { edge, .. } in &self.around {
            match *edge {
                Edge::Above(height) => top = top.max(height.floor()),
                Edge::Below(height) => bottom = bottom.min(height.ceil()),
            }
        }
        let mut svg = head(top, bottom);
        let head = svg.len();
        let mut drawn = self.head;
        for Around { svg: left_out, .. } in &self.around {
            svg += &self.svg[drawn..left_out.start];
            drawn = left_out.end;
        }
        svg += &self.svg[drawn..];
        let is_drawn = |n: &usize| !self.around.iter().any(|around| around.ink.contains(n));
        let ink = (0..self.ink.len()).filter(is_drawn).map(|n| self.ink[n].raised(top)).collect();
        Self { svg, ink, height: bottom - top, head, around: Vec::new() }
    }
}

/// How an SVG begins that shows what is drawn between two heights.
fn head(top: f64, bottom: f64) -> String {
    let height = bottom - top;
    let height_mm = Short(WIDTH_MM * height / WIDTH);
    let place = if top > 0.0 { format!(" y=\"{top}\"") } else { String::new() };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH_MM}mm\" height=\"{height_mm}mm\" viewBox=\"0 {top} {WIDTH} \
         {height}\" font-family=\"{FAMILY}\">\n<rect{place} width=\"{WIDTH}\" height=\"{height}\" fill=\"{PAPER}\"/>\n"
    )
}

/// The surface of one figure.
pub struct Canvas(Picture);

impl Canvas {
    /// An empty page, `height` pixels high and as wide as every figure.
    pub fn new(height: f64) -> Self {
        let height = height.ceil();
        let svg = head(0.0, height);
        Self(Picture { head: svg.len(), svg, ink: Vec::new(), height, around: Vec::new() })
    }

    /// The figure.
    pub fn finish(mut self) -> Picture {
        self.0.svg += "</svg>\n";
        self.0
    }

    fn write(&mut self, element: fmt::Arguments) {
        self.0.svg.write_fmt(element).expect("a String takes everything");
        self.0.svg.push('\n');
    }

    fn fill(&mut self, path: Vec<ink::Segment>, color: Color, opacity: f64) {
        self.0.ink.push(Ink::Fill { path, color, opacity });
    }

    /// What `draw` draws, as one element with these attributes, written as in the file.
    pub fn group(&mut self, attributes: &str, draw: impl FnOnce(&mut Self)) {
        self.write(format_args!("<g {attributes}>"));
        draw(self);
        self.write(format_args!("</g>"));
    }

    /// What `draw` draws is around the figure: [`Picture::plain`] is without it, and without what lies beyond the edge.
    pub fn around(&mut self, edge: Edge, draw: impl FnOnce(&mut Self)) {
        let (svg, ink) = (self.0.svg.len(), self.0.ink.len());
        draw(self);
        self.0.around.push(Around { svg: svg..self.0.svg.len(), ink: ink..self.0.ink.len(), edge });
    }

    /// A line through `points`: lengths of strokes and gaps in turn, none for a solid line.
    pub fn line(&mut self, points: &[Point], dash: &[f64], width: f64, color: Color) {
        self.0.ink.push(Ink::Stroke { path: ink::line(points), dash: dash.to_vec(), width, color });
        let dash: Vec<String> = dash.iter().map(|&length| Short(length).to_string()).collect();
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", dash.join(" ")) };
        self.write(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"{dash}/>",
            Path(points)
        ));
    }

    /// A filled polygon.
    pub fn polygon(&mut self, corners: &[Point], color: Color, opacity: f64) {
        self.fill(ink::polygon(corners), color, opacity);
        let opacity = if opacity < 1.0 { format!(" fill-opacity=\"{opacity}\"") } else { String::new() };
        self.write(format_args!("<polygon points=\"{}\" fill=\"{color}\"{opacity}/>", Path(corners)));
    }

    /// A marker, on a rim of paper that sets it off from lines; a hollow one has paper inside.
    pub fn marker(&mut self, shape: Shape, centre: Point, radius: f64, color: Color, inside: Color) {
        const RIM: f64 = 1.5;
        let outline = (radius * 0.32).max(3.0);
        self.shape(shape, centre, radius + RIM, PAPER);
        self.shape(shape, centre, radius, color);
        if inside != color {
            self.shape(shape, centre, radius - outline, inside);
        }
    }

    fn shape(&mut self, shape: Shape, (x, y): Point, radius: f64, color: Color) {
        match shape {
            Shape::None => {}
            Shape::Circle => {
                self.fill(ink::circle((x, y), radius), color, 1.0);
                let [x, y, radius] = [x, y, radius].map(Short);
                self.write(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{color}\"/>"));
            }
            Shape::Polygon(corners) => {
                let corners: Vec<_> = corners.iter().map(|&(dx, dy)| (x + radius * dx, y + radius * dy)).collect();
                self.polygon(&corners, color, 1.0);
            }
        }
    }

    /// A line of text whose baseline has its `anchor` at `at`.
    pub fn text(&mut self, text: &str, style: TextStyle, at: Point, anchor: Anchor) {
        self.place(text, style, at, anchor, false);
    }

    /// A line of text that reads upwards.
    pub fn text_upwards(&mut self, text: &str, style: TextStyle, at: Point, anchor: Anchor) {
        self.place(text, style, at, anchor, true);
    }

    fn place(&mut self, text: &str, style: TextStyle, (x, y): Point, anchor: Anchor, upwards: bool) {
        let (anchor, shift) = match anchor {
            Anchor::Start => ("", 0.0),
            Anchor::Middle => (" text-anchor=\"middle\"", style.width(text) / 2.0),
            Anchor::End => (" text-anchor=\"end\"", style.width(text)),
        };
        let start = if upwards { (x, y + shift) } else { (x - shift, y) };
        self.fill(ink::text(style.face(), text, style.em, start, upwards), style.color, 1.0);
        let (x, y) = (Short(x), Short(y));
        let at = match upwards {
            true => format!("transform=\"translate({x} {y}) rotate(-90)\""),
            false => format!("x=\"{x}\" y=\"{y}\""),
        };
        let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
        self.write(format_args!(
            "<text {at} font-size=\"{}\" fill=\"{}\"{anchor}{weight}>{}</text>",
            Short(style.em),
            style.color,
            escape(text)
        ));
    }

    /// A small image, its pixels drawn as rectangles from `corner` over `width` and `height`.
    pub fn raster(&mut self, image: &RgbImage, corner: Point, width: f64, height: f64) {
        self.0.ink.push(Ink::Image { image: image.clone(), corner, size: (width, height) });
        let mut png = Vec::new();
        image::codecs::png::PngEncoder::new(&mut png)
            .write_image(image, image.width(), image.height(), image::ExtendedColorType::Rgb8)
            .expect("an image in memory becomes a PNG in memory");
        let [x, y, width, height] = [corner.0, corner.1, width, height].map(Short);
        self.write(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
            STANDARD.encode(png)
        ));
    }
}

/// A length to a hundredth of a pixel, in as few digits as it takes.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // Adding zero takes the sign from a negative one.
        write!(f, "{}", (100.0 * self.0).round() / 100.0 + 0.0)
    }
}

struct Path<'a>(&'a [Point]);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(n, &(x, y))| {
            let space = if n > 0 { " " } else { "" };
            write!(f, "{space}{},{}", Short(x), Short(y))
        })
    }
}

/// Text as XML or HTML, also within a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::{INK, SOLID};

    #[test]
    fn a_drawing_is_an_svg_in_millimetres() {
        let mut canvas = Canvas::new(1000.0);
        canvas.line(&[(0.0, 1.0 / 3.0), (-0.001, 2.0)], SOLID, 3.0, INK);
        canvas.text("R<N>N", TextStyle::regular(40.0, INK), (1.0, 2.5), Anchor::End);
        let svg = canvas.finish().svg;
        assert!(svg.contains("width=\"85mm\" height=\"53.13mm\" viewBox=\"0 0 1600 1000\""), "{svg}");
        assert!(svg.contains("<polyline points=\"0,0.33 0,2\" fill=\"none\" stroke=\"#222222\" stroke-width=\"3\"/>"));
        assert!(svg.contains(
            "<text x=\"1\" y=\"2.5\" font-size=\"40\" fill=\"#222222\" text-anchor=\"end\">R&lt;N&gt;N</text>"
        ));
    }

    #[test]
    fn a_plain_picture_has_neither_title_nor_notes_nor_their_space() {
        let mut canvas = Canvas::new(1000.0);
        let text = |canvas: &mut Canvas, text: &str, y: f64| {
            canvas.text(text, TextStyle::regular(40.0, INK), (0.0, y), Anchor::Start)
        };
        canvas.around(Edge::Above(80.5), |canvas| text(canvas, "Title", 60.0));
        text(&mut canvas, "axis", 500.0);
        canvas.around(Edge::Below(900.0), |canvas| text(canvas, "note", 930.0));
        let picture = canvas.finish();
        let plain = picture.plain();
        assert!(picture.svg.contains("Title") && picture.svg.contains("note") && picture.ink.len() == 3);
        assert!(plain.svg.contains("height=\"43.56mm\" viewBox=\"0 80 1600 820\""), "{}", plain.svg);
        assert!(plain.svg.contains("<rect y=\"80\" width=\"1600\" height=\"820\""), "{}", plain.svg);
        assert!(plain.svg.contains(">axis<") && !plain.svg.contains("Title") && !plain.svg.contains("note"));
        assert!(plain.svg.ends_with("</svg>\n") && plain.height == 820.0);
        let [Ink::Fill { path: low, .. }, Ink::Fill { path: high, .. }] = [&picture.ink[1], &plain.ink[0]] else {
            panic!()
        };
        let (ink::Segment::Move(low), ink::Segment::Move(high)) = (low[0], high[0]) else { panic!() };
        assert_eq!((plain.ink.len(), high), (1, (low.0, low.1 - 80.0)));
    }

    #[test]
    fn text_is_as_wide_as_its_advances() {
        // DejaVu Sans: a digit advances by 1303 of 2048 units.
        let width = TextStyle::regular(2048.0, PAPER).width("00");
        assert!((width - 2606.0).abs() < 0.01, "{width}");
    }
}
