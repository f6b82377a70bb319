//! A virtual user, which repeats its scenario until its time is over.

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::{Connection, OutgoingRequest};
use super::exchange::Response;
use super::pace;
use super::request::RequestBuffer;
use super::running::{RunningExecution, Step};
use super::script::{MatchCache, Request, ResponseParts, Variables};
use super::stats::{ResponseInfo, Sample};
use super::timer::Timer;

/// Runs the user with a number, from 0, to its end.
pub(super) async fn run(number: u32, running: Arc<RunningExecution>) -> std::io::Result<()> {
    let execution = &*running.execution;
    tokio::time::sleep_until(running.begin + pace::start_of(number, execution)).await;
    let _guard = running.start_user();
    let mut user = VirtualUser {
        number,
        running: &running,
        end: execution.max_duration().map(|duration| running.begin + duration),
        timer: execution.rate.map(|_| Timer::new()).transpose()?,
        connection: Connection::new(execution.endpoint(), execution.scenario.keepalive),
        variables: Variables::new(),
        random: u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        buffer: RequestBuffer::default(),
        response: Response::default(),
    };
    let mut rounds = 0;
    while execution.iterations.is_none_or(|iterations| rounds < iterations)
        && user.run_scenario().await?
    {
        rounds += 1;
    }
    Ok(())
}

struct VirtualUser<'a> {
    number: u32,
    running: &'a RunningExecution,
    end: Option<Instant>,
    /// In an open loop, whose requests are sent exactly when they are due.
    timer: Option<Timer>,
    connection: Connection<'a>,
    variables: Variables,
    random: u64,
    buffer: RequestBuffer,
    response: Response,
}

impl VirtualUser<'_> {
    /// Goes through the scenario once. False if the user's time was over before its end.
    async fn run_scenario(&mut self) -> std::io::Result<bool> {
        for step in self.running.steps() {
            let Some(due) = self.wait(step.request).await? else { return Ok(false) };
            self.send(step, due).await;
            if !step.request.think_time.is_zero() {
                tokio::time::sleep(step.request.think_time).await;
            }
        }
        Ok(true)
    }

    /// Waits until the request may be sent, and returns when it was due; `None` if the user's
    /// time is over by then.
    async fn wait(&self, request: &Request) -> std::io::Result<Option<Instant>> {
        let now = Instant::now();
        let Some(pace) = &self.running.pace else {
            return Ok(Some(now).filter(|_| !self.is_over(now)));
        };
        // After the end, nothing more may be claimed.
        if self.is_over(now) {
            return Ok(None);
        }
        let since_begin = now - self.running.begin;
        let Some(timer) = &self.timer else {
            let at = (self.running.begin + pace.claim(since_begin)).max(now);
            if !self.is_over(at) && at > now {
                tokio::time::sleep_until(at).await;
            }
            return Ok(Some(at).filter(|at| !self.is_over(*at)));
        };
        let due = pace.next_due(since_begin, request.timeout);
        self.running.count_dropped(due.dropped);
        let at = self.running.begin + due.at;
        if self.is_over(at) {
            return Ok(None);
        }
        if at < now {
            self.running.count_late();
        }
        timer.sleep_until(at).await?;
        Ok(Some(at))
    }

    fn is_over(&self, moment: Instant) -> bool {
        self.end.is_some_and(|end| moment >= end)
    }

    /// Sends a request, reads the response and records the sample.
    async fn send(&mut self, step: Step<'_>, due: Instant) {
        let Step { number, request, prepared } = step;
        let sent = Instant::now();
        let exchanged = match prepared.write(request, &self.variables, &mut self.buffer) {
            Ok(()) => {
                let bytes = &self.buffer.bytes;
                let outgoing =
                    OutgoingRequest { bytes, is_head: prepared.is_head, keep: prepared.keep };
                self.connection.exchange(outgoing, sent, request.timeout, &mut self.response).await
            }
            Err(error) => {
                // A user that never waits for anything would keep others from running.
                tokio::task::yield_now().await;
                Err(error)
            }
        };
        let ended = Instant::now();
        // In a closed loop, a request is due when it is sent.
        let begin = if self.timer.is_some() { due } else { sent };
        let (answer, error) = self.process(request, exchanged);
        let sample = Sample { service: ended - sent, response: ended - begin, answer, error };
        self.running.record(self.number, number, sample);
    }

    /// Extracts variables from the response, and returns why the request failed, if it did.
    fn process(
        &mut self,
        request: &Request,
        exchanged: Result<(), String>,
    ) -> (Option<ResponseInfo>, Option<String>) {
        if let Err(error) = exchanged {
            self.extract(request, &ResponseParts::default());
            return (None, Some(error));
        }
        let response = std::mem::take(&mut self.response);
        let parts =
            ResponseParts { status: response.status, head: &response.head, body: &response.body };
        self.extract(request, &parts);
        let error = request.failure(&parts);
        let info = ResponseInfo { status: response.status, bytes: response.bytes };
        // Its buffers are used again.
        self.response = response;
        (Some(info), error)
    }

    fn extract(&mut self, request: &Request, response: &ResponseParts<'_>) {
        let mut matches = MatchCache::default();
        for extractor in &request.extractors {
            let any = |below| random_below(&mut self.random, below);
            extractor.extract(response, &mut matches, &mut self.variables, any);
        }
    }
}

/// A number below `below`, by xorshift, which is good enough to choose a match.
fn random_below(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below as u64).unwrap_or(0)
}
