//! The columns of an upload's head and of a part: the two directions side by side, in one order.

use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, Error, Row, params};
use thiserror::Error as ThisError;
use towline_core::catalog::Fetched;
use towline_core::clock::Timestamp;
use towline_core::key::Key;
use towline_core::receipt::{Receipt, Voucher};
use towline_core::store::{Mark, Place};
use towline_core::upload::{About, Epoch, Part, Phase, Progress, Tail, Upload, UploadId};

use crate::rows;

/// What [`upload`] reads.
pub(super) const HEAD: &str = "id, epoch, prefix_count, prefix_bytes, landed_count, landed_bytes, \
    expires_at, tail_number, tail_bytes, tail_crc64, tail_mark, part_bytes, total_bytes, created_at, owner, key, \
    place, filename, content_type, metadata, declared, fingerprint, idempotency_key, phase, sealed_bytes, \
    sealed_parts, sealed_crc64, sealed_voucher, sealed_verified, sealed_location, sealed_version, sealed_at, \
    sealed_tag";

/// What [`part`] reads.
pub(super) const PART: &str = "number, size_bytes, crc64, landed_at, mark, digests, is_direct";

const INSERT: &str = "INSERT INTO uploads (id, epoch, phase, prefix_count, prefix_bytes, landed_count, \
    landed_bytes, expires_at, tail_number, tail_bytes, tail_crc64, tail_mark, part_bytes, total_bytes, created_at, \
    owner, key, place, filename, content_type, metadata, declared, fingerprint, idempotency_key) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
    ?23, ?24)";

const LAND: &str = "INSERT OR REPLACE INTO parts \
    (upload, number, size_bytes, crc64, landed_at, mark, digests, is_direct) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const SEAL: &str = "UPDATE uploads SET sealed_bytes = ?2, sealed_parts = ?3, sealed_crc64 = ?4, \
    sealed_voucher = ?5, sealed_verified = ?6, sealed_location = ?7, sealed_version = ?8, sealed_at = ?9, \
    sealed_tag = ?10 WHERE seq = ?1";

#[derive(Debug, ThisError)]
#[error("nobody of ours wrote this")]
struct Garbled;

/// Takes a row's columns one after the other.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    pub(super) fn wide(&mut self) -> rusqlite::Result<u64> {
        Ok(self.take::<i64>()?.cast_unsigned())
    }

    fn wide_or_nothing(&mut self) -> rusqlite::Result<Option<u64>> {
        Ok(self.take::<Option<i64>>()?.map(i64::cast_unsigned))
    }

    pub(super) fn id(&mut self) -> rusqlite::Result<UploadId> {
        Ok(UploadId::from_u128(u128::from_be_bytes(self.take()?)))
    }

    pub(super) fn time(&mut self) -> rusqlite::Result<Timestamp> {
        Ok(Timestamp::from_millis(self.take()?))
    }

    /// Prefix and landed, as four columns.
    pub(super) fn progress(&mut self) -> rusqlite::Result<Progress> {
        Ok(Progress {
            prefix_count: self.take()?,
            prefix_bytes: self.wide()?,
            landed_count: self.take()?,
            landed_bytes: self.wide()?,
        })
    }

    /// Four columns.
    pub(super) fn tail(&mut self) -> rusqlite::Result<Option<Tail>> {
        let Some(number) = self.take()? else {
            self.next += 3;
            return Ok(None);
        };
        let (size_bytes, crc64) = (self.wide()?, self.wide()?);
        Ok(Some(Tail { number, size_bytes, crc64, mark: Mark(self.take()?) }))
    }

    /// What `read` cannot make sense of is corrupt.
    pub(super) fn decode<T, V: FromSql>(&mut self, read: impl FnOnce(V) -> Option<T>) -> rusqlite::Result<T> {
        let value = self.take()?;
        read(value)
            .ok_or_else(|| Error::FromSqlConversionFailure(self.next - 1, Type::Blob, Box::new(Garbled)))
    }

    fn about(&mut self) -> rusqlite::Result<About> {
        Ok(About {
            filename: self.take()?,
            content_type: self.take()?,
            metadata: self.decode(|bytes: Vec<u8>| rows::metadata_from_bytes(&bytes))?,
            declared: self.decode(|bytes: Vec<u8>| rows::digests_from_bytes(&bytes))?.pop(),
            fingerprint: self.take()?,
            idempotency_key: self.take()?,
        })
    }

    /// The last columns of a head.
    fn phase(&mut self) -> rusqlite::Result<Phase> {
        let name: String = self.take()?;
        let receipt = match self.wide_or_nothing()? {
            None => None,
            Some(size_bytes) => Some(Receipt {
                size_bytes,
                part_count: self.take()?,
                crc64: self.wide_or_nothing()?,
                voucher: self.decode(|name: String| rows::voucher(&name))?,
                verified: self.decode(|bytes: Vec<u8>| rows::digests_from_bytes(&bytes))?.pop(),
                location: self.take()?,
                version: self.take()?,
                sealed_at: self.time()?,
                tag: self.take()?,
            }),
        };
        rows::phase(&name, receipt)
            .ok_or_else(|| Error::FromSqlConversionFailure(self.next, Type::Text, Box::new(Garbled)))
    }

    fn upload(&mut self) -> rusqlite::Result<Upload> {
        let (id, epoch, progress) = (self.id()?, Epoch(self.wide()?), self.progress()?);
        let (expires_at, tail) = (self.time()?, self.tail()?);
        Ok(Upload {
            id,
            epoch,
            progress,
            expires_at,
            tail,
            plan: rows::plan(self.wide_or_nothing()?, self.wide_or_nothing()?),
            created_at: self.time()?,
            owner: self.take()?,
            key: self.decode(|text: String| Key::parse(&text).ok())?,
            place: Place(self.take()?),
            about: self.about()?,
            phase: self.phase()?,
        })
    }

    fn part(&mut self) -> rusqlite::Result<Option<Part>> {
        let Some(number) = self.take()? else { return Ok(None) };
        Ok(Some(Part {
            number,
            size_bytes: self.wide()?,
            crc64: self.wide_or_nothing()?,
            landed_at: self.time()?,
            mark: Mark(self.take()?),
            digests: self.decode(|bytes: Vec<u8>| rows::digests_from_bytes(&bytes))?,
            voucher: if self.take()? { Voucher::Store } else { Voucher::Towline },
        }))
    }
}

