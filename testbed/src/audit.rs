//! What the API server was asked, from its audit log.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Every request is written to the log before it is handled, and again when it is answered.
pub(crate) const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitManagedFields": true,
  "rules": [{ "level": "Metadata" }]
}"#;

/// How long a request that was received may take until it is answered.
const ANSWER: Duration = Duration::from_secs(10);

/// One request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// What was done: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The API group, empty for the core group and for requests that are not about a resource.
    pub group: String,
    /// The resource in plural, as `configmaps`; empty for requests that are not about one, as discovery.
    pub resource: String,
    /// The subresource, as `status`, or empty.
    pub subresource: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The object's name, also when the server made it up; empty for collections.
    pub name: String,
    /// Who asked.
    pub user: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// Path and query of the request.
    pub request_uri: String,
    /// Whether it asked for a dry run.
    pub dry_run: bool,
    /// Who manages the fields that were written, if the request says so.
    pub field_manager: Option<String>,
    /// Whether it insists on fields that somebody else manages.
    pub force: bool,
    /// The HTTP status of the answer.
    pub code: u16,
}

/// Requests in the order in which they were answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditLog(Vec<AuditEvent>);

/// A moment in the audit log.
#[derive(Clone, Copy, Debug)]
pub struct AuditMark(pub(crate) usize);

/// Which requests are wanted. What is not named does not matter.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    user: Option<String>,
    user_agent: Option<String>,
    verb: Option<String>,
    resource: Option<String>,
    namespace: Option<String>,
}

impl AuditFilter {
    /// All requests.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of one user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Those of clients whose user agent begins so.
    #[must_use]
    pub fn user_agent(mut self, begin: impl Into<String>) -> Self {
        self.user_agent = Some(begin.into());
        self
    }

    /// Those with one verb.
    #[must_use]
    pub fn verb(mut self, verb: impl Into<String>) -> Self {
        self.verb = Some(verb.into());
        self
    }

    /// Those about one resource, in plural.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Those within one namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Whether a request is wanted.
    pub fn matches(&self, event: &AuditEvent) -> bool {
        let is = |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|wanted| wanted == actual);
        is(&self.user, &event.user)
            && is(&self.verb, &event.verb)
            && is(&self.resource, &event.resource)
            && is(&self.namespace, &event.namespace)
            && self.user_agent.as_deref().is_none_or(|begin| event.user_agent.starts_with(begin))
    }
}

impl AuditLog {
    /// Only the wanted requests.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the filter is written in place")]
    pub fn matching(&self, filter: AuditFilter) -> Self {
        Self(self.0.iter().filter(|event| filter.matches(event)).cloned().collect())
    }
}

impl std::ops::Deref for AuditLog {
    type Target = [AuditEvent];

    fn deref(&self) -> &[AuditEvent] {
        &self.0
    }
}

/// One request per line, for messages of assertions.
impl std::fmt::Display for AuditLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for event in &self.0 {
            writeln!(formatter, "{} {} {} ({})", event.user, event.verb, event.request_uri, event.code)?;
        }
        Ok(())
    }
}

/// Reads the log from a mark on. An answer may reach its client before the log: waits until the requests that were
/// received are answered. Watches and streams are answered when they end, and not waited for.
pub(crate) fn read(path: &Path, begin: AuditMark) -> AuditLog {
    settled(|| lines(path), begin)
}

