//! The list of finished files, in both of its versions.

use axum::response::Response;
use towline_core::engine::Found;
use towline_core::key::OWN_FOLDER;
use towline_sigv4::encode_path;

use super::problem::{Denied, INVALID_ARGUMENT};
use super::query::Parameters;
use super::xml::Element;
use super::{Visit, document, quoted};
use crate::moment::rfc3339;

/// The most entries of one page.
const PAGE: usize = 1000;
/// How many pages of the store one request looks through for files of its own: then it says where to go on.
const LOOKS_MAX: usize = 20;
/// What a sealed place begins with: what kind of place it is.
const ENTRY: char = '=';
const HIDDEN: char = '~';

/// How the names in a list are chosen and written.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    delimiter: Option<String>,
    is_encoded: bool,
}

/// Where a key stands in a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delimited {
    /// It has another prefix.
    Outside,
    Here,
    /// It counts as one with all that begin so.
    Folder(String),
}

impl Names {
    pub(super) fn read(query: &Parameters) -> Result<Self, Denied> {
        let is_encoded = match query.filled("encoding-type") {
            None => false,
            Some("url") => true,
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                return Err(Denied::new(INVALID_ARGUMENT, message).with("ArgumentValue", other));
            }
        };
        Ok(Self {
            prefix: query.text("prefix").unwrap_or("").to_owned(),
            delimiter: query.filled("delimiter").map(str::to_owned),
            is_encoded,
        })
    }

    pub(super) fn place(&self, key: &str) -> Delimited {
        let Some(rest) = key.strip_prefix(self.prefix.as_str()) else {
            return Delimited::Outside;
        };
        let delimiter = self.delimiter.as_deref();
        match delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len())) {
            Some(end) => Delimited::Folder(key[..self.prefix.len() + end].to_owned()),
            None => Delimited::Here,
        }
    }

    /// As the client asked names to be written.
    pub(super) fn written(&self, name: &str) -> String {
        if self.is_encoded { encode_path(name) } else { name.to_owned() }
    }

    /// Says again what was asked for.
    pub(super) fn told(&self, list: Element) -> Element {
        let list = list.text("Prefix", &self.written(&self.prefix));
        let delimiter = self.delimiter.as_deref().map(|delimiter| self.written(delimiter));
        list.maybe("Delimiter", delimiter.as_deref()).maybe("EncodingType", self.is_encoded.then_some("url"))
    }
}

/// One entry of a list, in the order of the bytes of its name.
#[derive(Debug)]
enum Entry {
    File(Found),
    Folder(String),
}

/// Where a list begins or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    /// Behind an entry that the caller knows, with all that it stands for.
    Entry(String),
    /// Behind a name that is none of the caller's: it is shown to nobody.
    Hidden(String),
}

#[derive(Debug)]
struct Page {
    entries: Vec<Entry>,
    /// Where to go on, when there may be more.
    next: Option<Start>,
}

impl Visit {
    pub(super) async fn list_objects(self) -> Result<Response, Denied> {
        match self.query.text("list-type") {
            None => self.list_first().await,
            Some("2") => self.list_second().await,
            Some(other) => {
                let message = "Invalid list-type";
                Err(Denied::new(INVALID_ARGUMENT, message).with("ArgumentValue", other))
            }
        }
    }

    async fn list_second(self) -> Result<Response, Denied> {
        let names = Names::read(&self.query)?;
        let token = self.query.filled("continuation-token");
        let after = self.query.text("start-after").unwrap_or("");
        let start = match token {
            Some(token) => self.unseal(token).ok_or_else(|| wrong("continuation-token"))?,
            None => Start::Entry(after.to_owned()),
        };
        let limit = self.limit()?;
        let page = self.find_objects(&names, start, limit).await?;
        let mut list = Element::reply("ListBucketResult").text("Name", self.bucket());
        list = names
            .told(list)
            .number("MaxKeys", limit as u64)
            .number("KeyCount", page.entries.len() as u64)
            .claim("IsTruncated", page.next.is_some())
            .maybe("ContinuationToken", token)
            .maybe("NextContinuationToken", page.next.map(|next| self.seal(&next)).as_deref())
            .maybe("StartAfter", Some(names.written(after)).as_deref().filter(|after| !after.is_empty()));
        let owner = Some(self.who().owner.as_str());
        let owner = owner.filter(|_| self.query.text("fetch-owner") == Some("true"));
        Ok(document(write(list, &names, &page.entries, owner).end()))
    }

