//! What `towline bench` is asked.

#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// The server
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}
