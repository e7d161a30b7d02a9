//! `semgpu`: do the layers of an ImageNet network gather the semantics that word vectors learn from text?
//!
//! The experiment of Dharmaretnam & Fyshe (NAACL 2018) as one straight line. The modules stand in its order; a
//! module uses those above it and in its own line, never those below:
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | [`error`], [`files`], [`limits`], [`names`], `numbers`, [`checksum`], [`progress`], [`wording`], `fonts` | | exit codes, files that are none or too much, names of concepts and types of numbers in files, SHA-256, what is said meanwhile and how, names that figures can show |
//! | [`kernels`] | tensors and matrices | convolutions, products, poolings on CPU and GPU |
//! | [`stats`] | matrices | RSMs, 2 vs. 2 counts, p-values; opens no files |
//! | [`device`] | `auto`, `cpu`, `gpu:N` | a Burn device and the memory it has |
//! | [`imagenet`] | | the 1000 classes and their names |
//! | [`vectors`] | a word-vector file | one vector per concept |
//! | [`classes`] | a list of names | the classes of another network |
//! | [`images`] | an image file | RGB bytes of the network's size |
//! | [`weights`], [`nets`] | a weights file | a network as a list of stages with named taps |
//! | [`stimuli`] | a manifest of images | normalised batches on the device, decoded ahead |
//! | [`results`] | rows | CSV, JSON |
//! | [`arrays`], [`matrices`] | files of numbers, any toolbox's | arrays and what they say of themselves; RSMs |
//! | [`concepts`] | classes, vocabularies, images | a manifest, and why each class is in it or not |
//! | [`evaluation`] | RSMs of words and layers | rows of results |
//! | [`config`], [`record`] | an experiment's TOML, a command's arguments | what was asked for; what came of it: `run.json` |
//! | [`plan`] | a configuration | things that exist, or the user's error in second 0 |
//! | [`report`] | rows | figures, and one page of everything |
//! | [`finish`](mod@finish) | RSMs of words and layers | a results directory |
//! | [`checkpoint`] | RSMs of layers | their files, with which an interrupted run goes on |
//! | [`shards`] | a plan | pieces for many machines, which merge to the same bytes |
//! | [`pipeline`], [`bench`](mod@bench) | a plan | the whole line, stage by stage; timings |
//! | [`sweep`] | plans of many networks | a results directory each, one table and figure of all |
//! | [`features`], [`halves`] | another program's features or matrices | either half of the line on its own |
//! | [`compare`] | results of several runs | their curves on one axis, paired tests of their differences |
//! | [`export`] | a run's RSMs | other programs' files |
//! | [`cli`] | words of a command line | one of all these, and an exit code |
//!
//! Words of the field used throughout: an *RSM* is the `[concepts, concepts]` Pearson correlation matrix of one space
//! (words or one layer's activations), a *tap* is a layer's activation as it passes, a *draw* is one permutation of
//! the concepts, a *margin* is the matched minus the mismatched sum of a pair in the 2 vs. 2 test.
//!
//! ```
//! use semgpu::stats::{similarity::rsm_of_rows, two_vs_two};
//!
//! // Six concepts of five values each; the images say the same as the words, in another unit.
//! let words: Vec<f32> = (0..6 * 5).map(|n| ((7 * n * n + 3 * n) % 11) as f32).collect();
//! let images: Vec<f32> = words.iter().map(|value| 3.0 * value + 1.0).collect();
//! let (words, images) = (rsm_of_rows(&words, 6, 5)?, rsm_of_rows(&images, 6, 5)?);
//! let pairs = two_vs_two::pairs(&words, &images)?;
//! assert_eq!(pairs.len(), 15);
//! assert!(pairs.iter().all(|pair| pair.margin() > 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod checksum;
pub mod error;
pub mod files;
mod fonts;
pub mod limits;
pub mod names;
mod numbers;
pub mod progress;
pub mod wording;

pub mod kernels;
pub mod stats;

pub mod device;

pub mod imagenet;
pub mod images;
pub mod vectors;

pub mod classes;

pub mod nets;
pub mod weights;

pub mod stimuli;

pub mod results;

pub mod arrays;
pub mod matrices;

pub mod concepts;

pub mod config;
pub mod evaluation;
pub mod plan;
pub mod record;

pub mod report;

pub mod finish;

pub mod checkpoint;
pub mod shards;

pub mod bench;
pub mod pipeline;
pub mod sweep;

pub mod features;

pub mod compare;
pub mod export;
pub mod halves;

pub mod cli;

#[cfg(test)]
mod map;
