//! Lives of uploads on both servers: what breaks between a completion and its fact, what changes behind our back,
//! files that are read before they are published, long lists.

use std::time::Duration;

use bytes::Bytes;
use towline_backends::s3::S3Store;
use towline_core::FaultKind;
use towline_core::clock::Clock as _;
use towline_core::digest::{Algorithm, Digester};
use towline_core::store::{Direct as _, Holder, Seal, Store as _, Validity};
use towline_core::testing::store_contract::content;
use towline_core::upload::{About, Tail};

use crate::support::{
    MIB, RealClock, Server, gather, id, key, land, landed, object, open, place, seal, slot, told,
};

fn both() -> [Server; 2] {
    [Server::garage(), Server::swift()]
}

#[tokio::test]
async fn a_completion_whose_fact_was_lost_is_found_again() {
    for server in both() {
        let store = server.store_of_its_own("heal").await;
        let about = About::default();
        let (own, parts, whole) = landed(&store, (1, "a/ü b+c.bin"), &about, &[5 * MIB, 3 * MIB]).await;
        assert!(!store.is_sealed(&own, &key("a/ü b+c.bin"), &parts).await.unwrap());
        let first = seal(&store, &own, "a/ü b+c.bin", &parts).await;
        assert!(store.is_sealed(&own, &key("a/ü b+c.bin"), &parts).await.unwrap());
        assert_eq!(seal(&store, &own, "a/ü b+c.bin", &parts).await, first);
        assert_eq!(object(&store, "a/ü b+c.bin").await, whole);

        // The same content came under the key before: this upload has not made it.
        let (again, parts_again, _) = landed(&store, (1, "a/ü b+c.bin"), &about, &[5 * MIB, 3 * MIB]).await;
        assert!(!store.is_sealed(&again, &key("a/ü b+c.bin"), &parts_again).await.unwrap());

        // Another content came under the key since: what became of the upload cannot be said.
        let (other, parts_of_it, whole) = landed(&store, (3, "a/ü b+c.bin"), &about, &[MIB]).await;
        seal(&store, &other, "a/ü b+c.bin", &parts_of_it).await;
        let fault = store.seal(&own, &key("a/ü b+c.bin"), &parts).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Corrupt, "{}", told(&fault));
        assert_eq!(object(&store, "a/ü b+c.bin").await, whole);
    }
}

#[tokio::test]
async fn an_upload_that_was_aborted_behind_our_back_is_said_to_be_lost() {
    for server in both() {
        let store = server.store_of_its_own("abort").await;
        let (own, parts, _) = landed(&store, (1, "gone"), &About::default(), &[MIB]).await;
        store.discard(&own).await.unwrap();
        store.discard(&own).await.unwrap();
        let fault = store.seal(&own, &key("gone"), &parts).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Corrupt, "{}", told(&fault));
        assert!(!store.has(&key("gone")).await.unwrap());
        assert_eq!(store.parts(&own, 0).await.unwrap(), None);
        let mut writer = crate::support::writer(&store, &own, 2).await;
        writer.write(Bytes::from_static(b"late")).await.unwrap();
        assert_eq!(writer.land().await.unwrap_err().kind(), FaultKind::Corrupt);
    }
}

#[tokio::test]
async fn parts_that_were_replaced_or_never_came_are_named_at_the_seal() {
    for server in both() {
        let store = server.store_of_its_own("changed").await;
        let (own, mut parts, _) =
            landed(&store, (1, "k"), &About::default(), &[5 * MIB, 5 * MIB, 5 * MIB]).await;
        land(&store, &own, (2, &content(99, 5 * MIB))).await;
        let mut missing = parts[2].clone();
        missing.number = 7;
        parts.push(missing);
        let sealed =
            store.seal(&own, &key("k"), &parts).await.unwrap_or_else(|fault| panic!("{}", told(&fault)));
        assert_eq!(sealed, Seal::Changed(vec![2, 7]));
        assert!(!store.has(&key("k")).await.unwrap(), "nothing became visible");
    }
}