    async fn list_first(self) -> Result<Response, Denied> {
        let names = Names::read(&self.query)?;
        let marker = self.query.text("marker").unwrap_or("");
        let limit = self.limit()?;
        // No key begins so: a marker that does was made here.
        let start = match marker.strip_prefix(OWN_FOLDER).and_then(|rest| rest.strip_prefix('/')) {
            Some(sealed) => self.unseal(sealed).ok_or_else(|| wrong("marker"))?,
            None => Start::Entry(marker.to_owned()),
        };
        let page = self.find_objects(&names, start, limit).await?;
        let next = page.next.map(|next| match next {
            Start::Entry(name) => name,
            Start::Hidden(_) => format!("{OWN_FOLDER}/{}", self.seal(&next)),
        });
        let mut list = Element::reply("ListBucketResult").text("Name", self.bucket());
        list = names
            .told(list)
            .text("Marker", &names.written(marker))
            .number("MaxKeys", limit as u64)
            .claim("IsTruncated", next.is_some())
            .maybe("NextMarker", next.map(|next| names.written(&next)).as_deref());
        Ok(document(write(list, &names, &page.entries, Some(&self.who().owner)).end()))
    }

    fn limit(&self) -> Result<usize, Denied> {
        let limit = self.query.number("max-keys")?.unwrap_or(PAGE as u64);
        Ok(usize::try_from(limit).unwrap_or(PAGE).min(PAGE))
    }

    /// For whoever asked: where a list goes on may be told by what is somebody else's.
    fn seal(&self, start: &Start) -> String {
        let text = match start {
            Start::Entry(name) => format!("{ENTRY}{name}"),
            Start::Hidden(name) => format!("{HIDDEN}{name}"),
        };
        self.state.settings.s3.keyring.seal(&self.who().owner, &text)
    }

    fn unseal(&self, sealed: &str) -> Option<Start> {
        let text = self.state.settings.s3.keyring.unseal(&self.who().owner, sealed)?;
        let entry = text.strip_prefix(ENTRY).map(|name| Start::Entry(name.to_owned()));
        entry.or_else(|| Some(Start::Hidden(text.strip_prefix(HIDDEN)?.to_owned())))
    }

    /// What the files that are wanted and may be named begin with; nothing when there are none such.
    fn scope<'a>(&'a self, names: &'a Names) -> Option<&'a str> {
        let (own, wanted) = (self.who().key_prefix.as_str(), names.prefix.as_str());
        if own.starts_with(wanted) { Some(own) } else { Some(wanted).filter(|_| wanted.starts_with(own)) }
    }

