//! Runs planned calls on the processor: compiles a family's source with the system's C++ compiler, behind a header that
//! gives it threads, and passes it buffers and calls.
//!
//! Addresses beyond a buffer's end, misaligned wide accesses and undefined arithmetic are seen by the compiler's sanitizers;
//! kernels whose results depend on the order of threads, by running in two orders.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use ansatz_cuda::{Call, Element, Family, Kind, View, ViewMut};
use ansatz_testkit::device::emulated::{SHIM, compiler};
use ansatz_testkit::device::skipped;

/// Bits of an address below the number of its buffer.
const OFFSET_BITS: u32 = 40;

/// Types that a buffer's bytes can be read as.
pub(crate) trait Plain: Element {
    fn bytes(self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($type:ident)*) => {$(
        impl Plain for $type {
            fn bytes(self) -> Vec<u8> {
                self.to_ne_bytes().to_vec()
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                Self::from_ne_bytes(bytes.try_into().expect("the bytes of one element"))
            }
        }
    )*};
}

plain!(f32 f64 u8 u32 i32 u64);

/// A buffer of [`Memory`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<T> {
    index: usize,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Plain> Slot<T> {
    fn address(self, offset: usize) -> u64 {
        ((self.index as u64 + 1) << OFFSET_BITS) | (offset * size_of::<T>()) as u64
    }

    pub(crate) fn view(self) -> View<'static, T> {
        self.behind(0)
    }

    /// All elements but the first `offset`: addresses that are no multiples of 16.
    pub(crate) fn behind(self, offset: usize) -> View<'static, T> {
        View::stand_in(self.address(offset), self.len - offset)
    }

    pub(crate) fn view_mut(self) -> ViewMut<'static, T> {
        self.behind_mut(0)
    }

    pub(crate) fn behind_mut(self, offset: usize) -> ViewMut<'static, T> {
        ViewMut::stand_in(self.address(offset), self.len - offset)
    }
}

/// What calls read and write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Vec<Vec<u8>>);

impl Memory {
    pub(crate) fn put<T: Plain>(&mut self, data: &[T]) -> Slot<T> {
        self.0.push(data.iter().flat_map(|x| x.bytes()).collect());
        Slot {
            index: self.0.len() - 1,
            len: data.len(),
            element: std::marker::PhantomData,
        }
    }

    pub(crate) fn get<T: Plain>(&self, slot: Slot<T>) -> Vec<T> {
        let size = size_of::<T>();
        self.0[slot.index]
            .chunks_exact(size)
            .map(T::from_bytes)
            .collect()
    }

    /// Runs calls of one family in both orders of threads, which must agree.
    ///
    /// `false` where there is no C++ compiler: the memory is as it was, and the test has said that it is skipped.
    pub(crate) fn run(&mut self, calls: &[Call]) -> bool {
        let Some(first) = calls.first() else {
            return compiler().is_some();
        };
        let Some(program) = program(first.family()) else {
            skipped(
                std::thread::current().name().unwrap_or("a test"),
                &"no C++ compiler was found (c++, g++, clang++)",
            );
            return false;
        };
        let output = self
            .output(&program, calls)
            .unwrap_or_else(|e| panic!("{e}"));
        let mut at = 0;
        for buffer in &mut self.0 {
            let end = at + buffer.len();
            buffer.copy_from_slice(&output[at..end]);
            at = end;
        }
        true
    }

    /// What calls leave in memory, or what went wrong.
    pub(crate) fn output(&self, program: &Path, calls: &[Call]) -> Result<Vec<u8>, String> {
        let input = self.message(calls);
        let ascending = execute(program, "ascending", &input)?;
        if ascending == execute(program, "descending", &input)? {
            Ok(ascending)
        } else {
            Err(format!(
                "{}: the result depends on the order of threads",
                calls[0].entry()
            ))
        }
    }

