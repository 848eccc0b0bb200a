//! Evaluation over arrays: three-address code on registers of [`LANES`] points.
//!
//! Interpreting an instruction costs a few nanoseconds, once for all lanes. Registers are assigned by liveness, never
//! in place, so that a result and its operands are different blocks. Points are independent: the parts that threads
//! take do not change a bit.

use std::collections::HashMap;

use rayon::prelude::*;

use super::lower::powi;
use super::{Formula, Instruction};
use crate::{ExprError, Function};

/// Points that an instruction is run for at a time: 1 KiB a register.
const LANES: usize = 128;

/// Operations (points times instructions) that are worth another thread.
const PART: usize = 1 << 16;

type Block = [f64; LANES];

/// What a step does with registers `a` and `b` or the number `b`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Code {
    /// Input `a`.
    Load,
    /// Number `b`.
    Fill,
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    /// a + number.
    Shift,
    /// number − a.
    From,
    /// number·a.
    Scale,
    /// number/a.
    Over,
    /// a^number.
    PowNumber,
    Neg,
    /// a^b.
    Powi,
    Sqrt,
    Call(Function),
    /// Register `a` to output `b`.
    Store,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    code: Code,
    to: u32,
    a: u32,
    b: u32,
}

/// A formula as code on registers. The same bits for any number of threads, and one point at a time.
#[derive(Debug, Clone)]
pub struct Compiled {
    steps: Vec<Step>,
    numbers: Vec<f64>,
    registers: usize,
    inputs: Vec<String>,
    outputs: usize,
}

impl Compiled {
    pub(super) fn new(formula: &Formula, names: &[&str]) -> Result<Self, ExprError> {
        let plain = |name: &str| name.split_whitespace().collect::<String>();
        let inputs: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let place_of: HashMap<String, usize> = names
            .iter()
            .enumerate()
            .map(|(i, n)| (plain(n), i))
            .collect();
        let mut places = Vec::with_capacity(formula.names.len());
        for leaf in &formula.names {
            let place = place_of.get(&plain(leaf)).copied();
            places.push(place.ok_or_else(|| ExprError::Unbound {
                leaf: leaf.clone(),
                inputs: inputs.clone(),
            })?);
        }
        let mut assembler = Assembler::new(formula);
        for i in 0..formula.instructions.len() {
            assembler.step(formula, i, &places);
        }
        Ok(Self {
            steps: assembler.steps,
            numbers: assembler.numbers,
            registers: assembler.registers,
            inputs,
            outputs: formula.outputs.len(),
        })
    }

    /// Names of the inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Evaluates at every point: `inputs[i][p]` is input i at point p, or the same at all points if the slice has one
    /// element. Writes output o at point p to `outputs[o][p]`.
    ///
    /// Runs in the caller's pool of threads, with the same bits for any number of them.
    ///
    /// # Errors
    /// [`ExprError::Count`] and [`ExprError::Length`] before anything is written; [`ExprError::Value`] where an output is
    /// not finite, after all are written.
    pub fn run(&self, inputs: &[&[f64]], outputs: &mut [&mut [f64]]) -> Result<(), ExprError> {
        count("inputs", self.inputs.len(), inputs.len())?;
        count("outputs", self.outputs, outputs.len())?;
        let points = outputs.first().map_or(0, |o| o.len());
        let lengths = inputs.iter().map(|x| ("input", x.len()));
        let lengths = lengths.enumerate().filter(|(_, (_, n))| *n != 1);
        let written = outputs.iter().map(|x| ("output", x.len())).enumerate();
        for (index, (what, got)) in lengths.chain(written) {
            if got != points {
                return Err(ExprError::Length {
                    what,
                    index,
                    expected: points,
                    got,
                });
            }
        }
        let part = (PART / self.steps.len().max(1))
            .next_multiple_of(LANES)
            .max(LANES);
        let bad = if points <= part {
            let mut outputs: Vec<&mut [f64]> = outputs.iter_mut().map(|o| &mut **o).collect();
            self.part(0, inputs, &mut outputs)
        } else {
            let parts = points.div_ceil(part);
            let mut split: Vec<Vec<&mut [f64]>> = (0..parts)
                .map(|_| Vec::with_capacity(outputs.len()))
                .collect();
            for output in outputs.iter_mut() {
                for (split, piece) in split.iter_mut().zip(output.chunks_mut(part)) {
                    split.push(piece);
                }
            }
            split
                .par_iter_mut()
                .enumerate()
                .filter_map(|(i, outputs)| self.part(i * part, inputs, outputs))
                .min_by_key(|(point, output, _)| (*point, *output))
        };
        match bad {
            Some((point, output, value)) => Err(ExprError::Value {
                output,
                point,
                value,
            }),
            None => Ok(()),
        }
    }

