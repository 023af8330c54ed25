//! One API server: requests with a time limit, answers as JSON.

use std::time::Duration;

use http::{Method, Request, header};
use kube::client::Body;
use kube::{Client, Config};
use serde_json::Value;

use super::connection::chain;
use super::request::{Refusal, RequestError};

/// How long one request may take, answer included.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// How we are called in audit logs.
const USER_AGENT: &str = concat!("laconic/", env!("CARGO_PKG_VERSION"));

/// The forms in which an object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchForm {
    /// Server-side apply.
    Apply,
    /// JSON patch, RFC 6902.
    Json,
}

/// One API server.
pub(crate) struct Server {
    client: Client,
    /// Its address, for people.
    pub(crate) url: String,
}

impl Server {
    /// A server by its configuration; nothing is sent yet.
    pub(crate) fn new(config: Config) -> Result<Self, RequestError> {
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| RequestError::Unreachable(chain(&error)))?;
        Ok(Self { client, url })
    }

    /// Reads what is at a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, RequestError> {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    /// Changes, or with server-side apply makes, what is at a path.
    pub(crate) async fn patch(&self, path: &str, form: PatchForm, body: &Value) -> Result<Value, RequestError> {
        let content_type = match form {
            // JSON is YAML.
            PatchForm::Apply => "application/apply-patch+yaml",
            PatchForm::Json => "application/json-patch+json",
        };
        self.send(Method::PATCH, path, Some(content_type), body.to_string().into_bytes()).await
    }

    /// Deletes what is at a path.
    pub(crate) async fn delete(&self, path: &str, options: &Value) -> Result<Value, RequestError> {
        self.send(Method::DELETE, path, Some("application/json"), options.to_string().into_bytes()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Value, RequestError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request =
            request.body(Body::from(body)).map_err(|error| RequestError::Garbled(format!("`{path}`: {error}")))?;
        let exchange = async {
            let answer = self.client.send(request).await.map_err(|error| RequestError::Unreachable(chain(&error)))?;
            let status = answer.status();
            let bytes =
                answer.into_body().collect_bytes().await.map_err(|error| RequestError::Unreachable(chain(&error)))?;
            Ok::<_, RequestError>((status, bytes))
        };
        let timed = tokio::time::timeout(REQUEST_LIMIT, exchange).await;
        let (status, bytes) = timed.map_err(|_| RequestError::TimedOut(REQUEST_LIMIT.as_secs()))??;
        if !status.is_success() {
            return Err(RequestError::Status(Refusal::read(status, &bytes)));
        }
        serde_json::from_slice(&bytes).map_err(|error| RequestError::Garbled(error.to_string()))
    }
}
