use std::io::Write;

use image::{GrayImage, ImageBuffer, Luma, LumaA, RgbImage, Rgba, RgbaImage};

use super::*;

const SQUASHED: Framing = Framing { size: 8, resize: Resize::SquashNearest, crop_pct: 1.0 };

fn saved(image: impl Into<DynamicImage>, name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    image.into().save(&path).unwrap();
    (directory, path)
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A picture with detail everywhere, so that a lost part of it shows.
fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 5) as u8, (y * 3) as u8, (x * y) as u8]))
}

#[test]
fn pixels_of_every_depth_become_rgb_bytes() {
    let cases: [(DynamicImage, [u8; 3]); 5] = [
        (GrayImage::from_pixel(2, 2, Luma([77])).into(), [77; 3]),
        (ImageBuffer::from_pixel(2, 2, Luma([257u16 * 9])).into(), [9; 3]),
        (ImageBuffer::from_pixel(2, 2, image::Rgb([65535u16, 0, 32896])).into(), [255, 0, 128]),
        // 0.2 of 100 over white: 20 + 204.
        (RgbaImage::from_pixel(2, 2, Rgba([100, 0, 255, 51])).into(), [224, 204, 255]),
        (ImageBuffer::from_pixel(2, 2, LumaA([10u8, 0])).into(), [255; 3]),
    ];
    for (image, expected) in cases {
        let (_directory, path) = saved(image, "a.png");
        assert_eq!(load(&path, Framing { size: 2, crop_pct: 0.875, ..SQUASHED }).unwrap(), expected.repeat(4));
    }
}

#[test]
fn cmyk_becomes_the_rgb_that_pillow_makes_of_it() {
    /// Each of two products is rounded to a byte.
    const ROUNDING: u8 = 2;
    for (name, expected) in [("cmyk_red.jpg", [255, 0, 0]), ("cmyk_grey.jpg", [127; 3])] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let rgb = load(&path, SQUASHED).unwrap();
        assert_eq!(rgb.len(), 8 * 8 * 3);
        for pixel in rgb.chunks(3) {
            assert!(pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= ROUNDING), "{name}: {pixel:?}");
        }
    }
}

#[test]
fn fingerprints_tell_pictures_apart_and_not_files() {
    let (_a, png) = saved(gradient(9, 4), "a.png");
    let (_b, bmp) = saved(gradient(9, 4), "b.bmp");
    let (_c, other) = saved(gradient(9, 5), "c.png");
    let (_d, wide) = saved(RgbImage::new(4, 2), "d.png");
    let (_e, tall) = saved(RgbImage::new(2, 4), "e.png");
    assert_eq!(fingerprint(&png).unwrap(), fingerprint(&bmp).unwrap());
    assert_ne!(fingerprint(&png).unwrap(), fingerprint(&other).unwrap());
    assert_ne!(fingerprint(&wide).unwrap(), fingerprint(&tall).unwrap());
    let bytes = std::fs::read(&png).unwrap();
    assert!(fingerprint(written(&bytes[..bytes.len() / 2]).path()).is_err());
}

/// A JPEG with an EXIF block that holds the orientation alone.
fn oriented(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut jpeg = Cursor::new(Vec::new());
    image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1, 0, tiff.len() as u8 + 2];
    bytes.extend(tiff);
    bytes.extend(&jpeg.get_ref()[2..]);
    bytes
}

#[test]
fn jfif_outranks_the_transform_that_adobe_writes_beside_it() {
    let mut jpeg = Cursor::new(Vec::new());
    gradient(24, 20).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    assert_eq!(jpeg[6..10], *b"JFIF");
    let jfif = 4 + usize::from(u16::from_be_bytes([jpeg[4], jpeg[5]]));
    let adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0";
    let both = written(&[&jpeg[..jfif], adobe, &jpeg[jfif..]].concat());
    let rgb = |path: &Path| load(path, SQUASHED).unwrap();
    assert_eq!(rgb(both.path()), rgb(written(&jpeg).path()));
}

#[test]
fn what_a_decoder_says_stays_in_one_line() {
    let error = fingerprint(written(b"\xff\xd8\xff\xe0 nothing").path()).unwrap_err().to_string();
    assert!(error.contains("the image is damaged, replace the file: ") && error.trim() == error, "{error:?}");
}

#[test]
fn what_is_sound_and_not_read_is_not_called_damaged() {
    let mut jpeg = Cursor::new(Vec::new());
    gradient(24, 20).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let mut jpeg = jpeg.into_inner();
    let frame = jpeg.windows(2).position(|pair| pair[0] == 0xff && pair[1] == 0xc0).unwrap();
    jpeg[frame + 4] = 12;
    let error = check(written(&jpeg).path()).unwrap_err().to_string();
    assert!(error.contains("a JPEG of 12 bits per sample, which is not read") && !error.contains("damaged"), "{error}");
}

