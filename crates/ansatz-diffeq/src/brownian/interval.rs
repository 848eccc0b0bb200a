//! The Brownian interval.

use ansatz_core::{Key, State};

use super::split::{self, Split};
use super::{Brownian, BrownianError, Increment, LevyArea, check, check_span, rounding};

/// How a [`BrownianInterval`] spends memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntervalOptions {
    /// Nodes whose values are kept, those not used for long given up first.
    pub cache: usize,
}

impl Default for IntervalOptions {
    /// 45 nodes.
    fn default() -> Self {
        Self { cache: 45 }
    }
}

/// A path whose tree grows with the queries: exact at any spacing, and a sweep costs O(1) draws a step.
///
/// A binary tree of intervals over the span; a query splits the leaves in which its ends lie, so every answer
/// is a union of nodes. Only the places of the nodes are kept; values are drawn again when they are
/// needed, from the nearest ancestor in a small cache. Before a leaf is split at the end of a query it is
/// halved until it is no longer than 8 times the query: the tree stays balanced, and a sweep backwards
/// costs as little as one forwards.
///
/// The same queries in the same order give the same path, and a query repeated at any time the same
/// bits; other queries first give another path. Nodes that a query adds are the only memory that
/// grows (32 bytes each, 2 to 3 per new query).
///
/// Source: P. Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural SDEs*, 2021,
/// section 4.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_diffeq::brownian::{Brownian, BrownianInterval, Increment, IntervalOptions, LevyArea};
/// let options = IntervalOptions::default();
/// let mut path = BrownianInterval::new(Key::new(1), (0.0, 1.0), &[0.0_f64; 2], LevyArea::None, options)?;
/// let (mut first, mut again) = (Increment::new(&[0.0; 2], LevyArea::None), Increment::new(&[0.0; 2], LevyArea::None));
/// path.query(0.1, 0.4, &mut first)?;
/// path.query(0.2, 0.9, &mut again)?;
/// path.query(0.1, 0.4, &mut again)?;
/// assert_eq!(first.w(), again.w());
/// # Ok::<(), ansatz_diffeq::brownian::BrownianError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BrownianInterval<S> {
    key: Key,
    levels: LevyArea,
    nodes: Vec<Node>,
    cache: Cache<S>,
    /// Where the last query ended: the next is likely near.
    last: u32,
    root: Vec<S>,
    node: Vec<S>,
    child: Vec<S>,
    sibling: Vec<S>,
    covered: Vec<S>,
    noise: Vec<S>,
    /// Way from a cached ancestor to a node, or nodes still to visit.
    way: Vec<u32>,
}

const NONE: u32 = u32::MAX;

/// Leaves are halved until they are at most this many times as long as the query that splits them.
const LONGEST_LEAF: f64 = 8.0;

#[derive(Debug, Clone, Copy)]
struct Node {
    start: f64,
    end: f64,
    parent: u32,
    /// The left child; the right one follows it.
    left: u32,
    /// Where its values are kept.
    slot: u32,
}

/// Values of recently used nodes. A hand goes round and gives up the first slot that was not used since it was last
/// there: as good as giving up the least recently used one, without a search.
#[derive(Debug, Clone)]
struct Cache<S> {
    slots: Vec<Slot<S>>,
    capacity: usize,
    hand: usize,
}

#[derive(Debug, Clone)]
struct Slot<S> {
    node: u32,
    used: bool,
    values: Vec<S>,
}

impl<S: State> BrownianInterval<S> {
    /// A path over `span` with values like `like`.
    ///
    /// # Errors
    /// [`BrownianError::Span`], [`BrownianError::Cache`].
    pub fn new(
        key: Key,
        span: (f64, f64),
        like: &S,
        levels: LevyArea,
        options: IntervalOptions,
    ) -> Result<Self, BrownianError> {
        check_span(span.0, span.1)?;
        if options.cache == 0 {
            return Err(BrownianError::Cache { cache: 0 });
        }
        let zeros = vec![like.zeros_like(); levels.moments()];
        let key = split::private(key);
        let mut root = zeros.clone();
        split::draw(key, 0, &mut root);
        Ok(Self {
            key,
            levels,
            nodes: vec![Node {
                start: span.0,
                end: span.1,
                parent: NONE,
                left: NONE,
                slot: NONE,
            }],
            cache: Cache {
                slots: Vec::with_capacity(options.cache),
                capacity: options.cache,
                hand: 0,
            },
            last: 0,
            root,
            node: zeros.clone(),
            child: zeros.clone(),
            sibling: zeros.clone(),
            covered: zeros.clone(),
            noise: zeros,
            way: Vec::new(),
        })
    }

    /// The leaf that has `x` inside or as an end, looked for from where the last query was.
    fn leaf_at(&self, x: f64) -> u32 {
        let mut k = self.last;
        while x < self.nodes[k as usize].start || x > self.nodes[k as usize].end {
            k = self.nodes[k as usize].parent;
        }
        while self.nodes[k as usize].left != NONE {
            let left = self.nodes[k as usize].left;
            k = left + u32::from(x > self.nodes[left as usize].end);
        }
        k
    }

    /// Gives leaf `k` two children that meet at `x`; returns the left one.
    fn split(&mut self, k: u32, x: f64) -> u32 {
        let left = self.nodes.len() as u32;
        let Node { start, end, .. } = self.nodes[k as usize];
        self.nodes[k as usize].left = left;
        for (start, end) in [(start, x), (x, end)] {
            self.nodes.push(Node {
                start,
                end,
                parent: k,
                left: NONE,
                slot: NONE,
            });
        }
        left
    }

