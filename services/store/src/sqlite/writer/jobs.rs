//! The writer's jobs, as they come.

use tokio::sync::mpsc;

use super::task::{Answer, Job, Task};

/// The writer's jobs, as they come.
pub(super) struct Jobs {
    queue: mpsc::Receiver<Job>,
    /// Those that have asked for the end, which is later.
    closing: Vec<Job>,
}

impl Jobs {
    pub(super) const fn new(queue: mpsc::Receiver<Job>) -> Self {
        Self { queue, closing: Vec::new() }
    }

    /// Waits for the next job; none if the queue is closed and empty.
    pub(super) fn wait(&mut self) -> Option<Job> {
        loop {
            let job = self.queue.blocking_recv()?;
            if let Some(job) = self.unless_closing(job) {
                return Some(job);
            }
        }
    }

    /// The next job, if there is one already.
    pub(super) fn poll(&mut self) -> Option<Job> {
        loop {
            let job = self.queue.try_recv().ok()?;
            if let Some(job) = self.unless_closing(job) {
                return Some(job);
            }
        }
    }

    fn unless_closing(&mut self, job: Job) -> Option<Job> {
        if !matches!(job.task, Task::Close) {
            return Some(job);
        }
        // What is in the queue already is done; what would come later is not taken.
        self.queue.close();
        self.closing.push(job);
        None
    }

    /// Answers those that have asked for the end.
    pub(super) fn answer_closing(self) {
        for job in self.closing {
            let _ = job.reply.send(Ok(Answer::Done));
        }
    }
}
