//! Ways to say the same call.

use obelus_gate::{Body, Catalogue, Connection, Denied, Entry, Operation, RestCall, ToolCall};

pub(crate) const TEST: Connection<'_> =
    Connection { livemode: Some(false), account: Some("acct_1TestTestTest00") };

pub(crate) fn catalogue() -> &'static Catalogue {
    Catalogue::shipped().expect("the catalogue is sound")
}

/// A request with a form, or with JSON where the path wants it.
pub(crate) fn rest(method: &str, target: &str, body: &str) -> Result<Operation, Denied> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let body = match body {
        "" => Body::Empty,
        json if path.starts_with("/v2/") => Body::Json(json.as_bytes()),
        form => Body::Form(form.as_bytes()),
    };
    catalogue().rest(&RestCall { method, path, query, body, connection: TEST })
}

pub(crate) fn tool(tool: &str, arguments: &str) -> Result<Operation, Denied> {
    catalogue().tool_call(&ToolCall { tool, arguments: arguments.as_bytes(), connection: TEST })
}

/// A call of the generic tool that reads or writes.
pub(crate) fn generic(tool_name: &str, operation: &str, parameters: &str) -> Result<Operation, Denied> {
    let arguments = format!(
        r#"{{"stripe_api_operation_id": "{operation}", "parameters": {parameters},
            "stripe_context": "acct_1TestTestTest00", "livemode": false}}"#
    );
    tool(tool_name, &arguments)
}

/// The generic tool that an operation belongs to.
pub(crate) fn generic_tool(entry: &Entry) -> &'static str {
    if entry.method == "GET" { "stripe_api_read" } else { "stripe_api_write" }
}

/// The path with an id for each parameter, and the same ids as a JSON object.
pub(crate) fn filled(entry: &Entry) -> (String, serde_json::Value) {
    let mut path = entry.path.clone();
    let mut parameters = serde_json::Map::new();
    for (at, name) in entry.path_parameters().enumerate() {
        let id = format!("obj_{at}AbCdEf");
        path = path.replace(&format!("{{{name}}}"), &id);
        parameters.insert(name.to_owned(), id.into());
    }
    (path, parameters.into())
}
