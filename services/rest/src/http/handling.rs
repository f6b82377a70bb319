//! How a request is carried out: at once, with its connection, or in a task of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{self, Poll};
use std::time::Duration;

use hyper::Response;
use tokio::time::Instant;

use super::answer::{self, Problem};
use super::content::Content;

/// How long a service that stops waits for changes: as long as a disk in trouble may take.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// A request that is being answered. Most reads need not wait: their answers are there
/// at once, and nothing is allocated or moved for a future.
pub enum Handling {
    /// The answer, until it is taken.
    Done(Option<Response<Content>>),
    /// The work that leads to it.
    Working(Pin<Box<dyn Future<Output = Response<Content>> + Send>>),
}

impl Future for Handling {
    type Output = Response<Content>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Response<Content>> {
        match &mut *self {
            Self::Done(answer) => Poll::Ready(answer.take().expect("polled after its end")),
            Self::Working(work) => work.as_mut().poll(cx),
        }
    }
}

/// Requests that change something. Each runs in a task of its own: a connection drops the
/// future of its request when the client leaves, and a change that was stored by then must
/// still be told to the extension, counted and logged.
#[derive(Debug, Default)]
pub(super) struct Changing(Arc<AtomicUsize>);

/// A request under way, until it is dropped.
struct UnderWay(Arc<AtomicUsize>);

impl Changing {
    /// Carries out a request.
    pub(super) fn run(
        &self,
        work: impl Future<Output = Response<Content>> + Send + 'static,
    ) -> Handling {
        self.0.fetch_add(1, Ordering::SeqCst);
        let under_way = UnderWay(Arc::clone(&self.0));
        let task = tokio::spawn(async move {
            let answer = work.await;
            drop(under_way);
            answer
        });
        Handling::Working(Box::pin(async move {
            task.await.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going away, and this task with it.
                Err(_) => answer::problem(&Problem::ReadOnly),
            })
        }))
    }

    /// Waits until none is under way.
    pub(super) async fn finish(&self) {
        let end = Instant::now() + FINISH_LIMIT;
        while self.0.load(Ordering::SeqCst) > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
