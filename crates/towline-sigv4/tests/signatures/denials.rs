//! Each reason to deny a request, and the odd spellings that are none.

use std::time::Duration;

use towline_sigv4::{
    Claim, Credentials, Denial, Means, Moment, Origin, Payload, Request, Rules, Scope, Secret, Signer,
    SigningKey, Target,
};

use crate::{moment, rules, signer};

const HOST: &str = "files.example";

fn check(request: &Request<'_>, rules: &Rules<'_>) -> Result<Payload, Denial> {
    let claim = Claim::find(request)?.expect("the request is signed");
    claim.verify(rules, &signer().key(claim.scope.day), request)?;
    claim.payload(request)
}

/// A signed URL for `PUT /b/k`, as the server receives it.
fn signed_query(signer: &Signer) -> String {
    let origin = Origin::parse("https://files.example").expect("an origin");
    let target = Target { method: "PUT", origin: &origin, path: "/b/k", query: &[], headers: &[] };
    let url = signer.presign(&target, moment(), Duration::from_mins(10));
    url.split_once('?').expect("a query").1.to_owned()
}

fn put(query: &str) -> Request<'_> {
    Request { method: "PUT", path: "/b/k", query, headers: &[], hosts: &[HOST] }
}

fn after(minutes: u64) -> Rules<'static> {
    Rules { now: moment().after(Duration::from_mins(minutes)), ..rules() }
}

fn before(minutes: i64) -> Rules<'static> {
    Rules { now: Moment::from_unix(moment().as_unix() - minutes * 60), ..rules() }
}

#[test]
fn a_url_is_good_in_its_time_only() {
    let query = signed_query(&signer());
    for (rules, outcome) in [
        (before(16), Err(Denial::NotYet)),
        (before(15), Ok(Payload::Unsigned)),
        (after(10), Ok(Payload::Unsigned)),
        (after(11), Err(Denial::Expired)),
    ] {
        assert_eq!(check(&put(&query), &rules), outcome, "{}", rules.now);
    }
}

#[test]
fn a_signed_request_is_good_while_the_clocks_agree() {
    let origin = Origin::parse("https://files.example").unwrap();
    let target = Target { method: "PUT", origin: &origin, path: "/b/k", query: &[], headers: &[] };
    let own = signer().sign(&target, Payload::Unsigned, moment());
    let headers: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let request = Request { headers: &headers, ..put("") };
    let skewed = Err(Denial::Skewed { by: Duration::from_mins(16) });
    for (rules, outcome) in [
        (before(16), skewed.clone()),
        (before(15), Ok(Payload::Unsigned)),
        (after(15), Ok(Payload::Unsigned)),
        (after(16), skewed),
    ] {
        assert_eq!(check(&request, &rules), outcome, "{}", rules.now);
    }
    let query = signed_query(&signer());
    assert_eq!(check(&Request { query: &query, ..request }, &rules()), Err(Denial::TwoMeans));
    let fewer: Vec<_> = headers.iter().copied().filter(|(name, _)| *name != "x-amz-content-sha256").collect();
    assert_eq!(check(&Request { headers: &fewer, ..request }, &rules()), Err(Denial::PayloadMissing));
}

#[test]
fn another_region_or_service_is_named() {
    let means = Means::Query;
    let query = signed_query(&signer());
    let (given, wanted) = ("us-east-1".to_owned(), "eu-west-1".to_owned());
    let elsewhere = Rules { region: "eu-west-1", ..rules() };
    assert_eq!(check(&put(&query), &elsewhere), Err(Denial::WrongRegion { means, given, wanted }));
    let given = "iam".to_owned();
    let changed = query.replace("%2Fs3%2F", "%2Fiam%2F");
    assert_eq!(check(&put(&changed), &rules()), Err(Denial::WrongService { means, given }));
    let changed = query.replace("%2F20130524%2F", "%2F20130523%2F");
    assert_eq!(check(&put(&changed), &rules()), Err(Denial::WrongDay { means }));
}

