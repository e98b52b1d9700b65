//! One part, until it has landed or there is no point in trying again.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::Put;
use super::run::Tally;
use crate::event::{Event, FileNumber};
use crate::remote::{Frames, Sent};
use crate::trouble::Trouble;

/// Tries something that sends frames until it succeeds or fails for good. It has a turn while it waits, too: a line that is
/// down is not tried by ever more parts.
pub(super) async fn insist<T, Sending>(
    (put, tally): (&Put, &Tally),
    (file, number): (FileNumber, u32),
    frames: impl Fn() -> Frames,
    send: impl Fn(Frames) -> Sending,
) -> Result<T, Trouble>
where
    Sending: Future<Output = Result<T, Trouble>>,
{
    let mut failures = 0;
    loop {
        let meter = Arc::new(Meter::default());
        let counted = meter.over(frames(), Told { put, tally, file });
        let trouble = match send(counted).await {
            Ok(done) => return Ok(done),
            Err(trouble) => meter.fault().unwrap_or(trouble),
        };
        let lost_bytes = meter.sent_bytes.load(Ordering::Relaxed);
        put.watch.see(file, Event::Lost { bytes: lost_bytes });
        let Trouble::Passing { what, is_crowded, retry_after } = &trouble else { return Err(trouble) };
        if *is_crowded {
            tell_workers(put, file, put.pace.crowded());
        }
        failures += 1;
        let wait = put.options.patience.wait(failures, *retry_after, fastrand::f64());
        let Some(wait) = wait else { return Err(trouble) };
        tally.retries.fetch_add(1, Ordering::Relaxed);
        put.watch.see(file, Event::Retrying { number, tries: failures, wait, why: what });
        sleep(wait).await;
    }
}

fn tell_workers(put: &Put, file: FileNumber, count: Option<usize>) {
    if let Some(count) = count {
        put.watch.see(file, Event::Workers { count });
    }
}

/// To whom it is told what goes out.
#[derive(Clone, Copy)]
struct Told<'a> {
    put: &'a Put,
    tally: &'a Tally,
    file: FileNumber,
}

/// What one try has handed to the line, and whether reading failed.
#[derive(Debug, Default)]
struct Meter {
    sent_bytes: AtomicU64,
    fault: Mutex<Option<Trouble>>,
}

impl Meter {
    fn over(self: &Arc<Self>, frames: Frames, told: Told<'_>) -> Frames {
        let Told { put, tally, file } = told;
        let (watch, pace) = (Arc::clone(&put.watch), Arc::clone(&put.pace));
        let (meter, sent_in_all) = (Arc::clone(self), Arc::clone(&tally.sent_bytes));
        let reader = Arc::clone(self);
        let stream = frames.stream.inspect(move |frame| {
            if let Err(error) = frame {
                reader.keep(error);
            }
        });
        let sent = Sent::new(move |bytes| {
            meter.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
            sent_in_all.fetch_add(bytes, Ordering::Relaxed);
            watch.see(file, Event::Sent { bytes });
            if let Some(count) = pace.sent(bytes) {
                watch.see(file, Event::Workers { count });
            }
        });
        Frames { sent, ..Frames::new(frames.size_bytes, stream) }
    }

    /// What the other end makes of a body that breaks off is no news: this is why it did.
    fn keep(&self, error: &io::Error) {
        let what = if error.kind() == io::ErrorKind::UnexpectedEof {
            "the file became shorter while it was read".to_owned()
        } else {
            format!("the file cannot be read: {error}")
        };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Trouble::source(what));
    }

    fn fault(&self) -> Option<Trouble> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
