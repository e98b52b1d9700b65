//! What becomes of files, by the contract of a remote.

use towline_client::remote::{Proof, Remote, State, Ticket};
use towline_client::trouble::Trouble;
use towline_core::receipt::Voucher;
use towline_s3::multipart::head;

use crate::support::{
    MIB, RealClock, Server, broken, content, digest, frames, is_same, key, order, piece, send, slots, stored,
    whole,
};

pub(crate) async fn a_file_gets_up_in_parts_and_comes_back(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (content, key) = (content(1, 20 * MIB + 123), key("a b/ü+&.bin"));
    let order = order(&key, Some(content.len()));
    assert!(remote.candidates(&order).await.unwrap().is_empty());
    let upload = remote.begin(&order).await.unwrap();
    assert_eq!((upload.part_bytes, upload.proof, upload.is_resumed), (8 * MIB as u64, server.proof, false));
    let (third, second) =
        tokio::join!(send(remote, &upload, &content, 3), send(remote, &upload, &content, 2));
    let first = send(remote, &upload, &content, 1).await;
    remote.declare(&upload, content.len() as u64).await.unwrap();
    let parts = [first, second, third];
    let receipt = remote.finish(&upload, &parts, whole(&content)).await.unwrap();
    assert_eq!(
        (receipt.key.as_str(), receipt.size_bytes, receipt.part_count),
        (key.as_str(), content.len() as u64, 3)
    );
    assert_eq!(receipt.voucher, Voucher::Store);
    assert_eq!(receipt.crc64, (server.proof == Proof::Crc64).then(|| digest(&content).crc64));
    assert!(receipt.location.ends_with("/a%20b/%C3%BC%2B%26.bin"), "{}", receipt.location);
    assert!(stored(remote, &key).await.unwrap() == content);
    let told = remote.stored(&key).await.unwrap().unwrap();
    assert_eq!((told.size_bytes, told.crc64), (content.len() as u64, receipt.crc64));
    assert!(matches!(remote.look(&upload.ticket).await.unwrap(), State::Gone));
    assert_eq!(remote.finish(&upload, &parts, whole(&content)).await.unwrap(), receipt, "again");
}

pub(crate) async fn an_upload_is_found_again_by_another_machine(server: &Server) {
    let (content, key) = (content(2, 20 * MIB), key("resumed"));
    let order = order(&key, Some(content.len()));
    let begun = server.bucket().begin(&order).await.unwrap();
    for number in [1, 3] {
        send(&server.bucket(), &begun, &content, number).await;
    }
    // Of another file, whose name begins with this one's.
    let longer = crate::support::order(&format!("{key}-not"), Some(content.len()));
    let other = server.bucket().begin(&longer).await.unwrap();
    send(&server.bucket(), &other, &content, 1).await;

    let remote: &dyn Remote = &server.bucket();
    let found = remote.candidates(&order).await.unwrap();
    assert_eq!(found.len(), 1);
    let upload = &found[0];
    assert_eq!(
        (&upload.ticket, upload.part_bytes, upload.proof),
        (&begun.ticket, begun.part_bytes, server.proof)
    );
    assert!(upload.is_resumed);
    let State::Open(looked) = remote.look(&begun.ticket).await.unwrap() else { panic!("it is open") };
    assert_eq!(
        (&looked.landed, looked.part_bytes, looked.proof),
        (&upload.landed, upload.part_bytes, upload.proof)
    );
    let all = slots(upload, &content);
    for (landed, slot) in upload.landed.iter().zip([all[0], all[2]]) {
        assert_eq!(landed.number, slot.number);
        assert!(is_same(landed, &piece(&content, slot)));
    }
    let mut parts = upload.landed.clone();
    parts.push(send(remote, upload, &content, 2).await);
    let receipt = remote.finish(upload, &parts, whole(&content)).await.unwrap();
    assert_eq!(receipt.part_count, 3);
    assert!(stored(remote, &key).await.unwrap() == content);
    assert!(remote.candidates(&order).await.unwrap().is_empty());
    remote.abort(&other.ticket).await.unwrap();
}

