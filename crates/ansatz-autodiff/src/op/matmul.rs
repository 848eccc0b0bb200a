//! Matrix products.

use super::{Lowering, Primitive, Rule};
use crate::{Array, Shape};

/// A·B for each pair of matrices in the last two axes, either factor transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatMul {
    /// Use Aᵀ.
    pub left: Side,
    /// Use Bᵀ.
    pub right: Side,
}

/// Whether a factor is transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// As it is.
    Plain,
    /// Transposed.
    Transposed,
}

use Side::{Plain, Transposed};

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Plain => Transposed,
            Transposed => Plain,
        }
    }

    /// Rows and columns of the matrix in the last two axes as it enters the product.
    pub(crate) fn of(self, shape: &[usize]) -> (usize, usize) {
        let (r, c) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        match self {
            Plain => (r, c),
            Transposed => (c, r),
        }
    }
}

impl MatMul {
    /// A·B.
    pub const PLAIN: Self = Self {
        left: Plain,
        right: Plain,
    };

    /// (batch, m, k, n).
    pub(crate) fn sizes(self, a: &[usize], b: &[usize]) -> (usize, usize, usize, usize) {
        let ((m, k), (_, n)) = (self.left.of(a), self.right.of(b));
        (a[..a.len() - 2].iter().product(), m, k, n)
    }
}

impl Primitive for MatMul {
    fn name(&self) -> &'static str {
        match (self.left, self.right) {
            (Plain, Plain) => "matmul",
            (Transposed, Plain) => "matmul_tn",
            (Plain, Transposed) => "matmul_nt",
            (Transposed, Transposed) => "matmul_tt",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.left as u64, self.right as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [a, b] = inputs else {
            return Err("two inputs are needed".into());
        };
        if a.rank() < 2 || a.rank() != b.rank() {
            return Err("matrices, or stacks of as many axes, are needed".into());
        }
        let ((m, k), (l, n)) = (self.left.of(a), self.right.of(b));
        let outer = a.rank() - 2;
        if k != l || a[..outer] != b[..outer] {
            return Err(format!("{m} x {k} and {l} x {n} do not fit"));
        }
        let mut shape = a[..outer].to_vec();
        shape.extend([m, n]);
        Ok(Shape::new(&shape))
    }

    fn rule(&self) -> Rule {
        Rule::Bilinear
    }

    /// With C = A·B: Ā = C̄·Bᵀ and B̄ = Aᵀ·C̄, each transposed if the factor is.
    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let (x, y) = (inputs[0], inputs[1]);
        match (i, self.left, self.right) {
            (0, Plain, right) => bar.matmul_by(y, Plain, right.other()),
            (0, Transposed, right) => y.matmul_by(bar, right, Transposed),
            (_, left, Plain) => x.matmul_by(bar, left.other(), Plain),
            (_, left, Transposed) => bar.matmul_by(x, Transposed, left),
        }
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::MatMul(*self)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        let ((a, sa), (b, sb)) = (inputs[0], inputs[1]);
        let (batch, m, k, n) = self.sizes(sa, sb);
        for s in 0..batch {
            let (a, b) = (&a[s * m * k..], &b[s * k * n..]);
            for i in 0..m {
                for j in 0..n {
                    let x = |l: usize| match self.left {
                        Plain => a[i * k + l],
                        Transposed => a[l * m + i],
                    };
                    let y = |l: usize| match self.right {
                        Plain => b[l * n + j],
                        Transposed => b[j * k + l],
                    };
                    out[(s * m + i) * n + j] = (0..k).map(|l| x(l) * y(l)).sum();
                }
            }
        }
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        let (batch, m, k, n) = self.sizes(inputs[0], inputs[1]);
        2 * (batch * m * k * n) as u64
    }
}
