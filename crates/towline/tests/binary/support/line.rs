//! A line between clients and a server that stops at a chosen byte, so that a kill always comes in the middle.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::server::Server;

const STOP_WAIT: Duration = Duration::from_mins(1);

/// Passes on what comes until the clients have sent so many bytes together. Dropped, it is cut.
#[derive(Debug)]
pub(crate) struct Line {
    address: SocketAddr,
    ends: Arc<Ends>,
    stopped: Receiver<()>,
}

#[derive(Debug)]
struct Ends {
    server: SocketAddr,
    left_bytes: Mutex<usize>,
    passed_bytes: AtomicUsize,
    /// Nothing once the line is cut.
    open: Mutex<Option<Vec<TcpStream>>>,
}

impl Line {
    pub(crate) fn to(server: &Server, bytes_max: usize) -> Self {
        Self::to_address(server.address(), bytes_max)
    }

    pub(crate) fn to_address(server: SocketAddr, bytes_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(Ends {
            server,
            left_bytes: Mutex::new(bytes_max),
            passed_bytes: AtomicUsize::new(0),
            open: Mutex::new(Some(Vec::new())),
        });
        let (stop, stopped) = mpsc::channel();
        let accepting = Arc::clone(&ends);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A server that is gone is a client's trouble.
                if join(&accepting, client.unwrap(), &stop).is_err() && accepting.is_cut() {
                    break;
                }
            }
        });
        Self { address, ends, stopped }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on connections pass on so much more; those that have stopped stay so.
    pub(crate) fn pass_on(&self, bytes_max: usize) {
        *self.ends.left_bytes.lock().unwrap() = bytes_max;
    }

    /// What came from clients and was passed on.
    pub(crate) fn passed_bytes(&self) -> usize {
        self.ends.passed_bytes.load(Ordering::Relaxed)
    }

    /// Waits until the clients have sent all that this line passes on.
    pub(crate) fn wait_until_stopped(&self) {
        self.stopped.recv_timeout(STOP_WAIT).expect("the clients send more than the line passes on");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for stream in self.ends.open.lock().unwrap().take().into_iter().flatten() {
            stream.shutdown(Shutdown::Both).ok();
        }
        // Wakes the thread that accepts.
        TcpStream::connect(self.address).ok();
    }
}

impl Ends {
    fn is_cut(&self) -> bool {
        self.open.lock().unwrap().is_none()
    }

    fn keep(&self, stream: &TcpStream) -> io::Result<()> {
        match &mut *self.open.lock().unwrap() {
            Some(open) => open.push(stream.try_clone()?),
            None => return Err(io::ErrorKind::NotConnected.into()),
        }
        Ok(())
    }

    fn take(&self, wanted_bytes: usize) -> usize {
        let mut left_bytes = self.left_bytes.lock().unwrap();
        let taken_bytes = wanted_bytes.min(*left_bytes);
        *left_bytes -= taken_bytes;
        self.passed_bytes.fetch_add(taken_bytes, Ordering::Relaxed);
        taken_bytes
    }
}

/// Two threads for a connection, one for each direction.
fn join(ends: &Arc<Ends>, client: TcpStream, stop: &Sender<()>) -> io::Result<()> {
    let server = TcpStream::connect(ends.server)?;
    ends.keep(&client)?;
    ends.keep(&server)?;
    let (mut replies, mut reader) = (server.try_clone()?, client.try_clone()?);
    let (requests, ends, stop) = ((client, server), Arc::clone(ends), stop.clone());
    thread::spawn(move || pass_requests(&ends, requests, &stop));
    thread::spawn(move || {
        io::copy(&mut replies, &mut reader).ok();
        reader.shutdown(Shutdown::Both).ok();
    });
    Ok(())
}

/// Holds both ends open when nothing more is passed on: a line that is stuck does not say so.
fn pass_requests(ends: &Ends, (mut client, mut server): (TcpStream, TcpStream), stop: &Sender<()>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let passed = ends.take(count);
        if server.write_all(&buffer[..passed]).is_err() {
            return;
        }
        if passed < count {
            stop.send(()).ok();
            return;
        }
    }
    server.shutdown(Shutdown::Write).ok();
}
