//! CUDA C++ for loops.
//!
//! Threads: one for each point of the outer axes, or for 16 bytes of them (`wide.rs`), or, where values along the inner axes lie behind each other, 32 or 256
//! for each, whose parts are added as a tree. Long folds of few results are cut into parts that a second loop folds. All of
//! this depends on the loop alone, so results do not depend on the device.

use std::fmt::Write as _;

use super::body::{Array, Function, Op, Reg};
use super::index::{Index, signed};
use super::step::{Fold, Known, Loop};
use super::wide::Wide;
use crate::error::elements;

/// Threads in a block.
pub(super) const BLOCK: usize = 256;

/// Threads that a fold should occupy.
const MANY: usize = 1 << 17;

/// What stands before all kernels.
pub(super) const PRELUDE: &str = include_str!("../../kernels/program.cuh");

/// A kernel: its text with `KERNEL` for its name, its blocks, and the arrays that it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) text: String,
    pub(super) grid: [u32; 2],
    pub(super) arguments: Vec<Array>,
}

/// The element type, and the arrays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// `float` or `double`.
    pub(super) scalar: &'static str,
    pub(super) arrays: &'a [Known],
}

impl Setting<'_> {
    /// A number in C, rounded to the element type.
    pub(super) fn literal(self, value: f64) -> String {
        let (rounded, suffix) = match self.scalar {
            "float" => (f64::from(value as f32), "f"),
            _ => (value, ""),
        };
        if rounded.is_finite() {
            // Negative numbers in brackets, to stand behind a sign.
            return match self.scalar {
                "float" => format!("({:e}{suffix})", value as f32),
                _ => format!("({value:e})"),
            };
        }
        format!(
            "(({})__longlong_as_double({:#x}ll))",
            self.scalar,
            rounded.to_bits()
        )
    }

    pub(super) fn len(self, array: Array) -> usize {
        self.arrays.get(array.place()).map_or(0, |a| a.len)
    }

    pub(super) fn type_of(self, array: Array) -> &'static str {
        match self.arrays.get(array.place()) {
            Some(known) if known.table => "u32",
            _ => self.scalar,
        }
    }
}

/// The counters of a box from the number of a point: `const I a0 = i / 8 % 3;`.
pub(super) fn counters(from: &str, lengths: &[usize], first: usize, used: &[bool]) -> String {
    let mut text = String::new();
    let mut stride = 1;
    for (i, n) in lengths.iter().enumerate().rev() {
        if used.get(first + i) == Some(&true) {
            let divided = if stride == 1 {
                from.to_owned()
            } else {
                format!("{from} / {stride}")
            };
            // The first axis takes what is left.
            let outermost = lengths[..i].iter().all(|m| *m == 1);
            let value = if outermost {
                divided
            } else {
                format!("{divided} % {n}")
            };
            let _ = write!(text, "const I a{} = {value}; ", first + i);
        }
        stride *= n;
    }
    text
}

/// `int` where everything fits, else `long long`.
pub(super) fn counter_type(most: i64) -> &'static str {
    if most < i64::from(i32::MAX) - (1 << 24) {
        "int"
    } else {
        "long long"
    }
}

/// How a fold is shared among threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sharing {
    /// Threads for a result and part.
    pub(super) lanes: usize,
    /// Parts of the inner points, and points in each.
    pub(super) parts: usize,
    chunk: usize,
}

impl Sharing {
    /// One thread for a result.
    const ALONE: Self = Self {
        lanes: 1,
        parts: 1,
        chunk: usize::MAX,
    };

