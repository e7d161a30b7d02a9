//! Images: decode, resize by a named rule, RGB bytes.

mod jpeg;
mod png;
mod resize;
mod tiff;

use std::borrow::Cow;
use std::io::Cursor;
use std::panic::{UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

pub(crate) use resize::cubic;

use crate::checksum;
use crate::error::FileError;
use crate::files;
use crate::limits::{self, Decoding, PIXELS};
use crate::names;

/// A centre crop that keeps less than a hundredth of the side is a mistake in the configuration.
pub const MIN_CROP_PCT: f64 = 0.01;

/// Resize rules by name, as published networks use them.
///
/// From equal pixels, results equal those of Pillow (up to 12) to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Keras: the whole image squashed, nearest neighbour: source = floor((i + 0.5) * in / out), by Pillow's sums.
    SquashNearest,
    /// The whole image squashed, bilinear with antialias.
    SquashBilinear,
    /// The whole image squashed, bicubic with antialias.
    SquashBicubic,
    /// torchvision: shorter side to round(size / crop_pct), bilinear with antialias, centre crop.
    CropBilinear,
    /// timm: the same, bicubic.
    CropBicubic,
}

/// How an image becomes a square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Framing {
    /// Height and width in pixels.
    pub size: usize,
    /// The rule.
    pub resize: Resize,
    /// Share of the shorter side that a centre crop keeps; matters to the crop rules only.
    pub crop_pct: f64,
}

impl Resize {
    /// Whether it keeps the middle of the image alone.
    pub fn crops(self) -> bool {
        matches!(self, Self::CropBilinear | Self::CropBicubic)
    }
}

impl std::fmt::Display for Resize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // As in a configuration.
        serde::Serialize::serialize(self, f)
    }
}

/// Decodes `path` and frames it: RGB bytes, `[size, size, 3]`.
///
/// EXIF orientation is applied; grey is spread to RGB; CMYK is multiplied out, without a colour profile, as Pillow does;
/// alpha is laid over white; 16 bits are reduced to 8; of an animation the first frame counts.
///
/// JPEG decoders differ: against Pillow's (libjpeg-turbo), 14 to 17 % of the values of 664 ImageNet photographs were
/// off after the resize, by 1 or 2 but for one in a thousand at most (largest difference: 9).
///
/// # Errors
/// [`ImageError`] names the file.
pub fn load(path: &Path, framing: Framing) -> Result<Vec<u8>, ImageError> {
    load_unchanged(path, None, framing)
}

/// [`load`] of a file whose SHA-256 is `sum`.
///
/// # Errors
/// [`ImageError`] names the file, also if it is another by now.
pub fn load_unchanged(path: &Path, sum: Option<&str>, framing: Framing) -> Result<Vec<u8>, ImageError> {
    let crop_pct = framing.crop_pct;
    if framing.resize.crops() && !(MIN_CROP_PCT..=1.0).contains(&crop_pct) {
        return Err(ImageError::CropPct { crop_pct });
    }
    let bytes = read(path)?;
    if sum.is_some_and(|sum| sum != checksum::of_bytes(&bytes)) {
        return Err(FileError::at(path)(files::changed()).into());
    }
    guarded(path, || {
        let (image, _decoding) = decode(path, &bytes)?;
        Ok(resize::resize(&image, framing))
    })
}

/// Width and height of `path` as [`load`] would see it, from its header: finds a missing file, an unknown format, a
/// JPEG cut off and a size beyond the limits without decoding pixels.
///
/// # Errors
/// [`ImageError`] names the file.
pub fn check(path: &Path) -> Result<(u32, u32), ImageError> {
    let bytes = read(path)?;
    let ((width, height), orientation) = guarded(path, || {
        let mut decoder = open(path, &bytes)?;
        Ok((decoder.dimensions(), orientation(path, &bytes, &mut decoder)?))
    })?;
    let turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    Ok(if turned { (height, width) } else { (width, height) })
}

/// SHA-256 over the size and the pixels of `path` as [`load`] would see them, decoded in full: finds damaged files, and
/// the same picture in two files.
///
/// # Errors
/// [`ImageError`] names the file.
pub fn fingerprint(path: &Path) -> Result<String, ImageError> {
    let bytes = read(path)?;
    let (image, _decoding) = guarded(path, || decode(path, &bytes))?;
    let (width, height) = ((image.width as u64).to_le_bytes(), (image.height as u64).to_le_bytes());
    Ok(checksum::of_parts(&[&width[..], &height, &image.bytes]))
}

/// An image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not there, or not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// There under a name that looks the same.
    #[error(
        "{}: no such file, but one whose name looks the same is there, spelled in the {form} form of Unicode; copy the name from the \
         disk into the manifest, or rename the file", path.display()
    )]
    OtherForm {
        /// The file, as named.
        path: PathBuf,
        /// The form of the name on the disk.
        form: &'static str,
    },
    /// The first bytes are of no format that is read.
    #[error("{}: begins with \"{begins}\", expected a JPEG, PNG, WebP, GIF, BMP, TIFF or PNM image; save it as one of these", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its first bytes, escaped.
        begins: String,
    },
    /// The decoder gave up.
    #[error("{}: the image is damaged, replace the file: {}", path.display(), source.to_string().trim_end())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// The decoder panicked.
    #[error("{}: the decoder broke down, replace the file", path.display())]
    Decoder {
        /// The file.
        path: PathBuf,
    },
    /// Sound, and of a kind that is not decoded.
    #[error("{}: {found}, which is not read; save it with 8 bits per sample as PNG or JPEG", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A JPEG without an end; decoders fill what is missing with grey.
    #[error("{}: the JPEG stops before its end marker after {bytes} bytes, replace the file", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// No pixels, or more than memory should be spent on.
    #[error("{}: {width} x {height} pixels, expected 1 to {PIXELS} in all: scale the image down", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A share that no centre crop can keep.
    #[error("stimuli.crop_pct is {crop_pct}, expected {MIN_CROP_PCT} to 1 (torchvision and timm: 0.875)")]
    CropPct {
        /// As configured.
        crop_pct: f64,
    },
}

