//! A picture as a PDF of one page (ISO 32000-1), text as outlines.

use std::fmt::Write as _;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::report::canvas::{Picture, Point};
use crate::report::ink::{Ink, Segment};
use crate::report::style::{Color, WIDTH, WIDTH_MM};
use crate::results::MADE;

/// Points in a pixel of a figure: a point is 1/72 inch.
const POINTS: f64 = WIDTH_MM / 25.4 * 72.0 / WIDTH;

/// The picture as a document.
///
/// # Errors
/// None but the compressor's.
pub fn document(picture: &Picture) -> io::Result<Vec<u8>> {
    let mut page = Page::default();
    let height = POINTS * picture.height;
    // From the figure's pixels, which count downwards.
    let _ = writeln!(page.content, "{POINTS:.6} 0 0 {:.6} 0 {height:.3} cm", -POINTS);
    for ink in &picture.ink {
        page.paint(ink)?;
    }
    let [states, images] = [("G", page.opacities.len(), 5), ("I", page.images.len(), 5 + page.opacities.len())].map(
        |(name, count, first)| {
            (0..count).map(|n| format!("/{name}{n} {} 0 R", first + n)).collect::<Vec<_>>().join(" ")
        },
    );
    let begins = [&b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n%"[..], MADE.as_bytes(), b"\n"].concat();
    let mut file = File { bytes: begins, places: Vec::new() };
    file.object("<< /Type /Catalog /Pages 2 0 R >>")?;
    file.object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")?;
    file.object(&format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {:.3} {height:.3}] /Contents 4 0 R \
         /Resources << /ExtGState << {states} >> /XObject << {images} >> >> >>",
        POINTS * WIDTH
    ))?;
    file.stream("", page.content.as_bytes())?;
    for opacity in page.opacities {
        file.object(&format!("<< /Type /ExtGState /ca {opacity} >>"))?;
    }
    for image in page.images {
        let kind = "/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8";
        file.stream(&format!("{kind} /Width {} /Height {} ", image.width(), image.height()), image.as_raw())?;
    }
    file.finish()
}

#[derive(Default)]
struct Page<'a> {
    content: String,
    opacities: Vec<f64>,
    images: Vec<&'a image::RgbImage>,
}

impl<'a> Page<'a> {
    fn paint(&mut self, ink: &'a Ink) -> io::Result<()> {
        let written = match ink {
            Ink::Fill { path, color, opacity } => {
                let state = match self.opacities.iter().position(|known| known == opacity) {
                    Some(state) => state,
                    None => {
                        self.opacities.push(*opacity);
                        self.opacities.len() - 1
                    }
                };
                writeln!(self.content, "/G{state} gs {} rg {}f", channels(*color), steps(path))
            }
            Ink::Stroke { path, dash, width, color } => {
                let dash: Vec<String> = dash.iter().map(|length| format!("{length:.2}")).collect();
                let (dash, color) = (dash.join(" "), channels(*color));
                writeln!(self.content, "{color} RG {width} w [{dash}] 0 d {}S", steps(path))
            }
            Ink::Image { image, corner: (x, y), size: (width, height) } => {
                self.images.push(image);
                let name = self.images.len() - 1;
                let low = y + height;
                writeln!(self.content, "q {width:.2} 0 0 {:.2} {x:.2} {low:.2} cm /I{name} Do Q", -height)
            }
        };
        written.map_err(io::Error::other)
    }
}

fn channels(Color(r, g, b): Color) -> String {
    [r, g, b].map(|channel| format!("{:.3}", f64::from(channel) / 255.0)).join(" ")
}

fn steps(path: &[Segment]) -> String {
    let pair = |(x, y): Point| format!("{x:.2} {y:.2}");
    let step = |segment: &Segment| match *segment {
        Segment::Move(to) => format!("{} m ", pair(to)),
        Segment::Line(to) => format!("{} l ", pair(to)),
        Segment::Curve(a, b, to) => format!("{} {} {} c ", pair(a), pair(b), pair(to)),
        Segment::Close => "h ".to_string(),
    };
    path.iter().map(step).collect()
}

/// Objects numbered from 1, and the table of where they start.
struct File {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl File {
    fn begin(&mut self) -> io::Result<()> {
        self.places.push(self.bytes.len());
        writeln!(self.bytes, "{} 0 obj", self.places.len())
    }

    fn object(&mut self, dictionary: &str) -> io::Result<()> {
        self.begin()?;
        writeln!(self.bytes, "{dictionary}\nendobj")
    }

    fn stream(&mut self, entries: &str, content: &[u8]) -> io::Result<()> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content)?;
        let packed = encoder.finish()?;
        self.begin()?;
        writeln!(self.bytes, "<< {entries}/Filter /FlateDecode /Length {} >>\nstream", packed.len())?;
        self.bytes.write_all(&packed)?;
        writeln!(self.bytes, "\nendstream\nendobj")
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        let (table, size) = (self.bytes.len(), self.places.len() + 1);
        write!(self.bytes, "xref\n0 {size}\n0000000000 65535 f \n")?;
        for place in &self.places {
            self.bytes.write_all(format!("{place:010} 00000 n \n").as_bytes())?;
        }
        write!(self.bytes, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n")?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::canvas::Canvas;
    use crate::report::style::INK;

    #[test]
    fn a_document_has_the_size_of_the_figure_and_a_table_that_finds_every_object() {
        let mut canvas = Canvas::new(1000.0);
        canvas.polygon(&[(0.0, 0.0), (800.0, 0.0), (800.0, 500.0)], INK, 0.5);
        canvas.raster(&image::RgbImage::new(2, 2), (0.0, 0.0), 10.0, 10.0);
        let bytes = document(&canvas.finish()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        // 85 mm are 240.945 points.
        assert!(text.starts_with("%PDF-1.4") && text.contains("/MediaBox [0 0 240.945 150.591]"));
        let start: usize = text.rsplit_once("startxref\n").unwrap().1.lines().next().unwrap().parse().unwrap();
        let table = String::from_utf8_lossy(&bytes[start..]);
        let places: Vec<usize> = table
            .lines()
            .skip(3)
            .take_while(|line| line.ends_with("n "))
            .map(|line| line[..10].parse().unwrap())
            .collect();
        assert_eq!(places.len(), 6, "catalogue, pages, page, content, opacity, image");
        for (n, &place) in places.iter().enumerate() {
            assert!(bytes[place..].starts_with(format!("{} 0 obj", n + 1).as_bytes()), "{n}");
        }
    }
}
