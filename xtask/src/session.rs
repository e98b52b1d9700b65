//! The session door from the client's side: the requests that benches and soaks make.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http::{Connection, Reply};

const PAGE: usize = 1000;

/// How a request ends badly.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No reply: the server may or may not have done it.
    Lost(io::Error),
    /// Another request of ours for the same part came later, as the server sees it.
    TakenOver,
    /// A reply that is not the promised one.
    Wrong(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(error) => write!(f, "no reply: {error}"),
            Self::TakenOver => f.write_str("taken over"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Trouble {}

/// What a client asks for at the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub filename: String,
    pub file_bytes: u64,
    pub part_bytes: u64,
    /// Hex.
    pub sha256: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub id: String,
    pub part_bytes: u64,
    pub parts: u32,
}

#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
}

impl Client {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Trouble> {
        Ok(Self { connection: Connection::open(address)? })
    }

    /// Begins an upload, or finds it again: the name stands for the content here.
    pub(crate) fn begin(&mut self, wish: &Wish) -> Result<Begun, Trouble> {
        let mut body = json!({
            "filename": wish.filename,
            "file_size": wish.file_bytes,
            "chunk_size": wish.part_bytes,
            "fingerprint": wish.filename,
        });
        if let Some(sha256) = &wish.sha256 {
            body["file_hash"] = json!(sha256);
        }
        let reply = fields(&self.connection.post("/upload/init", &body)?)?;
        let id = text(&reply, "session_id")?;
        let parts = number(&reply, "total_parts")?;
        let parts = u32::try_from(parts).map_err(|_| Trouble::Wrong(format!("{parts} parts")))?;
        Ok(Begun { id, part_bytes: number(&reply, "part_bytes")?, parts })
    }

    /// Sends a part; answers the CRC-64/NVME that the server saw.
    pub(crate) fn put(&mut self, id: &str, part: u32, bytes: &[u8]) -> Result<u64, Trouble> {
        let reply = fields(&self.connection.put(&part_path(id, part), bytes)?)?;
        crc64(&reply)
    }

    /// Sends half of a part and is gone.
    pub(crate) fn put_cut(self, id: &str, part: u32, bytes: &[u8]) -> Result<(), Trouble> {
        Ok(self.connection.put_cut(&part_path(id, part), bytes)?)
    }

    pub(crate) fn status(&mut self, id: &str) -> Result<Value, Trouble> {
        fields(&self.connection.get(&format!("/upload/{id}/status"))?)
    }

    /// Every part the server has, with its CRC-64/NVME.
    pub(crate) fn parts(&mut self, id: &str) -> Result<BTreeMap<u32, u64>, Trouble> {
        let mut parts = BTreeMap::new();
        loop {
            let after = parts.last_key_value().map_or(0, |(number, _)| *number);
            let page =
                fields(&self.connection.get(&format!("/upload/{id}/parts?after={after}&limit={PAGE}"))?)?;
            let Some(listed) = page["parts"].as_array() else {
                return Err(unlike(&page, "parts"));
            };
            for part in listed {
                let number = number(part, "part_number")?;
                let number = u32::try_from(number).map_err(|_| unlike(part, "part_number"))?;
                if number <= after {
                    return Err(Trouble::Wrong(format!("part {number} is listed after {after}")));
                }
                parts.insert(number, crc64(part)?);
            }
            if page["next"].is_null() {
                return Ok(parts);
            }
        }
    }

    /// Finishes the upload; answers where the file lies.
    pub(crate) fn complete(&mut self, id: &str) -> Result<PathBuf, Trouble> {
        let reply = fields(&self.connection.post(&format!("/upload/{id}/complete"), &json!({}))?)?;
        Ok(PathBuf::from(text(&reply, "file_path")?))
    }

    pub(crate) fn cancel(&mut self, id: &str) -> Result<(), Trouble> {
        fields(&self.connection.delete(&format!("/upload/{id}"))?)?;
        Ok(())
    }
}

fn part_path(id: &str, part: u32) -> String {
    format!("/upload/{id}/part/{part}")
}

fn fields(reply: &Reply) -> Result<Value, Trouble> {
    let body: Value = serde_json::from_slice(&reply.body)
        .map_err(|error| Trouble::Wrong(format!("{}, and a body that is no JSON: {error}", reply.status)))?;
    if (200..300).contains(&reply.status) {
        Ok(body)
    } else if body["type"].as_str().is_some_and(|kind| kind.ends_with("#taken-over")) {
        Err(Trouble::TakenOver)
    } else {
        Err(Trouble::Wrong(format!("{}: {body}", reply.status)))
    }
}

fn text(value: &Value, field: &str) -> Result<String, Trouble> {
    value[field].as_str().map(str::to_owned).ok_or_else(|| unlike(value, field))
}

fn number(value: &Value, field: &str) -> Result<u64, Trouble> {
    value[field].as_u64().ok_or_else(|| unlike(value, field))
}

fn crc64(value: &Value) -> Result<u64, Trouble> {
    let hex = text(value, "crc64nvme")?;
    u64::from_str_radix(&hex, 16).map_err(|_| unlike(value, "crc64nvme"))
}

fn unlike(value: &Value, field: &str) -> Trouble {
    Trouble::Wrong(format!("no good `{field}` in {value}"))
}
