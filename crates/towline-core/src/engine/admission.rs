//! Letting a body in: a bounded number at once, each with a deadline, each cut when a newcomer takes over.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::tally::Count;
use super::{Body, BodyEnd, Room};
use crate::error::Refusal;
use crate::lease::{Lease, Seat};
use crate::policy::Policy;
use crate::upload::UploadId;

impl Room {
    /// A place among the bodies under way; waits for one, but not for long.
    pub(super) async fn admit_body(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let permit = std::sync::Arc::clone(&self.bodies).acquire_owned();
        match tokio::time::timeout(self.policy.admission_wait, permit).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(self.busy()),
        }
    }

    /// The right to write into a seat; its older holder is cut.
    pub(super) async fn take_seat(&self, id: UploadId, seat: Seat) -> Result<Lease, Refusal> {
        let lease = self.leases.take(id, seat, self.policy.admission_wait).await;
        lease.ok_or_else(|| self.busy())
    }

    pub(super) fn busy(&self) -> Refusal {
        Refusal::Busy { retry_after: self.policy.admission_wait.max(Duration::from_secs(1)) }
    }
}

/// Why an intake ended before the body's end.
#[derive(Debug)]
pub(super) enum Stop {
    TakenOver,
    TooSlow,
    Cut,
    Refused(Refusal),
}

impl Stop {
    pub(super) fn refusal(self, room: &Room, got_bytes: u64) -> Refusal {
        match self {
            Self::TakenOver => {
                room.tally.add(Count::BodiesTakenOver, 1);
                Refusal::TakenOver
            }
            Self::TooSlow => Refusal::BodyTooSlow { got_bytes },
            Self::Cut => Refusal::BodyCut { got_bytes },
            Self::Refused(refusal) => refusal,
        }
    }
}

/// Reads a body frame by frame within its deadlines.
pub(super) struct Intake<'a> {
    body: Body<'a>,
    frame_wait: Duration,
    bytes_per_s_min: u64,
    began: Instant,
    got_bytes: u64,
    /// What a frame held beyond the part that it ended.
    rest: Bytes,
}

impl<'a> Intake<'a> {
    pub(super) fn new(body: Body<'a>, policy: &Policy) -> Self {
        Self {
            body,
            frame_wait: policy.frame_wait,
            bytes_per_s_min: policy.body_bytes_per_s_min.max(1),
            began: Instant::now(),
            got_bytes: 0,
            rest: Bytes::new(),
        }
    }

    pub(super) fn got_bytes(&self) -> u64 {
        self.got_bytes
    }

    /// The next frame; nothing at the body's end. `lease` is whose loss cuts the body.
    pub(super) async fn next(&mut self, lease: &Lease) -> Result<Option<Bytes>, Stop> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        if lease.is_cut() {
            return Err(Stop::TakenOver);
        }
        // A client that drips a byte now and then is as lost as a silent one: the average counts, too.
        let earned = Duration::from_secs(self.got_bytes / self.bytes_per_s_min);
        let until = (Instant::now() + self.frame_wait).min(self.began + self.frame_wait + earned);
        let frame = tokio::select! {
            biased;
            frame = tokio::time::timeout_at(until, self.body.next()) => frame,
            () = lease.cut() => return Err(Stop::TakenOver),
        };
        match frame {
            Err(_) => Err(Stop::TooSlow),
            Ok(None) => Ok(None),
            Ok(Some(Err(BodyEnd::Cut))) => Err(Stop::Cut),
            Ok(Some(Err(BodyEnd::Refused(refusal)))) => Err(Stop::Refused(refusal)),
            Ok(Some(Ok(frame))) => {
                self.got_bytes += frame.len() as u64;
                Ok(Some(frame))
            }
        }
    }

    /// Gives back what belongs to the next part.
    pub(super) fn push_back(&mut self, rest: Bytes) {
        self.rest = rest;
    }
}