pub(super) fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Columns::of(row).upload()
}

/// Of [`PART`] columns first, then those of [`HEAD`].
pub(super) fn fetched(row: &Row<'_>) -> rusqlite::Result<Fetched> {
    let part = Columns::of(row).part()?;
    let mut head = Columns { row, next: PART.split(',').count() };
    Ok(Fetched { part, upload: head.upload()? })
}

pub(super) fn part(row: &Row<'_>) -> rusqlite::Result<Option<Part>> {
    Columns::of(row).part()
}

pub(super) fn insert(connection: &Connection, upload: &Upload) -> rusqlite::Result<()> {
    let (about, progress, tail) = (&upload.about, &upload.progress, upload.tail.as_ref());
    connection.prepare_cached(INSERT)?.execute(params![
        id_bytes(upload.id),
        upload.epoch.0.cast_signed(),
        upload.phase.name().name(),
        progress.prefix_count,
        progress.prefix_bytes.cast_signed(),
        progress.landed_count,
        progress.landed_bytes.cast_signed(),
        upload.expires_at.as_millis(),
        tail.map(|tail| tail.number),
        tail.map(|tail| tail.size_bytes.cast_signed()),
        tail.map(|tail| tail.crc64.cast_signed()),
        tail.map(|tail| &tail.mark.0),
        rows::part_bytes(&upload.plan).map(u64::cast_signed),
        upload.plan.total_bytes().map(u64::cast_signed),
        upload.created_at.as_millis(),
        upload.owner,
        upload.key.as_str(),
        upload.place.0,
        about.filename,
        about.content_type,
        rows::metadata_to_bytes(&about.metadata),
        rows::digests_to_bytes(about.declared.as_slice()),
        about.fingerprint,
        about.idempotency_key,
    ])?;
    if let Phase::Sealed(receipt) = &upload.phase {
        seal(connection, connection.last_insert_rowid(), receipt)?;
    }
    Ok(())
}

pub(super) fn land(connection: &Connection, seq: i64, part: &Part) -> rusqlite::Result<()> {
    connection.prepare_cached(LAND)?.execute(params![
        seq,
        part.number,
        part.size_bytes.cast_signed(),
        part.crc64.map(u64::cast_signed),
        part.landed_at.as_millis(),
        part.mark.0,
        rows::digests_to_bytes(&part.digests),
        part.voucher == Voucher::Store,
    ])?;
    Ok(())
}

pub(super) fn seal(connection: &Connection, seq: i64, receipt: &Receipt) -> rusqlite::Result<()> {
    connection.prepare_cached(SEAL)?.execute(params![
        seq,
        receipt.size_bytes.cast_signed(),
        receipt.part_count,
        receipt.crc64.map(u64::cast_signed),
        rows::voucher_name(receipt.voucher),
        rows::digests_to_bytes(receipt.verified.as_slice()),
        receipt.location,
        receipt.version,
        receipt.sealed_at.as_millis(),
        receipt.tag,
    ])?;
    Ok(())
}

pub(super) fn id_bytes(id: UploadId) -> [u8; 16] {
    id.as_u128().to_be_bytes()
}
