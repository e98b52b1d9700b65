//! Whole files: put, read, copied, removed; and what is asked of the bucket.

use insta::assert_snapshot;
use towline_core::policy::{Operation, Principal};
use towline_doors::{AccessKey, DoorKind, DoorSettings};

use super::{S3, ali, ask, between, code, eve};

#[tokio::test]
async fn a_file_is_put_and_read_with_what_was_said_of_it() {
    let s3 = S3::default();
    let said = [
        ("content-type", "text/plain"),
        ("x-amz-meta-mtime", "1.5"),
        ("x-amz-meta-name", "=?UTF-8?B?w7w=?="),
        ("x-amz-acl", "private"),
        ("x-amz-storage-class", "STANDARD"),
    ];
    let put = ask("PUT", "/towline/dir/a").headers(&said).body("0123456789");
    assert_snapshot!(s3.say(put).await, @r#"
    200 OK
    etag: "781e5e245d69b566979b86e28d23f2c7"
    "#);
    assert_snapshot!(s3.say(ask("GET", "/towline/dir/a")).await, @r#"
    200 OK
    accept-ranges: bytes
    content-security-policy: default-src 'none'; sandbox
    content-type: text/plain
    etag: "781e5e245d69b566979b86e28d23f2c7"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    x-amz-meta-mtime: 1.5
    x-amz-meta-name: =?UTF-8?B?w7w=?=
    x-content-type-options: nosniff

    0123456789
    "#);
    let part = ask("GET", "/towline/dir/a").headers(&[("range", "bytes=2-4")]);
    assert_snapshot!(s3.say(part).await, @r#"
    206 Partial Content
    accept-ranges: bytes
    content-range: bytes 2-4/10
    content-security-policy: default-src 'none'; sandbox
    content-type: text/plain
    etag: "781e5e245d69b566979b86e28d23f2c7"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    x-amz-meta-mtime: 1.5
    x-amz-meta-name: =?UTF-8?B?w7w=?=
    x-content-type-options: nosniff

    234
    "#);
    let outside = ask("GET", "/towline/dir/a").headers(&[("range", "bytes=10-")]);
    assert_snapshot!(s3.say(outside).await, @r#"
    416 Range Not Satisfiable
    content-range: bytes */10
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>InvalidRange</Code><Message>The requested range is not satisfiable</Message><ActualObjectSize>10</ActualObjectSize><Resource>/towline/dir/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
    let checked = ask("GET", "/towline/dir/a").headers(&[("x-amz-checksum-mode", "ENABLED")]);
    let checked = s3.say(checked).await;
    assert_eq!(between(&checked, "x-amz-checksum-crc64nvme: ", "\n"), "Ffmx7kz9nB0=");
    let named = [("response-content-type", "a/b"), ("response-content-disposition", "inline")];
    let named = s3.say(ask("GET", "/towline/dir/a").query(&named)).await;
    assert!(
        named.contains("content-type: a/b\n") && named.contains("content-disposition: inline\n"),
        "{named}"
    );
}

#[tokio::test]
async fn every_reply_names_its_request() {
    let s3 = S3::default();
    for request in [ask("GET", "/towline/a"), ask("HEAD", "/towline")] {
        let reply = s3.talk.ask(&request.signed(&ali(), s3.now())).await;
        for name in ["x-amz-request-id", "x-amz-id-2", "x-request-id"] {
            assert_eq!(reply.headers()[name], "r1", "{name}");
        }
    }
}

#[tokio::test]
async fn conditions_on_reading_hold() {
    let s3 = S3::default();
    let tag = between(&s3.put("a", "0123").await, "etag: ", "\n").to_owned();
    let get = |name, value| {
        let s3 = &s3;
        async move { s3.code(ask("GET", "/towline/a").headers(&[(name, value)])).await }
    };
    assert_eq!(get("if-none-match", &tag).await, "304");
    assert_eq!(get("if-match", &tag).await, "200");
    assert_eq!(get("if-match", "\"other\"").await, "412 PreconditionFailed");
    assert_eq!(get("if-unmodified-since", "Fri, 20 Nov 2026 00:00:00 GMT").await, "412 PreconditionFailed");
}

#[tokio::test]
async fn conditions_on_writing_hold() {
    let s3 = S3::default();
    let put = |name, value, body| {
        let s3 = &s3;
        async move { s3.code(ask("PUT", "/towline/a").headers(&[(name, value)]).body(body)).await }
    };
    assert_eq!(put("if-match", "\"x\"", "0").await, "404 NoSuchKey");
    assert_eq!(put("if-none-match", "*", "0123").await, "200");
    assert_eq!(put("if-none-match", "*", "4567").await, "412 PreconditionFailed");
    assert_eq!(put("if-match", "\"x\"", "4567").await, "412 PreconditionFailed");
    assert_eq!(put("if-none-match", "\"x\"", "4567").await, "501 NotImplemented");
    assert_eq!(s3.talk.house.store.object("a").unwrap(), "0123");
    assert_eq!(put("if-match", "\"eb62f6b9306db575c2d596b1279627a4\"", "4567").await, "200");
    assert_eq!(s3.talk.house.store.object("a").unwrap(), "4567");

    let id = s3.begin("a").await;
    let tag = s3.put_part(("a", &id), 1, "89").await;
    let body = super::completion(&[(1, &tag)]);
    let headers = [("if-none-match", "*")];
    let query = [("uploadId", id.as_str())];
    let complete = ask("POST", "/towline/a").query(&query).headers(&headers).body(&body);
    assert_eq!(s3.code(complete).await, "412 PreconditionFailed");
    assert_eq!(s3.code(ask("DELETE", "/towline/a")).await, "204");
    assert_eq!(s3.code(complete).await, "200");
    assert_eq!(s3.code(complete).await, "200", "it is this upload's own file");
}

#[tokio::test]
async fn conditions_tell_nothing_to_who_may_not_know() {
    let s3 = S3::default();
    let tag = between(&s3.put("shared/a", "0123").await, "etag: ", "\n").to_owned();
    let anything = [("if-none-match", "*")];
    for key in ["/towline/shared/a", "/towline/shared/none"] {
        let put = ask("PUT", key).headers(&anything).body("4567");
        assert_eq!(code(&s3.say_as(&eve(), put).await), "403 AccessDenied", "{key}");
    }
    // Bob may write there, and has no file there.
    let all = [Operation::Upload, Operation::Read];
    for (operations, refusal) in [(&all[..], "404 NoSuchKey"), (&all[..1], "403 AccessDenied")] {
        let principal = Principal {
            owner: "bob".to_owned(),
            operations: operations.to_vec(),
            key_prefix: "shared/".to_owned(),
        };
        let secret_key = towline_sigv4::Secret::new("secret of bob");
        s3.keyring.replace(vec![AccessKey { access_key: "AKBOB".to_owned(), secret_key, principal }]);
        let bob = super::signer("AKBOB", "secret of bob");
        for tag in [tag.as_str(), "*", "\"x\""] {
            let headers = [("if-match", tag)];
            let put = ask("PUT", "/towline/shared/a").headers(&headers).body("4567");
            assert_eq!(code(&s3.say_as(&bob, put).await), refusal, "{tag}");
        }
        let put = ask("PUT", "/towline/shared/a").headers(&anything).body("4567");
        assert_eq!(code(&s3.say_as(&bob, put).await), "412 PreconditionFailed", "it is not replaced");
    }
    assert_eq!(s3.talk.house.store.object("shared/a").unwrap(), "0123");
}

#[tokio::test]
async fn an_encoding_that_is_not_kept_is_refused_wherever_it_is_said() {
    let s3 = S3::default();
    s3.put("b", "0123").await;
    let put = |headers: &'static [(&'static str, &'static str)]| ask("PUT", "/towline/a").headers(headers);
    let begun = ask("POST", "/towline/a").query(&[("uploads", "")]);
    let gzip = &[("content-encoding", "gzip")];
    let copied = &[
        ("content-encoding", "aws-chunked,br"),
        ("x-amz-copy-source", "towline/b"),
        ("x-amz-metadata-directive", "REPLACE"),
    ];
    for request in [put(gzip).body("0123"), begun.headers(gzip), put(copied)] {
        let reply = s3.say(request).await;
        assert_eq!(code(&reply), "501 NotImplemented");
        assert!(reply.contains("Content-Encoding: "), "{reply}");
    }
    assert_eq!(s3.code(begun.headers(&[("content-encoding", "aws-chunked")])).await, "200");
    for header in [("x-amz-tagging", "a=b"), ("x-amz-server-side-encryption-customer-algorithm", "AES256")] {
        assert_eq!(s3.code(begun.headers(&[header])).await, "501 NotImplemented", "{header:?}");
    }
    let conditional = put(&[("x-amz-copy-source", "towline/b"), ("if-none-match", "*")]);
    assert_eq!(s3.code(conditional).await, "501 NotImplemented", "no condition is passed over");
}

#[tokio::test]
async fn keys_that_cannot_be_files_are_refused_clearly() {
    let s3 = S3::default();
    let folder = s3.say(ask("PUT", "/towline/dir/").headers(&[("content-length", "0")])).await;
    assert_snapshot!(folder, @r#"
    400 Bad Request
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>InvalidArgument</Code><Message>The key cannot be used: it ends with &apos;/&apos;, which names a folder</Message><Resource>/towline/dir/</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
    let long = format!("/towline/{}", "k".repeat(1025));
    assert_eq!(s3.code(ask("PUT", &long).body("0")).await, "400 KeyTooLongError");
    for path in ["/towline//a", "/towline/a//b", "/towline/a/../b", "/towline/.towline/a"] {
        assert_eq!(s3.code(ask("PUT", path).body("0")).await, "400 InvalidArgument", "{path}");
        assert_eq!(s3.code(ask("GET", path)).await, "404 NoSuchKey", "{path}");
        assert_eq!(s3.code(ask("DELETE", path)).await, "204", "{path}");
    }
}

#[tokio::test]
async fn a_plus_in_a_key_is_a_plus() {
    let s3 = S3::default();
    s3.put("a+b c", "0123").await;
    assert_eq!(s3.talk.house.store.object("a+b c").unwrap(), "0123");
}

#[tokio::test]
async fn files_are_copied_within_the_bucket() {
    let s3 = S3::default();
    let said = [("content-type", "a/b"), ("x-amz-meta-mtime", "1")];
    s3.say(ask("PUT", "/towline/a b").headers(&said).body("0123")).await;
    let copied = ask("PUT", "/towline/c").headers(&[("x-amz-copy-source", "/towline/a%20b")]);
    assert_snapshot!(s3.say(copied).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;eb62f6b9306db575c2d596b1279627a4&quot;</ETag></CopyObjectResult>
    "#);
    let copy = s3.say(ask("HEAD", "/towline/c")).await;
    assert!(copy.contains("x-amz-meta-mtime: 1\n") && copy.contains("content-type: a/b\n"), "{copy}");
    let renewed = [
        ("x-amz-copy-source", "towline/c"),
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-mtime", "2"),
    ];
    assert_eq!(s3.code(ask("PUT", "/towline/c").headers(&renewed)).await, "200");
    let copy = s3.say(ask("GET", "/towline/c")).await;
    assert!(copy.contains("x-amz-meta-mtime: 2\n") && copy.ends_with("0123"), "{copy}");
    for (source, refusal) in [
        ("towline/c", "400 InvalidRequest"),
        ("towline/none", "404 NoSuchKey"),
        ("other/c", "404 NoSuchBucket"),
        ("c", "400 InvalidArgument"),
    ] {
        let headers = [("x-amz-copy-source", source)];
        let copied = ask("PUT", "/towline/c").headers(&headers);
        assert_eq!(s3.code(copied).await, refusal, "{source}");
    }
}

#[tokio::test]
async fn files_are_removed_one_by_one_and_many_at_once() {
    let s3 = S3::default();
    for key in ["a", "b", "c&d"] {
        s3.put(key, "0123").await;
    }
    assert_eq!(s3.code(ask("DELETE", "/towline/a")).await, "204");
    assert_eq!(s3.code(ask("DELETE", "/towline/a")).await, "204", "what is absent is removed");
    assert_eq!(s3.code(ask("GET", "/towline/a")).await, "404 NoSuchKey");
    let body = "<Delete><Object><Key>b</Key></Object><Object><Key>c&amp;d</Key></Object>\
                <Object><Key>none</Key></Object></Delete>";
    let many = ask("POST", "/towline").query(&[("delete", "")]).body(body);
    let damaged = many.headers(&[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")]);
    assert_eq!(s3.code(damaged).await, "400 BadDigest");
    assert_snapshot!(s3.say(many).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>b</Key></Deleted><Deleted><Key>c&amp;d</Key></Deleted><Deleted><Key>none</Key></Deleted></DeleteResult>
    "#);
    assert_eq!(s3.talk.house.store.object("c&d"), None);
    let denied = s3.say_as(&eve(), many).await;
    assert!(denied.contains("<Key>b</Key><Code>AccessDenied</Code>"), "{denied}");
}

#[tokio::test]
async fn the_bucket_is_there_and_has_nothing_that_buckets_may_have() {
    let s3 = S3::default();
    assert_snapshot!(s3.say(ask("GET", "/")).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>ali</ID><DisplayName>ali</DisplayName></Owner><Buckets><Bucket><Name>towline</Name><CreationDate>1970-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>
    "#);
    assert_snapshot!(s3.say(ask("HEAD", "/towline")).await, @r"
    200 OK
    x-amz-bucket-region: us-east-1
    ");
    assert_eq!(s3.code(ask("PUT", "/towline")).await, "200");
    let location = s3.say(ask("GET", "/towline").query(&[("location", "")])).await;
    assert!(location.ends_with("2006-03-01/\"></LocationConstraint>"), "{location}");
    let versioning = s3.say(ask("GET", "/towline").query(&[("versioning", "")])).await;
    assert!(versioning.ends_with("2006-03-01/\"></VersioningConfiguration>"), "{versioning}");
    let asked = |name| {
        let s3 = &s3;
        async move { s3.code(ask("GET", "/towline").query(&[(name, "")])).await }
    };
    assert_eq!(asked("acl").await, "200");
    assert_eq!(asked("cors").await, "404 NoSuchCORSConfiguration");
    assert_eq!(asked("policy").await, "404 NoSuchBucketPolicy");
    assert_eq!(asked("versions").await, "501 NotImplemented");
    assert_eq!(s3.code(ask("DELETE", "/towline")).await, "405 MethodNotAllowed");
    for path in ["/other", "/other/a"] {
        assert_eq!(s3.code(ask("GET", path)).await, "404 NoSuchBucket", "{path}");
    }
}

#[tokio::test]
async fn the_bucket_may_stand_in_the_host() {
    let s3 = S3::default();
    s3.put("upload/init", "0123").await;
    let signed = ask("GET", "/upload/init").signed(&ali(), s3.now());
    let wrong = String::from_utf8(signed).unwrap();
    assert_eq!(code(&s3.talk.say(&wrong).await), "404 NoSuchBucket");
    let origin = towline_sigv4::Origin::parse("http://towline.s3.test").unwrap();
    let target = towline_sigv4::Target {
        method: "GET",
        origin: &origin,
        path: "/upload/init",
        query: &[],
        headers: &[],
    };
    let url = ali().presign(&target, s3.now(), std::time::Duration::from_mins(1));
    let path = url.strip_prefix("http://towline.s3.test").unwrap();
    let reply = s3.talk.say(format!("GET {path}\nhost: towline.s3.test")).await;
    assert!(reply.ends_with("\n0123"), "{reply}");
}

#[tokio::test]
async fn a_door_that_is_closed_leaves_its_requests_to_the_others() {
    let doors = vec![DoorKind::Session];
    let s3 = S3::with(DoorSettings { doors, ..DoorSettings::default() });
    assert!(s3.say(ask("GET", "/towline/a")).await.contains("/api/errors#no-route"));
}

#[tokio::test]
async fn pages_may_call_and_read_what_they_need() {
    let s3 = S3::default();
    let preflight = "OPTIONS /towline/a?partNumber=1&uploadId=x\nOrigin: http://localhost:5173\n\
                     Access-Control-Request-Method: PUT\nAccess-Control-Request-Headers: x-amz-date,content-type";
    let reply = s3.talk.ask(preflight.as_bytes()).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["access-control-allow-headers"], "x-amz-date,content-type");
    let refused = s3.talk.ask(b"PUT /towline/a\nhost: h\nOrigin: http://localhost:5173").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.headers()["access-control-allow-origin"], "http://localhost:5173");
    let exposed = refused.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("etag") && exposed.contains("x-amz-request-id"), "{exposed}");
}
