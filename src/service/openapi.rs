//! What all requests are: an OpenAPI 3.1 document made of the handlers themselves, and a page of it without a script.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use utoipa::OpenApi;

use super::{cases, edge_reads, frames, health, live, lookback, people, portals, proposals, queries, sessions, trail, viewer, webhooks};

/// The document, but for its version.
#[derive(OpenApi)]
#[openapi(
    info(title = "garita", description = "Reads what crosses a border. Errors are RFC 9457 problem details. Times are milliseconds since the Unix epoch."),
    paths(
        frames::frame,
        edge_reads::take,
        frames::trigger,
        frames::plate_reader,
        portals::scans,
        portals::columns,
        portals::paper,
        portals::offset,
        portals::go_on,
        portals::call_off,
        portals::portals,
        portals::listed,
        portals::scan,
        health::status,
        health::alive,
        health::ready,
        health::metrics,
        queries::passages::listed,
        queries::passages::one,
        edge_reads::listed,
        queries::hits::listed,
        queries::hits::one,
        queries::rail::cars,
        queries::rail::findings,
        queries::evidence::file,
        queries::lists::listed,
        queries::lists::one,
        proposals::propose,
        proposals::listed,
        proposals::one,
        proposals::activate,
        proposals::refuse,
        queries::search::search,
        queries::export::export,
        queries::pack::pack,
        lookback::listed,
        lookback::one,
        lookback::asked,
        webhooks::webhooks,
        webhooks::dead,
        webhooks::replay,
        cases::queue,
        cases::case,
        cases::picture,
        cases::claim,
        cases::release,
        cases::disposition,
        cases::undo,
        cases::note,
        cases::accuracy,
        cases::hours,
        live::events,
        viewer::trains,
        viewer::train,
        viewer::car,
        viewer::tile,
        viewer::claim,
        viewer::release,
        viewer::thumbnail,
        viewer::thickness,
        viewer::change,
        viewer::made_by_now,
        viewer::decide,
        viewer::undo,
        viewer::annotate,
        viewer::remove,
        sessions::told,
        sessions::log_in,
        sessions::log_out,
        sessions::unlock,
        sessions::set_password,
        sessions::propose_factor,
        sessions::take_factor,
        sessions::drop_factor,
        sessions::set_settings,
        people::list,
        people::make,
        people::change,
        trail::records,
        trail::checkpoint,
        trail::verification,
        trail::holds,
        trail::hold,
        trail::release,
        json,
    ),
    components(schemas(webhooks::event::Event, crate::custody::told::Disposition)),
    tags(
        (name = "lanes", description = "Frames and triggers come in"),
        (name = "portals", description = "Scans of trains come in"),
        (name = "queries", description = "What there is"),
        (name = "cases", description = "Hits before people, and what they decide"),
        (name = "lists", description = "New versions of lists, which a second person activates"),
        (name = "viewer", description = "Scans for people's eyes, and what they make of cars"),
        (name = "lookbacks", description = "What has passed before an entry was filed"),
        (name = "webhooks", description = "Who is told what happens"),
        (name = "people", description = "Who works here"),
        (name = "audit", description = "What they did, and what is kept"),
        (name = "health", description = "How the service is doing")
    )
)]
struct Document;

/// The document, as it is served and committed (`testdata/openapi.json`).
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).expect("plain data");
    for (path, methods) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            // Handlers of different files have the same name.
            operation["operationId"] = format!("{method}{}", path.replace(['/', '-', '.'], "_").replace(['{', '}'], "")).into();
            complete(operation);
        }
    }
    document
});

/// What the handlers do not say: an answer's description where its status says it all, and that bytes have no schema.
fn complete(operation: &mut Value) {
    let bytes = |content: &mut Value| {
        for (kind, content) in content.as_object_mut().into_iter().flatten().filter(|(kind, _)| !kind.ends_with("json")) {
            *content = serde_json::json!({ "schema": { "type": "string", "contentMediaType": kind } });
        }
    };
    bytes(&mut operation["requestBody"]["content"]);
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        bytes(&mut response["content"]);
        if response["description"].as_str().is_none_or(str::is_empty) {
            let status = status.parse().ok().and_then(|status| axum::http::StatusCode::from_u16(status).ok());
            response["description"] = status.and_then(|status| status.canonical_reason()).unwrap_or_default().into();
        }
        if response["content"].is_null() {
            response.as_object_mut().map(|response| response.remove("content"));
        }
    }
    if operation["requestBody"]["content"].is_null() {
        operation.as_object_mut().map(|operation| operation.remove("requestBody"));
    }
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "health", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.to_string()).into_response()
}