    /// Makes `x` an end of nodes, for a query of length h; an end that differs by rounding will do, and is returned.
    fn cut(&mut self, x: f64, h: f64) -> f64 {
        let near = rounding(self.span());
        let mut k = self.leaf_at(x);
        loop {
            self.last = k;
            let Node { start, end, .. } = self.nodes[k as usize];
            if x - start <= near {
                return start;
            }
            if end - x <= near {
                return end;
            }
            let middle = start + 0.5 * (end - start);
            let at = if end - start > LONGEST_LEAF * h {
                middle
            } else {
                x
            };
            let left = self.split(k, at);
            k = left + u32::from(x > at);
        }
    }

    /// Leaves the values of node `k` in `node`.
    fn values(&mut self, k: u32) {
        // Up to an ancestor that is known.
        let (mut up, mark) = (k, self.way.len());
        while up != 0 && self.nodes[up as usize].slot == NONE {
            self.way.push(up);
            up = self.nodes[up as usize].parent;
        }
        let known = match self.nodes[up as usize].slot {
            NONE => &self.root,
            slot => self.cache.touch(slot),
        };
        for (x, v) in self.node.iter_mut().zip(known) {
            x.assign(v);
        }
        // And down again.
        while self.way.len() > mark {
            let Some(down) = self.way.pop() else { break };
            let Node {
                start, end, left, ..
            } = self.nodes[up as usize];
            let at = self.nodes[left as usize].end;
            split::draw(self.key, u64::from(up) + 1, &mut self.noise);
            let parts = Split::at(at - start, end - at, self.root.len());
            if down == left {
                parts.left(&self.node, &self.noise, &mut self.child);
                // What is left of a leaf will be split by the next query of a sweep.
                let right = self.nodes[left as usize + 1];
                if right.left == NONE && right.slot == NONE {
                    parts.right(&self.node, &self.noise, &mut self.sibling);
                    self.cache.insert(left + 1, &self.sibling, &mut self.nodes);
                }
            } else {
                parts.right(&self.node, &self.noise, &mut self.child);
            }
            std::mem::swap(&mut self.node, &mut self.child);
            // Leaves have no children that would ask for them.
            if self.nodes[down as usize].left != NONE {
                self.cache.insert(down, &self.node, &mut self.nodes);
            }
            up = down;
        }
    }

    /// The smallest node around [a, b], which are ends of nodes.
    fn around(&self, a: f64, b: f64) -> u32 {
        let mut k = self.last;
        while a < self.nodes[k as usize].start || b > self.nodes[k as usize].end {
            k = self.nodes[k as usize].parent;
        }
        loop {
            let left = self.nodes[k as usize].left;
            if left == NONE {
                return k;
            }
            let at = self.nodes[left as usize].end;
            if b <= at {
                k = left;
            } else if a >= at {
                k = left + 1;
            } else {
                return k;
            }
        }
    }
}

impl<S: State> Cache<S> {
    fn touch(&mut self, slot: u32) -> &[S] {
        let slot = &mut self.slots[slot as usize];
        slot.used = true;
        &slot.values
    }

    /// Keeps the values of a node in place of others.
    fn insert(&mut self, node: u32, values: &[S], nodes: &mut [Node]) {
        let slot = if self.slots.len() < self.capacity {
            self.slots.push(Slot {
                node,
                used: true,
                values: values.to_vec(),
            });
            self.slots.len() - 1
        } else {
            while self.slots[self.hand].used {
                self.slots[self.hand].used = false;
                self.hand = (self.hand + 1) % self.capacity;
            }
            let slot = self.hand;
            self.hand = (self.hand + 1) % self.capacity;
            let kept = &mut self.slots[slot];
            nodes[kept.node as usize].slot = NONE;
            (kept.node, kept.used) = (node, true);
            for (x, v) in kept.values.iter_mut().zip(values) {
                x.assign(v);
            }
            slot
        };
        nodes[node as usize].slot = slot as u32;
    }
}

impl<S: State> Brownian<S> for BrownianInterval<S> {
    fn span(&self) -> (f64, f64) {
        (self.nodes[0].start, self.nodes[0].end)
    }

    fn levels(&self) -> LevyArea {
        self.levels
    }

    fn like(&self) -> &S {
        &self.root[0]
    }

    fn query(&mut self, a: f64, b: f64, out: &mut Increment<S>) -> Result<(), BrownianError> {
        check(self.span(), self.levels, (a, b), out)?;
        if a >= b {
            out.clear();
            return Ok(());
        }
        let h = b - a;
        let (a, b) = (self.cut(a, h), self.cut(b, h));
        if a >= b {
            out.clear();
            return Ok(());
        }
        let around = self.around(a, b);
        // Nodes inside [a, b], from left to right.
        self.way.clear();
        self.way.push(around);
        let mut reached = a;
        while let Some(k) = self.way.pop() {
            let Node {
                start, end, left, ..
            } = self.nodes[k as usize];
            if end <= a || start >= b {
                continue;
            }
            if start < a || end > b {
                self.way.extend([left + 1, left]);
                continue;
            }
            self.values(k);
            self.last = k;
            if reached > a {
                split::append(&mut self.covered, &self.node, reached - a, end - start);
            } else {
                std::mem::swap(&mut self.covered, &mut self.node);
            }
            reached = end;
        }
        out.scale(b - a, &self.covered);
        Ok(())
    }
}
