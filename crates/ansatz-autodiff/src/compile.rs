//! From a finished graph to a program that runs.
//!
//! 1. Nodes are assigned to levels, whole or split along the batch ([`plan`]).
//! 2. Elementwise nodes between two heavy ones become one kernel ([`fuse`]), which works in tiles
//!    ([`tile`]).
//! 3. Values get memory by the spans in which they are needed, in a chunk ([`bind`]) and beside it ([`share`]).
//! 4. The batch is cut into a fixed number of lanes, and each lane into chunks that stay in the cache;
//!    lanes run in the caller's pool, and their sums are added in order, part by part ([`run`]). Results have the same
//!    bits for any number of threads.

mod bind;
mod chain;
mod element;
mod fuse;
mod plan;
mod run;
mod share;
mod stack;
mod terms;
mod tile;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

pub use element::Element;
pub(crate) use element::Gemm;

use crate::graph::{Id, Trace};
use crate::op::Lowering;
use crate::{AutodiffError, Shape};
use bind::{Bound, Globals, Source};
use fuse::{Block, root};
use plan::Sites;
use run::{Frame, Results, Room, Shared};

/// How a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Points that are worked on together; `None` takes as many as fit into the cache.
    pub chunk: Option<usize>,
    /// Bytes of cache that the values of one chunk should fit into.
    pub cache: usize,
    /// Most bytes that the program may take.
    pub memory: usize,
}

impl Default for Options {
    /// Chunks that fit into 512 KiB, and up to 8 GiB of memory.
    fn default() -> Self {
        Self {
            chunk: None,
            cache: 1 << 19,
            memory: 8 << 30,
        }
    }
}

/// Parts of the batch, each worked on by one thread at a time.
const LANES: usize = 16;

/// Elements of a sum over lanes that one thread adds up.
const PART: usize = 1 << 14;

/// A compiled program for `f32` or `f64`.
#[derive(Debug)]
pub struct Program<T> {
    plan: Arc<Plan<T>>,
    /// Memory of runs that are over, for the next ones.
    pool: Mutex<Vec<Workspace<T>>>,
}

#[derive(Debug)]
struct Plan<T> {
    inputs: Vec<Shape>,
    outputs: Vec<(Source, Shape)>,
    constants: Vec<Vec<T>>,
    lengths: Vec<usize>,
    levels: Vec<Level>,
    batch: usize,
    chunk: usize,
    flops: u64,
    bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Level {
    whole: Bound,
    chunked: Bound,
}

#[derive(Debug)]
struct Workspace<T> {
    /// The global arrays are the slots of the whole blocks.
    whole: Frame<T>,
    /// For each level, what the lanes leave.
    lanes: Vec<Vec<Results<T>>>,
    /// For each level, memory for the lanes at work. What was given back last is taken first: it is in a
    /// cache still.
    frames: Vec<Mutex<Vec<Frame<T>>>>,
}

impl<T: Element> Program<T> {
    /// Compiles a trace.
    ///
    /// # Errors
    /// [`AutodiffError::Memory`] when it needs more than [`Options::memory`]; [`AutodiffError::Order`] for a mistake of the
    /// compiler.
    pub fn compile(trace: &Trace, options: &Options) -> Result<Self, AutodiffError> {
        let sites = Sites::new(trace);
        let mut globals = Globals::default();
        for (id, node) in trace.nodes.iter().enumerate() {
            match node.primitive.lowering() {
                Lowering::Input { index, .. } => {
                    globals.of.insert(id as Id, Source::Input(index));
                }
                Lowering::Constant(values) => {
                    let index = globals.constants.len();
                    globals.constants.push(values.to_vec());
                    globals.of.insert(id as Id, Source::Constant(index));
                }
                _ => {}
            }
        }
        let mut levels: Vec<Level> = (0..sites.levels)
            .map(|level| level_of(trace, &sites, level, &mut globals))
            .collect();
        let mut outputs: Vec<(Source, Shape)> = trace
            .outputs
            .iter()
            .map(|id| {
                let at = root(trace, *id);
                let source = globals.of.get(&at).copied().unwrap_or(Source::Slot(0));
                (source, trace.shape(*id).clone())
            })
            .collect();
        if let Some(node) = globals.missing.get() {
            return Err(AutodiffError::Order { node });
        }
        let lengths = share::share(&mut levels, &mut outputs, &globals.lengths);
        let width: usize = levels
            .iter()
            .map(|l| l.chunked.slots.iter().sum())
            .max()
            .unwrap_or(0);
        let lane_rows = sites.batch.div_ceil(LANES).max(1);
        let fitting = options.cache / (width * size_of::<T>()).max(1);
        let chunk = options
            .chunk
            .unwrap_or(fitting.clamp(16, 256))
            .clamp(1, lane_rows);
        let narrow = |values: &Vec<f64>| values.iter().map(|v| T::of(*v)).collect();
        let mut plan = Plan {
            inputs: trace.input_shapes().cloned().collect(),
            outputs,
            constants: globals.constants.iter().map(narrow).collect(),
            lengths,
            levels,
            batch: sites.batch,
            chunk,
            flops: trace.flops(),
            bytes: 0,
        };
        plan.bytes = plan.needed();
        if plan.bytes > options.memory {
            return Err(AutodiffError::Memory {
                needed: plan.bytes,
                limit: options.memory,
            });
        }
        Ok(Self {
            plan: Arc::new(plan),
            pool: Mutex::new(Vec::new()),
        })
    }

