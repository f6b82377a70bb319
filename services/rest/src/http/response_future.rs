//! The future of an answer: ready at once, run with its connection, or run in a task of its
//! own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{self, Poll};
use std::time::Duration;

use hyper::Response;
use tokio::time::Instant;

use super::content::Content;
use super::problem::Problem;

/// How long a service that stops waits for writes: as long as a slow disk may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The future of an answer. Most reads need not wait: their answers are ready at once, without
/// a future that must be allocated or moved.
pub enum ResponseFuture {
    /// The answer, until it is taken.
    Ready(Option<Response<Content>>),
    /// The work that leads to it.
    Pending(Pin<Box<dyn Future<Output = Response<Content>> + Send>>),
}

impl Future for ResponseFuture {
    type Output = Response<Content>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Response<Content>> {
        match &mut *self {
            Self::Ready(answer) => Poll::Ready(answer.take().expect("polled after completion")),
            Self::Pending(work) => work.as_mut().poll(cx),
        }
    }
}

/// The tasks of requests that write. A connection drops the future of its request when the
/// client leaves; a write that is durable by then must still reach the extension, the metrics
/// and the access log.
#[derive(Debug, Default)]
pub(super) struct WriteTasks {
    in_progress: Arc<AtomicUsize>,
}

/// Counts a task as in progress until it is dropped.
struct TaskGuard(Arc<AtomicUsize>);

impl WriteTasks {
    /// Carries out a request in a task of its own.
    pub(super) fn run(
        &self,
        work: impl Future<Output = Response<Content>> + Send + 'static,
    ) -> ResponseFuture {
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        let guard = TaskGuard(Arc::clone(&self.in_progress));
        let task = tokio::spawn(async move {
            let answer = work.await;
            drop(guard);
            answer
        });
        ResponseFuture::Pending(Box::pin(async move {
            task.await.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and has cancelled the task.
                Err(_) => Problem::ReadOnly.answer(),
            })
        }))
    }

    /// Waits until none is in progress.
    pub(super) async fn drain(&self) {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        while self.in_progress.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
