//! S3's documents: those that are written, and the two that are read. Pure.

use std::fmt::Write as _;

use quick_xml::escape::escape;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use towline_core::engine::Claimed;

use super::problem::{Denied, INVALID_PART_ORDER, MALFORMED_XML, part_number};

/// S3's highest part number.
const NUMBER_MAX: u64 = 10_000;
/// The most keys that one request removes.
const KEYS_MAX: usize = 1000;

/// A document as it is written, or an element in it.
#[derive(Debug)]
pub(super) struct Element {
    text: String,
    open: Vec<&'static str>,
}

impl Element {
    /// A document without a namespace, as errors are.
    pub(super) fn document(root: &'static str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>");
        Self { text, open: vec![root] }
    }

    /// A document in the namespace of S3.
    pub(super) fn reply(root: &'static str) -> Self {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        );
        Self { text, open: vec![root] }
    }

    /// Characters that no document may hold, not even escaped, are replaced.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        let is_allowed = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
        let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r') || is_allowed(c);
        let value = value.replace(|c| !is_allowed(c), "\u{fffd}");
        write!(self.text, "<{name}>{}</{name}>", escape(&value)).expect("a String takes every write");
        self
    }

    pub(super) fn number(mut self, name: &str, value: u64) -> Self {
        write!(self.text, "<{name}>{value}</{name}>").expect("a String takes every write");
        self
    }

    pub(super) fn claim(self, name: &str, holds: bool) -> Self {
        self.text(name, if holds { "true" } else { "false" })
    }

    /// The text, when there is one.
    pub(super) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// An element that is written out already.
    pub(super) fn raw(mut self, element: &str) -> Self {
        self.text.push_str(element);
        self
    }

    pub(super) fn open(mut self, name: &'static str) -> Self {
        write!(self.text, "<{name}>").expect("a String takes every write");
        self.open.push(name);
        self
    }

    pub(super) fn close(mut self) -> Self {
        if let Some(name) = self.open.pop() {
            write!(self.text, "</{name}>").expect("a String takes every write");
        }
        self
    }

    /// Whose something is.
    pub(super) fn person(self, role: &'static str, owner: &str) -> Self {
        self.open(role).text("ID", owner).text("DisplayName", owner).close()
    }

    pub(super) fn end(mut self) -> String {
        while !self.open.is_empty() {
            self = self.close();
        }
        self.text
    }
}

#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(rename = "Part", default)]
    parts: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart {
    part_number: String,
    #[serde(rename = "ETag")]
    tag: String,
}

#[derive(Debug, Deserialize)]
struct Removal {
    #[serde(rename = "Object", default)]
    objects: Vec<RemovedObject>,
    #[serde(rename = "Quiet", default)]
    quiet: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RemovedObject {
    #[serde(rename = "Key")]
    key: String,
}

fn malformed() -> Denied {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    Denied::new(MALFORMED_XML, message)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Denied> {
    let text = str::from_utf8(body).map_err(|_| malformed())?;
    quick_xml::de::from_str(text).map_err(|_| malformed())
}

/// The parts of a completion, ascending, each once.
pub(super) fn completion(body: &[u8]) -> Result<Vec<Claimed>, Denied> {
    let Completion { parts } = read(body)?;
    if parts.is_empty() {
        return Err(malformed());
    }
    let mut claimed: Vec<Claimed> = Vec::with_capacity(parts.len());
    for part in parts {
        let number = part.part_number.trim().parse().map_err(|_| malformed())?;
        if !(1..=NUMBER_MAX).contains(&number) {
            return Err(part_number(10_000));
        }
        if claimed.last().is_some_and(|last| last.number >= number) {
            let message = "The list of parts was not in ascending order. The parts list must be specified in order \
                           by part number.";
            return Err(Denied::new(INVALID_PART_ORDER, message));
        }
        claimed.push(Claimed { number, tag: part.tag.trim().to_owned() });
    }
    Ok(claimed)
}

/// The keys to remove, and whether only failures are to be told.
pub(super) fn removal(body: &[u8]) -> Result<(Vec<String>, bool), Denied> {
    let Removal { objects, quiet } = read(body)?;
    if objects.is_empty() || objects.len() > KEYS_MAX {
        return Err(malformed());
    }
    let is_quiet = quiet.is_some_and(|quiet| quiet.trim() == "true");
    Ok((objects.into_iter().map(|object| object.key).collect(), is_quiet))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(body: &str) -> Result<Vec<(u64, String)>, &'static str> {
        let parts = completion(body.as_bytes()).map_err(|denied| denied.code().0)?;
        Ok(parts.into_iter().map(|part| (part.number, part.tag)).collect())
    }

    #[test]
    fn completions_are_read_as_clients_write_them() {
        let body = r#"<?xml version="1.0" encoding="UTF-8"?>
            <CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Part><ETag>"ab"</ETag><ChecksumCRC32>x==</ChecksumCRC32><PartNumber>1</PartNumber></Part>
              <Part><PartNumber> 3 </PartNumber><ETag>&quot;cd&quot;</ETag></Part>
            </CompleteMultipartUpload>"#;
        assert_eq!(codes(body).unwrap(), [(1, "\"ab\"".to_owned()), (3, "\"cd\"".to_owned())]);
        let bare = "<CompleteMultipartUpload><Part><PartNumber>10000</PartNumber><ETag>ab</ETag></Part></CompleteMultipartUpload>";
        assert_eq!(codes(bare).unwrap(), [(10_000, "ab".to_owned())]);
    }

    #[test]
    fn a_completion_out_of_order_or_shape_is_refused_by_its_code() {
        let part = |number: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>a</ETag></Part>");
        let of = |numbers: &[&str]| {
            let parts: String = numbers.iter().map(|number| part(number)).collect();
            codes(&format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")).unwrap_err()
        };
        assert_eq!(of(&["2", "1"]), "InvalidPartOrder");
        assert_eq!(of(&["1", "1"]), "InvalidPartOrder");
        assert_eq!(of(&["0"]), "InvalidArgument");
        assert_eq!(of(&["10001"]), "InvalidArgument");
        assert_eq!(of(&["one"]), "MalformedXML");
        assert_eq!(of(&[]), "MalformedXML");
        for body in ["", "<a", "\u{0}", "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>"] {
            assert_eq!(codes(body), Err("MalformedXML"), "{body:?}");
        }
    }

    #[test]
    fn removals_are_read() {
        let body =
            b"<Delete><Object><Key>a &amp; b</Key></Object><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>";
        assert_eq!(removal(body).unwrap(), (vec!["a & b".to_owned(), "c".to_owned()], true));
        assert!(removal(b"<Delete></Delete>").is_err());
    }

    #[test]
    fn what_is_written_is_escaped_and_closed() {
        let document = Element::document("A").open("B").text("C", "<&\">").number("D", 7).end();
        let end = "<A><B><C>&lt;&amp;&quot;&gt;</C><D>7</D></B></A>";
        assert_eq!(document, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{end}"));
    }

    proptest! {
        #[test]
        fn no_document_panics(text in "[<>/A-Za-z&;\"=! ]{0,80}") {
            completion(text.as_bytes()).ok();
            removal(text.as_bytes()).ok();
        }
    }
}