    /// Bytes that a run takes at most, beside inputs and outputs: with as many threads as there are lanes, 16. Fewer threads
    /// take less.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.plan.bytes
    }

    /// Floating-point operations of a run, elementary functions counted as one.
    #[must_use]
    pub fn flops(&self) -> u64 {
        self.plan.flops
    }

    /// Points that are worked on together.
    #[must_use]
    pub fn chunk(&self) -> usize {
        self.plan.chunk
    }

    /// Computes the outputs. After the first run of each thread that calls it, elementwise operations, sums
    /// and matrix products allocate nothing; movements of data make small lists of strides.
    ///
    /// # Errors
    /// [`AutodiffError::Count`], [`AutodiffError::Length`] when slices do not fit.
    pub fn run(&self, inputs: &[&[T]], outputs: &mut [&mut [T]]) -> Result<(), AutodiffError> {
        self.plan.check(inputs, outputs)?;
        self.compute(inputs, outputs);
        Ok(())
    }

    /// [`Program::run`] on slices that fit.
    pub(crate) fn compute(&self, inputs: &[&[T]], outputs: &mut [&mut [T]]) {
        let pooled = self.pool.lock().ok().and_then(|mut pool| pool.pop());
        let mut work = pooled.unwrap_or_else(|| self.plan.workspace());
        self.plan.run(&mut work, inputs);
        for ((source, shape), out) in self.plan.outputs.iter().zip(outputs) {
            let values: &[T] = match source {
                Source::Input(i) => inputs[*i],
                Source::Constant(i) => &self.plan.constants[*i],
                Source::Global(i) | Source::Slot(i) => &work.whole.slots[*i],
            };
            out.copy_from_slice(&values[..shape.len()]);
        }
        if let Ok(mut pool) = self.pool.lock() {
            pool.push(work);
        }
    }
}

/// The two blocks of a level.
fn level_of(trace: &Trace, sites: &Sites, level: usize, globals: &mut Globals) -> Level {
    let all = || 0..trace.nodes.len() as Id;
    let leaf = |id: Id| {
        let lowering = trace.nodes[id as usize].primitive.lowering();
        matches!(lowering, Lowering::Input { .. } | Lowering::Constant(_))
    };
    let whole: Vec<Id> = all()
        .filter(|id| {
            let site = sites.of(*id);
            !site.split && !site.reduced && site.level == level && !leaf(*id)
        })
        .collect();
    let split: Vec<Id> = all()
        .filter(|id| {
            let site = sites.of(*id);
            let on =
                (site.split && site.level == level) || (site.reduced && site.level == level + 1);
            let lowering = trace.nodes[*id as usize].primitive.lowering();
            on && !leaf(*id) && !(site.reduced && fuse::light(&lowering))
        })
        .collect();
    let views = Block {
        trace,
        sites,
        nodes: Vec::new(),
        wanted: HashSet::new(),
    };
    let wanted = |members: &[Id]| -> HashSet<Id> {
        let inside: HashSet<Id> = members.iter().copied().collect();
        let mut wanted: HashSet<Id> = HashSet::new();
        let mut want = |id: Id| {
            let at = root(trace, id);
            if inside.contains(&at) {
                wanted.insert(at);
            }
        };
        for id in &trace.outputs {
            want(*id);
        }
        for (id, node) in trace.nodes.iter().enumerate() {
            if inside.contains(&(id as Id)) {
                continue;
            }
            let read = match node.primitive.lowering() {
                Lowering::Link => &node.inputs[..1],
                _ => &node.inputs,
            };
            // What a kernel reads as rows, columns or numbers need not be written out.
            for input in read {
                match views.view(*input, id as Id) {
                    Some((source, _)) if fuse::light(&node.primitive.lowering()) => want(source),
                    _ => {
                        want(*input);
                        let at = root(trace, *input);
                        let lowering = trace.nodes[at as usize].primitive.lowering();
                        if matches!(lowering, Lowering::Broadcast) {
                            want(trace.nodes[at as usize].inputs[0]);
                        }
                    }
                }
            }
        }
        wanted
    };
    let block = |nodes: Vec<Id>| Block {
        trace,
        sites,
        wanted: wanted(&nodes),
        nodes,
    };
    let mut whole = bind::whole(&block(whole), globals);
    let mut chunked = bind::chunked(&block(split), globals);
    whole.steps.append(&mut chunked.before);
    Level { whole, chunked }
}

impl<T: Element> Plan<T> {
    /// Rows of a lane, the last ones having less.
    fn lane_rows(&self) -> usize {
        self.batch.div_ceil(LANES).max(1)
    }

    fn lanes(&self) -> usize {
        self.batch.div_ceil(self.lane_rows())
    }

