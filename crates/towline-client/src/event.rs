//! What happens on the way, for whoever shows it.

use std::fmt;
use std::time::Duration;

use crate::get::Fetched;
use crate::remote::{Receipt, Ticket};

/// Shows what happens to files. Called often and from many tasks: it must not wait.
pub trait Watch: Send + Sync + fmt::Debug {
    fn see(&self, file: FileNumber, event: Event<'_>);
}

/// Which file of a run, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileNumber(pub usize);

#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// There is an upload (or a download): new, or found again. Without a ticket it goes in one request.
    Began {
        ticket: Option<&'a Ticket>,
        total_bytes: Option<u64>,
        part_bytes: u64,
        is_resumed: bool,
    },
    /// So many bytes that the other end claims to have were compared with those here.
    Compared {
        bytes: u64,
    },
    /// So many bytes are there already, and equal: they are not sent again.
    Kept {
        bytes: u64,
        parts: u32,
    },
    /// Handed to the line.
    Sent {
        bytes: u64,
    },
    /// Handed to the line before, and lost: it will be sent again.
    Lost {
        bytes: u64,
    },
    /// A part has landed.
    Landed {
        number: u32,
        size_bytes: u64,
    },
    /// A part failed and waits for another try.
    Retrying {
        number: u32,
        tries: u32,
        wait: Duration,
        why: &'a str,
    },
    /// How many parts may be under way at once, from now on.
    Workers {
        count: usize,
    },
    /// All parts are there; the other end makes the file visible.
    Finishing,
    /// Worth knowing, and no failure.
    Note {
        what: &'a str,
    },
    Done(&'a Report),
    /// A download is whole, and here.
    Fetched(&'a Fetched),
    Failed {
        why: &'a str,
    },
}

/// How a file got up.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub receipt: Receipt,
    /// Over all bytes as they were read here.
    pub crc64: u64,
    pub took: Duration,
    /// What went over the line, lost tries included.
    pub sent_bytes: u64,
    /// What was there from before.
    pub kept_bytes: u64,
    pub retries: u64,
}
