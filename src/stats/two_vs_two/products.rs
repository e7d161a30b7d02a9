//! The products of the test alone, nothing counted: what `semgpu bench` sets against its peers' matrix products.

use burn::tensor::Device;

use super::{TwoVsTwoError, UnitRows, cpu, gpu, rounding};
use crate::kernels::gpu::Gpu;
use crate::stats::Rsm;

/// Calls `time` with a function that makes the product of every image RSM under some of `draws`, on all threads of the
/// current rayon pool or on the queue of the GPU, and with the number of these draws: those of one batch on the GPU, all
/// on the CPU.
///
/// # Errors
/// [`TwoVsTwoError`].
pub fn products<T>(
    words: &Rsm,
    images: &[Rsm],
    draws: &[Vec<u32>],
    device: &Device,
    time: impl FnOnce(usize, &dyn Fn()) -> T,
) -> Result<T, TwoVsTwoError> {
    let concepts = words.concepts();
    let words = UnitRows::words(words)?;
    let images = images.iter().enumerate().map(|(n, image)| UnitRows::image(image, concepts, n));
    let images: Vec<UnitRows> = images.collect::<Result<_, _>>()?;
    Ok(match Gpu::of(device) {
        None => time(draws.len(), &cpu::products(&words, &images, draws)),
        Some(gpu) => {
            let batch = gpu::Batch::checked(&gpu, concepts, draws.len() as u64, images.len())?;
            let on_device = gpu::OnDevice::new(&gpu, batch, &words, &images, rounding(concepts));
            on_device.permute(batch, &draws[..batch.draws]);
            time(batch.draws, &|| on_device.multiply(batch))
        }
    })
}
