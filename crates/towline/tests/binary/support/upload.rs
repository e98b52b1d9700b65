//! The session door as a test speaks it.

use serde_json::{Value, json};

use super::http::{Connection, Reply};
use super::server::Server;

/// An upload that a server knows.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) part_bytes: usize,
}

impl Upload {
    /// Begins an upload of `size_bytes` in parts of `part_bytes`.
    pub(crate) fn begin(server: &Server, filename: &str, size_bytes: usize, part_bytes: usize) -> Self {
        let order = json!({"filename": filename, "file_size": size_bytes, "chunk_size": part_bytes});
        let reply = server.send("POST", "/upload/init", &order).ok();
        assert_eq!(reply["part_bytes"], part_bytes);
        Self { id: reply["session_id"].as_str().unwrap().to_owned(), part_bytes }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/upload/{}/{rest}", self.id)
    }

    /// Sends the part of this number of a file.
    pub(crate) fn put(&self, server: &Server, file: &[u8], number: usize) -> Reply {
        let part = self.part(file, number);
        server.connect().send("PUT", &self.path(&format!("part/{number}")), &[], part)
    }

    /// Begins to send a part, which the server is then waiting for; only `sent_bytes` of it for now.
    pub(crate) fn begin_put(
        &self,
        server: &Server,
        file: &[u8],
        number: usize,
        sent_bytes: usize,
    ) -> Connection {
        let part = self.part(file, number);
        let mut connection = server.connect();
        let path = self.path(&format!("part/{number}"));
        connection.begin("PUT", &path, &[("Expect", "100-continue")], part.len());
        assert_eq!(connection.reply_to_head().status, 100);
        connection.write(&part[..sent_bytes]);
        connection
    }

    pub(crate) fn part<'a>(&self, file: &'a [u8], number: usize) -> &'a [u8] {
        let from = (number - 1) * self.part_bytes;
        &file[from..file.len().min(from + self.part_bytes)]
    }

    pub(crate) fn status(&self, server: &Server) -> Value {
        server.get(&self.path("status")).ok()
    }

    pub(crate) fn complete(&self, server: &Server) -> Reply {
        server.send("POST", &self.path("complete"), &json!({}))
    }
}

/// Bytes without a pattern, the same for the same seed.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut noise = vec![0; bytes];
    random.fill(&mut noise);
    noise
}