    pub(super) fn of(task: &Loop) -> Self {
        if task.fold.is_none() {
            return Self::ALONE;
        }
        let (outer, inner) = (elements(&task.outer), elements(&task.inner));
        let last = task.inner.iter().rposition(|n| *n > 1).unwrap_or(0);
        let axis = task.outer.len() + last;
        let near = |i: &Index| i.stride(axis).is_some_and(|s| s.abs() == 1);
        let together = task.loads().any(|(_, index)| near(index));
        let lanes = match inner {
            512.. if together => BLOCK,
            16.. if together => 32,
            _ => 1,
        };
        let busy = (outer * lanes).max(1);
        let least = if lanes == 1 { 64 } else { 8 * lanes };
        let parts = (MANY / busy).min(inner / least).clamp(1, 1024);
        // A second loop for few parts takes longer than they save.
        let parts = if parts < 4 { 1 } else { parts };
        let chunk = inner.div_ceil(parts).max(1);
        Self {
            lanes,
            parts: inner.div_ceil(chunk).max(1),
            chunk,
        }
    }
}

/// The kernel of a loop; `None` for no points. Where a fold has parts, result r of part p goes to `scratch[r]`, at
/// p·points + point.
pub(super) fn kernel(
    task: &Loop,
    setting: Setting<'_>,
    sharing: Sharing,
    scratch: &[Array],
) -> Option<Kernel> {
    let points = elements(&task.outer);
    if points == 0 {
        return None;
    }
    let (scalar, inner) = (setting.scalar, elements(&task.inner));
    let alive = task.body.alive(task.results.iter().map(|s| s.value));
    let mut used = vec![false; task.outer.len() + task.inner.len()];
    let mut most = signed((points * sharing.parts).max(inner + sharing.chunk.min(inner) + BLOCK));
    let mut see = |index: &Index| {
        index.counters(&mut |a, _| used[a] = true);
        most = most.max(index.magnitude());
    };
    // What the thread's own number gives needs no counters.
    let flat = Index::flat(&Index::axes(&task.outer, 0), &task.outer);
    let own = |index: &Index| index.shift(-index.start()) == flat;
    for (op, _) in task.body.ops().iter().zip(&alive).filter(|(_, on)| **on) {
        op.indices(&mut |index| {
            if !own(index) {
                see(index);
            }
        });
    }
    for store in &task.results {
        if sharing.parts == 1 && !own(&store.index) {
            see(&store.index);
        }
    }
    let place = |index: &Index| match index.start() {
        _ if !own(index) => index.text(),
        0 => "i".to_owned(),
        c => format!("i + {c}"),
    };
    let mut arguments = task.reads();
    let reads = arguments.len();
    let mut body = String::new();
    let wide = Wide::of(task, setting, &alive, &used, &own);
    let indent = match (task.fold, &wide) {
        (Some(_), _) => "            ",
        (None, Some(_)) => "        ",
        (None, None) => "    ",
    };
    for (k, (op, _)) in task
        .body
        .ops()
        .iter()
        .zip(&alive)
        .enumerate()
        .filter(|(_, (_, on))| **on)
    {
        let line = match &wide {
            Some(wide) if wide.loads[k] => format!("w{k}.v[v]"),
            _ => operation(op, setting, &arguments, &place),
        };
        let kind = match op {
            Op::Load { array, .. } => setting.type_of(*array),
            Op::Row(..) => "I",
            _ => scalar,
        };
        let _ = writeln!(body, "{indent}const {kind} r{k} = {line};");
    }
    let targets: Vec<Array> = if sharing.parts > 1 {
        scratch.to_vec()
    } else {
        task.results.iter().map(|s| s.array).collect()
    };
    arguments.extend(&targets);
    let mut text = head(&arguments, reads, setting);
    let _ = writeln!(text, "    using I = {};", counter_type(most));
    let outer = counters("i", &task.outer, 0, &used);
    if let Some(fold) = task.fold {
        let shared = Folded {
            task,
            fold,
            sharing,
            points,
            place: &place,
        };
        shared.write(
            &mut text,
            setting,
            &body,
            [&outer, &counters("k", &task.inner, task.outer.len(), &used)],
        );
    } else if let Some(wide) = &wide {
        let whole = (&body[..], &arguments[..]);
        wide.write(&mut text, (task, setting), whole, &used, &place);
    } else {
        let _ = writeln!(
            text,
            "    const I i = (I)blockIdx.x * {BLOCK} + threadIdx.x;\n    if (i >= {points}) return;\n    {outer}"
        );
        text.push_str(&body);
        for (r, store) in task.results.iter().enumerate() {
            let (at, value) = (place(&store.index), store.value.number());
            let _ = writeln!(text, "    q{r}[{at}] = r{value};");
        }
    }
    text.push_str("}\n");
    let threads = points * sharing.lanes / wide.map_or(1, |w| w.lanes);
    Some(Kernel {
        text,
        grid: [threads.div_ceil(BLOCK) as u32, sharing.parts as u32],
        arguments,
    })
}

