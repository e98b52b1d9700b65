//! What is signed here is verified here, whatever the key of the object is; and what was changed is not.

use std::time::Duration;

use proptest::prelude::*;
use towline_sigv4::{
    Claim, Condition, Credentials, Denial, Moment, Origin, Payload, Request, Secret, Signer, Target,
    decode_path, decode_query,
};

use crate::{moment, rules, signer};

const HOST: &str = "files.example:9000";

fn origin() -> Origin {
    Origin::parse("http://files.example:9000").expect("an origin")
}

/// Keys as people name files, and as nobody should.
fn odd() -> impl Strategy<Value = String> {
    "[ -~ /%+.~()!*'üñ日😀]{0,30}"
}

/// Path and query of a URL, as the server receives them.
fn received(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://files.example:9000").expect("the origin");
    rest.split_once('?').unwrap_or((rest, ""))
}

fn check(request: &Request<'_>) -> Result<(), Denial> {
    let claim = Claim::find(request)?.ok_or(Denial::PayloadMissing)?;
    claim.verify(&rules(), &signer().key(claim.scope.day), request)
}

fn check_get(path: &str, query: &str) -> Result<(), Denial> {
    check(&Request { method: "GET", path, query, headers: &[], hosts: &[HOST] })
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// What the server understands of path and query, and the signature whatever the case of its digits.
fn meaning(path: &str, query: &str) -> (Vec<u8>, Pairs) {
    let mut pairs: Pairs = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode_query(name).into_owned(), decode_query(value).into_owned()))
        .collect();
    for (name, value) in &mut pairs {
        if name.eq_ignore_ascii_case(b"X-Amz-Signature") {
            name.make_ascii_lowercase();
            value.make_ascii_lowercase();
        }
    }
    pairs.sort();
    (decode_path(path).into_owned(), pairs)
}

proptest! {
    #[test]
    fn a_signed_url_is_believed(
        key in odd(), name in odd(), value in odd(), header in "[ -~]{0,20}", seconds in 1_u64..604_800,
    ) {
        let (path, origin) = (format!("/bucket/{key}"), origin());
        let query = [(name.as_str(), value.as_str()), ("x-id", "GetObject")];
        let headers = [("X-Amz-Meta-Odd", header.as_str()), ("Content-Type", "text/plain")];
        let target = Target { method: "PUT", origin: &origin, path: &path, query: &query, headers: &headers };
        prop_assume!(!name.to_ascii_lowercase().starts_with("x-amz-") && !name.is_empty());
        let url = signer().presign(&target, moment(), Duration::from_secs(seconds));
        let (raw_path, raw_query) = received(&url);
        prop_assert_eq!(&*decode_path(raw_path), path.as_bytes());
        let sent = [("content-type", &b"text/plain"[..]), ("x-amz-meta-odd", header.as_bytes())];
        let request =
            Request { method: "PUT", path: raw_path, query: raw_query, headers: &sent, hosts: &["other", HOST] };
        prop_assert_eq!(check(&request), Ok(()));
        prop_assert!(check(&Request { method: "GET", ..request }).is_err(), "another method");
        prop_assert!(check(&Request { hosts: &["other"], ..request }).is_err(), "another host");
        prop_assert!(check(&Request { headers: &sent[1..], ..request }).is_err(), "a header less");
        prop_assert!(check(&Request { path: "/bucket/another", ..request }).is_err(), "another key");
    }

    #[test]
    fn a_request_signed_by_header_is_believed(key in odd(), value in odd(), header in "[ -~]{0,20}") {
        let (path, origin) = (format!("/bucket/{key}"), origin());
        let query = [("uploads", ""), ("prefix", value.as_str())];
        let headers = [("x-amz-meta-odd", header.as_str())];
        let target = Target { method: "POST", origin: &origin, path: &path, query: &query, headers: &headers };
        let url = target.url();
        let (raw_path, raw_query) = received(&url);
        let own = signer().sign(&target, Payload::Sha256([7; 32]), moment());
        let mut sent: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        sent.push(("x-amz-meta-odd", header.as_bytes()));
        let request =
            Request { method: "POST", path: raw_path, query: raw_query, headers: &sent, hosts: &[HOST] };
        prop_assert_eq!(check(&request), Ok(()));
        let stretched = format!("{raw_query}&more");
        prop_assert!(check(&Request { query: &stretched, ..request }).is_err(), "a longer query");
        for (index, _) in own.iter().enumerate() {
            let mut fewer = sent.clone();
            fewer.remove(index);
            prop_assert!(check(&Request { headers: &fewer, ..request }).is_err(), "a header less");
        }
    }

    #[test]
    fn a_changed_byte_of_a_url_is_noticed(key in odd(), place: prop::sample::Index, change in 33_u8..127) {
        let (path, origin) = (format!("/b/{key}"), origin());
        let query = [("uploadId", "a b+c")];
        let target = Target { method: "GET", origin: &origin, path: &path, query: &query, headers: &[] };
        let url = signer().presign(&target, moment(), Duration::from_hours(1));
        let (raw_path, raw_query) = received(&url);
        prop_assert_eq!(check_get(raw_path, raw_query), Ok(()));
        let whole = format!("{raw_path}?{raw_query}");
        let mut bytes = whole.clone().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] = change;
        let changed = String::from_utf8(bytes).unwrap();
        let (new_path, new_query) = changed.split_once('?').unwrap_or((&changed, ""));
        if meaning(new_path, new_query) != meaning(raw_path, raw_query) {
            prop_assert!(check_get(new_path, new_query).is_err(), "{whole} -> {changed}");
        }
    }

    #[test]
    fn urls_of_parts_are_those_of_single_calls(
        key in odd(), id in "[!-~]{1,40}", extra in "[A-Za-z~üé]{1,8}", number in 1_u32..=100_000,
    ) {
        prop_assume!(!["partNumber", "uploadId"].contains(&extra.as_str()));
        let (path, origin) = (format!("/bucket/{key}"), origin());
        let text = number.to_string();
        let query = [("partNumber", text.as_str()), ("uploadId", id.as_str()), (extra.as_str(), "x y")];
        let headers = [("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")];
        let single =
            Target { method: "PUT", origin: &origin, path: &path, query: &query, headers: &headers };
        let many = Target { query: &query[2..], ..single };
        let expires = Duration::from_mins(15);
        prop_assert_eq!(
            signer().parts(&many, &id, moment(), expires).url(number),
            signer().presign(&single, moment(), expires)
        );
    }

    #[test]
    fn nothing_makes_the_parsers_panic(
        authorization in "(AWS4-HMAC-SHA256 ?)?(Credential=|SignedHeaders=|Signature=|[ -~é])*",
        query in "(X-Amz-(Algorithm|Credential|Date|Expires|Signature)=|[ -~%é&=])*",
        header: Vec<u8>,
    ) {
        let moments = [Moment::parse(&query), Moment::parse_http(&authorization)];
        prop_assert_eq!(moments, [None, None]);
        drop(Origin::parse(&query));
        let form = [("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", &query)];
        prop_assert!(Claim::from_form(&form).is_err());
        let headers = [("authorization", authorization.as_bytes())];
        let request = Request { method: "GET", path: &query, query: "", headers: &headers, hosts: &[HOST] };
        prop_assert!(check(&request).is_err());
        prop_assert!(check(&Request { query: &query, headers: &[], ..request }).is_err(), "by query");
        let headers = [("authorization", &*header)];
        prop_assert!(check(&Request { headers: &headers, ..request }).is_err(), "no text");
    }
}

