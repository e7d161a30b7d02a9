//! `semgpu`: do the layers of an ImageNet network gather the semantics that word vectors learn from text?
//!
//! The experiment of Dharmaretnam & Fyshe (NAACL 2018) as one straight line. The modules stand in its order; a
//! module uses those above it, never those below:
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | [`device`] | `auto`, `cpu`, `gpu:N` | a Burn device and the memory it has |
//! | [`stats`] | matrices | RSMs, 2 vs. 2 counts, p-values; opens no files |
//! | [`vectors`] | a word-vector file | one vector per concept |
//! | [`images`] | an image file | RGB bytes of the network's size |
//! | [`weights`], [`nets`] | a weights file | a network as a list of stages with named taps |
//! | [`stimuli`] | a manifest of images | normalised batches on the device, decoded ahead |
//! | [`results`], [`report`] | rows | CSV, JSON, NPY; figures |
//! | [`config`], [`plan`] | an experiment's TOML | things that exist, or the user's error in second 0 |
//! | [`evaluation`] | RSMs of words and layers | rows of results |
//! | [`pipeline`], [`checkpoint`] | a plan | the whole line, stage by stage; an interrupted run goes on |
//!
//! Words of the field used throughout: an *RSM* is the `[concepts, concepts]` Pearson correlation matrix of one space
//! (words or one layer's activations), a *tap* is a layer's activation as it passes, a *draw* is one permutation of
//! the concepts, a *margin* is the matched minus the mismatched sum of a pair in the 2 vs. 2 test.

pub mod checksum;
pub mod device;
pub mod error;
pub mod progress;
pub mod stats;

pub mod images;
pub mod vectors;

pub mod nets;
pub mod weights;

pub mod stimuli;

pub mod report;
pub mod results;

pub mod config;
pub mod evaluation;
pub mod plan;

pub mod bench;
pub mod checkpoint;
pub mod pipeline;
