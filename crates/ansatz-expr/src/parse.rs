//! Expressions from text.
//!
//! ```text
//! equation := sum ('=' | '==') sum
//! sum      := product (('+' | '-') product)*
//! product  := signed (('*' | '/') signed)*
//! signed   := ('+' | '-')* power
//! power    := atom [('^' | '**') signed]
//! atom     := number | name | name '(' sum (',' sum)* ')' | '(' sum ')'
//! ```
//!
//! Names are declared symbols and functions, and derivatives of functions: `u_xt`, `u_{x1 x1}`. `diff(f, x, 2, t)` and
//! `laplacian(f, x, y)` are derivatives of any expression; `u(x, t)` is `u` where these are its symbols. `pi` and `e` are
//! numbers, `e` unless it is declared. Products are written with `*`.

mod name;
mod token;

use crate::arena::{Arena, Constant, Id, Node};
use crate::number::Number;
use crate::{Expr, ExprError, Function, Pool};
use name::{functions, unknown};
use token::{Token, tokens};

/// Deepest nesting of parentheses and exponents.
const DEPTH: usize = 200;

/// Highest order of a derivative in one `diff`.
const ORDER: i64 = 64;

impl Pool {
    /// The expression that `text` writes; its names must be declared.
    ///
    /// ```text
    /// sum := product (('+' | '-') product)*      product := signed (('*' | '/') signed)*
    /// signed := ('+' | '-')* power               power := atom [('^' | '**') signed]
    /// atom := number | name | name '(' sum (',' sum)* ')' | '(' sum ')'
    /// ```
    ///
    /// Derivatives are written `u_xx`, `u_{x1 x1}`, `diff(f, x, 2)`, `diff(f, x, t)` or `laplacian(f, x, y)`, the last
    /// ones of any expression. `pi` is π; `e` is Euler's number unless it is declared.
    ///
    /// # Errors
    /// [`ExprError`] with the place in the text: unknown names with the closest declared ones, what was expected
    /// instead of what was found, wrong numbers of arguments, nesting deeper than 200; and what the expression holds, as a
    /// division by zero.
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    /// let u = pool.field("u", &[x, t]);
    /// let burgers = pool.parse("u_t + u*u_x - (0.01/pi)*u_xx")?;
    /// let flux = 0.5 * u * u - 0.01 / pool.pi() * u.derivative(x);
    /// assert_eq!(burgers, u.derivative(t) + flux.derivative(x));
    /// let error = pool.parse("u_t + w").unwrap_err();
    /// assert_eq!(error.to_string(), "unknown symbol `w` at byte 6; declared are x, t, u");
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    pub fn parse(&self, text: &str) -> Result<Expr<'_>, ExprError> {
        self.read(text, |parser| {
            let sum = parser.sum(0)?;
            if parser.here().0 == Token::Equals {
                return Err(parser.expected("an expression without `=`"));
            }
            Ok(sum)
        })
    }

    /// What is zero when the equation `text` holds: its left side minus its right.
    ///
    /// # Errors
    /// As [`Pool::parse`].
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    /// pool.field("u", &[x, t]);
    /// let wave = pool.equation("u_tt = 4*u_xx")?;
    /// assert_eq!(wave, pool.parse("u_tt - 4*u_xx")?);
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    pub fn equation(&self, text: &str) -> Result<Expr<'_>, ExprError> {
        self.read(text, |parser| {
            let left = parser.sum(0)?;
            if parser.here().0 != Token::Equals {
                return Err(parser.expected("an operator or `=`"));
            }
            parser.next();
            let right = parser.sum(0)?;
            Ok(parser.arena.subtract(left, right))
        })
    }

    fn read(
        &self,
        text: &str,
        rule: impl FnOnce(&mut Parser<'_>) -> Result<Id, ExprError>,
    ) -> Result<Expr<'_>, ExprError> {
        let tokens = tokens(text)?;
        let id = {
            let mut parser = Parser {
                arena: &mut self.arena.borrow_mut(),
                tokens,
                place: 0,
            };
            let id = rule(&mut parser)?;
            if parser.here().0 != Token::End {
                return Err(parser.after());
            }
            id
        };
        Expr { pool: self, id }.check()
    }
}

struct Parser<'a> {
    arena: &'a mut Arena,
    /// With their places; the last one is the end.
    tokens: Vec<(Token, usize)>,
    place: usize,
}

