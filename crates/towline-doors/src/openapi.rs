//! The description of everything that is served, made of the code's own types, and the pages that show it. All of
//! it works offline.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, OpenApi, OpenApiBuilder, Ref, RefOr, Response as Described,
    ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::DoorState;
use crate::auth::Authenticator;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::settings::DoorSettings;

const PAGE: &str = include_str!("../assets/docs.html");
const SCRIPT: &str = include_str!("../assets/docs.js");
const STYLE: &str = include_str!("../assets/docs.css");
const ERRORS: &str = include_str!("../../../docs/errors.md");

/// What any operation may answer instead of its own replies.
const REFUSALS: [(&str, &str); 14] = [
    ("400", "The request is wrong, and the problem says where"),
    ("401", "A token is needed"),
    ("403", "The token does not allow this"),
    ("404", "There is no such upload or file"),
    ("405", "The method is not known here"),
    ("408", "The body came too slowly"),
    ("409", "It does not fit what is there"),
    ("413", "Too large"),
    ("414", "The request target is too long"),
    ("422", "The idempotency key belongs to another file"),
    ("431", "The headers are too large"),
    ("500", "The server failed"),
    ("503", "Try again later"),
    ("507", "The store is full"),
];

/// What the document says before its first path.
pub(crate) fn head() -> OpenApi {
    let mut info = Info::new("Towline", env!("CARGO_PKG_VERSION"));
    info.description = Some("Large files into storage: in parallel, resumable, provably intact.".to_owned());
    OpenApiBuilder::new().info(info).build()
}

/// The document and the pages beside it.
pub(crate) fn routes(described: OpenApi, settings: &DoorSettings) -> Router<DoorState> {
    let document = complete(described, settings);
    let json = Bytes::from(document.to_json().expect("the document is plain data with text keys"));
    let errors = Bytes::from(errors_page(ERRORS));
    let page = |kind: &'static str, body: Bytes| get(move || async move { asset(kind, body) });
    Router::new()
        .route("/api/openapi.json", page("application/json", json))
        .route("/api/docs", page("text/html; charset=utf-8", PAGE.into()))
        .route("/api/docs.js", page("text/javascript; charset=utf-8", SCRIPT.into()))
        .route("/api/docs.css", page("text/css; charset=utf-8", STYLE.into()))
        .route("/api/errors", page("text/html; charset=utf-8", errors))
}

fn asset(kind: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// What lies outside of a door's own words: it is found out before the request reaches the door.
const BEFORE_DOORS: [&str; 3] = ["405", "414", "431"];

/// Describes the refusals of a door that has words of its own for them.
pub(crate) fn refusing<T: ToSchema>(mut router: OpenApiRouter<DoorState>) -> OpenApiRouter<DoorState> {
    let document = router.get_openapi_mut();
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(T::name().into_owned(), T::schema());
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name()))).build();
    let no_urls = ("501", "Nothing takes bytes by signed URLs, or no key is handed out");
    let own = REFUSALS.into_iter().filter(|(status, _)| !BEFORE_DOORS.contains(status)).chain([no_urls]);
    let own: Vec<(&str, Described)> = own
        .map(|(status, description)| {
            let described = ResponseBuilder::new().description(description);
            (status, described.content("application/json", content.clone()).build())
        })
        .collect();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            for (status, described) in &own {
                operation.responses.responses.insert((*status).to_owned(), described.clone().into());
            }
        }
    }
    router
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all =
        [&mut item.get, &mut item.head, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
    all.into_iter().flatten()
}

/// Adds what all operations share, so that no handler has to repeat it.
fn complete(mut document: OpenApi, settings: &DoorSettings) -> OpenApi {
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    if let Authenticator::Tokens(_) = settings.authenticator {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    }
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        for operation in operations(&mut item) {
            add_refusals(operation);
        }
        if let (Some(get), Some(head)) = (&item.get, &mut item.head) {
            head.operation_id = get.operation_id.as_ref().map(|id| format!("{id}_head"));
        }
        // The router's word for "all that follows" is not OpenAPI's.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
    document
}

fn add_refusals(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, described) in responses.iter_mut() {
        let is_refusal = status.starts_with('4') || status.starts_with('5');
        if let (true, RefOr::T(response)) = (is_refusal, described)
            && response.content.is_empty()
        {
            response.content = problem(&response.description).content;
        }
    }
    for (status, description) in REFUSALS {
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(description)));
    }
}

fn problem(description: &str) -> Described {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build()
}

/// `docs/errors.md` as a page: headings become anchors, the rest paragraphs.
fn errors_page(markdown: &str) -> String {
    let blocks = markdown.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    let content: String = blocks.map(block).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Towline: errors</title>\
         <link rel=\"stylesheet\" href=\"/api/docs.css\"><main class=\"text\">{content}</main></html>"
    )
}

fn block(markdown: &str) -> String {
    let escaped = markdown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if let Some(code) = escaped.strip_prefix("## ") {
        return format!("<h2 id=\"{code}\"><a href=\"#{code}\">{code}</a></h2>");
    }
    match escaped.strip_prefix("# ") {
        Some(title) => format!("<h1>{title}</h1>"),
        None => format!("<p>{escaped}</p>"),
    }
}
