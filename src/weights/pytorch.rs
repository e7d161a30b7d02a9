//! PyTorch's `.pth` and `.pt`: a pickle that describes tensors, and their bytes; in a zip archive (since PyTorch 1.6) or one
//! after the other (before).
//!
//! Nothing in a pickle is executed: calls that rebuild tensors are understood, all others are left alone.

mod pickle;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use pytorch_reader::{DType, PytorchError, PytorchReader, Tensor};

use super::{Format, WeightsError, WeightsFile, archive};
use crate::error::FileError;
use crate::limits;
use crate::numbers::{Kind, Value};

/// The registry entry.
pub const FORMAT: Format =
    Format { name: "PyTorch .pth/.pt", sniff, open: |path| Ok(Box::new(Checkpoint::open(path)?)) };

/// The number that opens files of PyTorch before 1.6, as their first pickle holds it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// That number ends within so many bytes, whatever the pickle's protocol.
const LEGACY_MAGIC_BYTES: usize = 64;
/// The longest description of tensors that is read. ResNet152's is a tenth of a megabyte; a byte of it can cost a hundred
/// bytes of memory, and deflated it costs a file next to nothing.
const MAX_PICKLE_BYTES: u64 = 4 << 20;
/// What to do with NumPy's arrays, whose values stand in the pickle.
const ARRAYS: &str = "of arrays of NumPy make tensors: torch.save({k: torch.as_tensor(v) for k, v in x.items()}, OUT)";
/// Where tar archives say what they are.
const TAR_MAGIC_AT: usize = 257;
/// What files of PyTorch before 1.6 begin with: the number, the version, the machine, the tensors, their storages' keys.
const LEGACY_PICKLES: usize = 5;
/// How the reader begins to say that a file holds no dictionary of tensors; its last word is what it holds.
const NO_DICT: &str = "Expected a dictionary at the root";
/// How it says that a storage is described as the code of a module is, in files of PyTorch before 1.6.
const OF_MODULE: &str = "storage persistent id has 4 fields";
/// What it names of quantized tensors.
const QUANTIZED: [&str; 3] = ["torch.QInt8Storage", "torch.QUInt8Storage", "torch.QInt32Storage"];
/// Where training scripts keep the weights beside optimizer and epoch.
const WEIGHTS_KEYS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// Where they keep averages of the weights over the training's last steps beside them.
const AVERAGES_KEYS: [&str; 5] = ["state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "ema"];

fn sniff(head: &[u8], path: &Path) -> bool {
    if head.starts_with(archive::MAGIC) {
        // An archive without its directory, a download cut short, is taken too: opening it says what is wrong.
        return archive::members(path).is_none_or(|members| members.iter().any(|name| is_pickle(name)));
    }
    // A tar archive (PyTorch before 0.1.10) is another format, whatever its first member is called.
    let is_tar = head.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar"));
    !is_tar && head[..head.len().min(LEGACY_MAGIC_BYTES)].windows(LEGACY_MAGIC.len()).any(|bytes| bytes == LEGACY_MAGIC)
}

/// Whether a zip archive's member describes the tensors.
fn is_pickle(member: &str) -> bool {
    member == "data.pkl" || member.ends_with("/data.pkl")
}

/// An open checkpoint.
pub struct Checkpoint {
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
    /// The keys of the weights taken and of averages left, if the file has both.
    averages: Option<(&'static str, &'static str)>,
}

impl Checkpoint {
    /// Reads the description of the tensors: a state dict, one beside other things in a checkpoint, or a whole module.
    ///
    /// # Errors
    /// The file is damaged, holds tensors that are not plain arrays, or claims more than it can hold.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let no_state_dict = |found: String, remedy| WeightsError::NoStateDict { path: path.into(), found, remedy };
        let members = archive::members(path).unwrap_or_default();
        if members.iter().any(|name| name.ends_with("/constants.pkl")) {
            let remedy = "save that of its module: torch.save(torch.jit.load(FILE).state_dict(), OUT)";
            return Err(no_state_dict("a TorchScript archive".to_string(), remedy));
        }
        check_pickles(path)?;
        let whole = PytorchReader::new(path).map_err(|source| match &source {
            PytorchError::InvalidFormat(problem) if problem.starts_with(NO_DICT) => {
                let found = problem.rsplit(' ').next().unwrap_or_default();
                no_state_dict(
                    format!("holds a Python {found}"),
                    "save the one that is the network's: torch.save(x.state_dict(), OUT)",
                )
            }
            _ if source.to_string().contains(OF_MODULE) => no_state_dict(
                "holds a whole module, as PyTorch before 1.6 saved it".to_string(),
                "save its state dict: torch.save(torch.load(FILE, weights_only=False).state_dict(), OUT)",
            ),
            _ if QUANTIZED.iter().any(|storage| source.to_string().contains(storage)) => no_state_dict(
                "holds quantized weights".to_string(),
                "save those of the network before it is quantized, or export it to ONNX (network.file)",
            ),
            _ => unreadable(path, source),
        })?;
        if whole.is_empty() {
            return Err(no_state_dict("holds no tensors".to_string(), ARRAYS));
        }
        let under = |keys: &[&'static str]| {
            // The file was read a line above: what fails here is that there is no such key, or something else under it.
            let reader = |key| PytorchReader::with_top_level_key(path, key).ok().filter(|reader| !reader.is_empty());
            keys.iter().find_map(|&key| Some((key, reader(key)?)))
        };
        let nested = under(&WEIGHTS_KEYS);
        let averages = nested.as_ref().and_then(|(key, _)| Some((*key, under(&AVERAGES_KEYS)?.0)));
        let tensors = sized(path, nested.map_or(whole, |(_, nested)| nested))?;
        Ok(Self { path: path.into(), tensors, averages })
    }
}

