//! Files of PyTorch, and what is none.

use std::io::{Cursor, Write};

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
    for file in
        ["tiny.pth", "tiny_legacy.pth", "tiny_module.pth", "tiny_views.pth", "tiny_checkpoint.pth", "tiny.safetensors"]
    {
        assert_holds(file, &TINY, &[COUNTER]);
    }
    assert_holds("tiny_types.pth", &TINY, &[]);
}

#[test]
fn integers_are_refused_when_read() {
    let message = open(&bytes("tiny.pth")).unwrap().read(COUNTER).unwrap_err().to_string();
    assert!(message.ends_with("bn.num_batches_tracked is of type I64, expected F64, F32, F16 or BF16"), "{message}");
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
        new.start_file(&*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
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
            [&b"\x80\x02]q\x00"[..], &b"(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00eq\x00".repeat(10)[..], b"."].concat(),
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

/// `torch.save({"model": {"a": [1, 2]}, "teacher": {"a": [3, 4]}})` of a PyTorch before 1.6, as [`AVERAGED`].
const TWICE: &str = "\
    eNptkM1OwkAQx9stiK6C+K03j3ghAUKBkxwMl8YvvOzFNLXdsDVrl9ndkmhCwoVEfAYfwFfzEUw8uAWJHtjDJvOf/8xvZiboDfPv997X6ePHzUl1gi4\
    /HfOPwaqQsmVZQym0CAX3R1SqWCRgGwMpmgyPtebUp0kUBwmgV4KNqJ+H1FfxC1XgjCFXIXkjKiakhryHiGOiONGw5uVILushkgEUvFyaLpmZ/0lElI\
    M9BkRsEwbghFrIkFX9VMdcYV/ShzTmka9pooT0R3VsUBVSyFjGGQwo5BcluMdFoO8WIoY1UjKeTqPtdurNWrPdarRcKMzHCocprHvoSsPGrWd5aArYs\
    6ewOQvN9pyG2iyv8LWMqKTRRRxqDFtnfShqKPVhW83hmgYhoxLKY9hhDjMzsTz7x6w1mvVaze24sMsWrL1f1n7GOpixrOWhhqM+HKvsJvfZTVbU26sW\
    QbSKrOXrdi1r0v2LJ+eZ+AMKW4Gf";

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
    let names = |file: &dyn WeightsFile| file.tensors().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let whole = open.whole().unwrap().unwrap();
    assert_eq!(names(whole.as_ref()), ["state_dict.a", "state_dict_ema.a"]);
    assert!(whole.whole().unwrap().is_none());
    let mut averages = open.averages().unwrap();
    assert!(averages.whole().unwrap().is_none(), "they were asked for");
    assert_eq!((averages.read("a").unwrap(), averages.notes().len()), (vec![3.0, 4.0], 0));
    let none =
        crate::weights::fixtures::open(&super::super::fixtures::bytes("tiny.pth")).unwrap().averages().err().unwrap();
    assert!(none.to_string().contains("has no averages of its weights"), "{none}");
}

#[test]
fn of_two_copies_neither_is_taken_for_the_file() {
    let file = crate::weights::fixtures::open(&unpacked(TWICE)).unwrap();
    let names: Vec<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["model.a", "teacher.a"]);
}

#[test]
fn what_is_no_state_dict_is_called_what_it_is() {
    let message = refusal(&with_pickle(b"\x80\x02]."));
    assert!(message.contains("holds a Python list, expected a state dict; save the one"), "{message}");
    // {"a": a storage of eight bits}
    let message = refusal(&with_pickle(
        b"\x80\x02}X\x01\0\0\0a((X\x07\0\0\0storagectorch\nQInt8Storage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQs.",
    ));
    assert!(message.contains("holds quantized weights, expected a state dict; save those of the network"), "{message}");
    // {"a": a sparse tensor}, and one of complex numbers
    for (storage, kind) in
        [("FloatStorage", "torch._utils._rebuild_sparse_tensor"), ("ComplexFloatStorage", "torch.Comp")]
    {
        let begin = &b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_sparse_tensor\n((X\x07\0\0\0storagectorch\n"[..];
        let end = b"\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQtRs.";
        let message = refusal(&with_pickle(&[begin, storage.as_bytes(), end].concat()));
        assert!(
            message.contains(&format!("holds tensors in {kind}")) && message.contains("to_dense().float()"),
            "{message}"
        );
    }
    let message = refusal(&unpacked(WHOLE));
    assert!(
        message.contains("holds a whole module, as PyTorch before 1.6 saved it, expected a state dict"),
        "{message}"
    );
    // {"a": 1}: what is no tensor, as an array of NumPy, is passed over.
    let message = refusal(&with_pickle(b"\x80\x02}X\x01\x00\x00\x00aK\x01s."));
    assert!(message.contains("holds no tensors, expected a state dict; of arrays of NumPy make tensors"), "{message}");
    let mut script = ZipWriter::new(Cursor::new(vec![]));
    for name in ["ts/data.pkl", "ts/constants.pkl"] {
        script.start_file(name, SimpleFileOptions::default()).unwrap();
    }
    let message = refusal(&script.finish().unwrap().into_inner());
    assert!(message.contains("a TorchScript archive, expected a state dict; save that of its module"), "{message}");
}

#[test]
fn tensors_whose_sign_is_kept_apart_are_refused() {
    // How torch.save({"b": x._neg_view()}, OUT) ends.
    for end in [&b"}q\x07X\x03\0\0\0negq\x08\x88stq\tR."[..], b"}\x94\x8c\x04conj\x94\x88st\x94R."] {
        let message = refusal(&with_pickle(&[b"\x80\x02(K\x01", end].concat()));
        assert!(message.contains("whose sign PyTorch keeps apart") && message.contains("resolve_neg()"), "{message}");
    }
    // {"neg": True} beside tensors is none of a tensor's.
    let message = refusal(&with_pickle(b"\x80\x02}X\x03\0\0\0neg\x88s."));
    assert!(message.contains("holds no tensors"), "{message}");
}

#[test]
fn an_archive_cut_short_is_called_damaged() {
    let whole = bytes("tiny.pth");
    let message = refusal(&whole[..whole.len() / 2]);
    assert!(message.contains("cannot be read as PyTorch .pth/.pt; copy or download it again"), "{message}");
}
