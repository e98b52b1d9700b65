//! The sockets of a line. Where it is slow they hold little, so that nobody sends far ahead of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Conditions;
use super::way::PACKET_BYTES;

const BACKLOG: u32 = 1024;
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// What a receiver's buffer holds of a slow line, in time …
const BUFFER_TIME: Duration = Duration::from_millis(20);
/// … and in bytes: less stalls TCP, and with more the system knows better.
const BUFFER_BYTES: std::ops::RangeInclusive<u32> = 16 * 1024..=1024 * 1024;

pub(super) fn listen(address: SocketAddr, conditions: &Conditions) -> io::Result<TcpListener> {
    let socket = open(address, conditions)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connects to the first of the server's addresses that answers.
pub(super) async fn connect(server: &[SocketAddr], conditions: &Conditions) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in server {
        let connecting = open(*address, conditions)?.connect(*address);
        match tokio::time::timeout(CONNECT_WAIT, connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

fn open(address: SocketAddr, conditions: &Conditions) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bytes) = buffer_bytes(conditions) {
        socket.set_recv_buffer_size(bytes)?;
        // Packets of a machine to itself have 64 KiB, and by their size a sender chooses how far it runs ahead: megabytes.
        let packet_bytes = u32::try_from(PACKET_BYTES).unwrap_or(u32::MAX);
        SockRef::from(&socket).set_tcp_mss(packet_bytes)?;
    }
    Ok(socket)
}

/// Nothing where the line is fast.
fn buffer_bytes(conditions: &Conditions) -> Option<u32> {
    let rates = [conditions.effective_rate(), conditions.line_rate];
    let bytes = rates.into_iter().flatten().map(|rate| rate.bytes_in(BUFFER_TIME)).min()?;
    let bytes = u32::try_from(bytes).ok()?;
    (bytes <= *BUFFER_BYTES.end()).then_some(bytes.max(*BUFFER_BYTES.start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::Rate;

    #[test]
    fn a_slow_line_holds_little() {
        for (rate, bytes) in [
            ("1mbit", Some(16 * 1024)),
            ("10mbit", Some(25_000)),
            ("400mbit", Some(1_000_000)),
            ("1gbit", None),
        ] {
            let conditions = Conditions { rate: Rate::parse(rate).ok(), ..Conditions::default() };
            assert_eq!(buffer_bytes(&conditions), bytes, "{rate}");
        }
        assert_eq!(buffer_bytes(&Conditions::default()), None);
    }
}
