//! The API server and what belongs to it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::block::block_on;
use crate::certificate::{Authority, signing_keys};
use crate::kubeconfig::{Credential, kubeconfig};
use crate::port::Port;
use crate::process::Process;
use crate::watchdog::Watchdog;
use crate::{Assets, AuditLog, AuditMark, Kubelet, Options, TestbedError, User, audit};

/// A Kubernetes API server on loopback, with its own etcd and temporary directory. It ends when this value is dropped,
/// and also when the process that holds it is killed.
///
/// What is asked of a running server panics when it cannot be had, with the reason; only starting one returns errors.
/// Nothing here needs an async runtime, but [`ApiServer::client`] does.
pub struct ApiServer {
    pub(crate) assets: Assets,
    pub(crate) options: Options,
    pub(crate) directory: PathBuf,
    pub(crate) authority: Authority,
    pub(crate) port: Port,
    pub(crate) etcd_port: Port,
    pub(crate) kubelet: OnceLock<Kubelet>,
    /// In this order they are dropped: nobody is left without whom it needs.
    pub(crate) controller_manager: Option<Process>,
    pub(crate) kube_apiserver: Option<Process>,
    pub(crate) etcd: Option<Process>,
    pub(crate) cluster: String,
    pub(crate) watchdog: Arc<Watchdog>,
    written: AtomicUsize,
}

