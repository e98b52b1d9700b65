//! A server that answers as a test tells it, and remembers what it was asked.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /path`.
    pub(crate) line: String,
    /// The names and values, in the order they were sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

type Play = dyn Fn(&Asked) -> Answer + Send + Sync;

/// What is written back; an empty one closes the connection without a word.
pub(crate) type Answer = Vec<u8>;

#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    /// It ends with the process of the test.
    pub(crate) fn play(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                thread::spawn(move || serve(client, (&heard, &*answer)).ok());
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The first lines of the requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn serve(client: TcpStream, (heard, answer): (&Mutex<Vec<Asked>>, &Play)) -> io::Result<()> {
    let mut replies = client.try_clone()?;
    let mut client = BufReader::new(client);
    loop {
        let Some(asked) = read(&mut client)? else { return Ok(()) };
        heard.lock().unwrap().push(asked.clone());
        let answer = answer(&asked);
        if answer.is_empty() {
            return replies.shutdown(std::net::Shutdown::Both);
        }
        replies.write_all(&answer)?;
    }
}

fn read(client: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let line = lines.remove(0).rsplit_once(' ').unwrap().0.to_owned();
    let headers = lines.iter().map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut asked = Asked { line, headers, body: Vec::new() };
    let length = asked.header("content-length").map_or(0, |text| text.parse().unwrap());
    asked.body.resize(length, 0);
    client.read_exact(&mut asked.body)?;
    Ok(Some(asked))
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Answer {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn json(body: &str) -> Answer {
    answer("200 OK", "Content-Type: application/json\r\n", body)
}