/// The line that a kernel begins with.
pub(super) fn head(arguments: &[Array], reads: usize, setting: Setting<'_>) -> String {
    let parameters: Vec<String> = arguments
        .iter()
        .enumerate()
        .map(|(k, array)| {
            let kind = setting.type_of(*array);
            match k.checked_sub(reads) {
                None => format!("const {kind}* __restrict__ p{k}"),
                Some(r) => format!("{kind}* __restrict__ q{r}"),
            }
        })
        .collect();
    format!(
        "extern \"C\" __global__ void __launch_bounds__({BLOCK}) KERNEL({}) {{\n",
        parameters.join(", ")
    )
}

/// An operation as an expression.
fn operation(
    op: &Op,
    setting: Setting<'_>,
    arguments: &[Array],
    place: &dyn Fn(&Index) -> String,
) -> String {
    let register = |r: Reg| format!("r{}", r.number());
    let all = |when: &[super::Condition]| {
        let texts = when.iter().map(super::Condition::text);
        texts.collect::<Vec<_>>().join(" && ")
    };
    match op {
        Op::Load {
            array,
            index,
            when,
            otherwise,
        } => {
            let p = arguments.iter().position(|a| a == array).unwrap_or(0);
            let mut tests = Vec::new();
            if !when.is_empty() {
                tests.push(all(when));
            }
            // Whatever the conditions promise, nothing beyond the array is read.
            let (low, high) = index.range();
            let (at, len) = (place(index), setting.len(*array));
            if low < 0 {
                tests.push(format!("{at} >= 0"));
            }
            if high >= signed(len) {
                tests.push(format!("{at} < {len}"));
            }
            if tests.is_empty() {
                return format!("p{p}[{at}]");
            }
            let other = otherwise.map_or("0".to_owned(), register);
            format!("({}) ? p{p}[{at}] : {other}", tests.join(" && "))
        }
        Op::Number(bits) => setting.literal(f64::from_bits(*bits)),
        Op::Position(index) => format!("({})({})", setting.scalar, place(index)),
        Op::Row(r, length) => format!("row({}, {length})", register(*r)),
        Op::Holds(when) => format!("({}) ? 1 : 0", all(when)),
        Op::Power(r, n) => power(&register(*r), *n, setting),
        Op::Call(Function::Add, x) => format!("r{} + r{}", x[0].number(), x[1].number()),
        Op::Call(Function::Sub, x) => format!("r{} - r{}", x[0].number(), x[1].number()),
        Op::Call(Function::Mul, x) => format!("r{} * r{}", x[0].number(), x[1].number()),
        Op::Call(Function::Neg, x) => format!("-r{}", x[0].number()),
        Op::Call(function, x) => {
            let list: Vec<String> = x.iter().map(|r| register(*r)).collect();
            format!("{}({})", function.name(), list.join(", "))
        }
    }
}

