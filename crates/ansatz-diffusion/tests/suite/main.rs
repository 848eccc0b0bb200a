//! All integration tests in one program: it links once.

mod common;
mod discrete;
mod edm;
mod inversion;
mod tb1;
