//! How many signed URLs a second one core makes: those of parts, prepared for one upload; single ones; and one for
//! each of many uploads. Prints tab-separated lines: what, how many a second, microseconds each.

use std::fmt::Display;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use towline_sigv4::{Credentials, Moment, Origin, Secret, Signer, Target};

const PARTS: u32 = 10_000;
const EXPIRES: Duration = Duration::from_mins(15);
const UPLOAD_ID: &str =
    "2~Wq8ykUKJ3xN1mJmQ4m0V7bS5pZcT9dAhE6fGgRrLlYyXxWw.ZzQqPpOoNnMm_KkJjIiHhGgFfEeDdCcBbAa";

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let credentials = Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    };
    let signer = Signer::new(credentials, "us-east-1");
    let origin = Origin::parse("https://s3.us-east-1.amazonaws.com")?;
    let path = "/films-of-the-year/2026/11/a film with a longer name.mov";
    let target = Target { method: "PUT", origin: &origin, path, query: &[], headers: &[] };
    let moment = Moment::from_unix(1_795_219_200);
    line("what", "a second", "us each")?;

    let batches = 100;
    let started = Instant::now();
    for _ in 0..batches {
        let urls = signer.parts(&target, UPLOAD_ID, moment, EXPIRES);
        for number in 1..=PARTS {
            black_box(urls.url(black_box(number)));
        }
    }
    report("parts, prepared, 10,000 at once", batches * PARTS, started.elapsed())?;

    let count = 200_000;
    let started = Instant::now();
    for number in 1..=count {
        black_box(signer.parts(&target, UPLOAD_ID, moment, EXPIRES).url(black_box(number)));
    }
    report("parts, prepared for each", count, started.elapsed())?;

    let started = Instant::now();
    for number in 1..=count {
        let number = number.to_string();
        let query = [("partNumber", number.as_str()), ("uploadId", UPLOAD_ID)];
        black_box(signer.presign(&Target { query: &query, ..target }, moment, EXPIRES));
    }
    report("parts, one by one", count, started.elapsed())
}

fn report(what: &str, count: u32, took: Duration) -> Outcome {
    let seconds = took.as_secs_f64();
    let count = f64::from(count);
    line(what, format!("{:.0}", count / seconds), format!("{:.3}", seconds * 1_000_000.0 / count))
}

fn line(what: &str, a_second: impl Display, us_each: impl Display) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{what}\t{a_second}\t{us_each}")?)
}
