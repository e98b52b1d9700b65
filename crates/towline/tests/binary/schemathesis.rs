//! The described API against the served one: schemathesis generates what the document allows and what it forbids,
//! alone and in sequences, and looks at every answer. Its checks and bounds are in `tests/clients/schemathesis.toml`.

use std::fs;

use crate::support::{Ended, House, Upload, python};

const CONFIG: &str = include_str!("../clients/schemathesis.toml");
/// How many uploads it may send parts to, complete and cancel before all are gone.
const UPLOADS: usize = 8;

#[test]
fn no_request_that_schemathesis_thinks_of_is_answered_otherwise_than_described() {
    let house = House::start(&[]);
    let server = &house.server;
    let finished = Upload::begin(server, "finished.bin", 4, 4);
    finished.put(server, b"0123", 1).ok();
    finished.complete(server).ok();
    // Parts of a byte, so that generated bodies fit now and then.
    let open = (0..UPLOADS).map(|_| Upload::begin(server, "open.bin", 4, 1));
    let uploads: Vec<String> = open.chain([finished]).map(|upload| format!("\"{}\"\n", upload.id)).collect();

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schemathesis.toml"), CONFIG).unwrap();
    fs::write(folder.path().join("uploads.txt"), uploads.concat()).unwrap();
    let description = format!("http://{}/api/openapi.json", server.address());
    let ended = python()
        .args([
            "-m",
            "schemathesis.cli",
            "--config-file",
            "schemathesis.toml",
            "run",
            "--no-color",
            &description,
        ])
        .current_dir(folder.path())
        .output();
    let ended = Ended::from(ended.unwrap());
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    house.check();
}
