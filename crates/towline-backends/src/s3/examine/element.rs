//! Documents of S3 as they are, without a type for each: a bucket's rules are written back as they were read, also those
//! that nobody here knows. Pure.

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::Event;

/// No document of S3 is deeper.
const DEPTH_MAX: usize = 16;
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A name with a text, or with elements in their order. Attributes and prefixes of names mean nothing to S3's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(super) fn text(name: &str, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::new(name) }
    }

    pub(super) fn with(name: &str, children: Vec<Self>) -> Self {
        Self { children, ..Self::new(name) }
    }

    /// The first element of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text; nothing where it is not there or empty.
    pub fn said(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.all(name).map(|child| child.text.clone()).collect()
    }

    /// Reads a document; an error says what is wrong with it.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
        let mut reader = Reader::from_str(text);
        // The elements that are open, the outermost first; below them, what holds the root.
        let mut open = vec![Self::default()];
        loop {
            let event = reader.read_event().map_err(|error| error.to_string())?;
            match event {
                Event::Start(start) => open.push(Self::new(&local(&start.name()))),
                Event::Empty(start) => top(&mut open).children.push(Self::new(&local(&start.name()))),
                Event::End(_) => {
                    let mut closed = open.pop().unwrap_or_default();
                    if !closed.children.is_empty() {
                        closed.text.clear();
                    }
                    top(&mut open).children.push(closed);
                }
                Event::Text(text) => top(&mut open).text.push_str(&text.xml10_content()),
                Event::CData(text) => top(&mut open).text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let entity = reference.xml10_content();
                    let named = quick_xml::escape::resolve_predefined_entity(&entity);
                    let numbered = reference.resolve_char_ref().map_err(|error| error.to_string())?;
                    let open = top(&mut open);
                    match (named, numbered) {
                        (Some(text), _) => open.text.push_str(text),
                        (None, Some(letter)) => open.text.push(letter),
                        (None, None) => return Err(format!("the unknown entity &{entity};")),
                    }
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
            if open.len() > DEPTH_MAX {
                return Err("it is too deep".to_owned());
            }
        }
        match (open.len(), top(&mut open).children.pop()) {
            (1, Some(root)) => Ok(root),
            (1, None) => Err("it is empty".to_owned()),
            (_, _) => Err("it ends too early".to_owned()),
        }
    }

    /// As a document that S3 takes.
    pub(super) fn to_document(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut text, &format!(" xmlns=\"{NAMESPACE}\""));
        text
    }

    fn write(&self, text: &mut String, attribute: &str) {
        let name = &self.name;
        write!(text, "<{name}{attribute}>{}", quick_xml::escape::escape(self.text.trim()))
            .expect("a String takes every write");
        for child in &self.children {
            child.write(text, "");
        }
        write!(text, "</{name}>").expect("a String takes every write");
    }
}

fn top(open: &mut Vec<Element>) -> &mut Element {
    if open.is_empty() {
        // An end without a start: the reader refuses it, so this is never read.
        open.push(Element::default());
    }
    open.last_mut().expect("there is one")
}

fn local(name: &quick_xml::name::QName<'_>) -> String {
    name.local_name().as_ref().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_written_back_with_all_that_nobody_knows() {
        let body = br#"<?xml version="1.0"?>
            <x:Rules xmlns:x="u"><Rule>
              <ID>a &amp; b&#33;</ID><Filter/><New><Deep>1</Deep></New><!-- no --></Rule></x:Rules>"#;
        let read = Element::parse(body).unwrap();
        let rule = read.child("Rule").unwrap();
        assert_eq!(rule.said("ID"), Some("a & b!"));
        assert_eq!((rule.said("Filter"), rule.child("Filter").is_some()), (None, true));
        let written = read.to_document();
        assert!(written.ends_with(
            "<Rules xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>a &amp; b!</ID>\
             <Filter></Filter><New><Deep>1</Deep></New></Rule></Rules>"
        ));
        assert_eq!(Element::parse(written.as_bytes()).unwrap(), read);
    }

    #[test]
    fn what_is_no_document_is_said_to_be_none() {
        let deep = "<a>".repeat(40);
        for body in ["", "<a>", "<a></b>", "</a>", "\u{0}", "<a>&nothing;</a>", deep.as_str()] {
            assert!(Element::parse(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(Element::parse(b"\xff").is_err());
    }
}
