//! Digests: which there are, how they are computed over frames, and how a declared one is compared.
//! How they are spelled in headers and forms is the doors' business.

use std::fmt;

use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

/// CRC-64/NVME is always computed; the others only when somebody declares one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    Crc64Nvme,
    Crc32,
    Crc32c,
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    pub const ALL: [Self; 7] =
        [Self::Crc64Nvme, Self::Crc32, Self::Crc32c, Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512];

    pub fn size_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The stable name, for catalogs and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of one algorithm over some bytes. CRCs are big-endian, as S3 writes them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// Nothing when the length does not fit the algorithm.
    pub fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == algorithm.size_bytes()).then_some(Self { algorithm, bytes })
    }

    pub fn of_crc64(crc64: u64) -> Self {
        Self { algorithm: Algorithm::Crc64Nvme, bytes: crc64.to_be_bytes().to_vec() }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn to_hex(&self) -> String {
        hex(&self.bytes)
    }

    /// Nothing when it is not hexadecimal of the right length.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Option<Self> {
        if text.len() != algorithm.size_bytes() * 2 || !text.is_ascii() {
            return None;
        }
        let bytes = (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok().filter(|_| !text[at..].starts_with('+')))
            .collect::<Option<Vec<u8>>>()?;
        Self::new(algorithm, bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.to_hex())
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every write");
        text
    })
}

/// What was computed over a run of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    pub size_bytes: u64,
    pub crc64: u64,
    /// The asked-for digests beside CRC-64/NVME, in the order asked.
    pub others: Vec<Digest>,
}

impl Computed {
    pub fn get(&self, algorithm: Algorithm) -> Option<Digest> {
        match algorithm {
            Algorithm::Crc64Nvme => Some(Digest::of_crc64(self.crc64)),
            Algorithm::Crc32
            | Algorithm::Crc32c
            | Algorithm::Md5
            | Algorithm::Sha1
            | Algorithm::Sha256
            | Algorithm::Sha512 => self.others.iter().find(|digest| digest.algorithm == algorithm).cloned(),
        }
    }
}

/// Computes over frames as they pass: each byte is read once for all algorithms while it is in the cache.
#[derive(Debug)]
pub struct Digester {
    size_bytes: u64,
    crc64: crc_fast::Digest,
    others: Vec<Running>,
}

enum Running {
    Crc(Algorithm, crc_fast::Digest),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crc(algorithm, _) => algorithm.name(),
            Self::Md5(_) => "md5",
            Self::Sha1(_) => "sha1",
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        })
    }
}

impl Digester {
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut wanted: Vec<Algorithm> = Vec::new();
        for algorithm in algorithms {
            if algorithm != Algorithm::Crc64Nvme && !wanted.contains(&algorithm) {
                wanted.push(algorithm);
            }
        }
        Self {
            size_bytes: 0,
            crc64: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme),
            others: wanted.into_iter().filter_map(Running::new).collect(),
        }
    }

    pub fn update(&mut self, frame: &[u8]) {
        self.size_bytes += frame.len() as u64;
        self.crc64.update(frame);
        for other in &mut self.others {
            match other {
                Running::Crc(_, digest) => digest.update(frame),
                Running::Md5(digest) => digest.update(frame),
                Running::Sha1(digest) => digest.update(frame),
                Running::Sha256(digest) => digest.update(frame),
                Running::Sha512(digest) => digest.update(frame),
            }
        }
    }

    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub fn finish(self) -> Computed {
        Computed {
            size_bytes: self.size_bytes,
            crc64: self.crc64.finalize(),
            others: self.others.into_iter().map(Running::finish).collect(),
        }
    }
}

impl Running {
    fn new(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Crc64Nvme => None,
            Algorithm::Crc32 => Some(Self::Crc(algorithm, crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc))),
            Algorithm::Crc32c => Some(Self::Crc(algorithm, crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi))),
            Algorithm::Md5 => Some(Self::Md5(Md5::new())),
            Algorithm::Sha1 => Some(Self::Sha1(Sha1::new())),
            Algorithm::Sha256 => Some(Self::Sha256(Sha256::new())),
            Algorithm::Sha512 => Some(Self::Sha512(Box::default())),
        }
    }

    fn finish(self) -> Digest {
        match self {
            Self::Crc(algorithm, digest) => {
                let wide = digest.finalize().to_be_bytes();
                Digest { algorithm, bytes: wide[wide.len() - algorithm.size_bytes()..].to_vec() }
            }
            Self::Md5(digest) => Digest { algorithm: Algorithm::Md5, bytes: digest.finalize().to_vec() },
            Self::Sha1(digest) => Digest { algorithm: Algorithm::Sha1, bytes: digest.finalize().to_vec() },
            Self::Sha256(digest) => {
                Digest { algorithm: Algorithm::Sha256, bytes: digest.finalize().to_vec() }
            }
            Self::Sha512(digest) => {
                Digest { algorithm: Algorithm::Sha512, bytes: digest.finalize().to_vec() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published check values over "123456789".
    const CHECKS: [(Algorithm, &str); 7] = [
        (Algorithm::Crc64Nvme, "ae8b14860a799888"),
        (Algorithm::Crc32, "cbf43926"),
        (Algorithm::Crc32c, "e3069283"),
        (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
        (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        (
            Algorithm::Sha512,
            "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
        ),
    ];

    #[test]
    fn all_algorithms_give_their_published_check_values_over_frames() {
        let mut digester = Digester::new(Algorithm::ALL);
        digester.update(b"1234");
        digester.update(b"");
        digester.update(b"56789");
        let computed = digester.finish();
        assert_eq!(computed.size_bytes, 9);
        for (algorithm, expected) in CHECKS {
            assert_eq!(computed.get(algorithm).unwrap().to_hex(), expected, "{algorithm}");
        }
    }

    #[test]
    fn only_what_was_asked_for_is_computed() {
        let computed = Digester::new([Algorithm::Crc64Nvme]).finish();
        assert!(computed.others.is_empty());
        assert_eq!(computed.get(Algorithm::Md5), None);
    }

    #[test]
    fn hex_is_read_back_and_only_of_the_right_shape() {
        for (algorithm, text) in CHECKS {
            assert_eq!(Digest::from_hex(algorithm, text).unwrap().to_hex(), text);
            assert_eq!(Digest::from_hex(algorithm, &text.to_uppercase()).unwrap().to_hex(), text);
            assert_eq!(Digest::from_hex(algorithm, &text[1..]), None);
        }
        for bad in ["", "zzzzzzzz", "+1+1+1+1", "ab cd ef", "🎬🎬"] {
            assert_eq!(Digest::from_hex(Algorithm::Crc32, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("md4"), None);
    }
}
