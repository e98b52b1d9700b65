//! What is asked for and not done here.

use insta::assert_snapshot;

use super::{Ask, S3, ask, code};

/// What brings bytes or says how they are kept, with this header.
async fn codes(s3: &S3, id: &str, header: (&str, &str)) -> Vec<String> {
    let headers = [header];
    let copied = [("x-amz-copy-source", "towline/there"), header];
    let part = [("partNumber", "1"), ("uploadId", id)];
    let requests: [Ask<'_>; 4] = [
        ask("PUT", "/towline/a").headers(&headers).body("0123"),
        ask("POST", "/towline/a").query(&[("uploads", "")]).headers(&headers),
        ask("PUT", "/towline/a").query(&part).headers(&headers).body("0123"),
        ask("PUT", "/towline/a").headers(&copied),
    ];
    let mut codes = Vec::new();
    for request in requests {
        codes.push(s3.code(request).await);
    }
    codes
}

#[tokio::test]
async fn what_is_not_done_is_refused_wherever_it_is_asked_for() {
    let s3 = S3::default();
    s3.put("there", "0123").await;
    let id = s3.begin("a").await;
    for header in [
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "k"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "a2V5"),
        ("x-amz-write-offset-bytes", "5"),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-website-redirect-location", "/b"),
        ("x-amz-grant-read", "id=1"),
    ] {
        assert_eq!(codes(&s3, &id, header).await, ["501 NotImplemented"; 4], "{header:?}");
    }
    assert_eq!(codes(&s3, &id, ("x-amz-acl", "everybody")).await, ["400 InvalidArgument"; 4]);
    assert_eq!(s3.talk.house.store.object("a"), None);
    for header in [("x-amz-acl", "public-read"), ("x-amz-tagging", ""), ("x-amz-storage-class", "GLACIER")] {
        assert_eq!(codes(&s3, &id, header).await, ["200"; 4], "{header:?}");
    }
}

#[tokio::test]
async fn who_asks_for_it_is_told_what_is_not_there() {
    let s3 = S3::default();
    let put = ask("PUT", "/towline/a").headers(&[("x-amz-write-offset-bytes", "5")]).body("56789");
    assert_snapshot!(s3.say(put).await, @r#"
    501 Not Implemented
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>NotImplemented</Code><Message>A header or parameter implies what is not there: x-amz-write-offset-bytes</Message><Resource>/towline/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
    let put = ask("PUT", "/towline/a").headers(&[("x-amz-acl", "mine")]).body("56789");
    assert_snapshot!(s3.say(put).await, @r#"
    400 Bad Request
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>InvalidArgument</Code><Message>x-amz-acl is none of private, public-read, public-read-write, authenticated-read, aws-exec-read, bucket-owner-read, bucket-owner-full-control</Message><ArgumentName>x-amz-acl</ArgumentName><Resource>/towline/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
}

#[tokio::test(start_paused = true)]
async fn the_body_is_not_waited_for() {
    let s3 = S3::default();
    let put = ask("PUT", "/towline/a").headers(&[("x-amz-tagging", "a=b")]).body("0123");
    let whole = String::from_utf8(put.signed(&super::ali(), s3.now())).unwrap();
    let reply = s3.talk.ask_in_part(whole.strip_suffix("23").unwrap()).await;
    assert_eq!(reply.status(), 501);
}

#[tokio::test]
async fn a_signed_url_asks_by_its_query() {
    let s3 = S3::default();
    let put = ask("PUT", "/towline/a").query(&[("x-amz-server-side-encryption", "aws:kms")]).body("0123");
    let url = put.presigned(&super::ali(), s3.now(), std::time::Duration::from_mins(1));
    assert_eq!(code(&s3.talk.say(url).await), "501 NotImplemented");
    assert_eq!(s3.talk.house.store.object("a"), None);
}