    /// [`Compiled::run`] into new vectors; as many points as the longest input.
    ///
    /// # Errors
    /// As [`Compiled::run`].
    pub fn evaluate(&self, inputs: &[&[f64]]) -> Result<Vec<Vec<f64>>, ExprError> {
        let points = inputs.iter().map(|x| x.len()).max().unwrap_or(1);
        let mut outputs = vec![vec![0.0; points]; self.outputs];
        let mut slices: Vec<&mut [f64]> = outputs.iter_mut().map(|o| &mut **o).collect();
        self.run(inputs, &mut slices)?;
        Ok(outputs)
    }

    /// Evaluates at one point, for right-hand sides of differential equations: nothing is allocated once `registers` has
    /// grown.
    ///
    /// # Errors
    /// As [`Compiled::run`].
    pub fn at(
        &self,
        inputs: &[f64],
        outputs: &mut [f64],
        registers: &mut Vec<f64>,
    ) -> Result<(), ExprError> {
        count("inputs", self.inputs.len(), inputs.len())?;
        count("outputs", self.outputs, outputs.len())?;
        registers.resize(self.registers.max(registers.len()), 0.0);
        let r = &mut **registers;
        for step in &self.steps {
            let (to, a, b) = (step.to as usize, step.a as usize, step.b as usize);
            r[to] = match step.code {
                Code::Load => inputs[a],
                Code::Fill => self.numbers[b],
                Code::Add => r[a] + r[b],
                Code::Sub => r[a] - r[b],
                Code::Mul => r[a] * r[b],
                Code::Div => r[a] / r[b],
                Code::Pow => r[a].powf(r[b]),
                Code::Shift => r[a] + self.numbers[b],
                Code::From => self.numbers[b] - r[a],
                Code::Scale => self.numbers[b] * r[a],
                Code::Over => self.numbers[b] / r[a],
                Code::PowNumber => r[a].powf(self.numbers[b]),
                Code::Neg => -r[a],
                Code::Powi => powi(r[a], step.b.cast_signed()),
                Code::Sqrt => r[a].sqrt(),
                Code::Call(function) => function.at(r[a]),
                Code::Store => {
                    outputs[b] = r[a];
                    continue;
                }
            };
        }
        match outputs.iter().position(|v| !v.is_finite()) {
            Some(output) => Err(ExprError::Value {
                output,
                point: 0,
                value: outputs[output],
            }),
            None => Ok(()),
        }
    }

