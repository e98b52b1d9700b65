//! What the policy of a posted form lets the form hold. Pure.

use serde::Deserialize;
use serde_json::Value;
use towline_core::clock::Timestamp;

use super::problem::{ACCESS_DENIED, Denied, ENTITY_TOO_LARGE, ENTITY_TOO_SMALL, INVALID_POLICY};

/// Fields that no condition has to speak of.
const FREE: [&str; 5] = ["x-amz-signature", "policy", "file", "awsaccesskeyid", "signature"];

#[derive(Debug)]
pub(super) struct Policy {
    expires_at: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Equals(String, String),
    StartsWith(String, String),
    SizeBytes { min: u64, max: u64 },
}

#[derive(Debug, Deserialize)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

fn invalid(problem: &str) -> Denied {
    Denied::new(INVALID_POLICY, format!("Invalid Policy: {problem}"))
}

fn denied(problem: &str) -> Denied {
    Denied::new(ACCESS_DENIED, format!("Invalid according to Policy: {problem}"))
}

impl Policy {
    pub(super) fn parse(json: &[u8]) -> Result<Self, Denied> {
        let Document { expiration, conditions } =
            serde_json::from_slice(json).map_err(|_| invalid("it is not the JSON of one"))?;
        let expires_at = humantime::parse_rfc3339(&expiration).ok();
        let since = expires_at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
        let millis = millis.ok_or_else(|| invalid("its expiration is no moment"))?;
        let mut read = Vec::new();
        for condition in &conditions {
            Condition::read(condition, &mut read).ok_or_else(|| invalid("a condition is not one of S3's"))?;
        }
        Ok(Self { expires_at: Timestamp::from_millis(millis), conditions: read })
    }

    /// Holds the fields before the file against the conditions.
    pub(super) fn check(
        &self,
        now: Timestamp,
        fields: &[(String, String)],
        bucket: &str,
    ) -> Result<(), Denied> {
        if now >= self.expires_at {
            return Err(denied("Policy expired."));
        }
        let value = |name: &str| match name {
            "bucket" => Some(bucket),
            _ => fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()),
        };
        for condition in &self.conditions {
            let holds = match condition {
                Condition::Equals(name, wanted) => value(name) == Some(wanted),
                Condition::StartsWith(name, start) => value(name).unwrap_or("").starts_with(start.as_str()),
                Condition::SizeBytes { .. } => true,
            };
            if !holds {
                return Err(denied(&format!("Policy Condition failed: {condition:?}")));
            }
        }
        let is_free = |name: &str| FREE.contains(&name) || name.starts_with("x-ignore-");
        match fields.iter().find(|(name, _)| !is_free(name) && !self.speaks_of(name)) {
            Some((name, _)) => Err(denied(&format!("Extra input fields: {name}"))),
            None => Ok(()),
        }
    }

    fn speaks_of(&self, field: &str) -> bool {
        self.conditions.iter().any(|condition| match condition {
            Condition::Equals(name, _) | Condition::StartsWith(name, _) => name == field,
            Condition::SizeBytes { .. } => false,
        })
    }

    /// The most bytes that the file may have.
    pub(super) fn size_bytes_max(&self) -> Option<u64> {
        let allowed = self.conditions.iter().filter_map(|condition| match condition {
            Condition::SizeBytes { max, .. } => Some(*max),
            Condition::Equals(..) | Condition::StartsWith(..) => None,
        });
        allowed.min()
    }

    pub(super) fn check_size(&self, size_bytes: u64) -> Result<(), Denied> {
        for condition in &self.conditions {
            match condition {
                Condition::SizeBytes { min, .. } if size_bytes < *min => {
                    let message = "Your proposed upload is smaller than the minimum allowed size";
                    let told =
                        Denied::new(ENTITY_TOO_SMALL, message).with("ProposedSize", size_bytes.to_string());
                    return Err(told.with("MinSizeAllowed", min.to_string()));
                }
                Condition::SizeBytes { max, .. } if size_bytes > *max => return Err(too_large(*max)),
                Condition::SizeBytes { .. } | Condition::Equals(..) | Condition::StartsWith(..) => {}
            }
        }
        Ok(())
    }
}

