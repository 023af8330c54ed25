//! Trouble of the kinds that a client of the API server must survive. Only for a server of one's own: these take
//! `&mut self`, which nobody has of a shared one.

use rustix::process::Signal;

use crate::certificate::Authority;
use crate::server::or_panic;
use crate::{ApiServer, TestbedError};

impl ApiServer {
    /// The server hangs: connections are accepted by the kernel, and nobody answers. Until [`ApiServer::resume`].
    pub fn pause(&mut self) {
        self.kube_apiserver.iter().for_each(crate::process::Process::pause);
    }

    /// Ends [`ApiServer::pause`].
    pub fn resume(&mut self) {
        self.kube_apiserver.iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// The server is gone: connections are refused. etcd stays, and the data with it.
    pub fn stop(&mut self) {
        for process in [self.controller_manager.take(), self.kube_apiserver.take()].into_iter().flatten() {
            process.end();
        }
    }

    /// Starts the server again after [`ApiServer::stop`], at the same address with the same data.
    #[track_caller]
    pub fn start_again(&mut self) {
        or_panic(self.restart(|_| Ok(())));
    }

    /// Another cluster answers at the same address, with the same certificates and users. Clusters have names; the one
    /// that was started is `first`. A name that was served before brings that cluster back with its data.
    #[track_caller]
    pub fn switch_cluster(&mut self, name: &str) {
        or_panic(self.restart(|server| {
            server.end_all();
            server.cluster = name.to_owned();
            server.start_etcd()
        }));
    }

    /// Certificates are issued by somebody new from now on, as when a cluster is made anew: kubeconfigs that were
    /// written before no longer work.
    #[track_caller]
    pub fn renew_authority(&mut self) {
        or_panic(self.restart(|server| {
            server.authority = Authority::new("laconic test bed, renewed")?;
            // What it shows is no longer known; whoever wants another one asks for it.
            server.kubelet.take();
            server.write_certificates()
        }));
    }

    /// The server shows a certificate whose time is over, or a good one again.
    #[track_caller]
    pub fn expire_serving_certificate(&mut self, expired: bool) {
        or_panic(self.restart(|server| {
            server.options.expired_serving_certificate = expired;
            server.write_certificates()
        }));
    }

    fn restart(&mut self, change: impl FnOnce(&mut Self) -> Result<(), TestbedError>) -> Result<(), TestbedError> {
        self.stop();
        change(self)?;
        self.start_kube_apiserver()?;
        if self.options.controller_manager {
            self.start_controller_manager()?;
        }
        Ok(())
    }
}
