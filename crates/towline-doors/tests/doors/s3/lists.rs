//! Lists of files and of uploads.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insta::assert_snapshot;
use towline_core::key::Key;
use towline_core::store::{Opened, Store as _};
use towline_core::upload::{About, UploadId};

use super::{S3, ask, between, code, eve};

/// The names in a list, folders in brackets, and an arrow where there is more.
fn names(reply: &str) -> String {
    let mut names = Vec::new();
    let tail = reply.split_once("<IsTruncated>").expect("a list").1;
    let mut rest = tail;
    while let Some(at) = rest.find("<Key>").into_iter().chain(rest.find("<CommonPrefixes>")).min() {
        rest = &rest[at..];
        let (start, end) =
            if rest.starts_with("<Key>") { ("<Key>", "</Key>") } else { ("<Prefix>", "</Prefix>") };
        let name = between(rest, start, end);
        names.push(if start == "<Key>" { name.to_owned() } else { format!("[{name}]") });
        rest = rest.split_once(end).expect("it is there").1;
    }
    names.extend(tail.starts_with("true").then(|| "→".to_owned()));
    names.join(" ")
}

async fn filled() -> S3 {
    let s3 = S3::default();
    for key in ["a", "b/1", "b/2", "b/c/3", "b0", "c d", "d/1"] {
        s3.put(key, "0123").await;
    }
    s3
}

impl S3 {
    async fn list(&self, query: &[(&str, &str)]) -> String {
        let query = [&[("list-type", "2")], query].concat();
        self.say(ask("GET", "/towline").query(&query)).await
    }
}

#[tokio::test]
async fn files_are_listed_by_prefix_and_delimiter() {
    let s3 = filled().await;
    assert_eq!(names(&s3.list(&[]).await), "a b/1 b/2 b/c/3 b0 c d d/1");
    assert_eq!(names(&s3.list(&[("prefix", "b/")]).await), "b/1 b/2 b/c/3");
    assert_eq!(names(&s3.list(&[("delimiter", "/")]).await), "a [b/] b0 c d [d/]");
    assert_eq!(names(&s3.list(&[("delimiter", "/"), ("prefix", "b/")]).await), "b/1 b/2 [b/c/]");
    assert_eq!(names(&s3.list(&[("start-after", "b/2")]).await), "b/c/3 b0 c d d/1");
    assert_eq!(names(&s3.list(&[("max-keys", "0")]).await), "");
    assert_eq!(names(&s3.list(&[("prefix", "zz")]).await), "");
    assert_snapshot!(s3.list(&[("prefix", "c"), ("encoding-type", "url"), ("fetch-owner", "true")]).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>towline</Name><Prefix>c</Prefix><EncodingType>url</EncodingType><MaxKeys>1000</MaxKeys><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>c%20d</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;eb62f6b9306db575c2d596b1279627a4&quot;</ETag><Size>4</Size><StorageClass>STANDARD</StorageClass><Owner><ID>ali</ID><DisplayName>ali</DisplayName></Owner></Contents></ListBucketResult>
    "#);
    assert_eq!(code(&s3.list(&[("max-keys", "x")]).await), "400 InvalidArgument");
    assert_eq!(code(&s3.list(&[("continuation-token", "!")]).await), "400 InvalidArgument");
}

#[tokio::test]
async fn a_list_goes_on_where_its_page_ended() {
    let s3 = filled().await;
    for (size, pages) in [
        ("1", vec!["a →", "[b/] →", "b0 →", "c d →", "[d/]"]),
        ("2", vec!["a [b/] →", "b0 c d →", "[d/]"]),
        ("5", vec!["a [b/] b0 c d [d/]"]),
    ] {
        let (mut token, mut found) = (None, Vec::new());
        loop {
            let mut query = vec![("delimiter", "/"), ("max-keys", size)];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let reply = s3.list(&query).await;
            found.push(names(&reply));
            let next = reply.split_once("<NextContinuationToken>");
            token = next.map(|(_, rest)| rest.split('<').next().unwrap().to_owned());
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, pages, "{size}");
    }
}

#[tokio::test]
async fn the_first_version_of_the_list_goes_on_by_markers() {
    let s3 = filled().await;
    let list = |marker| {
        let s3 = &s3;
        async move {
            let query = [("delimiter", "/"), ("max-keys", "2"), ("marker", marker)];
            s3.say(ask("GET", "/towline").query(&query)).await
        }
    };
    let first = list("").await;
    assert_eq!(names(&first), "a [b/] →");
    assert_eq!(between(&first, "<NextMarker>", "</NextMarker>"), "b/");
    assert_eq!(names(&list("b/").await), "b0 c d →");
    assert_eq!(names(&list("c d").await), "[d/]");
}

#[tokio::test]
async fn everybody_lists_their_own() {
    let s3 = filled().await;
    s3.put("shared/a", "0123").await;
    let query = [("list-type", "2")];
    let list = s3.say_as(&eve(), ask("GET", "/towline").query(&query)).await;
    assert_eq!(names(&list), "");
}

/// Files that came by other means, more than one request looks through.
async fn put_many_of_nobody(s3: &S3) {
    let store = &s3.talk.house.store;
    for number in 0..20_500_u32 {
        let key = Key::parse(&format!("m/secret{number:05}")).expect("a key");
        let id = UploadId::from_u128((1 << 100) + u128::from(number));
        let Opened::At(place) = store.open(id, &key, &About::default()).await.expect("a place") else {
            panic!("nothing is in the way of {key}");
        };
        store.seal(&place, &key, &[]).await.expect("an object");
    }
}

#[tokio::test]
async fn where_a_list_goes_on_tells_nothing_of_what_is_not_the_callers() {
    let s3 = S3::default();
    for key in ["a", "m/z", "z"] {
        s3.put(key, "0123").await;
    }
    put_many_of_nobody(&s3).await;
    let first = s3.list(&[]).await;
    assert_eq!(names(&first), "a →");
    let token = between(&first, "<NextContinuationToken>", "<");
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"secret"), "{token}");
    assert_eq!(names(&s3.list(&[("continuation-token", token)]).await), "m/z z");
    let in_folders = [("continuation-token", token), ("delimiter", "/")];
    assert_eq!(names(&s3.list(&in_folders).await), "[m/] z", "its folder was not told yet");
    let forged = URL_SAFE_NO_PAD.encode("~m/secret01000");
    assert_eq!(code(&s3.list(&[("continuation-token", &forged)]).await), "400 InvalidArgument");

    let first = s3.say(ask("GET", "/towline")).await;
    let marker = between(&first, "<NextMarker>", "<");
    assert!(marker.starts_with(".towline/") && !first.contains("secret"), "{marker}");
    let query = [("marker", marker)];
    assert_eq!(names(&s3.say(ask("GET", "/towline").query(&query)).await), "m/z z");
    let query = [("marker", ".towline/m/secret01000")];
    assert_eq!(s3.code(ask("GET", "/towline").query(&query)).await, "400 InvalidArgument");
}

