//! The binary itself: started, talked to over its socket, killed, started again. What is true of one crate alone is
//! tested there.

#![expect(clippy::unwrap_used, reason = "a test may end anywhere")]

mod access;
mod bench;
mod chaos;
mod client_server;
mod command_line;
mod doctor;
mod document_004;
mod durability;
mod hostile;
mod put;
mod put_line;
mod s3_clients;
mod s3_store;
mod schemathesis;
mod settings;
mod stopping;
mod support;
mod traffic;
