//! A line between the store and a server that can be made bad, one request at a time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What happens to a request, before or after the server has seen it.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    /// It is spared.
    None,
    /// This is answered, and the server sees nothing.
    Answer(&'static str),
    /// The connection ends when the request has arrived.
    Cut,
    /// Nothing is ever answered.
    Silence,
    /// The server does it; the answer is lost.
    LoseAnswer,
    /// So many bytes of the answer come through.
    CutAnswer(u64),
}

pub(crate) const SLOW_DOWN: Harm = Harm::Answer(concat!(
    "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: 60\r\nconnection: close\r\n\r\n",
    "<Error><Code>SlowDown</Code><Message>Less!</Message></Error>"
));
pub(crate) const ERROR: Harm =
    Harm::Answer("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");

type Plan = Arc<Mutex<VecDeque<(&'static str, Harm)>>>;

/// Forwards to a server until it is dropped.
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    plan: Plan,
    seen: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let (plan, seen) = (Plan::default(), Arc::new(Mutex::new(Vec::new())));
        let (plan_too, seen_too) = (Arc::clone(&plan), Arc::clone(&seen));
        let task = TaskTracker::new().spawn(async move {
            let connections = TaskTracker::new();
            while let Ok((client, _)) = listener.accept().await {
                let (plan, seen, upstream) = (Arc::clone(&plan_too), Arc::clone(&seen_too), upstream.clone());
                connections.spawn(async move {
                    // A connection that breaks is what this is about.
                    serve(client, &upstream, &plan, &seen).await.ok();
                });
            }
        });
        Self { endpoint: format!("http://{own}"), plan, seen, _task: AbortOnDropHandle::new(task) }
    }

    /// The next requests whose first line has all these words, separated by spaces, come to harm, one by one.
    pub(crate) fn harm(&self, words: &'static str, harms: impl IntoIterator<Item = Harm>) {
        self.plan.lock().unwrap().extend(harms.into_iter().map(|harm| (words, harm)));
    }

    /// What is still planned did not happen.
    pub(crate) fn assert_done(&self) {
        assert!(self.plan.lock().unwrap().is_empty(), "not all came to harm");
    }

    pub(crate) fn count(&self, words: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| has(line, words)).count()
    }
}

fn has(line: &str, words: &str) -> bool {
    words.split(' ').all(|word| line.contains(word))
}

/// One request of one connection.
async fn serve(
    mut client: TcpStream,
    upstream: &str,
    plan: &Plan,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&head[..end]).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(line.clone());
    let harm = {
        let mut plan = plan.lock().unwrap();
        let at = plan.iter().position(|(words, _)| has(&line, words));
        at.and_then(|at| plan.remove(at)).map(|(_, harm)| harm)
    };
    let length =
        text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let rest = length.unwrap_or(0_u64).saturating_sub((head.len() - end - 4) as u64);
    match harm {
        Some(Harm::Answer(answer)) => {
            tokio::io::copy(&mut (&mut client).take(rest), &mut tokio::io::sink()).await?;
            client.write_all(answer.as_bytes()).await
        }
        Some(Harm::Cut) => Ok(()),
        Some(Harm::Silence) => std::future::pending().await,
        Some(Harm::LoseAnswer) => {
            let mut server = forward(&head, end, upstream).await?;
            tokio::io::copy(&mut (&mut client).take(rest), &mut server).await?;
            tokio::io::copy(&mut server, &mut tokio::io::sink()).await.map(drop)
        }
        Some(Harm::CutAnswer(bytes)) => {
            let mut server = forward(&head, end, upstream).await?;
            tokio::io::copy(&mut (&mut client).take(rest), &mut server).await?;
            tokio::io::copy(&mut server.take(bytes), &mut client).await.map(drop)
        }
        Some(Harm::None) | None => {
            let mut server = forward(&head, end, upstream).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
    }
}

/// Sends what has arrived to the server, and asks it to end the connection after this one request.
async fn forward(head: &[u8], end: usize, upstream: &str) -> io::Result<TcpStream> {
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&head[..end]).await?;
    server.write_all(b"\r\nconnection: close").await?;
    server.write_all(&head[end..]).await?;
    Ok(server)
}
