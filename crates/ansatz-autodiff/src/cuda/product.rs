//! Matrix products, contractions and convolutions as products of factors that are read where they lie.

use ansatz_cuda::DeviceScalar;
use ansatz_cuda::program::{Condition, Factor, Index, Product};

use super::fold::broken;
use super::lower::Lowering;
use super::value::Writer;
use super::{DeviceError, signed};
use crate::Element;
use crate::graph::Id;
use crate::op::convolution::Role;
use crate::op::{Contract, Correlation, MatMul, Side};

/// Axes of a product by their group: batch, rows, columns, inner.
#[derive(Debug, Default)]
struct Axes {
    lengths: [Vec<usize>; 4],
}

impl Axes {
    /// The counters of each group.
    fn counters(&self) -> [Vec<Index>; 4] {
        let mut first = 0;
        [0, 1, 2, 3].map(|g| {
            let counters = Index::axes(&self.lengths[g], first);
            first += self.lengths[g].len();
            counters
        })
    }
}

/// A factor: a node, its coordinates, and conditions.
type Operand = (Id, Vec<Index>, Vec<Condition>);

impl<T: Element + DeviceScalar> Lowering<'_, T> {
    fn factor(&mut self, (id, at, when): Operand) -> Result<Factor, DeviceError> {
        let mut writer = Writer::new(&self.stages, &mut self.arrays);
        writer.loads_only = true;
        let value = writer.value(id, &at);
        let (body, loaded) = (writer.body, writer.loaded);
        self.loaded.extend(loaded);
        let Some((array, index, more)) = body.as_load(value) else {
            return Err(broken("a factor of a product"));
        };
        Ok(Factor {
            array,
            index: index.clone(),
            when: when.into_iter().chain(more.iter().cloned()).collect(),
        })
    }

    fn product_of(
        &mut self,
        node: Id,
        axes: Axes,
        [left, right]: [Operand; 2],
        out: &[Index],
    ) -> Result<Product, DeviceError> {
        let index = Index::flat(out, self.stages.trace.shape(node));
        let (left, right) = (self.factor(left)?, self.factor(right)?);
        let [batch, rows, columns, inner] = axes.lengths;
        Ok(Product {
            batch,
            rows,
            columns,
            inner,
            left,
            right,
            out: (self.arrays.array_of(node), index),
            precision: self.precision,
        })
    }

    pub(super) fn matmul(&mut self, node: Id, op: MatMul) -> Result<Product, DeviceError> {
        let [a, b] = *self.stages.inputs(node) else {
            return Err(broken("matmul"));
        };
        let shape = self.stages.trace.shape(a).to_vec();
        let ((m, k), (_, n)) = (op.left.of(&shape), op.right.of(self.stages.trace.shape(b)));
        let axes = Axes {
            lengths: [shape[..shape.len() - 2].to_vec(), vec![m], vec![n], vec![k]],
        };
        let [batch, row, column, inner] = axes.counters();
        let place = |side: Side, first: &[Index], second: &[Index]| {
            let (x, y) = match side {
                Side::Plain => (first, second),
                Side::Transposed => (second, first),
            };
            [&batch[..], x, y].concat()
        };
        let left = (a, place(op.left, &row, &inner), Vec::new());
        let right = (b, place(op.right, &inner, &column), Vec::new());
        let out = [&batch[..], &row, &column].concat();
        self.product_of(node, axes, [left, right], &out)
    }

    pub(super) fn contract(&mut self, node: Id, op: &Contract) -> Result<Product, DeviceError> {
        let [a, b] = *self.stages.inputs(node) else {
            return Err(broken("contract"));
        };
        let trace = self.stages.trace;
        let length = |label: u8| {
            let of = |labels: &[u8], x: Id| {
                let axis = labels.iter().position(|l| *l == label)?;
                trace.shape(x).get(axis).copied()
            };
            of(&op.left, a).or_else(|| of(&op.right, b)).unwrap_or(1)
        };
        // In the order of the result, so that what can be one axis is one.
        let mut axes = Axes::default();
        let mut groups: [Vec<u8>; 4] = Default::default();
        let summed = op.left.iter().filter(|l| !op.out.contains(l));
        for label in op.out.iter().chain(summed) {
            let group = match (
                op.left.contains(label),
                op.right.contains(label),
                op.out.contains(label),
            ) {
                (true, true, true) => 0,
                (true, _, true) => 1,
                (_, _, true) => 2,
                _ => 3,
            };
            axes.lengths[group].push(length(*label));
            groups[group].push(*label);
        }
        let counters = axes.counters();
        let counter = |label: &u8| {
            let find = |g: usize| {
                let at = groups[g].iter().position(|l| l == label)?;
                counters[g].get(at).cloned()
            };
            (0..4).find_map(find).unwrap_or_default()
        };
        let place = |labels: &[u8]| labels.iter().map(counter).collect::<Vec<Index>>();
        let (left, right, out) = (place(&op.left), place(&op.right), place(&op.out));
        self.product_of(
            node,
            axes,
            [(a, left, Vec::new()), (b, right, Vec::new())],
            &out,
        )
    }

    /// One of x, w and y from the other two: y[b, go, p] = Σ w[go, c, t]·x[b, gc, p·stride + t·dilation − low].
    pub(super) fn correlation(
        &mut self,
        node: Id,
        op: &Correlation,
    ) -> Result<Product, DeviceError> {
        let [first, second] = *self.stages.inputs(node) else {
            return Err(broken(
                self.stages.trace.nodes[node as usize].primitive.name(),
            ));
        };
        let images = match op.role {
            Role::Weight | Role::Output | Role::Input => self.stages.trace.shape(first)[0],
        };
        let list = |length: fn(&crate::op::convolution::Axis) -> usize| {
            op.axes.iter().map(length).collect::<Vec<usize>>()
        };
        let (inputs, taps, outputs) = (list(|a| a.input), list(|a| a.kernel), list(|a| a.output));
        let points = op
            .axes
            .iter()
            .all(|a| (a.kernel, a.stride, a.low) == (1, 1, 0) && a.input == a.output);
        // Products of matrices for each image where a window is one element; else images are columns, too.
        let (stack, beside) = if points && op.role != Role::Weight {
            (vec![images, op.groups], vec![])
        } else {
            (vec![op.groups], vec![images])
        };
        let (o, c) = (vec![op.outputs], vec![op.inputs]);
        let axes = Axes {
            lengths: match op.role {
                Role::Output => [stack, o, [beside, outputs].concat(), [c, taps].concat()],
                Role::Input => [stack, c, [beside, inputs].concat(), [o, taps].concat()],
                Role::Weight => [stack, o, [c, taps].concat(), [beside, outputs].concat()],
            },
        };
        let [batch, row, column, inner] = axes.counters();
        let group = &batch[batch.len() - 1];
        // The counters of images, outputs, inputs, and of the places of y, x and w, by role.
        let (with_images, taken) = match op.role {
            Role::Weight => (&inner, &column),
            _ => (&column, &inner),
        };
        let (image, places) = if batch.len() == 2 {
            (&batch[0], &with_images[..])
        } else {
            (&with_images[0], &with_images[1..])
        };
        let (output, input) = match op.role {
            Role::Output | Role::Weight => (&row[0], &taken[0]),
            Role::Input => (&taken[0], &row[0]),
        };
        let taps = &taken[1..];
        let y_channel = group.times(signed(op.outputs)).plus(output);
        let x_channel = group.times(signed(op.inputs)).plus(input);
        let mut when = Vec::new();
        let mut other = Vec::new();
        for ((axis, at), tap) in op.axes.iter().zip(places).zip(taps) {
            let by = tap.times(signed(axis.dilation)).shift(-signed(axis.low));
            if op.role == Role::Input {
                // The position of y whose tap meets this element of x.
                let at = at.plus(&by.times(-1));
                when.push(Condition::every(&at, axis.output, axis.stride));
                other.push(at.quotient(axis.stride));
            } else {
                let at = at.times(signed(axis.stride)).plus(&by);
                when.push(Condition::within(&at, 0, signed(axis.input)));
                other.push(at);
            }
        }
        when.retain(|c| !c.is_certain());
        let at = |channel: &Index, places: &[Index]| {
            [&[image.clone(), channel.clone()], places].concat()
        };
        let w_at = [&[y_channel.clone(), input.clone()], taps].concat();
        let (left, right, out) = match op.role {
            Role::Output => (
                (second, w_at, Vec::new()),
                (first, at(&x_channel, &other), when),
                at(&y_channel, places),
            ),
            Role::Input => (
                (second, w_at, Vec::new()),
                (first, at(&y_channel, &other), when),
                at(&x_channel, places),
            ),
            Role::Weight => (
                (second, at(&y_channel, places), Vec::new()),
                (first, at(&x_channel, &other), when),
                w_at,
            ),
        };
        self.product_of(node, axes, [left, right], &out)
    }
}
