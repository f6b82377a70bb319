//! The leanest proxy that could stand in front of a service: it moves bytes and looks at
//! none. Arguments: PORT PORT-OF-THE-SERVICE.

use bench_services::argument;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() {
    let (port, to): (u16, u16) = (argument(1, "PORT"), argument(2, "PORT-OF-THE-SERVICE"));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    loop {
        let (mut client, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let mut service = TcpStream::connect(("127.0.0.1", to)).await?;
            client.set_nodelay(true)?;
            service.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut service).await
        });
    }
}
