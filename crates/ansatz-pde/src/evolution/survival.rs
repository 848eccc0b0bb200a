//! Who survives: whole fronts, then the points of the least occupied directions.

use ansatz_core::Key;

use super::non_dominated_sort;
use crate::PdeError;
use crate::error::{expect, finite, within};

/// Stream of the choices between directions and points that are equally good.
const CHOICES: u64 = 2;

/// Selection by directions; it remembers the ideal point and the extreme points of all generations.
#[derive(Debug, Clone, PartialEq)]
pub struct Survival {
    losses: usize,
    /// Of length 1.
    directions: Vec<f64>,
    /// Smallest of each loss so far.
    ideal: Vec<f64>,
    /// Points that are smallest in all losses but one, rows.
    extremes: Vec<f64>,
}

impl Survival {
    /// A selection by these directions, rows of `losses` numbers.
    ///
    /// # Errors
    /// [`PdeError::Option`] for no direction, a negative one or one of length 0; [`PdeError::Width`] for an incomplete row.
    pub fn new(losses: usize, mut directions: Vec<f64>) -> Result<Self, PdeError> {
        within("losses", losses as f64, 1.0.., "1 or more")?;
        let count = directions.len() / losses;
        within("directions", count as f64, 1.0.., "1 or more")?;
        expect(
            "numbers in rows of directions",
            count * losses,
            directions.len(),
        )?;
        for value in &directions {
            within("number of a direction", *value, 0.0.., "not below 0")?;
        }
        for row in directions.chunks_mut(losses) {
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            within(
                "length of a direction",
                length,
                f64::MIN_POSITIVE..,
                "above 0",
            )?;
            for v in row {
                *v /= length;
            }
        }
        Ok(Self {
            losses,
            directions,
            ideal: vec![f64::INFINITY; losses],
            extremes: Vec::new(),
        })
    }

    /// Numbers of the `keep` points, rows of `losses`, that survive: best front first.
    ///
    /// # Errors
    /// [`PdeError::Width`] for fewer points, [`PdeError::NotFinite`] for losses that are not.
    pub fn select(
        &mut self,
        losses: &[f64],
        keep: usize,
        key: Key,
    ) -> Result<Vec<usize>, PdeError> {
        let m = self.losses;
        expect("losses of points", losses.len() / m * m, losses.len())?;
        expect("points, at least", keep, keep.min(losses.len() / m))?;
        finite(|| "losses of points".into(), losses)?;
        let row = |i: usize| &losses[i * m..(i + 1) * m];
        for losses in losses.chunks(m) {
            let pairs = self.ideal.iter_mut().zip(losses);
            pairs.for_each(|(ideal, f)| *ideal = ideal.min(*f));
        }
        let fronts = non_dominated_sort(losses, m);
        let nadir = self.nadir(fronts.first().map_or(&[], |f| f), losses);

        let mut kept: Vec<usize> = Vec::with_capacity(keep);
        let mut last: &[usize] = &[];
        for front in &fronts {
            if kept.len() + front.len() > keep {
                last = front;
                break;
            }
            kept.extend(front);
        }
        if kept.len() == keep {
            return Ok(kept);
        }
        let place = |i: usize| {
            let ranges = self.ideal.iter().zip(&nadir);
            let scaled = row(i)
                .iter()
                .zip(ranges)
                .map(|(f, (a, b))| (f - a) / (b - a));
            self.nearest(&scaled.collect::<Vec<f64>>())
        };
        let mut occupied = vec![0_usize; self.directions.len() / m];
        for i in &kept {
            occupied[place(*i).0] += 1;
        }
        // Candidates of each direction, nearest last.
        let mut waiting: Vec<Vec<(f64, usize)>> = vec![Vec::new(); occupied.len()];
        for i in last {
            let (direction, distance) = place(*i);
            waiting[direction].push((distance, *i));
        }
        for queue in &mut waiting {
            queue.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        }
        let mut draw = 0;
        while kept.len() < keep {
            let open = |d: &usize| !waiting[*d].is_empty();
            let least = (0..occupied.len()).filter(open).map(|d| occupied[d]).min();
            let Some(least) = least else { break };
            let niches: Vec<usize> = (0..occupied.len())
                .filter(|d| open(d) && occupied[*d] == least)
                .collect();
            let [u, v] = key.uniform(CHOICES, draw);
            draw += 1;
            let niche = niches[(u * niches.len() as f64) as usize];
            let queue = &mut waiting[niche];
            let chosen = if least == 0 {
                queue.pop()
            } else {
                Some(queue.remove((v * queue.len() as f64) as usize))
            };
            kept.extend(chosen.map(|(_, i)| i));
            occupied[niche] += 1;
        }
        Ok(kept)
    }

