//! Edges of a triangle list: who shares what. Half-edge 3·f + k goes from corner k of triangle f to
//! the next corner.

/// The half-edges of every undirected edge, in order of (lower vertex, higher vertex, half-edge).
///
/// Buckets of lower vertices keep this linear in the number of triangles. Edges of triangles that
/// name a vertex twice are left out.
#[derive(Debug)]
pub(crate) struct Edges {
    /// Half-edges, edge after edge.
    halves: Vec<u32>,
    /// Where each edge begins in `halves`, and where the last one ends.
    start: Vec<u32>,
}

/// The corner after corner `half % 3` of the same triangle.
#[inline]
pub(crate) fn next(half: u32) -> u32 {
    if half % 3 == 2 { half - 2 } else { half + 1 }
}

/// The vertices that a half-edge goes from and to.
#[inline]
pub(crate) fn ends(triangles: &[[u32; 3]], half: u32) -> [u32; 2] {
    let triangle = &triangles[(half / 3) as usize];
    let k = (half % 3) as usize;
    [triangle[k], triangle[(k + 1) % 3]]
}

/// Whether a triangle names a vertex twice.
#[inline]
pub(crate) fn degenerate([a, b, c]: [u32; 3]) -> bool {
    a == b || b == c || a == c
}

impl Edges {
    /// The edges of triangles whose indices are below `vertices`.
    pub(crate) fn new(triangles: &[[u32; 3]], vertices: usize) -> Self {
        let mut bucket = vec![0_u32; vertices + 1];
        let each = |visit: &mut dyn FnMut(u32, u32, u32)| {
            for (f, triangle) in triangles.iter().enumerate() {
                if degenerate(*triangle) {
                    continue;
                }
                for k in 0..3 {
                    let (a, b) = (triangle[k], triangle[(k + 1) % 3]);
                    visit(a.min(b), a.max(b), (3 * f + k) as u32);
                }
            }
        };
        each(&mut |low, _, _| bucket[low as usize + 1] += 1);
        for i in 0..vertices {
            bucket[i + 1] += bucket[i];
        }
        let total = bucket[vertices] as usize;
        let mut sorted = vec![(0_u32, 0_u32); total];
        let mut place = bucket.clone();
        each(&mut |low, high, half| {
            let at = &mut place[low as usize];
            sorted[*at as usize] = (high, half);
            *at += 1;
        });
        let mut halves = Vec::with_capacity(total);
        let mut start = Vec::with_capacity(total / 2 + 1);
        for low in 0..vertices {
            let here = &mut sorted[bucket[low] as usize..bucket[low + 1] as usize];
            here.sort_unstable();
            let mut last = None;
            for (high, half) in here {
                if last != Some(*high) {
                    start.push(halves.len() as u32);
                    last = Some(*high);
                }
                halves.push(*half);
            }
        }
        start.push(halves.len() as u32);
        Self { halves, start }
    }

    /// How many edges there are.
    pub(crate) fn len(&self) -> usize {
        self.start.len() - 1
    }

    /// The half-edges of each edge.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.start
            .windows(2)
            .map(|w| &self.halves[w[0] as usize..w[1] as usize])
    }
}

/// Disjoint sets of numbers; the representative is the lowest.
#[derive(Debug)]
pub(crate) struct Sets(Vec<u32>);

impl Sets {
    pub(crate) fn new(n: usize) -> Self {
        Self((0..n as u32).collect())
    }

    pub(crate) fn find(&mut self, mut i: u32) -> u32 {
        while self.0[i as usize] != i {
            let up = self.0[self.0[i as usize] as usize];
            self.0[i as usize] = up;
            i = up;
        }
        i
    }

    pub(crate) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}
