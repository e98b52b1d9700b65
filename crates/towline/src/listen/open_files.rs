//! What the process may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For each connection: its socket and the file that its body goes to. The rest is the catalog's and the log's.
const FILES_PER_CONNECTION: u64 = 2;
const FILES_BESIDE: u64 = 64;

/// How many files so many connections may need to have open.
pub(crate) fn files_wanted(connections: usize) -> u64 {
    connections as u64 * FILES_PER_CONNECTION + FILES_BESIDE
}

/// Many systems allow 1,024 open files until a process asks for more.
pub(super) fn raise(connections: usize) {
    let wanted = files_wanted(connections);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let limit = Rlimit { current: Some(raised), maximum };
    if setrlimit(Resource::Nofile, limit).is_err() || raised < wanted {
        tracing::warn!(allowed = raised, wanted, "fewer files can be open than max_connections may need");
    }
}
