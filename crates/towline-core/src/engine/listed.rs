//! Finishing with a list of parts, as S3's clients do: the object is made of those that are named, and of no other.

use std::collections::HashMap;

use super::Room;
use crate::catalog::{Fact, Recorded};
use crate::error::{Error, Refusal};
use crate::plan::Plan;
use crate::upload::{Part, Upload};

/// A part as the client names it when it finishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub number: u64,
    /// What [`Engine::part_tag`](super::Engine::part_tag) gave for it, with or without quotes.
    pub tag: String,
}

impl Room {
    /// Refuses a list that names what has not landed so, and parts that are too small to be joined.
    pub(super) async fn check_listed(
        &self,
        upload: &Upload,
        listed: Option<&[Claimed]>,
    ) -> Result<(), Error> {
        let Plan::Free { .. } = upload.plan else {
            let Some(listed) = listed else { return Ok(()) };
            let parts = self.recorded_parts(upload.id).await?;
            check_tags(self, &parts, listed)?;
            return match parts.iter().find(|part| !is_listed(part, listed)) {
                Some(part) => {
                    let problem =
                        format!("leaves out part {}: this upload needs all of its parts", part.number);
                    Err(Refusal::BadField { field: "parts".into(), problem }.into())
                }
                None => Ok(()),
            };
        };
        let mut parts = self.recorded_parts(upload.id).await?;
        if let Some(listed) = listed {
            check_tags(self, &parts, listed)?;
            parts.retain(|part| is_listed(part, listed));
        }
        let total_bytes = upload.plan.total_bytes();
        if !(parts.is_empty() && total_bytes == Some(0)) {
            self.check_sizes(&parts)?;
        }
        // Before anything that is not listed is forgotten.
        let landed_bytes = parts.iter().map(|part| part.size_bytes).sum();
        match total_bytes {
            Some(total_bytes) if total_bytes != landed_bytes => {
                Err(Refusal::MissingBytes { landed_bytes, total_bytes }.into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Forgets the parts of a free plan that the list leaves out.
    pub(super) async fn drop_unlisted(&self, upload: &Upload, listed: &[Claimed]) -> Result<(), Error> {
        let Plan::Free { .. } = upload.plan else { return Ok(()) };
        let parts = self.recorded_parts(upload.id).await?;
        for part in parts.into_iter().filter(|part| !is_listed(part, listed)) {
            let lost = Fact::PartLost(part.number, part.mark.clone());
            if self.record(upload, lost).await? == Recorded::Stale {
                return Ok(());
            }
            self.drop_unrecorded(upload, &part).await;
        }
        Ok(())
    }

    /// Whether an upload that takes no more parts has those of the list, and a free plan no other.
    pub(super) async fn is_as_listed(&self, upload: &Upload, listed: &[Claimed]) -> Result<bool, Error> {
        let parts = self.recorded_parts(upload.id).await?;
        let has_others = matches!(upload.plan, Plan::Free { .. }) && parts.len() != listed.len();
        Ok(!has_others && check_tags(self, &parts, listed).is_ok())
    }

    fn check_sizes(&self, parts: &[Part]) -> Result<(), Error> {
        let Some((_, all_but_last)) = parts.split_last() else {
            return Err(Refusal::MissingParts { first: vec![1], count: 1 }.into());
        };
        let needed_bytes = self.policy.free_part_bytes_min.max(self.limits.part_bytes_min);
        match all_but_last.iter().find(|part| part.size_bytes < needed_bytes) {
            Some(part) => {
                let (number, got_bytes) = (part.number, part.size_bytes);
                Err(Refusal::PartTooSmall { number, got_bytes, needed_bytes }.into())
            }
            None => Ok(()),
        }
    }
}

/// Both in the order of their numbers.
fn is_listed(part: &Part, listed: &[Claimed]) -> bool {
    listed.binary_search_by_key(&u64::from(part.number), |claimed| claimed.number).is_ok()
}

fn check_tags(room: &Room, parts: &[Part], listed: &[Claimed]) -> Result<(), Error> {
    let landed: HashMap<u64, &Part> = parts.iter().map(|part| (u64::from(part.number), part)).collect();
    let mut last = 0;
    for claimed in listed {
        if claimed.number <= last {
            let problem = "is not in the order of the part numbers, each once".to_owned();
            return Err(Refusal::BadField { field: "parts".into(), problem }.into());
        }
        last = claimed.number;
        let is_it = landed.get(&claimed.number).is_some_and(|part| {
            claimed.tag.trim_matches('"').eq_ignore_ascii_case(room.store.part_tag(part).trim_matches('"'))
        });
        if !is_it {
            return Err(Refusal::PartTag { number: claimed.number }.into());
        }
    }
    Ok(())
}