#[test]
fn exif_orientation_turns_the_image() {
    // Left half black, right half white; orientation 6 means: turn by 90 degrees clockwise to view.
    let image = RgbImage::from_fn(32, 16, |x, _| image::Rgb([if x < 16 { 0 } else { 255 }; 3]));
    let file = written(&oriented(&image, 6));
    assert_eq!(check(file.path()).unwrap(), (16, 32));
    let rgb = load(file.path(), Framing { size: 2, ..SQUASHED }).unwrap();
    assert!(rgb[..6].iter().all(|&value| value < 9) && rgb[6..].iter().all(|&value| value > 246), "{rgb:?}");
    let file = written(&oriented(&image, 1));
    assert_eq!(check(file.path()).unwrap(), (32, 16));
}

#[test]
fn every_format_is_read_and_its_loss_of_a_half_is_an_error() {
    let image = DynamicImage::from(gradient(64, 48));
    use ImageFormat::*;
    for format in [Jpeg, Png, WebP, Gif, Bmp, Tiff, Pnm] {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        let bytes = bytes.into_inner();
        let file = written(&bytes);
        assert_eq!(check(file.path()).unwrap(), (64, 48), "{format:?}");
        assert_eq!(
            load(file.path(), Framing { size: 8, resize: Resize::CropBicubic, crop_pct: 0.875 }).unwrap().len(),
            8 * 8 * 3
        );
        for kept in [bytes.len() / 2, bytes.len() * 9 / 10] {
            let file = written(&bytes[..kept]);
            let error =
                load(file.path(), Framing { crop_pct: 0.875, ..SQUASHED }).expect_err(&format!("{format:?} {kept}"));
            assert!(error.to_string().contains(&*file.path().to_string_lossy()), "{error}");
        }
    }
}

