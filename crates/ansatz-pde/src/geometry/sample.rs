//! Points of insides and boundaries: through charts, or by rejection.

use ansatz_core::Key;
use rayon::prelude::*;

use super::{BoundaryPoints, CHUNK, Geometry};
use crate::points::{Source, uniform};
use crate::{DomainError, Points, Sampler};

/// Candidates that rejection looks at before it gives up: this many, and so many more a point.
const TRIES: usize = 1 << 20;
const TRIES_A_POINT: usize = 1000;

/// Candidates of the first round at least, so that the share kept is known to some per cent.
const FIRST: usize = 4096;

/// Key of the allocation of points to faces.
const SHARES: u64 = u64::MAX - 1;

/// Further conditions on points.
pub(super) type Accept<'a> = &'a (dyn Fn(&[f64]) -> bool + Sync);

pub(super) fn interior<G: Geometry + ?Sized>(
    g: &G,
    n: usize,
    sampler: Sampler,
    key: Key,
) -> Result<Points, DomainError> {
    let bounds = g.bounds();
    let grid = matches!(sampler, Sampler::Grid(_));
    if let (Some(width), false) = (g.chart(), grid) {
        let source = Source::new(sampler, n, &vec![1.0; width], key)?;
        return Ok(mapped(&source.rows(0, n), g.dims(), &|u, x| g.place(u, x)));
    }
    let extents = bounds.extents();
    // A grid may have points on the boundary, which rounding must not lose.
    let slack = if grid { g.tolerance() } else { 0.0 };
    let inside = |source: &Source, first: usize, count: usize| {
        let unit = source.rows(first, count);
        let points = mapped(&unit, g.dims(), &|u, x| bounds.place(u, x));
        filtered(&points, &|x| g.distance(x) <= slack)
    };
    let limit = TRIES.saturating_add(n.saturating_mul(TRIES_A_POINT));
    let thin = |found: usize, tried: usize| {
        Err(DomainError::TooThin {
            wanted: n,
            found,
            tried,
        })
    };
    if sampler.is_sequence() {
        let source = Source::new(sampler, n, &extents, key)?;
        let (mut data, mut tried, wanted) = (Vec::new(), 0, n * g.dims());
        while data.len() < wanted {
            if tried >= limit {
                return thin(data.len() / g.dims(), tried);
            }
            let block = n.max(FIRST);
            data.extend(inside(&source, tried, block).into_vec());
            tried += block;
        }
        data.truncate(wanted);
        return Ok(Points::of(g.dims(), data));
    }
    // Sets of a fixed size: as many as leave n, found by the share of the box that the domain fills.
    let mut candidates = n;
    loop {
        let source = Source::new(sampler, candidates, &extents, key)?;
        let found = inside(&source, 0, source.len);
        let enough = found.len() >= n || (grid && candidates > n && !found.is_empty());
        if enough || (grid && found.len() == source.len) {
            return Ok(if grid { found } else { thinned(&found, n, key) });
        }
        if candidates >= limit {
            return thin(found.len(), candidates);
        }
        candidates = more(n, found.len(), source.len, grid).max(candidates + 1);
    }
}

/// Candidates that should leave `n`, when `kept` of `tried` were kept.
fn more(n: usize, kept: usize, tried: usize, grid: bool) -> usize {
    if kept == 0 {
        return tried.saturating_mul(4).max(FIRST);
    }
    let margin = if grid { 1.0 } else { 1.05 };
    let share = kept as f64 / tried as f64;
    (margin * n as f64 / share) as usize + if grid { 0 } else { 16 }
}

