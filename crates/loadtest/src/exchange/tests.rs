//! Responses as servers send them, complete and broken.

use tokio::net::TcpListener;

use super::*;

/// Performs an exchange whose response arrives in pieces of `size` bytes, after which the
/// connection is closed.
async fn exchange(text: &str, size: usize, is_head: bool) -> Result<Response, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.set_nodelay(true).unwrap();
    let pieces: Vec<Vec<u8>> = text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
    let sent = tokio::spawn(async move {
        let mut request = [0; 3];
        server.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"ask");
        for piece in pieces {
            server.write_all(&piece).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let (mut exchange, mut response) = (Exchange::new(stream), Response::default());
    let keep = Keep { head: true, body: true };
    exchange.run(b"ask", is_head, keep, &mut response).await?;
    sent.await.unwrap();
    Ok(response)
}

/// Status, body and whether the connection is kept, which must not depend on the pieces.
async fn received(text: &str) -> Result<(u16, String, bool), String> {
    let mut all = Vec::new();
    for size in [1, 7, text.len()] {
        let response = exchange(text, size, false).await?;
        assert_eq!(response.bytes, response.body.len() as u64);
        let body = String::from_utf8(response.body).unwrap();
        all.push((response.status, body, response.reusable));
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    Ok(all.remove(0))
}

#[tokio::test]
async fn bodies_end_where_the_head_says() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(received(length).await, Ok((200, "hello".into(), true)));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n\
        3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n";
    assert_eq!(received(chunked).await, Ok((200, "hello".into(), true)));
    let closed = "HTTP/1.1 404 Not Found\r\n\r\nhello";
    assert_eq!(received(closed).await, Ok((404, "hello".into(), false)));
    let none = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(received(none).await, Ok((204, String::new(), true)));
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(received(interim).await, Ok((201, String::new(), true)));
}

#[tokio::test]
async fn a_response_to_head_has_no_body() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let response = exchange(text, text.len(), true).await.unwrap();
    assert_eq!((response.bytes, response.reusable), (0, true));
    assert_eq!(response.head, text.as_bytes());
}

#[tokio::test]
async fn a_connection_is_kept_when_the_response_allows_it() {
    let is_kept = |version, connection| {
        let text = format!(
            "HTTP/{version} 200 OK\r\nConnection: {connection}\r\ncontent-length: 0\r\n\r\n"
        );
        async move { received(&text).await.unwrap().2 }
    };
    assert!(!is_kept("1.1", "x, Close").await);
    assert!(is_kept("1.1", "x").await);
    assert!(is_kept("1.0", "keep-alive").await);
    assert!(!is_kept("1.0", "x").await);
}

#[tokio::test]
async fn an_incomplete_or_invalid_response_is_an_error() {
    for (text, why) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "closed before the end"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "closed before the end"),
        ("", "closed before the end"),
        ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "length is not a number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer encoding"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "has no size"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "longer than its size",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "invalid HTTP response"),
    ] {
        let error = exchange(text, text.len().max(1), false).await.unwrap_err();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}
