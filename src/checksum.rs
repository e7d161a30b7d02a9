//! Checksums of the files a run used, for `run.json`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::FileError;
use crate::files;

/// SHA-256 of a file in lower-case hexadecimal, read as a stream.
///
/// # Errors
/// The file cannot be read.
pub fn sha256(path: &Path) -> Result<String, FileError> {
    let digest = || -> std::io::Result<_> {
        let mut reader = BufReader::with_capacity(1 << 20, files::open(path)?);
        let mut hash = Sha256::new();
        loop {
            let chunk = reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(hash.finalize());
            }
            hash.update(chunk);
            let used = chunk.len();
            reader.consume(used);
        }
    };
    Ok(hexadecimal(&digest().map_err(FileError::at(path))?))
}

/// SHA-256 of bytes, as [`sha256`] of a file.
pub fn of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 of what stands in several files: of one its own, of more over theirs in order ([`of_parts`]).
///
/// # Errors
/// A file cannot be read.
pub fn of_files(files: &[PathBuf]) -> Result<String, FileError> {
    let sums = files.iter().map(|path| sha256(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(if let [only] = &sums[..] { only.clone() } else { of_parts(&sums) })
}

/// SHA-256 over parts, each with its length before it, so that no two lists of parts run together.
pub fn of_parts<T: AsRef<[u8]>>(parts: &[T]) -> String {
    let mut hash = Sha256::new();
    for part in parts.iter().map(AsRef::as_ref) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_published_digests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        std::fs::write(&path, "a".repeat(1_000_000)).unwrap();
        // Appendix B.3: a million times "a".
        assert_eq!(sha256(&path).unwrap(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(of_parts(&["ab", "c"]), of_parts(&["a", "bc"]));
        assert_ne!(of_parts(&["a"]), of_parts(&["a", ""]));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = sha256(Path::new("no/such/file")).unwrap_err();
        assert!(error.to_string().starts_with("no/such/file: "), "{error}");
    }
}
