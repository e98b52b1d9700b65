//! What this server allows, and to whom. Settings become a [`Policy`], credentials become a [`Principal`].

use std::fmt;
use std::time::Duration;

use crate::key::Key;
use crate::plan::FREE_PART_BYTES_MIN;

/// Bounds and habits of the engine.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How large parts are when nobody wishes otherwise.
    pub part_bytes_default: u64,
    /// The largest file taken, below what the store could hold.
    pub total_bytes_max: Option<u64>,
    /// How long an unfinished upload is kept after its last sign of life.
    pub keep_unfinished: Duration,
    /// How long an ended upload that left no object (cancelled, expired) stays listed.
    pub keep_ended: Duration,
    /// How long a body may be silent.
    pub frame_wait: Duration,
    /// The slowest body taken, as an average once the first `frame_wait` is over.
    pub body_bytes_per_s_min: u64,
    /// How many bodies may be under way at once.
    pub bodies_max: usize,
    /// How long a request waits for one of them, or for the request it takes over from.
    pub admission_wait: Duration,
    /// What happens when the key of a finished upload already names a file.
    pub existing: Existing,
    /// Which way the bytes go, where the store leaves the choice.
    pub transfer: Transfer,
    /// The least that every part but the last has where clients cut as they like.
    pub free_part_bytes_min: u64,
}

/// Which way bytes go from the client to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// By signed URLs, past this server.
    Direct,
    /// Through this server.
    Relayed,
}

/// What to do about a file that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Existing {
    /// The newer upload replaces it, atomically, as S3 does.
    Replace,
    /// The newer upload is refused when it is created.
    Refuse,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            part_bytes_default: 5 * 1024 * 1024,
            total_bytes_max: None,
            keep_unfinished: Duration::from_hours(7 * 24),
            keep_ended: Duration::from_hours(24),
            frame_wait: Duration::from_mins(1),
            body_bytes_per_s_min: 1024,
            bodies_max: 1024,
            admission_wait: Duration::from_secs(10),
            existing: Existing::Replace,
            transfer: Transfer::Direct,
            free_part_bytes_min: FREE_PART_BYTES_MIN,
        }
    }
}

/// What a caller wants to do, as permissions are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Create, send, finish and abandon uploads.
    Upload,
    /// Read finished files.
    Read,
    /// Remove finished files.
    Delete,
    /// See and touch the uploads of everybody.
    Manage,
}

impl Operation {
    pub const ALL: [Self; 4] = [Self::Upload, Self::Read, Self::Delete, Self::Manage];

    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Read => "read",
            Self::Delete => "delete",
            Self::Manage => "manage",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Uploads belong to this name; others do not see them.
    pub owner: String,
    pub operations: Vec<Operation>,
    /// Keys must start with this; empty allows all.
    pub key_prefix: String,
}

impl Principal {
    /// The one caller of a server without authentication: everything is theirs.
    pub fn anonymous() -> Self {
        Self { owner: "anonymous".to_owned(), operations: Operation::ALL.to_vec(), key_prefix: String::new() }
    }

    pub fn may(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// Whether files that nobody uploaded through here are this caller's: those under a prefix of their own are.
    pub fn owns_unknown(&self) -> bool {
        !self.key_prefix.is_empty()
    }

    pub fn may_name(&self, key: &Key) -> bool {
        key.as_str().starts_with(&self.key_prefix)
    }
}