/// The tensors, if the file can hold what they claim.
fn sized(path: &Path, reader: PytorchReader) -> Result<BTreeMap<String, Tensor>, WeightsError> {
    let file_bytes = std::fs::metadata(path).map_err(FileError::at(path))?.len();
    let tensors: BTreeMap<String, Tensor> = reader.into_tensors().into_iter().collect();
    match tensors.iter().find(|(_, tensor)| tensor.byte_len() as u64 > limits::unpacked(file_bytes)) {
        None => Ok(tensors),
        Some((name, tensor)) => Err(WeightsError::Damaged {
            path: path.into(),
            problem: format!("{name} claims {} bytes in a file of {file_bytes}", tensor.byte_len()),
        }),
    }
}

/// Refuses pickles out of all proportion before they are unpacked and built.
fn check_pickles(path: &Path) -> Result<(), WeightsError> {
    let mut bytes = 0;
    let mut stream = BufReader::new(File::open(path).map_err(FileError::at(path))?);
    if stream.fill_buf().map_err(FileError::at(path))?.starts_with(archive::MAGIC) {
        let mut archive = archive::open(path).map_err(|source| unreadable(path, source))?;
        for name in archive::members(path).iter().flatten().filter(|name| is_pickle(name)) {
            let member = archive.by_name(name).map_err(|source| unreadable(path, source))?;
            bytes = u64::saturating_add(bytes, member.size());
        }
    } else {
        for _ in 0..LEGACY_PICKLES {
            // Cut short, or no pickles at all: whoever builds them says what is wrong.
            let Ok(more) = pickle::length(&mut stream, MAX_PICKLE_BYTES) else { break };
            bytes = u64::saturating_add(bytes, more);
        }
    }
    if bytes > MAX_PICKLE_BYTES {
        let found = format!("describes its tensors in more than {MAX_PICKLE_BYTES} bytes");
        return Err(WeightsError::NoStateDict { path: path.into(), found, remedy: ARRAYS });
    }
    Ok(())
}

