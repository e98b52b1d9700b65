//! One kept-alive HTTP/1.1 connection, blocking and bare: what a bench can afford between itself and the socket.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A server that is silent for so long hangs.
const REPLY_WAIT: Duration = Duration::from_mins(1);
const HEAD_BYTES_MAX: u64 = 64 * 1024;
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_WAIT))?;
        stream.set_write_timeout(Some(REPLY_WAIT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.send("GET", path, "", &[])
    }

    pub(crate) fn delete(&mut self, path: &str) -> io::Result<Reply> {
        self.send("DELETE", path, "", &[])
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> io::Result<Reply> {
        self.send("POST", path, "content-type: application/json\r\n", body.to_string().as_bytes())
    }

    pub(crate) fn put(&mut self, path: &str, body: &[u8]) -> io::Result<Reply> {
        self.send("PUT", path, "content-type: application/octet-stream\r\n", body)
    }

    /// Sends a PUT that ends too early, and hangs up.
    pub(crate) fn put_cut(mut self, path: &str, body: &[u8]) -> io::Result<()> {
        self.send_head("PUT", path, "", body.len())?;
        self.stream.get_mut().write_all(&body[..body.len() / 2])
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<Reply> {
        self.send_head(method, path, headers, body.len())?;
        self.stream.get_mut().write_all(body)?;
        self.receive()
    }

    fn send_head(&mut self, method: &str, path: &str, headers: &str, length: usize) -> io::Result<()> {
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n{headers}\r\n");
        self.stream.get_mut().write_all(head.as_bytes())
    }

    fn receive(&mut self) -> io::Result<Reply> {
        let mut head = (&mut self.stream).take(HEAD_BYTES_MAX);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| broken("no status line"))?;
        let mut length = None;
        loop {
            line.clear();
            head.read_line(&mut line)?;
            match line.trim_end() {
                "" if line.is_empty() => return Err(broken("the head is cut")),
                "" => break,
                header => length = length.or(content_length(header)),
            }
        }
        let length = length.ok_or_else(|| broken("no content-length"))?;
        if length > BODY_BYTES_MAX {
            return Err(broken("the body is too long"));
        }
        let mut body = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(broken("the body is cut"));
        }
        Ok(Reply { status, body })
    }
}

fn content_length(header: &str) -> Option<u64> {
    let (name, value) = header.split_once(':')?;
    if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}
