//! A file to standard output: in order, digested on its way. What was given out cannot be taken back, so that a wrong
//! digest is an error at the end.

use std::path::Path;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;
use towline_core::digest::{Digest, Digester};

use super::target::cannot;
use super::{Fetched, Get, Job, Verdict, compare, find};
use crate::event::{Event, FileNumber};
use crate::remote::Slot;
use crate::trouble::Trouble;

impl Get {
    /// Gives out a file. An error means that what was given out is not, or not all of, the file.
    pub async fn pour(
        &self,
        number: FileNumber,
        key: &str,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Fetched, Trouble> {
        let began_at = Instant::now();
        let stored = find(&*self.shelf, key).await?;
        let job = Job::new((&*self.shelf, &*self.watch), self.options, (number, &stored));
        let size_bytes = stored.size_bytes;
        let began = Event::Began {
            ticket: None,
            total_bytes: Some(size_bytes),
            part_bytes: size_bytes,
            is_resumed: false,
        };
        self.watch.see(number, began);
        let algorithm = stored.digest.as_ref().map(Digest::algorithm).filter(|_| stored.crc64.is_none());
        let mut digester = Digester::new(algorithm);
        let mut reading = job.read(Slot { number: 1, offset_bytes: 0, size_bytes });
        let lost = |error: std::io::Error| cannot(Path::new("standard output"), &error);
        while let Some(frame) = reading.next().await? {
            digester.update(&frame);
            out.write_all(&frame).await.map_err(lost)?;
        }
        out.flush().await.map_err(lost)?;
        let computed = digester.finish();
        let told = stored.crc64.map(Digest::of_crc64).or_else(|| stored.digest.clone());
        let found = told.as_ref().and_then(|told| computed.get(told.algorithm()));
        let checked = match told.zip(found).map(|(told, found)| compare(&stored.key, told, &found)) {
            Some(Verdict::Wrong(what)) => return Err(Trouble::refused(what)),
            Some(Verdict::True(checked)) => checked,
            None => None,
        };
        Ok(Fetched {
            path: None,
            size_bytes,
            crc64: computed.crc64,
            checked,
            took: began_at.elapsed(),
            received_bytes: job.received_bytes(),
            kept_bytes: 0,
            retries: job.retries(),
        })
    }
}
