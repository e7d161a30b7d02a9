//! How much a file may make of itself in memory: what it announces is held to these limits before it is believed. (How long a
//! header, a name or a line of a format can be stands with the format.)

use std::io::{self, Read, Seek};
use std::sync::{Condvar, Mutex, PoisonError};

use zip::ZipArchive;

/// What any file may unpack to.
pub const UNPACKED_BYTES: u64 = 256 << 20;

/// Beyond that, so many times its own length. Features that are mostly zero pack to a thirtieth; deflate can claim a
/// thousandth.
pub const UNPACKED_TIMES: u64 = 100;

/// Pixels of the largest image that is decoded, four times what a 24-megapixel camera gives, and of all that are decoded
/// at the same time.
pub const PIXELS: u64 = 100_000_000;

/// What one decoder may allocate: [`PIXELS`] of 16-bit RGBA, 8 bytes each, with a quarter for its tables. No image's file
/// is longer.
pub const DECODER_BYTES: u64 = PIXELS * 10;

/// Nodes, attributes, tensors and names of a graph; ResNet152's has 4,000.
pub const GRAPH_PARTS: usize = 1_000_000;

/// A packed file that would become too much.
#[derive(Debug, thiserror::Error)]
#[error(
    "{packed} bytes that unpack to {announced}, expected at most {allowed} ({UNPACKED_TIMES} times as many, or \
     {UNPACKED_BYTES}); if it is sound, save it without compression"
)]
pub struct Unpacks {
    packed: u64,
    /// A number of bytes.
    announced: String,
    allowed: u64,
}

/// The bytes that so many packed ones may become.
pub fn unpacked(packed: u64) -> u64 {
    packed.saturating_mul(UNPACKED_TIMES).max(UNPACKED_BYTES)
}

/// Holds what a file announces to [`unpacked`].
///
/// # Errors
/// [`Unpacks`]
pub fn check_unpacked(packed: u64, announced: u128) -> io::Result<()> {
    let allowed = unpacked(packed);
    if announced <= u128::from(allowed) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, Unpacks { packed, announced: announced.to_string(), allowed }))
}

/// Holds what all members of a zip archive of so many bytes announce to [`unpacked`].
///
/// # Errors
/// [`Unpacks`], or a member that is not there.
pub fn check_archive<R: Read + Seek>(archive: &mut ZipArchive<R>, packed: u64) -> io::Result<()> {
    let mut announced = 0;
    for index in 0..archive.len() {
        announced += u128::from(archive.by_index_raw(index)?.size());
    }
    check_unpacked(packed, announced)
}

/// A stream as it is unpacked: an error where it goes beyond [`unpacked`], whatever was announced.
pub struct Unpacked<R> {
    stream: R,
    packed: u64,
    bytes: u64,
}

impl<R> Unpacked<R> {
    /// Of so many packed bytes.
    pub fn new(stream: R, packed: u64) -> Self {
        Self { stream, packed, bytes: 0 }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.bytes += read as u64;
        let allowed = unpacked(self.packed);
        if self.bytes > allowed {
            let unpacks = Unpacks { packed: self.packed, announced: "more".into(), allowed };
            return Err(io::Error::new(io::ErrorKind::InvalidData, unpacks));
        }
        Ok(read)
    }
}

/// Pixels that are being decoded.
static DECODING: Mutex<u64> = Mutex::new(0);
static DECODED: Condvar = Condvar::new();

/// Leave to hold an image's pixels, until dropped.
pub struct Decoding(u64);

impl Decoding {
    /// Waits until the image has room beside those that others decode; one alone always has.
    pub fn of(pixels: u64) -> Self {
        let mut decoding = DECODING.lock().unwrap_or_else(PoisonError::into_inner);
        while *decoding > 0 && *decoding + pixels > PIXELS {
            decoding = DECODED.wait(decoding).unwrap_or_else(PoisonError::into_inner);
        }
        *decoding += pixels;
        Self(pixels)
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        *DECODING.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        DECODED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_unpacks_to_more_than_its_share_is_an_error() {
        assert!(check_unpacked(10, u128::from(UNPACKED_BYTES)).is_ok());
        let said = check_unpacked(4 << 20, 4 << 30).unwrap_err().to_string();
        assert!(said.contains("4194304 bytes that unpack to 4294967296, expected at most 419430400"), "{said}");
        let mut endless = Unpacked::new(io::repeat(7), 1000);
        let read = io::copy(&mut endless, &mut io::sink());
        assert!(read.unwrap_err().to_string().contains("unpack to more, expected at most 268435456"));
        assert_eq!(io::copy(&mut Unpacked::new(io::repeat(7).take(1000), 1), &mut io::sink()).unwrap(), 1000);
    }

    #[test]
    fn images_wait_for_each_other() {
        let most = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for share in [1, 2, 2, 3, 1, 4, 2, 3] {
                let most = &most;
                scope.spawn(move || {
                    let _decoding = Decoding::of(PIXELS / share);
                    most.fetch_max(*DECODING.lock().unwrap(), Ordering::Relaxed);
                    std::thread::yield_now();
                });
            }
        });
        // Other tests may decode at the same time; what is not given back would let none of all pixels pass.
        assert!((1..=PIXELS).contains(&most.into_inner()));
    }
}
