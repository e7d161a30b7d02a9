//! Where the work runs: a GPU through Vulkan, Metal or DX12, or the CPU; chosen at run time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, Once, PoisonError};

use burn::tensor::Device;
use burn_wgpu::WgpuSetup;
use burn_wgpu::wgpu::{self, DeviceType};
use cubecl::future::block_on;
use serde::{Deserialize, Serialize};

use crate::kernels::gpu::Gpu;
use crate::wording::counted;

/// What the user asked for: `auto`, `cpu`, `gpu` or `gpu:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Choice {
    /// A GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU (Burn's flex back-end).
    Cpu,
    /// The best adapter, or number `N` of `semgpu devices`; a software adapter only if there is no other.
    Gpu(Option<usize>),
}

impl FromStr for Choice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(None)),
            _ => text
                .strip_prefix("gpu:")
                .and_then(|n| n.parse().ok())
                .map(|n| Self::Gpu(Some(n)))
                .ok_or_else(|| DeviceError::Unknown(text.to_string())),
        }
    }
}

impl TryFrom<String> for Choice {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<Self, DeviceError> {
        text.parse()
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(n)) => write!(f, "gpu:{n}"),
        }
    }
}

/// No such device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Not one of the four forms.
    #[error("device {0:?} is not known; expected auto, cpu, gpu or gpu:N (see: semgpu devices)")]
    Unknown(String),
    /// A GPU was asked for and there is none.
    #[error("device gpu: no adapter found for Vulkan, Metal or DX12; {0}, or use --device cpu")]
    NoAdapter(String),
    /// There is no adapter of that number.
    #[error("device gpu:{asked}: there is no such adapter, expected a number below {found} (see: semgpu devices)")]
    NoSuchAdapter {
        /// The number asked for.
        asked: usize,
        /// How many there are.
        found: usize,
    },
    /// The driver refused.
    #[error("{adapter}: the driver refused a device: {message}; update the driver, or use --device cpu")]
    Refused {
        /// The adapter's name.
        adapter: String,
        /// What it said.
        message: String,
    },
}

/// A graphics adapter as `semgpu devices` lists it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Adapter {
    /// `N` of `gpu:N`.
    pub index: usize,
    /// The adapter's name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// Driver name and version.
    pub driver: String,
    /// The largest buffer a shader may bind.
    pub binding_bytes: u64,
}

impl Adapter {
    fn new(index: usize, adapter: &wgpu::Adapter) -> Self {
        let about = adapter.get_info();
        let limits = adapter.limits();
        let kind = match about.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "software",
            DeviceType::Other => "other",
        };
        Self {
            index,
            name: about.name,
            kind: kind.to_string(),
            backend: about.backend.to_string(),
            driver: format!("{} {}", about.driver, about.driver_info).trim().to_string(),
            binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        }
    }

    /// Whether the adapter runs on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }

    /// Preference of `auto` and `gpu`: lower is better.
    fn rank(&self) -> usize {
        ["discrete", "integrated", "virtual", "other", "software"]
            .iter()
            .position(|&kind| kind == self.kind)
            .unwrap_or(usize::MAX)
    }
}

/// The device a command runs on.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Burn's handle.
    pub device: Device,
    /// The adapter; `None` on the CPU.
    pub adapter: Option<Adapter>,
    /// Why this one, for the user.
    pub why: String,
    /// The largest buffer a kernel may bind.
    pub binding_bytes: u64,
}

impl Selected {
    /// `cpu` or `gpu`.
    pub fn kind(&self) -> &'static str {
        if self.adapter.is_some() { "gpu" } else { "cpu" }
    }

    /// What decides the last digits of a result: the adapter and its driver, or `cpu`.
    pub fn key(&self) -> String {
        let adapter = self.adapter.as_ref();
        adapter.map_or("cpu".to_string(), |a| format!("{} {} {}", a.name, a.backend, a.driver))
    }

    /// The adapter's name, or `CPU (8 threads)`.
    pub fn name(&self) -> String {
        match &self.adapter {
            Some(adapter) => format!("{} ({}, {})", adapter.name, adapter.kind, adapter.backend),
            None => format!("CPU ({})", counted(rayon::current_num_threads(), "thread")),
        }
    }

    /// Where a command runs and why, as a line for the user.
    pub fn line(&self) -> String {
        format!("device    {}: {}", self.name(), self.why)
    }
}