    fn workspace(&self) -> Workspace<T> {
        let steps = self.levels.iter().flat_map(|l| &l.whole.steps);
        let whole = Frame::whole(&self.lengths, steps);
        let lane = |level: &Level| Results::new(&level.chunked, self.lane_rows());
        let lanes = self
            .levels
            .iter()
            .map(|level| (0..self.lanes()).map(|_| lane(level)).collect());
        // One for each thread; more are made if a larger pool asks for them.
        let threads = self.lanes().min(rayon::current_num_threads());
        let frames = |level: &Level| {
            let frame = |_| Frame::new(&level.chunked, self.chunk);
            Mutex::new((0..threads).map(frame).collect())
        };
        Workspace {
            lanes: lanes.collect(),
            frames: self.levels.iter().map(frames).collect(),
            whole,
        }
    }

    /// Bytes of a workspace, without making one, if all lanes run at a time.
    fn needed(&self) -> usize {
        let lane_rows = self.lane_rows();
        let lane = |level: &Level| {
            let bound = &level.chunked;
            let slots: usize = bound.slots.iter().sum::<usize>() * self.chunk;
            let sums: usize = bound.sums.iter().map(|(n, _)| n).sum();
            let kept: usize = bound.kept.iter().map(|k| k.width).sum();
            let room = Room::of::<T>(&bound.steps);
            (slots + sums + kept * lane_rows) * size_of::<T>() + room.bytes::<T>()
        };
        let lanes: usize = self.levels.iter().map(lane).sum();
        let whole = Room::of::<T>(self.levels.iter().flat_map(|l| &l.whole.steps));
        let global: usize = self.lengths.iter().sum();
        global * size_of::<T>() + whole.bytes::<T>() + lanes * self.lanes()
    }

    fn check(&self, inputs: &[&[T]], outputs: &[&mut [T]]) -> Result<(), AutodiffError> {
        let count = |what, expected: usize, got: usize| {
            if expected == got {
                Ok(())
            } else {
                Err(AutodiffError::Count {
                    what,
                    expected,
                    got,
                })
            }
        };
        count("inputs", self.inputs.len(), inputs.len())?;
        count("outputs", self.outputs.len(), outputs.len())?;
        let length = |what, index, shape: &Shape, got: usize| {
            if shape.len() == got {
                Ok(())
            } else {
                Err(AutodiffError::Length {
                    what,
                    index,
                    shape: shape.to_string(),
                    expected: shape.len(),
                    got,
                })
            }
        };
        for (i, (x, shape)) in inputs.iter().zip(&self.inputs).enumerate() {
            length("input", i, shape, x.len())?;
        }
        for (i, (x, (_, shape))) in outputs.iter().zip(&self.outputs).enumerate() {
            length("output", i, shape, x.len())?;
        }
        Ok(())
    }

    fn run(&self, work: &mut Workspace<T>, inputs: &[&[T]]) {
        let lanes = work.lanes.iter_mut().zip(&work.frames);
        for (level, (lanes, frames)) in self.levels.iter().zip(lanes) {
            let shared = Shared {
                inputs,
                constants: &self.constants,
                globals: &[],
            };
            work.whole.run(&level.whole.steps, shared, 0, 1);
            if level.chunked.steps.is_empty() {
                continue;
            }
            let shared = Shared {
                globals: &work.whole.slots,
                ..shared
            };
            let rows = self.lane_rows();
            lanes.par_iter_mut().enumerate().for_each(|(i, results)| {
                let end = self.batch.min((i + 1) * rows);
                let free = frames.lock().ok().and_then(|mut frames| frames.pop());
                let mut frame = free.unwrap_or_else(|| Frame::new(&level.chunked, self.chunk));
                std::mem::swap(&mut frame.results, results);
                self.lane(&level.chunked, &mut frame, shared, i * rows..end);
                std::mem::swap(&mut frame.results, results);
                if let Ok(mut frames) = frames.lock() {
                    frames.push(frame);
                }
            });
            for (k, (length, global)) in level.chunked.sums.iter().enumerate() {
                let total = &mut work.whole.slots[*global][..*length];
                let lanes = &*lanes;
                let parts = total.par_chunks_mut(PART).enumerate();
                parts.for_each(|(part, total)| {
                    total.fill(T::zero());
                    for lane in lanes {
                        for (t, v) in total.iter_mut().zip(&lane.sums[k][part * PART..]) {
                            *t += *v;
                        }
                    }
                });
            }
            for (k, kept) in level.chunked.kept.iter().enumerate() {
                let mut start = 0;
                for lane in &*lanes {
                    let part = &lane.kept[k];
                    work.whole.slots[kept.global][start..start + part.len()].copy_from_slice(part);
                    start += part.len();
                }
            }
        }
    }

    fn lane(
        &self,
        bound: &Bound,
        frame: &mut Frame<T>,
        shared: Shared<'_, T>,
        lane: std::ops::Range<usize>,
    ) {
        frame.results.clear();
        let mut start = lane.start;
        while start < lane.end {
            let rows = self.chunk.min(lane.end - start);
            frame.run(&bound.steps, shared, start, rows);
            frame.keep(&bound.kept, rows);
            start += rows;
        }
    }
}
