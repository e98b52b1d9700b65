//! Requests that are not believed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use insta::assert_snapshot;
use towline_doors::{Authenticator, DoorSettings};
use towline_sigv4::Payload;

use super::{Ask, S3, ali, ask, code, eve, signer};

#[tokio::test]
async fn who_does_not_sign_is_denied() {
    let s3 = S3::with(DoorSettings {
        authenticator: Authenticator::Tokens(Vec::new()),
        ..DoorSettings::default()
    });
    s3.put("a", "0123").await;
    assert_snapshot!(s3.talk.say("GET /towline/a?partNumber=1\nhost: h").await, @r#"
    403 Forbidden
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/towline/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
    for method in ["GET", "PUT", "POST", "DELETE"] {
        assert_eq!(code(&s3.talk.say(format!("{method} /towline/a\nhost: h")).await), "403 AccessDenied");
    }
    assert_eq!(s3.talk.say("HEAD /towline/a\nhost: h").await, "403 Forbidden\n\n", "heads have no body");
    let v2 = "GET /towline/a\nhost: h\nauthorization: AWS AKALI:c2lnbmF0dXJl";
    assert_eq!(code(&s3.talk.say(v2).await), "400 InvalidRequest");
}

#[tokio::test]
async fn who_signs_otherwise_is_denied() {
    let s3 = S3::default();
    let get = ask("GET", "/towline/a");
    assert_eq!(code(&s3.say_as(&signer("AKMAL", "x"), get).await), "403 InvalidAccessKeyId");
    let wrong = s3.say_as(&signer("AKALI", "x"), get).await;
    assert_eq!(code(&wrong), "403 SignatureDoesNotMatch");
    assert!(wrong.contains("<StringToSign>AWS4-HMAC-SHA256\n20261121T000000Z\n"), "{wrong}");
    let signed = String::from_utf8(get.signed(&ali(), s3.now())).unwrap();
    for (was, is) in [
        ("GET /towline/a", "GET /towline/b"),
        ("GET /towline/a", "DELETE /towline/a"),
        ("GET /towline/a", "GET /towline/a?acl"),
        ("host: s3.test:8000", "host: s4.test:8000"),
    ] {
        let changed = signed.replacen(was, is, 1);
        assert_eq!(code(&s3.talk.say(changed).await), "403 SignatureDoesNotMatch", "{is}");
    }
    let stray = signed.replacen("\n\n", "\nx-amz-acl: public-read\n\n", 1);
    assert_eq!(code(&s3.talk.say(stray).await), "403 AccessDenied");
    let broken = signed.replacen("Credential=AKALI/", "Credential=AKALI", 1);
    assert_eq!(code(&s3.talk.say(broken).await), "400 AuthorizationHeaderMalformed");
}

#[tokio::test]
async fn a_wrong_region_is_told_the_right_one() {
    let s3 = S3::default();
    let secret = towline_sigv4::Secret::new("secret of ali");
    let credentials = towline_sigv4::Credentials {
        access_key: "AKALI".to_owned(),
        secret_key: secret,
        session_token: None,
    };
    let elsewhere = towline_sigv4::Signer::new(credentials, "eu-central-1");
    assert_snapshot!(s3.say_as(&elsewhere, ask("GET", "/towline/a")).await, @r#"
    400 Bad Request
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region &apos;eu-central-1&apos; is wrong; expecting &apos;us-east-1&apos;</Message><Region>us-east-1</Region><Resource>/towline/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
}

#[tokio::test]
async fn a_request_from_another_time_is_denied() {
    let s3 = S3::default();
    s3.put("a", "0123").await;
    let signed = ask("GET", "/towline/a").signed(&ali(), s3.now());
    s3.talk.house.clock.advance(Duration::from_mins(15));
    assert!(s3.talk.say(&signed).await.starts_with("200 OK"));
    s3.talk.house.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&s3.talk.say(&signed).await), "403 RequestTimeTooSkewed");
    let ahead = ask("GET", "/towline/a").signed(&ali(), s3.now().after(Duration::from_mins(16)));
    assert_eq!(code(&s3.talk.say(ahead).await), "403 RequestTimeTooSkewed");
}

