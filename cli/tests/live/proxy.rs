//! Something between the binary and an API server that gets answers wrong: plain HTTP on this side, and of several ways
//! to fail one at a time.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::Client;
use kube::client::Body;
use laconic_testbed::ApiServer;
use serde_json::json;
use tokio::runtime::Runtime;

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// The second page of the list of ConfigMaps is answered with this HTTP status.
    SecondPage(u16),
    /// The second page of the list of ConfigMaps breaks off in the middle.
    CutSecondPage,
    /// Everything below a path is not known.
    NotServed(&'static str),
    /// Every answer is a page of HTML, and fine.
    Html,
    /// Every answer has this HTTP status.
    Status(u16),
    /// What is asked for the first time is answered that the server is busy.
    Busy,
    /// Every answer takes its time.
    Slow(Duration),
}

/// The proxy; it works until the process ends.
pub struct Proxy {
    port: u16,
    fault: Arc<Mutex<Fault>>,
}

impl Proxy {
    /// A proxy before a server, which it asks as the administrator. Lists come in pages of one object.
    pub fn before(server: &ApiServer) -> Self {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(server.client("admin"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(Mutex::new(Fault::None));
        let (shared, runtime) = (Arc::clone(&fault), Arc::new(runtime));
        std::thread::spawn(move || {
            let asked = Arc::new(Mutex::new(HashSet::new()));
            for stream in listener.incoming().flatten() {
                let (client, fault, runtime) = (client.clone(), *shared.lock().unwrap(), Arc::clone(&runtime));
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || serve(stream, &client, fault, &asked, &runtime));
            }
        });
        Self { port, fault }
    }

    /// From now on it fails so.
    pub fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Writes a kubeconfig that leads to it.
    pub fn kubeconfig(&self, path: PathBuf) -> PathBuf {
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        });
        std::fs::write(&path, content.to_string()).unwrap();
        path
    }
}

/// One request of one connection.
fn serve(
    mut stream: TcpStream,
    client: &Client,
    fault: Fault,
    asked: &Mutex<HashSet<String>>,
    runtime: &Runtime,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, uri) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = http::Request::builder().method(method.as_str()).uri(uri.replace("limit=500", "limit=1"));
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "content-type" => request = request.header("content-type", value),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let is_second_page = uri.contains("/configmaps?") && uri.contains("continue=");
    let mut answer = |status: u16, body: &[u8], whole: usize| {
        let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {whole}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok()
    };
    match fault {
        Fault::Html => {
            let page = b"<html>Please log in.</html>";
            return answer(200, page, page.len());
        }
        Fault::Status(status) => return answer(status, b"", 0),
        Fault::Busy if asked.lock().unwrap().insert(uri.clone()) => return answer(429, b"", 0),
        Fault::SecondPage(status) if is_second_page => {
            let reason = if status == 410 { "Expired" } else { "InternalError" };
            let body = json!({"kind": "Status", "status": "Failure", "code": status, "reason": reason}).to_string();
            return answer(status, body.as_bytes(), body.len());
        }
        Fault::NotServed(path) if uri.starts_with(path) => {
            let text = b"404 page not found\n";
            return answer(404, text, text.len());
        }
        Fault::Slow(delay) => std::thread::sleep(delay),
        _ => {}
    }
    let request = request.body(Body::from(body)).ok()?;
    let (status, body) = runtime.block_on(async {
        let answer = client.send(request).await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.into_body().collect_bytes().await.ok()?))
    })?;
    let end = if fault == Fault::CutSecondPage && is_second_page { body.len() / 2 } else { body.len() };
    answer(status, &body[..end], body.len())
}
