//! Arithmetic on the device: our WGSL on Burn's queue.

pub mod gpu;
