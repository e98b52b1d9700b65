//! The first segments of all doors' paths: the S3 door's bucket lies beside them and must not hide one.

const OURS: [&str; 24] = [
    "abort-multipart-upload",
    "api",
    "chunk_loaded",
    "complete-multipart-upload",
    "docs",
    "download",
    "files",
    "get-presigned-url",
    "health",
    "invoke",
    "list-parts",
    "metrics",
    "openapi.json",
    "ready",
    "resumable",
    "s3",
    "sessions",
    "signing_key",
    "start-multipart-upload",
    "static",
    "t",
    "upload",
    "upload-backend",
    "uploads",
];

/// Whether a path that begins with this segment is another door's.
pub fn is_path_of_ours(segment: &str) -> bool {
    OURS.binary_search(&segment).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segments_are_sorted_so_that_they_are_found() {
        assert!(OURS.is_sorted());
        assert!(is_path_of_ours("upload") && !is_path_of_ours("towline"));
    }
}
