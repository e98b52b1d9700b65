//! The payloads that the document's Lambda function is invoked with. Its answer carries a status of its own.

use axum::extract::{FromRequest as _, Request, State};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::acts;
use super::wire::PresignError;
use crate::DoorState;
use crate::desk::Desk;
use crate::json::{ListJson, parse, reply};
use crate::problem;
use crate::refused::Refused;

/// The one processor of the document that is about uploads.
const PROCESSOR: &str = "s3_upload";
const ACTIONS: [&str; 7] = [
    "generate_presigned_upload_url",
    "generate_presigned_download_url",
    "initiate_multipart_upload",
    "generate_presigned_part_upload_url",
    "complete_multipart_upload",
    "abort_multipart_upload",
    "list_parts",
];

/// What the function is invoked with.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::Invocation)]
pub(super) struct Invocation {
    #[schema(example = "s3_upload")]
    processor_name: String,
    #[schema(example = "initiate_multipart_upload")]
    action: String,
    /// As the body of the request that does the same.
    #[schema(value_type = Object)]
    payload: Value,
}

/// What the function answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::Invoked)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invoked {
    status_code: u16,
    /// JSON in a text.
    body: String,
}

/// Does what the document's Lambda function does. The status of the answer is inside of it.
#[utoipa::path(
    post, path = "/invoke", tag = "presign", operation_id = "presign_invoke", request_body = Invocation,
    responses((status = 200, description = "Done or not: see `statusCode`", body = Invoked)),
)]
pub(super) async fn over_http(
    State(state): State<DoorState>,
    desk: Desk,
    request: Request,
) -> Result<Response, Refused> {
    let invocation = ListJson::<Invocation>::from_request(request, &state).await;
    let answer = match invocation {
        Ok(ListJson(invocation)) => Box::pin(dispatch(&desk, invocation)).await,
        Err(refused) => Err(refused),
    };
    Ok(reply(&answer.unwrap_or_else(|refused| Invoked::refused(&refused))))
}

async fn dispatch(desk: &Desk, invocation: Invocation) -> Result<Invoked, Refused> {
    let Invocation { processor_name, action, payload } = invocation;
    if processor_name != PROCESSOR {
        let error = PresignError::new("no-route", format!("There is no processor {processor_name:?}"));
        return Ok(Invoked::new(404, &error));
    }
    match action.as_str() {
        "generate_presigned_upload_url" => done(acts::url(desk, read(&payload)?).await),
        "generate_presigned_download_url" => done(acts::download(desk, read(&payload)?).await),
        "initiate_multipart_upload" => done(acts::init(desk, read(&payload)?).await),
        "generate_presigned_part_upload_url" => done(acts::part_url(desk, read(&payload)?).await),
        "complete_multipart_upload" => done(acts::complete(desk, read(&payload)?).await),
        "abort_multipart_upload" => done(acts::abort(desk, read(&payload)?).await),
        "list_parts" => done(acts::parts(desk, read(&payload)?).await),
        _ => Err(Refused::field("action", format!("is not one of {}", ACTIONS.join(", ")))),
    }
}

/// Read from its text again, so that complaints name the field as they do over HTTP.
fn read<T: DeserializeOwned>(payload: &Value) -> Result<T, Refused> {
    parse(payload.to_string().as_bytes())
}

fn done<T: Serialize>(answer: Result<T, Refused>) -> Result<Invoked, Refused> {
    answer.map(|answer| Invoked::new(200, &answer))
}

impl Invoked {
    fn new<T: Serialize>(status_code: u16, body: &T) -> Self {
        let body = serde_json::to_string(body).expect("replies are plain data with text keys");
        Self { status_code, body }
    }

    fn refused(refused: &Refused) -> Self {
        refused.log();
        let (_, status, _) = problem::kind(refused);
        Self::new(status.as_u16(), &PresignError::of(refused))
    }
}
