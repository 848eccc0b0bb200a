//! Convolutions whose groups have one or two result channels, line by line: depthwise ones above all.

use ansatz_core::Scalar;
use pulp::NullaryFnOnce;

use super::geometry::Job;

/// A result channel as the weighted sum of shifted lines of the source's planes.
pub(super) struct Weighted<'a, T> {
    pub(super) job: &'a Job,
    /// Where the terms of the sums are.
    pub(super) steps: &'a [u32],
    pub(super) x: &'a [T],
    /// Weights of the channel, those of neighbouring source channels `row` apart.
    pub(super) w: &'a [T],
    pub(super) row: usize,
    /// Room for a line.
    pub(super) sums: &'a mut [T],
    pub(super) out: &'a mut [T],
}

impl<T: Scalar> NullaryFnOnce for Weighted<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (job, taps) = (self.job, self.job.taps.len());
        for (line, positions) in job.positions.chunks_exact(job.line).enumerate() {
            let start = positions[0] as usize;
            self.sums.fill(T::zero());
            for (channel, steps) in self.steps.chunks_exact(taps.max(1)).enumerate() {
                for (step, (tap, _)) in steps.iter().zip(&job.taps) {
                    let w = self.w[channel * self.row + *tap as usize];
                    let x = &self.x[start + *step as usize..][..job.line];
                    for (sum, x) in self.sums.iter_mut().zip(x) {
                        *sum = x.mul_add(w, *sum);
                    }
                }
            }
            let first = line * job.line;
            let at = job.targets.get(first).map_or(first, |t| *t as usize);
            let places = self.out[at..].iter_mut().step_by(job.spacing);
            places.zip(&*self.sums).for_each(|(o, v)| *o = *v);
        }
    }
}

/// Adds the products of a cotangent with the shifted lines of the source's planes to the weights' gradient.
pub(super) struct Products<'a, T> {
    pub(super) job: &'a Job,
    pub(super) steps: &'a [u32],
    pub(super) x: &'a [T],
    pub(super) y: &'a [T],
    pub(super) out: &'a mut [T],
}

/// Partial sums, as many for every machine.
const LANES: usize = 16;

impl<T: Scalar> NullaryFnOnce for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let job = self.job;
        for (step, out) in self.steps.iter().zip(self.out) {
            let mut lanes = [T::zero(); LANES];
            let lines = job.positions.chunks_exact(job.line);
            for (positions, y) in lines.zip(self.y.chunks_exact(job.line)) {
                let x = &self.x[(positions[0] + step) as usize..][..job.line];
                let (blocks, rest) = y.as_chunks::<LANES>();
                let (shifted, tail) = x.as_chunks::<LANES>();
                for (y, x) in blocks.iter().zip(shifted) {
                    for l in 0..LANES {
                        lanes[l] = x[l].mul_add(y[l], lanes[l]);
                    }
                }
                for ((lane, y), x) in lanes.iter_mut().zip(rest).zip(tail) {
                    *lane = x.mul_add(*y, *lane);
                }
            }
            *out += lanes.iter().fold(T::zero(), |sum, v| sum + *v);
        }
    }
}
