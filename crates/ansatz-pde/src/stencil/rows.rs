//! Linear maps of values at nodes: some weights for each node.

use ansatz_autodiff::Array;

/// For each node so many weights and the nodes that they belong to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rows {
    width: usize,
    index: Vec<usize>,
    weight: Vec<f64>,
}

impl Rows {
    /// Rows of `count` nodes with at most `width` weights each, from a function of the node's number.
    pub(super) fn of(count: usize, width: usize, row: impl Fn(usize) -> Vec<(usize, f64)>) -> Self {
        let (mut index, mut weight) = (Vec::new(), Vec::new());
        for i in 0..count {
            let own = row(i);
            // Rows with fewer weights are filled up by the node itself, with the weight 0.
            let rest = std::iter::repeat_n((i, 0.0), width - own.len().min(width));
            for (k, w) in own.into_iter().chain(rest) {
                index.push(k);
                weight.push(w);
            }
        }
        Self {
            width,
            index,
            weight,
        }
    }

    fn count(&self) -> usize {
        self.weight.len() / self.width.max(1)
    }

    /// The weighted sums along the middle axis of `values` `[before, nodes, behind]`.
    pub(super) fn apply<'g>(&self, values: Array<'g>) -> Array<'g> {
        let (graph, shape, n) = (values.graph(), values.shape(), self.count());
        let (before, behind) = (shape[0], shape[2]);
        if 2 * self.width > n {
            return self.multiply(values);
        }
        let picked = values.take(1, &self.index);
        let picked = picked.reshape(&[before, n, self.width, behind]);
        let weight = graph.constant(&[n, self.width, 1], self.weight.clone());
        (picked * weight).sum_axes(&[2])
    }

    /// The same by a whole matrix, which is faster than to pick where rows are long.
    fn multiply<'g>(&self, values: Array<'g>) -> Array<'g> {
        let (shape, n) = (values.shape(), self.count());
        let (before, behind) = (shape[0], shape[2]);
        let mut matrix = vec![0.0; n * n];
        let places = self.index.iter().enumerate();
        for ((k, index), weight) in places.zip(&self.weight) {
            // Transposed: rows of values are multiplied from the left.
            matrix[index * n + k / self.width] += weight;
        }
        let matrix = values.graph().constant(&[n, n], matrix);
        let flat = values.transpose(&[0, 2, 1]).reshape(&[before * behind, n]);
        let product = flat.matmul(matrix);
        let product = product.reshape(&[before, behind, n]);
        product.transpose(&[0, 2, 1])
    }
}
