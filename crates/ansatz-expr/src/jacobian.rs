//! First derivatives of many expressions by many variables, without the zeros.
//!
//! The pattern of a Jacobian is known before any derivative is taken: an output has an entry for each variable among its
//! leaves. Entries come from one reverse pass for each output over the nodes that it is made of, so that a row costs about as
//! much as its output however many variables it has, and parts that rows share are the same nodes.
//!
//! Products J·v of columns that share no row are found together: [`Sparsity::colors`] groups such columns, greedily in
//! their order (A. Curtis, M. Powell, J. Reid, *On the estimation of sparse Jacobian matrices*, 1974; T. Coleman,
//! J. Moré, *Estimation of sparse Jacobian matrices and graph coloring problems*, 1983, section 4).

use std::collections::BTreeSet;

use crate::arena::{Arena, Id, Map, Node, Set};
use crate::number::Number;
use crate::{Expr, ExprError, Formula, Pool};

/// Where a matrix may have entries, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparsity {
    /// Number of columns.
    pub columns: usize,
    /// Where each row starts in `indices`, and the end.
    pub starts: Vec<usize>,
    /// Columns of the entries, ascending in each row.
    pub indices: Vec<usize>,
}

impl Sparsity {
    fn of(columns: usize, rows: impl Iterator<Item = Vec<usize>>) -> Self {
        let (mut starts, mut indices) = (vec![0], Vec::new());
        for row in rows {
            indices.extend(row);
            starts.push(indices.len());
        }
        Self {
            columns,
            starts,
            indices,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Columns of the entries of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[usize] {
        &self.indices[self.starts[row]..self.starts[row + 1]]
    }

    /// `out ← A·v` for the matrix with these entries, in their order.
    ///
    /// # Errors
    /// [`ExprError::Count`] when lengths do not fit.
    pub fn product(&self, values: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), ExprError> {
        for (what, expected, got) in [
            ("entries", self.len(), values.len()),
            ("elements of the vector", self.columns, v.len()),
            ("elements of the product", self.rows(), out.len()),
        ] {
            if expected != got {
                return Err(ExprError::Count {
                    what,
                    expected,
                    got,
                });
            }
        }
        for (row, out) in out.iter_mut().enumerate() {
            let (start, end) = (self.starts[row], self.starts[row + 1]);
            let entries = self.indices[start..end].iter().zip(&values[start..end]);
            *out = entries.map(|(column, value)| value * v[*column]).sum();
        }
        Ok(())
    }

    /// A colour for each column, numbered from 0, so that columns of one colour share no row. Takes time proportional to
    /// Σ (entries in a row)².
    #[must_use]
    pub fn colors(&self) -> Vec<usize> {
        let mut rows_of = vec![Vec::new(); self.columns];
        for row in 0..self.rows() {
            for column in self.row(row) {
                rows_of[*column].push(row);
            }
        }
        let mut colors = vec![usize::MAX; self.columns];
        // Which column last forbade a colour.
        let mut forbidden: Vec<usize> = Vec::new();
        for column in 0..self.columns {
            for row in &rows_of[column] {
                for other in self.row(*row) {
                    if let Some(mark) = forbidden.get_mut(colors[*other]) {
                        *mark = column;
                    }
                }
            }
            let color = forbidden.iter().position(|mark| *mark != column);
            colors[column] = color.unwrap_or(forbidden.len());
            if colors[column] == forbidden.len() {
                forbidden.push(usize::MAX);
            }
        }
        colors
    }
}

/// The entries of a Jacobian that are not zero; made by [`Pool::jacobian`].
#[derive(Debug, Clone)]
pub struct Jacobian<'p> {
    /// Where they stand: a row for each output, a column for each variable.
    pub sparsity: Sparsity,
    /// They themselves, in the order of the pattern.
    pub entries: Vec<Expr<'p>>,
    pool: &'p Pool,
}

impl Jacobian<'_> {
    /// What computes the entries, in their order.
    ///
    /// # Errors
    /// As [`Pool::formula`].
    pub fn formula(&self) -> Result<Formula, ExprError> {
        self.pool.formula(&self.entries)
    }
}

