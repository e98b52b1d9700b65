//! Requests to one server: with its token, and repeated while that may help.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::line::{Answer, Line, Patience, host};
use super::problem::Problem;
use crate::trouble::Trouble;

const AGENT: &str = concat!("towline/", env!("CARGO_PKG_VERSION"));
/// How much JSON is taken: a status of 100,000 parts has less than a tenth of it.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest wait before the second try, and before any.
const WAIT_FIRST: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Who was never reached may not be there at all: that is told after so few tries.
const FIRST_TRIES_MAX: u32 = 5;

/// What a request was answered with, if it was answered at all: what was asked for, or a no.
pub(super) type Answered<T> = Result<Result<T, Problem>, Trouble>;

pub(super) struct Talk {
    pub(super) address: Address,
    token: Option<HeaderValue>,
    pub(super) line: Line,
    /// A Towline server has answered there: what is no answer of one will pass.
    is_known: AtomicBool,
}

impl fmt::Debug for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Talk").field(&self.address).finish_non_exhaustive()
    }
}

/// A request that may be repeated.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    method: Method,
    /// Escaped; begins with a slash.
    path: String,
    body: Option<Bytes>,
    headers: Vec<(&'static str, String)>,
    wait: Option<Duration>,
    is_insisted: bool,
}

impl Ask {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        let (body, headers, wait) = (None, Vec::new(), None);
        Self { method, path: path.into(), body, headers, wait, is_insisted: false }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a request is plain text and numbers");
        Self { body: Some(body.into()), ..Self::new(Method::POST, path) }
    }

    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Waits so long for the answer.
    pub(super) fn wait(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }

    /// Speaks of an upload that the server knew once: a server that is not there now will be back.
    pub(super) fn insist(self) -> Self {
        Self { is_insisted: true, ..self }
    }
}

impl Talk {
    pub(super) fn open(url: &str, token: Option<&str>, patience: Patience) -> Result<Self, Trouble> {
        let address = Address::parse(url)?;
        let token = token.map(|token| {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let token = token.transpose().map_err(|_| {
            Trouble::refused("the token holds characters that no token has")
                .hint("is TOWLINE_TOKEN what it should be?")
        })?;
        let line = Line::open(address.is_tls(), patience)?;
        Ok(Self { address, token, line, is_known: AtomicBool::new(false) })
    }

    /// The head of a request to a path of the server.
    pub(super) fn request<T>(&self, method: Method, path: &str, body: T) -> Result<Request<T>, Trouble> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.address.at(path)?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }

    /// Asks for JSON, again and again while that may help. Where a Towline server has answered before, something else that
    /// answers for it, as a proxy does while a server is exchanged, may be gone soon.
    pub(super) async fn json<T: DeserializeOwned + Send>(&self, ask: &Ask) -> Answered<T> {
        let mut again = self.again(ask);
        loop {
            let trouble = match self.json_once(ask).await {
                Ok(Err(problem)) if problem.may_pass() => problem.trouble(),
                Ok(Err(problem)) if problem.is_foreign() && self.is_known() => {
                    if again.after(problem.trouble_under_way()).await.is_err() {
                        return Ok(Err(problem));
                    }
                    continue;
                }
                Err(trouble) => trouble,
                answered @ Ok(_) => return self.heard(answered),
            };
            again.after(trouble).await?;
        }
    }

    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Remembers who has answered.
    fn heard<T>(&self, answered: Answered<T>) -> Answered<T> {
        if let Ok(Ok(_) | Err(Problem { code: Some(_), .. })) = &answered {
            self.is_known.store(true, Ordering::Relaxed);
        }
        answered
    }

    fn again(&self, ask: &Ask) -> Again {
        let patience = &self.line.patience;
        if ask.is_insisted || self.is_known() { Again::new(patience) } else { Again::short(patience) }
    }

    async fn json_once<T: DeserializeOwned>(&self, ask: &Ask) -> Answered<T> {
        let answer = match self.once(ask).await? {
            Ok(answer) => answer,
            Err(problem) => return Ok(Err(problem)),
        };
        let host = host(&answer.uri).to_owned();
        let body = answer.whole(JSON_BYTES_MAX).await?;
        Ok(serde_json::from_slice(&body).map_err(|_| Problem::foreign(&host)))
    }

    /// Asks for a head, again and again while that may help.
    pub(super) async fn answer(&self, ask: &Ask) -> Answered<Answer> {
        let mut again = self.again(ask);
        loop {
            let trouble = match self.once(ask).await {
                Ok(Err(problem)) if problem.may_pass() => problem.trouble(),
                Err(trouble) => trouble,
                answered @ Ok(_) => return self.heard(answered),
            };
            again.after(trouble).await?;
        }
    }

    /// Asks once.
    pub(super) async fn once(&self, ask: &Ask) -> Answered<Answer> {
        let body = ask.body.clone().unwrap_or_default();
        let mut request = self.request(ask.method.clone(), &ask.path, body)?;
        let headers = request.headers_mut();
        if ask.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &ask.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| Trouble::refused(format!("{name} cannot be sent")))?;
            headers.insert(*name, value);
        }
        let wait = ask.wait.unwrap_or(self.line.patience.connect + self.line.patience.reply);
        let answer = self.line.ask(request, wait).await?;
        // A redirect is for whoever asked for bytes.
        if answer.status.is_success() || answer.status.as_u16() == 307 && ask.method == Method::GET {
            return Ok(Ok(answer));
        }
        Ok(Err(Problem::read(answer).await))
    }
}

