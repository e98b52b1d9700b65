//! One client of the soak: an upload after the other, through every crash, keeping its books.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail, ensure};
use crc_fast::{CrcAlgorithm, checksum};
use fastrand::Rng;
use sha2::{Digest as _, Sha256};

use super::gate::Gate;
use super::ledger::{Account, Ledger, Sealed};
use crate::session::{Begun, Client, Trouble, Wish};

const FILE_BYTES_MAX: usize = 40 * 1024 * 1024;
const PART_BYTES: std::ops::RangeInclusive<u64> = 64 * 1024..=5 * 1024 * 1024;

/// What the clients share.
#[derive(Debug)]
pub(super) struct Stage {
    pub gate: Gate,
    pub ledger: Mutex<Ledger>,
}

impl Stage {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the account of a client, while it has one.
    fn account(&self, client: usize, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.ledger().accounts.get_mut(&client) {
            change(account);
        }
    }
}

pub(super) struct Life<'a> {
    stage: &'a Stage,
    /// Which of the clients this is.
    number: usize,
    rng: Rng,
    client: Option<Client>,
}

/// What becomes of one part.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Plain,
    /// Sent again though it was acknowledged.
    Twice,
    /// Other bytes first, acknowledged, then the right ones.
    WrongFirst,
    /// Half of it first, then the client is gone, then all of it.
    CutFirst,
}

impl<'a> Life<'a> {
    pub(super) fn new(stage: &'a Stage, number: usize, rng: Rng) -> Self {
        Self { stage, number, rng, client: None }
    }

    /// Uploads until it is asked to end, or until something is not as promised.
    pub(super) fn live(&mut self) {
        let mut file = 0;
        while !self.stage.gate.is_ending() {
            file += 1;
            if let Err(error) = self.upload(file) {
                if !self.stage.gate.is_given_up() {
                    let violation = format!("client {}, file {file}: {error:#}", self.number);
                    self.stage.ledger().violations.push(violation);
                }
                break;
            }
        }
        self.stage.gate.leave();
    }

    fn upload(&mut self, file: u32) -> anyhow::Result<()> {
        let bytes = self.content();
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let wish = Wish {
            filename: format!("soak {}-{file}.bin", self.number),
            file_bytes: bytes.len() as u64,
            part_bytes: self.rng.u64(PART_BYTES),
            sha256: self.rng.bool().then(|| hex(&sha256)),
        };
        let begun = self.insist(|client| client.begin(&wish)).context("beginning")?;
        self.stage.ledger().accounts.insert(self.number, Account::new(begun.id.clone()));
        if self.rng.u8(..20) == 0 {
            return self.cancel(&begun);
        }
        loop {
            let missing = self.missing(&begun, &bytes)?;
            if missing.is_empty() {
                break;
            }
            self.send(&begun, &bytes, missing)?;
        }
        self.stage.account(self.number, |account| account.is_ending = true);
        let path = self.insist(|client| client.complete(&begun.id)).context("completing")?;
        let mut ledger = self.stage.ledger();
        ledger.accounts.remove(&self.number);
        ledger.tally.sealed += 1;
        ledger.sealed.push(Sealed { path, sha256 });
        Ok(())
    }

    fn cancel(&mut self, begun: &Begun) -> anyhow::Result<()> {
        self.stage.account(self.number, |account| account.is_ending = true);
        self.insist(|client| client.cancel(&begun.id)).context("cancelling")?;
        let mut ledger = self.stage.ledger();
        ledger.accounts.remove(&self.number);
        ledger.tally.cancelled += 1;
        Ok(())
    }

