//! Edges in the order of their cost, to within a hundredth.

/// Nothing follows.
const NONE: u32 = u32::MAX;

/// Sign, exponent and seven bits of the fraction of an `f32`: neighbouring buckets differ by 0.8 %.
const SHIFT: u32 = 16;
const BUCKETS: usize = 1 << (31 - SHIFT);

/// Entries of a block: what is next is mostly beside what came before.
const BLOCK: usize = 16;

/// An edge; it counts while the sum of its ends' versions is what it was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) ends: [u32; 2],
    pub(super) version: u32,
}

/// Entries of one bucket, in the order in which they came.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// First and last block.
    first: u32,
    last: u32,
    /// Places in these where the next entry is read and written.
    read: u32,
    write: u32,
}

const EMPTY: Bucket = Bucket {
    first: NONE,
    last: NONE,
    read: 0,
    write: 0,
};

/// Buckets of edges by cost, first in first out: most entries are out of date when they come up, so
/// that it pays to take one in a few nanoseconds. First come first served also spreads collapses over
/// flat parts, where all cost nothing, instead of growing one vertex with all edges.
#[derive(Debug)]
pub(super) struct Queue {
    /// Blocks and what follows each, in its bucket or among the free ones.
    blocks: Vec<([Entry; BLOCK], u32)>,
    free: u32,
    buckets: Vec<Bucket>,
    /// A bit per bucket that has entries, and where the first may be.
    full: Vec<u64>,
    low: usize,
}

impl Queue {
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self {
            blocks: Vec::with_capacity(entries / BLOCK),
            free: NONE,
            buckets: vec![EMPTY; BUCKETS],
            full: vec![0; BUCKETS / 64],
            low: 0,
        }
    }

    /// Adds an edge; a cost is not negative.
    #[inline]
    pub(super) fn push(&mut self, cost: f64, entry: Entry) {
        let number = ((cost as f32).to_bits() >> SHIFT) as usize & (BUCKETS - 1);
        let bucket = &mut self.buckets[number];
        if bucket.last == NONE || bucket.write as usize == BLOCK {
            let place = if self.free == NONE {
                self.blocks.push(([Entry::default(); BLOCK], NONE));
                self.blocks.len() as u32 - 1
            } else {
                let place = self.free;
                self.free = std::mem::replace(&mut self.blocks[place as usize].1, NONE);
                place
            };
            if bucket.last == NONE {
                (bucket.first, bucket.read) = (place, 0);
                self.full[number / 64] |= 1 << (number % 64);
                self.low = self.low.min(number / 64);
            } else {
                self.blocks[bucket.last as usize].1 = place;
            }
            (bucket.last, bucket.write) = (place, 0);
        }
        self.blocks[bucket.last as usize].0[bucket.write as usize] = entry;
        bucket.write += 1;
    }

    /// Takes the oldest of the cheapest edges.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Entry> {
        while *self.full.get(self.low)? == 0 {
            self.low += 1;
        }
        let number = 64 * self.low + self.full[self.low].trailing_zeros() as usize;
        let bucket = &mut self.buckets[number];
        let block = &mut self.blocks[bucket.first as usize];
        let entry = block.0[bucket.read as usize];
        bucket.read += 1;
        let last = bucket.first == bucket.last;
        let end = if last { bucket.write as usize } else { BLOCK };
        if bucket.read as usize == end {
            let place = bucket.first;
            (bucket.first, bucket.read) = (block.1, 0);
            block.1 = std::mem::replace(&mut self.free, place);
            if last {
                *bucket = EMPTY;
                self.full[self.low] &= !(1 << (number % 64));
            }
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheapest_first_then_oldest() {
        let mut queue = Queue::with_capacity(0);
        let entry = |i: u32| Entry {
            ends: [i, i],
            version: 0,
        };
        for round in 0..3 {
            for (i, cost) in [3.0, 0.0, 1e-30, 3.0, 1e30, 0.0, f64::MAX]
                .into_iter()
                .enumerate()
            {
                queue.push(cost, entry(i as u32));
            }
            let order: Vec<u32> = (0..7)
                .filter_map(|_| queue.pop())
                .map(|e| e.ends[0])
                .collect();
            assert_eq!(order, [1, 5, 2, 0, 3, 4, 6], "round {round}");
            assert!(queue.pop().is_none());
        }
        // Many in one bucket, in turns: blocks are used again.
        let (mut pushed, mut popped) = (0, 0);
        for _ in 0..1000 {
            for _ in 0..7 {
                queue.push(1.0, entry(pushed));
                pushed += 1;
            }
            for _ in 0..7 {
                assert_eq!(queue.pop().map(|e| e.ends[0]), Some(popped));
                popped += 1;
            }
        }
        assert!(queue.blocks.len() < 10);
    }
}
