//! What `put`, `get` and their kin share: where to, by which way, and which files under which names.

mod aws;
mod connect;
mod kind;
mod names;
mod origin;
mod place;
mod state;
mod stop;
mod token;
mod words;

pub(crate) use connect::{Link, Means};
pub(crate) use kind::guess;
pub(crate) use names::{Chosen, Item, Naming, choose};
pub(crate) use origin::Origin;
pub(crate) use place::{Place, Spot};
pub(crate) use stop::interrupted;
pub(crate) use words::{complain, hex64, rate, retries, seconds};
