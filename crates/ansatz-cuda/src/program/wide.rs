//! Loops whose threads compute 16 bytes of neighbouring points each, so that memory moves in the widest pieces there are.
//!
//! What is computed at a point is the same, to the bit; only who computes it differs.

use std::fmt::Write as _;

use super::body::{Array, Op};
use super::emit::{BLOCK, Setting, counters};
use super::index::{Index, signed};
use super::step::Loop;
use crate::error::elements;

/// Threads that there must be: with 16 bytes asked for by each, what is under way covers the latency of memory on the
/// largest devices (3 TB/s for 600 ns are 2 MB); below, more threads help more than wider ones.
const THREADS: usize = 1 << 16;

/// Arrays that are held in pieces at once: four registers each.
const PIECES: usize = 12;

/// Weight of the body, which stands in the code once for each point of a thread.
const WEIGHT: usize = 240;

/// What is moved in pieces of `lanes` neighbours.
#[derive(Debug)]
pub(super) struct Wide {
    /// Points of a thread.
    pub(super) lanes: usize,
    /// The innermost axis, if it is a whole number of pieces; else counters are not used at all.
    axis: Option<usize>,
    /// For each operation, whether it is a load of a piece.
    pub(super) loads: Vec<bool>,
    /// For each result, whether it is stored as a piece.
    stores: Vec<bool>,
}

impl Wide {
    /// `None` where threads do better with a point each. `used` says which counters anything needs, `own` which indices
    /// are the number of the point and a constant.
    pub(super) fn of(
        task: &Loop,
        setting: Setting<'_>,
        alive: &[bool],
        used: &[bool],
        own: &dyn Fn(&Index) -> bool,
    ) -> Option<Self> {
        let lanes = if setting.scalar == "float" { 4 } else { 2 };
        let points = elements(&task.outer);
        let last = task.outer.iter().rposition(|n| *n > 1)?;
        let axis = task.outer[last].is_multiple_of(lanes).then_some(last);
        let whole = axis.is_some() || !used.contains(&true);
        if task.fold.is_some()
            || !points.is_multiple_of(lanes)
            || points / lanes < THREADS
            || !whole
            || task.body.weight() > WEIGHT
        {
            return None;
        }
        // Arrays begin at multiples of more than 16 bytes.
        let in_pieces = |index: &Index| {
            let beside = axis.is_some_and(|a| {
                index.stride(a) == Some(1) && index.is_multiple_beside(a, signed(lanes))
            });
            beside || own(index) && index.start() % signed(lanes) == 0
        };
        let loads = task.body.ops().iter().zip(alive).map(|(op, on)| match op {
            Op::Load {
                array, index, when, ..
            } if *on && when.is_empty() => {
                let (low, high) = index.range();
                let inside = low >= 0 && high < signed(setting.len(*array));
                inside && setting.type_of(*array) == setting.scalar && in_pieces(index)
            }
            _ => false,
        });
        let loads: Vec<bool> = loads.collect();
        let stores: Vec<bool> = task.results.iter().map(|s| in_pieces(&s.index)).collect();
        let pieces = loads.iter().chain(&stores).filter(|w| **w).count();
        // Places that do not move along the piece are read once for it.
        let moves = |index: &Index| index.stride(last) != Some(0);
        let narrow = |(k, op): (usize, &Op)| match op {
            Op::Load { index, .. } => alive[k] && !loads[k] && moves(index),
            _ => false,
        };
        let ops = task.body.ops().iter().enumerate();
        let narrow = ops.filter(|l| narrow(*l)).count() + stores.iter().filter(|w| !**w).count();
        (pieces <= PIECES && pieces >= narrow.max(1)).then_some(Self {
            lanes,
            axis,
            loads,
            stores,
        })
    }

    /// The kernel behind its head: `body` computes registers from counters and from pieces `w….v[v]`.
    pub(super) fn write(
        &self,
        text: &mut String,
        (task, setting): (&Loop, Setting<'_>),
        (body, arguments): (&str, &[Array]),
        used: &[bool],
        place: &dyn Fn(&Index) -> String,
    ) {
        let (lanes, points) = (self.lanes, elements(&task.outer));
        let (scalar, outer) = (setting.scalar, &task.outer);
        let along = self.axis.filter(|a| used.get(*a) == Some(&true));
        let beside: Vec<bool> = (0..used.len())
            .map(|a| used[a] && Some(a) != along)
            .collect();
        let _ = writeln!(
            text,
            "    const I first = ((I)blockIdx.x * {BLOCK} + threadIdx.x) * {lanes};\n    if (first >= {points}) return;\n    {}",
            counters("first", outer, 0, &beside)
        );
        // The counter of the innermost axis, once for the thread and then for each of its points.
        let (start, first, each) = match along {
            Some(a) => (
                format!("    const I along = first % {};\n", outer[a]),
                format!(", a{a} = along"),
                format!(", a{a} = along + v"),
            ),
            None => Default::default(),
        };
        text.push_str(&start);
        let (mut pieces, mut read) = (Vec::new(), String::new());
        for (k, op) in task
            .body
            .ops()
            .iter()
            .enumerate()
            .filter(|(k, _)| self.loads[*k])
        {
            if let Op::Load { array, index, .. } = op {
                let p = arguments.iter().position(|a| a == array).unwrap_or(0);
                let at = place(index);
                let _ = write!(read, " w{k} = *(const Piece<{scalar}>*)(p{p} + ({at}));");
                pieces.push(format!("w{k}"));
            }
        }
        let (mut keep, mut store) = (String::new(), String::new());
        for (r, result) in task.results.iter().enumerate() {
            let (at, value) = (place(&result.index), result.value.number());
            if self.stores[r] {
                let _ = writeln!(keep, "        o{r}.v[v] = r{value};");
                let _ = write!(store, " *(Piece<{scalar}>*)(q{r} + ({at})) = o{r};");
                pieces.push(format!("o{r}"));
            } else {
                let _ = writeln!(keep, "        q{r}[{at}] = r{value};");
            }
        }
        let _ = write!(
            text,
            "    Piece<{scalar}> {};\n    {{ const I i = first{first};{read} }}\n    #pragma unroll\n    \
             for (int v = 0; v < {lanes}; ++v) {{\n        const I i = first + v{each};\n{body}{keep}    }}\n    \
             {{ const I i = first{first};{store} }}\n",
            pieces.join(", ")
        );
    }
}
