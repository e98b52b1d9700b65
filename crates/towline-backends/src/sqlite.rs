//! The embedded catalog: one SQLite file, one thread that writes, a few connections that read. What it promises is
//! in `towline_core::catalog`; one server process owns the file, others may read it meanwhile.

mod connection;
mod facts;
mod head;
mod migrations;
mod queries;
mod readers;
mod writer;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use thiserror::Error;
use towline_core::catalog::{Catalog, Cursor, Entry, Fetched, Filter, Handle, Inserted, Page, Recorded};
use towline_core::clock::Timestamp;
use towline_core::upload::{Part, Upload, UploadId};
use towline_core::{Fault, FaultKind};

use migrations::MIGRATIONS;
use readers::Readers;
use writer::Writer;

/// Where the catalog is and how much it may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteSettings {
    /// The file. Its folder is there; SQLite keeps two more files beside it.
    pub path: PathBuf,
    /// How many reads may be under way at once; at least one may.
    pub readers_max: usize,
}

impl SqliteSettings {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers_max: 4 }
    }
}

/// Why a catalog could not be opened. Nothing was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(
        "the catalog {} was written by a newer Towline: it has the migration {migration}, which this version \
         does not know. Start that version or a later one; nothing was changed", .path.display()
    )]
    Newer { path: PathBuf, migration: String },
    #[error(
        "the catalog {} was made by another build of Towline: its migration {migration} is not the one of this \
         version. Start the build that made it; nothing was changed", .path.display()
    )]
    Altered { path: PathBuf, migration: String },
    #[error(
        "the catalog {} is of an older Towline: it lacks the migration {migration}. Start this version's server \
         once to bring it up to date", .path.display()
    )]
    Older { path: PathBuf, migration: String },
    #[error("the catalog {} cannot be opened", .path.display())]
    Failed { path: PathBuf, source: Fault },
}

impl OpenError {
    fn failed(path: &Path, error: rusqlite::Error) -> Self {
        Self::Failed { path: path.to_owned(), source: connection::fault("opening the catalog", error) }
    }
}

#[derive(Debug, Error)]
#[error("the catalog was opened to be read only")]
struct ReadOnly;

/// A [`Catalog`] in a file.
#[derive(Debug)]
pub struct SqliteCatalog {
    /// Nothing when it is only read.
    writer: Option<Writer>,
    readers: Readers,
}

impl SqliteCatalog {
    /// Opens the file, makes it if need be, and brings it to this version's tables. Blocks meanwhile.
    pub fn open(settings: SqliteSettings) -> Result<Self, OpenError> {
        let SqliteSettings { path, readers_max } = settings;
        let mut connection =
            connection::open_writer(&path).map_err(|error| OpenError::failed(&path, error))?;
        migrations::migrate(&mut connection, &path, MIGRATIONS)?;
        let writer = Writer::start(connection).map_err(|error| OpenError::Failed {
            path: path.clone(),
            source: Fault::new(FaultKind::Internal, "starting the catalog's thread", error),
        })?;
        Ok(Self { writer: Some(writer), readers: Readers::new(path, readers_max) })
    }

    /// Opens a file that is there, also beside the server that owns it. Whatever would write is a fault.
    pub fn open_read_only(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let SqliteSettings { path, readers_max } = SqliteSettings::at(path);
        let connection = connection::open_reader(&path).map_err(|error| OpenError::failed(&path, error))?;
        migrations::check(&connection, &path, MIGRATIONS)?;
        Ok(Self { writer: None, readers: Readers::new(path, readers_max) })
    }

    /// Finishes what is queued and takes no more. Nothing that was answered depends on it.
    pub async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    fn writer(&self, doing: &'static str) -> Result<&Writer, Fault> {
        self.writer.as_ref().ok_or_else(|| Fault::new(FaultKind::Internal, doing, ReadOnly))
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn insert(&self, upload: &Upload) -> Result<Inserted, Fault> {
        let doing = "inserting an upload";
        let upload = upload.clone();
        self.writer(doing)?.write(doing, move |transaction| facts::insert(transaction, &upload)).await
    }

    async fn fetch(&self, id: UploadId, number: Option<u32>) -> Result<Option<Fetched>, Fault> {
        self.readers.read_here("fetching an upload", |view| queries::fetch(view, id, number))
    }

    async fn find(&self, owner: &str, handle: &Handle) -> Result<Option<Upload>, Fault> {
        let (owner, handle) = (owner.to_owned(), handle.clone());
        self.readers.read("finding an upload", move |view| queries::find(view, &owner, &handle)).await
    }

    async fn claim(&self, id: UploadId) -> Result<Option<Upload>, Fault> {
        let doing = "claiming an upload";
        self.writer(doing)?.write(doing, move |transaction| facts::claim(transaction, id)).await
    }

    async fn record(&self, entry: Entry) -> Result<Recorded, Fault> {
        let doing = "recording a fact";
        self.writer(doing)?.write(doing, move |transaction| facts::record(transaction, &entry)).await
    }

    async fn parts(&self, id: UploadId, after: u32, limit: usize) -> Result<Vec<Part>, Fault> {
        self.readers.read("reading parts", move |view| queries::parts(view, id, after, limit)).await
    }

    async fn list(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Fault> {
        let filter = filter.clone();
        self.readers.read("listing uploads", move |view| queries::list(view, &filter, after, limit)).await
    }

    async fn count(&self, filter: &Filter) -> Result<u64, Fault> {
        let filter = filter.clone();
        self.readers.read("counting uploads", move |view| queries::count(view, &filter)).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Upload>, Fault> {
        self.readers.read("finding expired uploads", move |view| queries::expired(view, now, limit)).await
    }

    async fn uncleared(&self, limit: usize) -> Result<Vec<Upload>, Fault> {
        self.readers.read("finding ended uploads", move |view| queries::uncleared(view, limit)).await
    }

    async fn clear(&self, id: UploadId) -> Result<(), Fault> {
        let doing = "clearing an upload";
        self.writer(doing)?.write(doing, move |transaction| facts::clear(transaction, id)).await
    }

    async fn forgettable(&self, before: Timestamp, limit: usize) -> Result<Vec<UploadId>, Fault> {
        let doing = "finding uploads to forget";
        self.readers.read(doing, move |view| queries::forgettable(view, before, limit)).await
    }

    async fn forget(&self, id: UploadId) -> Result<(), Fault> {
        let doing = "forgetting an upload";
        let writer = self.writer(doing)?;
        while !writer.write(doing, move |transaction| facts::forget(transaction, id)).await? {}
        Ok(())
    }

    async fn check(&self) -> Result<(), Fault> {
        let doing = "checking the catalog";
        self.writer(doing)?.write(doing, facts::check).await
    }
}
