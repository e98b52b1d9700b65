//! Beginning an upload, or finding the one that was begun.

use super::tally::Count;
use super::{Engine, Room, refuse_full};
use crate::catalog::{Handle, Inserted};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::plan::Plan;
use crate::policy::{Existing, Principal};
use crate::store::{Obstacle, Opened};
use crate::upload::{About, Epoch, Phase, Progress, Upload};

/// What a client wants to upload.
#[derive(Clone, Debug)]
pub struct Order {
    pub key: Key,
    pub cut: Cut,
    pub total_bytes: Option<u64>,
    pub about: About,
}

impl Order {
    /// Whether it orders the very file that the upload is for.
    fn is_for(&self, upload: &Upload) -> bool {
        upload.is_same_file(&self.key, self.total_bytes, &self.about)
    }
}

/// How a client wants it cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Equal parts, of about this size if there is a wish.
    Even { wish_bytes: Option<u64> },
    /// S3's rule.
    Free,
}

/// An upload that takes parts, or the finished one that an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub upload: Upload,
    /// It was there before.
    pub is_resumed: bool,
}

/// Bounds of what is kept in the head of an upload.
const FILENAME_BYTES_MAX: usize = 1024;
const CONTENT_TYPE_BYTES_MAX: usize = 255;
const HANDLE_BYTES_MAX: usize = 512;
const METADATA_BYTES_MAX: usize = 8 * 1024;
const METADATA_COUNT_MAX: usize = 64;

impl Engine {
    /// Begins an upload, or answers with the owner's upload of the same file.
    pub async fn create(&self, who: &Principal, order: Order) -> Result<Created, Error> {
        let room = &*self.0;
        room.check(who, &order)?;
        if let Some(upload) = room.find_again(who, &order).await? {
            room.tally.add(Count::UploadsResumed, 1);
            return Ok(Created { upload, is_resumed: true });
        }
        if room.policy.existing == Existing::Refuse && room.store.has(&order.key).await? {
            return Err(Refusal::KeyTaken(order.key).into());
        }
        let plan = room.plan(&order)?;
        let id = room.ids.fresh();
        let place = match room.store.open(id, &order.key, &order.about).await.map_err(refuse_full)? {
            Opened::At(place) => place,
            Opened::Blocked(obstacle) => return Err(key_blocked(order.key, obstacle).into()),
        };
        let created_at = room.clock.now();
        let upload = Upload {
            id,
            key: order.key,
            plan,
            place,
            about: order.about,
            owner: who.owner.clone(),
            phase: Phase::Open,
            epoch: Epoch::default(),
            progress: Progress::default(),
            tail: None,
            created_at,
            expires_at: created_at + room.policy.keep_unfinished,
        };
        room.insert(upload).await
    }
}

impl Room {
    fn check(&self, who: &Principal, order: &Order) -> Result<(), Refusal> {
        self.check_key(who, &order.key)?;
        if let Some(total) = order.total_bytes {
            self.limits.check_total(total)?;
        }
        check_about(&order.about)
    }

    fn plan(&self, order: &Order) -> Result<Plan, Refusal> {
        match order.cut {
            Cut::Even { wish_bytes } => {
                let wish_bytes = wish_bytes.unwrap_or(self.policy.part_bytes_default);
                Plan::even(order.total_bytes, wish_bytes, &self.limits)
            }
            Cut::Free => Ok(Plan::Free { total_bytes: order.total_bytes }),
        }
    }

    /// By idempotency key: that upload, whatever became of it. By fingerprint: one that still takes parts.
    async fn find_again(&self, who: &Principal, order: &Order) -> Result<Option<Upload>, Error> {
        if let Some(key) = &order.about.idempotency_key {
            let handle = Handle::IdempotencyKey(key.clone());
            if let Some(upload) = self.catalog.find(&who.owner, &handle).await? {
                if !order.is_for(&upload) {
                    return Err(Refusal::IdempotencyConflict.into());
                }
                return Ok(Some(upload));
            }
        }
        if let Some(fingerprint) = &order.about.fingerprint {
            let handle = Handle::Fingerprint(fingerprint.clone());
            let found = self.catalog.find(&who.owner, &handle).await?;
            return Ok(found.filter(|upload| order.is_for(upload)));
        }
        Ok(None)
    }

    async fn insert(&self, upload: Upload) -> Result<Created, Error> {
        let inserted = self.catalog.insert(&upload).await.map_err(refuse_full);
        if let Err(Error::Refused(_)) = inserted {
            // It certainly is not recorded. After a fault it may be, and then the place is needed.
            self.discard_unused(&upload).await;
        }
        match inserted? {
            Inserted::New => {
                self.tally.add(Count::UploadsCreated, 1);
                Ok(Created { upload, is_resumed: false })
            }
            Inserted::Existing(existing) => {
                // Two creates with one idempotency key ran at once; ours made a place that nobody will use.
                self.discard_unused(&upload).await;
                if !existing.is_same_file(&upload.key, upload.plan.total_bytes(), &upload.about) {
                    return Err(Refusal::IdempotencyConflict.into());
                }
                Ok(Created { upload: *existing, is_resumed: true })
            }
        }
    }

    async fn discard_unused(&self, upload: &Upload) {
        if let Err(fault) = self.store.discard(&upload.place).await {
            self.tally.note_ignored(&fault);
        }
    }
}

pub(super) fn key_blocked(key: Key, obstacle: Obstacle) -> Refusal {
    Refusal::KeyBlocked { key, obstacle: obstacle.name, is_folder: obstacle.is_folder }
}

fn check_about(about: &About) -> Result<(), Refusal> {
    check_text("filename", &about.filename, FILENAME_BYTES_MAX)?;
    if let Some(content_type) = &about.content_type {
        check_text("content_type", content_type, CONTENT_TYPE_BYTES_MAX)?;
    }
    if let Some(fingerprint) = &about.fingerprint {
        check_handle("fingerprint", fingerprint)?;
    }
    if let Some(key) = &about.idempotency_key {
        check_handle("idempotency_key", key)?;
    }
    let metadata_bytes: usize = about.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if metadata_bytes > METADATA_BYTES_MAX || about.metadata.len() > METADATA_COUNT_MAX {
        let problem = format!(
            "at most {METADATA_COUNT_MAX} entries of {METADATA_BYTES_MAX} bytes together are kept, \
             these are {} of {metadata_bytes}",
            about.metadata.len()
        );
        return Err(Refusal::BadField { field: "metadata".into(), problem });
    }
    for (name, value) in &about.metadata {
        check_text("metadata", name, METADATA_BYTES_MAX)?;
        check_text("metadata", value, METADATA_BYTES_MAX)?;
    }
    Ok(())
}

fn check_handle(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::BadField {
            field: field.into(),
            problem: "is empty, leave it out instead".into(),
        });
    }
    check_text(field, text, HANDLE_BYTES_MAX)
}

fn check_text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    let problem = if text.len() > bytes_max {
        format!("is {} bytes long, {bytes_max} are allowed", text.len())
    } else if text.chars().any(char::is_control) {
        "holds a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::BadField { field: field.into(), problem })
}
