//! The closer look at a bucket, on real servers: a Garage of each test's own, since CORS and lifecycle belong to a whole
//! bucket, and the common Swift, which has neither.

#![expect(clippy::unwrap_used, reason = "a test may end anywhere")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use towline_backends::s3::examine::{Cors, Examiner, Lifecycle, Passage, Trouble};
use towline_backends::s3::{S3Credentials, S3Settings};
use towline_core::clock::{Clock, Timestamp};
use towline_core::digest::Algorithm;
use towline_sigv4::{Credentials, Secret};

const BUCKET: &str = "towline";
const ACCESS_KEY: &str = "GK746f776c696e652d74657374";
const SECRET_KEY: &str = "746f776c696e652d746573746265643a206e6f7468696e672069732073656372";

/// The real time, moved by some seconds.
#[derive(Debug)]
struct MovedClock(i64);

impl Clock for MovedClock {
    #[expect(clippy::disallowed_methods, reason = "the servers compare signatures with the real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap() + self.0 * 1000)
    }
}

#[expect(clippy::disallowed_methods, reason = "the test command says by the environment what there is")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test`, or keep the servers up with `cargo xtask testbed`")
    })
}

/// A node that ends with the test.
struct Garage {
    child: Child,
    endpoint: String,
    _folder: tempfile::TempDir,
}

impl Drop for Garage {
    fn drop(&mut self) {
        // It holds nothing that anybody wants to keep.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Garage {
    fn start() -> Self {
        let program = variable("TOWLINE_TEST_GARAGE_BIN");
        let folder = tempfile::tempdir().unwrap();
        let held: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|held| held.local_addr().unwrap().port()).collect();
        drop(held);
        let config = folder.path().join("garage.toml");
        fs::write(&config, config_of(folder.path(), &ports)).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let garage = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.arg("-c").arg(&config).args(arguments).env("RUST_LOG", "garage=warn");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.try_clone().unwrap());
            command
        };
        let child = garage(&["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET)
            .spawn()
            .unwrap();
        let endpoint = format!("http://127.0.0.1:{}", ports[0]);
        let garage_is_up = Self { child, endpoint, _folder: folder };
        // Only an owner may set the rules of a bucket; the command works once the node does.
        let allow = ["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", ACCESS_KEY];
        let end = Instant::now() + Duration::from_mins(1);
        while !garage(&allow).status().unwrap().success() {
            assert!(Instant::now() < end, "Garage is not ready after a minute");
        }
        garage_is_up
    }

    fn settings(&self) -> S3Settings {
        settings(&self.endpoint, "garage", ACCESS_KEY, SECRET_KEY)
    }
}

fn config_of(folder: &Path, ports: &[u16]) -> String {
    let folder = folder.display();
    format!(
        "metadata_dir = \"{folder}/meta\"\ndata_dir = \"{folder}/data\"\ndb_engine = \"lmdb\"\n\
         replication_factor = 1\nrpc_bind_addr = \"127.0.0.1:{1}\"\nrpc_public_addr = \"127.0.0.1:{1}\"\n\
         rpc_secret = \"{SECRET_KEY}\"\n[s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{0}\"\n\
         [admin]\napi_bind_addr = \"127.0.0.1:{2}\"\n",
        ports[0], ports[1], ports[2]
    )
}

fn settings(endpoint: &str, region: &str, access_key: &str, secret_key: &str) -> S3Settings {
    S3Settings {
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        credentials: S3Credentials::Fixed(Credentials {
            access_key: access_key.to_owned(),
            secret_key: Secret::new(secret_key),
            session_token: None,
        }),
        prefix: "in/".to_owned(),
        ..S3Settings::new(BUCKET, region)
    }
}

fn examiner(settings: S3Settings) -> Examiner {
    Examiner::new(settings, Arc::new(MovedClock(0))).unwrap()
}

fn origins() -> Vec<String> {
    ["http://localhost", "http://localhost:*", "https://app.example"].map(str::to_owned).into()
}

/// What no look may leave behind.
async fn assert_untouched(examiner: &Examiner) {
    assert_eq!(examiner.unfinished().await.unwrap().count, 0);
    let tried = examiner.try_all().await;
    assert!(tried.iter().all(|tried| tried.outcome.is_ok()), "{tried:?}");
}

#[tokio::test]
async fn a_bucket_without_cors_keeps_pages_out_until_the_rule_is_set() {
    let garage = Garage::start();
    let examiner = examiner(garage.settings());
    let before = examiner.cors().await.unwrap();
    assert_eq!(before.count(), 0);
    assert_eq!(before.gaps(&origins()).len(), 3);
    assert!(matches!(
        examiner.passage("http://localhost:*").await.unwrap(),
        Passage::NoPreflight { .. } | Passage::NoReply { .. }
    ));
    examiner.set_cors(&before.with_ours(&origins())).await.unwrap();
    let after = examiner.cors().await.unwrap();
    assert_eq!(after.gaps(&origins()), []);
    for origin in origins() {
        assert_eq!(examiner.passage(&origin).await.unwrap(), Passage::Open, "{origin}");
    }
    let other = examiner.passage("https://other.example").await.unwrap();
    assert!(matches!(other, Passage::NoPreflight { .. }), "{other:?}");
    assert_untouched(&examiner).await;
}

