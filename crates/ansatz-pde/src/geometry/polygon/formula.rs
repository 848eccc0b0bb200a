//! A simple polygon as a Boolean formula of the half-planes of its edges, each once.
//!
//! A chain of edges whose first and last go on to infinity divides the plane; the side to its left is a formula of its
//! edges. It is split at a corner on the convex hull of the chain with its two rays: beyond such a corner both edges
//! may be extended without meeting the chain. The halves are joined by "and" where the chain turns left there, by "or"
//! where it turns right. The polygon is the "and" of its chains between the leftmost and the rightmost corner, whose
//! rays go left and right. (D. Dobkin, L. Guibas, J. Hershberger, J. Snoeyink, 1993, sections 3 and 4.)

use super::side;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Formula {
    Edge(usize),
    And(Box<[Formula; 2]>),
    Or(Box<[Formula; 2]>),
}

/// An edge that has the inside to its left, and its number.
#[derive(Clone, Copy)]
struct Piece {
    from: [f64; 2],
    to: [f64; 2],
    edge: usize,
}

impl Formula {
    /// `around`: first corners of edges, counter-clockwise.
    pub(super) fn new(corners: &[[f64; 2]], around: &[usize]) -> Self {
        let n = corners.len();
        let pieces: Vec<Piece> = around
            .iter()
            .map(|i| {
                let (a, b) = (corners[*i], corners[(i + 1) % n]);
                let reversed = n > 1 && around[0] > around[1];
                let (from, to) = if reversed { (b, a) } else { (a, b) };
                Piece { from, to, edge: *i }
            })
            .collect();
        // Among corners furthest to one side, the first met.
        let extreme = |sign: f64| {
            (0..n).fold(0, |best, i| {
                let ahead = |i: usize| (sign * pieces[i].from[0], sign * pieces[i].from[1]);
                if ahead(i) > ahead(best) { i } else { best }
            })
        };
        let (left, right) = (extreme(-1.0), extreme(1.0));
        let chain = |from: usize, to: usize| {
            let length = (to + n - from) % n;
            let chain: Vec<Piece> = (0..length).map(|k| pieces[(from + k) % n]).collect();
            chain
        };
        Self::And(Box::new([
            Self::of(&chain(left, right)),
            Self::of(&chain(right, left)),
        ]))
    }

    fn of(chain: &[Piece]) -> Self {
        let [first, .., last] = chain else {
            return Self::Edge(chain.first().map_or(0, |p| p.edge));
        };
        let backward = direction(first.to, first.from);
        let forward = direction(last.from, last.to);
        let sum = [backward[0] + forward[0], backward[1] + forward[1]];
        // Away from both rays; across them where they are opposite.
        let across = [-backward[1], backward[0]];
        let opposite = sum[0].abs().max(sum[1].abs()) < 1e-9;
        let away = if opposite { across } else { [-sum[0], -sum[1]] };
        let height = |i: usize| away[0] * chain[i].from[0] + away[1] * chain[i].from[1];
        let furthest = |sign: f64| {
            (1..chain.len()).fold(1, |best, i| {
                if sign * height(i) > sign * height(best) {
                    i
                } else {
                    best
                }
            })
        };
        let mut at = furthest(1.0);
        if opposite && turn(chain, at) == 0.0 {
            at = furthest(-1.0);
        }
        let parts = Box::new([Self::of(&chain[..at]), Self::of(&chain[at..])]);
        if turn(chain, at) >= 0.0 {
            Self::And(parts)
        } else {
            Self::Or(parts)
        }
    }

    pub(super) fn fold<T>(
        &self,
        edge: &dyn Fn(usize) -> T,
        and: &dyn Fn(T, T) -> T,
        or: &dyn Fn(T, T) -> T,
    ) -> T {
        let part = |f: &Self| f.fold(edge, and, or);
        match self {
            Self::Edge(i) => edge(*i),
            Self::And(parts) => and(part(&parts[0]), part(&parts[1])),
            Self::Or(parts) => or(part(&parts[0]), part(&parts[1])),
        }
    }
}

/// Above zero for a left turn at the start of piece `at`.
fn turn(chain: &[Piece], at: usize) -> f64 {
    side(chain[at - 1].from, chain[at].from, chain[at].to)
}

fn direction(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    let d = [b[0] - a[0], b[1] - a[1]];
    let length = libm::hypot(d[0], d[1]);
    d.map(|v| v / length)
}
