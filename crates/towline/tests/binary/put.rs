//! `towline put`, `get` and their kin against real servers, over lines that stop and break.

mod arrivals;
mod back;
mod bad_lines;
mod changes;
mod direct;
mod kills;
mod shares;
mod stage;
mod straight;
mod unfinished;
