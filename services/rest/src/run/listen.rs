//! The addresses that a service is reached at: plain HTTP, HTTPS, and one that redirects to it.

use std::net::SocketAddr;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::args::ServeArgs;
use super::error::RunError;
use crate::server::{Server, Transport};
use crate::tls::{Redirect, Tls, TlsSettings};

/// What a service listens on.
pub(super) struct Listeners {
    plain: TcpListener,
    tls: Option<TcpListener>,
    redirect: Option<(TcpListener, Redirect)>,
    acceptor: Option<TlsAcceptor>,
    /// The address of plain HTTP, which commands of this machine use.
    pub(super) address: SocketAddr,
}

impl Listeners {
    /// Listens on all of them.
    pub(super) async fn bind(
        args: &ServeArgs,
        tls: Option<&TlsSettings>,
    ) -> Result<Self, RunError> {
        let address = args.address();
        let plain = match bind(address, "--listen").await {
            // Without IPv6, listen on all addresses of IPv4.
            Err(_) if args.listen.is_none() => {
                bind(SocketAddr::from(([0, 0, 0, 0], args.port)), "--listen").await
            }
            bound => bound,
        }?;
        let failed = |source| RunError::Listen { address, option: "--listen", source };
        let address = plain.local_addr().map_err(failed)?;
        let mut listeners = Self { plain, tls: None, redirect: None, acceptor: None, address };
        let Some(settings) = tls else { return Ok(listeners) };
        listeners.tls = Some(bind(settings.listen, "--tls-listen").await?);
        if let Some(address) = settings.redirect {
            let redirect = Redirect::new(&settings.names);
            listeners.redirect = Some((bind(address, "--redirect-listen").await?, redirect));
        }
        Ok(listeners)
    }

    /// Performs the handshakes of HTTPS with the certificate.
    pub(super) fn secure(mut self, tls: Option<&Tls>) -> Result<Self, RunError> {
        self.acceptor = tls.map(Tls::acceptor).transpose()?;
        Ok(self)
    }

    /// Answers requests until `shutdown` completes. Returns whether all of them finished in time.
    pub(super) async fn serve<H, F, B>(
        self,
        server: &Server,
        handle: H,
        shutdown: impl Future<Output = ()>,
    ) -> bool
    where
        H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Unpin + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (stop, stopped) = watch::channel(());
        let stopped = || {
            let mut stopped = stopped.clone();
            // It fails once the sender is dropped, which is the signal.
            async move { drop(stopped.changed().await) }
        };
        let shutdown = async {
            shutdown.await;
            drop(stop);
        };
        let server = || server.clone();
        let plain = server().serve(self.plain, Transport::Plain, handle.clone(), stopped());
        let tls = async {
            let (Some(tls), Some(acceptor)) = (self.tls, self.acceptor) else { return true };
            server().serve(tls, Transport::Tls(acceptor), handle, stopped()).await
        };
        let redirect = async {
            let Some((listener, redirect)) = self.redirect else { return true };
            let answer =
                move |request: Request<Incoming>, _| std::future::ready(redirect.answer(&request));
            server().serve(listener, Transport::Plain, answer, stopped()).await
        };
        let (plain, tls, redirect, ()) = tokio::join!(plain, tls, redirect, shutdown);
        plain && tls && redirect
    }
}

async fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, RunError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| RunError::Listen { address, option, source })
}
