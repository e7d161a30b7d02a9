//! Files that are read: what they are is looked at before what is in them.

mod headers;
mod paths;
mod text;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::FileError;

pub(crate) use headers::MAX_HEADER_BYTES;
pub use headers::{NPY_TEXT, SafetensorsError, npy, safetensors};
pub use paths::{ending, folder, is_hidden, name, stem, way};
pub use text::{
    UTF16, begins_utf16, csv_error, csv_unwritten, line_of, outside_quotes, read_text, read_to_string, utf16,
    without_mark,
};

/// What Git LFS leaves in the place of a file that it has not fetched begins so, and is shorter than a kilobyte.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const POINTER_BYTES: u64 = 1024;

/// Opens a file to read; a pipe or device, which may never end, is none, nor is what stands for a file.
///
/// # Errors
/// What the operating system says, or [`io::ErrorKind::InvalidInput`].
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe waits for its writer.
    let found = std::fs::metadata(path)?;
    if !found.is_file() && !found.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a pipe or device, expected a file; copy what it gives into one",
        ));
    }
    if found.is_file() && found.len() < POINTER_BYTES && std::fs::read(path)?.starts_with(POINTER) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a pointer of Git LFS, expected the file itself; fetch it by git lfs pull, or download it from its page",
        ));
    }
    File::open(path)
}

/// The bytes of a file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with what lies at `offset` of a file. Files are never mapped into memory: one that another program shortens
/// meanwhile would then end this program, here it is an error.
///
/// # Errors
/// What the operating system says, or [`changed`].
pub fn read_at(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    let read = std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(windows)]
    let read: io::Result<()> = (|| {
        let mut done = 0;
        while done < bytes.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    })();
    read.map_err(|error| if error.kind() == io::ErrorKind::UnexpectedEof { changed() } else { error })
}

/// Files as they are found: what is checked first is what is read later.
pub struct Unchanged(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Unchanged {
    /// # Errors
    /// A file that is not there.
    pub fn of(paths: &[PathBuf]) -> Result<Self, FileError> {
        let state = |path: &PathBuf| {
            let found = std::fs::metadata(path).map_err(FileError::at(path))?;
            Ok((path.clone(), found.len(), found.modified().ok()))
        };
        paths.iter().map(state).collect::<Result<_, _>>().map(Self)
    }

    /// Whether they are still the same, by length and time.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), FileError> {
        self.0.iter().try_for_each(|(path, length, modified)| {
            let same =
                std::fs::metadata(path).is_ok_and(|now| now.len() == *length && now.modified().ok() == *modified);
            if same { Ok(()) } else { Err(FileError::at(path)(changed())) }
        })
    }
}

/// For a file that is not what it was when it was looked at.
pub fn changed() -> io::Error {
    io::Error::other("changed while it was being used; leave it alone, and start again")
}

/// Reads what is left of a member of an archive: at its end its checksum (CRC-32) is held against all that was read of it.
///
/// # Errors
/// Another checksum; a file that cannot be read.
pub fn check_sum(member: &mut impl Read) -> io::Result<()> {
    const OTHER: &str = "its checksum is not that of its bytes: it is damaged; copy or download it again";
    let other = |error: io::Error| match error.kind() {
        // Packed bytes that make no sense are InvalidInput.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => io::Error::new(error.kind(), OTHER),
        _ => error,
    };
    io::copy(member, &mut io::sink()).map(drop).map_err(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_of_git_lfs_is_not_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
        for name in ["model.safetensors", "model.onnx", "glove.txt", "cat.png"] {
            let path = folder.path().join(name);
            std::fs::write(&path, pointer).unwrap();
            let said = read(&path).unwrap_err().to_string();
            assert!(said.contains("Git LFS") && said.contains("git lfs pull"), "{said}");
        }
        let said = crate::weights::open(&folder.path().join("model.safetensors")).err().unwrap().to_string();
        assert!(said.contains("model.safetensors: a pointer of Git LFS"), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_no_file() {
        assert_eq!(open(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
