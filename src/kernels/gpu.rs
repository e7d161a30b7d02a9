//! Our WGSL on Burn's device: buffers, launches and read-back on the queue that the tensors live on, nothing copied.

pub mod activation;
pub mod attention;
pub mod convolution;
pub mod dense;
mod depthwise;
pub mod join;
pub mod norm;
pub mod pooling;
pub mod product;
pub mod rotary;
pub mod strided;
#[cfg(test)]
mod tests;
mod winograd;

use std::pin::Pin;

use burn::tensor::{DType, Device, Shape, Tensor};
use burn_wgpu::{CubeBackend, CubeTensor, KernelSource, SourceKernel, SourceTemplate, into_contiguous};
use bytemuck::Pod;
use cubecl::prelude::*;
use cubecl::server::{Handle, KernelArguments, MetadataBindingInfo, ServerError};

use super::Activation;

/// Workgroups that WebGPU launches per dimension.
pub const MAX_WORKGROUPS: u32 = 65_535;

/// Every kernel of a network.
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    let maps = [product::KERNELS, dense::KERNELS, winograd::KERNELS, depthwise::KERNELS, pooling::KERNELS];
    let tokens =
        [activation::KERNELS, join::KERNELS, strided::KERNELS, norm::KERNELS, rotary::KERNELS, attention::KERNELS];
    maps.into_iter().chain(tokens).flatten().copied()
}

/// Device memory that the kernels of a network need beside its activations, at most.
pub const SCRATCH_BYTES: usize = 2 * winograd::BUFFER_BYTES + product::PARTIALS_BYTES;

/// Parts that several shaders include, as `{{ parts/NAME }}`.
const PARTS: &[(&str, &str)] = &[
    ("parts/convolution", include_str!("../../shaders/parts/convolution.wgsl")),
    ("parts/tiled", include_str!("../../shaders/parts/tiled.wgsl")),
    ("parts/finished", include_str!("../../shaders/parts/finished.wgsl")),
    ("parts/values", include_str!("../../shaders/parts/values.wgsl")),
    ("parts/activation", include_str!("../../shaders/parts/activation.wgsl")),
    ("parts/runs", include_str!("../../shaders/parts/runs.wgsl")),
    ("parts/total", include_str!("../../shaders/parts/total.wgsl")),
    ("parts/nan", include_str!("../../shaders/parts/nan.wgsl")),
    ("parts/product", include_str!("../../shaders/parts/product.wgsl")),
];

/// Values of a shader's `{{ name }}` placeholders.
pub type Constants = [(&'static str, u32)];

/// The only variant of a shader without placeholders.
pub const PLAIN: &[(&str, &Constants)] = &[("", &[])];

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
    /// Fields of the shader's `Sizes`.
    pub sizes: &'static [&'static str],
    /// Constants as launched: one choice for every form of the code, each with a suffix for its name.
    pub variants: &'static [(&'static str, &'static Constants)],
}

impl Kernel {
    /// Name and complete source of every variant.
    pub fn sources(&self) -> impl Iterator<Item = (String, String)> {
        self.variants
            .iter()
            .map(|(suffix, constants)| (format!("{}{suffix}", self.name), complete(self.source, constants)))
    }
}

/// The sizes of a launch, the last binding of every shader: a `repr(C)` struct with fields of 4 bytes, as `Sizes` there.
pub trait Sizes: Pod {
    /// The fields' names, in order.
    const FIELDS: &'static [&'static str];
}

