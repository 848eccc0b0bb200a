//! The virtual Brownian tree.

use ansatz_core::{Key, State};

use super::split::{self, Split};
use super::{Brownian, BrownianError, Increment, LevyArea, check, check_span, rounding};

/// A path that is a pure function of (key, interval): nothing of it is stored, so the order of queries
/// changes no bit.
///
/// The span is halved until pieces are no longer than the tolerance; noise of a piece is a function of
/// its place in the tree. A query descends to the piece in which each of its ends lies and splits that one
/// exactly at the end. Every answer has the exact distribution; only where several ends
/// lie in one piece is the path between them a fixed smooth arc. So the tolerance belongs well below the
/// shortest step.
///
/// Cost of a query of length h: log₂(span/h) + 2 log₂(h/tolerance) draws of noise, less if its ends are
/// points of the tree. The way to the last end is remembered, which changes no bit: in a sweep log₂(h/tolerance)
/// draws are left. Memory for 2 log₂(span/tolerance) states, nothing allocated by queries.
///
/// Source: A. Jelinčič, J. Foster, P. Kidger, *Single-seed generation of Brownian paths and integrals for
/// adaptive and high order SDE solvers*, 2024.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_diffeq::brownian::{Brownian, Increment, LevyArea, VirtualBrownianTree};
/// let like = vec![0.0_f64; 3];
/// let mut path = VirtualBrownianTree::new(Key::new(1), (0.0, 2.0), &like, LevyArea::SpaceTime, 1e-3)?;
/// let mut first = Increment::new(&like, LevyArea::SpaceTime);
/// let (mut second, mut both) = (first.clone(), first.clone());
/// path.query(0.3, 1.0, &mut first)?;
/// path.query(1.0, 1.7, &mut second)?;
/// path.query(0.3, 1.7, &mut both)?;
/// first.join(&second);
/// assert!((first.w()[0] - both.w()[0]).abs() < 1e-12);
/// # Ok::<(), ansatz_diffeq::brownian::BrownianError>(())
/// ```
#[derive(Debug, Clone)]
pub struct VirtualBrownianTree<S> {
    key: Key,
    span: (f64, f64),
    levels: LevyArea,
    tolerance: f64,
    /// Times closer than this are the same.
    near: f64,
    middle: Split,
    /// The piece that was last visited at each depth.
    way: Vec<Visited<S>>,
    /// Values of what is covered so far.
    covered: Vec<S>,
    aside: Vec<S>,
}

/// A piece with its values, and with the noise that splits it once that is drawn.
#[derive(Debug, Clone)]
struct Visited<S> {
    id: u64,
    values: Vec<S>,
    noise: Vec<S>,
    drawn: bool,
}

/// Depth beyond which ends of pieces are no longer different numbers.
const MAX_DEPTH: i32 = 48;

/// A piece of the tree.
#[derive(Debug, Clone, Copy)]
struct Piece {
    id: u64,
    depth: usize,
    start: f64,
    end: f64,
}

impl Piece {
    #[inline]
    fn length(self) -> f64 {
        self.end - self.start
    }

    #[inline]
    fn middle(self) -> f64 {
        self.start + 0.5 * self.length()
    }

    #[inline]
    fn left(self) -> Self {
        Self {
            id: 2 * self.id,
            depth: self.depth + 1,
            end: self.middle(),
            ..self
        }
    }

    #[inline]
    fn right(self) -> Self {
        Self {
            id: 2 * self.id + 1,
            depth: self.depth + 1,
            start: self.middle(),
            ..self
        }
    }
}

impl<S: State> VirtualBrownianTree<S> {
    /// A path over `span` with values like `like`.
    ///
    /// # Errors
    /// [`BrownianError::Span`]; [`BrownianError::Tolerance`] when it is not positive or near the rounding of times.
    pub fn new(
        key: Key,
        span: (f64, f64),
        like: &S,
        levels: LevyArea,
        tolerance: f64,
    ) -> Result<Self, BrownianError> {
        check_span(span.0, span.1)?;
        let least = ((span.1 - span.0) * 2.0_f64.powi(-MAX_DEPTH)).max(4.0 * rounding(span));
        if !(tolerance >= least && tolerance.is_finite()) {
            return Err(BrownianError::Tolerance { tolerance, least });
        }
        let n = levels.moments();
        let zeros = vec![like.zeros_like(); n];
        let key = split::private(key);
        let mut way = Vec::new();
        // As many as the recursion halves, with its rounding.
        let mut piece = Piece {
            id: 1,
            depth: 0,
            start: span.0,
            end: span.1,
        };
        loop {
            way.push(Visited {
                id: 0,
                values: zeros.clone(),
                noise: zeros.clone(),
                drawn: false,
            });
            if piece.length() <= tolerance {
                break;
            }
            let (left, right) = (piece.left(), piece.right());
            piece = if left.length() > right.length() {
                left
            } else {
                right
            };
        }
        // Halves of unequal rounding may need one more.
        let spare = way[0].clone();
        way.push(spare);
        split::draw(key, 0, &mut way[0].values);
        way[0].id = 1;
        Ok(Self {
            key,
            span,
            levels,
            tolerance,
            near: rounding(span),
            middle: Split::at(1.0, 1.0, n),
            way,
            covered: zeros.clone(),
            aside: zeros,
        })
    }

    fn is_leaf(&self, piece: Piece) -> bool {
        piece.length() <= self.tolerance || piece.depth + 1 == self.way.len()
    }

    /// Has the noise of a visited piece at hand.
    fn draw(&mut self, piece: Piece) {
        let visited = &mut self.way[piece.depth];
        if !visited.drawn {
            split::draw(self.key, piece.id, &mut visited.noise);
            visited.drawn = true;
        }
    }

