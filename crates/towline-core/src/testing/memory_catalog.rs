//! A catalog in memory: the contract in its plainest form, for tests of everything above it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::catalog::{Catalog, Cursor, Entry, Fact, Fetched, Filter, Handle, Inserted, Page, Recorded};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::store::Mark;
use crate::upload::{Part, Phase, Progress, Upload, UploadId};

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    rows: Mutex<HashMap<UploadId, Row>>,
}

#[derive(Clone, Debug)]
struct Row {
    upload: Upload,
    parts: BTreeMap<u32, Part>,
    is_cleared: bool,
}

impl MemoryCatalog {
    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uploads that pass, newest first.
    fn select(&self, passes: impl Fn(&Row) -> bool) -> Vec<Upload> {
        let mut found: Vec<Upload> =
            self.lock().values().filter(|row| passes(row)).map(|row| row.upload.clone()).collect();
        found.sort_by_key(|upload| std::cmp::Reverse((upload.created_at, upload.id)));
        found
    }
}

fn passes(filter: &Filter, upload: &Upload) -> bool {
    filter.owner.as_ref().is_none_or(|owner| *owner == upload.owner)
        && (filter.phases.is_empty() || filter.phases.contains(&upload.phase.name()))
        && filter.key.as_ref().is_none_or(|key| *key == upload.key)
}

impl Row {
    fn record(&mut self, fact: Fact) -> Recorded {
        let takes_parts = self.upload.phase.takes_parts();
        match fact {
            Fact::PartLanded(part) if takes_parts => self.land(part),
            Fact::TailParked(tail) if takes_parts => {
                if self.upload.tail.as_ref() == Some(&tail) {
                    return Recorded::Repeat { progress: self.upload.progress };
                }
                let before = self.upload.tail.replace(tail.clone());
                let superseded = before.filter(|before| before.mark != tail.mark);
                self.done(superseded.map(|before| (before.number, before.mark)).into_iter().collect())
            }
            Fact::PartLost(number, mark) if takes_parts => self.lose(number, &mark),
            Fact::TotalDeclared(total) if takes_parts => match self.upload.plan.total_bytes() {
                Some(declared) if declared == total => Recorded::Repeat { progress: self.upload.progress },
                Some(_) => Recorded::Stale,
                None => {
                    self.upload.plan = self.upload.plan.with_total(total);
                    self.done(Vec::new())
                }
            },
            Fact::SealBegun if takes_parts => self.turn(Phase::Sealing),
            Fact::Abandoned(ending) if takes_parts => self.turn(Phase::Abandoned(ending)),
            Fact::Disputed if self.upload.phase == Phase::Sealing => self.turn(Phase::Disputed),
            Fact::SealUndone if self.upload.phase == Phase::Sealing => self.turn(Phase::Open),
            Fact::Sealed(receipt) if self.upload.phase == Phase::Sealing => {
                self.upload.tail = None;
                self.turn(Phase::Sealed(receipt))
            }
            Fact::SealBegun if self.upload.phase == Phase::Sealing => self.repeat(),
            Fact::Sealed(_) if matches!(self.upload.phase, Phase::Sealed(_)) => self.repeat(),
            Fact::Abandoned(_) if matches!(self.upload.phase, Phase::Abandoned(_)) => self.repeat(),
            Fact::PartLanded(_)
            | Fact::TailParked(_)
            | Fact::PartLost(..)
            | Fact::TotalDeclared(_)
            | Fact::SealBegun
            | Fact::Disputed
            | Fact::SealUndone
            | Fact::Sealed(_)
            | Fact::Abandoned(_) => Recorded::Stale,
        }
    }

    fn land(&mut self, part: Part) -> Recorded {
        if self.parts.get(&part.number).is_some_and(|before| before.is_same_content(&part)) {
            return self.repeat();
        }
        let mut superseded = Vec::new();
        let number = part.number;
        let mark = part.mark.clone();
        if let Some(before) = self.parts.insert(number, part)
            && before.mark != mark
        {
            superseded.push((number, before.mark));
        }
        if let Some(tail) = self.upload.tail.take_if(|tail| tail.number == number)
            && tail.mark != mark
        {
            superseded.push((number, tail.mark));
        }
        self.upload.phase = Phase::Open;
        self.upload.progress = self.count();
        self.done(superseded)
    }

    fn lose(&mut self, number: u32, mark: &Mark) -> Recorded {
        if self.parts.get(&number).is_none_or(|part| part.mark != *mark) {
            return self.repeat();
        }
        self.parts.remove(&number);
        self.upload.progress = self.count();
        self.done(Vec::new())
    }

    fn count(&self) -> Progress {
        let mut progress = Progress::default();
        for (number, part) in &self.parts {
            progress.landed_bytes += part.size_bytes;
            progress.landed_count += 1;
            if *number == progress.prefix_count + 1 {
                progress.prefix_count += 1;
                progress.prefix_bytes += part.size_bytes;
            }
        }
        progress
    }

