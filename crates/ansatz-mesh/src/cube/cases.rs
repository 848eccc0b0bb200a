//! Loops and triangles for every pattern of signs, derived and not copied.
//!
//! On a face the marked edges (whose corners differ in sign) are joined by arcs. Two marked edges leave no
//! choice. With four, a diagonal pair of corners is inside, and arcs either cut off the inside corners or
//! the outside ones. Every marked edge ends one arc on each of its two faces, so arcs close to loops, which
//! bound the patches of the surface. A patch is cut into triangles without any chord between edges of one
//! face: the neighbour could draw the same chord. A few loops have no such triangulation and get a vertex in
//! their middle.
//!
//! Sources: W. Lorensen, H. Cline, Marching cubes (1987); G. Nielson, B. Hamann, The asymptotic decider (1991).

use std::sync::LazyLock;

use super::{FACES, edge_between, faces_of_edge};

/// Surfaces of a cube for one pattern of signs and one way of joining on each ambiguous face.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Edges of the loops, one loop after the other, counter-clockwise seen from the outside of the surface.
    pub(crate) edges: [u8; 12],
    /// Lengths of the loops.
    pub(crate) lengths: [u8; 4],
    /// How many loops there are.
    pub(crate) loops: u8,
    /// The loop that an edge is on.
    pub(crate) of_edge: [u8; 12],
    /// Triangles as edges; 12 + l stands for the middle of loop l.
    pub(crate) triangles: [[u8; 3]; 12],
    /// How many triangles there are.
    pub(crate) count: u8,
    /// Loops that need a vertex in their middle, as bits.
    pub(crate) middles: u8,
}

impl Entry {
    /// The edges of each loop.
    pub(crate) fn loops(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        self.lengths[..usize::from(self.loops)]
            .iter()
            .map(move |&n| {
                let begin = at;
                at += usize::from(n);
                &self.edges[begin..at]
            })
    }

    /// The edges of one loop.
    pub(crate) fn loop_edges(&self, index: usize) -> &[u8] {
        let at: usize = self.lengths[..index].iter().map(|&n| usize::from(n)).sum();
        &self.edges[at..at + usize::from(self.lengths[index])]
    }

    /// The edges of all loops.
    #[inline(always)]
    pub(crate) fn all_edges(&self) -> &[u8] {
        let count: u8 = self.lengths.iter().sum();
        &self.edges[..usize::from(count)]
    }

    #[inline(always)]
    pub(crate) fn triangles(&self) -> &[[u8; 3]] {
        &self.triangles[..usize::from(self.count)]
    }
}

/// All entries.
pub(crate) struct Table {
    /// Entries of a case begin here: one for each way of joining, bit m of the way being the m-th ambiguous
    /// face in ascending order, 1 where the outside corners are cut off.
    start: [u16; 256],
    /// Faces with four marked edges, as bits.
    pub(crate) ambiguous: [u8; 256],
    /// Cases of which a face with two arcs belongs to one loop alone, and that face: two cells that share such
    /// a face would put two surfaces on one edge of the dual mesh.
    pub(crate) joint: [Option<u8>; 256],
    entries: Vec<Entry>,
}

impl Table {
    /// The entry of a case for a way of joining.
    #[inline(always)]
    pub(crate) fn entry(&self, case: u8, way: u8) -> &Entry {
        &self.entries[usize::from(self.start[usize::from(case)]) + usize::from(way)]
    }

    /// Number of an entry, for [`Table::numbered`].
    #[inline(always)]
    pub(crate) fn number(&self, case: u8, way: u8) -> u16 {
        self.start[usize::from(case)] + u16::from(way)
    }

    /// The entry of that number.
    #[inline(always)]
    pub(crate) fn numbered(&self, number: u16) -> &Entry {
        &self.entries[usize::from(number)]
    }

    /// The way in which the outside corners are cut off on all faces.
    #[inline(always)]
    pub(crate) fn outside(&self, case: u8) -> u8 {
        ((1u32 << self.ambiguous[usize::from(case)].count_ones()) - 1) as u8
    }

    fn derive() -> Self {
        let mut table = Self {
            start: [0; 256],
            ambiguous: [0; 256],
            joint: [None; 256],
            entries: Vec::new(),
        };
        for case in 0..=255u8 {
            let at = usize::from(case);
            table.start[at] = table.entries.len() as u16;
            table.ambiguous[at] = (0..6)
                .filter(|&f| is_ambiguous(case, f))
                .map(|f| 1 << f)
                .sum();
            for way in 0..=table.outside(case) {
                table
                    .entries
                    .push(entry(case, spread(way, table.ambiguous[at])));
            }
            let plain = table.entry(case, 0);
            table.joint[at] = (0..6u8).find(|&f| {
                is_ambiguous(case, f) && {
                    let marked = (0..12).filter(|&e| faces_of_edge(e) >> f & 1 == 1);
                    let loops: Vec<u8> = marked.map(|e| plain.of_edge[usize::from(e)]).collect();
                    loops.iter().all(|l| *l == loops[0])
                }
            });
        }
        table
    }
}

