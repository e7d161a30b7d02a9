//! Which axes of a file number vectors, and which their units.

use std::path::Path;

use super::{FeaturesError, Layout, Token};
use crate::arrays::{self, ArrayError, StoredArray};
use crate::stats::two_vs_two::FEWEST_CONCEPTS;

/// What a file holds.
pub(super) struct Opened {
    pub arrays: Vec<StoredArray>,
    /// How many of an array's axes number vectors.
    pub leading: usize,
    /// The lengths of these.
    pub axes: Vec<usize>,
    /// The vectors' names, if the arrays' names are.
    pub names: Option<Vec<String>>,
}

/// The one array: `[concepts, units]`, `[groups, concepts, units]`, or flattened.
pub(super) fn single(array: StoredArray, layout: &Layout) -> Result<Opened, FeaturesError> {
    let path = array.path();
    if let Some((line, column, found)) = array.labels().missing.clone() {
        return Err(FeaturesError::Missing { path: path.into(), line, column, found });
    }
    let shape = array.shape().to_vec();
    let whole = layout.flatten || layout.token.is_some();
    let leading = match (&shape[..], whole) {
        (&[groups, concepts, _], false) if may_be_tokens(groups, concepts) && layout.groups.is_none() => {
            return Err(FeaturesError::Tokens { path: path.into(), shape });
        }
        ([_, _], _) | ([_, _, _, ..], true) => 1,
        ([_, _, _], false) => 2,
        _ => return Err(FeaturesError::Shape { path: path.into(), shape }),
    };
    Ok(Opened { arrays: vec![array], leading, axes: shape[..leading].to_vec(), names: None })
}

/// Whether `[groups, concepts, units]` may as well be `[concepts, tokens, units]`: more groups than anyone deals images into,
/// or as many concepts as a vision transformer has tokens, a square of patches and one for the class.
fn may_be_tokens(groups: usize, concepts: usize) -> bool {
    const MOST_GROUPS: usize = 10;
    const FEWEST_PATCHES: usize = 49;
    let patches = concepts.saturating_sub(1);
    let square = patches.isqrt().pow(2) == patches && patches >= FEWEST_PATCHES;
    groups > MOST_GROUPS || groups >= concepts || groups >= FEWEST_CONCEPTS && square
}

/// Which tokens count, and of how many.
pub(super) fn tokens(path: &Path, array: &StoredArray, layout: &Layout) -> Result<(Token, usize), FeaturesError> {
    let (Some(token), shape) = (layout.token, array.shape()) else { return Ok((Token::All, 1)) };
    let wrong = |found: String| FeaturesError::NoTokens { path: path.into(), shape: shape.to_vec(), found };
    match (shape, token) {
        (&[_, tokens, _], Token::One(token)) if token >= tokens => Err(wrong(format!("no token {token} of {tokens}"))),
        (&[_, 0, _], _) => Err(wrong("no tokens".to_string())),
        (&[_, tokens, _], token) => Ok((token, tokens)),
        _ => Err(wrong(format!("{} axes", shape.len()))),
    }
}

/// Every array a vector, in the order of their names.
pub(super) fn stacked(path: &Path) -> Result<Opened, FeaturesError> {
    let (names, arrays) = arrays::open_all(path)?;
    let values = |array: &StoredArray| array.shape().iter().product::<usize>();
    let Some(first) = arrays.first().map(values) else {
        return Err(ArrayError::NotOne { path: path.into(), names }.into());
    };
    if let Some((name, array)) = names.iter().zip(&arrays).find(|(_, array)| values(array) != first) {
        let (found, name) = (values(array), name.clone());
        return Err(FeaturesError::Stack { path: path.into(), name, found, first: names[0].clone(), expected: first });
    }
    let vectors = arrays.len();
    Ok(Opened { arrays, leading: 0, axes: vec![vectors], names: Some(names) })
}
