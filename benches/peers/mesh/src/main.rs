//! Crates that extract surfaces from sampled fields beside ours.
//!
//! Arguments and output are those of every peer (`benches/peers/common.py`). All read the samples that our side writes and
//! use one thread. Surfaces are compared by their area, in units of the spacing.

use std::time::Instant;

use fast_surface_nets::ndshape::{ConstShape, ConstShape3u32};
use fast_surface_nets::{SurfaceNetsBuffer, surface_nets};
use mcubes::{MarchingCubes, MeshSide};
use partner::{Failure, Named, Ours, Settings, hold, in_turns, quantile};
use serde::Deserialize;
use serde_json::json;
use transvoxel::prelude::{
    Block, FieldCaching, GenericMeshBuilder, TransitionSide, extract_from_field,
};

const FIELDS: [&str; 3] = ["sphere", "gyroid", "bunny"];

/// Positions and triangles.
type Surface = (Vec<[f32; 3]>, Vec<[usize; 3]>);

/// An extraction by some crate.
trait Method {
    /// Extracts.
    fn run(&mut self) -> Result<(), Failure>;
    /// What was extracted, in units of the spacing.
    fn surface(&self) -> Surface;
}

/// Crate with its version, the method of ours that it is compared with, and how it is made.
type Made = (
    &'static str,
    &'static str,
    fn(&[f32], usize) -> Box<dyn Method>,
);
const METHODS: [Made; 3] = [
    (
        "fast-surface-nets 0.2.1",
        "surface nets, normals",
        |samples, n| {
            Box::new(Nets {
                samples: samples.to_vec(),
                side: n,
                buffer: SurfaceNetsBuffer::default(),
            })
        },
    ),
    ("mcubes 0.1.7", "marching cubes, normals", |samples, n| {
        Box::new(Cubes {
            samples: samples.to_vec(),
            side: n,
            mesh: None,
        })
    }),
    (
        "transvoxel 2.0.0",
        "marching cubes, normals",
        |samples, n| {
            Box::new(Voxels {
                samples: samples.to_vec(),
                side: n,
                surface: Surface::default(),
            })
        },
    ),
];

struct Nets {
    samples: Vec<f32>,
    side: usize,
    buffer: SurfaceNetsBuffer,
}

impl Nets {
    fn on<S: ConstShape<3, Coord = u32>>(&mut self, shape: &S) {
        let last = self.side as u32 - 1;
        surface_nets(&self.samples, shape, [0; 3], [last; 3], &mut self.buffer);
    }
}

impl Method for Nets {
    fn run(&mut self) -> Result<(), Failure> {
        match self.side {
            128 => self.on(&ConstShape3u32::<128, 128, 128> {}),
            256 => self.on(&ConstShape3u32::<256, 256, 256> {}),
            n => return Err(format!("no shape of {n}³").into()),
        }
        Ok(())
    }

    fn surface(&self) -> Surface {
        let (triangles, _) = self.buffer.indices.as_chunks::<3>();
        let triangles = triangles.iter().map(|t| t.map(|v| v as usize)).collect();
        (self.buffer.positions.clone(), triangles)
    }
}

struct Cubes {
    samples: Vec<f32>,
    side: usize,
    mesh: Option<mcubes::Mesh>,
}

impl Method for Cubes {
    fn run(&mut self) -> Result<(), Failure> {
        let n = self.side;
        let origin = lin_alg::f32::Vec3::new(0.0, 0.0, 0.0);
        let samples = std::mem::take(&mut self.samples);
        let cubes = MarchingCubes::new(
            (n, n, n),
            (1.0, 1.0, 1.0),
            (1.0, 1.0, 1.0),
            origin,
            samples,
            0.0,
        )?;
        self.mesh = Some(cubes.generate(MeshSide::OutsideOnly));
        self.samples = cubes.values;
        Ok(())
    }

    fn surface(&self) -> Surface {
        let Some(mesh) = &self.mesh else {
            return Surface::default();
        };
        let position = |v: &mcubes::Vertex| [v.posit.x, v.posit.y, v.posit.z];
        let (triangles, _) = mesh.indices.as_chunks::<3>();
        (
            mesh.vertices.iter().map(position).collect(),
            triangles.to_vec(),
        )
    }
}

struct Voxels {
    samples: Vec<f32>,
    side: usize,
    surface: Surface,
}

