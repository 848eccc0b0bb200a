//! The virtual Brownian tree.

use ansatz_core::{Key, State};

use super::split::{self, Split};
use super::{Brownian, BrownianError, Increment, LevyArea, check, check_span};

/// A path that is a pure function of (key, interval): nothing is stored, so the order of queries
/// changes no bit.
///
/// The span is halved until pieces are no longer than the tolerance; noise of a piece is a function of
/// its place in the tree. A query descends to the piece in which each of its ends lies and splits that one
/// exactly at the end. Every answer has the exact distribution; only where several ends
/// lie in one piece is the path between them a fixed smooth arc. So the tolerance belongs well below the
/// shortest step.
///
/// Cost of a query of length h: log₂(span/h) + 2 log₂(h/tolerance) draws of noise, less if its ends are
/// points of the tree; memory for a few states; no allocation.
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
    middle: Split,
    root: Vec<S>,
    /// Values of the node where the descent is.
    node: Vec<S>,
    /// Values of its child that the descent leaves aside.
    aside: Vec<S>,
    /// The right half of the node that a query straddles.
    later: Vec<S>,
    /// Values of what is covered so far.
    covered: Vec<S>,
    noise: Vec<S>,
}

/// Depth beyond which ends of pieces are no longer different numbers.
const MAX_DEPTH: i32 = 50;

/// A piece of the tree.
#[derive(Clone, Copy)]
struct Piece {
    id: u64,
    start: f64,
    end: f64,
}

impl Piece {
    fn length(self) -> f64 {
        self.end - self.start
    }

    fn middle(self) -> f64 {
        self.start + 0.5 * self.length()
    }

    fn left(self) -> Self {
        Self {
            id: 2 * self.id,
            end: self.middle(),
            ..self
        }
    }

    fn right(self) -> Self {
        Self {
            id: 2 * self.id + 1,
            start: self.middle(),
            ..self
        }
    }
}

impl<S: State> VirtualBrownianTree<S> {
    /// A path over `span` with values like `like`.
    ///
    /// # Errors
    /// [`BrownianError::Span`]; [`BrownianError::Tolerance`] when it is not positive or below 2⁻⁵⁰ of the span.
    pub fn new(
        key: Key,
        span: (f64, f64),
        like: &S,
        levels: LevyArea,
        tolerance: f64,
    ) -> Result<Self, BrownianError> {
        check_span(span.0, span.1)?;
        let least = (span.1 - span.0) * 2.0_f64.powi(-MAX_DEPTH);
        if !(tolerance >= least && tolerance.is_finite()) {
            return Err(BrownianError::Tolerance { tolerance, least });
        }
        let n = levels.moments();
        let zeros = vec![like.zeros_like(); n];
        let key = split::private(key);
        let mut root = zeros.clone();
        split::draw(key, 0, &mut root);
        Ok(Self {
            key,
            span,
            levels,
            tolerance,
            middle: Split::at(1.0, 1.0, n),
            root,
            node: zeros.clone(),
            aside: zeros.clone(),
            later: zeros.clone(),
            covered: zeros.clone(),
            noise: zeros,
        })
    }

    fn is_leaf(&self, piece: Piece) -> bool {
        piece.length() <= self.tolerance
    }

    fn draw(&mut self, piece: Piece) {
        split::draw(self.key, piece.id, &mut self.noise);
    }

    /// Replaces the values of the node by those of its left child.
    fn go_left(&mut self) {
        self.middle.left(&self.node, &self.noise, &mut self.aside);
        std::mem::swap(&mut self.node, &mut self.aside);
    }

    fn go_right(&mut self) {
        self.middle.right(&self.node, &self.noise, &mut self.aside);
        std::mem::swap(&mut self.node, &mut self.aside);
    }

    /// The smallest piece that contains [a, b] and is a leaf, has it as a whole or is straddled.
    fn descend(&mut self, a: f64, b: f64) -> Piece {
        for (x, root) in self.node.iter_mut().zip(&self.root) {
            x.assign(root);
        }
        let mut piece = Piece {
            id: 1,
            start: self.span.0,
            end: self.span.1,
        };
        while !self.is_leaf(piece) {
            let middle = piece.middle();
            if b <= middle {
                self.draw(piece);
                self.go_left();
                piece = piece.left();
            } else if a >= middle {
                self.draw(piece);
                self.go_right();
                piece = piece.right();
            } else {
                break;
            }
        }
        piece
    }