/// All adapters of this machine, in the order of their numbers.
pub fn adapters() -> Vec<Adapter> {
    enumerate().1.iter().enumerate().map(|(index, adapter)| Adapter::new(index, adapter)).collect()
}

/// The adapter that `auto` takes, if any: a software adapter has to be named.
pub fn auto(adapters: &[Adapter]) -> Option<&Adapter> {
    adapters.iter().filter(|adapter| !adapter.is_software()).min_by_key(|adapter| adapter.rank())
}

/// What to do about a GPU that the machine has and none of `adapters` is.
pub fn unseen(adapters: &[Adapter]) -> Option<String> {
    let software = adapters.iter().all(Adapter::is_software);
    (software && cfg!(target_os = "linux")).then(|| unseen_in(Path::new("/dev"))).flatten()
}

/// [`unseen`] by a directory of device files.
fn unseen_in(devices: &Path) -> Option<String> {
    let names = std::fs::read_dir(devices).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let number = |name: &str| name.strip_prefix("nvidia").and_then(|number| number.parse::<u32>().ok());
    let nvidia = names.filter_map(|name| number(&name)).min();
    let missing = match nvidia {
        Some(_) => {
            "on servers and in containers the loader is often missing, or a library that the driver takes (Debian: \
             libvulkan1 libx11-6 libxext6 libegl1), or VK_DRIVER_FILES has to name the driver's nvidia_icd.json"
        }
        None => "install its driver (Debian: mesa-vulkan-drivers libvulkan1)",
    };
    let file = devices.join(nvidia.map_or("dri/renderD128".to_string(), |number| format!("nvidia{number}")));
    file.exists().then(|| format!("there is a GPU ({}), but Vulkan does not show it: {missing}", file.display()))
}

/// Brings up the chosen device.
///
/// # Errors
/// No adapter, no such adapter, or the driver refuses.
pub fn select(choice: Choice) -> Result<Selected, DeviceError> {
    if choice == Choice::Cpu {
        return Ok(cpu("asked for".to_string()));
    }
    let (instance, found) = enumerate();
    let listed: Vec<Adapter> = found.iter().enumerate().map(|(index, adapter)| Adapter::new(index, adapter)).collect();
    let (adapter, why) = match choice {
        Choice::Gpu(Some(asked)) => {
            let adapter = listed.get(asked).ok_or(DeviceError::NoSuchAdapter { asked, found: listed.len() })?;
            (adapter, "asked for".to_string())
        }
        Choice::Gpu(None) => {
            let adapter = listed.iter().min_by_key(|adapter| adapter.rank()).ok_or_else(|| {
                let install = "install the graphics driver (a software one is Mesa's lavapipe: mesa-vulkan-drivers)";
                DeviceError::NoAdapter(unseen(&listed).unwrap_or_else(|| install.to_string()))
            })?;
            let why = if adapter.is_software() { "asked for; a software adapter: slow" } else { "asked for" };
            (adapter, why.to_string())
        }
        _ => match auto(&listed) {
            Some(adapter) => (adapter, format!("auto: the best of {}", counted(listed.len(), "adapter"))),
            None => {
                let found = match listed.first() {
                    None => "no graphics adapter found".to_string(),
                    Some(adapter) => format!("{} is a software adapter; name it with gpu:0", adapter.name),
                };
                let unseen = unseen(&listed).map_or_else(String::new, |unseen| format!("; {unseen}"));
                return Ok(cpu(format!("auto: {found}{unseen}")));
            }
        },
    };
    let device = opened(instance, &found, adapter.index)
        .map_err(|message| DeviceError::Refused { adapter: adapter.name.clone(), message })?;
    let binding_bytes = Gpu::of(&device).map_or(adapter.binding_bytes, |gpu| gpu.max_binding_bytes() as u64);
    Ok(Selected { device, adapter: Some(adapter.clone()), why, binding_bytes })
}

fn cpu(why: String) -> Selected {
    Selected { device: Device::flex(), adapter: None, why, binding_bytes: u64::MAX }
}

fn enumerate() -> (wgpu::Instance, Vec<wgpu::Adapter>) {
    let backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = block_on(instance.enumerate_adapters(backends));
    (instance, adapters)
}

/// An adapter's device, opened once: Burn keeps for good what it has opened, and Python selects in every call.
fn opened(instance: wgpu::Instance, adapters: &[wgpu::Adapter], index: usize) -> Result<Device, String> {
    static OPENED: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    let mut known = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = known.get(&index) {
        return Ok(device.clone());
    }
    let device = open(instance, &adapters[index])?;
    known.insert(index, device.clone());
    Ok(device)
}