/// Some of the faces' points: those that count and that `accept` takes.
pub(super) fn boundary<G: Geometry + ?Sized>(
    g: &G,
    faces: &[usize],
    accept: Option<Accept<'_>>,
    n: usize,
    sampler: Sampler,
    key: Key,
) -> Result<BoundaryPoints, DomainError> {
    let all = g.faces();
    if faces.is_empty() {
        return Err(DomainError::NoPoints {
            what: "a boundary without faces",
            remedy: "give boundary points, or take a geometry that has faces",
        });
    }
    let total: f64 = faces.iter().map(|f| all[*f].measure).sum();
    let whole = accept.is_none() && !g.is_cut();
    let grid = matches!(sampler, Sampler::Grid(_));
    let draw = |candidates: usize| -> Result<(Points, Vec<usize>, usize), DomainError> {
        let (mut data, mut numbers, mut tried) = (Vec::new(), Vec::new(), 0);
        let offset = uniform(key.fold_in(SHARES), 0);
        let (mut before, mut sum) = (0, 0.0);
        for f in faces {
            sum += all[*f].measure;
            // Sums of shares are rounded, not shares: their number is exact.
            let share = candidates as f64 * (sum / total).min(1.0);
            let until = ((share + offset) as usize).min(candidates);
            let until = if faces.last() == Some(f) {
                candidates
            } else {
                until
            };
            let count = until - before.min(until);
            before = until;
            let unit = unit(&all[*f].extents, count, sampler, key.fold_in(*f as u64))?;
            let points = mapped_rows(&unit, g.dims(), &|u, x| g.place_on(*f, u, x));
            tried += points.len();
            let kept = if whole {
                points
            } else {
                filtered(&points, &|x| {
                    g.keeps(*f, x) && accept.is_none_or(|accept| accept(x))
                })
            };
            numbers.resize(numbers.len() + kept.len(), *f);
            data.extend(kept.into_vec());
        }
        Ok((Points::of(g.dims(), data), numbers, tried))
    };
    let limit = TRIES.saturating_add(n.saturating_mul(TRIES_A_POINT));
    let mut candidates = if whole { n } else { n.max(FIRST) };
    let (points, numbers) = loop {
        let (points, numbers, tried) = draw(candidates)?;
        // A grid's first round only tells how fine it must be.
        let first = candidates == n.max(FIRST) && !whole;
        if points.len() >= n && !(grid && first) || (grid && !first && !points.is_empty()) {
            break (points, numbers);
        }
        if tried >= limit {
            return Err(DomainError::TooThin {
                wanted: n,
                found: points.len(),
                tried,
            });
        }
        let next = more(n, points.len(), tried, grid);
        candidates = if grid && !points.is_empty() {
            if next == candidates { next + 1 } else { next }
        } else {
            next.max(candidates + 1)
        };
    };
    let (points, faces) = if grid || points.len() == n {
        (points, numbers)
    } else {
        let chosen = spread(points.len(), n, key);
        let faces = chosen.iter().map(|i| numbers[*i]).collect();
        (points.select(&chosen), faces)
    };
    let mut normals = vec![0.0; points.as_slice().len()];
    let rows = points.as_slice().par_chunks_exact(g.dims());
    normals
        .par_chunks_exact_mut(g.dims())
        .zip(rows)
        .zip(&faces)
        .with_min_len(CHUNK)
        .for_each(|((out, x), f)| g.normal_on(*f, x, out));
    Ok(BoundaryPoints {
        normals: Points::of(g.dims(), normals),
        points,
        faces,
    })
}

/// Points of a face's unit cube; a face without extent is one point, as often as asked for.
struct Unit {
    points: Option<Points>,
    count: usize,
}

fn unit(extents: &[f64], count: usize, sampler: Sampler, key: Key) -> Result<Unit, DomainError> {
    if extents.is_empty() || count == 0 {
        return Ok(Unit {
            points: None,
            count,
        });
    }
    let source = Source::new(sampler, count, extents, key)?;
    let points = source.rows(0, source.len);
    Ok(Unit {
        count: points.len(),
        points: Some(points),
    })
}

fn mapped_rows(unit: &Unit, dims: usize, place: &(dyn Fn(&[f64], &mut [f64]) + Sync)) -> Points {
    if let Some(points) = &unit.points {
        return mapped(points, dims, place);
    }
    let mut data = vec![0.0; unit.count * dims];
    data.chunks_exact_mut(dims).for_each(|x| place(&[], x));
    Points::of(dims, data)
}

fn mapped(unit: &Points, dims: usize, place: &(dyn Fn(&[f64], &mut [f64]) + Sync)) -> Points {
    let mut data = vec![0.0; unit.len() * dims];
    data.par_chunks_exact_mut(dims)
        .zip(unit.as_slice().par_chunks_exact(unit.dims()))
        .with_min_len(CHUNK)
        .for_each(|(x, u)| place(u, x));
    Points::of(dims, data)
}

/// The points that are kept, in their order.
fn filtered(points: &Points, keep: &(dyn Fn(&[f64]) -> bool + Sync)) -> Points {
    let rows = points.as_slice().par_chunks_exact(points.dims());
    let kept: Vec<bool> = rows.with_min_len(CHUNK).map(keep).collect();
    let numbers: Vec<usize> = (0..points.len()).filter(|i| kept[*i]).collect();
    points.select(&numbers)
}

/// `n` of `found` numbers at equal distances from a random start, which leaves each part its share.
fn spread(found: usize, n: usize, key: Key) -> Vec<usize> {
    let offset = uniform(key.fold_in(SHARES), 1);
    let step = found as f64 / n as f64;
    let place = |i: usize| ((i as f64 + offset) * step) as usize;
    (0..n).map(|i| place(i).min(found - 1)).collect()
}

fn thinned(points: &Points, n: usize, key: Key) -> Points {
    if points.len() == n {
        return points.clone();
    }
    points.select(&spread(points.len(), n, key))
}
