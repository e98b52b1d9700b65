//! What is written: new uploads, claims, facts and their effect on the head. Each function is one job of the writer
//! and runs inside its transaction.

use rusqlite::{Connection, OptionalExtension, params};
use towline_core::catalog::{Entry, Fact, Inserted, Recorded};
use towline_core::store::Mark;
use towline_core::upload::{Ending, Epoch, Part, PhaseName, Progress, Tail, Upload, UploadId};

use super::head::{self, Columns, HEAD, id_bytes};

/// How many parts are forgotten in one go, so that facts of others need not wait long.
const FORGET_PARTS_MAX: usize = 1000;

pub(super) fn insert(connection: &Connection, upload: &Upload) -> rusqlite::Result<Inserted> {
    if let Some(key) = &upload.about.idempotency_key {
        let sql = format!("SELECT {HEAD} FROM uploads WHERE owner = ?1 AND idempotency_key = ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        if let Some(existing) = statement.query_row((&upload.owner, key), head::upload).optional()? {
            return Ok(Inserted::Existing(Box::new(existing)));
        }
    }
    head::insert(connection, upload)?;
    Ok(Inserted::New)
}

pub(super) fn claim(connection: &Connection, id: UploadId) -> rusqlite::Result<Option<Upload>> {
    let sql = format!("UPDATE uploads SET epoch = epoch + 1 WHERE id = ?1 RETURNING {HEAD}");
    connection.prepare_cached(&sql)?.query_row([id_bytes(id)], head::upload).optional()
}

pub(super) fn clear(connection: &Connection, id: UploadId) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE uploads SET is_cleared = 1 WHERE id = ?1")?.execute([id_bytes(id)])?;
    Ok(())
}

/// Whether nothing is left to forget. The head goes last, so that a crash in between leaves an upload that is
/// forgotten again, not parts of none.
pub(super) fn forget(connection: &Connection, id: UploadId) -> rusqlite::Result<bool> {
    let mut find = connection.prepare_cached("SELECT seq FROM uploads WHERE id = ?1")?;
    let Some(seq) = find.query_row([id_bytes(id)], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(true);
    };
    let mut thin = connection.prepare_cached(
        "DELETE FROM parts WHERE upload = ?1 \
         AND number IN (SELECT number FROM parts WHERE upload = ?1 ORDER BY number LIMIT ?2)",
    )?;
    if thin.execute(params![seq, i64::try_from(FORGET_PARTS_MAX).unwrap_or(i64::MAX)])? == FORGET_PARTS_MAX {
        return Ok(false);
    }
    connection.prepare_cached("DELETE FROM uploads WHERE seq = ?1")?.execute([seq])?;
    Ok(true)
}

/// Writes a page and changes nothing: whether there is a disk that takes it.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", 0)
}

pub(super) fn record(connection: &Connection, entry: &Entry) -> rusqlite::Result<Recorded> {
    let Some(mut standing) = Standing::read(connection, entry.id)? else { return Ok(Recorded::Stale) };
    if standing.epoch != entry.epoch {
        return Ok(Recorded::Stale);
    }
    let phase_before = standing.phase;
    let progress = standing.progress;
    match standing.admit(connection, &entry.fact)? {
        Admission::Stale => Ok(Recorded::Stale),
        Admission::Repeat => Ok(Recorded::Repeat { progress }),
        Admission::Done(superseded) => {
            standing.write(connection, entry, phase_before)?;
            Ok(Recorded::Done { progress: standing.progress, superseded })
        }
    }
}

enum Admission {
    /// With what it supersedes.
    Done(Vec<(u32, Mark)>),
    Repeat,
    Stale,
}

/// What of a head decides over facts and is changed by them.
struct Standing {
    seq: i64,
    epoch: Epoch,
    phase: PhaseName,
    total_bytes: Option<u64>,
    progress: Progress,
    tail: Option<Tail>,
}