impl ApiServer {
    /// Starts a server of its own for a test, and returns when it is ready. [`ApiServer::shared`] does for most tests.
    pub fn start(options: Options) -> Result<Self, TestbedError> {
        let assets = Assets::find()?;
        let directory = tempfile::Builder::new()
            .prefix("laconic-testbed-")
            .tempdir()
            .map_err(TestbedError::io("creating a temporary directory"))?
            .keep();
        let mut server = Self {
            watchdog: Arc::new(Watchdog::start(&directory)?),
            assets,
            options,
            authority: Authority::new("laconic test bed")?,
            directory,
            port: Port::reserve()?,
            etcd_port: Port::reserve()?,
            kubelet: OnceLock::new(),
            controller_manager: None,
            kube_apiserver: None,
            etcd: None,
            cluster: "first".to_owned(),
            written: AtomicUsize::new(0),
        };
        if std::env::var_os("LACONIC_TESTBED_KEEP").is_some() {
            server.keep_logs();
        }
        server.write_files()?;
        let mut attempts = 0;
        loop {
            let result = server.start_all();
            attempts += 1;
            match result {
                Ok(()) => return Ok(server),
                // Somebody who does not reserve ports as we do was faster.
                Err(TestbedError::Ended { tail, .. }) if attempts < 3 && tail.contains("address already in use") => {
                    server.end_all();
                    server.port = Port::reserve()?;
                    server.etcd_port = Port::reserve()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes a kubeconfig for a user and returns its path: `server.kubeconfig("admin")`,
    /// `server.kubeconfig(User::new("ci").group("deployers"))`. Its only context is named `testbed`.
    #[track_caller]
    pub fn kubeconfig(&self, user: impl Into<User>) -> PathBuf {
        or_panic(self.write_kubeconfig(&user.into()))
    }

    /// A client of the server for a user. To be called within a tokio runtime.
    pub async fn client(&self, user: impl Into<User>) -> Client {
        let user = user.into();
        or_panic(self.connect(&user, false).await)
    }

    /// Creates a namespace of its own for a test, and returns its name, which begins with what is given. With a
    /// controller-manager its default service account is there too, so that pods can be created.
    #[track_caller]
    pub fn namespace(&self, begin: &str) -> String {
        let name = format!("{begin}-{}", self.written.fetch_add(1, Ordering::Relaxed));
        or_panic(block_on(async {
            let client = self.connect(&User::admin(), true).await?;
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(name.clone());
            let created = Api::all(client.clone()).create(&Default::default(), &namespace).await;
            created.map_err(TestbedError::request(format!("creating the namespace `{name}`")))?;
            self.wait_for_service_account(&client, &name).await
        }));
        name
    }

    /// The played scheduler and kubelet of this server, started at the first call: without it pods stay Pending.
    #[track_caller]
    pub fn kubelet(&self) -> &Kubelet {
        self.kubelet.get_or_init(|| or_panic(self.start_kubelet()))
    }

    /// Runs kubectl as a user, to the end.
    #[track_caller]
    pub fn kubectl(&self, user: impl Into<User>, arguments: &[&str]) -> Output {
        let output = Command::new(self.assets.kubectl())
            .env("KUBECONFIG", self.kubeconfig(user))
            // It keeps what it discovers about servers by their address, and ours come and go.
            .env("KUBECACHEDIR", self.data().join("kubectl-cache"))
            .args(arguments)
            .output();
        or_panic(output.map_err(TestbedError::io("running kubectl")))
    }

    /// The requests so far that were answered, in order.
    pub fn audit_events(&self) -> AuditLog {
        self.audit_since(AuditMark(0))
    }

    /// The requests from a moment on.
    pub fn audit_since(&self, mark: AuditMark) -> AuditLog {
        audit::read(&self.audit_path(), mark)
    }

    /// This moment, for [`ApiServer::audit_since`].
    pub fn audit_mark(&self) -> AuditMark {
        audit::mark(&self.audit_path())
    }

    /// The server's address, as `https://127.0.0.1:20000`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port.number())
    }

    /// Where the logs are: `etcd.log`, `kube-apiserver.log`, `kube-controller-manager.log`, `audit.log`. They are kept
    /// when a test panics that holds the server, or with `LACONIC_TESTBED_KEEP=1`.
    pub fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// The binaries that run.
    pub fn assets(&self) -> &Assets {
        &self.assets
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn audit_path(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    pub(crate) fn keep_logs(&self) {
        self.watchdog.keep();
        eprintln!("the test bed's logs are kept in {}", self.logs().display());
    }

    fn write_files(&self) -> Result<(), TestbedError> {
        for folder in [self.data(), self.logs()] {
            std::fs::create_dir_all(&folder).map_err(TestbedError::io(format!("creating {}", folder.display())))?;
        }
        let (private, public) = signing_keys()?;
        self.write("service-account.key", &private)?;
        self.write("service-account.pub", &public)?;
        self.write("audit-policy.json", audit::POLICY)?;
        let tokens = self.options.token_users.iter().enumerate().map(|(index, user)| {
            format!("{},{},{index},\"{}\"\n", token(&user.name), user.name, user.groups.join(","))
        });
        self.write("tokens.csv", &tokens.collect::<String>())?;
        self.write_certificates()
    }

    pub(crate) fn write_certificates(&self) -> Result<(), TestbedError> {
        let serving = self.authority.serving(self.options.expired_serving_certificate)?;
        self.write("ca.crt", &self.authority.pem())?;
        self.write("serving.crt", &serving.certificate)?;
        self.write("serving.key", &serving.key)?;
        Ok(())
    }

    fn write(&self, name: &str, content: &str) -> Result<PathBuf, TestbedError> {
        let path = self.data().join(name);
        std::fs::write(&path, content).map_err(TestbedError::io(format!("writing {}", path.display())))?;
        Ok(path)
    }

    pub(crate) fn write_kubeconfig(&self, user: &User) -> Result<PathBuf, TestbedError> {
        let content = self.kubeconfig_content(user)?;
        let index = self.written.fetch_add(1, Ordering::Relaxed);
        let name: String = user.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.write(&format!("{name}-{index}.kubeconfig"), &format!("{content:#}\n"))
    }

    fn kubeconfig_content(&self, user: &User) -> Result<serde_json::Value, TestbedError> {
        let credential = if self.options.token_users.iter().any(|other| other.name == user.name) {
            Credential::Token(token(&user.name))
        } else {
            Credential::Certificate(self.authority.client(user)?)
        };
        Ok(kubeconfig(self.port.number(), &self.authority.pem(), &credential))
    }

    pub(crate) async fn connect(&self, user: &User, trusting: bool) -> Result<Client, TestbedError> {
        let trusting = trusting && self.options.expired_serving_certificate;
        client(self.kubeconfig_content(user)?, trusting).await
    }

    pub(crate) fn start_kubelet(&self) -> Result<Kubelet, TestbedError> {
        let user = User::new(Kubelet::USER).group("system:masters");
        let content = self.kubeconfig_content(&user)?;
        let trusting = self.options.expired_serving_certificate;
        Kubelet::start(move || client(content, trusting))
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_logs();
        }
        // All at once, so that it takes as long as the slowest one. `drop` waits for each.
        let all = [&mut self.controller_manager, &mut self.kube_apiserver, &mut self.etcd];
        all.into_iter().flatten().for_each(Process::ask_to_end);
    }
}

/// A client; the test bed's own ones trust a server whose certificate has expired.
async fn client(kubeconfig: serde_json::Value, trusting: bool) -> Result<Client, TestbedError> {
    let unusable = |error: &dyn std::fmt::Display| TestbedError::Kubeconfig(error.to_string());
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| unusable(&error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| unusable(&error))?;
    config.accept_invalid_certs = trusting;
    // Loopback is not reached by a proxy, whatever the environment says.
    config.proxy_url = None;
    Client::try_from(config).map_err(TestbedError::request("making a client"))
}

/// The token of a user who has one. Made up, but the same for everybody who asks.
fn token(name: &str) -> String {
    format!("testbed-token-of-{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

#[track_caller]
pub(crate) fn or_panic<T>(result: Result<T, TestbedError>) -> T {
    result.unwrap_or_else(|error| panic!("the test bed: {error}"))
}