pub(super) fn too_large(allowed_bytes: u64) -> Denied {
    let message = "Your proposed upload exceeds the maximum allowed size";
    Denied::new(ENTITY_TOO_LARGE, message).with("MaxSizeAllowed", allowed_bytes.to_string())
}

impl Condition {
    /// One element of the list: an object of equalities, or a list of an operator and its operands.
    fn read(value: &Value, into: &mut Vec<Self>) -> Option<()> {
        if let Some(object) = value.as_object() {
            for (name, value) in object {
                into.push(Self::Equals(name.to_ascii_lowercase(), value.as_str()?.to_owned()));
            }
            return Some(());
        }
        let [operator, first, second] = value.as_array()?.as_slice() else {
            return None;
        };
        let field = || Some(first.as_str()?.strip_prefix('$')?.to_ascii_lowercase());
        into.push(match operator.as_str()?.to_ascii_lowercase().as_str() {
            "eq" => Self::Equals(field()?, second.as_str()?.to_owned()),
            "starts-with" => Self::StartsWith(field()?, second.as_str()?.to_owned()),
            "content-length-range" => Self::SizeBytes { min: number(first)?, max: number(second)? },
            _ => return None,
        });
        Some(())
    }
}

/// Numbers come as text, too.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: &str = r#"{"expiration": "2026-11-21T00:00:10Z", "conditions": [
        {"bucket": "towline"}, ["starts-with", "$key", "user/"], ["eq", "$Content-Type", "image/png"],
        ["content-length-range", 1, "10"], ["starts-with", "$x-amz-meta-note", ""]]}"#;

    fn check(fields: &[(&str, &str)], bucket: &str, at_ms: i64) -> Result<(), String> {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_millis(1_795_219_200_000 + at_ms);
        let policy = Policy::parse(POLICY.as_bytes()).unwrap();
        policy.check(now, &fields, bucket).map_err(|denied| denied.message().to_owned())
    }

    #[test]
    fn a_form_holds_what_the_policy_says_and_nothing_else() {
        let good = [("key", "user/a"), ("content-type", "image/png"), ("policy", "…"), ("x-ignore-a", "b")];
        assert_eq!(check(&good, "towline", 9_999), Ok(()));
        assert!(check(&good, "towline", 10_000).unwrap_err().contains("Policy expired"));
        assert!(check(&good, "other", 0).unwrap_err().contains("bucket"));
        let wrong = [("key", "else/a"), ("content-type", "image/png")];
        assert!(check(&wrong, "towline", 0).unwrap_err().contains("key"));
        assert!(check(&[("key", "user/a")], "towline", 0).unwrap_err().contains("content-type"));
        let extra = [("key", "user/a"), ("content-type", "image/png"), ("acl", "public-read")];
        assert!(check(&extra, "towline", 0).unwrap_err().contains("Extra input fields: acl"));
    }

    #[test]
    fn sizes_lie_within_the_range() {
        let policy = Policy::parse(POLICY.as_bytes()).unwrap();
        let code = |size| policy.check_size(size).map_err(|denied| denied.code().0);
        assert_eq!(policy.size_bytes_max(), Some(10));
        assert_eq!((code(1), code(10)), (Ok(()), Ok(())));
        assert_eq!((code(0), code(11)), (Err("EntityTooSmall"), Err("EntityTooLarge")));
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for json in [
            "",
            "{}",
            r#"{"expiration": "tomorrow", "conditions": []}"#,
            r#"{"expiration": "2026-11-21T00:00:10Z", "conditions": [["in", "$key", "a"]]}"#,
            r#"{"expiration": "2026-11-21T00:00:10Z", "conditions": [["eq", "key", "a"]]}"#,
            r#"{"expiration": "2026-11-21T00:00:10Z", "conditions": [7]}"#,
        ] {
            assert!(Policy::parse(json.as_bytes()).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_policy_panics(text in "[ -~]{0,80}") {
            Policy::parse(text.as_bytes()).ok();
        }
    }
}