impl ImageError {
    /// For `map_err(ImageError::damaged(path))`.
    fn damaged(path: &Path) -> impl FnOnce(image::ImageError) -> Self {
        move |source| match source {
            image::ImageError::Unsupported(kind) => Self::Unsupported { path: path.into(), found: kind.to_string() },
            source => Self::Damaged { path: path.into(), source },
        }
    }
}

/// What a decoder makes of `path`: one that trips over a malformed file takes down its image, not the command.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, ImageError> + UnwindSafe) -> Result<T, ImageError> {
    catch_unwind(decode).unwrap_or_else(|_| Err(ImageError::Decoder { path: path.into() }))
}

/// RGB bytes, `[height, width, 3]`.
struct Rgb {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

/// The bytes of a file that may be an image.
fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let length = std::fs::metadata(path).map_err(|error| missing(path, error))?.len();
    if length > limits::DECODER_BYTES {
        let found = format!("{length} bytes, expected an image of at most {}", limits::DECODER_BYTES);
        return Err(FileError::at(path)(std::io::Error::other(found)).into());
    }
    Ok(files::read(path).map_err(FileError::at(path))?)
}

/// Why a file is not found: where it is there by a name in another form of Unicode, that.
fn missing(path: &Path, error: std::io::Error) -> ImageError {
    match names::form_on_disk(path) {
        Some(form) => ImageError::OtherForm { path: path.into(), form },
        None => FileError::at(path)(error).into(),
    }
}

/// A decoder whose header has been read and found acceptable.
fn open<'a>(path: &Path, whole: &'a [u8]) -> Result<impl ImageDecoder + 'a, ImageError> {
    let unsupported = |found: String| ImageError::Unsupported { path: path.into(), found };
    if tiff::is_big(whole) {
        return Err(unsupported("a BigTIFF".to_string()));
    }
    let format = image::guess_format(whole).ok().filter(ImageFormat::reading_enabled).ok_or_else(|| {
        let begins = whole[..whole.len().min(16)].escape_ascii().to_string();
        ImageError::Format { path: path.into(), begins }
    })?;
    let frame = if format == ImageFormat::Jpeg { jpeg::Frame::of(whole) } else { None };
    if let Some(found) = frame.and_then(|frame| frame.unsupported()) {
        return Err(unsupported(found));
    }
    let bytes = if frame.is_some() { jpeg::without_other_transform(whole) } else { Cow::Borrowed(whole) };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = Limits::no_limits();
    allowed.max_alloc = Some(limits::DECODER_BYTES);
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(|error| match error {
        image::ImageError::Unsupported(_) if format == ImageFormat::Tiff => unsupported(tiff::kind(whole)),
        error => ImageError::damaged(path)(error),
    })?;
    let (width, height) = decoder.dimensions();
    if !(1..=PIXELS).contains(&(u64::from(width) * u64::from(height))) {
        return Err(ImageError::Size { path: path.into(), width, height });
    }
    if format == ImageFormat::Jpeg && !jpeg::ends(whole) {
        return Err(ImageError::Truncated { path: path.into(), bytes: whole.len() });
    }
    Ok(decoder)
}

/// How the image is to be turned, from a PNG's EXIF behind its pixels too.
fn orientation(path: &Path, bytes: &[u8], decoder: &mut impl ImageDecoder) -> Result<Orientation, ImageError> {
    match decoder.orientation().map_err(ImageError::damaged(path))? {
        Orientation::NoTransforms => Ok(png::orientation(bytes).unwrap_or(Orientation::NoTransforms)),
        turned => Ok(turned),
    }
}

/// The pixels, and leave to hold them.
fn decode(path: &Path, bytes: &[u8]) -> Result<(Rgb, Decoding), ImageError> {
    let mut decoder = open(path, bytes)?;
    let (width, height) = decoder.dimensions();
    let decoding = Decoding::of(u64::from(width) * u64::from(height));
    let orientation = orientation(path, bytes, &mut decoder)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(ImageError::damaged(path))?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let bytes = match image.color().has_alpha() {
        true => over_white(&image.into_rgba8(), tiff::is_premultiplied(bytes)),
        false => image.into_rgb8().into_raw(),
    };
    Ok((Rgb { width, height, bytes }, decoding))
}

/// Over white; `premultiplied`: by alpha already.
fn over_white(rgba: &[u8], premultiplied: bool) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        if premultiplied {
            return value.saturating_add(255 - alpha);
        }
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    rgba.as_chunks().0.iter().flat_map(|&[r, g, b, alpha]| [r, g, b].map(|value| blend(value, alpha))).collect()
}

#[cfg(test)]
mod tests;
