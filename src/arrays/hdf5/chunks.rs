//! Chunks numbered by the widest shape that a dataset may take.
//!
//! HDF5 numbers the chunks of its fixed arrays and of what it allocates early by the *maximum* shape (H5Dfarray.c,
//! H5Dnone.c: `max_down_chunks`); hdf5-reader 0.12.1 counts by the present shape, which takes chunks from the wrong places
//! where the two differ. Such datasets are put together here; all others the reader reads.

use hdf5_reader::chunk_index::{ChunkEntry, collect_implicit_chunk_entries};
use hdf5_reader::error::Error;
use hdf5_reader::filters::apply_pipeline_with_limit;
use hdf5_reader::fixed_array::collect_fixed_array_chunk_entries_storage;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::filter_pipeline::FilterDescription;
use hdf5_reader::messages::layout::{ChunkIndexing, DataLayout};
use hdf5_reader::{Dataset, Hdf5File};

/// The values of a dataset whose chunks are numbered by a wider shape than its own, in its byte order.
pub(super) fn by_widest_shape(file: &Hdf5File, dataset: &Dataset) -> Result<Option<Vec<u8>>, Error> {
    let Some(widest) = dataset.max_dims().filter(|widest| *widest != dataset.shape()) else { return Ok(None) };
    let header = file.get_or_parse_header(dataset.address())?;
    let layout = header.messages.iter().find_map(|message| match message {
        HdfMessage::DataLayout(message) => Some(&message.layout),
        _ => None,
    });
    let Some(DataLayout::Chunked { address, dims, chunk_indexing: Some(indexing), .. }) = layout else {
        return Ok(None);
    };
    // What follows the axes is the size of a value.
    let dims = dims.get(..widest.len()).unwrap_or(dims);
    let (storage, superblock, size) = (file.storage(), file.superblock(), dataset.raw_element_size()?);
    let entries = match indexing {
        ChunkIndexing::FixedArray { .. } => collect_fixed_array_chunk_entries_storage(
            storage,
            *address,
            superblock.offset_size,
            superblock.length_size,
            widest,
            dims,
            None,
        )?,
        ChunkIndexing::Implicit => collect_implicit_chunk_entries(*address, widest, dims, size, None, storage.len())?,
        _ => return Ok(None),
    };
    let filters = header.messages.iter().find_map(|message| match message {
        HdfMessage::FilterPipeline(message) => Some(message.filters.as_slice()),
        _ => None,
    });
    let whole = Whole { shape: dataset.shape(), chunk: dims, size, filters: filters.unwrap_or(&[]) };
    let mut bytes = filled(dataset)?;
    for entry in entries {
        whole.place(&entry, file, &mut bytes)?;
    }
    Ok(Some(bytes))
}

/// The value of every place that no chunk has.
fn filled(dataset: &Dataset) -> Result<Vec<u8>, Error> {
    let fill = dataset.fill_value().and_then(|fill| fill.value.as_deref()).filter(|fill| !fill.is_empty());
    let length = dataset.raw_byte_len()?;
    Ok(match fill {
        Some(fill) => fill.iter().copied().cycle().take(length).collect(),
        None => vec![0; length],
    })
}

/// A dataset that is put together from chunks.
struct Whole<'a> {
    shape: &'a [u64],
    /// Values of a chunk along each axis.
    chunk: &'a [u32],
    /// Bytes of a value.
    size: usize,
    filters: &'a [FilterDescription],
}

impl Whole<'_> {
    /// Copies the part of a chunk that lies within the shape.
    fn place(&self, entry: &ChunkEntry, file: &Hdf5File, bytes: &mut [u8]) -> Result<(), Error> {
        let Self { shape, chunk, size, filters } = *self;
        let axes = shape.len();
        let chunk: Vec<usize> = chunk[..axes].iter().map(|&axis| axis as usize).collect();
        let offsets: Vec<usize> = entry.offsets[..axes].iter().map(|&offset| offset as usize).collect();
        let shape: Vec<usize> = shape.iter().map(|&axis| axis as usize).collect();
        if offsets.iter().zip(&shape).any(|(offset, axis)| offset >= axis) {
            return Ok(());
        }
        let length = chunk.iter().try_fold(size, |length, &axis| length.checked_mul(axis));
        let length = length.ok_or_else(|| Error::InvalidData(format!("chunks of {chunk:?} values")))?;
        let stored = if entry.size == 0 { length } else { entry.size as usize };
        let packed = file.storage().read_range(entry.address, stored)?;
        let values = apply_pipeline_with_limit(&packed, filters, entry.filter_mask, size, None, Some(length))?;
        if values.len() < length {
            return Err(Error::InvalidData(format!("a chunk of {} bytes, expected {length}", values.len())));
        }
        // Row by row along the last axis.
        let row = (shape[axes - 1] - offsets[axes - 1]).min(chunk[axes - 1]) * size;
        for (n, from) in values.chunks_exact(chunk[axes - 1] * size).enumerate() {
            let (mut rest, mut place, mut stride, mut inside) = (n, offsets[axes - 1], shape[axes - 1], true);
            for axis in (0..axes - 1).rev() {
                let index = offsets[axis] + rest % chunk[axis];
                rest /= chunk[axis];
                inside &= index < shape[axis];
                place += index * stride;
                stride *= shape[axis];
            }
            if inside {
                bytes[place * size..][..row].copy_from_slice(&from[..row]);
            }
        }
        Ok(())
    }
}
