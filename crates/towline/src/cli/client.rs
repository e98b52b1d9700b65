//! What `put`, `get` and their kin are asked.

#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    /// What to upload, and last, where to: a server's URL or s3://bucket/key
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
}