#[tokio::test]
async fn rules_of_others_stay_as_they_are() {
    let garage = Garage::start();
    let examiner = examiner(garage.settings());
    let theirs = Cors::none().with_ours(&["https://theirs.example".to_owned()]);
    let mut theirs = theirs.clone();
    theirs.document.children[0].children[0].text = "theirs".to_owned();
    examiner.set_cors(&theirs).await.unwrap();
    examiner.set_cors(&examiner.cors().await.unwrap().with_ours(&origins())).await.unwrap();
    let merged = examiner.cors().await.unwrap();
    assert_eq!(merged.count(), 2);
    assert_eq!(merged.gaps(&[origins(), vec!["https://theirs.example".to_owned()]].concat()), []);

    let before = examiner.lifecycle().await.unwrap();
    assert_eq!((before.count(), before.days("in/").all_given_up), (0, None));
    examiner.set_lifecycle(&Lifecycle::none().with_ours("logs/", 1)).await.unwrap();
    let found = examiner.lifecycle().await.unwrap();
    assert_eq!(found.days("in/").some_given_up, None);
    examiner.set_lifecycle(&found.with_ours("in/", 14)).await.unwrap();
    let merged = examiner.lifecycle().await.unwrap();
    assert_eq!(merged.count(), 2);
    assert_eq!(merged.days("in/").all_given_up, Some(14));
    assert_eq!(merged.days("logs/").all_given_up, Some(1));
}

#[tokio::test]
async fn garage_is_reached_and_tells_what_it_can() {
    let garage = Garage::start();
    let examiner = examiner(garage.settings());
    let reach = examiner.reach().await;
    assert_eq!((reach.outcome, reach.region.as_deref()), (Ok(()), Some("garage")));
    assert!(reach.ahead_s.unwrap().abs() <= 5);
    let abilities = examiner.abilities().await.unwrap();
    assert_eq!(abilities.parts, Some(Algorithm::Crc64Nvme));
    assert_untouched(&examiner).await;
}

#[tokio::test]
async fn what_keeps_us_out_is_told_apart() {
    let garage = Garage::start();
    let reach = async |settings: S3Settings| examiner(settings).reach().await.outcome.unwrap_err();
    let wrong_secret = reach(settings(&garage.endpoint, "garage", ACCESS_KEY, "wrong")).await;
    assert!(wrong_secret.is_about_caller() && wrong_secret.region().is_none(), "{wrong_secret:?}");
    let unknown_key = reach(settings(&garage.endpoint, "garage", "GK0", SECRET_KEY)).await;
    assert!(unknown_key.is_about_caller(), "{unknown_key:?}");
    let elsewhere = reach(settings(&garage.endpoint, "eu-west-1", ACCESS_KEY, SECRET_KEY)).await;
    assert_eq!(elsewhere.region(), Some("garage"), "{elsewhere:?}");
    let nothing = reach(S3Settings { bucket: "nothing".to_owned(), ..garage.settings() }).await;
    assert!(nothing.is_missing() && nothing.code() == "NoSuchBucket", "{nothing:?}");
    let nobody = reach(settings("http://127.0.0.1:9", "garage", ACCESS_KEY, SECRET_KEY)).await;
    assert!(matches!(nobody, Trouble::Unreachable(_)), "{nobody:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_seen_by_the_servers_own() {
    let garage = Garage::start();
    for moved_s in [-1200, 1200] {
        let examiner = Examiner::new(garage.settings(), Arc::new(MovedClock(moved_s))).unwrap();
        let ahead_s = examiner.reach().await.ahead_s.unwrap();
        assert!((ahead_s - moved_s).abs() <= 5, "{ahead_s}");
    }
}

#[tokio::test]
async fn what_swift_does_not_know_is_told_as_that() {
    let place = variable("TOWLINE_TEST_SWIFT");
    let [endpoint, region, _, access_key, secret_key] = place
        .split(',')
        .collect::<Vec<_>>()
        .try_into()
        .expect("endpoint,region,bucket,access_key,secret_key");
    let examiner = examiner(settings(endpoint, region, access_key, secret_key));
    assert_eq!(examiner.reach().await.outcome, Ok(()));
    assert!(examiner.cors().await.unwrap_err().is_unknown_to_server());
    assert!(examiner.lifecycle().await.unwrap_err().is_unknown_to_server());
    let tried = examiner.try_all().await;
    assert!(tried.iter().all(|tried| tried.outcome.is_ok()), "{tried:?}");
    examiner.unfinished().await.unwrap();
    let wrong = self::examiner(settings(endpoint, region, access_key, "wrong")).reach().await;
    assert!(wrong.outcome.unwrap_err().is_about_caller());
}
