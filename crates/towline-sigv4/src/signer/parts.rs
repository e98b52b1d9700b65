//! Signed URLs for the many parts of one upload. All that is alike is encoded, hashed and keyed once: what is left
//! for each URL is the end of one digest and the end of one HMAC.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{Draft, Signer, Target};
use crate::key::Started;
use crate::moment::Moment;
use crate::{canonical, encode};

pub(super) const SIGNATURE_PARAMETER: &str = "&X-Amz-Signature=";
const NUMBER: &str = "&partNumber=";
/// More digits than a part number has.
const NUMBER_BYTES: usize = 10;

/// Makes the URL of any part of one upload.
#[derive(Clone)]
pub struct PartUrls {
    /// The URL as far as the number.
    front: String,
    /// The rest of the query, with the name of the signature's parameter at its end.
    back: String,
    /// The canonical request as far as the number.
    hashed: Sha256,
    /// The canonical request after the number.
    tail: String,
    keyed: Started,
}

impl PartUrls {
    pub(super) fn new(signer: &Signer, draft: &Draft<'_>, target: &Target<'_>, upload_id: &str) -> Self {
        let pairs = draft.pairs(target.query).chain([("partNumber", ""), ("uploadId", upload_id)]);
        let query = canonical::query(pairs);
        // The names of the signature's own parameters sort before it, that of the upload after it.
        let at = query.find(NUMBER).expect("the number is in the query") + NUMBER.len();
        let (before, after) = query.split_at(at);

        let path = encode::encode_path(target.path);
        let whole = draft.canonical(target.method, &path, before).text();
        let front_bytes = target.method.len() + 1 + path.len() + 1 + before.len();
        let tail = [after, &whole[front_bytes..]].concat();
        let moment = draft.moment;
        Self {
            front: [target.origin.as_str(), &path, "?", before].concat(),
            back: [after, SIGNATURE_PARAMETER].concat(),
            hashed: Sha256::new_with_prefix(&whole[..front_bytes]),
            tail,
            keyed: Self::keyed(signer, moment),
        }
    }

    fn keyed(signer: &Signer, moment: Moment) -> Started {
        let preamble = canonical::preamble(moment, &signer.scope(moment.day()));
        signer.key(moment.day()).start(preamble.as_bytes())
    }

    pub fn url(&self, number: u32) -> String {
        let mut url = String::with_capacity(self.front.len() + NUMBER_BYTES + self.back.len() + 64);
        url.push_str(&self.front);
        push_number(number, &mut url);
        let digest = self.hashed.clone().chain_update(&url[self.front.len()..]).chain_update(&self.tail);
        let digest = encode::hex(&digest.finalize().into());
        url.push_str(&self.back);
        self.keyed.finish(&digest).push_to(&mut url);
        url
    }
}

impl fmt::Debug for PartUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartUrls([redacted])")
    }
}

fn push_number(number: u32, into: &mut String) {
    if number >= 10 {
        push_number(number / 10, into);
    }
    into.push(char::from_digit(number % 10, 10).expect("a rest of a division by ten is a digit"));
}
