//! What a kernel does at one point of its loops: loads, functions of numbers, choices.

use std::collections::HashMap;

use super::index::{Condition, Index};

/// A value that a body computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(u32);

impl Reg {
    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// An array of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Array(pub(super) u32);

impl Array {
    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Declares functions: variant, name in the prelude, number of arguments.
macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $count:literal;)*) => {
        /// Functions of numbers, as the device's compiler has them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Function {
            $($(#[$doc])* $variant,)*
        }

        impl Function {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in generated code.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How many numbers it takes.
            #[must_use]
            pub fn arguments(self) -> usize {
                match self { $(Self::$variant => $count,)* }
            }
        }
    };
}

functions! {
    /// a + b.
    Add = "f_add", 2;
    /// a − b.
    Sub = "f_sub", 2;
    /// a·b.
    Mul = "f_mul", 2;
    /// −a.
    Neg = "f_neg", 1;
    /// 1/a.
    Recip = "f_recip", 1;
    /// √a.
    Sqrt = "f_sqrt", 1;
    /// 1/√a.
    Rsqrt = "f_rsqrt", 1;
    /// eᵃ.
    Exp = "f_exp", 1;
    /// eᵃ − 1.
    Expm1 = "f_expm1", 1;
    /// 2ᵃ.
    Exp2 = "f_exp2", 1;
    /// ln a.
    Ln = "f_log", 1;
    /// ln(1 + a).
    Ln1p = "f_log1p", 1;
    /// The logarithm to base 2.
    Log2 = "f_log2", 1;
    /// The logarithm to base 10.
    Log10 = "f_log10", 1;
    /// sin a.
    Sin = "f_sin", 1;
    /// cos a.
    Cos = "f_cos", 1;
    /// tan a.
    Tan = "f_tan", 1;
    /// arcsin a.
    Asin = "f_asin", 1;
    /// arccos a.
    Acos = "f_acos", 1;
    /// arctan a.
    Atan = "f_atan", 1;
    /// sinh a.
    Sinh = "f_sinh", 1;
    /// cosh a.
    Cosh = "f_cosh", 1;
    /// tanh a.
    Tanh = "f_tanh", 1;
    /// arsinh a.
    Asinh = "f_asinh", 1;
    /// arcosh a.
    Acosh = "f_acosh", 1;
    /// artanh a.
    Atanh = "f_atanh", 1;
    /// The error function.
    Erf = "f_erf", 1;
    /// One minus the error function.
    Erfc = "f_erfc", 1;
    /// |a|.
    Abs = "f_fabs", 1;
    /// −1, 0 or 1.
    Sign = "f_sign", 1;
    /// 1/(1 + e⁻ᵃ).
    Sigmoid = "f_sigmoid", 1;
    /// ln(1 + eᵃ).
    Softplus = "f_softplus", 1;
    /// a/(1 + e⁻ᵃ).
    Silu = "f_silu", 1;
    /// a·Φ(a).
    Gelu = "f_gelu", 1;
    /// aᵇ for a > 0.
    Pow = "f_pow", 2;
    /// The angle of the point (b, a).
    Atan2 = "f_atan2", 2;
    /// 1 where a < b, else 0.
    Less = "f_less", 2;
    /// 1 where a ≤ b, else 0.
    LessOrEqual = "f_less_or_equal", 2;
    /// 1 where a = b, else 0.
    Equal = "f_equal", 2;
    /// b where a is not 0, else c.
    Select = "f_select", 3;
}

impl Function {
    /// Whether it is some instructions.
    fn is_cheap(self) -> bool {
        use Function::{
            Abs, Add, Equal, Less, LessOrEqual, Mul, Neg, Recip, Select, Sign, Sqrt, Sub,
        };
        matches!(
            self,
            Add | Sub | Mul | Neg | Abs | Sign | Recip | Sqrt | Less | LessOrEqual | Equal | Select
        )
    }
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// An element, where all conditions hold and the index lies in the array; else another register or 0.
    Load {
        array: Array,
        index: Index,
        when: Vec<Condition>,
        otherwise: Option<Reg>,
    },
    /// A number by its bits.
    Number(u64),
    /// An index as a number.
    Position(Index),
    /// A number as the row of a table of this length; −1 if it is none.
    Row(Reg, usize),
    /// 1 where all conditions hold, else 0.
    Holds(Vec<Condition>),
    /// A whole power.
    Power(Reg, i32),
    /// A function.
    Call(Function, Vec<Reg>),
}

/// A list of operations, each made once.
#[derive(Debug, Clone, Default)]
pub struct Body {
    ops: Vec<Op>,
    known: HashMap<Op, Reg>,
}

impl Body {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Number of operations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// `true` when there is no operation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Operations, each elementary function counted as 16: what a kernel has to keep in registers grows with it.
    #[must_use]
    pub fn weight(&self) -> usize {
        let of = |op: &Op| match op {
            Op::Call(f, _) if !f.is_cheap() => 16,
            _ => 1,
        };
        self.ops.iter().map(of).sum()
    }

