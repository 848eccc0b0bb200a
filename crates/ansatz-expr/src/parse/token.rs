//! Text as words.

use std::fmt;

use crate::ExprError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// A name, and what stands in braces after its last underscore.
    Name(String, Option<String>),
    Plus,
    Minus,
    Star,
    Slash,
    Caret,
    Open,
    Close,
    Comma,
    Equals,
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self {
            Self::Number(value) => return write!(f, "`{value}`"),
            Self::Name(name, None) => return write!(f, "`{name}`"),
            Self::Name(name, Some(braces)) => return write!(f, "`{name}{{{braces}}}`"),
            Self::End => return f.write_str("the end"),
            Self::Plus => '+',
            Self::Minus => '-',
            Self::Star => '*',
            Self::Slash => '/',
            Self::Caret => '^',
            Self::Open => '(',
            Self::Close => ')',
            Self::Comma => ',',
            Self::Equals => '=',
        };
        write!(f, "`{sign}`")
    }
}

/// The words of `text` with their places, and the end.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, ExprError> {
    let mut tokens = Vec::new();
    let mut place = 0;
    while let Some(first) = text[place..].chars().next() {
        let rest = &text[place..];
        let (token, length) = match first {
            _ if first.is_whitespace() => {
                place += first.len_utf8();
                continue;
            }
            '*' if rest.starts_with("**") => (Token::Caret, 2),
            '=' if rest.starts_with("==") => (Token::Equals, 2),
            '+' => (Token::Plus, 1),
            '-' => (Token::Minus, 1),
            '*' => (Token::Star, 1),
            '/' => (Token::Slash, 1),
            '^' => (Token::Caret, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '=' => (Token::Equals, 1),
            '0'..='9' | '.' => number(rest, place)?,
            _ if first.is_alphabetic() => name(rest, place)?,
            _ => {
                return Err(ExprError::Syntax {
                    position: place,
                    expected: "a number, a name, an operator or a parenthesis".into(),
                    found: format!("`{first}`"),
                });
            }
        };
        tokens.push((token, place));
        place += length;
    }
    tokens.push((Token::End, text.len()));
    Ok(tokens)
}

fn number(text: &str, position: usize) -> Result<(Token, usize), ExprError> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes[from..].iter();
        from + rest.take_while(|b| b.is_ascii_digit()).count()
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    match text[..end].parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number(value), end)),
        _ => Err(ExprError::Syntax {
            position,
            expected: "a number that `f64` holds".into(),
            found: format!("`{}`", &text[..end]),
        }),
    }
}

fn name(text: &str, position: usize) -> Result<(Token, usize), ExprError> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    let name = text[..end].to_owned();
    if !(name.ends_with('_') && text[end..].starts_with('{')) {
        return Ok((Token::Name(name, None), end));
    }
    match text[end..].find('}') {
        Some(length) => {
            let braces = text[end + 1..end + length].to_owned();
            Ok((Token::Name(name, Some(braces)), end + length + 1))
        }
        None => Err(ExprError::Syntax {
            position: position + text.len(),
            expected: "`}`".into(),
            found: "the end".into(),
        }),
    }
}
