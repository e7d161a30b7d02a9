//! What a graph may ask for. A file can name any number; what is beyond these is refused before anything is made of it.

use super::lowering::Refusal;

/// Most nodes of a network; ViT-g/14 as PyTorch writes it has 4,000.
pub const MOST_NODES: usize = 20_000;

/// Most values, constants among them.
pub const MOST_NAMES: usize = 100_000;

/// Most values that come out.
pub const MOST_RESULTS: usize = 1_000;

/// Largest image, in pixels of a side.
pub const LARGEST_SIDE: usize = 8_192;

/// Most values of a tensor: more than any activation of a batch.
pub const MOST_VALUES: usize = 1 << 34;

/// Most places of a map together with what it is padded by, which may be laid out.
pub const MOST_PADDED: usize = 2 * LARGEST_SIDE * LARGEST_SIDE;

/// Most values that one node may make of nothing, or as whole numbers; all nodes together four times as many.
pub const MOST_MADE: usize = 1 << 24;

/// Most axes of a tensor.
const MOST_AXES: usize = 32;

/// Most constants computed one of the other.
pub const DEEPEST: usize = 256;

/// The number of values of a shape.
///
/// # Errors
/// More than `most`, or too many axes; of a shape without a value, if those of its lengths that are not 0 are as many.
pub fn units(shape: &[usize], most: usize) -> Result<usize, Refusal> {
    let units = shape.iter().try_fold(1usize, |units, &length| units.checked_mul(length.max(1)));
    match units.filter(|&units| units <= most && shape.len() <= MOST_AXES) {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(units) => Ok(units),
        None if shape.len() > MOST_AXES => Err(format!("a value of {} axes", shape.len()).into()),
        None => Err(format!("a value of the shape {shape:?}, {}", made(most)).into()),
    }
}

/// How a refusal of more than `most` values ends.
pub fn made(most: usize) -> String {
    format!("expected at most {most} numbers")
}

/// Settings whose numbers may be any: they are held to an axis, or are values.
const ANY: [&str; 6] = ["start", "end", "starts", "ends", "value_int", "value_ints"];

/// The whole numbers of a node's settings are small enough to be multiplied by one another.
///
/// # Errors
/// One of them is not.
pub fn settings<'a>(settings: impl Iterator<Item = (&'a str, &'a [i64])>) -> Result<(), Refusal> {
    for (name, values) in settings.filter(|(name, _)| !ANY.contains(name)) {
        if let Some(value) = values.iter().find(|value| i32::try_from(**value).is_err()) {
            return Err(format!("{name} = {value}").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