#[tokio::test]
async fn who_has_a_place_of_their_own_is_not_told_that_there_are_others() {
    let s3 = S3::default();
    s3.put("shared/a", "0123").await;
    put_many_of_nobody(&s3).await;
    for query in [&[("list-type", "2")][..], &[("list-type", "2"), ("prefix", "m/")]] {
        let list = s3.say_as(&eve(), ask("GET", "/towline").query(query)).await;
        assert_eq!(names(&list), "", "{query:?}");
        assert!(list.contains("<IsTruncated>false<"), "{list}");
    }
}

#[tokio::test]
async fn uploads_are_listed_by_key() {
    let s3 = S3::default();
    for key in ["b/2", "a", "b/1", "c", "a"] {
        s3.begin(key).await;
    }
    let list = |query: &'static [(&'static str, &'static str)]| {
        let s3 = &s3;
        async move {
            let query = [&[("uploads", "")], query].concat();
            s3.say(ask("GET", "/towline").query(&query)).await
        }
    };
    assert_eq!(names(&list(&[]).await), "a a b/1 b/2 c");
    assert_eq!(names(&list(&[("delimiter", "/")]).await), "a a [b/] c");
    assert_eq!(names(&list(&[("prefix", "b/")]).await), "b/1 b/2");
    assert_eq!(names(&list(&[("key-marker", "a")]).await), "b/1 b/2 c");
    let first = list(&[("max-uploads", "1")]).await;
    assert_eq!(names(&first), "a →");
    let (key, id) = (
        between(&first, "<NextKeyMarker>", "</NextKeyMarker>"),
        between(&first, "<NextUploadIdMarker>", "</NextUploadIdMarker>"),
    );
    let query = [("uploads", ""), ("max-uploads", "2"), ("key-marker", key), ("upload-id-marker", id)];
    let second = s3.say(ask("GET", "/towline").query(&query)).await;
    assert_eq!(names(&second), "a b/1 →");
    assert_snapshot!(list(&[("prefix", "c")]).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>towline</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><Prefix>c</Prefix><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated><Upload><Key>c</Key><UploadId>00000000-0000-4000-8000-000000000004</UploadId><Initiator><ID>ali</ID><DisplayName>ali</DisplayName></Initiator><Owner><ID>ali</ID><DisplayName>ali</DisplayName></Owner><StorageClass>STANDARD</StorageClass><Initiated>2026-11-21T00:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>
    "#);
}
