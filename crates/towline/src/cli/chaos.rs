//! What `towline chaos` is asked.

#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// Where clients connect to
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: String,
    /// The server that they mean
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: String,
}
