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

/// Thousands of broken files for each reader: a sound mesh or an error, and never memory out of proportion.
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
    for (name, bytes) in files {
        let (mut good, mut bad) = (0, 0);
        for i in 0..4000 {
            let broken = mutate(&bytes, Key::new(77).fold_in(i));
            LARGEST.store(0, Ordering::Relaxed);
            let fine = if name == "csl" {
                csl::read(&broken).is_ok()
            } else {
                match read::<f32>(name, &broken) {
                    Err(_) => false,
                    Ok(mesh) => {
                        let vertices = mesh.vertices.len() as u32;
                        assert!(
                            mesh.triangles.iter().flatten().all(|v| *v < vertices),
                            "{name} {i}"
                        );
                        assert!(
                            mesh.vertices
                                .iter()
                                .all(|p| p.iter().all(|x| x.is_finite())),
                            "{name} {i}"
                        );
                        true
                    }
                }
            };
            let largest = LARGEST.load(Ordering::Relaxed);
            assert!(
                largest < 64 * broken.len() + 65_536,
                "{name} {i}: {largest} of {}",
                broken.len()
            );
            if fine { good += 1 } else { bad += 1 }
        }
        println!("{name}: {good} read, {bad} refused");
        assert!(bad > 1000 && good > 10);
    }
    // Every beginning of a file, and nothing at all.
    for (name, bytes) in written(&small) {
        for end in 0..bytes.len() {
            let _ = read::<f32>(name, &bytes[..end]);
        }
    }
}