/// Looks at the lines until what was unanswered at the first look is answered.
fn settled(mut lines: impl FnMut() -> Vec<Value>, begin: AuditMark) -> AuditLog {
    let deadline = Instant::now() + ANSWER;
    let awaited = unanswered(&lines());
    loop {
        let lines = lines();
        if awaited.is_disjoint(&unanswered(&lines)) || Instant::now() > deadline {
            let events = lines.iter().skip(begin.0).filter_map(event);
            return AuditLog(events.collect());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The end of the log, after the requests that were received so far.
pub(crate) fn mark(path: &Path) -> AuditMark {
    read(path, AuditMark(usize::MAX));
    AuditMark(lines(path).len())
}

/// The complete lines. The last one may still be being written.
fn lines(path: &Path) -> Vec<Value> {
    let log = std::fs::read(path).unwrap_or_default();
    let complete = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    log[..complete]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap_or_default())
        .collect()
}

fn unanswered(lines: &[Value]) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for line in lines {
        let id = text(line, "/auditID");
        match text(line, "/stage").as_str() {
            "RequestReceived" if !is_long(line) => {
                open.insert(id);
            }
            _ => {
                open.remove(&id);
            }
        }
    }
    open
}

fn is_long(line: &Value) -> bool {
    let subresource = text(line, "/objectRef/subresource");
    text(line, "/verb") == "watch" || ["exec", "attach", "log", "portforward", "proxy"].contains(&subresource.as_str())
}

fn event(line: &Value) -> Option<AuditEvent> {
    if !["ResponseComplete", "Panic"].contains(&text(line, "/stage").as_str()) {
        return None;
    }
    let request_uri = text(line, "/requestURI");
    let query = request_uri.split_once('?').map_or("", |(_, query)| query);
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    Some(AuditEvent {
        verb: text(line, "/verb"),
        group: text(line, "/objectRef/apiGroup"),
        resource: text(line, "/objectRef/resource"),
        subresource: text(line, "/objectRef/subresource"),
        namespace: text(line, "/objectRef/namespace"),
        name: text(line, "/objectRef/name"),
        user: text(line, "/user/username"),
        user_agent: text(line, "/userAgent"),
        dry_run: parameter("dryRun").is_some_and(|value| value == "All"),
        field_manager: parameter("fieldManager"),
        force: parameter("force").is_some_and(|value| value == "true"),
        code: line.pointer("/responseStatus/code").and_then(Value::as_u64).and_then(|code| code.try_into().ok())?,
        request_uri,
    })
}

fn text(line: &Value, pointer: &str) -> String {
    line.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{AuditMark, lines, mark, read, settled, unanswered};

    fn entry(id: &str, stage: &str, verb: &str) -> String {
        let code = (stage != "RequestReceived").then(|| json!({ "code": 200 }));
        format!(
            "{}\n",
            json!({ "auditID": id, "stage": stage, "verb": verb, "requestURI": "/", "responseStatus": code })
        )
    }

    fn log(content: &str) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file.into_temp_path()
    }

    #[test]
    fn a_line_that_is_being_written_is_not_read() {
        let second = entry("2", "ResponseComplete", "get");
        let log = log(&(entry("1", "ResponseComplete", "list") + &second[..second.len() - 5]));
        let events = read(&log, AuditMark(0));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].verb, "list");
    }

    #[test]
    fn what_was_received_is_awaited_until_it_is_answered() {
        let received = entry("1", "RequestReceived", "get");
        let answered = received.clone() + &entry("1", "ResponseComplete", "get");
        let looks = [&received, &received, &received, &answered].map(|content| lines(&log(content)));
        let mut looks = looks.into_iter();
        let events = settled(|| looks.next().unwrap(), AuditMark(0));
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_watch_is_not_awaited() {
        let log = log(&(entry("1", "RequestReceived", "watch") + &entry("1", "ResponseStarted", "watch")));
        assert!(unanswered(&lines(&log)).is_empty());
        assert!(read(&log, AuditMark(0)).is_empty());
    }

    #[test]
    fn a_mark_leaves_out_what_came_before() {
        let before = entry("1", "RequestReceived", "get") + &entry("1", "ResponseComplete", "get");
        let log = log(&before);
        let begin = mark(&log);
        std::fs::write(&log, before + &entry("2", "ResponseComplete", "list")).unwrap();
        let verbs: Vec<_> = read(&log, begin).iter().map(|event| event.verb.clone()).collect();
        assert_eq!(verbs, ["list"]);
    }
}
