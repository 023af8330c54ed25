//! How the processes of a server are started, in order, each ready before the next.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{Api, Client};

use crate::block::block_on;
use crate::process::Process;
use crate::{ApiServer, TestbedError, User};

/// How often readiness is asked for.
const POLL: Duration = Duration::from_millis(25);

impl ApiServer {
    pub(crate) fn start_all(&mut self) -> Result<(), TestbedError> {
        self.start_etcd()?;
        self.start_kube_apiserver()?;
        if self.options.controller_manager {
            self.start_controller_manager()?;
        }
        Ok(())
    }

    pub(crate) fn end_all(&mut self) {
        let all = [&mut self.controller_manager, &mut self.kube_apiserver, &mut self.etcd];
        for process in all.into_iter().filter_map(Option::take) {
            process.end();
        }
    }

    pub(crate) fn start_etcd(&mut self) -> Result<(), TestbedError> {
        let url = format!("http://127.0.0.1:{}", self.etcd_port.number());
        let flags = [
            format!("--data-dir={}", self.data().join(format!("etcd-{}", self.cluster)).display()),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let mut etcd = Process::start("etcd", &self.assets.etcd(), &flags, &self.logs(), &self.watchdog)?;
        let within = self.options.ready_within;
        let deadline = Instant::now() + within;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.etcd_port.number()));
        while let Err(error) = std::net::TcpStream::connect(address) {
            etcd.check()?;
            if Instant::now() > deadline {
                return Err(etcd.not_ready(within, error.to_string()));
            }
            std::thread::sleep(POLL);
        }
        etcd.check()?;
        self.etcd = Some(etcd);
        Ok(())
    }

    pub(crate) fn start_kube_apiserver(&mut self) -> Result<(), TestbedError> {
        let data = self.data();
        let file = |name: &str| data.join(name).display().to_string();
        let mut flags = vec![
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.port.number()),
            "--advertise-address=127.0.0.1".to_owned(),
            // A loopback address is not allowed as an endpoint.
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port.number()),
            format!("--cert-dir={}", data.display()),
            format!("--tls-cert-file={}", file("serving.crt")),
            format!("--tls-private-key-file={}", file("serving.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            format!("--service-account-key-file={}", file("service-account.pub")),
            format!("--service-account-signing-key-file={}", file("service-account.key")),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--audit-policy-file={}", file("audit-policy.json")),
            format!("--audit-log-path={}", self.audit_path().display()),
            // In megabytes: one file, not to be rotated away under its reader.
            "--audit-log-maxsize=100000".to_owned(),
            "--audit-log-mode=blocking".to_owned(),
        ];
        if !self.options.token_users.is_empty() {
            flags.push(format!("--token-auth-file={}", file("tokens.csv")));
        }
        if !self.options.controller_manager {
            // Nobody makes the default service accounts that it insists on.
            flags.push("--disable-admission-plugins=ServiceAccount".to_owned());
        }
        flags.extend(self.options.flags.iter().cloned());
        let program = self.assets.kube_apiserver();
        let mut process = Process::start("kube-apiserver", &program, &flags, &self.logs(), &self.watchdog)?;
        self.wait_until_ready(&mut process)?;
        self.kube_apiserver = Some(process);
        Ok(())
    }

    pub(crate) fn start_controller_manager(&mut self) -> Result<(), TestbedError> {
        let program = self.assets.kube_controller_manager();
        if !program.is_file() {
            return Err(TestbedError::Assets(format!(
                "no `kube-controller-manager` in {}; run `make testbed`",
                self.assets.folder().display()
            )));
        }
        let user = User::new("system:kube-controller-manager").group("system:masters");
        let data = self.data();
        let mut flags = vec![
            format!("--kubeconfig={}", self.write_kubeconfig(&user)?.display()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // Nodes are played, and have no heart that beats.
            "--controllers=*,-node-lifecycle-controller,-node-ipam-controller".to_owned(),
            format!("--root-ca-file={}", data.join("ca.crt").display()),
            format!("--service-account-private-key-file={}", data.join("service-account.key").display()),
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
            // Deleted namespaces and claimed volumes are noticed by watches; this is for what watches do not tell.
            "--pvclaimbinder-sync-period=1s".to_owned(),
        ];
        flags.extend(self.options.controller_manager_flags.iter().cloned());
        let mut process = Process::start("kube-controller-manager", &program, &flags, &self.logs(), &self.watchdog)?;
        let ready = block_on(async {
            let client = self.connect(&User::admin(), true).await?;
            self.poll(&mut process, || async {
                let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
                accounts.get("default").await.map(drop)
            })
            .await
        });
        ready?;
        self.controller_manager = Some(process);
        Ok(())
    }

    fn wait_until_ready(&self, process: &mut Process) -> Result<(), TestbedError> {
        block_on(async {
            let client = self.connect(&User::admin(), true).await?;
            self.poll(process, || async {
                let request = http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
                client.request_text(request).await?;
                // They are made behind the readiness' back, and who asks for the cluster's identity needs one of them.
                let namespaces: Api<Namespace> = Api::all(client.clone());
                namespaces.get("kube-system").await?;
                namespaces.get("default").await.map(drop)
            })
            .await
        })
    }

    /// Repeats a request until it succeeds, the process ends, or its time is over.
    async fn poll<R>(&self, process: &mut Process, request: impl Fn() -> R + Send) -> Result<(), TestbedError>
    where
        R: Future<Output = kube::Result<()>> + Send,
    {
        let within = self.options.ready_within;
        let deadline = Instant::now() + within;
        loop {
            let last = match tokio::time::timeout(Duration::from_secs(5), request()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            process.check()?;
            if Instant::now() > deadline {
                return Err(process.not_ready(within, last));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) async fn wait_for_service_account(&self, client: &Client, namespace: &str) -> Result<(), TestbedError> {
        if self.controller_manager.is_none() {
            return Ok(());
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let deadline = Instant::now() + self.options.ready_within;
        loop {
            match accounts.get("default").await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    let action = format!("waiting for the default service account of `{namespace}`");
                    return Err(TestbedError::request(action)(error));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }
}