#[test]
fn another_secret_key_does_not_match() {
    let credentials = Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: Secret::new("another"),
        session_token: None,
    };
    let query = signed_query(&Signer::new(credentials, "us-east-1"));
    let Err(Denial::Mismatch(mismatch)) = check(&put(&query), &rules()) else {
        panic!("another key was believed");
    };
    assert!(mismatch.canonical_request.starts_with("PUT\n/b/k\nX-Amz-Algorithm="));
    assert!(
        mismatch.string_to_sign.starts_with("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/")
    );
}

#[test]
fn headers_of_s3_cannot_be_added_to_a_signed_url() {
    let query = signed_query(&signer());
    let with = |name| [(name, &b"value"[..])];
    let stray = with("x-amz-copy-source");
    assert_eq!(
        check(&Request { headers: &stray, ..put(&query) }, &rules()),
        Err(Denial::NotSigned("x-amz-copy-source".to_owned()))
    );
    for harmless in ["content-type", "x-amz-cf-id", "x-amzn-trace-id"] {
        let headers = with(harmless);
        let request = Request { headers: &headers, ..put(&query) };
        assert_eq!(check(&request, &rules()), Ok(Payload::Unsigned), "{harmless}");
    }
}

/// Who uses the URL may declare more than who signed it, never less.
#[test]
fn a_signed_digest_cannot_be_taken_back() {
    let origin = Origin::parse("https://files.example").unwrap();
    let digest = "ab".repeat(32);
    let declared = [("X-Amz-Content-Sha256", digest.as_str())];
    let url = {
        // The canonical request of such a URL ends with the digest: signed by hand, as `presign` does not.
        let target = Target { method: "PUT", origin: &origin, path: "/b/k", query: &declared, headers: &[] };
        signer().presign(&target, moment(), Duration::from_mins(10))
    };
    let (_, query) = url.split_once('?').unwrap();
    let headers = [("x-amz-content-sha256", &b"UNSIGNED-PAYLOAD"[..])];
    let request = Request { headers: &headers, ..put(query) };
    let claim = Claim::find(&request).unwrap().unwrap();
    assert_eq!(claim.payload(&request), Ok(Payload::Sha256([0xab; 32])));
    // `presign` signed UNSIGNED-PAYLOAD, and the header must not help it over the query.
    assert!(matches!(check(&request, &rules()), Err(Denial::Mismatch(_))));

    let query = signed_query(&signer());
    let headers = [("x-amz-content-sha256", digest.as_bytes())];
    let outcome = check(&Request { headers: &headers, ..put(&query) }, &rules());
    assert_eq!(outcome, Ok(Payload::Sha256([0xab; 32])));
    let headers = [("x-amz-content-sha256", &b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"[..])];
    let outcome = check(&Request { headers: &headers, ..put(&query) }, &rules());
    assert_eq!(outcome, Err(Denial::PayloadUnknown));
}

#[test]
fn what_is_not_written_as_it_should_be_is_named() {
    let query = signed_query(&signer());
    let (query_malformed, header_malformed) = (
        |what| Denial::Malformed { means: Means::Query, what },
        |what| Denial::Malformed { means: Means::Header, what },
    );
    let find = |query: &str| Claim::find(&put(query)).err();
    let twice = format!("{query}&x-amz-date=20130524T000000Z");
    assert_eq!(find(&twice), Some(query_malformed("a part that is there twice")));
    let changed = query.replace("X-Amz-Date=2013", "X-Amz-Date=x");
    assert_eq!(find(&changed), Some(query_malformed("a date that is none")));
    for expires in ["0", "604801", "-1", "+1", "", "x", "99999999999999999999999"] {
        let changed = query.replace("X-Amz-Expires=600", &format!("X-Amz-Expires={expires}"));
        assert_eq!(find(&changed), Some(Denial::ExpiresOutOfRange), "{expires}");
    }
    let changed = query.replace("=host&", "=range&");
    assert_eq!(find(&changed), Some(Denial::NotSigned("host".to_owned())));
    let changed = query.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    assert_eq!(find(&changed), Some(Denial::UnknownAlgorithm { means: Means::Query }));
    let old = "AWSAccessKeyId=AKIA&Signature=abc%3D&Expires=1369353600";
    assert_eq!(find(old), Some(Denial::UnknownAlgorithm { means: Means::Query }));
    let old =
        Claim::from_form(&[("AWSAccessKeyId", "AKIA"), ("signature", "abc="), ("policy", "e30=")]).err();
    assert_eq!(old, Some(Denial::UnknownAlgorithm { means: Means::Form }));

    let by_header = |authorization: &str| {
        let headers = [("authorization", authorization.as_bytes()), ("x-amz-date", b"20130524T000000Z")];
        Claim::find(&Request { headers: &headers, ..put("") }).err()
    };
    assert_eq!(by_header("AWS AKIA:abc"), Some(Denial::UnknownAlgorithm { means: Means::Header }));
    assert_eq!(by_header("AWS4-HMAC-SHA256 Credential"), Some(header_malformed("a part without =")));
    let credential = "AWS4-HMAC-SHA256 Credential=A/20130524/r/s3/aws4_request";
    assert_eq!(by_header(credential), Some(header_malformed("the signature is missing")));
    let many = format!("{credential},SignedHeaders={},Signature={}", "host;".repeat(200), "a".repeat(64));
    assert_eq!(by_header(&many), Some(header_malformed("more signed headers than anybody needs")));
    assert!(Claim::find(&put("a=b")).unwrap().is_none(), "what is not signed makes no claim");
}

/// The browsers of document 001 keep the key they were given past midnight, and write either day.
#[test]
fn a_key_of_yesterday_signs_where_the_rules_say_so() {
    let query = signed_query(&signer());
    let yesterday = Moment::parse("20130523T230000Z").unwrap().day();
    let changed = query.replace("%2F20130524%2F", "%2F20130523%2F");
    let (unsigned, _) = changed.split_once("&X-Amz-Signature=").unwrap();
    let key = signer().key(yesterday);
    for day in ["20130523", "20130524"] {
        let canonical = format!("PUT\n/b/k\n{unsigned}\nhost:files.example\n\nhost\nUNSIGNED-PAYLOAD");
        let signature = by_hand(&key, day, &canonical);
        let query = format!("{unsigned}&X-Amz-Signature={signature}");
        let request = put(&query);
        let claim = Claim::find(&request).unwrap().unwrap();
        assert_eq!(claim.scope, Scope::s3(yesterday, "us-east-1"));
        let patient = Rules { key_days: 1, ..rules() };
        assert_eq!(claim.verify(&patient, &key, &request), Ok(()), "{day}");
        assert_eq!(claim.verify(&rules(), &key, &request), Err(Denial::WrongDay { means: Means::Query }));
    }
}

/// Clients leave these characters as they are, in the path and in the query, and sign what they send.
#[test]
fn characters_that_clients_leave_unencoded_are_no_mismatch() {
    let credential = "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request";
    let unsigned = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20130524T000000Z\
         &X-Amz-Expires=600&X-Amz-SignedHeaders=host&prefix=it's(1)!*"
    );
    let strict = unsigned.replace("it's(1)!*", "it%27s%281%29%21%2A");
    let (raw_path, strict_path) = ("/b/it's(1)!*~%7e", "/b/it%27s%281%29%21%2A~~");
    let key = signer().key(moment().day());
    for path in [raw_path, strict_path] {
        for query in [&unsigned, &strict] {
            let canonical = format!("GET\n{path}\n{query}\nhost:files.example\n\nhost\nUNSIGNED-PAYLOAD");
            let sent = format!("{unsigned}&X-Amz-Signature={}", by_hand(&key, "20130524", &canonical));
            let request = Request { method: "GET", path: raw_path, ..put(&sent) };
            assert_eq!(check(&request, &rules()), Ok(Payload::Unsigned), "{canonical}");
        }
    }
}

/// A signature over a canonical request that is written out, made without the crate.
fn by_hand(key: &SigningKey, day: &str, canonical: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::{Digest as _, Sha256};

    let hex = |bytes: &[u8]| -> String {
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
    };
    let digest = hex(&Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n20130524T000000Z\n{day}/us-east-1/s3/aws4_request\n{digest}");
    let text = key.to_hex();
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).expect("hex")).collect();
    let keyed = Hmac::<Sha256>::new_from_slice(&bytes).expect("a key");
    hex(&keyed.chain_update(to_sign).finalize().into_bytes())
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).expect("four bits")
}
