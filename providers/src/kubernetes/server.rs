//! One API server: requests with a time limit, answers as JSON.

use std::time::Duration;

use futures::AsyncBufRead;
use http::{Method, Request, header};
use kube::client::{AuthError, Body};
use kube::{Client, Config};
use rustls::CertificateError;
use serde_json::Value;

use super::connection::{ConnectionError, chain};
use super::request::{Refusal, RequestError};

/// The pauses before a busy server is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

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
    /// Where our credentials come from, for people.
    credentials: String,
    /// How long one request may take, answer included.
    limit: Duration,
}

impl Server {
    /// A server by its configuration; nothing is sent yet.
    pub(crate) fn new(config: Config, credentials: String, limit: Duration) -> Result<Self, RequestError> {
        let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(|error| ConnectionError::Unusable {
            credentials: credentials.clone(),
            detail: unusable(&error),
        })?;
        Ok(Self { client, url, credentials, limit })
    }

    /// Reads what is at a path. A server that is busy is asked again.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, RequestError> {
        for pause in PAUSES {
            match self.send(Method::GET, path, None, Vec::new()).await {
                Err(error) if matches!(error.code(), Some(429 | 503 | 504)) => tokio::time::sleep(pause).await,
                other => return other,
            }
        }
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

    /// Makes something in the collection at a path.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, RequestError> {
        self.send(Method::POST, path, Some("application/json"), body.to_string().into_bytes()).await
    }

    /// Deletes what is at a path.
    pub(crate) async fn delete(&self, path: &str, options: &Value) -> Result<Value, RequestError> {
        self.send(Method::DELETE, path, Some("application/json"), options.to_string().into_bytes()).await
    }

    /// Reads what is at a path as it comes. The time limit is for its beginning only: what is followed has no end.
    pub(crate) async fn stream(&self, path: &str) -> Result<impl AsyncBufRead + Send + Unpin + use<>, RequestError> {
        let request = Request::get(path)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Vec::new())
            .map_err(|error| RequestError::Garbled(format!("`{path}`: {error}")))?;
        let answer = match tokio::time::timeout(self.limit, self.client.request_stream(request)).await {
            Ok(answer) => answer,
            Err(_) => return Err(RequestError::TimedOut { server: self.url.clone(), seconds: self.limit.as_secs() }),
        };
        answer.map(Box::pin).map_err(|error| match error {
            kube::Error::Api(status) => {
                let body = serde_json::json!({"message": status.message, "reason": status.reason});
                let code = http::StatusCode::from_u16(status.code).unwrap_or(http::StatusCode::BAD_GATEWAY);
                RequestError::Status(Refusal::read(code, body.to_string().as_bytes()))
            }
            other => RequestError::Unreachable(format!("{}: {}", self.url, root_cause(&other))),
        })
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
        let unreachable = |error: &(dyn std::error::Error + 'static)| {
            RequestError::Unreachable(format!("{}: {}", self.url, root_cause(error)))
        };
        let exchange = async {
            let answer = self.client.send(request).await.map_err(|error| match &error {
                kube::Error::Auth(_) => RequestError::Unreachable(format!("{}: {}", self.url, unusable(&error))),
                other => unreachable(other),
            })?;
            let status = answer.status();
            let bytes = answer.into_body().collect_bytes().await.map_err(|error| unreachable(&error))?;
            Ok::<_, RequestError>((status, bytes))
        };
        let (status, bytes) = match tokio::time::timeout(self.limit, exchange).await {
            Ok(exchanged) => exchanged?,
            Err(_) => return Err(RequestError::TimedOut { server: self.url.clone(), seconds: self.limit.as_secs() }),
        };
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|_| RequestError::Garbled(self.url.clone()));
        }
        let mut refusal = Refusal::read(status, &bytes);
        if refusal.code == 401 {
            // The server gives no reason, and `Unauthorized` says nothing to whoever is not at home in HTTP.
            let (server, credentials) = (&self.url, &self.credentials);
            refusal.message = format!(
                "{server} does not accept the credentials in {credentials} (401 Unauthorized); they may have expired, or be for another cluster"
            );
        }
        Err(RequestError::Status(refusal))
    }
}

/// Why there is no client, or no credentials for it. What a credentials plugin is given and prints is secret; what it
/// complains about is for people.
fn unusable(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            let said = String::from_utf8_lossy(&out.stderr);
            format!("its credentials plugin failed ({}): {}", out.status, said.trim())
        }
        kube::Error::Auth(AuthError::AuthExecParse(_)) => {
            "what its credentials plugin prints is no ExecCredential".to_owned()
        }
        other => chain(other),
    }
}

/// What is at the bottom of an error, in the words that people know it by.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(certificate) = certificate(cause) {
            return certificate;
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    let text = cause.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    match text {
        "deadline has elapsed" => "no connection within the time limit".to_owned(),
        _ => text.replacen("Connection ", "connection ", 1),
    }
}

/// What is wrong with the server's certificate, when that is it.
fn certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    // What is wrapped into an I/O error is not among its sources.
    if let Some(wrapped) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        return certificate(wrapped);
    }
    let rustls::Error::InvalidCertificate(wrong) = error.downcast_ref::<rustls::Error>()? else { return None };
    Some(match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired and must be renewed there".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "its certificate is not from the authority in the kubeconfig; it may be another cluster, or one made anew"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    })
}