    fn turn(&mut self, phase: Phase) -> Recorded {
        self.upload.phase = phase;
        self.done(Vec::new())
    }

    fn done(&self, superseded: Vec<(u32, Mark)>) -> Recorded {
        Recorded::Done { progress: self.upload.progress, superseded }
    }

    fn repeat(&self) -> Recorded {
        Recorded::Repeat { progress: self.upload.progress }
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn insert(&self, upload: &Upload) -> Result<Inserted, Fault> {
        let mut rows = self.lock();
        let key = &upload.about.idempotency_key;
        let existing = rows.values().map(|row| &row.upload).find(|other| {
            key.is_some() && other.owner == upload.owner && other.about.idempotency_key == *key
        });
        if let Some(existing) = existing {
            return Ok(Inserted::Existing(Box::new(existing.clone())));
        }
        let row = Row { upload: upload.clone(), parts: BTreeMap::new(), is_cleared: false };
        rows.insert(upload.id, row);
        Ok(Inserted::New)
    }

    async fn fetch(&self, id: UploadId, number: Option<u32>) -> Result<Option<Fetched>, Fault> {
        Ok(self.lock().get(&id).map(|row| Fetched {
            upload: row.upload.clone(),
            part: number.and_then(|number| row.parts.get(&number).cloned()),
        }))
    }

    async fn find(&self, owner: &str, handle: &Handle) -> Result<Option<Upload>, Fault> {
        let found = self.select(|row| {
            let about = &row.upload.about;
            row.upload.owner == owner
                && match handle {
                    Handle::IdempotencyKey(key) => about.idempotency_key.as_ref() == Some(key),
                    Handle::Fingerprint(fingerprint) => {
                        about.fingerprint.as_ref() == Some(fingerprint) && row.upload.phase.takes_parts()
                    }
                }
        });
        Ok(found.into_iter().next())
    }

    async fn claim(&self, id: UploadId) -> Result<Option<Upload>, Fault> {
        Ok(self.lock().get_mut(&id).map(|row| {
            row.upload.epoch.0 += 1;
            row.upload.clone()
        }))
    }

    async fn record(&self, entry: Entry) -> Result<Recorded, Fault> {
        let mut rows = self.lock();
        let Some(row) = rows.get_mut(&entry.id).filter(|row| row.upload.epoch == entry.epoch) else {
            return Ok(Recorded::Stale);
        };
        let recorded = row.record(entry.fact);
        if let Recorded::Done { .. } = recorded {
            row.upload.expires_at = entry.expires_at;
        }
        Ok(recorded)
    }

    async fn parts(&self, id: UploadId, after: u32, limit: usize) -> Result<Vec<Part>, Fault> {
        let rows = self.lock();
        let Some(row) = rows.get(&id) else {
            return Ok(Vec::new());
        };
        let above = row.parts.range(after.saturating_add(1)..);
        Ok(above.map(|(_, part)| part.clone()).filter(|part| part.number > after).take(limit).collect())
    }

    async fn list(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Fault> {
        let mut uploads = self.select(|row| {
            let at = (row.upload.created_at, row.upload.id);
            passes(filter, &row.upload) && after.is_none_or(|after| at < (after.created_at, after.id))
        });
        let has_more = uploads.len() > limit;
        uploads.truncate(limit);
        let next = uploads.last().filter(|_| has_more);
        let next = next.map(|last| Cursor { created_at: last.created_at, id: last.id });
        Ok(Page { uploads, next })
    }

    async fn count(&self, filter: &Filter) -> Result<u64, Fault> {
        Ok(self.lock().values().filter(|row| passes(filter, &row.upload)).count() as u64)
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Upload>, Fault> {
        let mut found = self.select(|row| row.upload.phase.takes_parts() && row.upload.expires_at <= now);
        found.truncate(limit);
        Ok(found)
    }

    async fn uncleared(&self, limit: usize) -> Result<Vec<Upload>, Fault> {
        let mut found = self.select(|row| {
            !row.is_cleared && matches!(row.upload.phase, Phase::Sealed(_) | Phase::Abandoned(_))
        });
        found.truncate(limit);
        Ok(found)
    }

    async fn clear(&self, id: UploadId) -> Result<(), Fault> {
        if let Some(row) = self.lock().get_mut(&id) {
            row.is_cleared = true;
        }
        Ok(())
    }

    async fn forgettable(&self, before: Timestamp, limit: usize) -> Result<Vec<UploadId>, Fault> {
        let found = self.select(|row| {
            row.is_cleared
                && matches!(row.upload.phase, Phase::Abandoned(_))
                && row.upload.expires_at <= before
        });
        Ok(found.into_iter().take(limit).map(|upload| upload.id).collect())
    }

    async fn forget(&self, id: UploadId) -> Result<(), Fault> {
        self.lock().remove(&id);
        Ok(())
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
}