/// A TIFF of one pixel: tags of SHORTs, then the pixel's bytes.
fn pixel(photometric: u16, extra: u16, bytes: [u8; 4]) -> Vec<u8> {
    let samples = if extra == 0 { 3 } else { 4 };
    let short = |tag: u16, value: u16| (tag, 3u16, 1u32, u32::from(value));
    let tags = [
        short(256, 1),
        short(257, 1),
        (258, 3, u32::from(samples), 200),
        short(259, 1),
        short(262, photometric),
        (273, 4, 1, 208),
        short(277, samples),
        short(278, 1),
        (279, 4, 1, u32::from(samples)),
        short(338, extra),
    ];
    let tags = &tags[..if extra == 0 { 9 } else { 10 }];
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in tags {
        tiff.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        tiff.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    tiff.resize(200, 0);
    tiff.extend([8, 0, 8, 0, 8, 0, 8, 0]);
    tiff.extend(bytes);
    tiff
}

#[test]
fn colours_multiplied_by_alpha_are_not_multiplied_again() {
    // Over white by 104: associated colours have it added, others are multiplied by 151 / 255 first.
    for (extra, expected) in [(1, [124, 105, 155]), (2, [116, 105, 134])] {
        let (image, _) = decode(Path::new("a.tif"), &pixel(2, extra, [20, 1, 51, 151])).unwrap();
        assert_eq!(image.bytes, expected);
    }
}

#[test]
fn the_exif_behind_the_pixels_of_a_png_turns_it() {
    let mut png = Cursor::new(Vec::new());
    gradient(4, 2).write_to(&mut png, ImageFormat::Png).unwrap();
    let png = png.into_inner();
    let mut chunk = b"eXIfMM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    chunk.extend(crc.sum().to_be_bytes());
    let end = png.len() - 12;
    let turned = [&png[..end], &length, &chunk, &png[end..]].concat();
    assert_eq!(check(written(&png).path()).unwrap(), (4, 2));
    assert_eq!(check(written(&turned).path()).unwrap(), (2, 4));
    assert_eq!(decode(Path::new("a"), &turned).unwrap().0.width, 2);
    // A length beyond the file.
    let cut = [&png[..end], &[255; 4], &chunk, &png[end..]].concat();
    assert!(png::orientation(&cut).is_none());
}

#[test]
fn kinds_that_are_not_decoded_are_named() {
    let mut jpeg = Cursor::new(Vec::new());
    gradient(24, 20).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let mut jpeg = jpeg.into_inner();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 1] = 0xc9;
    for (bytes, expected) in [
        (jpeg, "a JPEG in arithmetic coding, which is not read"),
        (b"II+\0\x08\0\0\0".to_vec(), "a BigTIFF, which is not read"),
        (pixel(6, 0, [1, 2, 3, 0]), "a TIFF in YCbCr, 3 samples of 8 bits, which is not read"),
    ] {
        let error = check(written(&bytes).path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn bitmaps_and_arbitrary_maps_are_read() {
    for (bytes, expected) in [
        (&b"P4\n2 1\n\x40"[..], [255, 255, 255, 0, 0, 0]),
        (b"P1\n2 1\n0 1\n", [255, 255, 255, 0, 0, 0]),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcdef", *b"abcdef"),
    ] {
        let (image, _) = decode(Path::new("a"), bytes).unwrap();
        assert_eq!(image.bytes, expected);
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let image = gradient(24, 20);
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::WebP] {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        let bytes = bytes.into_inner();
        let mut random = crate::stats::permutation::Random::keyed(3, 0);
        for _ in 0..200 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len() as u32) as usize;
                damaged[at] = random.bits() as u8;
            }
            damaged.truncate(random.below(2 * bytes.len() as u32) as usize);
            let file = written(&damaged);
            match load(file.path(), Framing { size: 8, resize: Resize::SquashBilinear, crop_pct: 0.875 }) {
                Ok(rgb) => assert_eq!(rgb.len(), 8 * 8 * 3),
                Err(error) => assert!(!matches!(error, ImageError::Decoder { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn a_decoder_that_breaks_down_takes_down_its_image_alone() {
    let error = guarded(Path::new("dog.tiff"), || -> Result<(), ImageError> { panic!("index out of range") });
    assert_eq!(error.unwrap_err().to_string(), "dog.tiff: the decoder broke down, replace the file");
}

#[test]
fn a_thumbnail_does_not_stand_for_the_end_of_the_image() {
    let mut jpeg = oriented(&gradient(64, 64), 1);
    // An end marker inside the EXIF block, as a thumbnail has.
    let exif = usize::from(jpeg[5]) + 4;
    jpeg.splice(exif..exif, [0xff, 0xd9]);
    jpeg[5] += 2;
    assert!(jpeg::ends(&jpeg));
    let half = jpeg.len() / 2;
    assert!(!jpeg::ends(&jpeg[..half]));
    // Bytes after the end are harmless.
    jpeg.extend([0; 40]);
    assert!(load(written(&jpeg).path(), SQUASHED).is_ok());
}

#[test]
fn errors_say_what_is_wrong() {
    let missing = load(Path::new("no/such.jpg"), SQUASHED).unwrap_err();
    assert!(missing.to_string().starts_with("no/such.jpg: "), "{missing}");
    let page = written(b"<!DOCTYPE html><p>404");
    let error = check(page.path()).unwrap_err().to_string();
    assert!(error.contains("begins with \"<!DOCTYPE html><\", expected a JPEG"), "{error}");
    let error = check(written(b"").path()).unwrap_err();
    assert!(matches!(error, ImageError::Format { .. }), "{error}");
    let (_directory, path) = saved(gradient(4, 4), "a.png");
    for crop_pct in [0.0, 1.5, f64::NAN, -1.0] {
        let error = load(&path, Framing { size: 8, resize: Resize::CropBilinear, crop_pct }).unwrap_err();
        assert!(matches!(error, ImageError::CropPct { .. }), "{error}");
    }
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    // A PNG header that announces 60000 x 60000 pixels of 16-bit RGBA (29 GB).
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x10\x06\0\0\0".to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png.extend(crc.sum().to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    let file = written(&png);
    for result in [check(file.path()).map(|_| ()), load(file.path(), SQUASHED).map(|_| ())] {
        let error = result.unwrap_err();
        assert!(matches!(error, ImageError::Size { width: 60000, height: 60000, .. }), "{error}");
    }
}

// There, either form opens the file.
#[cfg(not(target_os = "macos"))]
#[test]
fn a_file_of_the_same_name_in_another_form_of_unicode_is_told() {
    let [composed, decomposed] = ["caf\u{e9}.png", "cafe\u{301}.png"];
    for (on_disk, named, form) in [(composed, decomposed, "composed (NFC)"), (decomposed, composed, "decomposed (NFD)")]
    {
        let (directory, _) = saved(gradient(4, 4), on_disk);
        let said = check(&directory.path().join(named)).unwrap_err().to_string();
        assert!(said.contains(&format!("{named}: no such file, but")) && said.contains(form), "{said}");
        let other = check(&directory.path().join("th\u{e9}.png")).unwrap_err();
        assert!(matches!(other, ImageError::File(_)), "{other}");
    }
}
