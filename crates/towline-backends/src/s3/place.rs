//! How places and marks are written: what this store wants to be told again.

use towline_core::digest::{Algorithm, Digester};
use towline_core::error::{Fault, FaultKind};
use towline_core::store::{Mark, Place};
use towline_core::upload::UploadId;
use towline_s3::Address;

use super::corner;

/// Where the parts of an upload gather.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// In a multipart upload of its object.
    Keyed { s3_id: String, name: String },
    /// In a multipart upload of an object of our own, to be read before it is copied to its key.
    Staged { s3_id: String, id: UploadId },
    /// What is left of a staged upload, whose id is not known. It can only be discarded.
    Left { id: UploadId },
    /// What is left of the tails of an upload that is no more. It can only be discarded.
    Tails { fold: String },
}

/// The file of a staged upload, in its folder.
const WHOLE: &str = "whole";
/// Says in the folder of a staged upload that it was copied to its key, and what became of it.
const SEALED: &str = "sealed";
const TAIL: &str = "tail-";

impl Room {
    pub(super) fn to_place(&self) -> Place {
        // An id of S3 never holds a space.
        Place(match self {
            Self::Keyed { s3_id, name } => format!("key {s3_id} {name}"),
            Self::Staged { s3_id, id } => format!("staged {s3_id} {id}"),
            Self::Left { id } => format!("left {id}"),
            Self::Tails { fold } => format!("tails {fold}"),
        })
    }

    pub(super) fn of(place: &Place) -> Result<Self, Fault> {
        Self::parse(&place.0).ok_or_else(|| {
            Fault::new(
                FaultKind::Corrupt,
                "reading a place",
                format!("{:?} is no place in this store", place.0),
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ')?;
        match kind {
            "left" => return Some(Self::Left { id: UploadId::parse(rest)? }),
            "tails" => {
                let is_fold = rest.starts_with("t-") && is_plain(&rest[2..]);
                return is_fold.then(|| Self::Tails { fold: rest.to_owned() });
            }
            _ => {}
        }
        let (s3_id, rest) = rest.split_once(' ').filter(|(id, rest)| !id.is_empty() && !rest.is_empty())?;
        let s3_id = s3_id.to_owned();
        match kind {
            "key" => Some(Self::Keyed { s3_id, name: rest.to_owned() }),
            "staged" => Some(Self::Staged { s3_id, id: UploadId::parse(rest)? }),
            _ => None,
        }
    }

    /// The multipart upload: its object's name and its id.
    pub(super) fn multipart(&self, address: &Address) -> Option<(String, &str)> {
        match self {
            Self::Keyed { s3_id, name } => Some((name.clone(), s3_id)),
            Self::Staged { s3_id, id } => Some((whole(address, *id), s3_id)),
            Self::Left { .. } | Self::Tails { .. } => None,
        }
    }

    /// The folder where the tails lie, and all else that is not an object of a client's.
    pub(super) fn folder(&self, address: &Address) -> String {
        match self {
            // The folder is found from the place alone, in no more characters than an object's name has left.
            Self::Keyed { .. } => corner::tails(address, &fold(&self.to_place().0)),
            Self::Staged { id, .. } | Self::Left { id } => corner::folder(address, *id),
            Self::Tails { fold } => corner::tails(address, fold),
        }
    }
}

pub(super) fn whole(address: &Address, id: UploadId) -> String {
    corner::folder(address, id) + WHOLE
}

pub(super) fn sealed(address: &Address, id: UploadId) -> String {
    corner::folder(address, id) + SEALED
}

fn fold(text: &str) -> String {
    let mut digester = Digester::new([Algorithm::Sha256]);
    digester.update(text.as_bytes());
    let digest = digester.finish().get(Algorithm::Sha256).expect("it was asked for");
    format!("t-{}", &digest.to_hex()[..32])
}

/// A part is known by its `ETag`, a tail by the name of its object.
pub(super) fn tail_mark(name: &str) -> Mark {
    Mark([TAIL, name].concat())
}

/// The object of a tail in its folder, where the mark is that of a tail.
pub(super) fn tail_object(mark: &Mark) -> Option<&str> {
    mark.0.strip_prefix(TAIL).filter(|name| is_plain(name)).map(|_| mark.0.as_str())
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::S3Settings;

    fn address() -> Address {
        let settings = S3Settings { prefix: "in/".to_owned(), ..S3Settings::new("box", "r") };
        Address::new(&settings.connection()).unwrap()
    }

    #[test]
    fn a_place_is_read_back() {
        let id = UploadId::from_u128(5);
        for room in [
            Room::Keyed { s3_id: "2~abc.-_".to_owned(), name: "in/a b ü/c".to_owned() },
            Room::Staged { s3_id: "x".to_owned(), id },
            Room::Left { id },
            Room::Tails { fold: "t-0123abcd".to_owned() },
        ] {
            assert_eq!(Room::of(&room.to_place()).unwrap(), room);
        }
        for text in [
            "",
            "key",
            "key a",
            "key  b",
            "key a ",
            "staged a b",
            "left x",
            "tails t-",
            "tails ../t-1",
            "other a b",
        ] {
            assert!(Room::of(&Place(text.to_owned())).is_err(), "{text:?}");
        }
    }

    #[test]
    fn tails_lie_in_a_folder_of_their_place() {
        let keyed = |name: &str| Room::Keyed { s3_id: "a".to_owned(), name: name.to_owned() };
        let one = keyed("in/x").folder(&address());
        assert!(one.starts_with("in/.towline/t-") && one.len() == "in/.towline/t-".len() + 33, "{one}");
        assert_ne!(one, keyed("in/y").folder(&address()));
        let staged = Room::Staged { s3_id: "a".to_owned(), id: UploadId::from_u128(5) };
        assert_eq!(staged.folder(&address()), "in/.towline/00000000-0000-0000-0000-000000000005/");
    }

    #[test]
    fn only_marks_of_tails_name_objects() {
        assert_eq!(tail_object(&tail_mark("a1")), Some("tail-a1"));
        for text in ["", "tail-", "tail-../x", "d41d8cd98f00b204e9800998ecf8427e", "no such mark"] {
            assert_eq!(tail_object(&Mark(text.to_owned())), None, "{text:?}");
        }
    }
}