#[tokio::test]
async fn long_lists_of_parts_come_in_pages() {
    let mut settings = Server::garage().settings("pages");
    settings.is_relayed = true;
    let store = open(settings).await;
    let own = place(&store, (1, "many"), &About::default()).await;
    let mut marks = Vec::new();
    for number in 1..=1203 {
        marks.push(land(&store, &own, (number, &Bytes::from(number.to_string()))).await);
    }
    let (mut listed, mut pages) = (Vec::new(), 0);
    loop {
        let after = listed.last().map_or(0, |part: &towline_core::upload::Part| part.number);
        let page = store.parts(&own, after).await.unwrap().expect("the upload is there");
        if page.is_empty() {
            break;
        }
        pages += 1;
        listed.extend(page);
    }
    assert!(pages >= 2, "{pages}");
    assert_eq!(listed.len(), marks.len());
    for (listed, landed) in listed.iter().zip(&marks) {
        assert_eq!(
            (listed.number, listed.size_bytes, &listed.mark),
            (landed.number, landed.size_bytes, &landed.mark)
        );
        assert_eq!(listed.crc64, landed.crc64, "Garage says it");
    }
    // Garage takes small parts: a seal of many.
    seal(&store, &own, "many", &marks).await;
    let whole: String = (1..=1203).map(|number| number.to_string()).collect();
    assert_eq!(object(&store, "many").await, whole.into_bytes());
}

fn declared(bytes: &[u8]) -> About {
    let mut digester = Digester::new([Algorithm::Sha256]);
    digester.update(bytes);
    let metadata = vec![("colour".to_owned(), "grün".to_owned())];
    let content_type = Some("text/x-towline".to_owned());
    About { declared: digester.finish().get(Algorithm::Sha256), metadata, content_type, ..About::default() }
}

