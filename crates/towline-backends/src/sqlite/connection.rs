//! Connections to the database file, and what SQLite's errors mean to the engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ffi};
use towline_core::{Fault, FaultKind};

/// How long a connection waits for another process (an operator's shell, a backup) to let go of the file.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);
const WRITER_CACHE_KIB: i64 = 8 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;
/// A log that had to grow is cut back to this once all of it is in the database.
const LOG_KEEP_BYTES: i64 = 64 * 1024 * 1024;

/// Opens the file for writing and makes it if need be. What commits is durable.
pub(super) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open(path, flags, WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEEP_BYTES, |_| Ok(()))?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
}

fn open(path: &Path, flags: OpenFlags, cache_kib: i64) -> rusqlite::Result<Connection> {
    // Each connection is used by one thread at a time, so SQLite need not lock it.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else SQLite prepares some statements anew for each value bound, to look for a better plan: a fetch took
    // 70 µs instead of 10.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// The error may be shared by all who waited for the same commit.
pub(super) fn fault(doing: &'static str, error: impl Into<Arc<Error>>) -> Fault {
    let error = error.into();
    Fault::new(kind(&error), doing, error)
}

fn kind(error: &Error) -> FaultKind {
    let failure = error.sqlite_error();
    let code = failure.map(|failure| failure.code);
    // Room for the shared index of the log is asked for with another code than room for pages.
    let is_index_full = failure.is_some_and(|failure| failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
    let is_garbled = matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    );
    if is_index_full || code == Some(ErrorCode::DiskFull) {
        FaultKind::Full
    } else if matches!(
        code,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed)
    ) {
        FaultKind::Unavailable
    } else if is_garbled || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
        FaultKind::Corrupt
    } else {
        FaultKind::Internal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("catalog.db")).unwrap();
        let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((journal.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn a_full_disk_is_told_from_other_faults() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("catalog.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        connection.pragma_update_and_check(None, "max_page_count", 2, |_| Ok(())).unwrap();
        let error = connection.execute("INSERT INTO t VALUES (zeroblob(100000))", []).unwrap_err();
        assert_eq!(fault("filling", error).kind(), FaultKind::Full);
        let error = connection.execute("INSERT INTO nowhere VALUES (1)", []).unwrap_err();
        assert_eq!(fault("asking", error).kind(), FaultKind::Internal);
    }

    #[test]
    fn a_file_that_others_hold_is_unavailable_and_one_that_is_no_database_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let (one, other) = (open_writer(&path).unwrap(), open_writer(&path).unwrap());
        one.execute_batch("BEGIN IMMEDIATE").unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        let error = other.execute_batch("BEGIN IMMEDIATE").unwrap_err();
        assert_eq!(fault("waiting", error).kind(), FaultKind::Unavailable);

        let garbage = folder.path().join("garbage.db");
        std::fs::write(&garbage, [b'x'; 8192]).unwrap();
        let error = open_writer(&garbage).unwrap_err();
        assert_eq!(fault("opening", error).kind(), FaultKind::Corrupt);
    }
}
