//! The small runtime for the web: the portal for strangers, the operator's API for us.

use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;

use edge::listen::{self, Access, UnixSocket};
use model::Millis;
use tokio::sync::watch;

use super::{Shared, control};

/// The listeners of the web, bound before anything is announced.
pub(crate) struct Web {
    portal: Option<std::net::TcpListener>,
    control: UnixSocket,
    shared: Arc<Shared>,
}

/// The published view, as the portal asks for it.
struct Published(Arc<Shared>);

impl portal::Views for Published {
    fn view(&self) -> Arc<projections::View> {
        self.0.view()
    }
}

impl Web {
    /// Binds what the configuration names.
    ///
    /// # Errors
    ///
    /// A port or socket that is taken, with the way out.
    pub(crate) fn bind(shared: &Arc<Shared>) -> Result<Web, String> {
        let listeners = shared.config.listeners();
        let portal = listeners.portal.map(listen::tcp).transpose().map_err(|e| e.to_string())?;
        let control = listen::unix(&listeners.control, Access::Owner).map_err(|e| e.to_string())?;
        Ok(Web { portal, control, shared: shared.clone() })
    }

    /// Where the portal listens.
    pub(crate) fn portal_addr(&self) -> Option<std::net::SocketAddr> {
        self.portal.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// Serves until `stop` says so.
    pub(crate) async fn serve(self, stop: watch::Receiver<bool>) -> Result<(), String> {
        let router = control::router(self.shared.clone());
        let socket = unix(&self.control).map_err(|e| e.to_string())?;
        let operator = axum::serve(socket, router).with_graceful_shutdown(stopped(stop.clone()));
        let operator = async { operator.await.map_err(|e| format!("operator's API: {e}")) };
        tokio::try_join!(operator, serve_portal(self.portal, self.shared, stop)).map(drop)
    }
}

async fn serve_portal(
    listener: Option<std::net::TcpListener>,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let Some(listener) = listener else { return Ok(()) };
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|e| e.to_string())?;
    let clock = {
        let shared = shared.clone();
        Arc::new(move || -> Millis { shared.clock.now() })
    };
    let vault = Arc::new(shared.vault());
    let portal = portal::Portal::new(Arc::new(Published(shared)), vault, clock);
    portal::serve(listener, portal::router(portal), stopped(stop)).await.map_err(|e| format!("portal: {e}"))
}

fn unix(socket: &UnixSocket) -> std::io::Result<tokio::net::UnixListener> {
    let listener: StdUnixListener = socket.listener().try_clone()?;
    tokio::net::UnixListener::from_std(listener)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody is left who could say stop.
    let _ = stop.wait_for(|stop| *stop).await;
}
