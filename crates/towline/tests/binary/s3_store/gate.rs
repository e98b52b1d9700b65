//! A line between Towline and its store that, once it is shut, lets a completion through and keeps the answer.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

const COMPLETION_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    /// Before that, what the server tries out at its start passes both ways.
    is_shut: Arc<AtomicBool>,
    completed: Receiver<String>,
}

impl Gate {
    pub(super) fn before(store: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (say, completed) = mpsc::channel();
        let is_shut = Arc::new(AtomicBool::new(false));
        let shut = Arc::clone(&is_shut);
        // It ends with the process of the test.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (say, shut) = (say.clone(), Arc::clone(&shut));
                // A server that is killed breaks its connections.
                thread::spawn(move || pass(client, store, (&shut, &say)).ok());
            }
        });
        Self { address, is_shut, completed }
    }

    pub(super) fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
    }

    /// Waits until the store has answered a completion; gives the status of the answer, which nobody else will see.
    pub(super) fn wait_for_completion(&self) -> String {
        self.completed.recv_timeout(COMPLETION_WAIT).expect("nothing was completed")
    }
}

/// One request of one connection, as the store is told.
fn pass(
    mut client: TcpStream,
    store: SocketAddr,
    (is_shut, say): (&AtomicBool, &Sender<String>),
) -> io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            break head.len() - 2;
        }
    };
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let mut server = TcpStream::connect(store)?;
    server.write_all(&head[..end])?;
    server.write_all(b"connection: close\r\n\r\n")?;
    let (mut requests, mut upstream) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || io::copy(&mut requests, &mut upstream));
    let is_completion = line.starts_with("POST ") && line.contains("uploadId=");
    if is_completion && is_shut.load(Ordering::SeqCst) {
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        let status = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
        say.send(status).ok();
        // Held open: whoever asked has no sign that it was answered.
        client.read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
