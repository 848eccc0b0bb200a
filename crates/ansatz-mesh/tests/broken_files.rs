//! Broken files: a sound mesh or an error, and never memory out of proportion. Alone in its process, since it watches
//! the allocator.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;
mod formats;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ansatz_mesh::clean::{VertexNormals, Weld};
use ansatz_mesh::core::Key;
use ansatz_mesh::io::csl;
use ansatz_mesh::nalgebra::Point3;
use ansatz_mesh::slice::{Plane, slice};
use common::*;
use formats::*;

/// Notes the largest block that anybody asks for.
struct Watch;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that watches")]
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as asked.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: as asked.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static WATCH: Watch = Watch;

/// A file with some of it changed, cut or repeated; a function of the key.
fn mutate(bytes: &[u8], key: Key) -> Vec<u8> {
    const WORDS: [&[u8]; 10] = [
        b"4294967295",
        b"-1",
        b"nan",
        b"1e999",
        b"99999999999999999999",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\n",
        b" ",
        b"\x7f",
    ];
    let number = |i: u64, below: usize| (key.bits(0, i)[0] as usize) % below.max(1);
    let mut out = bytes.to_vec();
    for round in 0..=number(0, 4) as u64 {
        let at = number(10 * round + 1, out.len());
        // Heads hold the counts: go there more often.
        let at = if number(10 * round + 2, 2) == 0 {
            at % 200.min(out.len().max(1))
        } else {
            at
        };
        match number(10 * round + 3, 6) {
            0 => out.truncate(at),
            1 if !out.is_empty() => out[at] ^= 1 << number(10 * round + 4, 8),
            2 if !out.is_empty() => out[at] = number(10 * round + 4, 256) as u8,
            3 => {
                let word = WORDS[number(10 * round + 4, WORDS.len())];
                let end = (at + number(10 * round + 5, 12)).min(out.len());
                out.splice(at..end, word.iter().copied());
            }
            4 => {
                let end = (at + number(10 * round + 4, 60)).min(out.len());
                out.drain(at..end);
            }
            _ => {
                let end = (at + number(10 * round + 4, 60)).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
        }
    }
    out
}

/// Files by hand with what ours do not use: comments, polygons, relative indices, colours, strange elements, holes.
fn by_hand() -> Vec<(&'static str, Vec<u8>)> {
    let texts: [(&str, &str); 5] = [
        (
            "obj",
            "# a roof\nmtllib x.mtl\no roof\nv 0 0 0 1\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv .5 .5 1e0\nvt 0 0\nvn 0 0 1\n\
             g a b\nusemtl red\ns off\nf 1/1/1 4/1/1 3/1/1 2/1/1\nf -5//-1 -4//-1 -1//-1\nf 2 3 5\nl 1 2\nf 3 4 5 # end\n",
        ),
        (
            "off",
            "COFF\n# counts\n5 2 0\n0 0 0 255 0 0 255\n1 0 0\n1 1 0\n0 1 0\n0.5 0.5 1\n4 3 2 1 0 0.1 0.2 0.3\n3 0 1 4\n",
        ),
        (
            "ply",
            "ply\nformat ascii 1.0\ncomment by hand\nobj_info none\nelement material 2\nproperty uchar red\n\
             property list uint8 float32 shades\nelement vertex 4\nproperty double x\nproperty float y\nproperty short z\n\
             property uchar red\nelement face 2\nproperty uchar flags\nproperty list int int32 vertex_index\nelement edge 1\n\
             property int a\nend_header\n1 2 0.5 0.25\n2 0\n0 0 0 9\n1 0 0 9\n1 1 0 9\n0 1 0 9\n7 4 0 1 2 3\n7 3 0 1 2\n5\n",
        ),
        (
            "stl",
            "solid a b c\n  facet normal 0 0 1\n    outer loop\n vertex 0 0 0\nVERTEX 1 0 0\nvertex 0 1e0 0\nendloop\nendfacet\n\
             endsolid a b c\nsolid\nfacet normal nan 0 1\nouter loop\nvertex 0 0 1\nvertex 1 0 1\nvertex 0 1 1\nendloop\n\
             endfacet\nendsolid\n",
        ),
        (
            "csl",
            "CSLC\n3 2\n\n1 7 2 0 0 1 -0.5\n\n0 0 .5\n4 0 .5\n4 4 .5\n0 4 .5\n1 1 .5\n2 1 .5\n1 2 .5\n\n4 1 0 1 2 3\n3h0 2 6 5 4\n\n\
             2 0 0 0 2 0 1\n\n3 3 1 1 1 1 0\n0 0 0\n1 -1 0\n0 1 -1\n3 1 0 1 2\n",
        ),
    ];
    texts
        .map(|(name, text)| (name, text.as_bytes().to_vec()))
        .to_vec()
}

/// Reads bytes; what comes back must be sound, and survive being written.
fn survives(name: &'static str, bytes: &[u8]) -> bool {
    if name == "csl" {
        let Ok(sections) = csl::read(bytes) else {
            return false;
        };
        let mut out = Vec::new();
        csl::write(&sections, &mut out).unwrap();
        assert_eq!(csl::read(&out).unwrap(), sections);
        return true;
    }
    let Ok(mesh) = read::<f32>(name, bytes) else {
        return false;
    };
    let vertices = mesh.vertices.len() as u32;
    assert!(mesh.triangles.iter().flatten().all(|v| *v < vertices));
    let finite = |p: &Point3<f32>| p.iter().all(|x| x.is_finite());
    assert!(mesh.vertices.iter().all(finite));
    if let Some(normals) = &mesh.normals {
        assert_eq!(normals.len(), mesh.vertices.len());
    }
    for (name, bytes) in written(&mesh) {
        if !name.starts_with("stl") {
            let again = read::<f32>(name, &bytes).unwrap();
            assert!(again.vertices == mesh.vertices && again.triangles == mesh.triangles);
        }
    }
    true
}

/// 20,000 broken files for each reader and source: a sound mesh or an error, soon, and never memory out of proportion.
#[test]
fn broken_files_do_no_harm() {
    let mut small = raw_bunny();
    small.triangles.truncate(12);
    Weld::default().apply(&mut small).unwrap();
    VertexNormals::default().apply(&mut small).unwrap();
    let planes = [-0.2, 0.1].map(|y| Plane {
        normal: [0.0, 1.0, 0.0],
        offset: -y,
    });
    let mut sections = Vec::new();
    csl::write(&slice(&bunny(), &planes).unwrap(), &mut sections).unwrap();
    let mut files = written(&small);
    files.push(("csl", sections));
    files.extend(by_hand());
    for (name, bytes) in &files {
        assert!(survives(name, bytes), "{name}");
        let (mut good, mut bad) = (0, 0);
        for i in 0..20_000 {
            let broken = mutate(bytes, Key::new(77).fold_in(i));
            LARGEST.store(0, Ordering::Relaxed);
            let fine = if *name == "csl" {
                csl::read(&broken).is_ok()
            } else {
                read::<f32>(name, &broken).is_ok()
            };
            let largest = LARGEST.load(Ordering::Relaxed);
            assert!(
                largest < 64 * broken.len() + 65_536,
                "{name} {i}: {largest} of {}",
                broken.len()
            );
            assert_eq!(survives(name, &broken), fine);
            if fine { good += 1 } else { bad += 1 }
        }
        println!("{name}: {good} read, {bad} refused");
        assert!(bad > 5000 && good > 50);
    }
    // Every beginning of a file, and nothing at all.
    for (name, bytes) in &files {
        for end in 0..bytes.len() {
            survives(name, &bytes[..end]);
        }
    }
}