/// Whether there is another try, and when: waits grow, and chance keeps clients from coming all at once.
#[derive(Debug)]
pub(super) struct Again {
    left: u32,
    repeating: Duration,
    /// Known with the first failure: an answer that takes long uses nothing up.
    until: Option<Instant>,
    window: Duration,
    growth: u32,
}

impl Again {
    /// As patient as with parts.
    pub(super) fn new(patience: &Patience) -> Self {
        Self {
            left: patience.tries.saturating_sub(1),
            repeating: patience.repeating,
            until: None,
            window: WAIT_FIRST,
            growth: 2,
        }
    }

    /// For what may be a wrong URL: a few seconds.
    pub(super) fn short(patience: &Patience) -> Self {
        let tries = patience.tries.min(FIRST_TRIES_MAX);
        Self { growth: 4, ..Self::new(&Patience { tries, ..*patience }) }
    }

    /// Waits for the next try; gives the trouble back when it does not pass, or when it was the last try.
    pub(super) async fn after(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let Trouble::Passing { retry_after, .. } = &trouble else {
            return Err(trouble);
        };
        let wait = self.window.mul_f64(fastrand::f64()).max(retry_after.unwrap_or_default());
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + self.repeating);
        if self.left == 0 || now + wait > until {
            return Err(trouble);
        }
        self.left -= 1;
        self.window = (self.window * self.growth).min(WAIT_MAX);
        sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowded(seconds: u64) -> Trouble {
        let retry_after = Some(Duration::from_secs(seconds));
        Trouble::Passing { what: "busy".into(), is_crowded: true, retry_after }
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_bounded_in_number_and_in_time() {
        let patience = Patience::default();
        for (mut again, tries_max, elapsed_s_max) in
            [(Again::short(&patience), 5, 20), (Again::new(&patience), 15, 120)]
        {
            let began = Instant::now();
            let mut tries = 1;
            while again.after(Trouble::passing("cut")).await.is_ok() {
                tries += 1;
            }
            assert!(tries <= tries_max, "{tries}");
            assert!(began.elapsed() <= Duration::from_secs(elapsed_s_max));
        }
        let mut again = Again::new(&patience);
        // What came before the first failure does not count.
        sleep(Duration::from_mins(5)).await;
        assert!(again.after(crowded(60)).await.is_ok());
        assert!(again.after(crowded(50)).await.is_ok());
        assert_eq!(again.after(crowded(50)).await, Err(crowded(50)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_tried_again() {
        let mut again = Again::new(&Patience::default());
        assert!(again.after(Trouble::gone("gone")).await.is_err());
    }

    #[test]
    fn a_token_is_never_shown() {
        let talk = Talk::open("http://a", Some("open-sesame"), Patience::default()).unwrap();
        assert!(!format!("{talk:?}").contains("sesame"));
        let trouble = Talk::open("http://a", Some("open\nsesame"), Patience::default()).unwrap_err();
        assert!(!format!("{trouble:?}").contains("sesame"));
    }
}