    /// Visits a child of the piece visited above it, whose noise is at hand.
    fn visit(&mut self, piece: Piece) -> Piece {
        let (above, below) = self.way.split_at_mut(piece.depth);
        let visited = &mut below[0];
        if visited.id != piece.id
            && let Some(parent) = above.last()
        {
            if piece.id.is_multiple_of(2) {
                self.middle
                    .left(&parent.values, &parent.noise, &mut visited.values);
            } else {
                self.middle
                    .right(&parent.values, &parent.noise, &mut visited.values);
            }
            visited.id = piece.id;
            visited.drawn = false;
        }
        piece
    }

    /// The smallest piece that contains [a, b] and is a leaf, has it as a whole or is straddled.
    fn descend(&mut self, a: f64, b: f64) -> Piece {
        let mut piece = Piece {
            id: 1,
            depth: 0,
            start: self.span.0,
            end: self.span.1,
        };
        let near = self.near;
        while !self.is_leaf(piece) {
            let middle = piece.middle();
            let child = if b <= middle + near {
                piece.left()
            } else if a >= middle - near {
                piece.right()
            } else {
                break;
            };
            self.draw(piece);
            piece = self.visit(child);
        }
        piece
    }

    /// Covers [a, end of the visited piece]; what is covered grows to the left.
    fn suffix(&mut self, mut piece: Piece, a: f64) {
        let (near, end) = (self.near, piece.end);
        // Beginning of what is covered.
        let mut reached = end;
        loop {
            let whole = a <= piece.start + near;
            if whole {
                assign(&mut self.aside, &self.way[piece.depth].values);
                self.prepend(piece.start, reached, end);
                return;
            }
            self.draw(piece);
            let visited = &self.way[piece.depth];
            if self.is_leaf(piece) {
                let part = Split::at(a - piece.start, piece.end - a, self.aside.len());
                part.right(&visited.values, &visited.noise, &mut self.aside);
                self.prepend(a, reached, end);
                return;
            }
            let middle = piece.middle();
            if a >= middle - near {
                piece = self.visit(piece.right());
                continue;
            }
            self.middle
                .right(&visited.values, &visited.noise, &mut self.aside);
            self.prepend(middle, reached, end);
            reached = middle;
            piece = self.visit(piece.left());
        }
    }

    /// Puts [from, reached], whose values are aside, before what is covered up to `end`.
    fn prepend(&mut self, from: f64, reached: f64, end: f64) {
        if reached < end {
            let (covered, aside) = (&mut self.covered, &self.aside);
            split::prepend(covered, aside, reached - from, end - reached);
        } else {
            std::mem::swap(&mut self.covered, &mut self.aside);
        }
    }

    /// Appends [start of the visited piece, b] to what is covered, which begins at a.
    fn prefix(&mut self, mut piece: Piece, a: f64, b: f64) {
        let near = self.near;
        loop {
            let before = piece.start - a;
            if b >= piece.end - near {
                let values = &self.way[piece.depth].values;
                split::append(&mut self.covered, values, before, piece.length());
                return;
            }
            self.draw(piece);
            let visited = &self.way[piece.depth];
            if self.is_leaf(piece) {
                let part = Split::at(b - piece.start, piece.end - b, self.aside.len());
                part.left(&visited.values, &visited.noise, &mut self.aside);
                split::append(&mut self.covered, &self.aside, before, b - piece.start);
                return;
            }
            let middle = piece.middle();
            if b <= middle + near {
                piece = self.visit(piece.left());
                continue;
            }
            self.middle
                .left(&visited.values, &visited.noise, &mut self.aside);
            split::append(&mut self.covered, &self.aside, before, middle - piece.start);
            piece = self.visit(piece.right());
        }
    }

    /// Covers [a, b] inside one visited leaf.
    fn inside(&mut self, piece: Piece, a: f64, b: f64) {
        let (near, n) = (self.near, self.aside.len());
        self.draw(piece);
        let visited = &self.way[piece.depth];
        if b < piece.end - near {
            let part = Split::at(b - piece.start, piece.end - b, n);
            part.left(&visited.values, &visited.noise, &mut self.covered);
        } else {
            assign(&mut self.covered, &visited.values);
        }
        if a > piece.start + near {
            let part = Split::at(a - piece.start, piece.end - a, n);
            part.left(&visited.values, &visited.noise, &mut self.aside);
            split::remove_first(&mut self.covered, &self.aside, a - piece.start, b - a);
        }
    }
}

fn assign<S: State>(to: &mut [S], from: &[S]) {
    for (x, y) in to.iter_mut().zip(from) {
        x.assign(y);
    }
}

impl<S: State> Brownian<S> for VirtualBrownianTree<S> {
    fn span(&self) -> (f64, f64) {
        self.span
    }

    fn levels(&self) -> LevyArea {
        self.levels
    }

    fn like(&self) -> &S {
        &self.covered[0]
    }

    fn query(&mut self, a: f64, b: f64, out: &mut Increment<S>) -> Result<(), BrownianError> {
        check(self.span, self.levels, (a, b), out)?;
        if b - a <= self.near {
            out.clear();
            return Ok(());
        }
        let piece = self.descend(a, b);
        let near = self.near;
        if a <= piece.start + near && b >= piece.end - near {
            out.scale(b - a, &self.way[piece.depth].values);
            return Ok(());
        }
        if self.is_leaf(piece) {
            self.inside(piece, a, b);
        } else {
            self.draw(piece);
            let left = self.visit(piece.left());
            self.suffix(left, a);
            let right = self.visit(piece.right());
            self.prefix(right, a, b);
        }
        out.scale(b - a, &self.covered);
        Ok(())
    }
}