    fn message(&self, calls: &[Call]) -> Vec<u8> {
        let mut out = Message::default();
        out.number(self.0.len());
        for buffer in &self.0 {
            out.text(buffer);
        }
        out.number(calls.len());
        for call in calls {
            assert_eq!(call.family(), calls[0].family(), "calls of one family");
            out.text(call.entry().as_bytes());
            for x in call.grid() {
                out.number(x as usize);
            }
            out.number(call.block() as usize);
            out.number(call.arguments().count());
            for (kind, words) in call.arguments() {
                let name = match kind {
                    Kind::Read(of) => format!("read {of}"),
                    Kind::Write(of) => format!("write {of}"),
                    Kind::Table(of) => format!("table {of}"),
                    Kind::Null => "null".into(),
                    Kind::U32 => "u32".into(),
                    Kind::U64 => "u64".into(),
                    Kind::F64 => "f64".into(),
                };
                out.text(name.as_bytes());
                out.number(words.len());
                for word in words {
                    out.0.extend(word.to_ne_bytes());
                }
            }
        }
        out.0
    }
}

#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, x: usize) {
        self.0.extend((x as u64).to_ne_bytes());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend(bytes);
    }
}

fn execute(program: &Path, order: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .arg(order)
        // Fibers have stacks that the sanitizer does not know of.
        .env(
            "ASAN_OPTIONS",
            "detect_stack_use_after_return=0:detect_leaks=0",
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the compiled kernels start");
    // Everything is read before anything is written, so that neither side waits for the other.
    let mut stdin = child.stdin.take().expect("a pipe");
    let sent = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("the kernels' output");
    if output.status.success() && sent.is_ok() {
        Ok(output.stdout)
    } else {
        let message = String::from_utf8_lossy(&output.stderr);
        Err(format!("kernels failed on the host: {message}"))
    }
}

/// The program with a family's kernels, compiled once.
fn program(family: Family) -> Option<PathBuf> {
    static MADE: Mutex<Option<HashMap<Family, Option<PathBuf>>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.get_or_insert_default()
        .entry(family)
        .or_insert_with(|| {
            compiler().map(|cc| build(cc, family.name(), &family.source(), family.entries()))
        })
        .clone()
}

/// The program of kernels of any source.
pub(crate) fn build(compiler: &str, name: &str, source: &str, entries: &[&str]) -> PathBuf {
    let cases: Vec<String> = entries
        .iter()
        .map(|name| format!("{{\"{name}\", launcher({name})}}"))
        .collect();
    let cases = cases.join(", ");
    let text = format!(
        "#line 1 \"shim.h\"\n{}\n{}\n#define CASES {cases}\n#line 1 \"driver.cpp\"\n{}",
        SHIM,
        source,
        include_str!("driver.cpp")
    );
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels");
    std::fs::create_dir_all(&folder).expect("a folder for compiled kernels");
    let (program, kept) = (folder.join(name), folder.join(format!("{name}.cpp")));
    // The same text was compiled before: the source is put there once its program is.
    if program.is_file() && std::fs::read_to_string(&kept).is_ok_and(|old| old == text) {
        return program;
    }
    let stem = folder.join(format!("{name}-{}", std::process::id()));
    let file = stem.with_extension("cpp");
    std::fs::write(&file, text).expect("the source is written");
    let compile = |checks: &[&str]| {
        Command::new(compiler)
            .args([
                "-std=c++20",
                "-O1",
                "-ffp-contract=off",
                "-Wno-unknown-pragmas",
            ])
            .args(checks)
            .arg(&file)
            .arg("-o")
            .arg(&stem)
            .output()
            .expect("the compiler starts")
    };
    let checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let mut done = compile(&checks);
    if !done.status.success() {
        done = compile(&[]);
        if done.status.success() {
            skipped("bounds of kernels", &"the C++ compiler has no sanitizers");
        }
    }
    let message = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name} on the host: {message}");
    std::fs::rename(&stem, &program).expect("the program is kept");
    std::fs::rename(&file, &kept).expect("the source is kept");
    program
}