    /// Looks through the store from `start` on. What lies in a folder that was told is skipped in one step.
    async fn find_objects(&self, names: &Names, start: Start, limit: usize) -> Result<Page, Denied> {
        let mut entries = Vec::new();
        let Some(scope) = self.scope(names) else { return Ok(Page { entries, next: None }) };
        let (mut place, told) = match &start {
            Start::Entry(name) => (beyond(name, names), name.as_str()),
            Start::Hidden(name) => (name.clone(), ""),
        };
        let mut is_barren = false;
        for _ in 0..LOOKS_MAX {
            // One more than fits says whether there are more. Where nothing was the caller's, little of what follows is.
            let wanted = if is_barren { PAGE } else { limit + 1 - entries.len() };
            let looked = self.state.engine.objects(self.who(), scope, (&place, wanted)).await?;
            is_barren = looked.files.is_empty();
            for found in looked.files {
                let entry = match names.place(found.object.key.as_str()) {
                    Delimited::Outside => continue,
                    Delimited::Here => Entry::File(found),
                    Delimited::Folder(folder) => {
                        if is_last(&entries, &folder) || told.starts_with(&folder) {
                            continue;
                        }
                        Entry::Folder(folder)
                    }
                };
                if entries.len() == limit {
                    let next = entries.last().map(|entry| Start::Entry(entry.name()));
                    return Ok(Page { entries, next });
                }
                entries.push(entry);
            }
            let Some(next) = looked.next else {
                return Ok(Page { entries, next: None });
            };
            place = match names.place(&next) {
                Delimited::Folder(folder) if is_last(&entries, &folder) || told.starts_with(&folder) => {
                    beyond(&folder, names)
                }
                Delimited::Folder(_) | Delimited::Here | Delimited::Outside => next,
            };
        }
        Ok(Page { entries, next: Some(Start::Hidden(place)) })
    }
}

impl Entry {
    fn name(&self) -> String {
        match self {
            Self::File(found) => found.object.key.to_string(),
            Self::Folder(folder) => folder.clone(),
        }
    }
}

/// Behind all that is told by this name: a folder's name is followed by what is in it.
fn beyond(name: &str, names: &Names) -> String {
    let is_folder = names.place(name) == Delimited::Folder(name.to_owned());
    if is_folder { format!("{name}{}", char::MAX) } else { name.to_owned() }
}

fn is_last(entries: &[Entry], folder: &str) -> bool {
    matches!(entries.last(), Some(Entry::Folder(last)) if last == folder)
}

fn wrong(argument: &'static str) -> Denied {
    let message = format!("The {argument} provided is incorrect");
    Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", argument)
}

fn write(mut list: Element, names: &Names, entries: &[Entry], owner: Option<&str>) -> Element {
    for entry in entries {
        list = match entry {
            Entry::Folder(folder) => {
                list.open("CommonPrefixes").text("Prefix", &names.written(folder)).close()
            }
            Entry::File(Found { object, tag }) => {
                let tag = tag.as_deref().unwrap_or(&object.version);
                let told = list
                    .open("Contents")
                    .text("Key", &names.written(object.key.as_str()))
                    .text("LastModified", &rfc3339(object.modified_at))
                    .text("ETag", &quoted(tag))
                    .number("Size", object.size_bytes)
                    .text("StorageClass", "STANDARD");
                owner.into_iter().fold(told, |told, owner| told.person("Owner", owner)).close()
            }
        };
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Names {
        Names::read(&Parameters::parse(query)).unwrap()
    }

    #[test]
    fn keys_are_files_or_count_as_folders() {
        let folder = |name: &str| Delimited::Folder(name.to_owned());
        let cases = [
            ("", "a/b/c", Delimited::Here),
            ("delimiter=/", "a/b/c", folder("a/")),
            ("delimiter=/&prefix=a/", "a/b/c", folder("a/b/")),
            ("delimiter=/&prefix=a/b/", "a/b/c", Delimited::Here),
            ("delimiter=/&prefix=a", "a/b/c", folder("a/")),
            ("delimiter=%2Fb&prefix=a", "a/b/c", folder("a/b")),
            ("delimiter=/&prefix=x", "a/b/c", Delimited::Outside),
            ("delimiter=", "a/b", Delimited::Here),
        ];
        for (query, key, place) in cases {
            assert_eq!(names(query).place(key), place, "{query} {key}");
        }
    }

    #[test]
    fn names_are_encoded_only_when_asked() {
        assert_eq!(names("encoding-type=url").written("a b/ü+"), "a%20b/%C3%BC%2B");
        assert_eq!(names("").written("a b/ü+"), "a b/ü+");
        assert!(Names::read(&Parameters::parse("encoding-type=base64")).is_err());
    }
}
