use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, TypeInner, back};
use semgpu::bench::kernels;
use semgpu::kernels::gpu::Kernel;

/// WebGPU's defaults, which every adapter has.
const STORAGE_BUFFERS: usize = 8;
const INVOCATIONS: u32 = 256;
const WORKGROUP_BYTES: u32 = 16 << 10;

fn parse(name: &str, source: &str) -> (Module, ModuleInfo) {
    let module =
        naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    (module, info)
}

/// Every variant of every kernel: its name and source as launched.
fn sources() -> impl Iterator<Item = (&'static Kernel, String, String)> {
    kernels().flat_map(|kernel| kernel.sources().map(move |(name, source)| (kernel, name, source)))
}

#[test]
fn every_kernel_keeps_within_webgpus_default_limits() {
    assert!(kernels().count() >= 12);
    for (kernel, name, source) in sources() {
        let (module, _) = parse(&name, &source);
        let [entry] = module.entry_points.as_slice() else { panic!("{name}: one entry point") };
        assert_eq!(entry.name, "main", "{name}");
        assert_eq!(entry.workgroup_size, kernel.workgroup, "{name}");
        assert!(entry.workgroup_size.iter().product::<u32>() <= INVOCATIONS, "{name}: {:?}", entry.workgroup_size);
        let bytes_in = |space: AddressSpace| {
            let variables = module.global_variables.iter().filter(move |(_, variable)| variable.space == space);
            variables.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx())).sum::<u32>()
        };
        assert!(bytes_in(AddressSpace::WorkGroup) <= WORKGROUP_BYTES, "{name}");
        let buffers = module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some()).count();
        assert!(buffers <= STORAGE_BUFFERS, "{name}: {buffers} buffers");
    }
}

#[test]
fn sizes_are_the_structs_of_the_shaders() {
    for (kernel, name, source) in sources() {
        let (module, _) = parse(&name, &source);
        let uniform = |variable: &&naga::GlobalVariable| variable.space == AddressSpace::Uniform;
        let mut uniforms = module.global_variables.iter().map(|(_, variable)| variable).filter(uniform);
        let (Some(sizes), None) = (uniforms.next(), uniforms.next()) else { panic!("{name}: one uniform") };
        let TypeInner::Struct { members, .. } = &module.types[sizes.ty].inner else { panic!("{name}: a struct") };
        let names: Vec<_> = members.iter().map(|member| member.name.as_deref().unwrap_or_default()).collect();
        assert_eq!(names, kernel.sizes, "{name}");
        assert!(members.iter().enumerate().all(|(at, member)| member.offset as usize == 4 * at), "{name}");
        let buffers = module.global_variables.iter().filter_map(|(_, variable)| variable.binding.as_ref());
        let last = buffers.map(|binding| binding.binding).max();
        assert_eq!(sizes.binding.as_ref().map(|binding| binding.binding), last, "{name}: sizes come last");
    }
}

#[test]
fn every_kernel_translates_for_vulkan_metal_and_dx12() {
    for (_, name, source) in sources() {
        let (module, info) = parse(&name, &source);
        let spirv = back::spv::write_vec(&module, &info, &back::spv::Options::default(), None);
        assert!(spirv.unwrap_or_else(|e| panic!("{name}: {e}")).len() > 100, "{name}");
        let options = back::msl::Options { fake_missing_bindings: true, ..Default::default() };
        let (msl, _) = back::msl::write_string(&module, &info, &options, &back::msl::PipelineOptions::default())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(msl.contains("kernel void"), "{name}");
        let options = back::hlsl::Options { fake_missing_bindings: true, ..Default::default() };
        let mut hlsl = String::new();
        back::hlsl::Writer::new(&mut hlsl, &options, &back::hlsl::PipelineOptions::default())
            .write(&module, &info, None)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(hlsl.contains("numthreads"), "{name}");
    }
}

#[test]
fn the_bench_writes_every_kernel_as_launched() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().display().to_string();
    for _ in 0..2 {
        crate::succeed(&["bench", "--shaders", &folder]);
    }
    for (_, name, source) in sources() {
        let path = directory.path().join(format!("{name}.wgsl"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), format!("// made by semgpu\n{source}"), "{name}");
        assert!(!source.contains("{{"), "{name} is complete");
    }
    let mine = directory.path().join("rsm_fold.wgsl");
    std::fs::write(&mine, "mine").unwrap();
    let said = crate::fail(&["bench", "--shaders", &folder], 2);
    assert!(said.contains("rsm_fold.wgsl: semgpu did not write this file"), "{said}");
    assert!(crate::fail(&["bench", "--json", &mine.display().to_string()], 2).contains("semgpu did not write"));
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
}