/// What a device's own thread panics of, or whoever starts one, comes back as an error: a line of it, no backtrace.
fn tell_panics() {
    // A second hook would call the first.
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let on_device = std::thread::current().name().is_some_and(|name| name.starts_with(DEVICE_THREAD));
            match panic.payload_as_str().filter(|_| on_device || STARTING.get()) {
                Some(said) => drop(writeln!(std::io::stderr(), "warning: the device: {said}")),
                None => others(panic),
            }
        }));
    });
}

/// How cubecl calls the threads that it calls drivers on.
const DEVICE_THREAD: &str = "DSD-";

thread_local! {
    /// Whether this thread starts a device's.
    static STARTING: Cell<bool> = const { Cell::new(false) };
}

fn open(instance: wgpu::Instance, adapter: &wgpu::Adapter) -> Result<Device, String> {
    tell_panics();
    let descriptor = wgpu::DeviceDescriptor {
        required_features: adapter.features().difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS),
        required_limits: adapter.limits(),
        // Burn pools its allocations itself.
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        // SAFETY: Burn's shaders are compiled without checks, which wgpu files under experimental features.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..Default::default()
    };
    let (device, queue) = block_on(adapter.request_device(&descriptor)).map_err(|error| error.to_string())?;
    let backend = adapter.get_info().backend;
    let setup = WgpuSetup { instance, adapter: adapter.clone(), device, queue, backend };
    // Without memory for another thread cubecl panics.
    STARTING.set(true);
    let started = catch_unwind(AssertUnwindSafe(|| Device::wgpu_options().setup(setup).init()));
    STARTING.set(false);
    started.map_err(|_| "its thread did not start".to_string())?.map_err(|error| error.to_string())
}

/// Peak memory of this process, where the system tells (Linux).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The processor, where the system tells, and the system: `Intel(R) Xeon(R) Processor, linux x86_64`.
pub fn machine() -> String {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let listed = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = listed.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let processor = named.map(|(_, name)| name.trim().to_string());
    // Windows says it so.
    match processor.or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok()) {
        Some(processor) => format!("{processor}, {system}"),
        None => system,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(kind: &str, index: usize) -> Adapter {
        let (name, backend, driver) = (String::new(), String::new(), String::new());
        Adapter { index, name, kind: kind.to_string(), backend, driver, binding_bytes: 0 }
    }

    #[test]
    fn a_gpu_that_vulkan_does_not_show_is_told() {
        let devices = tempfile::tempdir().unwrap();
        let told = || unseen_in(devices.path());
        assert_eq!(told(), None);
        std::fs::write(devices.path().join("nvidiactl"), "").unwrap();
        assert_eq!(told(), None);
        std::fs::create_dir(devices.path().join("dri")).unwrap();
        std::fs::write(devices.path().join("dri/renderD128"), "").unwrap();
        assert!(told().unwrap().contains("renderD128), but Vulkan does not show it: install its driver"));
        std::fs::write(devices.path().join("nvidia3"), "").unwrap();
        assert!(told().unwrap().contains("nvidia3), but Vulkan does not show it: on servers"));
        assert_eq!(unseen(&[adapter("discrete", 0)]), None);
    }

    #[test]
    fn choices_read_and_write_alike() {
        for text in ["auto", "cpu", "gpu", "gpu:3"] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        assert!("gpu:x".parse::<Choice>().is_err());
        assert!("cuda".parse::<Choice>().is_err());
    }

    #[test]
    fn auto_never_takes_a_software_adapter() {
        assert!(auto(&[adapter("software", 0)]).is_none());
        let mixed = [adapter("software", 0), adapter("integrated", 1), adapter("discrete", 2)];
        assert_eq!(auto(&mixed).map(|a| a.index), Some(2));
    }

    #[test]
    fn a_driver_that_refuses_is_told_with_what_helps() {
        let refused = DeviceError::Refused { adapter: "GPU".to_string(), message: "no".to_string() };
        assert!(refused.to_string().ends_with("refused a device: no; update the driver, or use --device cpu"));
    }

    #[test]
    fn an_adapter_that_is_not_there_is_an_error() {
        assert!(matches!(select(Choice::Gpu(Some(999))), Err(DeviceError::NoSuchAdapter { asked: 999, .. })));
    }
}
