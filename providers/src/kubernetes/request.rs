//! Why a request got no good answer.

use http::StatusCode;
use laconic_engine::apply::EnactError;
use laconic_engine::resource::UnknownReason;
use serde_json::Value;

use super::connection::ConnectionError;

/// Why a request got no good answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// There is nothing to connect with.
    #[error(transparent)]
    NotConfigured(#[from] ConnectionError),
    /// Nobody answered: no connection, a broken one, a certificate that is not accepted.
    #[error("{0}")]
    Unreachable(String),
    /// The answer took too long.
    #[error("{server}: no answer within {seconds} s (`--request-timeout`)")]
    TimedOut {
        /// Its address.
        server: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server said no.
    #[error("{}", .0.message)]
    Status(Refusal),
    /// What came is no answer of a Kubernetes API server.
    #[error("{0} does not answer as a Kubernetes API server does")]
    Garbled(String),
    /// The server knows nothing of a kind.
    #[error("the server does not serve {resource} ({version})")]
    NotServed {
        /// The kind, as servers speak of it.
        resource: String,
        /// The version of the API.
        version: &'static str,
    },
}

/// A `Status` of the API server that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The reason word: `NotFound`, `Conflict`, `Invalid`, …
    pub reason: String,
    /// For people.
    pub message: String,
    /// The causes' reason words: `FieldManagerConflict`, `FieldValueInvalid`, …
    pub causes: Vec<String>,
    /// The fields that the causes name: `metadata.uid`, `spec.replicas`, …
    pub fields: Vec<String>,
}

impl Refusal {
    /// What a body that goes with a bad HTTP status says.
    pub(crate) fn read(code: StatusCode, body: &[u8]) -> Self {
        let status: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |member: &str| status[member].as_str().unwrap_or_default().to_owned();
        let said = text("message");
        let of_causes = |member: &str| -> Vec<String> {
            let causes = status["details"]["causes"].as_array().into_iter().flatten();
            causes.filter_map(|cause| Some(cause[member].as_str()?.to_owned())).collect()
        };
        Self {
            code: code.as_u16(),
            reason: text("reason"),
            // Something in between answers in other forms, with pages of HTML: its status is all there is to say.
            message: if said.is_empty() { format!("the server answered {code}") } else { said },
            causes: of_causes("reason"),
            fields: of_causes("field"),
        }
    }

    /// Whether another try may go better.
    fn is_transient(&self) -> bool {
        matches!(self.code, 408 | 429 | 500..=599) && !self.is_misfit()
    }

    /// Whether server-side apply could make nothing of what was sent: a field that does not exist, a value of another
    /// type, bytes that are no base64. Servers call that an internal error, though it is ours and will not pass.
    fn is_misfit(&self) -> bool {
        const TEXTS: [&str; 2] = ["failed to create typed patch object", "failed to convert new object"];
        self.code == 500 && TEXTS.iter().any(|text| self.message.starts_with(text))
    }
}

impl RequestError {
    /// The HTTP status of a refusal.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Status(refusal) => Some(refusal.code),
            _ => None,
        }
    }

    /// Whether the server knows no such thing.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self.code(), Some(404))
    }

    /// What is known of something that was asked about in vain.
    pub(crate) fn unknown(&self) -> UnknownReason {
        match self {
            Self::NotConfigured(_) => UnknownReason::NotConfigured(self.to_string()),
            Self::Status(refusal) if refusal.code == 401 => UnknownReason::NotConfigured(self.to_string()),
            Self::Status(refusal) if refusal.code == 403 => UnknownReason::Forbidden(self.to_string()),
            Self::Status(_) | Self::Garbled(_) => UnknownReason::Failed(self.to_string()),
            Self::NotServed { .. } => UnknownReason::NotServed(self.to_string()),
            Self::Unreachable(_) | Self::TimedOut { .. } => UnknownReason::Unreachable(self.to_string()),
        }
    }
}

impl From<RequestError> for EnactError {
    fn from(error: RequestError) -> Self {
        let text = error.to_string();
        match error {
            RequestError::NotConfigured(_) => Self::Unreachable(text),
            RequestError::Unreachable(_) | RequestError::TimedOut { .. } | RequestError::Garbled(_) => {
                Self::Transient(text)
            }
            RequestError::Status(refusal) if refusal.is_transient() => Self::Transient(text),
            RequestError::Status(refusal) if refusal.code == 409 => Self::Stale(text),
            RequestError::Status(_) | RequestError::NotServed { .. } => Self::Refused(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(code: u16, status: &Value) -> EnactError {
        let code = StatusCode::from_u16(code).unwrap();
        RequestError::Status(Refusal::read(code, status.to_string().as_bytes())).into()
    }

    #[test]
    fn what_the_server_cannot_read_is_not_tried_again() {
        let text = "failed to create typed patch object (a/b; /v1, Kind=ConfigMap): .dat: field not declared in schema";
        assert_eq!(refusal(500, &json!({"message": text})), EnactError::Refused(text.to_owned()));
        let other = "etcdserver: request timed out";
        assert_eq!(refusal(500, &json!({"message": other})), EnactError::Transient(other.to_owned()));
    }

    #[test]
    fn causes_are_kept_with_their_fields() {
        let status =
            json!({"message": "no", "details": {"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]}});
        let refusal = Refusal::read(StatusCode::UNPROCESSABLE_ENTITY, status.to_string().as_bytes());
        assert_eq!(
            (refusal.causes, refusal.fields),
            (vec!["FieldValueInvalid".to_owned()], vec!["metadata.uid".to_owned()])
        );
    }
}
