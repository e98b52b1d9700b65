//! Lines that break, stand still, or change what they carry.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use towline_client::remote::Remote as _;
use towline_client::server::{Patience, Server as Client};
use towline_client::trouble::Trouble;

use super::{MIB, assert_stored, client, order, send, send_all, whole};
use crate::support::{Line, Server, noise};

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stands_still_is_given_up_and_the_part_can_be_sent_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let file = noise(321, 8 * MIB);
    let whole_line = client(&server);
    let upload = whole_line.begin(&order("a", Some(&file), 8 * MIB)).await.unwrap();
    let line = Line::to(&server, MIB);
    let patience = Patience { silence: Duration::from_millis(300), tries: 1, ..Patience::default() };
    let stuck = Client::open_with(&format!("http://{}", line.address()), None, patience).unwrap();
    let sent = send(&stuck, &upload, &file, 1).await;
    assert!(matches!(&sent, Err(Trouble::Passing { what, .. }) if what.contains("in time")), "{sent:?}");
    send_all(&whole_line, &upload, &file).await;
    assert_stored(&whole_line, "a", &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_mid_part_and_comes_back_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    let file = noise(322, 8 * MIB);
    let order = order("a", Some(&file), 4 * MIB);
    let upload = client(&server).begin(&order).await.unwrap();
    send(&client(&server), &upload, &file, 2).await.unwrap();
    let line = Line::to(&server, MIB);
    let way = Client::open(&format!("http://{}", line.address()), None).unwrap();
    let sending = {
        let (upload, file) = (upload.clone(), file.clone());
        async move { send(&way, &upload, &file, 1).await }
    };
    let killing = async {
        let killed = tokio::task::spawn_blocking(move || {
            line.wait_until_stopped();
            server.kill();
            drop(line);
        });
        killed.await.unwrap();
    };
    let (sent, ()) = tokio::join!(sending, killing);
    assert!(matches!(sent, Err(Trouble::Passing { .. })), "{sent:?}");

    let server = Server::start(data.path());
    let client = client(&server);
    let found = client.begin(&order).await.unwrap();
    assert_eq!(found.landed.iter().map(|part| part.number).collect::<Vec<_>>(), [2]);
    send(&client, &found, &file, 1).await.unwrap();
    client.finish(&found, &[], whole(&file)).await.unwrap();
    assert_stored(&client, "a", &file).await;
}

#[tokio::test]
async fn bytes_that_change_on_the_way_are_noticed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let file = noise(323, MIB);
    let whole_line = client(&server);
    let upload = whole_line.begin(&order("a", Some(&file), MIB)).await.unwrap();
    let way = Client::open(&format!("http://{}", flipper(server.address(), MIB / 2)), None).unwrap();
    let sent = send(&way, &upload, &file, 1).await;
    assert!(matches!(&sent, Err(Trouble::Passing { what, .. }) if what.contains("damaged")), "{sent:?}");
    send_all(&whole_line, &upload, &file).await;
    assert_stored(&whole_line, "a", &file).await;
}

/// A line that turns one bit of what each client sends, at this byte of it.
fn flipper(server: SocketAddr, at: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the process of the test.
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || pass(client, server, at).ok());
        }
    });
    address
}

fn pass(mut client: TcpStream, server: SocketAddr, at: usize) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    let (mut replies, mut reader) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut replies, &mut reader).ok();
        reader.shutdown(Shutdown::Both).ok();
    });
    let (mut buffer, mut passed) = (vec![0; 64 * 1024], 0);
    while let count @ 1.. = client.read(&mut buffer)? {
        if (passed..passed + count).contains(&at) {
            buffer[at - passed] ^= 1;
        }
        server.write_all(&buffer[..count])?;
        passed += count;
    }
    Ok(())
}
