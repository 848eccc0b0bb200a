//! A hierarchy of boxes, for queries by place.
//!
//! Own rather than a package's: the same tree answers nearest-item queries, overlaps of boxes and
//! sums over far clusters, in f64 and with one rule for ties, and costs no dependency. Splits
//! minimise the surface area heuristic over bins (I. Wald, *On fast construction of SAH-based
//! bounding volume hierarchies*, 2007).

use crate::geometry::Vec3;

/// Items that a leaf holds at most, unless all of them have the same centre.
const LEAF: usize = 4;
const BINS: usize = 16;
/// Below this depth halves are equal, which bounds the depth by `SKEWED + 32`.
const SKEWED: usize = 40;
/// Nodes that a walk has to remember at most.
pub(crate) const STACK: usize = SKEWED + 33;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) low: Vec3,
    pub(crate) high: Vec3,
    /// A leaf: first slot. Otherwise the second child; the first child is the next node.
    pub(crate) at: u32,
    /// Slots of a leaf; 0 for an inner node.
    pub(crate) count: u32,
}

impl Node {
    /// Squared distance of a point to the box.
    #[inline]
    fn distance2(&self, p: &Vec3) -> f64 {
        let outside = |x: f64, low: f64, high: f64| (low - x).max(x - high).max(0.0);
        let x = outside(p.x, self.low.x, self.high.x);
        let y = outside(p.y, self.low.y, self.high.y);
        let z = outside(p.z, self.low.z, self.high.z);
        x * x + y * y + z * z
    }

    fn meets(&self, [low, high]: &[Vec3; 2]) -> bool {
        (0..3).all(|a| self.low[a] <= high[a] && low[a] <= self.high[a])
    }
}

/// Boxes over items; an item's place in the leaves is its slot.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// The item in each slot.
    pub(crate) items: Vec<u32>,
}

impl Tree {
    /// A tree over boxes, of which there is at least one.
    pub(crate) fn new(boxes: &[[Vec3; 2]]) -> Self {
        let mut tree = Self {
            nodes: Vec::with_capacity(boxes.len()),
            items: (0..boxes.len() as u32).collect(),
        };
        let mut items = std::mem::take(&mut tree.items);
        let centres: Vec<Vec3> = boxes.iter().map(|[l, h]| (l + h) / 2.0).collect();
        tree.grow(boxes, &centres, &mut items, 0, 0);
        tree.items = items;
        tree
    }

    fn grow(
        &mut self,
        boxes: &[[Vec3; 2]],
        centres: &[Vec3],
        items: &mut [u32],
        first: usize,
        depth: usize,
    ) {
        let around = |items: &[u32]| {
            let start = boxes[items[0] as usize];
            items.iter().fold(start, |[low, high], i| {
                let [l, h] = &boxes[*i as usize];
                [low.inf(l), high.sup(h)]
            })
        };
        let [low, high] = around(items);
        let here = self.nodes.len();
        self.nodes.push(Node {
            low,
            high,
            at: first as u32,
            count: items.len() as u32,
        });
        if items.len() <= LEAF {
            return;
        }
        let half = items.len() / 2;
        let cut = if depth < SKEWED {
            split(boxes, centres, items).unwrap_or(half)
        } else {
            half
        };
        self.nodes[here].count = 0;
        let (left, right) = items.split_at_mut(cut);
        self.grow(boxes, centres, left, first, depth + 1);
        self.nodes[here].at = self.nodes.len() as u32;
        self.grow(boxes, centres, right, first + cut, depth + 1);
    }