impl Pool {
    /// Where the Jacobian of `outputs` by `variables` may have entries: where an output holds the variable (for a
    /// symbol: or an unknown function of it).
    ///
    /// # Errors
    /// As [`Pool::jacobian`].
    pub fn sparsity(
        &self,
        outputs: &[Expr<'_>],
        variables: &[Expr<'_>],
    ) -> Result<Sparsity, ExprError> {
        let columns = self.columns(outputs, variables)?;
        let arena = self.arena.borrow();
        let rows = outputs.iter().map(|output| {
            let leaves = arena.reachable(&[output.id]);
            let found = leaves.iter().flat_map(|id| arena.columns_of(*id, &columns));
            found.collect::<BTreeSet<_>>().into_iter().collect()
        });
        Ok(Sparsity::of(variables.len(), rows))
    }

    /// The derivatives of `outputs` by `variables`, symbols or functions, those that are not zero.
    ///
    /// # Errors
    /// [`ExprError::NotASymbol`], [`ExprError::OtherPool`], and what an expression holds.
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let [x, y, z] = ["x", "y", "z"].map(|name| pool.symbol(name));
    /// let jacobian = pool.jacobian(&[x * y, z.sin()], &[x, y, z])?;
    /// assert_eq!(jacobian.entries, [y, x, z.cos()]);
    /// assert_eq!(jacobian.sparsity.indices, [0, 1, 2]);
    /// assert_eq!(jacobian.sparsity.colors(), [0, 1, 0]);
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    pub fn jacobian<'p>(
        &'p self,
        outputs: &[Expr<'p>],
        variables: &[Expr<'p>],
    ) -> Result<Jacobian<'p>, ExprError> {
        let columns = self.columns(outputs, variables)?;
        let mut entries = Vec::new();
        let mut rows = Vec::with_capacity(outputs.len());
        let mut arena = self.arena.borrow_mut();
        for output in outputs {
            let row = arena.gradient(output.id, &columns);
            rows.push(row.iter().map(|(column, _)| *column).collect());
            entries.extend(row.into_iter().map(|(_, id)| Expr { pool: self, id }));
        }
        Ok(Jacobian {
            sparsity: Sparsity::of(variables.len(), rows.into_iter()),
            entries,
            pool: self,
        })
    }

    /// Where the matrix of second derivatives of `output` may have entries: the pairs of variables that meet in an operation
    /// that is not linear in both.
    ///
    /// # Errors
    /// As [`Pool::jacobian`].
    pub fn hessian_sparsity(
        &self,
        output: Expr<'_>,
        variables: &[Expr<'_>],
    ) -> Result<Sparsity, ExprError> {
        let columns = self.columns(&[output], variables)?;
        let pairs = self.arena.borrow().pairs(output.id, &columns);
        let rows = (0..variables.len()).map(|row| {
            let range = pairs.range((row, 0)..(row + 1, 0));
            range.map(|(_, column)| *column).collect()
        });
        Ok(Sparsity::of(variables.len(), rows))
    }

    fn columns(
        &self,
        outputs: &[Expr<'_>],
        variables: &[Expr<'_>],
    ) -> Result<Map<Id, usize>, ExprError> {
        let arena = self.arena.borrow();
        for e in outputs.iter().chain(variables) {
            if !std::ptr::eq(e.pool, self) {
                return Err(ExprError::OtherPool);
            }
            if let Some(error) = arena.error(e.id) {
                return Err(error.clone());
            }
        }
        let mut columns = Map::default();
        for (column, variable) in variables.iter().enumerate() {
            if !matches!(arena.node(variable.id), Node::Symbol(_) | Node::Field(..)) {
                let (what, got) = ("a Jacobian".to_owned(), arena.text(variable.id));
                return Err(ExprError::NotASymbol { what, got });
            }
            columns.insert(variable.id, column);
        }
        Ok(columns)
    }
}

impl Arena {
    /// The variables that a leaf is, or depends on.
    fn columns_of(&self, id: Id, columns: &Map<Id, usize>) -> Vec<usize> {
        let itself = columns.get(&id).copied();
        let arguments = match self.node(id) {
            Node::Field(field, _) => self.arguments(*field),
            _ => &[],
        };
        let arguments = arguments.iter().filter_map(|a| columns.get(a).copied());
        itself.into_iter().chain(arguments).collect()
    }

    /// The derivatives that are not zero with their columns, by one reverse pass.
    fn gradient(&mut self, output: Id, columns: &Map<Id, usize>) -> Vec<(usize, Id)> {
        let order = self.reachable(&[output]);
        let mut active: Set<Id> = Set::default();
        for id in &order {
            let mut depends = !self.columns_of(*id, columns).is_empty();
            self.operands(*id, |operand| depends |= active.contains(&operand));
            if depends {
                active.insert(*id);
            }
        }
        let mut parts: Map<Id, Vec<(Id, Number)>> = Map::default();
        let mut totals: Map<usize, Vec<(Id, Number)>> = Map::default();
        parts.insert(output, vec![(self.exact(Number::ONE), Number::ONE)]);
        for id in order.iter().rev() {
            let Some(weights) = parts.remove(id) else {
                continue;
            };
            let weight = self.linear(&weights);
            let mut give = |to: Id, part: Id, c: Number| {
                parts.entry(to).or_default().push((part, c));
            };
            let is_active = |id: &Id| active.contains(id);
            if let Some(column) = columns.get(id) {
                totals
                    .entry(*column)
                    .or_default()
                    .push((weight, Number::ONE));
            }
            match self.node(*id).clone() {
                Node::Add(_, terms) => {
                    for (term, c) in self.list(&terms).iter().filter(|(t, _)| is_active(t)) {
                        give(*term, weight, *c);
                    }
                }
                Node::Mul(_, factors) => {
                    for (base, e) in self.list(&factors).iter().filter(|(b, _)| is_active(b)) {
                        let rest = self.without(*id, *base);
                        give(*base, self.multiply(weight, rest), *e);
                    }
                }
                Node::Pow(base, exponent) => {
                    if is_active(&base) {
                        let rest = self.without(*id, base);
                        let rest = self.multiply(rest, exponent);
                        give(base, self.multiply(weight, rest), Number::ONE);
                    }
                    if is_active(&exponent) {
                        let log = self.call(crate::Function::Ln, base);
                        let rest = self.multiply(*id, log);
                        give(exponent, self.multiply(weight, rest), Number::ONE);
                    }
                }
                Node::Call(function, argument) if is_active(&argument) => {
                    let slope = self.call_slope(function, argument, *id);
                    give(argument, self.multiply(weight, slope), Number::ONE);
                }
                Node::Field(field, orders) => {
                    for (place, argument) in self.arguments(field).to_vec().into_iter().enumerate()
                    {
                        if let Some(column) = columns.get(&argument) {
                            let mut orders = orders.clone();
                            orders[place] += 1;
                            let slope = self.field_derivative(field, &orders);
                            let part = self.multiply(weight, slope);
                            totals.entry(*column).or_default().push((part, Number::ONE));
                        }
                    }
                }
                _ => {}
            }
        }
        let mut row: Vec<(usize, Id)> = totals
            .into_iter()
            .map(|(column, parts)| (column, self.linear(&parts)))
            .collect();
        row.retain(|(_, id)| !matches!(self.node(*id), Node::Number(n) if n.is_zero()));
        row.sort_unstable();
        row
    }

    /// Pairs of variables that meet in an operation that is not linear.
    fn pairs(&self, output: Id, columns: &Map<Id, usize>) -> BTreeSet<(usize, usize)> {
        let mut found = BTreeSet::new();
        let mut below: Map<Id, BTreeSet<usize>> = Map::default();
        let mut meet = |a: &BTreeSet<usize>, b: &BTreeSet<usize>| {
            for x in a {
                found.extend(b.iter().flat_map(|y| [(*x, *y), (*y, *x)]));
            }
        };
        for id in self.reachable(&[output]) {
            let mut all: BTreeSet<usize> = self.columns_of(id, columns).into_iter().collect();
            if let Node::Field(..) = self.node(id) {
                // Its second derivatives by its own symbols.
                let mut symbols = all.clone();
                columns.get(&id).map(|column| symbols.remove(column));
                meet(&symbols, &symbols);
            }
            match self.node(id) {
                Node::Mul(_, factors) => {
                    for (base, e) in self.list(factors).iter() {
                        let set = &below[base];
                        meet(&all, set);
                        if !e.is_one() {
                            meet(set, set);
                        }
                        all.extend(set);
                    }
                }
                Node::Add(..) => self.operands(id, |operand| all.extend(&below[&operand])),
                _ => {
                    self.operands(id, |operand| all.extend(&below[&operand]));
                    if matches!(self.node(id), Node::Pow(..) | Node::Call(..)) {
                        meet(&all, &all);
                    }
                }
            }
            below.insert(id, all);
        }
        found
    }
}
