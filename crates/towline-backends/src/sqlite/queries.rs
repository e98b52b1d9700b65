//! What is read. Each function is one look at the database, on a connection of the readers.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use towline_core::catalog::{Cursor, Fetched, Filter, Handle, Page};
use towline_core::clock::Timestamp;
use towline_core::upload::{Part, PhaseName, Upload, UploadId};

use super::head::{self, Columns, HEAD, PART, id_bytes};

pub(super) fn fetch(
    connection: &Connection,
    id: UploadId,
    number: Option<u32>,
) -> rusqlite::Result<Option<Fetched>> {
    let sql = format!(
        "SELECT {PART}, {HEAD} FROM uploads \
         LEFT JOIN parts ON parts.upload = uploads.seq AND parts.number = ?2 WHERE id = ?1"
    );
    connection.prepare_cached(&sql)?.query_row((id_bytes(id), number), head::fetched).optional()
}

pub(super) fn find(
    connection: &Connection,
    owner: &str,
    handle: &Handle,
) -> rusqlite::Result<Option<Upload>> {
    let (condition, value) = match handle {
        Handle::IdempotencyKey(key) => ("idempotency_key = ?2", key),
        Handle::Fingerprint(fingerprint) => {
            ("fingerprint = ?2 AND phase IN ('open', 'disputed')", fingerprint)
        }
    };
    let sql = format!(
        "SELECT {HEAD} FROM uploads WHERE owner = ?1 AND {condition} ORDER BY created_at DESC, id DESC LIMIT 1"
    );
    connection.prepare_cached(&sql)?.query_row((owner, value), head::upload).optional()
}

pub(super) fn parts(
    connection: &Connection,
    id: UploadId,
    after: u32,
    limit: usize,
) -> rusqlite::Result<Vec<Part>> {
    let sql = format!(
        "SELECT {PART} FROM parts WHERE upload = (SELECT seq FROM uploads WHERE id = ?1) AND number > ?2 \
         ORDER BY number LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let parts = statement.query_map((id_bytes(id), after, to_limit(limit)), head::part)?;
    parts.filter_map(Result::transpose).collect()
}

/// Each phase has its own run in the indexes, newest first. The newest of all runs are found from the indexes
/// alone; only their heads are read.
pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<Page> {
    // One view of all phases: an upload that moves from one to another is seen once.
    let view = connection.unchecked_transaction()?;
    let before = after.unwrap_or(Cursor {
        created_at: Timestamp::from_millis(i64::MAX),
        id: UploadId::from_u128(u128::MAX),
    });
    let condition = condition(filter);
    let sql = format!(
        "SELECT created_at, id, seq FROM uploads WHERE {condition} \
         AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?"
    );
    let mut run = view.prepare_cached(&sql)?;
    let (created_at, id) = (before.created_at.as_millis(), id_bytes(before.id));
    let one_more = to_limit(limit.saturating_add(1));
    let mut newest: Vec<(Timestamp, UploadId, i64)> = Vec::new();
    for phase in phases(filter) {
        let mut values = values(filter, phase);
        values.extend([created_at.into(), id.to_vec().into(), one_more.into()]);
        let found = run.query_map(params_from_iter(values), |row| {
            let mut columns = Columns::of(row);
            Ok((columns.time()?, columns.id()?, columns.take()?))
        })?;
        for place in found {
            newest.push(place?);
        }
    }
    newest.sort_unstable_by(|one, other| other.cmp(one));
    let has_more = newest.len() > limit;
    newest.truncate(limit);
    let mut read = view.prepare_cached(&format!("SELECT {HEAD} FROM uploads WHERE seq = ?1"))?;
    let uploads =
        newest.iter().map(|(.., seq)| read.query_row([seq], head::upload)).collect::<Result<_, _>>()?;
    let last = newest.last().filter(|_| has_more);
    let next = last.map(|(created_at, id, _)| Cursor { created_at: *created_at, id: *id });
    Ok(Page { uploads, next })
}

pub(super) fn count(connection: &Connection, filter: &Filter) -> rusqlite::Result<u64> {
    let view = connection.unchecked_transaction()?;
    let sql = format!("SELECT count(*) FROM uploads WHERE {}", condition(filter));
    let mut statement = view.prepare_cached(&sql)?;
    let mut sum: u64 = 0;
    for phase in phases(filter) {
        sum += statement.query_row(params_from_iter(values(filter, phase)), |row| Columns::of(row).wide())?;
    }
    Ok(sum)
}

/// Which index serves follows from it: the key's, else the owner's, else that of all. The plus keeps SQLite from
/// walking over all of an owner's uploads for one key.
fn condition(filter: &Filter) -> &'static str {
    match (&filter.key, &filter.owner) {
        (None, None) => "phase = ?",
        (None, Some(_)) => "phase = ? AND owner = ?",
        (Some(_), None) => "phase = ? AND key = ?",
        (Some(_), Some(_)) => "phase = ? AND +owner = ? AND key = ?",
    }
}

/// For the question marks of [`condition`].
fn values(filter: &Filter, phase: PhaseName) -> Vec<Value> {
    let mut values = vec![Value::Text(phase.name().to_owned())];
    values.extend(filter.owner.clone().map(Value::Text));
    values.extend(filter.key.as_ref().map(|key| Value::Text(key.as_str().to_owned())));
    values
}

/// Each phase once.
fn phases(filter: &Filter) -> impl Iterator<Item = PhaseName> {
    PhaseName::ALL.into_iter().filter(|phase| filter.phases.is_empty() || filter.phases.contains(phase))
}

// The janitor's indexes are named, because SQLite would rather walk over all uploads of a phase.

pub(super) fn expired(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Upload>> {
    let sql = format!(
        "SELECT {HEAD} FROM uploads INDEXED BY uploads_unfinished \
         WHERE phase IN ('open', 'disputed') AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map((now.as_millis(), to_limit(limit)), head::upload)?.collect()
}

pub(super) fn uncleared(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Upload>> {
    let sql = format!(
        "SELECT {HEAD} FROM uploads INDEXED BY uploads_uncleared \
         WHERE is_cleared = 0 AND phase IN ('sealed', 'cancelled', 'expired') ORDER BY seq LIMIT ?1"
    );
    connection.prepare_cached(&sql)?.query_map([to_limit(limit)], head::upload)?.collect()
}

pub(super) fn forgettable(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<UploadId>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM uploads INDEXED BY uploads_forgettable \
         WHERE is_cleared = 1 AND phase IN ('cancelled', 'expired') AND expires_at <= ?1 \
         ORDER BY expires_at LIMIT ?2",
    )?;
    statement.query_map(params![before.as_millis(), to_limit(limit)], |row| Columns::of(row).id())?.collect()
}

fn to_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