    /// Visits slots whose boxes are nearer than the best squared distance so far. `visit` gets a
    /// slot and gives the new bound. Boxes at exactly the bound are visited too, so that ties can be
    /// broken by something else than the order of the visits.
    #[inline]
    pub(crate) fn nearest(&self, p: &Vec3, mut best: f64, mut visit: impl FnMut(usize) -> f64) {
        let mut stack = [(0_u32, 0.0_f64); STACK];
        let mut height = 1;
        stack[0] = (0, self.nodes[0].distance2(p));
        while height > 0 {
            height -= 1;
            let (mut index, distance) = stack[height];
            if distance > best {
                continue;
            }
            loop {
                let node = &self.nodes[index as usize];
                if node.count > 0 {
                    for slot in node.at..node.at + node.count {
                        best = visit(slot as usize);
                    }
                    break;
                }
                let (left, right) = (index + 1, node.at);
                let dl = self.nodes[left as usize].distance2(p);
                let dr = self.nodes[right as usize].distance2(p);
                let (near, far) = if dr < dl {
                    ((right, dr), (left, dl))
                } else {
                    ((left, dl), (right, dr))
                };
                if far.1 <= best {
                    stack[height] = far;
                    height += 1;
                }
                if near.1 > best {
                    break;
                }
                index = near.0;
            }
        }
    }

    /// Visits the items of leaves whose boxes meet a box.
    pub(crate) fn overlaps(&self, bounds: &[Vec3; 2], mut visit: impl FnMut(u32)) {
        let mut stack = [0_u32; STACK];
        let mut height = 1;
        while height > 0 {
            height -= 1;
            let index = stack[height];
            let node = &self.nodes[index as usize];
            if !node.meets(bounds) {
                continue;
            }
            if node.count > 0 {
                let slots = node.at as usize..(node.at + node.count) as usize;
                self.items[slots].iter().for_each(|i| visit(*i));
            } else {
                stack[height] = node.at;
                stack[height + 1] = index + 1;
                height += 2;
            }
        }
    }
}

/// Orders `items` so that the first ones, whose number is returned, go left; `None` when all centres
/// are the same.
fn split(boxes: &[[Vec3; 2]], centres: &[Vec3], items: &mut [u32]) -> Option<usize> {
    let first = centres[items[0] as usize];
    let [low, high] = items.iter().fold([first; 2], |[l, h], i| {
        let c = &centres[*i as usize];
        [l.inf(c), h.sup(c)]
    });
    let extent = high - low;
    let bin_of = |axis: usize, item: u32| {
        let scale = BINS as f64 / extent[axis];
        (((centres[item as usize][axis] - low[axis]) * scale) as usize).min(BINS - 1)
    };
    let mut best: Option<(f64, usize, usize)> = None;
    for axis in (0..3).filter(|a| extent[*a] > 0.0) {
        let nothing = [Vec3::repeat(f64::INFINITY), Vec3::repeat(-f64::INFINITY)];
        let mut bins = [(0_usize, nothing); BINS];
        for i in items.iter() {
            let (count, [l, h]) = &mut bins[bin_of(axis, *i)];
            let [bl, bh] = &boxes[*i as usize];
            *count += 1;
            (*l, *h) = (l.inf(bl), h.sup(bh));
        }
        let half_area = |[l, h]: &[Vec3; 2]| {
            let d = h - l;
            d.x * d.y + d.y * d.z + d.z * d.x
        };
        let join = |a: (usize, [Vec3; 2]), b: &(usize, [Vec3; 2])| {
            (a.0 + b.0, [a.1[0].inf(&b.1[0]), a.1[1].sup(&b.1[1])])
        };
        let mut right = [(0, nothing); BINS + 1];
        for b in (0..BINS).rev() {
            right[b] = join(right[b + 1], &bins[b]);
        }
        let mut left = (0, nothing);
        for b in 0..BINS - 1 {
            left = join(left, &bins[b]);
            let rest = &right[b + 1];
            if left.0 == 0 || rest.0 == 0 {
                continue;
            }
            let cost = left.0 as f64 * half_area(&left.1) + rest.0 as f64 * half_area(&rest.1);
            if best.is_none_or(|(least, ..)| cost < least) {
                best = Some((cost, axis, b));
            }
        }
    }
    let (_, axis, bin) = best?;
    // In place: order within the halves does not matter, ties are broken by item number.
    let mut cut = 0;
    for i in 0..items.len() {
        if bin_of(axis, items[i]) <= bin {
            items.swap(i, cut);
            cut += 1;
        }
    }
    Some(cut)
}
