//! What a line has carried and done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::output;

/// Counts from many tasks at once.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Payload of TCP: a byte that was read from a client or a server counts, whether it came to the other end or not.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(super) connections: Count,
    pub(super) requests: Count,
    pub(super) up_bytes: Count,
    pub(super) up_passed_bytes: Count,
    pub(super) down_bytes: Count,
    pub(super) down_passed_bytes: Count,
    pub(super) losses: Count,
    pub(super) stalls: Count,
    pub(super) cuts: Count,
    pub(super) errors: Count,
    pub(super) swallowed: Count,
    pub(super) unreachable: Count,
}

impl Tally {
    pub(crate) fn to_json(&self, seed: u64) -> String {
        let mut counts = json!({ "seed": seed });
        for (name, count, _) in self.rows() {
            counts[name] = count.into();
        }
        format!("{counts}\n")
    }

    pub(crate) fn to_table(&self) -> String {
        let rows = self.rows().map(|(name, count, about)| {
            let (name, is_bytes) = name.strip_suffix("_bytes").map_or((name, false), |name| (name, true));
            let count = if is_bytes { output::bytes(count) } else { count.to_string() };
            vec![name.replace('_', " "), count, about.to_owned()]
        });
        output::table(&rows)
    }

    fn rows(&self) -> [(&'static str, u64, &'static str); 12] {
        [
            ("connections", self.connections.get(), "taken from clients"),
            ("requests", self.requests.get(), "of HTTP/1.1, those that failed here included"),
            ("up_bytes", self.up_bytes.get(), "read from clients"),
            ("up_passed_bytes", self.up_passed_bytes.get(), "written to the server"),
            ("down_bytes", self.down_bytes.get(), "read from the server"),
            ("down_passed_bytes", self.down_passed_bytes.get(), "written to clients"),
            ("losses", self.losses.get(), "packets that were sent again"),
            ("stalls", self.stalls.get(), "silences"),
            ("cuts", self.cuts.get(), "connections reset"),
            ("errors", self.errors.get(), "requests answered here, never seen by the server"),
            ("swallowed", self.swallowed.get(), "replies of the server that no client heard"),
            ("unreachable", self.unreachable.get(), "connections reset since the server took none"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_shown_to_people_and_to_programs() {
        let tally = Tally::default();
        tally.up_bytes.add(3 << 20);
        tally.cuts.add(2);
        let table = tally.to_table();
        assert!(table.contains("up           3.0 MiB  read from clients\n"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&tally.to_json(7)).unwrap();
        assert_eq!(
            (&json["seed"], &json["up_bytes"], &json["cuts"]),
            (&json!(7), &json!(3 << 20), &json!(2))
        );
        assert_eq!(json.as_object().unwrap().len(), 13);
    }
}