    /// Direction of least perpendicular distance, and that.
    fn nearest(&self, point: &[f64]) -> (usize, f64) {
        let square: f64 = point.iter().map(|v| v * v).sum();
        let along = |d: &[f64]| d.iter().zip(point).map(|(d, p)| d * p).sum::<f64>();
        let distances = self.directions.chunks(self.losses).map(|d| {
            let t = along(d);
            (square - t * t).max(0.0)
        });
        let (direction, distance) = distances.enumerate().fold(
            (0, f64::INFINITY),
            |best, (i, d)| if d < best.1 { (i, d) } else { best },
        );
        (direction, distance.sqrt())
    }

    /// Where the plane through the extreme points meets the axes.
    fn nadir(&mut self, front: &[usize], losses: &[f64]) -> Vec<f64> {
        let m = self.losses;
        let first = front.iter().map(|i| &losses[i * m..(i + 1) * m]);
        let largest = |rows: &mut dyn Iterator<Item = &[f64]>| {
            let mut worst = vec![f64::NEG_INFINITY; m];
            for row in rows {
                worst.iter_mut().zip(row).for_each(|(w, f)| *w = w.max(*f));
            }
            worst
        };
        let of_front = largest(&mut first.clone());
        let of_all = largest(&mut losses.chunks(m));
        // Achievement: the largest distance from the ideal point in parts of the front's width, an axis weighing a
        // millionth. A thousandth counts as nothing: a point a hair closer to an axis and far behind on it is no extreme one.
        let achievement = |point: &[f64], axis: usize| {
            let parts = point.iter().zip(&self.ideal).zip(&of_front).enumerate();
            let parts = parts.map(|(k, ((f, ideal), most))| {
                let width = most - ideal;
                match (f - ideal) / if width > 0.0 { width } else { 1.0 } {
                    off if k == axis => off,
                    off if off < 1e-3 => 0.0,
                    off => 1e6 * off,
                }
            });
            parts.fold(0.0, f64::max)
        };
        let known = self.extremes.chunks(m);
        let candidates: Vec<&[f64]> = known.chain(first.clone()).collect();
        let mut extremes = Vec::with_capacity(m * m);
        for axis in 0..m {
            let best = candidates
                .iter()
                .min_by(|a, b| achievement(a, axis).total_cmp(&achievement(b, axis)));
            extremes.extend(best.into_iter().flat_map(|b| b.iter().copied()));
        }
        let plane = intercepts(&extremes, &self.ideal);
        self.extremes = extremes;
        (0..m)
            .map(|k| {
                let ideal = self.ideal[k];
                // Below this a range is rounding.
                let least = 1e-12 * (1.0 + of_all[k].abs());
                let plane = plane.as_ref().map(|p| (ideal + p[k]).min(of_all[k]));
                let candidates = [plane, Some(of_front[k]), Some(of_all[k])];
                let wide = |n: &f64| *n - ideal > least;
                let found = candidates.into_iter().flatten().find(wide);
                found.unwrap_or(ideal + 1.0)
            })
            .collect()
    }
}

/// Distances from the ideal point at which the plane through m points meets the axes; none if it meets one on the wrong
/// side or not at all.
fn intercepts(points: &[f64], ideal: &[f64]) -> Option<Vec<f64>> {
    let m = ideal.len();
    let mut a: Vec<Vec<f64>> = points
        .chunks(m)
        .map(|p| {
            let shifted = p.iter().zip(ideal).map(|(p, i)| p - i);
            shifted.chain([1.0]).collect()
        })
        .collect();
    let size = a
        .iter()
        .flat_map(|r| &r[..m])
        .fold(0.0, |s: f64, v| s.max(v.abs()));
    for k in 0..m {
        let pivot = (k..m).max_by(|i, j| a[*i][k].abs().total_cmp(&a[*j][k].abs()))?;
        a.swap(k, pivot);
        if a[k][k].abs() <= 1e-12 * size {
            return None;
        }
        let (head, tail) = a.split_at_mut(k + 1);
        for row in tail {
            let f = row[k] / head[k][k];
            row[k..]
                .iter_mut()
                .zip(&head[k][k..])
                .for_each(|(r, h)| *r -= f * h);
        }
    }
    let mut x = vec![0.0; m];
    for k in (0..m).rev() {
        let known: f64 = (k + 1..m).map(|j| a[k][j] * x[j]).sum();
        x[k] = (a[k][m] - known) / a[k][k];
    }
    x.iter()
        .map(|x| x.recip())
        .map(|v| (v.is_finite() && v > 0.0).then_some(v))
        .collect()
}