#[tokio::test]
async fn a_signed_url_is_good_for_its_time_its_method_and_its_key() {
    let s3 = S3::default();
    s3.put("a", "0123").await;
    let url = |ask: Ask<'_>| ask.presigned(&ali(), s3.now(), Duration::from_mins(1));
    let get = url(ask("GET", "/towline/a"));
    assert!(s3.talk.say(&get).await.ends_with("\n0123"));
    let text = String::from_utf8(get.clone()).unwrap();
    let other = text.replacen("/towline/a", "/towline/b", 1);
    assert_eq!(code(&s3.talk.say(other).await), "403 SignatureDoesNotMatch");
    let put = text.replacen("GET ", "PUT ", 1);
    assert_eq!(code(&s3.talk.say(put).await), "403 SignatureDoesNotMatch");
    let longer = text.replacen("X-Amz-Expires=60", "X-Amz-Expires=61", 1);
    assert_eq!(code(&s3.talk.say(longer).await), "403 SignatureDoesNotMatch");
    for seconds in ["0", "604801", "-1", "x"] {
        let never = text.replacen("X-Amz-Expires=60", &format!("X-Amz-Expires={seconds}"), 1);
        assert_eq!(code(&s3.talk.say(never).await), "400 AuthorizationQueryParametersError", "{seconds}");
    }
    s3.talk.house.clock.advance(Duration::from_secs(61));
    assert_snapshot!(s3.talk.say(&get).await, @r#"
    403 Forbidden
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>AccessDenied</Code><Message>Request has expired</Message><RequestTime>2026-11-21T00:00:00Z</RequestTime><ServerTime>2026-11-21T00:01:01Z</ServerTime><Expires>2026-11-21T00:01:00Z</Expires><Resource>/towline/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused() {
    let s3 = S3::default();
    let put = ask("PUT", "/towline/a").body("0123").payload(Payload::Sha256([7; 32]));
    assert_eq!(s3.code(put).await, "400 XAmzContentSHA256Mismatch");
    let id = s3.begin("a").await;
    let query = [("partNumber", "1"), ("uploadId", id.as_str())];
    assert_eq!(s3.code(put.query(&query)).await, "400 XAmzContentSHA256Mismatch");
    let query = [("uploadId", id.as_str())];
    let completed = ask("POST", "/towline/a").query(&query).body("<x/>");
    let completed = completed.payload(Payload::Sha256([7; 32]));
    assert_eq!(s3.code(completed).await, "400 XAmzContentSHA256Mismatch");
    assert_eq!(s3.talk.house.store.object("a"), None);
    let without = String::from_utf8(ask("GET", "/towline/a").signed(&ali(), s3.now())).unwrap();
    let without = without.replacen("x-amz-content-sha256: ", "x-other: ", 1);
    assert_eq!(code(&s3.talk.say(without).await), "400 InvalidRequest");
}

#[tokio::test]
async fn a_key_does_what_it_may_and_sees_what_is_its_owners() {
    let s3 = S3::default();
    s3.put("shared/a", "0123").await;
    let eve = eve();
    assert_eq!(code(&s3.say_as(&eve, ask("GET", "/towline/shared/a")).await), "404 NoSuchKey");
    assert_eq!(code(&s3.say_as(&eve, ask("GET", "/towline/a")).await), "403 AccessDenied");
    assert_eq!(code(&s3.say_as(&eve, ask("PUT", "/towline/shared/b").body("0")).await), "403 AccessDenied");
    assert_eq!(code(&s3.say_as(&eve, ask("DELETE", "/towline/shared/a")).await), "403 AccessDenied");
    let begun = ask("POST", "/towline/shared/a").query(&[("uploads", "")]);
    assert_eq!(code(&s3.say_as(&eve, begun).await), "403 AccessDenied");
}

#[tokio::test]
async fn a_url_is_good_at_the_host_it_was_signed_for_and_where_proxies_are_believed() {
    let with = |public_url: Option<&str>, trusts_forwarded: bool| {
        let public_url = public_url.map(str::to_owned);
        S3::with(DoorSettings { public_url, trusts_forwarded, ..DoorSettings::default() })
    };
    let put = async |s3: &S3, host: &str| {
        let asked = ask("PUT", "/towline/a").body("0123").presigned(&ali(), s3.now(), Duration::from_mins(1));
        let asked = String::from_utf8(asked).unwrap().replacen("host: s3.test:8000", host, 1);
        code(&s3.talk.say(asked).await)
    };
    let (public, mismatch) = (Some("http://s3.test:8000"), "403 SignatureDoesNotMatch");
    let forwarded = "host: inner\nx-forwarded-host: s3.test:8000";
    assert_eq!(put(&with(None, false), forwarded).await, mismatch);
    assert_eq!(put(&with(None, true), forwarded).await, "200");
    assert_eq!(put(&with(public, false), "host: inner").await, "200", "it is known where clients ask");
    // The host must not make another key of the one that was signed.
    for settings in [(None, false), (public, false), (public, true)] {
        let s3 = with(settings.0, settings.1);
        for host in ["towline.s3.test:8000", "towline.s3.test"] {
            let said = format!("host: {host}\nx-forwarded-host: s3.test:8000");
            let expected = if settings.1 { "200" } else { mismatch };
            assert_eq!(put(&s3, &said).await, expected, "{settings:?} {host}");
            assert_eq!(put(&s3, &format!("host: {host}")).await, mismatch, "{settings:?} {host}");
        }
        assert_eq!(s3.talk.house.store.object("towline/a"), None, "{settings:?}");
    }
}

#[tokio::test]
async fn a_url_of_ours_makes_no_other_key_where_a_proxy_takes_the_buckets_name_away() {
    let public_url = Some("http://s3.test:8000/towline".to_owned());
    let s3 = S3::with(DoorSettings { public_url, ..DoorSettings::default() });
    let url = s3.talk.told("POST /uploads/url\n\n{\"key\":\"a\"}", "url").await;
    let target = url.strip_prefix("http://s3.test:8000/towline").expect("a URL of ours");
    let put =
        async |target: &str| code(&s3.talk.say(format!("PUT {target}\nhost: s3.test:8000\n\n0123")).await);
    assert_eq!(put(target).await, "200");
    assert_eq!(put(&format!("/towline{target}")).await, "403 SignatureDoesNotMatch");
    assert_eq!(s3.talk.house.store.object("towline/a"), None);
}

/// A URL as boto3 signs it unless it is told otherwise: with its time, over this text.
fn second(s3: &S3, (method, target, amz): (&str, &str, &str), secret: &str, lasts_s: i64) -> String {
    let expires = s3.now().as_unix() + lasts_s;
    let text = format!("{method}\n\n\n{expires}\n{amz}{target}");
    let signature = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).expect("a key").chain_update(text);
    let signature = STANDARD.encode(signature.finalize().into_bytes());
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    format!("{method} {path}?AWSAccessKeyId=AKALI&Signature={signature}&Expires={expires}&{query}\nhost: h")
}

#[tokio::test]
async fn urls_of_the_second_version_are_taken_as_boto3_signs_them() {
    let s3 = S3::default();
    s3.put("a", "0123").await;
    let (get, secret) = (("GET", "/towline/a", ""), "secret of ali");
    let good = second(&s3, get, secret, 60);
    assert!(s3.talk.say(&good).await.ends_with("\n0123"));
    let typed = second(&s3, ("GET", "/towline/a?response-content-type=a/b", ""), secret, 60);
    assert!(s3.talk.say(typed).await.contains("content-type: a/b\n"));
    // What is said of a file stands in the URL and in a header, and is signed once.
    let put = second(&s3, ("PUT", "/towline/b", "x-amz-meta-k:v\n"), secret, 60);
    let put = put.replacen("\nhost", "x-amz-meta-k=v\nx-amz-meta-k: v\ncontent-length: 0\nhost", 1);
    assert_eq!(code(&s3.talk.say(put).await), "200");
    for (was, is) in [
        ("GET ", "DELETE "),
        ("/towline/a", "/towline/b"),
        ("\nhost", "&response-content-type=a\nhost"),
        ("\nhost", "&uploads\nhost"),
        ("\nhost", "\nx-amz-acl: x\nhost"),
    ] {
        let changed = good.replacen(was, is, 1);
        assert_eq!(code(&s3.talk.say(changed).await), "403 SignatureDoesNotMatch", "{is}");
    }
    assert_eq!(code(&s3.talk.say(second(&s3, get, "x", 60)).await), "403 SignatureDoesNotMatch");
    assert_eq!(code(&s3.talk.say(second(&s3, get, secret, 604_801)).await), "403 AccessDenied");
    s3.talk.house.clock.advance(Duration::from_secs(61));
    let late = s3.talk.say(good).await;
    assert!(late.contains("<Message>Request has expired</Message>"), "{late}");
}
