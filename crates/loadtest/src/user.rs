//! Runs one user, which repeats its scenario until its time is over.

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::{Connection, Outgoing};
use super::exchange::Answer;
use super::load::Load;
use super::pace;
use super::request::Buffer;
use super::script::{Matched, Reply, Request, Variables};
use super::stats::{Answered, Sample};
use super::timer::Timer;

/// Runs the user of a number, from 0, to its end.
pub(super) async fn run(number: u32, load: Arc<Load>) -> std::io::Result<()> {
    let execution = &*load.execution;
    tokio::time::sleep_until(load.begin + pace::start_of(number, execution)).await;
    let _active = load.user();
    let mut user = User {
        number,
        load: &load,
        end: execution.lasts().map(|lasts| load.begin + lasts),
        timer: execution.rate.map(|_| Timer::new()).transpose()?,
        connection: Connection::new(execution.endpoint(), execution.scenario.keepalive),
        variables: Variables::new(),
        random: u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        buffer: Buffer::default(),
        answer: Answer::default(),
    };
    let mut rounds = 0;
    while execution.iterations.is_none_or(|iterations| rounds < iterations) && user.round().await? {
        rounds += 1;
    }
    Ok(())
}

struct User<'a> {
    number: u32,
    load: &'a Load,
    end: Option<Instant>,
    /// For moments that must be kept exactly, as an open loop's.
    timer: Option<Timer>,
    connection: Connection<'a>,
    variables: Variables,
    random: u64,
    buffer: Buffer,
    answer: Answer,
}

impl User<'_> {
    /// Goes through the scenario once; false when its time was over before the end.
    async fn round(&mut self) -> std::io::Result<bool> {
        let load = self.load;
        for (number, request) in load.execution.scenario.requests.iter().enumerate() {
            let Some(due) = self.wait(request).await? else { return Ok(false) };
            self.send(number, request, due).await;
            if !request.think_time.is_zero() {
                tokio::time::sleep(request.think_time).await;
            }
        }
        Ok(true)
    }

    /// Waits until the request may be sent, and says since when it was due; `None` when
    /// the user's time is over by then.
    async fn wait(&self, request: &Request) -> std::io::Result<Option<Instant>> {
        let now = Instant::now();
        let Some(pace) = &self.load.pace else {
            return Ok(Some(now).filter(|_| !self.is_over(now)));
        };
        // Those who come after the end claim nothing more.
        if self.is_over(now) {
            return Ok(None);
        }
        let since_begin = now - self.load.begin;
        let Some(timer) = &self.timer else {
            let at = (self.load.begin + pace.claim(since_begin)).max(now);
            if !self.is_over(at) && at > now {
                tokio::time::sleep_until(at).await;
            }
            return Ok(Some(at).filter(|at| !self.is_over(*at)));
        };
        let due = pace.due(since_begin, request.timeout);
        self.load.note_dropped(due.dropped);
        let at = self.load.begin + due.at;
        if self.is_over(at) {
            return Ok(None);
        }
        if at < now {
            self.load.note_late();
        }
        timer.sleep_until(at).await?;
        Ok(Some(at))
    }

    fn is_over(&self, moment: Instant) -> bool {
        self.end.is_some_and(|end| moment >= end)
    }

    async fn send(&mut self, number: usize, request: &Request, due: Instant) {
        let prepared = &self.load.requests[number];
        let sent = Instant::now();
        let exchanged = match prepared.write(request, &self.variables, &mut self.buffer) {
            Ok(()) => {
                let bytes = &self.buffer.bytes;
                let outgoing = Outgoing { bytes, is_head: prepared.is_head, keep: prepared.keep };
                self.connection.exchange(outgoing, sent, request.timeout, &mut self.answer).await
            }
            Err(error) => {
                // A user that never waits for anything would keep all others from their turn.
                tokio::task::yield_now().await;
                Err(error)
            }
        };
        let ended = Instant::now();
        // In a closed loop nothing is due before it is sent.
        let begin = if self.timer.is_some() { due } else { sent };
        let (answer, error) = self.judge(request, exchanged);
        let sample = Sample { service: ended - sent, response: ended - begin, answer, error };
        self.load.record(self.number, number, sample);
    }

    /// Takes what later requests need out of the answer, and says what is wrong with it.
    fn judge(
        &mut self,
        request: &Request,
        exchanged: Result<(), String>,
    ) -> (Option<Answered>, Option<String>) {
        if let Err(error) = exchanged {
            self.extract(request, &Reply::default());
            return (None, Some(error));
        }
        let answer = std::mem::take(&mut self.answer);
        let reply = Reply { status: answer.status, head: &answer.head, body: &answer.body };
        self.extract(request, &reply);
        let error = request.complaint(&reply);
        let answered = Answered { status: answer.status, bytes: answer.bytes };
        // Its buffers are used again.
        self.answer = answer;
        (Some(answered), error)
    }

    fn extract(&mut self, request: &Request, reply: &Reply<'_>) {
        let mut matched = Matched::default();
        for extractor in &request.extractors {
            let any = |below| below_random(&mut self.random, below);
            extractor.extract(reply, &mut matched, &mut self.variables, any);
        }
    }
}

/// A number below `below`, by xorshift: which match is taken needs no better.
fn below_random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below as u64).unwrap_or(0)
}