    /// Random bytes, more often few than many, sometimes none.
    fn content(&mut self) -> Vec<u8> {
        let bound = FILE_BYTES_MAX >> self.rng.u32(..8);
        let size = if self.rng.u8(..20) == 0 { 0 } else { self.rng.usize(..=bound) };
        let mut bytes = vec![0; size];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// What status and the list of parts say is not there, or not as it should be; in random order.
    fn missing(&mut self, begun: &Begun, bytes: &[u8]) -> anyhow::Result<Vec<u32>> {
        let status = self.insist(|client| client.status(&begun.id)).context("asking for the status")?;
        let listed = self.insist(|client| client.parts(&begun.id)).context("asking for the parts")?;
        let completed = status["completed_parts"].as_array().context("a status without completed_parts")?;
        let completed: Vec<u64> = completed.iter().filter_map(serde_json::Value::as_u64).collect();
        ensure!(
            completed.iter().copied().eq(listed.keys().copied().map(u64::from)),
            "the status says {completed:?}, the list {:?}",
            listed.keys()
        );
        let is_right = |part: &u32| listed.get(part) == Some(&crc64(slot(begun, bytes, *part)));
        let mut missing: Vec<u32> = (1..=begun.parts).filter(|part| !is_right(part)).collect();
        self.rng.shuffle(&mut missing);
        Ok(missing)
    }

    /// Sends parts until all are sent or the server is gone.
    fn send(&mut self, begun: &Begun, bytes: &[u8], parts: Vec<u32>) -> anyhow::Result<()> {
        for part in parts {
            let right = slot(begun, bytes, part);
            let turn = match self.rng.u8(..20) {
                0 => Turn::Twice,
                1 => Turn::WrongFirst,
                2 => Turn::CutFirst,
                _ => Turn::Plain,
            };
            let is_there = match turn {
                Turn::Plain => self.put(begun, part, right)?,
                Turn::Twice => self.put(begun, part, right)? && self.put(begun, part, right)?,
                Turn::WrongFirst => {
                    let wrong: Vec<u8> = right.iter().map(|byte| !byte).collect();
                    self.put(begun, part, &wrong)? && self.put(begun, part, right)?
                }
                Turn::CutFirst => {
                    // Whether the half arrives is nobody's concern: it must leave no trace.
                    if let Some(client) = self.client.take() {
                        client.put_cut(&begun.id, part, right).ok();
                    }
                    match self.put(begun, part, right) {
                        // Over two connections the server may see the half last.
                        Err(error) if is_taken_over(&error) => false,
                        answer => answer?,
                    }
                }
            };
            if !is_there {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends one part once; answers whether the server lived to acknowledge it.
    fn put(&mut self, begun: &Begun, part: u32, bytes: &[u8]) -> anyhow::Result<bool> {
        let sent = crc64(bytes);
        let (stage, number) = (self.stage, self.number);
        let send = |client: &mut Client| {
            // Not before: until there is a server nothing is on its way.
            stage.account(number, |account| account.sends(part, sent));
            client.put(&begun.id, part, bytes)
        };
        let Some(seen) = self.attempt(send).context("sending a part")? else {
            return Ok(false);
        };
        ensure!(seen == sent, "part {part} was sent as {sent:016x} and acknowledged as {seen:016x}");
        self.stage.account(self.number, |account| account.is_told(part, sent));
        self.stage.ledger().tally.parts += 1;
        Ok(true)
    }

    /// Asks again after each crash until there is an answer. Only for what may be asked twice.
    fn insist<T>(&mut self, ask: impl Fn(&mut Client) -> Result<T, Trouble>) -> anyhow::Result<T> {
        loop {
            if let Some(answer) = self.attempt(&ask)? {
                return Ok(answer);
            }
        }
    }

    /// Asks once; nothing when the server was killed over it. Any other loss is the server's fault.
    fn attempt<T>(&mut self, ask: impl Fn(&mut Client) -> Result<T, Trouble>) -> anyhow::Result<Option<T>> {
        let client = match self.client.take() {
            Some(client) => Ok(client),
            None => Client::open(self.stage.gate.pass()?),
        };
        let answer = client.and_then(|mut client| {
            let answer = ask(&mut client)?;
            self.client = Some(client);
            Ok(answer)
        });
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Trouble::Lost(error)) if self.stage.gate.is_open() => bail!("lost without a kill: {error}"),
            Err(Trouble::Lost(_)) => Ok(None),
            Err(trouble @ (Trouble::TakenOver | Trouble::Wrong(_))) => Err(trouble.into()),
        }
    }
}

fn is_taken_over(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Trouble::TakenOver))
}

fn slot<'b>(begun: &Begun, bytes: &'b [u8], part: u32) -> &'b [u8] {
    let part_bytes = usize::try_from(begun.part_bytes).expect("parts are at most 5 GiB, and this is 64 bit");
    bytes.chunks(part_bytes).nth(part as usize - 1).unwrap_or_default()
}

fn crc64(bytes: &[u8]) -> u64 {
    checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