    /// Evaluates the points from `first` on that `outputs` holds; the first value that is not finite.
    fn part(
        &self,
        first: usize,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
    ) -> Option<(usize, usize, f64)> {
        let points = outputs.first().map_or(0, |o| o.len());
        let mut registers = vec![[0.0; LANES]; self.registers];
        let mut bad: Option<(usize, usize, f64)> = None;
        for start in (0..points).step_by(LANES) {
            let width = LANES.min(points - start);
            for step in &self.steps {
                let (to, a, b) = (step.to as usize, step.a as usize, step.b as usize);
                match step.code {
                    Code::Load => match inputs[a] {
                        [same] => registers[to].fill(*same),
                        input => {
                            let from = first + start;
                            registers[to][..width].copy_from_slice(&input[from..from + width]);
                        }
                    },
                    Code::Fill => registers[to].fill(self.numbers[b]),
                    Code::Store => {
                        let values = &registers[a][..width];
                        outputs[b][start..start + width].copy_from_slice(values);
                        if let Some(lane) = values.iter().position(|v| !v.is_finite()) {
                            let found = (first + start + lane, b, values[lane]);
                            if bad.is_none_or(|bad| (found.0, found.1) < (bad.0, bad.1)) {
                                bad = Some(found);
                            }
                        }
                    }
                    Code::Add => two(&mut registers, to, a, b, |x, y| x + y),
                    Code::Sub => two(&mut registers, to, a, b, |x, y| x - y),
                    Code::Mul => two(&mut registers, to, a, b, |x, y| x * y),
                    Code::Div => two(&mut registers, to, a, b, |x, y| x / y),
                    Code::Pow => two(&mut registers, to, a, b, f64::powf),
                    Code::Neg => one(&mut registers, to, a, |x| -x),
                    Code::Sqrt => one(&mut registers, to, a, f64::sqrt),
                    Code::Powi => power(&mut registers, to, a, step.b.cast_signed()),
                    Code::Call(function) => one(&mut registers, to, a, |x| function.at(x)),
                    Code::Shift | Code::From | Code::Scale | Code::Over | Code::PowNumber => {
                        let c = self.numbers[b];
                        match step.code {
                            Code::Shift => one(&mut registers, to, a, |x| x + c),
                            Code::From => one(&mut registers, to, a, |x| c - x),
                            Code::Scale => one(&mut registers, to, a, |x| c * x),
                            Code::Over => one(&mut registers, to, a, |x| c / x),
                            _ => one(&mut registers, to, a, |x| x.powf(c)),
                        }
                    }
                }
            }
        }
        bad
    }
}

#[inline(always)]
fn one(registers: &mut [Block], to: usize, a: usize, f: impl Fn(f64) -> f64) {
    if let Ok([to, a]) = registers.get_disjoint_mut([to, a]) {
        for (to, a) in to.iter_mut().zip(a) {
            *to = f(*a);
        }
    }
}

#[inline(always)]
fn two(registers: &mut [Block], to: usize, a: usize, b: usize, f: impl Fn(f64, f64) -> f64) {
    if a == b {
        return one(registers, to, a, |x| f(x, x));
    }
    if let Ok([to, a, b]) = registers.get_disjoint_mut([to, a, b]) {
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            *to = f(*a, *b);
        }
    }
}

/// The exponents that occur get loops of their own.
fn power(registers: &mut [Block], to: usize, a: usize, n: i32) {
    match n {
        2 => one(registers, to, a, |x| powi(x, 2)),
        3 => one(registers, to, a, |x| powi(x, 3)),
        4 => one(registers, to, a, |x| powi(x, 4)),
        _ => one(registers, to, a, |x| powi(x, n)),
    }
}

fn count(what: &'static str, expected: usize, got: usize) -> Result<(), ExprError> {
    if expected == got {
        return Ok(());
    }
    Err(ExprError::Count {
        what,
        expected,
        got,
    })
}

/// Assigns registers: one is free again after the last step that reads it.
struct Assembler {
    steps: Vec<Step>,
    numbers: Vec<f64>,
    registers: usize,
    free: Vec<u32>,
    /// Register of each instruction's value.
    held: Vec<u32>,
    /// The instruction that reads it last.
    last: Vec<usize>,
    /// Outputs of each instruction.
    stores: Vec<Vec<u32>>,
}

