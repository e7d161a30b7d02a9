//! What stands behind the pixels of a PNG, where the decoder does not look before it has read them.

use image::metadata::Orientation;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The orientation of its EXIF chunk, wherever that stands.
pub(super) fn orientation(bytes: &[u8]) -> Option<Orientation> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    loop {
        let (length, behind) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (chunk, behind) = behind.split_at_checked(length.checked_add(4)?)?;
        let (sum, behind) = behind.split_first_chunk()?;
        match chunk.split_at(4) {
            (b"IEND", _) => return None,
            (b"eXIf", exif) => {
                let mut crc = flate2::Crc::new();
                crc.update(chunk);
                return Orientation::from_exif_chunk(exif).filter(|_| crc.sum() == u32::from_be_bytes(*sum));
            }
            _ => rest = behind,
        }
    }
}
