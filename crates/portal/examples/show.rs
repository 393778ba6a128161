//! Serves one page of every kind on loopback, to look at: `cargo run -p portal --example show`.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use fixture::{BLOCKED, ENDED, LIFTED, NULL_ROUTED, SHADOW};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let view = fixture::view(&url);
    for path in ["/".to_owned(), "/l/192.0.2.25".into(), "/l/192.0.2.99".into(), "/h/helo".into()] {
        println!("{url}{path}");
    }
    for case in [BLOCKED, ENDED, LIFTED, SHADOW, NULL_ROUTED] {
        println!("{url}{}", fixture::path(&view, case));
    }
    let router = portal::router(fixture::portal(view, fixture::usual_samples()));
    portal::serve(listener, router, std::future::pending()).await
}
