//! Our WGSL on Burn's device: buffers, launches and read-back on the queue that the tensors live on, nothing copied.

use std::pin::Pin;

use burn::tensor::{Device, Tensor};
use burn_wgpu::{CubeBackend, KernelSource, SourceKernel, SourceTemplate};
use bytemuck::Pod;
use cubecl::prelude::*;
use cubecl::server::{Handle, KernelArguments, ServerError};

/// Workgroups that WebGPU launches per dimension.
pub const MAX_WORKGROUPS: u32 = 65_535;

/// A kernel: a WGSL file of `shaders/` whose `{{ name }}` placeholders are filled in at launch.
///
/// Shaders run without bounds checks or zeroed workgroup memory: each checks its bounds, initialises what it reads and
/// uses every buffer it declares.
#[derive(Debug)]
pub struct Kernel {
    /// File stem in `shaders/`.
    pub name: &'static str,
    /// The WGSL template.
    pub source: &'static str,
    /// Invocations of a workgroup, as in the shader's `@workgroup_size`.
    pub workgroup: [u32; 3],
}

impl Kernel {
    /// The complete source as launched.
    pub fn complete(&self, constants: &[(&'static str, u32)]) -> String {
        constants
            .iter()
            .fold(SourceTemplate::new(self.source), |template, (name, value)| {
                template.register(*name, value.to_string())
            })
            .complete()
    }
}

/// A kernel with its source complete: the key of the compiled kernel holds everything that was filled in.
struct Complete {
    name: &'static str,
    source: String,
}

impl KernelSource for Complete {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.source.clone())
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((self.name, self.source.clone()))
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// The queue of a GPU device.
#[derive(Clone)]
pub struct Gpu {
    client: Client,
}

/// The device reported a failure: out of memory, lost, or a kernel it could not run.
#[derive(Debug, thiserror::Error)]
#[error("the GPU failed while {doing}: {message} (try a smaller `run.memory`, or `--device cpu`)")]
pub struct GpuError {
    /// What was under way.
    pub doing: &'static str,
    /// What the device said.
    pub message: String,
}

impl Gpu {
    /// The queue of `device`; `None` where the device is the CPU.
    pub fn of(device: &Device) -> Option<Self> {
        let probe = Tensor::<1>::zeros([1], device);
        Some(Self { client: probe.try_into_primitive::<CubeBackend>().ok()?.client })
    }

    /// The largest buffer a kernel may bind, in bytes.
    pub fn max_binding_bytes(&self) -> usize {
        usize::try_from(self.client.properties().memory.max_page_size).unwrap_or(usize::MAX)
    }

    /// An uninitialised buffer.
    pub fn empty(&self, bytes: usize) -> Handle {
        self.client.empty(bytes)
    }

    /// A buffer with these values.
    pub fn upload<T: Pod>(&self, values: &[T]) -> Handle {
        self.client.create_from_slice(bytemuck::cast_slice(values))
    }

    /// Reads a buffer back; waits for everything launched before.
    pub fn download<T: Pod>(&self, buffer: &Handle, doing: &'static str) -> Result<Vec<T>, GpuError> {
        self.download_later(buffer, doing).wait()
    }

    /// Starts to read a buffer back as it is after everything launched before; what is launched until
    /// [`Download::wait`] runs on meanwhile.
    pub fn download_later(&self, buffer: &Handle, doing: &'static str) -> Download<'_> {
        Download { bytes: Box::pin(self.client.read_async(vec![buffer.clone()])), doing }
    }

    /// Launches `workgroups` of `kernel` over `buffers`, bound in order; `sizes` is the last binding (`array<u32>`).
    ///
    /// # Panics
    /// If a dimension exceeds [`MAX_WORKGROUPS`]: fold it into two, or launch in slices.
    pub fn launch(
        &self,
        kernel: &Kernel,
        constants: &[(&'static str, u32)],
        workgroups: [u32; 3],
        buffers: &[&Handle],
        sizes: &[u32],
    ) {
        assert!(workgroups.iter().all(|&n| n <= MAX_WORKGROUPS), "{}: {workgroups:?} workgroups", kernel.name);
        let sizes = self.upload(sizes);
        let bindings = buffers.iter().copied().chain([&sizes]).map(|buffer| buffer.clone().binding()).collect();
        let [x, y, z] = kernel.workgroup;
        let source = Complete { name: kernel.name, source: kernel.complete(constants) };
        self.client.launch(
            Box::new(SourceKernel::new(source, burn_wgpu::CubeDim::new_3d(x, y, z))),
            CubeCount::Static(workgroups[0], workgroups[1], workgroups[2]),
            KernelArguments::new().with_buffers(bindings),
        );
    }
}

/// A buffer on its way back from the device.
pub struct Download<'a> {
    bytes: Pin<Box<dyn Future<Output = Result<Vec<cubecl::bytes::Bytes>, ServerError>> + Send + 'a>>,
    doing: &'static str,
}

impl Download<'_> {
    /// Waits for the values.
    pub fn wait<T: Pod>(self) -> Result<Vec<T>, GpuError> {
        let failed = |message: String| GpuError { doing: self.doing, message };
        let buffers = cubecl::future::block_on(self.bytes).map_err(|error| failed(error.to_string()))?;
        let bytes = buffers.first().ok_or_else(|| failed("no buffer came back".to_owned()))?;
        Ok(bytemuck::pod_collect_to_vec(bytes))
    }
}

/// The GPU that kernels are tested on: with `SEMGPU_TEST_DEVICE=gpu` the adapter that `CUBECL_WGPU_DEFAULT_DEVICE`
/// names, or a software one; the test fails where there is none. `None` where no GPU is asked for.
#[cfg(test)]
pub(crate) fn test_device() -> Option<Device> {
    use burn::tensor::DeviceKind;
    let asked = std::env::var("SEMGPU_TEST_DEVICE").ok()?;
    assert_eq!(asked, "gpu", "SEMGPU_TEST_DEVICE={asked}, expected gpu");
    let named = std::env::var_os("CUBECL_WGPU_DEFAULT_DEVICE").is_some();
    Some(Device::wgpu(if named { DeviceKind::DefaultDevice } else { DeviceKind::Cpu }))
}