/// Defines a struct of [`Sizes`].
macro_rules! sizes {
    ($(#[$about:meta])* $visibility:vis struct $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        $visibility struct $name { $($visibility $field: $type),* }

        impl $crate::kernels::gpu::Sizes for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}
pub(crate) use sizes;

/// A kernel to be launched, told from others by its name and constants; its source is completed where it is compiled.
struct Launched {
    name: &'static str,
    template: &'static str,
    constants: Vec<(&'static str, u32)>,
}

impl KernelSource for Launched {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(complete(self.template, &self.constants))
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((self.name, self.constants.clone()))
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// A template with its parts and constants filled in, and what stands between the lines `{{ repeat NAME COUNT }}` and
/// `{{ end }}` written so many times, NAME counting them: an array that a loop counts through lies in memory with some drivers,
/// and NVIDIA's writes out no loop by itself.
fn complete(template: &str, constants: &Constants) -> String {
    let fill = |source: String, name: &str, value: &str| source.replace(&format!("{{{{ {name} }}}}"), value);
    let source = PARTS.iter().fold(template.to_owned(), |source, (name, part)| fill(source, name, part));
    let source = constants.iter().fold(source, |source, (name, value)| fill(source, name, &value.to_string()));
    let mut written = source;
    // The last to begin is within no other that is left.
    while let Some((before, piece)) = written.rsplit_once("{{ repeat ") {
        let repeated = piece.split_once(" }}\n").and_then(|(head, rest)| {
            let ((name, count), (body, rest)) = (head.split_once(' ')?, rest.split_once("{{ end }}\n")?);
            Some((name, count.parse::<usize>().ok()?, body, rest))
        });
        let (name, count, body, rest) = repeated.expect("a shader's `{{ repeat NAME COUNT }}` with its `{{ end }}`");
        let bodies: String = (0..count).map(|n| fill(body.to_owned(), name, &n.to_string())).collect();
        written = [before, &bodies, rest].concat();
    }
    written
}

/// Where sums are written, and what is added to each before its activation.
pub struct Results {
    buffer: Handle,
    summands: Option<Handle>,
}

impl Results {
    /// Room for sums to which nothing is added.
    fn of(buffer: Handle) -> Self {
        Self { buffer, summands: None }
    }

    /// Room for the results of a layer of this shape on `gpu`, where `summand`, if there is one, is.
    ///
    /// # Panics
    /// If the summand has another shape, or is on the CPU.
    fn room<const D: usize>(gpu: &Gpu, shape: [usize; D], summand: Option<Tensor<D>>) -> Self {
        let on_gpu = |summand: Tensor<D>| {
            assert_eq!(summand.dims(), shape, "a summand of the output's shape");
            Gpu::buffer(summand).expect("a summand on the device of the weights").1
        };
        Self { buffer: gpu.scratch(shape.iter().product()), summands: summand.map(on_gpu) }
    }

    /// As they are bound, one behind the other.
    fn bound(&self) -> Vec<&Handle> {
        [&self.buffer].into_iter().chain(&self.summands).collect()
    }

    /// The shaders' `summed`.
    fn summed(&self) -> u32 {
        u32::from(self.summands.is_some())
    }
}

/// What the width of an adapter's vectors tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Narrower than any GPU's: it runs on a CPU.
    Software,
    /// 32 lanes, never more or fewer: NVIDIA's. They have the registers for 32 sums an invocation.
    Lanes32,
    /// AMD's, Intel's, and where nothing is known.
    Other,
}

impl Width {
    fn of(client: &Client) -> Self {
        let hardware = &client.properties().hardware;
        match (hardware.plane_size_min, hardware.plane_size_max) {
            (_, ..16) => Self::Software,
            // cubecl says so of Apple's GPUs without asking; nothing was measured there.
            (32, 32) if cfg!(not(target_os = "macos")) => Self::Lanes32,
            _ => Self::Other,
        }
    }
}

/// Constants of `parts/product`: 4 x 4 sums an invocation.
pub const WIDE: &Constants = &[("quads", 1)];
/// 8 x 4 sums an invocation, for [`Width::Lanes32`].
pub const TALL: &Constants = &[("quads", 2)];

/// The queue of a GPU device.
#[derive(Clone)]
pub struct Gpu {
    client: Client,
    device: cubecl::Device,
    width: Width,
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
        Self::buffer(Tensor::<1>::zeros([1], device)).map(|(gpu, _)| gpu)
    }

    /// A tensor's buffer, its values in order, and the queue it is on; `None` where it is on the CPU.
    ///
    /// # Panics
    /// If the values are not f32.
    pub fn buffer<const D: usize>(tensor: Tensor<D>) -> Option<(Self, Handle)> {
        let tensor = into_contiguous(tensor.try_into_primitive::<CubeBackend>().ok()?);
        assert_eq!(tensor.dtype, DType::F32, "activations are f32");
        let width = Width::of(&tensor.client);
        Some((Self { client: tensor.client, device: tensor.device, width }, tensor.handle))
    }

    /// The tensor that `buffer` holds, of f32 in order.
    pub fn tensor<const D: usize>(&self, shape: [usize; D], buffer: Handle) -> Tensor<D> {
        let (client, device) = (self.client.clone(), self.device.clone());
        let tensor = CubeTensor::new_contiguous(client, device, Shape::from(shape), buffer, DType::F32);
        Tensor::from_primitive::<CubeBackend>(tensor)
    }

    /// A buffer that kernels fill before they read it. Tests poison it.
    pub fn scratch(&self, floats: usize) -> Handle {
        if cfg!(test) { self.upload(&vec![f32::NAN; floats]) } else { self.empty(floats * size_of::<f32>()) }
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

    /// How wide the adapter's vectors are.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The kernels that an adapter of another width is given.
    #[cfg(test)]
    pub fn as_if(self, width: Width) -> Self {
        Self { width, ..self }
    }

    /// Launches the form of `parts/product` for this adapter: one of [`WIDE`] and one of [`TALL`] kernels.
    pub fn launch_product<S: Sizes>(
        &self,
        [wide, tall]: [&Kernel; 2],
        workgroups: [u32; 3],
        buffers: &[&Handle],
        sizes: &S,
    ) {
        let (kernel, constants) = if self.width == Width::Lanes32 { (tall, TALL) } else { (wide, WIDE) };
        self.launch(kernel, constants, workgroups, buffers, sizes);
    }

    /// Whether the adapter runs on a CPU.
    pub fn is_software(&self) -> bool {
        self.width() == Width::Software
    }

    /// Launches `workgroups` of `kernel` over `buffers`, bound in order, with `sizes` behind them.
    ///
    /// # Panics
    /// If a dimension exceeds [`MAX_WORKGROUPS`]: [fold](fold_workgroups) it into two, or launch in slices.
    pub fn launch<S: Sizes>(
        &self,
        kernel: &Kernel,
        constants: &Constants,
        workgroups: [u32; 3],
        buffers: &[&Handle],
        sizes: &S,
    ) {
        assert!(workgroups.iter().all(|&n| n <= MAX_WORKGROUPS), "{}: {workgroups:?} workgroups", kernel.name);
        assert_eq!(S::FIELDS, kernel.sizes, "{}: sizes of another kernel", kernel.name);
        let sizes = bytemuck::bytes_of(sizes);
        // A uniform buffer is a whole number of 16 bytes.
        let mut words = vec![0_u64; sizes.len().div_ceil(16) * 2];
        bytemuck::cast_slice_mut(&mut words)[..sizes.len()].copy_from_slice(sizes);
        let bindings = buffers.iter().map(|&buffer| buffer.clone().binding()).collect();
        let [x, y, z] = kernel.workgroup;
        let source = Launched { name: kernel.name, template: kernel.source, constants: constants.to_vec() };
        self.client.launch(
            Box::new(SourceKernel::new(source, burn_wgpu::CubeDim::new_3d(x, y, z))),
            CubeCount::Static(workgroups[0], workgroups[1], workgroups[2]),
            KernelArguments::new().with_buffers(bindings).with_info(MetadataBindingInfo::custom(words)),
        );
    }
}

/// A size as the shaders take it.
pub fn u32s(size: usize) -> u32 {
    u32::try_from(size).expect("a batch has fewer than 2^32 activations")
}

/// The shaders' code of an activation.
fn code(activation: Activation) -> u32 {
    match activation {
        Activation::Identity => 0,
        Activation::Relu => 1,
        Activation::Relu6 => 2,
        Activation::Gelu => 4,
        Activation::GeluTanh => 5,
        Activation::QuickGelu => 6,
        Activation::Silu => 7,
        Activation::HardSwish => 8,
    }
}

/// `count` workgroups in two dimensions; the last few of them may be beyond.
pub fn fold_workgroups(count: usize) -> [u32; 3] {
    let rows = count.div_ceil(MAX_WORKGROUPS as usize);
    [count.div_ceil(rows.max(1)) as u32, rows as u32, 1]
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
