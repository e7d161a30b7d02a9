//! Which images a concept gets: by chance, by the seed, whatever the order on the disk.

use std::collections::HashMap;

use rayon::prelude::*;

use super::classes::Class;
use super::photos::Photos;
use crate::progress::Progress;
use crate::{checksum, images};

/// The images drawn for a class.
pub(super) struct Drawn {
    /// Usable ones in the order of the draw, at most as many as asked.
    pub files: Vec<String>,
    /// Images that were drawn and left out.
    pub unusable: Vec<Unusable>,
    /// Images the class has in all.
    pub images: usize,
}

/// An image that was drawn and left out.
pub(super) struct Unusable {
    pub file: String,
    pub reason: String,
}

/// The files of a class in the order of the draw: by a hash of seed, class and name.
fn shuffled<'a>(files: &'a [String], class: &str, seed: u64) -> Vec<&'a String> {
    let mut keyed: Vec<(String, &String)> =
        files.iter().map(|file| (checksum::of_parts(&[&seed.to_string(), class, file]), file)).collect();
    keyed.sort();
    keyed.into_iter().map(|(_, file)| file).collect()
}

/// Draws images for each class. Every one is decoded in full; what cannot be decoded, and a picture that has been taken
/// before, gives way to the next of the draw.
pub(super) fn draw(
    photos: &Photos,
    classes: &[&Class],
    per_concept: usize,
    seed: u64,
    progress: &Progress,
) -> Vec<Drawn> {
    let fingerprint = |file: &String| -> Result<String, String> {
        images::fingerprint(&photos.folder.join(file)).map_err(|error| error.to_string())
    };
    let none = Vec::new();
    let orders: Vec<Vec<&String>> =
        classes.iter().map(|class| shuffled(photos.files.get(&class.key).unwrap_or(&none), &class.key, seed)).collect();

    // Most draws are good: these are decoded on all cores; what gives way is replaced one by one.
    let enough = |order: &Vec<&String>| order.len() >= per_concept;
    let first: Vec<&String> =
        orders.iter().filter(|order| enough(order)).flat_map(|order| order[..per_concept].iter().copied()).collect();
    let task = progress.task(first.len() as u64);
    task.now("decoding images".to_string());
    let mut known: HashMap<&String, Result<String, String>> = first
        .into_par_iter()
        .map(|file| {
            let found = fingerprint(file);
            task.advance(1);
            (file, found)
        })
        .collect();

    let mut seen: HashMap<String, &String> = HashMap::new();
    let mut drawn = Vec::new();
    for order in &orders {
        let mut class = Drawn { files: Vec::new(), unusable: Vec::new(), images: order.len() };
        // A class that has too few images takes none.
        for &file in order.iter().filter(|_| enough(order)) {
            if class.files.len() == per_concept {
                break;
            }
            let reason = match known.remove(file).unwrap_or_else(|| fingerprint(file)) {
                Err(reason) => reason,
                Ok(fingerprint) => match seen.get(&fingerprint) {
                    Some(first) => format!("{file} is the same picture as {first}"),
                    None => {
                        seen.insert(fingerprint, file);
                        class.files.push(file.clone());
                        continue;
                    }
                },
            };
            class.unusable.push(Unusable { file: file.clone(), reason });
        }
        drawn.push(class);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draw_depends_on_seed_and_class_and_not_on_the_order() {
        let files: Vec<String> = (0..40).map(|number| format!("{number}.jpg")).collect();
        let backwards: Vec<String> = files.iter().rev().cloned().collect();
        let draw = shuffled(&files, "cat", 1);
        assert_eq!(draw, shuffled(&backwards, "cat", 1));
        assert_ne!(draw, shuffled(&files, "cat", 2));
        assert_ne!(draw, shuffled(&files, "dog", 1));
        // Without one of the files the others keep their order.
        let fewer: Vec<String> = files.iter().filter(|file| *file != draw[3]).cloned().collect();
        let expected: Vec<&String> = draw.iter().filter(|file| **file != draw[3]).copied().collect();
        assert_eq!(shuffled(&fewer, "cat", 1), expected);
    }

    #[test]
    fn every_image_is_drawn_equally_often() {
        let files: Vec<String> = (0..10).map(|number| format!("{number}.jpg")).collect();
        let mut firsts = [0; 10];
        const DRAWS: u64 = 2000;
        for seed in 0..DRAWS {
            let first = shuffled(&files, "cat", seed)[0];
            firsts[files.iter().position(|file| file == first).unwrap()] += 1;
        }
        // Binomial(2000, 0.1): mean 200, standard deviation 13.4; 5 of them.
        assert!(firsts.iter().all(|count| (133..=267).contains(count)), "{firsts:?}");
    }
}
