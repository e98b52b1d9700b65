//! What is uploaded: a file, or a stream whose end nobody knows yet.
