//! Files that pages post.

use std::time::Duration;

use insta::assert_snapshot;
use towline_sigv4::Condition;

use super::{S3, ali, code};

const CONDITIONS: [Condition<'_>; 5] = [
    Condition::Equals("bucket", "towline"),
    Condition::StartsWith("key", "user/"),
    Condition::StartsWith("Content-Type", "image/"),
    Condition::Equals("success_action_status", "201"),
    Condition::SizeBytes { min: 2, max: 10 },
];
const FIELDS: [(&str, &str); 3] =
    [("key", "user/${filename}"), ("Content-Type", "image/png"), ("success_action_status", "201")];

/// A form of Ali's with the policy above.
fn form(s3: &S3, fields: &[(&str, &str)], file: &str) -> String {
    form_under(&CONDITIONS, s3, fields, file)
}

fn form_under(conditions: &[Condition<'_>], s3: &S3, fields: &[(&str, &str)], file: &str) -> String {
    let signed = ali().form(conditions, s3.now(), s3.now().after(Duration::from_mins(1)));
    let signed = signed.iter().map(|(name, value)| (*name, value.as_str()));
    let mut body = String::new();
    for (name, value) in fields.iter().copied().chain(signed) {
        let start = "--b\r\nContent-Disposition: form-data; name=\"";
        body.extend([start, name, "\"\r\n\r\n", value, "\r\n"]);
    }
    format!(
        "POST /towline\nhost: s3.test\ncontent-type: multipart/form-data; boundary=b\n\n{body}--b\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n{file}\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn a_posted_file_is_kept_when_the_policy_lets_it() {
    let s3 = S3::default();
    assert_snapshot!(s3.talk.say(form(&s3, &FIELDS, "0123")).await, @r#"
    201 Created
    content-type: application/xml
    etag: "eb62f6b9306db575c2d596b1279627a4"
    location: http://s3.test/towline/user/a.png

    <?xml version="1.0" encoding="UTF-8"?>
    <PostResponse><Location>http://s3.test/towline/user/a.png</Location><Bucket>towline</Bucket><Key>user/a.png</Key><ETag>&quot;eb62f6b9306db575c2d596b1279627a4&quot;</ETag></PostResponse>
    "#);
    assert_eq!(s3.talk.house.store.object("user/a.png").unwrap(), "0123");
    let get = s3.say(super::ask("GET", "/towline/user/a.png")).await;
    assert!(get.contains("content-type: image/png\n"), "{get}");
}

#[tokio::test]
async fn a_form_that_the_policy_does_not_let_is_refused() {
    let s3 = S3::default();
    let with = |name: &str, value: &'static str| {
        FIELDS.map(|(known, field)| if known == name { (known, value) } else { (known, field) })
    };
    let say = |fields: Vec<(&'static str, &'static str)>, file: &'static str| {
        let s3 = &s3;
        async move { code(&s3.talk.say(form(s3, &fields, file)).await) }
    };
    assert_eq!(say(with("key", "other/a").to_vec(), "0123").await, "403 AccessDenied");
    assert_eq!(say(with("key", "user/../a").to_vec(), "0123").await, "400 InvalidArgument");
    assert_eq!(say(with("Content-Type", "text/html").to_vec(), "0123").await, "403 AccessDenied");
    assert_eq!(say([&FIELDS[..], &[("acl", "public")]].concat(), "0123").await, "403 AccessDenied");
    assert_eq!(say(FIELDS[..2].to_vec(), "0123").await, "403 AccessDenied");
    assert_eq!(say(FIELDS.to_vec(), "0").await, "400 EntityTooSmall");
    assert_eq!(say(FIELDS.to_vec(), "0123456789a").await, "400 EntityTooLarge");
    let tampered =
        form(&s3, &FIELDS, "0123").replacen("name=\"policy\"\r\n\r\ney", "name=\"policy\"\r\n\r\neY", 1);
    assert_eq!(code(&s3.talk.say(tampered).await), "403 SignatureDoesNotMatch");
    let unsigned = "POST /towline\nhost: h\ncontent-type: multipart/form-data; boundary=b\n\n--b\r\n\
                    Content-Disposition: form-data; name=\"file\"\r\n\r\n0123\r\n--b--\r\n";
    assert_eq!(code(&s3.talk.say(unsigned).await), "403 AccessDenied");
    let late = form(&s3, &FIELDS, "0123");
    s3.talk.house.clock.advance(Duration::from_mins(1));
    assert_snapshot!(s3.talk.say(late).await, @r#"
    403 Forbidden
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message><Resource>/towline</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
    let broken = "POST /towline\nhost: h\ncontent-type: multipart/form-data; boundary=b\n\n--b\r\n";
    assert_eq!(code(&s3.talk.say(broken).await), "400 MalformedPOSTRequest");
    assert_eq!(s3.talk.house.store.staged_count(), 0);
}

#[tokio::test]
async fn a_form_may_not_ask_for_what_is_not_done() {
    let s3 = S3::default();
    for (name, value, told) in [
        ("tagging", "<Tagging/>", "501 NotImplemented"),
        ("x-amz-server-side-encryption", "AES256", "501 NotImplemented"),
        ("x-amz-website-redirect-location", "/b\n", "501 NotImplemented"),
        ("acl", "everybody", "400 InvalidArgument"),
        ("acl", "public-read", "201"),
    ] {
        let conditions = [&CONDITIONS[..], &[Condition::StartsWith(name, "")]].concat();
        let fields = [&FIELDS[..], &[(name, value)]].concat();
        let reply = s3.talk.say(form_under(&conditions, &s3, &fields, "0123")).await;
        assert_eq!(code(&reply), told, "{name}: {value}");
    }
}
