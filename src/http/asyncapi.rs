//! The AsyncAPI 3.0 document of the WebSocket and of the stream of server-sent events.
//!
//! Owns its frame alone: the forms of messages come from the types that are sent and read, the
//! parameters from the type that reads them. Source: AsyncAPI specification 3.0.0.

use super::cloud_event::CloudEvent;
use super::live::{self, DocumentUpdate, Request, Told};
use axum::Json;
use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;

/// Words with a form each, kept together by an enum: `type` says which.
const TAG: &str = "type";

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(DocumentUpdate, Told, Request, CloudEvent)))]
struct Schemas;

/// A channel of the document.
struct Channel {
    name: &'static str,
    address: &'static str,
    description: &'static str,
    /// Parameters of the address.
    parameters: &'static [(&'static str, &'static str)],
}

const SOCKETS: [Channel; 3] = [
    Channel {
        name: "all",
        address: "/ws",
        description: "A WebSocket that follows all documents. First comes system_status, then a document_update for each event of a document, in the order of the log and each once, and progress within jobs. Reconnect with ?after= the last position seen.",
        parameters: &[],
    },
    Channel {
        name: "user",
        address: "/ws/{user_id}",
        description: "As /ws, under a name of the client's own.",
        parameters: &[(
            "user_id",
            "Whatever the client calls itself, up to 128 bytes",
        )],
    },
    Channel {
        name: "document",
        address: "/ws/documents/{id}",
        description: "As /ws, for one document.",
        parameters: &[("id", "The document, a UUID")],
    },
];

const STREAM: Channel = Channel {
    name: "stream",
    address: "/api/v1/events/stream",
    description: "Server-sent events (text/event-stream): for each event of a document a frame whose id is its position in the log, whose event is its type and whose data is a CloudEvent. Come back with the last id as Last-Event-ID. In silence comes an id alone, and comments as signs of life.",
    parameters: &[],
};

/// The document of this API
#[utoipa::path(get, path = "/asyncapi.json", tag = "health", security(()), responses((status = 200, description = "The AsyncAPI document", body = Object)))]
pub(super) async fn asyncapi_json() -> Json<Value> {
    Json(document())
}

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut schemas = schemas();
    let told = split(schemas.remove("Told"));
    let said = split(schemas.remove("Request"));
    let from_gateway: Vec<String> = std::iter::once("document_update".to_owned())
        .chain(told.keys().cloned())
        .collect();
    let from_client: Vec<String> = said.keys().cloned().collect();
    let mut messages = Map::new();
    for (name, payload) in told.into_iter().chain(said) {
        messages.insert(name.clone(), message(&name, payload));
    }
    for (name, schema) in [
        ("document_update", "DocumentUpdate"),
        ("cloud_event", "CloudEvent"),
    ] {
        let mut payload = json!({"$ref": format!("#/components/schemas/{schema}")});
        let description = schemas.get(schema).map(|s| s["description"].clone());
        payload["description"] = description.unwrap_or_default();
        messages.insert(name.to_owned(), message(name, payload));
    }
    let (mut channels, mut operations) = (Map::new(), Map::new());
    for socket in &SOCKETS {
        let all = [from_gateway.clone(), from_client.clone()].concat();
        let ws = json!({"ws": {"method": "GET", "query": parameters(), "bindingVersion": "0.1.0"}});
        channels.insert(socket.name.into(), channel(socket, &all, Some(ws)));
        let mut told = operation(socket, "send", &from_gateway);
        told["summary"] = "What the gateway tells".into();
        operations.insert(format!("{}_told", socket.name), told);
        let mut said = operation(socket, "receive", &from_client);
        said["summary"] = "What a client may say".into();
        operations.insert(format!("{}_said", socket.name), said);
    }
    let event = ["cloud_event".to_owned()];
    channels.insert(STREAM.name.into(), channel(&STREAM, &event, None));
    let mut told = operation(&STREAM, "send", &event);
    told["summary"] = "The events of documents".into();
    told["bindings"] =
        json!({"http": {"method": "GET", "query": parameters(), "bindingVersion": "0.3.0"}});
    operations.insert("stream_told".into(), told);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "KMRL Gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Live updates of documents over WebSocket and server-sent events. Positions are those of the log: the same cursor in both and in GET /api/v1/events.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": schemas,
            "securitySchemes": {
                "api_key": {"type": "httpApiKey", "name": "X-API-Key", "in": "header"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    })
}

/// The forms of all messages and of what is in them, by name.
fn schemas() -> Map<String, Value> {
    let components = Schemas::openapi().components.unwrap_or_default();
    match serde_json::to_value(components.schemas) {
        Ok(Value::Object(schemas)) => schemas,
        _ => Map::new(),
    }
}

/// The variants of an enum with a tag, by tag.
fn split(schema: Option<Value>) -> Map<String, Value> {
    let Some(Value::Array(variants)) = schema.map(|mut s| s["oneOf"].take()) else {
        return Map::new();
    };
    let name = |variant: &Value| {
        let tag = variant["properties"][TAG]["enum"][0].as_str();
        tag.map(ToOwned::to_owned)
    };
    variants
        .into_iter()
        .filter_map(|variant| Some((name(&variant)?, variant)))
        .collect()
}

fn message(name: &str, mut payload: Value) -> Value {
    let summary = payload
        .as_object_mut()
        .and_then(|p| p.remove("description"));
    let content_type = match name {
        "cloud_event" => "application/cloudevents+json",
        _ => "application/json",
    };
    json!({
        "name": name,
        "summary": summary.unwrap_or_default(),
        "contentType": content_type,
        "payload": payload,
    })
}

fn channel(channel: &Channel, messages: &[String], bindings: Option<Value>) -> Value {
    let messages: Map<_, _> = messages
        .iter()
        .map(|name| {
            let reference = json!({"$ref": format!("#/components/messages/{name}")});
            (name.clone(), reference)
        })
        .collect();
    let parameters: Map<_, _> = channel
        .parameters
        .iter()
        .map(|(name, what)| ((*name).to_owned(), json!({"description": what})))
        .collect();
    let mut described = json!({
        "address": channel.address,
        "description": channel.description,
        "messages": messages,
        "parameters": parameters,
    });
    if let Some(bindings) = bindings {
        described["bindings"] = bindings;
    }
    described
}

/// `send`: by the gateway; `receive`: from a client.
fn operation(channel: &Channel, action: &str, messages: &[String]) -> Value {
    let channel = format!("#/channels/{}", channel.name);
    let messages: Vec<_> = messages
        .iter()
        .map(|name| json!({"$ref": format!("{channel}/messages/{name}")}))
        .collect();
    json!({
        "action": action,
        "channel": {"$ref": channel},
        "messages": messages,
        "security": [
            {"$ref": "#/components/securitySchemes/api_key"},
            {"$ref": "#/components/securitySchemes/bearer"},
        ],
    })
}

/// The query parameters of all channels, as one schema.
fn parameters() -> Value {
    let properties: Map<_, _> = live::parameters()
        .into_iter()
        .map(|parameter| {
            let mut schema = serde_json::to_value(parameter.schema).unwrap_or_default();
            schema["description"] = parameter.description.into();
            (parameter.name, schema)
        })
        .collect();
    json!({"type": "object", "properties": properties})
}