    fn push(&mut self, op: Op) -> Reg {
        if let Some(known) = self.known.get(&op) {
            return *known;
        }
        let register = Reg(self.ops.len() as u32);
        self.known.insert(op.clone(), register);
        self.ops.push(op);
        register
    }

    /// A number.
    pub fn number(&mut self, value: f64) -> Reg {
        self.push(Op::Number(value.to_bits()))
    }

    /// An index as a number.
    pub fn position(&mut self, index: &Index) -> Reg {
        self.push(Op::Position(index.clone()))
    }

    /// The element at `index`; 0 beyond the array's ends.
    pub fn load(&mut self, array: Array, index: &Index) -> Reg {
        self.push(Op::Load {
            array,
            index: index.clone(),
            when: Vec::new(),
            otherwise: None,
        })
    }

    /// The row of a table of `length` rows that a register names, as an index: −1 where it is no whole number below
    /// `length`.
    pub fn row(&mut self, of: Reg, length: usize) -> Index {
        let register = self.push(Op::Row(of, length));
        Index::row(register, length)
    }

    /// `value` where all conditions hold, else `otherwise`, or 0.
    pub fn guarded(
        &mut self,
        mut conditions: Vec<Condition>,
        value: Reg,
        otherwise: Option<Reg>,
    ) -> Reg {
        conditions.retain(|c| !c.always());
        if conditions.is_empty() {
            return value;
        }
        match &self.ops[value.place()] {
            Op::Load {
                array,
                index,
                when,
                otherwise: None,
            } if otherwise.is_none() || when.is_empty() => {
                let all = when.iter().cloned().chain(conditions);
                let op = Op::Load {
                    array: *array,
                    index: index.clone(),
                    when: all.collect(),
                    otherwise,
                };
                self.push(op)
            }
            _ => {
                let holds = self.push(Op::Holds(conditions));
                let other = otherwise.unwrap_or_else(|| self.number(0.0));
                self.push(Op::Call(Function::Select, vec![holds, value, other]))
            }
        }
    }

    /// 1 where all conditions hold, else 0.
    pub fn holds(&mut self, mut conditions: Vec<Condition>) -> Reg {
        conditions.retain(|c| !c.always());
        if conditions.is_empty() {
            return self.number(1.0);
        }
        self.push(Op::Holds(conditions))
    }

    /// A whole power.
    pub fn power(&mut self, of: Reg, exponent: i32) -> Reg {
        self.push(Op::Power(of, exponent))
    }

    /// A function of registers. Arguments that are missing are the last one given; further ones are left out.
    pub fn call(&mut self, function: Function, arguments: &[Reg]) -> Reg {
        let last = arguments.last().copied().unwrap_or(Reg(0));
        let all = arguments.iter().copied().chain(std::iter::repeat(last));
        self.push(Op::Call(function, all.take(function.arguments()).collect()))
    }

    /// What a register loads, if it does nothing but load: the array, the place, and conditions beside which it is 0.
    #[must_use]
    pub fn as_load(&self, register: Reg) -> Option<(Array, &Index, &[Condition])> {
        match self.ops.get(register.place())? {
            Op::Load {
                array,
                index,
                when,
                otherwise: None,
            } => Some((*array, index, when)),
            _ => None,
        }
    }

    /// Which registers `results` need.
    pub(super) fn alive(&self, results: impl Iterator<Item = Reg>) -> Vec<bool> {
        let mut alive = vec![false; self.ops.len()];
        for r in results {
            if let Some(slot) = alive.get_mut(r.place()) {
                *slot = true;
            }
        }
        for i in (0..self.ops.len()).rev().filter(|i| *i < self.ops.len()) {
            if alive[i] {
                self.ops[i].reads(&mut |r| alive[r.place()] = true);
            }
        }
        alive
    }
}

impl Op {
    /// Calls `visit` for the registers that it reads.
    pub(super) fn reads(&self, visit: &mut impl FnMut(Reg)) {
        self.indices(&mut |index| index.registers(&mut |r, _| visit(r)));
        match self {
            Self::Load { otherwise, .. } => otherwise.iter().for_each(|r| visit(*r)),
            Self::Row(r, _) | Self::Power(r, _) => visit(*r),
            Self::Call(_, list) => list.iter().for_each(|r| visit(*r)),
            Self::Number(_) | Self::Position(_) | Self::Holds(_) => {}
        }
    }

    /// Calls `visit` for the indices that it computes.
    pub(super) fn indices<'a>(&'a self, visit: &mut impl FnMut(&'a Index)) {
        match self {
            Self::Load { index, when, .. } => {
                visit(index);
                for condition in when {
                    visit(condition.index());
                }
            }
            Self::Position(index) => visit(index),
            Self::Holds(when) => {
                for condition in when {
                    visit(condition.index());
                }
            }
            _ => {}
        }
    }
}
