//! The pods of a deployment and what their containers say.

use futures::AsyncBufReadExt as _;
use futures::StreamExt as _;
use serde_json::Value;

use super::request::RequestError;
use super::server::Server;
use crate::pod::{LogRequest, Pod, PodsOf};

/// The pods with a label `app` of one of these values, by name.
pub(crate) async fn pods(server: &Server, of: &PodsOf) -> Result<Vec<Pod>, RequestError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("labelSelector", &format!("app in ({})", of.apps.join(",")));
    let answer = server.get(&format!("/api/v1/namespaces/{}/pods?{}", of.namespace, query.finish())).await?;
    let Some(items) = answer["items"].as_array() else { return Err(RequestError::Garbled(server.url.clone())) };
    let mut pods: Vec<Pod> = items.iter().map(Pod::read).collect();
    pods.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(pods)
}

/// The lines of one container, as they come; to the end, or for as long as it runs when they are followed.
pub(crate) async fn logs(
    server: &Server,
    request: &LogRequest,
    each: &mut (dyn FnMut(&str) + Send),
) -> Result<(), RequestError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("container", &request.container);
    if let Some(tail) = request.tail {
        query.append_pair("tailLines", &tail.to_string());
    }
    if request.follow {
        query.append_pair("follow", "true");
    }
    let path = format!("/api/v1/namespaces/{}/pods/{}/log?{}", request.namespace, request.pod, query.finish());
    let mut lines = server.stream(&path).await?.lines();
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => each(&line),
            Err(error) => return Err(RequestError::Unreachable(format!("{}: {error}", server.url))),
        }
    }
    Ok(())
}

/// Whether there is nothing yet to be read of a container, which is no failure.
pub(crate) fn is_silent(error: &RequestError) -> bool {
    matches!(error, RequestError::Status(refusal) if refusal.code == 400 || refusal.code == 404)
}

/// What is said of a pod, for whoever reads documents.
#[must_use]
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