impl Standing {
    fn read(connection: &Connection, id: UploadId) -> rusqlite::Result<Option<Self>> {
        let mut statement = connection.prepare_cached(
            "SELECT seq, epoch, phase, prefix_count, prefix_bytes, landed_count, landed_bytes, \
             tail_number, tail_bytes, tail_crc64, tail_mark, total_bytes FROM uploads WHERE id = ?1",
        )?;
        let standing = statement.query_row([id_bytes(id)], |row| {
            let mut columns = Columns::of(row);
            Ok(Self {
                seq: columns.take()?,
                epoch: Epoch(columns.wide()?),
                phase: columns.decode(|name: String| PhaseName::from_name(&name))?,
                progress: columns.progress()?,
                tail: columns.tail()?,
                total_bytes: columns.take::<Option<i64>>()?.map(i64::cast_unsigned),
            })
        });
        standing.optional()
    }

    /// Applies what goes beyond the head at once, the head's own changes to `self`.
    fn admit(&mut self, connection: &Connection, fact: &Fact) -> rusqlite::Result<Admission> {
        let takes_parts = matches!(self.phase, PhaseName::Open | PhaseName::Disputed);
        let is_sealing = self.phase == PhaseName::Sealing;
        Ok(match fact {
            Fact::PartLanded(part) if takes_parts => self.land(connection, part)?,
            Fact::TailParked(tail) if takes_parts => self.park(tail),
            Fact::PartLost(number, mark) if takes_parts => self.lose(connection, *number, mark)?,
            Fact::TotalDeclared(total_bytes) if takes_parts => self.declare(*total_bytes),
            Fact::SealBegun if takes_parts => self.turn(PhaseName::Sealing),
            Fact::SealBegun if is_sealing => Admission::Repeat,
            Fact::Disputed if is_sealing => self.turn(PhaseName::Disputed),
            Fact::SealUndone if is_sealing => self.turn(PhaseName::Open),
            Fact::Sealed(receipt) if is_sealing => {
                head::seal(connection, self.seq, receipt)?;
                self.tail = None;
                self.turn(PhaseName::Sealed)
            }
            Fact::Sealed(_) if self.phase == PhaseName::Sealed => Admission::Repeat,
            Fact::Abandoned(ending) if takes_parts => self.turn(match ending {
                Ending::Cancelled => PhaseName::Cancelled,
                Ending::Expired => PhaseName::Expired,
            }),
            Fact::Abandoned(_) if matches!(self.phase, PhaseName::Cancelled | PhaseName::Expired) => {
                Admission::Repeat
            }
            Fact::PartLanded(_)
            | Fact::TailParked(_)
            | Fact::PartLost(..)
            | Fact::TotalDeclared(_)
            | Fact::SealBegun
            | Fact::Disputed
            | Fact::SealUndone
            | Fact::Sealed(_)
            | Fact::Abandoned(_) => Admission::Stale,
        })
    }

    fn turn(&mut self, phase: PhaseName) -> Admission {
        self.phase = phase;
        Admission::Done(Vec::new())
    }

    fn declare(&mut self, total_bytes: u64) -> Admission {
        match self.total_bytes {
            Some(declared) if declared == total_bytes => Admission::Repeat,
            Some(_) => Admission::Stale,
            None => {
                self.total_bytes = Some(total_bytes);
                Admission::Done(Vec::new())
            }
        }
    }

    fn park(&mut self, tail: &Tail) -> Admission {
        if self.tail.as_ref() == Some(tail) {
            return Admission::Repeat;
        }
        let before = self.tail.replace(tail.clone()).filter(|before| before.mark != tail.mark);
        Admission::Done(before.map(|before| (before.number, before.mark)).into_iter().collect())
    }

    fn land(&mut self, connection: &Connection, part: &Part) -> rusqlite::Result<Admission> {
        let before = recorded_part(connection, self.seq, part.number)?;
        if before.as_ref().is_some_and(|before| part.is_same_content(before)) {
            return Ok(Admission::Repeat);
        }
        head::land(connection, self.seq, part)?;
        self.phase = PhaseName::Open;
        self.count(connection, part, before.as_ref().map(|before| before.size_bytes))?;
        // A mark that stays in use is not superseded: the part may go on in the very file of what it replaces.
        let part_before = before.map(|before| before.mark);
        let tail_before = self.tail.take_if(|tail| tail.number == part.number).map(|tail| tail.mark);
        let superseded = part_before.into_iter().chain(tail_before).filter(|mark| *mark != part.mark);
        Ok(Admission::Done(superseded.map(|mark| (part.number, mark)).collect()))
    }

