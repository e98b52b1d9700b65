//! The doors from outside: request text in, reply text out, over an engine of memory doubles.

mod common;
mod downloads;
mod fuzz;
mod session;
mod socket;
mod talk;
