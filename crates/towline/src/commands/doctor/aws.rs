//! Rules and policies in the words of AWS's tools, to be pasted. Pure.

use serde_json::{Map, Value, json};
use towline_backends::s3::examine::Element;

/// Elements that may be there more than once: the tools have a list, by another name.
const LISTS: [(&str, &str); 7] = [
    ("CORSRule", "CORSRules"),
    ("AllowedOrigin", "AllowedOrigins"),
    ("AllowedMethod", "AllowedMethods"),
    ("AllowedHeader", "AllowedHeaders"),
    ("ExposeHeader", "ExposeHeaders"),
    ("Transition", "Transitions"),
    ("NoncurrentVersionTransition", "NoncurrentVersionTransitions"),
];
const NUMBERS: [&str; 7] = [
    "MaxAgeSeconds",
    "Days",
    "NoncurrentDays",
    "NewerNoncurrentVersions",
    "DaysAfterInitiation",
    "ObjectSizeGreaterThan",
    "ObjectSizeLessThan",
];

/// Where the tools find the bucket.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) endpoint: Option<String>,
}

impl Bucket {
    /// A command of `aws s3api`, with arguments that need no more quotes.
    pub(super) fn command(&self, verb: &str, argument: &str) -> String {
        let endpoint = self.endpoint.as_ref().map(|url| format!(" --endpoint-url {}", quote(url)));
        format!(
            "aws s3api {verb} --bucket {} --region {}{}{}{argument}",
            quote(&self.name),
            quote(&self.region),
            endpoint.unwrap_or_default(),
            if argument.is_empty() { "" } else { " " },
        )
    }
}

/// As one word of a shell.
pub(super) fn quote(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A document of rules as the tools take it.
pub(super) fn to_json(element: &Element) -> Value {
    let mut object = Map::new();
    for child in &element.children {
        let of_all = match (element.name.as_str(), child.name.as_str()) {
            ("LifecycleConfiguration", "Rule") => Some("Rules"),
            ("And", "Tag") => Some("Tags"),
            (_, name) => LISTS.iter().find(|(one, _)| *one == name).map(|(_, all)| *all),
        };
        let value = value_of(child);
        match of_all {
            None => {
                object.insert(child.name.clone(), value);
            }
            Some(all) => {
                let list = object.entry(all).or_insert_with(|| json!([]));
                list.as_array_mut().expect("no element has a list's name").push(value);
            }
        }
    }
    Value::Object(object)
}

fn value_of(element: &Element) -> Value {
    let text = element.text.trim();
    if !element.children.is_empty() || (element.name == "Filter" && text.is_empty()) {
        return to_json(element);
    }
    let number = NUMBERS.contains(&element.name.as_str()).then(|| text.parse::<u64>().ok()).flatten();
    match (number, text) {
        (Some(number), _) => number.into(),
        (None, "true") if element.name == "ExpiredObjectDeleteMarker" => true.into(),
        (None, "false") if element.name == "ExpiredObjectDeleteMarker" => false.into(),
        (None, text) => text.into(),
    }
}

/// What the credentials need to be allowed, as a policy of IAM.
pub(super) fn policy(bucket: &str, prefix: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "s3:PutObject",
                    "s3:GetObject",
                    "s3:DeleteObject",
                    "s3:PutObjectTagging",
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts"
                ],
                "Resource": format!("arn:aws:s3:::{bucket}/{prefix}*")
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
                "Resource": format!("arn:aws:s3:::{bucket}")
            }
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &str, text: &str, children: Vec<Element>) -> Element {
        Element { name: name.to_owned(), text: text.to_owned(), children }
    }

    fn leaf(name: &str, text: &str) -> Element {
        element(name, text, vec![])
    }

    #[test]
    fn rules_of_all_kinds_are_said_as_the_tools_take_them() {
        let tag = element("Tag", "", vec![leaf("Key", "a"), leaf("Value", "1")]);
        let both = element("And", "", vec![leaf("Prefix", "in/"), tag]);
        let rule = element(
            "Rule",
            "",
            vec![
                leaf("ID", "old"),
                element("Filter", "", vec![both]),
                element("Transition", "", vec![leaf("Days", "30"), leaf("StorageClass", "GLACIER")]),
                element("Expiration", "", vec![leaf("ExpiredObjectDeleteMarker", "true")]),
            ],
        );
        let plain = element("Rule", "", vec![leaf("Filter", ""), leaf("Status", "Enabled")]);
        assert_eq!(
            to_json(&element("LifecycleConfiguration", "", vec![rule, plain])),
            json!({"Rules": [
                {
                    "ID": "old",
                    "Filter": {"And": {"Prefix": "in/", "Tags": [{"Key": "a", "Value": "1"}]}},
                    "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
                    "Expiration": {"ExpiredObjectDeleteMarker": true}
                },
                {"Filter": {}, "Status": "Enabled"}
            ]})
        );
        let cors = element(
            "CORSRule",
            "",
            vec![leaf("AllowedOrigin", "a"), leaf("AllowedOrigin", "b"), leaf("MaxAgeSeconds", "9")],
        );
        assert_eq!(
            to_json(&element("CORSConfiguration", "", vec![cors])),
            json!({"CORSRules": [{"AllowedOrigins": ["a", "b"], "MaxAgeSeconds": 9}]})
        );
    }

    #[test]
    fn commands_stay_one_line_whatever_is_in_them() {
        let bucket = Bucket {
            name: "my box".to_owned(),
            region: "eu-north-1".to_owned(),
            endpoint: Some("http://127.0.0.1:3900".to_owned()),
        };
        assert_eq!(
            bucket.command("put-bucket-cors", &format!("--cors-configuration {}", quote("it's"))),
            r"aws s3api put-bucket-cors --bucket 'my box' --region eu-north-1 --endpoint-url http://127.0.0.1:3900 --cors-configuration 'it'\''s'"
        );
    }
}