/// A whole power: by squarings where they are few.
fn power(x: &str, n: i32, setting: Setting<'_>) -> String {
    let bits = n.unsigned_abs();
    if bits > 64 {
        return format!("f_pow({x}, ({}){n})", setting.scalar);
    }
    if bits == 0 {
        return "1".into();
    }
    // Horner's rule in the exponent's bits, from the second on.
    let top = bits.ilog2();
    let mut text = x.to_owned();
    for k in (0..top).rev() {
        text = format!("f_square({text})");
        if bits >> k & 1 == 1 {
            text = format!("{text} * {x}");
        }
    }
    if n < 0 {
        format!("f_recip({text})")
    } else {
        text
    }
}

/// What the text of a fold is made of.
struct Folded<'a> {
    task: &'a Loop,
    fold: Fold,
    sharing: Sharing,
    points: usize,
    place: &'a dyn Fn(&Index) -> String,
}

impl Folded<'_> {
    fn write(
        &self,
        text: &mut String,
        setting: Setting<'_>,
        body: &str,
        [outer, inner]: [&str; 2],
    ) {
        let Sharing {
            lanes,
            parts,
            chunk,
        } = self.sharing;
        let (scalar, count, points) = (setting.scalar, elements(&self.task.inner), self.points);
        let empty = match self.fold {
            Fold::Sum => "0".to_owned(),
            Fold::Largest => setting.literal(f64::NEG_INFINITY),
        };
        let join = |a: &str, b: &str| match self.fold {
            Fold::Sum => format!("{a} + {b}"),
            Fold::Largest => format!("f_largest({a}, {b})"),
        };
        let results = || self.task.results.iter().enumerate();
        let each = BLOCK / lanes;
        let _ = writeln!(
            text,
            "    const I i = (I)blockIdx.x * {each} + threadIdx.x / {lanes};"
        );
        for (r, _) in results() {
            let _ = writeln!(text, "    {scalar} s{r} = {empty};");
        }
        let (from, end) = if parts > 1 {
            let end = format!("end < {count} ? end : {count}");
            let _ = writeln!(
                text,
                "    const I from = (I)blockIdx.y * {chunk}, end = from + {chunk};"
            );
            ("from".to_owned(), format!("({end})"))
        } else {
            ("(I)0".to_owned(), count.to_string())
        };
        let _ = writeln!(text, "    if (i < {points}) {{ {outer}");
        let _ = writeln!(
            text,
            "        for (I k = {from} + threadIdx.x % {lanes}; k < {end}; k += {lanes}) {{ {inner}"
        );
        text.push_str(body);
        for (r, store) in results() {
            let value = format!("r{}", store.value.number());
            let _ = writeln!(
                text,
                "            s{r} = {};",
                join(&format!("s{r}"), &value)
            );
        }
        text.push_str("        }\n");
        let stores = |text: &mut String, value: &dyn Fn(usize) -> String| {
            for (r, store) in results() {
                let at = if parts > 1 {
                    format!("(I)blockIdx.y * {points} + i")
                } else {
                    (self.place)(&store.index)
                };
                let _ = write!(text, "q{r}[{at}] = {}; ", value(r));
            }
        };
        if lanes == 1 {
            text.push_str("        ");
            stores(text, &|r| format!("s{r}"));
            text.push_str("\n    }\n");
            return;
        }
        text.push_str("    }\n");
        let _ = writeln!(
            text,
            "    __shared__ {scalar} box[{BLOCK}];\n    const unsigned t = threadIdx.x;"
        );
        for (r, _) in results() {
            let joined = join("box[t]", "box[t + w]");
            let _ = writeln!(
                text,
                "    box[t] = s{r};\n    __syncthreads();\n    for (unsigned w = {}; w > 0; w /= 2) {{\n        \
                 if (t % {lanes} < w) box[t] = {joined};\n        __syncthreads();\n    }}\n    s{r} = box[t];\n    \
                 __syncthreads();",
                lanes / 2
            );
        }
        let _ = write!(text, "    if (t % {lanes} == 0 && i < {points}) {{ {outer}");
        stores(text, &|r| format!("s{r}"));
        text.push_str("}\n");
    }
}