/// The document for people: no script, nothing from elsewhere.
pub(super) async fn page() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| rendered(&DOCUMENT));
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(PAGE.as_str())).into_response()
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>garita: requests</title>\
    <style>body{font:16px/1.5 system-ui;margin:2em auto;max-width:60em;padding:0 1em;color-scheme:light dark}code{font-size:1.05em}\
    table{border-collapse:collapse;width:100%;margin:.5em 0 1em}td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top;border-bottom:1px solid #8886}\
    section{border-top:1px solid #8888;padding-top:.5em;margin-top:1.5em}h3{margin:.2em 0}</style>";

fn rendered(document: &Value) -> String {
    let mut html = String::from(HEAD);
    let _ = write!(html, "<h1>{} {}</h1>", text(&document["info"]["title"]), text(&document["info"]["version"]));
    let _ = write!(html, "<p>{} <a href=/v1/openapi.json>As OpenAPI</a>.</p>", text(&document["info"]["description"]));
    for tag in document["tags"].as_array().into_iter().flatten() {
        let _ = write!(html, "<h2>{}: {}</h2>", text(&tag["name"]), text(&tag["description"]));
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten().filter(|(_, operation)| operation["tags"][0] == tag["name"]) {
                self::operation(&mut html, path, method, operation);
            }
        }
    }
    html.push_str("<h2>Bodies</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = write!(html, "<section id={0}><h3><code>{0}</code></h3><p>{1}</p>", escape(name), text(&schema["description"]));
        properties(&mut html, schema);
        html.push_str("</section>");
    }
    html.push_str("</html>");
    html
}

fn operation(html: &mut String, path: &str, method: &str, operation: &Value) {
    let _ = write!(html, "<section><h3><code>{} {}</code></h3>", escape(&method.to_uppercase()), escape(path));
    let _ = write!(html, "<p>{} {}</p>", text(&operation["summary"]), text(&operation["description"]));
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        html.push_str("<table><tr><th>Parameter</th><th>In</th><th></th></tr>");
        for parameter in parameters {
            let _ = write!(html, "<tr><td><code>{}</code></td><td>{}</td>", text(&parameter["name"]), text(&parameter["in"]));
            let _ = write!(html, "<td>{}</td></tr>", text(&parameter["description"]));
        }
        html.push_str("</table>");
    }
    for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(html, "<p>Body: <code>{}</code> {}</p>", escape(kind), of(&content["schema"]));
    }
    html.push_str("<table><tr><th>Answer</th><th></th></tr>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let _ = write!(html, "<tr><td><code>{}</code></td><td>{}", escape(status), text(&response["description"]));
        for (kind, content) in response["content"].as_object().into_iter().flatten() {
            let _ = write!(html, " <code>{}</code> {}", escape(kind), of(&content["schema"]));
        }
        html.push_str("</td></tr>");
    }
    html.push_str("</table></section>");
}

fn properties(html: &mut String, schema: &Value) {
    let parts = schema["allOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
    for part in parts {
        if part["$ref"].is_string() {
            let _ = write!(html, "<p>All of {}, and:</p>", of(part));
        }
        if let Some(values) = part["enum"].as_array() {
            let _ = write!(html, "<p>One of {}.</p>", values.iter().map(|value| format!("<code>{}</code>", text(value))).collect::<Vec<_>>().join(", "));
        }
        let Some(properties) = part["properties"].as_object() else { continue };
        html.push_str("<table>");
        for (name, property) in properties {
            let _ = write!(html, "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>", escape(name), of(property), text(&property["description"]));
        }
        html.push_str("</table>");
    }
}

/// What type a schema is of.
fn of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    if let Some(one) = schema["oneOf"].as_array().and_then(|any| any.iter().find(|one| one["$ref"].is_string())) {
        return of(one);
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("array of {}", of(&schema["items"])),
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind),
    }
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

/// As text that HTML takes for text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