    /// Covers [a, end of the piece], which holds the node's values; what is covered grows to the left.
    fn suffix(&mut self, mut piece: Piece, a: f64) {
        let end = piece.end;
        // Beginning of what is covered.
        let mut reached = end;
        loop {
            let whole = a <= piece.start;
            if whole || self.is_leaf(piece) {
                if !whole {
                    self.draw(piece);
                    let part = Split::at(a - piece.start, piece.end - a, self.root.len());
                    part.right(&self.node, &self.noise, &mut self.aside);
                    std::mem::swap(&mut self.node, &mut self.aside);
                }
                let from = if whole { piece.start } else { a };
                if reached < end {
                    let lengths = (reached - from, end - reached);
                    split::prepend(&mut self.covered, &self.node, lengths.0, lengths.1);
                } else {
                    std::mem::swap(&mut self.covered, &mut self.node);
                }
                return;
            }
            self.draw(piece);
            let middle = piece.middle();
            if a >= middle {
                self.go_right();
                piece = piece.right();
                continue;
            }
            self.middle.right(&self.node, &self.noise, &mut self.aside);
            if reached < end {
                split::prepend(
                    &mut self.covered,
                    &self.aside,
                    reached - middle,
                    end - reached,
                );
            } else {
                std::mem::swap(&mut self.covered, &mut self.aside);
            }
            reached = middle;
            self.go_left();
            piece = piece.left();
        }
    }

    /// Appends [start of the piece, b] to what is covered, which begins at a.
    fn prefix(&mut self, mut piece: Piece, a: f64, b: f64) {
        loop {
            let whole = b >= piece.end;
            if whole || self.is_leaf(piece) {
                if !whole {
                    self.draw(piece);
                    let part = Split::at(b - piece.start, piece.end - b, self.root.len());
                    part.left(&self.node, &self.noise, &mut self.aside);
                    std::mem::swap(&mut self.node, &mut self.aside);
                }
                let to = if whole { piece.end } else { b };
                split::append(
                    &mut self.covered,
                    &self.node,
                    piece.start - a,
                    to - piece.start,
                );
                return;
            }
            self.draw(piece);
            let middle = piece.middle();
            if b <= middle {
                self.go_left();
                piece = piece.left();
                continue;
            }
            self.middle.left(&self.node, &self.noise, &mut self.aside);
            split::append(
                &mut self.covered,
                &self.aside,
                piece.start - a,
                middle - piece.start,
            );
            self.go_right();
            piece = piece.right();
        }
    }

    /// Covers [a, b] inside one leaf, which holds the node's values.
    fn inside(&mut self, piece: Piece, a: f64, b: f64) {
        let n = self.root.len();
        self.draw(piece);
        if b < piece.end {
            let part = Split::at(b - piece.start, piece.end - b, n);
            part.left(&self.node, &self.noise, &mut self.covered);
        } else {
            for (x, node) in self.covered.iter_mut().zip(&self.node) {
                x.assign(node);
            }
        }
        if a > piece.start {
            let part = Split::at(a - piece.start, piece.end - a, n);
            part.left(&self.node, &self.noise, &mut self.aside);
            split::remove_first(&mut self.covered, &self.aside, a - piece.start, b - a);
        }
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
        &self.root[0]
    }

    fn query(&mut self, a: f64, b: f64, out: &mut Increment<S>) -> Result<(), BrownianError> {
        check(self.span, self.levels, (a, b), out)?;
        if a >= b {
            out.clear();
            return Ok(());
        }
        let piece = self.descend(a, b);
        if a <= piece.start && b >= piece.end {
            out.scale(b - a, &self.node);
            return Ok(());
        }
        if self.is_leaf(piece) {
            self.inside(piece, a, b);
        } else {
            self.draw(piece);
            self.middle.right(&self.node, &self.noise, &mut self.later);
            self.go_left();
            self.suffix(piece.left(), a);
            std::mem::swap(&mut self.node, &mut self.later);
            self.prefix(piece.right(), a, b);
        }
        out.scale(b - a, &self.covered);
        Ok(())
    }
}
