//! The floor under `bench relay`: a server that does nothing but `recv` and `pwrite`. One thread per connection, one
//! buffer, no check of anything. It speaks just enough of the session door for the same load to run against it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, bail};

use super::load::PART_BYTES;
use crate::say;

const BUFFER_BYTES: usize = 256 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder the files go to
    #[arg(long)]
    data: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listening")?;
    say::line(format_args!("the floor listens on http://{}", listener.local_addr().context("listening")?));
    let last_id = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming() {
        let mut connection = Connection {
            stream: stream.context("accepting")?,
            buffer: vec![0; BUFFER_BYTES],
            filled: 0,
            data: args.data.clone(),
            last_id: Arc::clone(&last_id),
        };
        thread::spawn(move || {
            if let Err(error) = connection.serve() {
                say::note(format_args!("the floor: {error:#}"));
            }
        });
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of the buffer has been received and not been used.
    filled: usize,
    data: PathBuf,
    last_id: Arc<AtomicU64>,
}

/// As much of a request's head as is looked at.
struct Head {
    is_put: bool,
    path: String,
    length: usize,
}

impl Connection {
    fn serve(&mut self) -> anyhow::Result<()> {
        let mut open: Option<(String, File)> = None;
        while let Some(head) = self.head()? {
            if head.is_put {
                let (id, part) = id_and_part(&head.path).context("a PUT of something else than a part")?;
                let file = match open.take() {
                    Some((open_id, file)) if open_id == id => file,
                    _ => create(&self.data, id)?,
                };
                self.body(head.length, Some((&file, (part - 1) * PART_BYTES)))?;
                open = Some((id.to_owned(), file));
                self.reply(r#"{"crc64nvme":"0"}"#)?;
            } else {
                self.body(head.length, None)?;
                let id = self.last_id.fetch_add(1, Ordering::Relaxed);
                self.reply(&format!(r#"{{"session_id":"{id}","part_bytes":{PART_BYTES},"total_parts":1}}"#))?;
            }
        }
        Ok(())
    }

    fn head(&mut self) -> anyhow::Result<Option<Head>> {
        let end = loop {
            if let Some(at) = self.buffer[..self.filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let got = self.stream.read(&mut self.buffer[self.filled..]).context("receiving a head")?;
            if got == 0 {
                return Ok(None);
            }
            self.filled += got;
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        let mut words = text.split(' ');
        let is_put = words.next() == Some("PUT");
        let path = words.next().context("a head without a path")?.to_owned();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length = length.and_then(|length| length.parse().ok()).context("a head without a length")?;
        Ok(Some(Head { is_put, path, length }))
    }

    /// Receives a body and writes it where it belongs, if anywhere.
    fn body(&mut self, length: usize, file_and_offset: Option<(&File, u64)>) -> anyhow::Result<()> {
        let mut done = 0;
        while done < length {
            if self.filled == 0 {
                let want = self.buffer.len().min(length - done);
                self.filled = self.stream.read(&mut self.buffer[..want]).context("receiving a body")?;
                if self.filled == 0 {
                    bail!("a body was cut");
                }
            }
            let chunk = &self.buffer[..self.filled.min(length - done)];
            if let Some((file, offset)) = file_and_offset {
                file.write_all_at(chunk, offset + done as u64).context("writing")?;
            }
            done += chunk.len();
            let used = chunk.len();
            self.buffer.copy_within(used..self.filled, 0);
            self.filled -= used;
        }
        Ok(())
    }

    fn reply(&mut self, body: &str) -> anyhow::Result<()> {
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.stream.write_all(text.as_bytes()).context("replying")
    }
}

fn create(data: &Path, id: &str) -> anyhow::Result<File> {
    fs::create_dir_all(data).context("creating the folder")?;
    OpenOptions::new().create(true).truncate(false).write(true).open(data.join(id)).context("creating a file")
}

/// Of `/upload/{id}/part/{n}`.
fn id_and_part(path: &str) -> Option<(&str, u64)> {
    let (id, part) = path.strip_prefix("/upload/")?.split_once("/part/")?;
    Some((id, part.parse().ok()?))
}
