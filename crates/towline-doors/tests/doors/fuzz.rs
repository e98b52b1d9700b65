//! Whatever is sent, the answer is an answer: never a 5xx, and nothing of a refused request is kept.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::talk::{FIRST, Talk};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "(\\.\\./|/|[a-z]|\u{0}|🎬){0,9}".prop_map(Value::from),
        Just(json!({"a": "b"})),
        Just(json!(["a"])),
    ]
}

fn init() -> impl Strategy<Value = Value> {
    let fields = [
        "filename",
        "file_size",
        "chunk_size",
        "file_hash",
        "hash_algorithm",
        "key",
        "content_type",
        "metadata",
        "fingerprint",
        "idempotency_key",
    ];
    prop::collection::vec((0..fields.len(), scalar()), 0..6).prop_map(move |changes| {
        let mut body = json!({"filename": "a", "file_size": 8, "chunk_size": 4});
        for (at, value) in changes {
            body[fields[at]] = value;
        }
        body
    })
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts")
        .block_on(future)
}

proptest! {
    #[test]
    fn no_init_breaks_the_server(body in init()) {
        let (reply, staged) = run(async {
            let talk = Talk::default();
            let reply = talk.say(format!("POST /upload/init\n\n{body}")).await;
            (reply, talk.house.store.staged_count())
        });
        prop_assert!(reply.starts_with("200") || reply.starts_with('4'), "{body}: {reply}");
        if reply.starts_with('4') {
            prop_assert_eq!(staged, 0, "something of a refused request is kept: {}", body);
        }
    }

    #[test]
    fn no_part_breaks_the_server(
        number in "[0-9a-z%+-]{1,22}",
        header in prop_oneof![
            Just("x-part-hash"), Just("content-md5"), Just("content-digest"), Just("content-type"),
            Just("content-length"), Just("content-encoding"), Just("x-amz-checksum-sha256"),
        ],
        value in "[ -~]{0,40}",
        bytes in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut text = format!("PUT /upload/{FIRST}/part/{number}\n{header}: {}\n\n", value.trim()).into_bytes();
        text.extend_from_slice(&bytes);
        let reply = run(async {
            let talk = Talk::default();
            talk.begin(8).await;
            talk.say(text).await
        });
        prop_assert!(reply.starts_with("200") || reply.starts_with('4'), "{reply}");
    }

    #[test]
    fn no_path_or_query_breaks_the_server(
        path in prop_oneof![
            "/(upload|sessions|download|api|health)(/[a-z0-9.%]{0,8}){0,4}",
            Just(format!("/upload/{FIRST}/parts")),
            Just("/sessions".to_owned()),
        ],
        query in "((status|limit|after)=[0-9a-z.+%-]{0,12}&?){0,3}",
        method in prop_oneof![Just("GET"), Just("HEAD"), Just("DELETE"), Just("POST"), Just("PUT")],
        body in prop_oneof![Just(String::new()), "[ -~]{0,30}", Just("{\"parts\":[1,99]}".to_owned())],
    ) {
        let target = format!("{path}?{query}");
        prop_assume!(target.parse::<axum::http::Uri>().is_ok());
        let reply = run(async {
            let talk = Talk::default();
            talk.begin(8).await;
            talk.say(format!("{method} {target}\n\n{body}")).await
        });
        prop_assert!(reply.starts_with('2') || reply.starts_with('4'), "{method} {target}: {reply}");
    }

    #[test]
    fn no_range_or_condition_breaks_a_download(
        header in prop_oneof![
            Just("range"), Just("if-range"), Just("if-match"), Just("if-none-match"), Just("if-modified-since"),
        ],
        value in prop_oneof!["[ -~]{0,40}", "bytes=[0-9,-]{0,20}"],
    ) {
        let reply = run(async {
            let talk = Talk::default();
            talk.upload("{\"filename\":\"a\",\"file_size\":4}", "0123").await;
            talk.say(format!("GET /download/a\n{header}: {}", value.trim())).await
        });
        prop_assert!(reply.starts_with('2') || reply.starts_with("304") || reply.starts_with('4'), "{reply}");
    }
}
