//! Points sorted into cubic cells, for neighbours within a cell's width.

use crate::geometry::Vec3;

/// Points by cell. Cells share buckets of a table; who asks compares distances anyway.
#[derive(Debug)]
pub(crate) struct CellHash {
    start: Vec<u32>,
    members: Vec<u32>,
    width: f64,
}

impl CellHash {
    /// Cells of a width, which must be positive.
    pub(crate) fn new(points: &[Vec3], width: f64) -> Self {
        let buckets = points.len().next_power_of_two().max(16);
        let mut start = vec![0_u32; buckets + 1];
        let home: Vec<usize> = points
            .iter()
            .map(|p| bucket(cell(p, width), buckets))
            .collect();
        for b in &home {
            start[b + 1] += 1;
        }
        for b in 0..buckets {
            start[b + 1] += start[b];
        }
        let mut place = start.clone();
        let mut members = vec![0; points.len()];
        for (i, b) in home.iter().enumerate() {
            members[place[*b] as usize] = i as u32;
            place[*b] += 1;
        }
        Self {
            start,
            members,
            width,
        }
    }

    /// Visits each point of the 27 cells around `p` once, and some from elsewhere.
    pub(crate) fn around(&self, p: &Vec3, mut visit: impl FnMut(usize)) {
        let centre = cell(p, self.width);
        let buckets = self.start.len() - 1;
        let mut here = [0; 27];
        let mut n = 0;
        for x in -1..=1 {
            for y in -1..=1 {
                for z in -1..=1 {
                    let step = [x, y, z];
                    let cell = std::array::from_fn(|a| centre[a].wrapping_add(step[a]));
                    here[n] = bucket(cell, buckets);
                    n += 1;
                }
            }
        }
        // Two cells may share a bucket.
        here.sort_unstable();
        for (n, b) in here.iter().enumerate() {
            if n == 0 || here[n - 1] != *b {
                let members = self.start[*b] as usize..self.start[b + 1] as usize;
                self.members[members]
                    .iter()
                    .for_each(|i| visit(*i as usize));
            }
        }
    }
}

fn cell(p: &Vec3, width: f64) -> [i64; 3] {
    [p.x, p.y, p.z].map(|x| (x / width).floor() as i64)
}

fn bucket(cell: [i64; 3], buckets: usize) -> usize {
    let mut mixed = 0_u64;
    for c in cell {
        mixed = (mixed ^ c as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^= mixed >> 29;
    }
    (mixed as usize) & (buckets - 1)
}