/// The table; made when it is first asked for.
pub(crate) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::derive);
    &TABLE
}

fn is_ambiguous(case: u8, face: u8) -> bool {
    let [a, b, c, d] = FACES[usize::from(face)].map(|c| case >> c & 1);
    a == c && b == d && a != b
}

/// Puts the bits of a way at the places of the bits of a mask.
fn spread(way: u8, mask: u8) -> u8 {
    let mut faces = 0;
    let mut rank = 0;
    for f in 0..6 {
        if mask >> f & 1 == 1 {
            faces |= (way >> rank & 1) << f;
            rank += 1;
        }
    }
    faces
}

/// Loops and triangles of a case; `cut_outside` are the faces whose outside corners are cut off.
fn entry(case: u8, cut_outside: u8) -> Entry {
    const NONE: u8 = 255;
    let mut next = [NONE; 12];
    for (f, face) in FACES.iter().enumerate() {
        // Seen from outside of the cube an arc has the inside on its right: it goes from where the rim enters
        // the inside to where it leaves it.
        for m in 0..4 {
            let inside = |m: usize| case >> face[m % 4] & 1 == 1;
            let edge = |m: usize| edge_between(face[m % 4], face[(m + 1) % 4]);
            if inside(m) || !inside(m + 1) {
                continue;
            }
            let mut leave = m + 1;
            if cut_outside >> f & 1 == 1 && is_ambiguous(case, f as u8) {
                // The rim that ends here left the inside one edge earlier.
                leave = m + 3;
            } else {
                while inside(leave + 1) {
                    leave += 1;
                }
            }
            next[usize::from(edge(m))] = edge(leave);
        }
    }
    let mut entry = Entry {
        edges: [0; 12],
        lengths: [0; 4],
        loops: 0,
        of_edge: [0; 12],
        triangles: [[0; 3]; 12],
        count: 0,
        middles: 0,
    };
    let mut at = 0;
    for first in 0..12 {
        let begin = at;
        let mut e = first;
        while next[usize::from(e)] != NONE {
            entry.edges[at] = e;
            entry.of_edge[usize::from(e)] = entry.loops;
            at += 1;
            e = std::mem::replace(&mut next[usize::from(e)], NONE);
        }
        if at > begin {
            entry.lengths[usize::from(entry.loops)] = (at - begin) as u8;
            let patch = entry.edges;
            triangulate(&patch[begin..at], &mut entry);
            entry.loops += 1;
        }
    }
    entry
}

