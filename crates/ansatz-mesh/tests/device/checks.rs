//! The mesh of a device is that of the processor, vertex by vertex and triangle by triangle, to the bit. One list for the
//! tests and for the report on a device.

use ansatz_core::{Key, Scalar};
use ansatz_cuda::{Device, DeviceScalar};
use ansatz_mesh::device::{DeviceMarchingCubes, DeviceSurfaceNets};
use ansatz_mesh::measure::Topology;
use ansatz_mesh::{Ambiguity, Grid, GridShape, MarchingCubes, Mesh, MeshError, SurfaceNets};
use ansatz_testkit::device::Check;

/// The checks of this crate.
pub(crate) const CHECKS: &[Check<Device>] = &[
    ("marching cubes of noise, f32", noise::<f32>),
    ("marching cubes of noise, f64", noise::<f64>),
    ("marching cubes of smooth surfaces, f32", smooth::<f32>),
    ("marching cubes of smooth surfaces, f64", smooth::<f64>),
    ("marching cubes of samples at the level, f32", ties),
    ("surface nets, f32", surface_nets::<f32>),
    ("surface nets, f64", surface_nets::<f64>),
    ("marching cubes with nothing to find", nothing),
    ("marching cubes refuse what is not finite", errors),
];

const ALL: [Ambiguity; 3] = [
    Ambiguity::Trilinear,
    Ambiguity::SeparateInside,
    Ambiguity::SeparateOutside,
];

fn shape(dims: [usize; 3]) -> GridShape {
    GridShape::spanning(dims, [-1.0, -0.8, -1.1], [1.0, 0.9, 1.3]).expect("a grid")
}

/// Both meshes, the same to the bit.
fn agree<T: DeviceScalar>(
    device: &Device,
    shape: GridShape,
    samples: &[T],
    iso: T,
    ambiguity: Ambiguity,
) -> Mesh<T> {
    let what = format!("{:?} {ambiguity:?} at {iso:?}", shape.dims());
    let cubes = MarchingCubes {
        ambiguity,
        ..MarchingCubes::default()
    };
    let grid = Grid::new(shape, samples).expect("a grid");
    let host = cubes.extract(&grid, iso).expect("a mesh");
    let samples = device.upload(samples).expect("samples");
    let made = DeviceMarchingCubes { ambiguity }.extract(shape, &samples, iso);
    let mesh = made.expect("a mesh").to_mesh().expect("a mesh");
    assert_eq!(mesh.vertices.len(), host.vertices.len(), "{what}");
    let bits = |m: &Mesh<T>| -> Vec<u64> {
        let coordinates = m.vertices.iter().flat_map(|p| [p.x, p.y, p.z]);
        coordinates.map(|x| x.f64().to_bits()).collect()
    };
    assert!(bits(&mesh) == bits(&host), "{what}: vertices");
    assert!(mesh.triangles == host.triangles, "{what}: triangles");
    mesh
}

fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0x5e7).fill_normal(draw, &mut x);
    x
}

/// Every case, with tunnels and vertices inside of cells.
fn noise<T: DeviceScalar>(device: &Device) {
    for (dims, draw) in [
        ([2, 2, 2], 0),
        ([3, 4, 33], 1),
        ([14, 13, 32], 2),
        ([9, 21, 70], 3),
    ] {
        let shape = shape(dims);
        let samples = normal::<T>(shape.samples(), draw);
        for ambiguity in ALL {
            let mesh = agree(device, shape, &samples, T::of(0.1), ambiguity);
            if dims[2] == 70 && ambiguity == Ambiguity::Trilinear {
                // More vertices than crossings: some stand inside of cells.
                let plain = agree(
                    device,
                    shape,
                    &samples,
                    T::of(0.1),
                    Ambiguity::SeparateInside,
                );
                assert!(mesh.vertices.len() > plain.vertices.len());
            }
        }
    }
}

fn smooth<T: DeviceScalar>(device: &Device) {
    let shape = shape([41, 37, 50]);
    let ball = |[x, y, z]: [T; 3]| (x * x + y * y + z * z).sqrt();
    let mesh = agree(
        device,
        shape,
        &shape.sample(&ball),
        T::of(0.7),
        Ambiguity::Trilinear,
    );
    let topology = Topology::of(&mesh).expect("a topology");
    assert!(topology.is_watertight() && topology.euler() == 2);
    let gyroid = |[x, y, z]: [T; 3]| {
        let [x, y, z] = [x, y, z].map(|v| v * T::of(9.0));
        x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos()
    };
    for ambiguity in ALL {
        agree(device, shape, &shape.sample(&gyroid), T::zero(), ambiguity);
    }
}

fn surface_nets<T: DeviceScalar>(device: &Device) {
    let (low, gyroid) = (shape([9, 14, 70]), shape([30, 31, 33]));
    let wave = |[x, y, z]: [T; 3]| {
        let [x, y, z] = [x, y, z].map(|v| v * T::of(6.0));
        x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos()
    };
    let fields = [
        (low, normal::<T>(low.samples(), 3)),
        (gyroid, gyroid.sample(&wave)),
    ];
    for (shape, samples) in fields {
        for iso in [0.1, 100.0].map(T::of) {
            let grid = Grid::new(shape, &samples).expect("a grid");
            let host = SurfaceNets::default().quads(&grid, iso).expect("quads");
            let samples = device.upload(&samples).expect("samples");
            let made = DeviceSurfaceNets.extract(shape, &samples, iso);
            let quads = made.expect("quads").to_quads().expect("quads");
            assert_eq!(quads.quads.len(), host.quads.len());
            assert!(quads == host, "{:?}: other quads", shape.dims());
        }
    }
}

fn ties(device: &Device) {
    let shape = shape([12, 11, 35]);
    let steps = |i: usize| (Key::new(1).bits(0, i as u64)[0] % 3) as f32;
    let samples: Vec<f32> = (0..shape.samples()).map(steps).collect();
    for ambiguity in ALL {
        for iso in [0.5, 1.0] {
            agree(device, shape, &samples, iso, ambiguity);
        }
    }
}

fn nothing(device: &Device) {
    let shape = shape([5, 6, 7]);
    for iso in [0.5, 1.5] {
        let mesh = agree(
            device,
            shape,
            &vec![1.0_f64; shape.samples()],
            iso,
            Ambiguity::Trilinear,
        );
        assert!(mesh.vertices.is_empty() && mesh.triangles.is_empty());
    }
}

fn errors(device: &Device) {
    let shape = shape([5, 6, 37]);
    let mut samples = normal::<f32>(shape.samples(), 1);
    let extract = |samples: &[f32], iso| {
        let samples = device.upload(samples).expect("samples");
        DeviceMarchingCubes::default()
            .extract(shape, &samples, iso)
            .map(drop)
    };
    assert_eq!(extract(&samples, 0.0), Ok(()));
    assert!(matches!(
        extract(&samples, f32::NAN),
        Err(MeshError::NotFinite { .. })
    ));
    assert!(matches!(
        extract(&samples[1..], 0.0),
        Err(MeshError::Length { .. })
    ));
    samples[(2 * 6 + 3) * 37 + 35] = f32::INFINITY;
    samples[1000] = f32::NAN;
    let named = MeshError::Sample {
        index: [2, 3, 35],
        value: f64::INFINITY,
    };
    assert_eq!(extract(&samples, 0.0), Err(named));
    assert_eq!(device.synchronize(), Ok(()));
}
