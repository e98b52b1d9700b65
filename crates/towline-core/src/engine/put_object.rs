//! A whole file in one request: an upload of one part, begun and finished at once.

use super::{Body, Cut, Engine, Order, PutPart};
use crate::digest::{Algorithm, Digest};
use crate::error::Error;
use crate::policy::Principal;
use crate::upload::Upload;

impl Engine {
    /// Takes a whole file and seals it. Nothing of a refused one is kept.
    pub async fn put_object(
        &self,
        who: &Principal,
        (order, declared): (Order, Vec<Digest>),
        body: Body<'_>,
    ) -> Result<Upload, Error> {
        let size_bytes = order.total_bytes;
        let order = Order { cut: Cut::Free, ..order };
        let id = Box::pin(self.create(who, order)).await?.upload.id;
        let put = PutPart { id, number: 1, size_bytes, declared, computed: vec![Algorithm::Md5] };
        let sealed = match Box::pin(self.put_part(who, put, body)).await {
            Ok(_) => Box::pin(self.finish(who, id)).await,
            Err(error) => Err(error),
        };
        if sealed.is_err() {
            // Also after a fault: finished later, it could replace a newer file. One that is visible already is not given
            // up; what cannot be now is swept later.
            Box::pin(self.abandon(who, id)).await.ok();
        }
        sealed
    }
}