    fn lose(&mut self, connection: &Connection, number: u32, mark: &Mark) -> rusqlite::Result<Admission> {
        let recorded = recorded_part(connection, self.seq, number)?;
        let Some(part) = recorded.filter(|part| part.mark == *mark) else {
            return Ok(Admission::Repeat);
        };
        let sql = "DELETE FROM parts WHERE upload = ?1 AND number = ?2";
        connection.prepare_cached(sql)?.execute((self.seq, number))?;
        let progress = &mut self.progress;
        progress.landed_bytes -= part.size_bytes;
        progress.landed_count -= 1;
        if number <= progress.prefix_count {
            let sql = "SELECT COALESCE(SUM(size_bytes), 0) FROM parts WHERE upload = ?1 AND number < ?2";
            let before: i64 =
                connection.prepare_cached(sql)?.query_row((self.seq, number), |row| row.get(0))?;
            progress.prefix_count = number - 1;
            progress.prefix_bytes = before.cast_unsigned();
        }
        Ok(Admission::Done(Vec::new()))
    }

    /// Counts a part that landed in the place of one of `size_before`.
    fn count(
        &mut self,
        connection: &Connection,
        part: &Part,
        size_before: Option<u64>,
    ) -> rusqlite::Result<()> {
        let progress = &mut self.progress;
        progress.landed_bytes = progress.landed_bytes - size_before.unwrap_or(0) + part.size_bytes;
        if part.number <= progress.prefix_count {
            progress.prefix_bytes = progress.prefix_bytes - size_before.unwrap_or(0) + part.size_bytes;
        }
        if size_before.is_some() {
            return Ok(());
        }
        progress.landed_count += 1;
        if part.number == progress.prefix_count + 1 {
            progress.prefix_count += 1;
            progress.prefix_bytes += part.size_bytes;
            walk_on(connection, self.seq, progress)?;
        }
        Ok(())
    }

    fn write(&self, connection: &Connection, entry: &Entry, phase_before: PhaseName) -> rusqlite::Result<()> {
        let (progress, tail) = (&self.progress, self.tail.as_ref());
        let mut statement = connection.prepare_cached(
            "UPDATE uploads SET prefix_count = ?2, prefix_bytes = ?3, landed_count = ?4, landed_bytes = ?5, \
             tail_number = ?6, tail_bytes = ?7, tail_crc64 = ?8, tail_mark = ?9, total_bytes = ?10, \
             expires_at = ?11 WHERE seq = ?1",
        )?;
        statement.execute(params![
            self.seq,
            progress.prefix_count,
            progress.prefix_bytes.cast_signed(),
            progress.landed_count,
            progress.landed_bytes.cast_signed(),
            tail.map(|tail| tail.number),
            tail.map(|tail| tail.size_bytes.cast_signed()),
            tail.map(|tail| tail.crc64.cast_signed()),
            tail.map(|tail| &tail.mark.0),
            self.total_bytes.map(u64::cast_signed),
            entry.expires_at.as_millis(),
        ])?;
        // On its own, because most indexes hold the phase and most facts leave it as it is.
        if self.phase != phase_before {
            let mut statement = connection.prepare_cached("UPDATE uploads SET phase = ?2 WHERE seq = ?1")?;
            statement.execute(params![self.seq, self.phase.name()])?;
        }
        Ok(())
    }
}

fn recorded_part(connection: &Connection, seq: i64, number: u32) -> rusqlite::Result<Option<Part>> {
    let sql = format!("SELECT {} FROM parts WHERE upload = ?1 AND number = ?2", head::PART);
    let part = connection.prepare_cached(&sql)?.query_row((seq, number), head::part).optional()?;
    Ok(part.flatten())
}

/// Moves the prefix over parts that landed earlier. Each part is walked over once in the life of an upload.
fn walk_on(connection: &Connection, seq: i64, progress: &mut Progress) -> rusqlite::Result<()> {
    if progress.landed_count == progress.prefix_count {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT number, size_bytes FROM parts WHERE upload = ?1 AND number > ?2 ORDER BY number",
    )?;
    let mut following = statement.query((seq, progress.prefix_count))?;
    while let Some(row) = following.next()? {
        let mut columns = Columns::of(row);
        if columns.take::<u32>()? != progress.prefix_count + 1 {
            break;
        }
        progress.prefix_count += 1;
        progress.prefix_bytes += columns.wide()?;
    }
    Ok(())
}
