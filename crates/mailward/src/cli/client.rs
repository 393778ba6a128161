//! Speaks to the running daemon over its operator's socket.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// A daemon that is asked.
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    /// The daemon of a configuration.
    pub(crate) fn new(socket: &Path) -> Client {
        Client { socket: socket.to_owned() }
    }

    /// Asks for JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        json(&self.ask(Method::GET, path, String::new())?)
    }

    /// Sends JSON, or bytes that the path takes, and gets JSON.
    pub(crate) fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Value, String> {
        json(&self.ask(Method::POST, path, body)?)
    }

    /// Asks for a text and writes it as it comes.
    pub(crate) fn copy(&self, path: &str, out: &mut dyn std::io::Write) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(self.copy_to(path, out))
    }

    async fn copy_to(&self, path: &str, out: &mut dyn std::io::Write) -> Result<(), String> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        if status != StatusCode::OK {
            let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
            return Err(error_of(&String::from_utf8_lossy(&bytes)));
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| format!("expected the whole export, but {e}"))?;
            if let Some(piece) = frame.data_ref() {
                out.write_all(piece).map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    fn ask(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(self.exchange(method, path, body.into()))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<String, String> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status == StatusCode::OK { Ok(text) } else { Err(error_of(&text)) }
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, String> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unreachable(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "mailward");
        let request = request.header("content-type", "application/json").body(Full::new(body));
        sender.send_request(request.map_err(|e| e.to_string())?).await.map_err(|e| e.to_string())
    }

    fn unreachable(&self, error: &std::io::Error) -> String {
        format!(
            "{}: expected a running mailward, but {error}. Start it with `mailward serve`, or name its configuration with --config",
            self.socket.display()
        )
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|e| format!("expected JSON from the daemon, but {e}"))
}

fn error_of(text: &str) -> String {
    let told = serde_json::from_str::<Value>(text).ok().and_then(|v| v["error"].as_str().map(str::to_owned));
    told.unwrap_or_else(|| text.trim().to_owned())
}

/// A value for a query.
pub(crate) fn query(text: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    text.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