pub(crate) async fn an_upload_that_nothing_has_landed_in_goes_on(server: &Server) {
    let (content, key) = (content(12, 17 * MIB), key("empty yet"));
    let begun = server.bucket().begin(&order(&key, Some(content.len()))).await.unwrap();
    let remote: &dyn Remote = &server.bucket();
    let State::Open(upload) = remote.look(&begun.ticket).await.unwrap() else { panic!("it is open") };
    assert_eq!((upload.landed.len(), upload.is_resumed, upload.part_bytes), (0, true, 8 * MIB as u64));
    // From the id alone nobody knows how it was cut.
    let ticket = Ticket::new(&begun.ticket.id, &key);
    let State::Open(upload) = remote.look(&ticket).await.unwrap() else { panic!("it is open") };
    let parts = [send(remote, &upload, &content, 1).await, send(remote, &upload, &content, 2).await];
    remote.finish(&upload, &parts, whole(&content)).await.unwrap();
    assert!(stored(remote, &key).await.unwrap() == content);
}

pub(crate) async fn a_part_that_differs_is_seen_and_sent_again(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (right, wrong, key) = (content(3, 12 * MIB), content(4, 12 * MIB), key("differs"));
    let order = order(&key, Some(right.len()));
    let begun = remote.begin(&order).await.unwrap();
    send(remote, &begun, &right, 1).await;
    send(remote, &begun, &wrong, 2).await;
    let upload = remote.candidates(&order).await.unwrap().remove(0);
    let slots = slots(&upload, &right);
    assert!(is_same(&upload.landed[0], &piece(&right, slots[0])));
    assert!(!is_same(&upload.landed[1], &piece(&right, slots[1])));
    let parts = [upload.landed[0].clone(), send(remote, &upload, &right, 2).await];
    remote.finish(&upload, &parts, whole(&right)).await.unwrap();
    assert!(stored(remote, &key).await.unwrap() == right);
}

pub(crate) async fn a_lost_answer_is_made_up_for(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (content, key) = (content(5, 9 * MIB), key("lost"));
    let upload = remote.begin(&order(&key, Some(content.len()))).await.unwrap();
    let parts = [send(remote, &upload, &content, 1).await, send(remote, &upload, &content, 2).await];
    let receipt = remote.finish(&upload, &parts, whole(&content)).await.unwrap();
    // Whoever did not hear of it asks again, from anywhere.
    assert_eq!(server.bucket().finish(&upload, &parts, whole(&content)).await.unwrap(), receipt);
    remote.abort(&upload.ticket).await.unwrap();
    assert!(stored(remote, &key).await.unwrap() == content, "it is too late to give it up");
}

pub(crate) async fn what_is_given_up_is_gone(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (content, key) = (content(6, 9 * MIB), key("gone"));
    let upload = remote.begin(&order(&key, Some(content.len()))).await.unwrap();
    let State::Open(looked) = remote.look(&upload.ticket).await.unwrap() else { panic!("it is open") };
    assert!(looked.landed.is_empty());
    let part = send(remote, &upload, &content, 2).await;
    for _ in 0..2 {
        remote.abort(&upload.ticket).await.unwrap();
    }
    let never = Ticket::new(&upload.ticket.id, format!("{key}-never"));
    remote.abort(&never).await.unwrap();
    assert!(matches!(remote.look(&upload.ticket).await.unwrap(), State::Gone));
    let slot = slots(&upload, &content)[0];
    let sent = async || remote.send(&upload, slot, frames(&piece(&content, slot))).await;
    // The answer may get lost in the body the first time.
    let told = match Box::pin(sent()).await {
        Err(Trouble::Passing { .. }) => Box::pin(sent()).await,
        told => told,
    };
    assert!(matches!(told, Err(Trouble::Gone { .. })), "{told:?}");
    let finished = remote.finish(&upload, &[part], whole(&content)).await;
    assert!(matches!(finished, Err(Trouble::Gone { .. })), "{finished:?}");
    assert!(stored(remote, &key).await.is_none());
}

pub(crate) async fn unfinished_uploads_are_listed(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let folder = key("");
    let mut tickets = Vec::new();
    for name in ["b c", "a"] {
        tickets.push(remote.begin(&order(&format!("{folder}{name}"), None)).await.unwrap().ticket);
    }
    let lines = remote.unfinished(&folder, 10).await.unwrap();
    assert_eq!(lines.len(), 2);
    for (line, status) in lines.iter().zip(["open", "open"]) {
        assert!(tickets.iter().any(|ticket| ticket.id == line.ticket.id), "{line:?}");
        assert_eq!(line.status, status);
    }
    assert!(lines[0].begun_at >= lines[1].begun_at);
    assert_eq!(remote.unfinished(&folder, 1).await.unwrap().len(), 1);
    for ticket in &tickets {
        remote.abort(ticket).await.unwrap();
    }
    assert!(remote.unfinished(&folder, 10).await.unwrap().is_empty());
}

