//! Whatever a known caller asks for, the answer is an answer: never a fault, and the signature is understood.

use proptest::prelude::*;

use super::{S3, ask};
use crate::talk::FIRST;

fn words() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = prop::sample::select(vec![
        "uploadId",
        "partNumber",
        "uploads",
        "delete",
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "marker",
        "continuation-token",
        "start-after",
        "key-marker",
        "upload-id-marker",
        "max-uploads",
        "max-parts",
        "part-number-marker",
        "encoding-type",
        "versionId",
        "response-expires",
        "acl",
        "location",
        "x-id",
    ]);
    let texts = prop_oneof![Just(FIRST.to_owned()), "[0-9]{0,6}", "[ -~ü🎬]{0,12}", Just("2".to_owned())];
    prop::collection::vec((names, texts), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_a_known_caller_asks_is_answered(
        method in prop::sample::select(vec!["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]),
        path in "/(towline|other)?(/[a-z/.+%ü ]{0,8})?",
        query in words(),
        (header, value) in (prop::sample::select(vec!["range", "if-match", "x-amz-copy-source",
            "x-amz-meta-a", "content-type", "x-amz-checksum-crc32", "x-amz-mp-object-size",
            "content-encoding"]), "[ -~]{0,20}"),
        body in "[<>a-zA-Z0-9/]{0,40}",
    ) {
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let headers = [(header, value.trim())];
        let ask = ask(method, &path).query(&query).headers(&headers).body(&body);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let reply = runtime.block_on(async {
            let s3 = S3::default();
            s3.begin("a").await;
            s3.put("b", "0123").await;
            s3.say(ask).await
        });
        prop_assert!(!reply.starts_with('5') || reply.starts_with("501"), "{reply}");
        prop_assert!(!reply.contains("SignatureDoesNotMatch"), "{reply}");
    }
}