impl Assembler {
    fn new(formula: &Formula) -> Self {
        let n = formula.instructions.len();
        let mut last: Vec<usize> = (0..n).collect();
        for (i, instruction) in formula.instructions.iter().enumerate() {
            for operand in instruction.operands() {
                last[operand] = i;
            }
        }
        let mut stores = vec![Vec::new(); n];
        for (output, place) in formula.outputs.iter().enumerate() {
            stores[*place].push(output as u32);
        }
        Self {
            steps: Vec::new(),
            numbers: Vec::new(),
            registers: 0,
            free: Vec::new(),
            held: vec![u32::MAX; n],
            last,
            stores,
        }
    }

    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.registers += 1;
            self.registers as u32 - 1
        })
    }

    fn constant(&mut self, value: f64) -> u32 {
        self.numbers.push(value);
        self.numbers.len() as u32 - 1
    }

    /// The register of a value; numbers get one when a step has no form for them.
    fn held(&mut self, formula: &Formula, i: usize) -> u32 {
        if self.held[i] == u32::MAX
            && let Instruction::Number(value) = formula.instructions[i]
        {
            let to = self.take();
            let b = self.constant(value);
            let code = Code::Fill;
            self.steps.push(Step { code, to, a: 0, b });
            self.held[i] = to;
        }
        self.held[i]
    }

    fn step(&mut self, formula: &Formula, i: usize, inputs: &[usize]) {
        let number = |a: usize| match formula.instructions[a] {
            Instruction::Number(value) => Some(value),
            _ => None,
        };
        let instruction = formula.instructions[i];
        let (code, a, b) = match instruction {
            Instruction::Number(_) => {
                if !self.stores[i].is_empty() {
                    self.held(formula, i);
                    self.store(i);
                    self.release(i, i);
                }
                return;
            }
            Instruction::Leaf(leaf) => (Code::Load, inputs[leaf] as u32, 0),
            Instruction::Neg(a) => (Code::Neg, self.held(formula, a), 0),
            Instruction::Sqrt(a) => (Code::Sqrt, self.held(formula, a), 0),
            Instruction::Powi(a, n) => (Code::Powi, self.held(formula, a), n as u32),
            Instruction::Call(f, a) => (Code::Call(f), self.held(formula, a), 0),
            Instruction::Add(a, b)
            | Instruction::Sub(a, b)
            | Instruction::Mul(a, b)
            | Instruction::Div(a, b)
            | Instruction::Pow(a, b) => {
                let special = match (instruction, number(a), number(b)) {
                    (Instruction::Add(..), Some(c), _) => Some((Code::Shift, b, c)),
                    (Instruction::Add(..), _, Some(c)) => Some((Code::Shift, a, c)),
                    (Instruction::Sub(..), Some(c), _) => Some((Code::From, b, c)),
                    (Instruction::Sub(..), _, Some(c)) => Some((Code::Shift, a, -c)),
                    (Instruction::Mul(..), Some(c), _) => Some((Code::Scale, b, c)),
                    (Instruction::Mul(..), _, Some(c)) => Some((Code::Scale, a, c)),
                    (Instruction::Div(..), Some(c), _) => Some((Code::Over, b, c)),
                    (Instruction::Pow(..), _, Some(c)) => Some((Code::PowNumber, a, c)),
                    _ => None,
                };
                if let Some((code, a, c)) = special {
                    let a = self.held(formula, a);
                    (code, a, self.constant(c))
                } else {
                    let code = match instruction {
                        Instruction::Add(..) => Code::Add,
                        Instruction::Sub(..) => Code::Sub,
                        Instruction::Mul(..) => Code::Mul,
                        Instruction::Div(..) => Code::Div,
                        _ => Code::Pow,
                    };
                    (code, self.held(formula, a), self.held(formula, b))
                }
            }
        };
        let to = self.take();
        self.steps.push(Step { code, to, a, b });
        self.held[i] = to;
        self.store(i);
        let mut done: Vec<usize> = instruction.operands().collect();
        done.dedup();
        for operand in done {
            self.release(operand, i);
        }
        // A value that only outputs need.
        self.release(i, i);
    }

    fn store(&mut self, i: usize) {
        let a = self.held[i];
        for b in std::mem::take(&mut self.stores[i]) {
            let code = Code::Store;
            self.steps.push(Step { code, to: 0, a, b });
        }
    }

    /// Frees the register of a value that nothing reads after `now`.
    fn release(&mut self, value: usize, now: usize) {
        if self.last[value] == now && self.held[value] != u32::MAX {
            self.free.push(self.held[value]);
            self.held[value] = u32::MAX;
        }
    }
}
