//! Decoded images that several networks take: each is decoded once, as far as memory lasts.

use std::collections::HashMap;

use super::{Loader, Manifest, StimuliError};
use crate::images::Framing;
use crate::nets::Input;

/// Images that later networks take too, by how they are framed. One that is made for no network holds nothing.
#[derive(Default)]
pub struct Gallery {
    /// Bytes that may still be held.
    left: u64,
    rooms: Vec<Room>,
    /// Images that were decoded.
    pub decoded: u64,
    /// Images that were there.
    pub shared: u64,
}

/// The images of one framing.
struct Room {
    framing: Framing,
    /// Networks that have not had them yet.
    networks: usize,
    /// RGB bytes by place: group by group, in the order of the concepts.
    images: HashMap<usize, Vec<u8>>,
}

impl Gallery {
    /// For networks that take the images one after the other; holds so many bytes at most.
    pub fn new<'a>(bytes: u64, networks: impl IntoIterator<Item = &'a Input>) -> Self {
        let mut gallery = Self { left: bytes, ..Self::default() };
        for framing in networks.into_iter().map(Input::framing) {
            match gallery.rooms.iter_mut().find(|room| room.framing == framing) {
                Some(room) => room.networks += 1,
                None => gallery.rooms.push(Room { framing, networks: 1, images: HashMap::new() }),
            }
        }
        gallery
    }

    /// The images of `groups` as [`Manifest::load`] gives them: those that are there, the others decoded.
    ///
    /// # Errors
    /// As there.
    pub fn load(
        &mut self,
        manifest: &Manifest,
        groups: &[usize],
        sums: Option<&[String]>,
        input: &Input,
        ahead: usize,
    ) -> Result<Shown<'_>, StimuliError> {
        let framing = input.framing();
        let room = self.rooms.iter().position(|room| room.framing == framing);
        let places: Vec<usize> = groups.iter().flat_map(|&group| manifest.places(group)).collect();
        let there = |place: &usize| room.is_some_and(|room| self.rooms[room].images.contains_key(place));
        let missing: Vec<usize> = places.iter().copied().filter(|place| !there(place)).collect();
        let loader = manifest.load_places(&missing, sums, framing, ahead)?;
        Ok(Shown { gallery: self, room, places: places.into_iter(), loader })
    }

    /// A network has had its images: those that no other takes go.
    pub fn had_by(&mut self, input: &Input) {
        let Some(at) = self.rooms.iter().position(|room| room.framing == input.framing()) else { return };
        self.rooms[at].networks -= 1;
        if self.rooms[at].networks == 0 {
            let room = self.rooms.swap_remove(at);
            self.left += room.images.values().map(|rgb| rgb.len() as u64).sum::<u64>();
        }
    }

    /// The image at a place if it is there; it goes with its last network.
    fn take(&mut self, room: usize, place: usize) -> Option<Vec<u8>> {
        let room = &mut self.rooms[room];
        if room.networks > 1 {
            return room.images.get(&place).cloned();
        }
        let rgb = room.images.remove(&place)?;
        self.left += rgb.len() as u64;
        Some(rgb)
    }

    /// Holds an image if another network takes it and there is room.
    fn hold(&mut self, room: usize, place: usize, rgb: &[u8]) {
        if let (Some(left), true) = (self.left.checked_sub(rgb.len() as u64), self.rooms[room].networks > 1) {
            self.left = left;
            self.rooms[room].images.insert(place, rgb.to_vec());
        }
    }
}

/// The images of a network on their way: as those of a [`Loader`].
pub struct Shown<'a> {
    gallery: &'a mut Gallery,
    room: Option<usize>,
    places: std::vec::IntoIter<usize>,
    loader: Loader,
}

impl Iterator for Shown<'_> {
    type Item = Result<Vec<u8>, StimuliError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.places.next()?;
        if let Some(rgb) = self.room.and_then(|room| self.gallery.take(room, place)) {
            self.gallery.shared += 1;
            return Some(Ok(rgb));
        }
        let decoded = self.loader.next()?;
        self.gallery.decoded += 1;
        if let (Some(room), Ok(rgb)) = (self.room, &decoded) {
            self.gallery.hold(room, place, rgb);
        }
        Some(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Resize;
    use crate::nets::Preprocess;
    use crate::stimuli::Stimulus;

    /// Two groups of two images of 2 x 2 px; a group has one grey.
    fn manifest(folder: &std::path::Path) -> Manifest {
        let stimulus = |group: u8, concept: u8| {
            let path = folder.join(format!("{group}{concept}.png"));
            image::RgbImage::from_pixel(2, 2, image::Rgb([10 * group + concept; 3])).save(&path).unwrap();
            Stimulus { path, class_index: None }
        };
        Manifest {
            concepts: ["a", "b"].map(String::from).to_vec(),
            groups: ["1", "2"].map(String::from).to_vec(),
            categories: None,
            stimuli: (1..=2).map(|group| (0..2).map(|concept| stimulus(group, concept)).collect()).collect(),
        }
    }

    fn input(size: usize, preprocess: Preprocess) -> Input {
        Input { size, preprocess, resize: Resize::SquashNearest, crop_pct: 0.875 }
    }

    /// The first value of every image.
    fn shown(gallery: &mut Gallery, manifest: &Manifest, groups: &[usize], input: &Input) -> Vec<u8> {
        let images = gallery.load(manifest, groups, None, input, 2).unwrap();
        images.map(|rgb| rgb.unwrap()[0]).collect()
    }

    #[test]
    fn an_image_is_decoded_once_for_networks_of_one_framing() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path());
        let networks = [input(2, Preprocess::Torch), input(3, Preprocess::Tf), input(2, Preprocess::Tf)];
        let mut gallery = Gallery::new(1000, &networks);
        let all = [10, 11, 20, 21];
        for (network, (decoded, shared)) in networks.iter().zip([(4, 0), (8, 0), (8, 4)]) {
            assert_eq!(shown(&mut gallery, &manifest, &[0, 1], network), all);
            assert_eq!((gallery.decoded, gallery.shared), (decoded, shared));
            gallery.had_by(network);
        }
        assert!(gallery.rooms.is_empty() && gallery.left == 1000);
    }

    #[test]
    fn what_does_not_fit_is_decoded_again_and_nothing_is_held_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path());
        let networks = [input(2, Preprocess::Torch), input(2, Preprocess::Torch)];
        // Two and a half of the four images of 12 bytes.
        let mut gallery = Gallery::new(30, &networks);
        assert_eq!(shown(&mut gallery, &manifest, &[1, 0], &networks[0]), [20, 21, 10, 11]);
        assert_eq!(gallery.left, 6);
        gallery.had_by(&networks[0]);
        assert_eq!(shown(&mut gallery, &manifest, &[0, 1], &networks[1]), [10, 11, 20, 21]);
        assert_eq!((gallery.decoded, gallery.shared, gallery.left), (6, 2, 30));
        let mut alone = Gallery::default();
        assert_eq!(shown(&mut alone, &manifest, &[0], &networks[0]), [10, 11]);
        assert_eq!((alone.decoded, alone.shared, alone.left), (2, 0, 0));
    }
}