/// Adds the triangles of a loop, by dynamic programming over its chords.
fn triangulate(patch: &[u8], entry: &mut Entry) {
    let n = patch.len();
    let allowed = |a: usize, b: usize| {
        b - a == 1 || b - a == n - 1 || faces_of_edge(patch[a]) & faces_of_edge(patch[b]) == 0
    };
    // apex[a][b] closes the triangle over chord (a, b) of the polygon a, a + 1, …, b.
    let mut apex = [[None; 12]; 12];
    for span in 2..n {
        for a in 0..n - span {
            let b = a + span;
            let solved = |a: usize, b: usize, apex: &[[Option<usize>; 12]; 12]| {
                b - a == 1 || apex[a][b].is_some()
            };
            // Apexes near the middle first: fans of slivers are the last resort.
            let mut order: Vec<usize> = (a + 1..b).collect();
            order.sort_by_key(|&c| (2 * c).abs_diff(a + b));
            apex[a][b] = order.into_iter().find(|&c| {
                allowed(a, c) && allowed(c, b) && solved(a, c, &apex) && solved(c, b, &apex)
            });
        }
    }
    let mut add = |triangle| {
        entry.triangles[usize::from(entry.count)] = triangle;
        entry.count += 1;
    };
    if apex[0][n - 1].is_none() {
        let middle = 12 + entry.loops;
        for m in 0..n {
            add([patch[m], patch[(m + 1) % n], middle]);
        }
        entry.middles |= 1 << entry.loops;
        return;
    }
    let mut open = vec![(0, n - 1)];
    while let Some((a, b)) = open.pop() {
        if let Some(c) = apex[a][b] {
            add([patch[a], patch[c], patch[b]]);
            open.push((a, c));
            open.push((c, b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cube::EDGES;

    fn entries() -> impl Iterator<Item = (u8, u8, &'static Entry)> {
        let t = table();
        (0..=255).flat_map(move |c| (0..=t.outside(c)).map(move |w| (c, w, t.entry(c, w))))
    }

    /// Counts of loops and lengths for plain marching cubes, by number and length.
    #[test]
    fn plain_cases_have_the_known_loops() {
        let (mut lengths, mut numbers) = ([0; 13], [0; 5]);
        for case in 0..=255 {
            let entry = table().entry(case, 0);
            numbers[usize::from(entry.loops)] += 1;
            entry.loops().for_each(|l| lengths[l.len()] += 1);
            assert_eq!(entry.middles, 0);
        }
        assert_eq!(lengths[3..8], [144, 66, 72, 52, 24]);
        assert_eq!(lengths.iter().sum::<i32>(), 144 + 66 + 72 + 52 + 24);
        assert_eq!(numbers, [2, 162, 82, 8, 2]);
    }

    #[test]
    fn all_ways_have_the_known_loops_and_middles() {
        let (mut lengths, mut middles) = ([0; 13], [0; 13]);
        for (_, _, entry) in entries() {
            for (l, edges) in entry.loops().enumerate() {
                lengths[edges.len()] += 1;
                middles[edges.len()] += u32::from(entry.middles >> l & 1);
            }
        }
        assert_eq!(lengths[3..10], [416, 102, 96, 176, 48, 60, 96]);
        assert_eq!((lengths[12], lengths.iter().sum::<u32>()), (32, 1026));
        assert_eq!((middles[8], middles[9], middles[12]), (12, 96, 8));
        assert_eq!(middles.iter().sum::<u32>(), 116);
    }

    /// Marked edges are on one loop each; the rim of the triangles of a loop is the loop.
    #[test]
    fn patches_have_their_loop_as_rim() {
        for (case, way, entry) in entries() {
            let marked: Vec<u8> = (0..12u8)
                .filter(|&e| {
                    let [a, b] = EDGES[usize::from(e)];
                    (case >> a ^ case >> b) & 1 == 1
                })
                .collect();
            let mut on: Vec<u8> = entry.loops().flatten().copied().collect();
            on.sort_unstable();
            assert_eq!(on, marked, "case {case} way {way}");
            let mut rim = std::collections::HashSet::new();
            for t in entry.triangles() {
                for m in 0..3 {
                    let (a, b) = (t[m], t[(m + 1) % 3]);
                    if !rim.remove(&(b, a)) {
                        assert!(rim.insert((a, b)), "case {case} way {way}");
                    }
                }
            }
            let expected = entry
                .loops()
                .flat_map(|l| (0..l.len()).map(move |m| (l[m], l[(m + 1) % l.len()])))
                .collect();
            assert_eq!(rim, expected, "case {case} way {way}");
        }
    }

    /// No chord lies on a face of the cube.
    #[test]
    fn chords_keep_off_faces() {
        for (_, _, entry) in entries() {
            let rim: Vec<[u8; 2]> = entry
                .loops()
                .flat_map(|l| (0..l.len()).map(move |m| [l[m], l[(m + 1) % l.len()]]))
                .collect();
            for t in entry.triangles() {
                for m in 0..3 {
                    let side = [t[m], t[(m + 1) % 3]];
                    if side.iter().all(|&e| e < 12) && !rim.contains(&side) {
                        assert_eq!(faces_of_edge(side[0]) & faces_of_edge(side[1]), 0);
                    }
                }
            }
        }
    }

    /// 12 cases with two and 24 with three outside corners have a face of which both arcs are one loop's.
    #[test]
    fn joint_cases_are_two_classes() {
        let joint: Vec<u8> = (0..=255)
            .filter(|&c| table().joint[usize::from(c)].is_some())
            .collect();
        assert_eq!(joint.len(), 36);
        assert_eq!(joint.iter().filter(|c| c.count_ones() == 5).count(), 24);
        assert_eq!(joint.iter().filter(|c| c.count_ones() == 6).count(), 12);
        for &c in &joint {
            assert_eq!(table().ambiguous[usize::from(c)].count_ones(), 1);
            assert_eq!(table().entry(c, 0).loops, 1);
            assert_eq!(table().entry(c, 1).loops, 2);
        }
    }

    /// Cutting off outside corners is cutting off inside corners of the opposite signs.
    #[test]
    fn ways_are_dual_to_opposite_signs() {
        for case in 0..=255u8 {
            let t = table();
            let (a, b) = (t.entry(case, t.outside(case)), t.entry(255 - case, 0));
            assert_eq!(a.loops, b.loops);
            for e in 0..12 {
                for f in 0..12 {
                    let same = |x: &Entry| x.of_edge[e] == x.of_edge[f];
                    assert_eq!(same(a), same(b));
                }
            }
        }
    }
}