pub(crate) async fn small_files_go_at_once(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    for (size, seed) in [(0, 0), (1, 1), (300_008, 2), (5 * MIB, 3)] {
        let (content, key) = (content(seed, size), key("small ü"));
        assert!(content.len() as u64 <= remote.whole_bytes_max().unwrap());
        let receipt = remote.send_whole(&order(&key, Some(size)), frames(&content)).await.unwrap();
        assert_eq!((receipt.size_bytes, receipt.part_count), (size as u64, 1));
        assert!(receipt.crc64.is_none_or(|crc64| crc64 == digest(&content).crc64));
        assert!(stored(remote, &key).await.unwrap() == content);
    }
}

pub(crate) async fn a_stream_may_turn_out_to_be_empty(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (nothing, key) = (content(0, 0), key("nothing"));
    let upload = remote.begin(&order(&key, None)).await.unwrap();
    assert_eq!((upload.part_bytes, upload.total_bytes), (16 * MIB as u64, None));
    remote.declare(&upload, 0).await.unwrap();
    let receipt = remote.finish(&upload, &[], whole(&nothing)).await.unwrap();
    assert_eq!((receipt.size_bytes, receipt.part_count), (0, 0));
    assert_eq!(stored(remote, &key).await, Some(Vec::new()));
    assert!(remote.unfinished(&key, 10).await.unwrap().is_empty());
}

pub(crate) async fn what_a_file_is_told_to_be_is_kept(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let small = content(7, 100);
    for is_small in [true, false] {
        let mut order = order(&key("described"), None);
        order.content_type = Some("video/mp4".to_owned());
        order.metadata =
            [("Author".to_owned(), "Jörg".to_owned()), ("plan".to_owned(), "b".to_owned())].into();
        if is_small {
            remote.send_whole(&order, frames(&small)).await.unwrap();
        } else {
            let upload = remote.begin(&order).await.unwrap();
            let part = send(remote, &upload, &small, 1).await;
            remote.finish(&upload, &[part], whole(&small)).await.unwrap();
        }
        let told = remote.stored(&order.key).await.unwrap().unwrap();
        assert_eq!(told.content_type.as_deref(), Some("video/mp4"));
        let client = towline_s3::Client::new(&server.settings, std::sync::Arc::new(RealClock)).unwrap();
        let reply = head(&client, &order.key).await.unwrap().unwrap();
        assert_eq!(reply.header("x-amz-meta-plan"), Some("b"));
        assert_eq!(reply.header("x-amz-meta-author"), Some("=?UTF-8?B?SsO2cmc=?="));
        assert_eq!(reply.header("content-encoding").unwrap_or_default(), "", "it was of the line alone");
        order.metadata = [("two words".to_owned(), "x".to_owned())].into();
        assert!(matches!(remote.begin(&order).await, Err(Trouble::Refused { .. })));
    }
}

pub(crate) async fn a_file_that_cannot_be_read_is_no_fault_of_the_line(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (content, key) = (content(8, 9 * MIB), key("broken"));
    let upload = remote.begin(&order(&key, Some(content.len()))).await.unwrap();
    let slot = slots(&upload, &content)[0];
    let expected = Trouble::source("the file cannot be read: the disk is gone");
    assert_eq!(remote.send(&upload, slot, broken(&piece(&content, slot))).await, Err(expected.clone()));
    let small = content.slice(..100);
    let sent = remote.send_whole(&order(&key, Some(100)), broken(&small)).await;
    assert_eq!(sent, Err(expected));
    assert!(stored(remote, &key).await.is_none());
    remote.abort(&upload.ticket).await.unwrap();
}

pub(crate) async fn a_file_that_was_replaced_is_not_read_on(server: &Server) {
    let remote: &dyn Remote = &server.bucket();
    let (one, other, key) = (content(9, 1000), content(10, 1000), key("replaced"));
    let order = order(&key, Some(1000));
    remote.send_whole(&order, frames(&one)).await.unwrap();
    let told = remote.stored(&key).await.unwrap().unwrap();
    remote.send_whole(&order, frames(&other)).await.unwrap();
    let read = remote.read(&told, 500..1000).await;
    assert!(matches!(read, Err(Trouble::Gone { .. })));
    assert!(stored(remote, &key).await.unwrap() == other);
}
