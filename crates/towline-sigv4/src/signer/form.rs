//! Forms that browsers post to S3: a policy says what the form may hold, and the policy is signed.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Signer;
use crate::moment::Moment;

/// What a posted form must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// This field has this value.
    Equals(&'a str, &'a str),
    /// The value of this field begins so; with an empty beginning, anything goes.
    StartsWith(&'a str, &'a str),
    /// The file has at least and at most so many bytes.
    SizeBytes { min: u64, max: u64 },
}

impl Signer {
    /// The fields that sign a form: to be sent before the file, beside those that `conditions` speak of.
    pub fn form(
        &self,
        conditions: &[Condition<'_>],
        moment: Moment,
        expires_at: Moment,
    ) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("x-amz-algorithm", crate::ALGORITHM.to_owned()),
            ("x-amz-credential", self.credential(moment.day())),
            ("x-amz-date", moment.to_string()),
        ];
        if let Some(token) = &self.credentials.session_token {
            fields.push(("x-amz-security-token", token.expose().to_owned()));
        }
        let own = fields.iter().map(|(name, value)| Condition::Equals(name, value));
        let policy = BASE64_STANDARD.encode(policy(conditions.iter().copied().chain(own), expires_at));
        // The policy itself is the string to sign.
        let signature = self.key(moment.day()).sign(policy.as_bytes());
        fields.push(("policy", policy));
        fields.push(("x-amz-signature", signature.to_string()));
        fields
    }
}

fn policy<'a>(conditions: impl Iterator<Item = Condition<'a>>, expires_at: Moment) -> String {
    let mut text = format!(r#"{{"expiration":"{}","conditions":["#, expires_at.to_iso());
    for (index, condition) in conditions.enumerate() {
        if index > 0 {
            text.push(',');
        }
        match condition {
            Condition::Equals(field, value) => push_rule("eq", field, value, &mut text),
            Condition::StartsWith(field, value) => push_rule("starts-with", field, value, &mut text),
            Condition::SizeBytes { min, max } => {
                write!(text, r#"["content-length-range",{min},{max}]"#)
                    .expect("text takes what is written to it");
            }
        }
    }
    text + "]}"
}

fn push_rule(rule: &str, field: &str, value: &str, text: &mut String) {
    text.push_str("[\"");
    text.push_str(rule);
    text.push_str("\",");
    push_json(&["$", field].concat(), text);
    text.push(',');
    push_json(value, text);
    text.push(']');
}

/// A string of JSON: the one piece of it that is written here, too little for a library.
fn push_json(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            control if control < ' ' => {
                write!(text, "\\u{:04x}", u32::from(control)).expect("text takes what is written to it");
            }
            plain => text.push(plain),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_json_whatever_the_values_are() {
        let conditions = [
            Condition::Equals("bucket", "b"),
            Condition::StartsWith("key", "user \"ü\"\\\n/"),
            Condition::SizeBytes { min: 1, max: 9 },
        ];
        let moment = Moment::parse("20151230T120000Z").unwrap();
        assert_eq!(
            policy(conditions.into_iter(), moment),
            concat!(
                r#"{"expiration":"2015-12-30T12:00:00Z","conditions":[["eq","$bucket","b"],"#,
                r#"["starts-with","$key","user \"ü\"\\\u000a/"],["content-length-range",1,9]]}"#
            )
        );
    }
}