impl Method for Voxels {
    fn run(&mut self) -> Result<(), Failure> {
        let (n, last) = (self.side, self.side - 1);
        let index = |v: f32| (v.round() as usize).min(last);
        // Inside is where values are greater, there.
        let field =
            |x: f32, y: f32, z: f32| -self.samples[(index(x) * n + index(y)) * n + index(z)];
        let mesh = extract_from_field(
            &field,
            FieldCaching::CacheCentralBlockOnly,
            Block::new([0.0, 0.0, 0.0], last as f32, last),
            TransitionSide::none(),
            0.0,
            GenericMeshBuilder::new(),
        )
        .build();
        let (positions, _) = mesh.positions.as_chunks::<3>();
        let (triangles, _) = mesh.triangle_indices.as_chunks::<3>();
        self.surface = (positions.to_vec(), triangles.to_vec());
        Ok(())
    }

    fn surface(&self) -> Surface {
        self.surface.clone()
    }
}

#[derive(Deserialize)]
struct Written {
    count: usize,
}

#[derive(Deserialize)]
struct Timed {
    seconds: f64,
    /// Vertices, triangles and area.
    values: [f64; 3],
}

fn main() -> Result<(), Failure> {
    let mut settings = Settings::from_arguments("mesh")?;
    if settings.held.is_none() {
        settings.threads = vec![1];
        return settings.hold_each(&["fast-surface-nets, mcubes and transvoxel"], &[]);
    }
    hold(1)?;
    let mut ours = Ours::new(&settings.ours)?;
    for n in if settings.quick {
        &[128][..]
    } else {
        &[128, 256]
    } {
        for field in FIELDS {
            compare(&settings, &mut ours, field, *n)?;
        }
    }
    Ok(())
}

fn compare(settings: &Settings, ours: &mut Ours, field: &str, n: usize) -> Result<(), Failure> {
    let case = format!("{field} {n}³");
    let path = format!("{}/grid-{}.f32", settings.out, std::process::id());
    let request = json!({"op": "grid", "field": field, "samples": n, "path": path});
    let Written { count } = ours.ask(&request)?;
    let bytes = std::fs::read(&path)?;
    std::fs::remove_file(&path)?;
    let (words, _) = bytes.as_chunks::<4>();
    let samples: Vec<f32> = words.iter().map(|w| f32::from_le_bytes(*w)).collect();
    if samples.len() != count {
        return Err(format!("{} of {count} samples were written", samples.len()).into());
    }
    let spacing = 2.0 / (n - 1) as f64;
    for (version, method, make) in METHODS {
        let name = Named {
            case: &case,
            implementation: version,
            version,
        };
        let request =
            json!({"op": "mesh", "field": field, "samples": n, "method": method, "threads": 1});
        let mut theirs = make(&samples, n);
        theirs.run()?;
        let (vertices, triangles) = theirs.surface();
        let mine: Timed = ours.ask(&request)?;
        let apart = (area(&vertices, &triangles) * spacing * spacing / mine.values[2] - 1.0).abs();
        settings.record(&name, "agreement", &[apart], "1");
        for (what, count) in [("vertices", vertices.len()), ("triangles", triangles.len())] {
            let implementation = &format!("{version}: {what}");
            let name = Named {
                implementation,
                ..name
            };
            settings.record(&name, "surface", &[count as f64], "1");
        }
        if apart.is_nan() || apart > settings.agreement {
            settings.note(&format!(
                "{case}: {version} is {apart:.2e} away; not timed."
            ));
            continue;
        }
        let (least, budget) = if settings.quick { (5, 1.0) } else { (7, 3.0) };
        let (us, them) = in_turns(
            || Ok(ours.ask::<Timed>(&request)?.seconds),
            || {
                let begin = Instant::now();
                theirs.run()?;
                Ok(begin.elapsed().as_secs_f64())
            },
            least,
            budget,
        )?;
        let median = quantile(&them, 0.5);
        settings.record(&name, "time", &them, "s");
        settings.record(
            &name,
            "rate",
            &[triangles.len() as f64 / median / 1e6],
            "M/s",
        );
        let implementation = &format!("{method} beside {version}");
        let name = Named {
            implementation,
            ..name
        };
        settings.record(&name, "ratio", &[median / quantile(&us, 0.5)], "1");
    }
    Ok(())
}

fn area(vertices: &[[f32; 3]], triangles: &[[usize; 3]]) -> f64 {
    let of = |t: &[usize; 3]| {
        let [at, u, v] = t.map(|v| vertices[v].map(f64::from));
        let [u, v] = [u, v].map(|p| [p[0] - at[0], p[1] - at[1], p[2] - at[2]]);
        let part = |i: usize, j: usize| u[i] * v[j] - u[j] * v[i];
        0.5 * (part(1, 2).powi(2) + part(2, 0).powi(2) + part(0, 1).powi(2)).sqrt()
    };
    triangles.iter().map(of).sum()
}
