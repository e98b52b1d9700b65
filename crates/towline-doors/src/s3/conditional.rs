//! Writing under conditions: what is there is looked at before the body is taken, and again before the file is made
//! visible. No turn is held while a client sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::http::HeaderValue;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use tokio::sync::OwnedMutexGuard;
use towline_core::key::Key;
use towline_core::policy::{Operation, Principal};
use towline_core::{Error, Refusal};

use super::object::tag;
use super::problem::{ACCESS_DENIED, Denied};
use super::{Visit, quoted};

/// Held from the last look whether a condition holds until the file is there, so that of two such requests for one
/// key the later sees the earlier.
pub(super) type Turn = OwnedMutexGuard<()>;

/// Who publishes under a condition, by key. Keys that nobody publishes are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Key, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    async fn of(&self, key: &Key) -> Turn {
        self.waited_for(key).lock_owned().await
    }

    fn waited_for(&self, key: &Key) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let known = turns.get(key).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(key.clone(), Arc::downgrade(&turn));
            turn
        })
    }
}

impl Visit {
    pub(super) fn is_conditional(&self) -> bool {
        [IF_MATCH, IF_NONE_MATCH].iter().any(|name| self.headers.contains_key(name))
    }

    /// Refuses when the file that is there is not what the request asks for.
    pub(super) async fn check_conditions(&self, key: &Key) -> Result<(), Denied> {
        if !self.is_conditional() {
            return Ok(());
        }
        // Who may not write a key is not told what is there.
        if !self.who().may(Operation::Upload) || !self.who().may_name(key) {
            return Err(Denied::new(ACCESS_DENIED, "Access Denied"));
        }
        match self.headers.get(IF_NONE_MATCH) {
            Some(tag) if tag.as_bytes().trim_ascii() != b"*" => {
                return Err(Denied::not_implemented("If-None-Match with anything but *"));
            }
            Some(_) if self.is_there(key).await? => return Err(Denied::precondition("If-None-Match")),
            Some(_) | None => {}
        }
        match self.headers.get(IF_MATCH) {
            None => Ok(()),
            Some(wanted) => self.check_match(key, wanted).await,
        }
    }

    /// The same look, and nobody else's before the turn is dropped. Nothing where nothing is asked for.
    pub(super) async fn turn(&self, key: &Key) -> Result<Option<Turn>, Denied> {
        if !self.is_conditional() {
            return Ok(None);
        }
        let wait = self.state.engine.policy().admission_wait;
        let turn = tokio::time::timeout(wait, self.state.turns.of(key)).await;
        let turn = turn.map_err(|_| Denied::from(Refusal::Busy { retry_after: wait }))?;
        self.check_conditions(key).await?;
        Ok(Some(turn))
    }

    /// Whether a file is there, whosever it is: it must not be replaced.
    async fn is_there(&self, key: &Key) -> Result<bool, Denied> {
        let operations = vec![Operation::Read, Operation::Manage];
        let anybody = Principal { owner: String::new(), operations, key_prefix: String::new() };
        match self.state.engine.read(&anybody, key.clone()).await {
            Ok(_) => Ok(true),
            Err(Error::Refused(Refusal::FileNotFound(_))) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// As on S3, only who may read a file may ask what its content is.
    async fn check_match(&self, key: &Key, wanted: &HeaderValue) -> Result<(), Denied> {
        let there = tag(&self.state.engine.read(self.who(), key.clone()).await?);
        let wanted = wanted.as_bytes().trim_ascii();
        let is_wanted = wanted == b"*" || wanted == there.as_bytes() || wanted == quoted(&there).as_bytes();
        if is_wanted { Ok(()) } else { Err(Denied::precondition("If-Match")) }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn only_those_of_the_same_key_wait_and_nothing_is_left_of_them() {
        let (turns, a, b) = (Turns::default(), Key::parse("a").unwrap(), Key::parse("b").unwrap());
        let first = turns.of(&a).now_or_never().expect("nobody else publishes");
        assert!(turns.of(&a).now_or_never().is_none());
        assert!(turns.of(&b).now_or_never().is_some());
        drop(first);
        assert!(turns.of(&a).now_or_never().is_some());
        drop(turns.of(&b).now_or_never());
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
