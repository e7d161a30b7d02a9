// The residuals of one batch in a chunk of units, transposed, so that rsm_gram reads images as vectors.
//
// One workgroup moves a tile of 64 units x 16 images through workgroup memory: it reads along units and writes along
// images. Behind the group's last batch (rows > images) it also writes m at image `concepts`, a row of ones behind it
// (its products are the images' sums), and zeros. Units behind the chunk's last, up to a multiple of 16, are 0.
//
//   activations  [images, units]        one batch; the chunk is start .. start + count of each row
//   frame        [concepts]             shift, contrast, offset
//   means        [count]                m
//   packed       [count (to 16), padded]  written at images first .. first + rows

struct Sizes {
    units: u32,
    start: u32,
    count: u32,
    first: u32,
    images: u32,
    rows: u32,
    concepts: u32,
    padded: u32,
}

@group(0) @binding(0) var<storage, read_write> activations: array<f32>;
@group(0) @binding(1) var<storage, read_write> frame: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> packed: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

const UNITS = 64u;
const IMAGES = 16u;
// Two more than the units: 16 images of two units then lie in 32 different banks.
const PITCH = 66u;

var<workgroup> tile: array<f32, 1056>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let units = sizes.units;
    let start = sizes.start;
    let count = sizes.count;
    let first = sizes.first;
    let images = sizes.images;
    let rows = sizes.rows;
    let concepts = sizes.concepts;
    let padded = sizes.padded;
    let tile_unit = workgroup.x * UNITS;
    let tile_image = workgroup.y * IMAGES;

    // Loads need no branch: outside the batch they repeat its last activation and are replaced.
    let unit = tile_unit + t % UNITS;
    let column = start + min(unit, count - 1u);
    let m = means[min(unit, count - 1u)];
    for (var step = 0u; step < 4u; step++) {
        let row = t / UNITS + step * 4u;
        let image = tile_image + row;
        let inside = min(image, images - 1u);
        let numbers = frame[first + inside];
        let residual = ((activations[inside * units + column] - numbers.x) - numbers.y * m) - numbers.z;
        let behind = select(select(0.0, 1.0, first + image == concepts + 1u), m, first + image == concepts);
        let value = select(behind, residual, image < images);
        tile[row * PITCH + t % UNITS] = select(0.0, value, unit < count);
    }
    workgroupBarrier();

    let row = t % IMAGES;
    if tile_image + row < rows {
        for (var step = 0u; step < 4u; step++) {
            let column = t / IMAGES + step * 16u;
            if tile_unit + column < (count + 15u) / 16u * 16u {
                packed[(tile_unit + column) * padded + first + tile_image + row] = tile[row * PITCH + column];
            }
        }
    }
}