#[test]
fn a_session_token_travels_with_each_signature() {
    let credentials = Credentials {
        access_key: "ASIA".to_owned(),
        secret_key: Secret::new("secret"),
        session_token: Some(Secret::new("to/ken+==")),
    };
    let (signer, origin) = (Signer::new(credentials, "us-east-1"), origin());
    let target = Target { method: "GET", origin: &origin, path: "/b/k", query: &[], headers: &[] };
    let key = signer.key(moment().day());

    let url = signer.presign(&target, moment(), Duration::from_mins(15));
    assert!(url.contains("&X-Amz-Security-Token=to%2Fken%2B%3D%3D&"), "{url}");
    let (path, query) = received(&url);
    let request = Request { method: "GET", path, query, headers: &[], hosts: &[HOST] };
    let claim = Claim::find(&request).unwrap().unwrap();
    assert_eq!(claim.session_token.as_ref().map(Secret::expose), Some("to/ken+=="));
    assert_eq!(claim.verify(&rules(), &key, &request), Ok(()));

    let own = signer.sign(&target, Payload::Unsigned, moment());
    let headers: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let request = Request { query: "", headers: &headers, ..request };
    let claim = Claim::find(&request).unwrap().unwrap();
    assert_eq!(claim.session_token.as_ref().map(Secret::expose), Some("to/ken+=="));
    assert_eq!(claim.verify(&rules(), &key, &request), Ok(()));

    let fields =
        signer.form(&[Condition::StartsWith("key", "a/")], moment(), moment().after(Duration::from_mins(5)));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let claim = Claim::from_form(&fields).unwrap();
    assert_eq!(claim.session_token.as_ref().map(Secret::expose), Some("to/ken+=="));
    let (_, policy) = fields.iter().find(|(name, _)| *name == "policy").unwrap();
    assert_eq!(claim.verify_form(&rules(), &key, policy), Ok(()));
}

#[test]
fn a_url_lives_between_a_second_and_seven_days() {
    let origin = origin();
    let target = Target { method: "GET", origin: &origin, path: "/b/k", query: &[], headers: &[] };
    for (expires, written) in [(Duration::ZERO, "=1&"), (Duration::MAX, "=604800&")] {
        let url = signer().presign(&target, moment(), expires);
        assert!(url.contains(&format!("&X-Amz-Expires{written}")), "{url}");
        let (path, query) = received(&url);
        assert_eq!(check_get(path, query), Ok(()));
    }
}

#[test]
fn the_key_of_another_day_is_another_one() {
    let signer = signer();
    let (today, tomorrow) = (moment().day(), moment().after(Duration::from_hours(24)).day());
    let (first, second) = (signer.key(today).to_hex(), signer.key(tomorrow).to_hex());
    assert_ne!(first, second);
    assert_eq!((signer.key(today).to_hex(), signer.key(tomorrow).to_hex()), (first, second));
}
