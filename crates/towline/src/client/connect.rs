//! From a place to the other end: who we are there, and by which address.

use std::sync::Arc;

use anyhow::anyhow;
use towline_client::bucket::{Bucket, BucketSettings, PATIENCE, S3Credentials, Surroundings};
use towline_client::journal::Journal;
use towline_client::remote::{Remote, Shelf, Stored};
use towline_client::server::{self, Server};
use towline_client::trouble::Trouble;

use super::aws::Whereabouts;
use super::origin::as_download;
use super::place::{Place, Spot};
use super::state::open_journal;
use super::token::{Token, complain_at};
use super::words::complain;
use crate::cli::{Reach, Way};
use crate::clock::SystemClock;
use crate::config::{BaseUrl, Settings, surroundings};
use crate::exit::Complaint;

/// What is known before a place is named.
#[derive(Debug)]
pub(crate) struct Means {
    /// Of the flag, the environment or the settings file.
    pub(crate) server: Option<BaseUrl>,
    token: Token,
    endpoint: Option<String>,
    region: Option<String>,
    surroundings: Surroundings,
}

/// The other end, and what leads back to it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) remote: Arc<dyn Remote>,
    pub(crate) place: Place,
    /// Whose the token is, where it is not sent because of that.
    pub(crate) withheld: Option<String>,
}

impl Link {
    /// A trouble with this other end, with what to do about it.
    pub(crate) fn complain(&self, trouble: &Trouble) -> Complaint {
        complain_at((&self.place, self.withheld.as_deref()), trouble)
    }
}

impl Means {
    pub(crate) fn load(way: Way) -> Result<Self, Complaint> {
        let (loaded, owner) = way.settings.load()?;
        let means = Self::new(loaded.settings, way.reach)?;
        Ok(Self { token: Token { owner, ..means.token }, ..means })
    }

    pub(crate) fn new(settings: Settings, reach: Reach) -> Result<Self, Complaint> {
        let endpoint = reach.endpoint.map(|endpoint| BaseUrl::parse(&endpoint)).transpose();
        let endpoint = endpoint.map_err(|_| {
            Complaint::usage("--endpoint is no URL").hint("it is such as https://minio.example:9000")
        })?;
        Ok(Self {
            token: Token { owner: settings.server.clone(), secret: settings.token },
            server: settings.server,
            endpoint: endpoint.map(|endpoint| endpoint.0),
            region: reach.region,
            surroundings: surroundings(),
        })
    }

    /// The place that was named, else the server of the settings.
    pub(crate) fn spot(&self, named: Option<&str>) -> Result<Spot, Complaint> {
        if let Some(named) = named {
            let spot = Spot::parse(named)?;
            if matches!(spot.place, Place::Server { .. }) && self.endpoint.is_some() {
                return Err(Complaint::usage(
                    "--endpoint is the address of an S3, and the place is a Towline server",
                )
                .hint("with an endpoint, the place is s3://BUCKET/KEY"));
            }
            return Ok(spot);
        }
        let server = self.server.as_ref().ok_or_else(|| {
            Complaint::usage("no server is named, and no bucket").hint(
                "end the line with http://SERVER or s3://BUCKET/KEY, or set TOWLINE_SERVER once and for all",
            )
        })?;
        Ok(Spot { place: Place::Server { server: server.0.clone() }, key: String::new() })
    }

    pub(crate) fn connect(&self, place: &Place) -> Result<Link, Complaint> {
        let place = self.complete(place);
        let remote: Arc<dyn Remote> = match &place {
            Place::Server { server } => Arc::new(self.at_server(server)?),
            Place::Bucket { bucket, endpoint, region } => {
                let credentials = S3Credentials::Chain(self.surroundings.clone());
                // Where it is another one, the bucket's server says so, and is asked there.
                let region = region.as_deref().unwrap_or("us-east-1");
                let settings = BucketSettings {
                    endpoint: endpoint.clone(),
                    path_style: endpoint.is_some(),
                    // Its user decides how many parts are sent at once.
                    bodies_max: usize::from(u16::MAX),
                    patience: PATIENCE,
                    ..BucketSettings::new(bucket, region, credentials)
                };
                let bucket = Bucket::open(settings, Arc::new(SystemClock));
                Arc::new(bucket.map_err(|trouble| complain(&trouble))?)
            }
        };
        let withheld = self.token.withheld(&place);
        Ok(Link { remote, place, withheld })
    }

    fn at_server(&self, url: &str) -> Result<Server, Complaint> {
        Server::open(url, self.token.for_server(url)).map_err(|trouble| complain(&trouble))
    }

    /// A file of the web, without a token of ours. A server that turns out to be Towline is asked as such: it tells digests.
    pub(crate) async fn file(url: &str) -> Result<(Arc<dyn Shelf>, Option<String>), Complaint> {
        if let Some((base, key)) = as_download(url)
            && let Ok(server) = Server::open(base, None)
            && let Ok(Some(Stored { crc64: Some(_), .. })) = Box::pin(server.stored(&key)).await
        {
            return Ok((Arc::new(server), Some(key)));
        }
        let link = server::Link::open(url).map_err(|trouble| complain(&trouble))?;
        Ok((Arc::new(link), None))
    }

    pub(crate) fn journal(&self) -> Result<Journal, Complaint> {
        let journal = open_journal(&self.surroundings);
        journal.map_err(|broken| anyhow!("cannot look into the journal: {broken}").into())
    }

    /// What `TERM` says.
    pub(crate) fn terminal(&self) -> Option<&str> {
        self.surroundings.variables.get("TERM").map(String::as_str)
    }

    /// Flags win over what the journal remembers, and that over what holds today.
    fn complete(&self, place: &Place) -> Place {
        let Place::Bucket { bucket, endpoint, region } = place else {
            return place.clone();
        };
        let today = Whereabouts::of(&self.surroundings);
        let said = |flag: &Option<String>, kept: &Option<String>| flag.clone().or_else(|| kept.clone());
        Place::Bucket {
            bucket: bucket.clone(),
            endpoint: said(&self.endpoint, endpoint).or(today.endpoint),
            region: said(&self.region, region).or(today.region),
        }
    }
}