impl Parser<'_> {
    fn here(&self) -> &(Token, usize) {
        &self.tokens[self.place]
    }

    fn next(&mut self) -> (Token, usize) {
        let token = self.tokens[self.place].clone();
        self.place = (self.place + 1).min(self.tokens.len() - 1);
        token
    }

    fn expected(&self, what: &str) -> ExprError {
        let (token, position) = self.here();
        ExprError::Syntax {
            position: *position,
            expected: what.to_owned(),
            found: token.to_string(),
        }
    }

    /// What is wrong after a complete operand.
    fn after(&self) -> ExprError {
        match self.here().0 {
            Token::Number(_) | Token::Name(..) | Token::Open => {
                self.expected("an operator (products are written with `*`)")
            }
            _ => self.expected("an operator or the end"),
        }
    }

    fn sum(&mut self, depth: usize) -> Result<Id, ExprError> {
        if depth > DEPTH {
            let position = self.here().1;
            let limit = DEPTH;
            return Err(ExprError::Depth { position, limit });
        }
        let mut sum = self.product(depth)?;
        loop {
            let sign = match self.here().0 {
                Token::Plus => Number::ONE,
                Token::Minus => Number::MINUS_ONE,
                _ => return Ok(sum),
            };
            self.next();
            let term = self.product(depth)?;
            let term = self.arena.scale(term, sign);
            sum = self.arena.add(sum, term);
        }
    }

    /// A sign in front is that of the whole product.
    fn product(&mut self, depth: usize) -> Result<Id, ExprError> {
        let sign = self.signs();
        let mut product = self.power(depth)?;
        loop {
            let divides = match self.here().0 {
                Token::Star => false,
                Token::Slash => true,
                _ => return Ok(self.arena.scale(product, sign)),
            };
            self.next();
            let factor = self.signed(depth)?;
            product = if divides {
                self.arena.divide(product, factor)
            } else {
                self.arena.multiply(product, factor)
            };
        }
    }

    fn signed(&mut self, depth: usize) -> Result<Id, ExprError> {
        let sign = self.signs();
        let power = self.power(depth)?;
        Ok(self.arena.scale(power, sign))
    }

    fn signs(&mut self) -> Number {
        let mut sign = Number::ONE;
        loop {
            match self.here().0 {
                Token::Plus => {}
                Token::Minus => sign = sign.negated(),
                _ => return sign,
            }
            self.next();
        }
    }

    fn power(&mut self, depth: usize) -> Result<Id, ExprError> {
        if depth > DEPTH {
            let position = self.here().1;
            let limit = DEPTH;
            return Err(ExprError::Depth { position, limit });
        }
        let base = self.atom(depth)?;
        if self.here().0 != Token::Caret {
            return Ok(base);
        }
        self.next();
        let exponent = self.signed(depth + 1)?;
        Ok(self.arena.power(base, exponent))
    }

    fn atom(&mut self, depth: usize) -> Result<Id, ExprError> {
        let (token, position) = self.here().clone();
        match token {
            Token::Number(value) => {
                self.next();
                Ok(self.arena.number(value))
            }
            Token::Open => {
                self.next();
                let inner = self.sum(depth + 1)?;
                self.close()?;
                Ok(inner)
            }
            Token::Name(name, braces) => {
                self.next();
                if self.here().0 == Token::Open && braces.is_none() {
                    return self.call(&name, position, depth);
                }
                self.named(&name, braces.as_deref(), position)
            }
            _ => Err(self.expected("a number, a name or `(`")),
        }
    }

    fn close(&mut self) -> Result<(), ExprError> {
        if self.here().0 == Token::Close {
            self.next();
            return Ok(());
        }
        match self.after() {
            ExprError::Syntax {
                position,
                expected,
                found,
            } => Err(ExprError::Syntax {
                position,
                expected: expected.replace("the end", "`)`"),
                found,
            }),
            other => Err(other),
        }
    }

    fn call(&mut self, name: &str, position: usize, depth: usize) -> Result<Id, ExprError> {
        let function = Function::named(name);
        let field = match self.arena.declared(name) {
            Some((number, declared)) => match declared.kind {
                crate::arena::Kind::Symbol => {
                    return Err(self.expected(&format!(
                        "an operator after the symbol `{name}` (products are written with `*`)"
                    )));
                }
                crate::arena::Kind::Field(_) => Some(number),
            },
            None => None,
        };
        let known = function.is_some() || field.is_some();
        if !known && !["sqrt", "diff", "laplacian"].contains(&name) {
            return Err(ExprError::UnknownFunction {
                name: name.to_owned(),
                position,
                known: functions(name, self.arena),
            });
        }
        let (arguments, places) = self.arguments(depth)?;
        let arity = |expected: &str| ExprError::Arity {
            function: name.to_owned(),
            position,
            expected: expected.to_owned(),
            got: arguments.len(),
        };
        if let Some(field) = field {
            let symbols = self.arena.arguments(field).to_vec();
            if symbols != arguments {
                let symbols: Vec<&str> = symbols.iter().map(|s| self.arena.name_of(*s)).collect();
                return Err(arity(&format!("its own symbols ({})", symbols.join(", "))));
            }
            return Ok(self.arena.field_derivative(field, &vec![0; symbols.len()]));
        }
        match (function, name) {
            (Some(function), _) => match *arguments {
                [argument] => Ok(self.arena.call(function, argument)),
                _ => Err(arity("one argument")),
            },
            (None, "sqrt") => match *arguments {
                [argument] => Ok(self.arena.product(&[(argument, Number::HALF)])),
                _ => Err(arity("one argument")),
            },
            (None, "diff") if arguments.len() < 2 => Err(arity(
                "an expression and the symbols, each with its order if that is not 1",
            )),
            (None, _) if arguments.len() < 2 => Err(arity("an expression and the symbols")),
            (None, "diff") => self.diff(&arguments, &places),
            (None, _) => {
                let mut parts = Vec::new();
                for (symbol, place) in arguments[1..].iter().zip(&places[1..]) {
                    self.symbol(*symbol, *place)?;
                    let first = self.arena.derivative(arguments[0], *symbol);
                    parts.push((self.arena.derivative(first, *symbol), Number::ONE));
                }
                Ok(self.arena.linear(&parts))
            }
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<(Vec<Id>, Vec<usize>), ExprError> {
        let (mut arguments, mut places) = (Vec::new(), Vec::new());
        self.next();
        if self.here().0 == Token::Close {
            self.next();
            return Ok((arguments, places));
        }
        loop {
            places.push(self.here().1);
            arguments.push(self.sum(depth + 1)?);
            if self.here().0 != Token::Comma {
                self.close()?;
                return Ok((arguments, places));
            }
            self.next();
        }
    }

    fn diff(&mut self, arguments: &[Id], places: &[usize]) -> Result<Id, ExprError> {
        let mut value = arguments[0];
        let mut rest = arguments[1..].iter().zip(&places[1..]).peekable();
        while let Some((symbol, place)) = rest.next() {
            self.symbol(*symbol, *place)?;
            let mut order = 1;
            if let Some((next, place)) = rest.peek()
                && let Node::Number(n) = self.arena.node(**next)
            {
                order = match n.as_integer() {
                    Some(n @ 0..=ORDER) => n,
                    _ => {
                        return Err(ExprError::Syntax {
                            position: **place,
                            expected: format!("an order from 0 to {ORDER}"),
                            found: format!("`{}`", self.arena.text(**next)),
                        });
                    }
                };
                rest.next();
            }
            for _ in 0..order {
                value = self.arena.derivative(value, *symbol);
            }
        }
        Ok(value)
    }

    fn symbol(&self, id: Id, position: usize) -> Result<(), ExprError> {
        if matches!(self.arena.node(id), Node::Symbol(_)) {
            return Ok(());
        }
        Err(ExprError::Syntax {
            position,
            expected: "a symbol to differentiate by".into(),
            found: format!("`{}`", self.arena.text(id)),
        })
    }

    fn named(
        &mut self,
        name: &str,
        braces: Option<&str>,
        position: usize,
    ) -> Result<Id, ExprError> {
        if braces.is_none() {
            if self.arena.declared(name).is_some() {
                return Ok(self.arena.known(name));
            }
            match name {
                "pi" => return Ok(self.arena.constant(Constant::Pi)),
                "e" => return Ok(self.arena.constant(Constant::E)),
                _ => {}
            }
            let word = ["sqrt", "diff", "laplacian"].contains(&name);
            if word || Function::named(name).is_some() {
                return Err(self.expected(&format!("`(` after the function {name}")));
            }
        }
        match self.arena.derivative_named(name, braces, position)? {
            Some(leaf) => Ok(leaf),
            None => Err(unknown(name, braces, position, self.arena)),
        }
    }
}