fn unreadable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> WeightsError {
    WeightsError::Unreadable { path: path.into(), format: FORMAT.name, source: Box::new(source) }
}

impl WeightsFile for Checkpoint {
    fn path(&self) -> &Path {
        &self.path
    }

    fn notes(&self) -> Vec<String> {
        let note = |(taken, left)| {
            format!(
                "{}: the weights under {taken:?} are taken, not their averages under {left:?}; these: network.ema = true",
                self.path.display()
            )
        };
        self.averages.map(note).into_iter().collect()
    }

    fn averages(self: Box<Self>) -> Result<Box<dyn WeightsFile>, WeightsError> {
        let Some((_, key)) = self.averages else { return Err(WeightsError::NoAverages { path: self.path }) };
        let reader = PytorchReader::with_top_level_key(&self.path, key).map_err(|s| unreadable(&self.path, s))?;
        let tensors = sized(&self.path, reader)?;
        Ok(Box::new(Self { path: self.path, tensors, averages: None }))
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}"));
        let (kind, bytes) = match tensor.dtype() {
            DType::F64 => (Kind::Float, 8),
            DType::F32 => (Kind::Float, 4),
            DType::F16 => (Kind::Float, 2),
            DType::BF16 => (Kind::Brain, 2),
            other => {
                return Err(WeightsError::Type {
                    path: self.path.clone(),
                    tensor: name.to_string(),
                    found: format!("{other:?}"),
                });
            }
        };
        let float = Value { kind, bytes, big_endian: false };
        Ok(float.singles(&tensor.read().map_err(|source| unreadable(&self.path, source))?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use base64::Engine;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipArchive, ZipWriter};

    use super::*;
    use crate::weights::fixtures::{assert_holds, bytes, open, refusal};

    /// The tensors of the `tiny` files.
    const TINY: [(&str, &[usize]); 9] = [
        ("conv.weight", &[4, 3, 3, 3]),
        ("conv.bias", &[4]),
        ("bn.weight", &[4]),
        ("bn.bias", &[4]),
        ("bn.running_mean", &[4]),
        ("bn.running_var", &[4]),
        ("dw.weight", &[4, 1, 3, 3]),
        ("fc.weight", &[2, 4]),
        ("fc.bias", &[2]),
    ];
    const COUNTER: &str = "bn.num_batches_tracked";

    #[test]
    fn every_way_of_saving_loads_to_the_same_tensors() {
        for file in [
            "tiny.pth",
            "tiny_legacy.pth",
            "tiny_module.pth",
            "tiny_views.pth",
            "tiny_checkpoint.pth",
            "tiny.safetensors",
        ] {
            assert_holds(file, &TINY, &[COUNTER]);
        }
        assert_holds("tiny_types.pth", &TINY, &[]);
    }

    #[test]
    fn integers_are_refused_when_read() {
        let message = open(&bytes("tiny.pth")).unwrap().read(COUNTER).unwrap_err().to_string();
        assert!(
            message.ends_with("bn.num_batches_tracked is of type I64, expected F64, F32, F16 or BF16"),
            "{message}"
        );
    }

    /// A checkpoint with another pickle in the place of its own, compressed.
    fn with_pickle(pickle: &[u8]) -> Vec<u8> {
        let mut old = ZipArchive::new(Cursor::new(bytes("tiny.pth"))).unwrap();
        let mut new = ZipWriter::new(Cursor::new(vec![]));
        for index in 0..old.len() {
            let mut member = old.by_index(index).unwrap();
            let name = member.name().unwrap().into_owned();
            let mut bytes = vec![];
            member.read_to_end(&mut bytes).unwrap();
            new.start_file(&*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
                .unwrap();
            new.write_all(if is_pickle(&name) { pickle } else { &bytes }).unwrap();
        }
        new.finish().unwrap().into_inner()
    }

    #[test]
    fn compressed_archives_are_read_too() {
        let mut pickle = vec![];
        let mut archive = ZipArchive::new(Cursor::new(bytes("tiny.pth"))).unwrap();
        archive.by_name("tiny/data.pkl").unwrap().read_to_end(&mut pickle).unwrap();
        let mut file = open(&with_pickle(&pickle)).unwrap();
        assert_eq!(file.read("fc.bias").unwrap(), crate::weights::fixtures::values(8, 2));
    }

    /// An archive whose directory's first entry is as long as zip64's records behind the directory, as in one called
    /// `STEM.pth` with 21 letters.
    #[test]
    fn archives_are_read_whatever_the_length_of_their_name() {
        const RECORDS: usize = 56 + 20;
        let mut whole = bytes("tiny.pth");
        let end = whole.len() - 22;
        let number = |whole: &[u8], at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap());
        let directory = number(&whole, end + 16) as usize;
        let entry = 46 + usize::from(whole[directory + 28]);
        let comment = RECORDS - entry;
        // Its length, the directory's in both records of the end, and where zip64's lies.
        whole[directory + 32] = comment as u8;
        for at in [end + 12, end - RECORDS + 40, end - 20 + 8] {
            let longer = number(&whole, at) + comment as u32;
            whole[at..at + 4].copy_from_slice(&longer.to_le_bytes());
        }
        whole.splice(directory + entry..directory + entry, vec![b' '; comment]);
        assert_eq!(open(&whole).unwrap().read("fc.bias").unwrap(), crate::weights::fixtures::values(8, 2));
    }

    #[test]
    fn hostile_pickles_are_refused() {
        for (pickle, reason) in [
            // Ten thousand tuples inside each other; a list of a billion copies; a string of 4 GiB; none of it there.
            ([&b"\x80\x02)"[..], &[0x85; 10_000], b"."].concat(), "nesting exceeds"),
            (
                [&b"\x80\x02]q\x00"[..], &b"(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00eq\x00".repeat(10)[..], b"."]
                    .concat(),
                "memo bomb",
            ),
            (b"\x80\x02X\xff\xff\xff\xff.".to_vec(), "expected 4294967295 bytes"),
            (b"\x80\x02h\x07.".to_vec(), "memo reference 7 not found"),
            (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.".to_vec(), "expected a state dict"),
            (vec![b'N'; MAX_PICKLE_BYTES as usize + 1], "describes its tensors in more than"),
            (vec![], "pickle: "),
        ] {
            let message = refusal(&with_pickle(&pickle));
            assert!(message.contains(reason), "{reason}: {message}");
        }
    }

    #[test]
    fn legacy_files_are_held_to_the_same_limit() {
        let whole = bytes("tiny_legacy.pth");
        let version = whole.windows(4).position(|bytes| bytes == b"\x80\x02M\xe9").unwrap();
        for (endless, reason) in [
            (vec![b'N'; MAX_PICKLE_BYTES as usize + 1], "describes its tensors in more than"),
            (vec![b']'; 2 * MAX_PICKLE_BYTES as usize], "describes its tensors in more than"),
            (b"X\xff\xff\xff\x7f.".to_vec(), "describes its tensors in more than"),
            // Lengths whose sum is none that 64 bits hold.
            (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.".to_vec(), "describes its tensors in more than"),
            (b"\x8e\0\0\0\0\0\0\0\x80".repeat(2), "describes its tensors in more than"),
            (b"X\x00\x00\x10\x00.".to_vec(), "cannot be read as PyTorch"),
        ] {
            let message = refusal(&[&whole[..version], &endless].concat());
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn the_length_of_a_pickle_is_found_without_building_it() {
        let whole = bytes("tiny_legacy.pth");
        let mut rest = &whole[..];
        for _ in 0..LEGACY_PICKLES {
            pickle::length(&mut rest, MAX_PICKLE_BYTES).unwrap();
        }
        // Ten storages follow: the number of elements, then the elements.
        let elements = [108, 4, 4, 4, 4, 4, 36, 8, 2];
        let counter = 8 + 8;
        assert_eq!(rest.len(), elements.iter().map(|count| 8 + 4 * count).sum::<usize>() + counter);
    }

    /// `torch.save({"epoch": 3, "state_dict": {"a": [1, 2]}, "state_dict_ema": {"a": [3, 4]}})`, packed, in base 64.
    const AVERAGED: &str = "\
        eNqlVT1v00AYvjhfxoV8tEDaDmVgCRK4dj4bCqQyyIsHQihSxGJc54gtnDhnX4JAQlRCGfgFSAxs/AZW/kKXioGNiYmVkTu7TW2HNCK8knVycs\
        +HXz/vuaXEEwCwLJipHFgFmqMb5hhudzWs8cMXlixlwNNQHTJvECh2kgQAh7ZuoJgS73DkzsUahmrX1DFidN22LKhj0x643EOnCx3YfUD+4VD8\
        RhslOjGyX0NJHdtEj1dH2LRcTnXgwci0uiqGA9d21HGJQ6lisZP2yG1H60GU9iGcbNkafuz/yCHWIxTQhU6crPpwhDiFwWjlkQIUZoIuKrEJuv\
        TeoNoZjLJtlHM7mZBlFfY1lPd2rBpJg8gaacOnFdGa4dFdPqG7Qumu+nQFjNbbaMMd8S0lzd7/ONHWCYZerbl9LoDr0z7zz22nr2F1DB2XNEuW\
        rkXaPVMiFfry6/s76o1e84U2Qf1M6KSDqmaZvUEfDrAslRdp/a1qFWqg+RL9ZIgEc66BPGhODRy8wtCmSZCl3WV0T8syMbYg9TC5+2MjRVRS53\
        rIgHuhVG8LsnT7PwwAcNgktHvUwfhzk6eS7AIHd8IORFnaAcvr7+0RD57+h/3jt4v1s2B3qj/NWX1ZA2WOKh996j1Z/P63QOksgN6ju9AxSQJf\
        a/RoUM2uLPH/aESo1kRR2KmWyjWxUasL1VKjIjSEcqMqlOoVsd6oiIJQEb2UPltTvxaJj6LnMkbNTn0GZzU34zx6DkbRwQEshJBGDMyb7ihJcI\
        g2QyRHQZKZyY3yBAchH+JpM2B2AKPwYIozIfgxAyKzE8UGExjG0qM4nPooNpihbAj7LYCd07vgq90KP3MCLAhdS0mlbp5GNH5rimQj6wrjr78T\
        /kpw9FsE4mn/3j99kykfw3r7/b1/AEtemy0=";

    /// `torch.save(module, FILE, _use_new_zipfile_serialization=False)`, as [`AVERAGED`].
    const WHOLE: &str = "\
        eNp1k1tP2zAUx9O0XBbGfbBxGevuyTZSoIUB094mXqoy6F78giw3cWlGGufYDgykSuwBje0z7APsq+0jTNrDHIdbReeHSP7/f+ecHB/71PxhhX9/\
        bv0pfv61M+OemrXfefXtgGGjMcMwYs4k81iIDykXAYsgpwA0rJwwkDKkmEZ+QCIwz5GlRHkcUyyCEyog34GCjfqUKFqMS+irmiivdkEkob9aQIU0\
        B4v2YaBaSBJV00b9SmozPwkpGB7GbRJEGFs1C3JoSlkl2Y5LRMrFA8qJaJSaX9z4GEzEleeFRIhizZaMey03ityazuNsWkW1fNosYhxEgcTYFhdi\
        ukQSU2477pXpvCsKl7y/SrNDOGlTqaBMOqGcCXvFcSzISyjsOl+hrwP9NhpMu+fqj4O0pXM0pPY4vowWMNiBOyinRAKWl+XCiQxCYWFOG0kQ+te0\
        BUP/QSSNBOP4cMWCu7aNBtLTVSTZpzCchVhbISPyUyZaMIJGFLNRKVfK6xuV1eXl8toSjOpBeHECY1VzW8L4btWommcwUc2dweR3T807pJ5U4xbW\
        R+5TTv0PgSctuOfUYUrCdB3un7fSzYNvMFOHWaHbx42k2Ux7nevAPJpLlYhFOE5vjlB/Li8BLKiEh2rCaVNSD1kpFizswaMzKNbhMZrU+Yh3cES4\
        OhlOcYuxAwFPdNmnaLTLz7xn2nuOplMvELiZhGE3Ay+29XngJuM3Al/qQBvN3rLwUSBbOE2wL8DR2Cs0fxsj4RE5Ftgj6uB8eK3BN2jiJnjdw6K2\
        XbTQ0+4qWdLoEhpPUSGJpNhXk7hItKzdFf04brrXpcqaqGSdqYvh98ZWNbaWzewWxsRlwbeaW8+mnb1UARsd2Ewa6gHvgdHrtuWIaxrd6x+DJmRS";

    fn unpacked(text: &str) -> Vec<u8> {
        let packed = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let mut bytes = vec![];
        flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn averages_are_taken_when_asked_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), unpacked(AVERAGED)).unwrap();
        let mut open = crate::weights::open(file.path()).unwrap();
        assert_eq!(open.read("a").unwrap(), [1.0, 2.0]);
        let note = &open.notes()[0];
        assert!(note.contains("under \"state_dict\" are taken, not their averages under \"state_dict_ema\""), "{note}");
        let mut averages = open.averages().unwrap();
        assert_eq!((averages.read("a").unwrap(), averages.notes().len()), (vec![3.0, 4.0], 0));
        let none = crate::weights::fixtures::open(&super::super::fixtures::bytes("tiny.pth"))
            .unwrap()
            .averages()
            .err()
            .unwrap();
        assert!(none.to_string().contains("has no averages of its weights"), "{none}");
    }

    #[test]
    fn what_is_no_state_dict_is_called_what_it_is() {
        let message = refusal(&with_pickle(b"\x80\x02]."));
        assert!(message.contains("holds a Python list, expected a state dict; save the one"), "{message}");
        // {"a": a storage of eight bits}
        let message = refusal(&with_pickle(
            b"\x80\x02}X\x01\0\0\0a((X\x07\0\0\0storagectorch\nQInt8Storage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQs.",
        ));
        assert!(
            message.contains("holds quantized weights, expected a state dict; save those of the network"),
            "{message}"
        );
        let message = refusal(&unpacked(WHOLE));
        assert!(
            message.contains("holds a whole module, as PyTorch before 1.6 saved it, expected a state dict"),
            "{message}"
        );
        // {"a": 1}: what is no tensor, as an array of NumPy, is passed over.
        let message = refusal(&with_pickle(b"\x80\x02}X\x01\x00\x00\x00aK\x01s."));
        assert!(
            message.contains("holds no tensors, expected a state dict; of arrays of NumPy make tensors"),
            "{message}"
        );
        let mut script = ZipWriter::new(Cursor::new(vec![]));
        for name in ["ts/data.pkl", "ts/constants.pkl"] {
            script.start_file(name, SimpleFileOptions::default()).unwrap();
        }
        let message = refusal(&script.finish().unwrap().into_inner());
        assert!(message.contains("a TorchScript archive, expected a state dict; save that of its module"), "{message}");
    }

    #[test]
    fn an_archive_cut_short_is_called_damaged() {
        let whole = bytes("tiny.pth");
        let message = refusal(&whole[..whole.len() / 2]);
        assert!(message.contains("cannot be read as PyTorch .pth/.pt; copy or download it again"), "{message}");
    }
}