#[tokio::test]
async fn a_file_with_a_declared_digest_is_read_before_it_is_published() {
    for (server, copy_bytes_max) in both().into_iter().zip([5 * MIB as u64, 5 << 30]) {
        let settings = server.settings("staged");
        let mut settings = settings;
        settings.copy_bytes_max = copy_bytes_max;
        let store = open(settings).await;
        let (own, parts, whole) = landed(&store, (1, "verified"), &declared(b"?"), &[5 * MIB, MIB]).await;
        let bytes = store.read_parts(&own, &parts).await.unwrap().expect("not sealed yet");
        assert_eq!(gather(bytes).await, whole);
        assert!(!store.has(&key("verified")).await.unwrap());
        assert!(store.list("", "", 10).await.unwrap().is_empty(), "what is our own is not listed");
        // Read again after a crash, and sealed.
        assert!(store.read_parts(&own, &parts).await.unwrap().is_some());
        assert!(!store.is_sealed(&own, &key("verified"), &parts).await.unwrap());
        let first = seal(&store, &own, "verified", &parts).await;
        assert!(store.is_sealed(&own, &key("verified"), &parts).await.unwrap());
        assert!(store.read_parts(&own, &parts).await.unwrap().is_none());
        assert_eq!(object(&store, "verified").await, whole);
        let told = head(&store, "verified").await;
        assert!(told.contains("content-type: text/x-towline"), "{told}");
        assert!(told.contains("x-amz-meta-colour: =?utf-8?b?z3ldvg4=?="), "{told}");

        let (newer, parts_of_it, newest) = landed(&store, (2, "verified"), &About::default(), &[MIB]).await;
        seal(&store, &newer, "verified", &parts_of_it).await;
        assert_eq!(seal(&store, &own, "verified", &parts).await, first, "the same answer");
        assert_eq!(object(&store, "verified").await, newest, "and nothing changed");
        store.discard(&own).await.unwrap();
        store.discard(&newer).await.unwrap();
        let left = store.survey(crate::support::later(), None, 10).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn nothing_is_an_object_too() {
    for (server, keeps_type) in [(Server::garage(), false), (Server::swift(), true)] {
        let store = server.store_of_its_own("empty").await;
        let about = About { content_type: Some("text/x-towline".to_owned()), ..About::default() };
        for (number, about) in [(1, about), (2, declared(b""))] {
            let own = place(&store, (number, "nothing"), &about).await;
            if number == 2 {
                let bytes = store.read_parts(&own, &[]).await.unwrap().expect("not sealed yet");
                assert!(gather(bytes).await.is_empty());
            }
            let first = seal(&store, &own, "nothing", &[]).await;
            assert_eq!(seal(&store, &own, "nothing", &[]).await, first);
            assert!(object(&store, "nothing").await.is_empty());
            // Garage takes no part of no bytes, which would keep it.
            assert_eq!(head(&store, "nothing").await.contains("content-type: text/x-towline"), keeps_type);
            store.discard(&own).await.unwrap();
        }
    }
}

/// What a server says of an object, in lower case.
async fn head(store: &S3Store, name: &str) -> String {
    let validity = Validity { from: RealClock.now(), lasts: Duration::from_mins(1) };
    let url = store.signer().await.unwrap().get_url(&key(name), None, validity);
    crate::support::http("GET", &url, &[], b"").await.1.to_lowercase()
}

#[tokio::test]
async fn tails_that_were_left_behind_are_found_and_those_in_use_are_not() {
    let store = Server::garage().store_of_its_own("tails").await;
    let own = place(&store, (1, "tailed"), &About::default()).await;
    let mut writer = crate::support::writer(&store, &own, 1).await;
    writer.write(Bytes::from_static(b"abc")).await.unwrap();
    let mark = writer.park().await.unwrap();
    let found = store.survey(crate::support::later(), None, 10).await.unwrap();
    assert_eq!(found, [(own.clone(), Holder::Key(key("tailed")))], "the place, once");

    let crc64 = towline_core::testing::store_contract::part_of(1, b"abc", mark.clone()).crc64.unwrap();
    let tail = Tail { number: 1, size_bytes: 3, crc64, mark };
    let lease = crate::support::lease(1).await;
    let at = towline_core::store::PartPlace {
        place: &own,
        slot: slot(1),
        size_bytes: None,
        is_begun: true,
        lease,
    };
    let mut writer = store.continue_part(at, &tail).await.unwrap();
    writer.write(Bytes::from_static(b"def")).await.unwrap();
    let mark = writer.land().await.unwrap();
    let part = towline_core::testing::store_contract::part_of(1, b"abcdef", mark);
    seal(&store, &own, "tailed", &[part]).await;
    assert_eq!(object(&store, "tailed").await, b"abcdef");

    let found = store.survey(crate::support::later(), None, 10).await.unwrap();
    let [(left, Holder::Key(holder))] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*holder, key("tailed"));
    assert_ne!(*left, own, "the upload itself is no more");
    assert_eq!(store.survey(crate::support::later(), Some(left), 10).await.unwrap(), []);
    store.discard(left).await.unwrap();
    assert_eq!(store.survey(crate::support::later(), None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_staged_upload_is_surveyed_under_its_id() {
    for server in both() {
        let store = server.store_of_its_own("left").await;
        let (own, parts, _) = landed(&store, (5, "left"), &declared(b"?"), &[MIB]).await;
        assert_eq!(
            store.survey(crate::support::later(), None, 10).await.unwrap(),
            [(own.clone(), Holder::Upload(id(5)))]
        );
        store.read_parts(&own, &parts).await.unwrap();
        let found = store.survey(crate::support::later(), None, 10).await.unwrap();
        let [(left, Holder::Upload(holder))] = &found[..] else { panic!("{found:?}") };
        assert_eq!(*holder, id(5));
        store.discard(left).await.unwrap();
        assert_eq!(store.survey(crate::support::later(), None, 10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_a_server_checks_is_found_out() {
    for (server, is_relayed, expected) in [
        (Server::garage(), false, "check: Crc64, has_conditions: false"),
        (Server::garage(), true, "check: Crc64Whole, has_conditions: false"),
        (Server::swift(), false, "check: Crc64, has_conditions: true"),
    ] {
        let mut settings = server.settings("abilities");
        (settings.is_relayed, settings.refuses_existing) = (is_relayed, true);
        let store = open(settings).await;
        assert!(format!("{store:?}").contains(expected), "{store:?}");
        let left = store.survey(crate::support::later(), None, 10).await.unwrap();
        assert_eq!(left, [], "nothing is left of trying it");
    }
}

#[tokio::test]
async fn in_a_bucket_of_others_only_our_own_corner_is_surveyed() {
    for server in both() {
        let mut settings = server.settings("shared");
        settings.owns_bucket = false;
        let store = open(settings).await;
        let keyed = place(&store, (1, "somebody's"), &About::default()).await;
        let staged = place(&store, (2, "verified"), &declared(b"?")).await;
        let found = store.survey(crate::support::later(), None, 10).await.unwrap();
        assert_eq!(found, [(staged.clone(), Holder::Upload(id(2)))]);
        let long_ago = towline_core::clock::Timestamp::from_millis(0);
        assert_eq!(store.survey(long_ago, None, 10).await.unwrap(), [], "what is young is left alone");
        store.discard(&keyed).await.unwrap();
        store.discard(&staged).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_our_own_cannot_be_named() {
    let store = Server::garage().store_of_its_own("own").await;
    let (own, parts, _) = landed(&store, (1, "x"), &declared(b"?"), &[MIB]).await;
    store.read_parts(&own, &parts).await.unwrap();
    assert!(towline_core::key::Key::parse(&format!(".towline/{}/whole", id(1))).is_err());
    assert_eq!(store.list(".towline", "", 10).await.unwrap(), []);
}
