//! Brings one service up on one host: connect, Docker, image, container, health, seed. Steps
//! that do not depend on each other run concurrently.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use rest::access::tokens::TokenList;
use serde::Serialize;
use ssh::{Host, Target};
use support::event::{EventSink, Reporter};
use support::http::{Client, Endpoint};
use support::wait::Deadline;

use crate::access::Token;
use crate::binary::{self, BinaryError};
use crate::config::{Config, DockerSource, Service, Source};
use crate::docker::{self, Taking};
use crate::error::Error;
use crate::fixtures::Fixtures;
use crate::health::{self, Ready};
use crate::image::{self, Image};
use crate::seed;

/// A host boots in a minute at most; some types take longer for their first start.
const SSH_LIMIT: Duration = Duration::from_secs(300);
const READY_LIMIT: Duration = Duration::from_secs(60);

/// What runs in a service's container.
#[derive(Debug, Clone)]
pub enum Artifact {
    /// An image that is made here.
    Built(Image),
    /// The name of an image in a registry.
    Registry(String),
}

/// An artifact in the making, which several can wait for.
pub type Making<'a> = Shared<LocalBoxFuture<'a, Result<Artifact, BinaryError>>>;

/// A service and the host it goes to.
pub struct Site<'a, 'm> {
    /// The service.
    pub service: &'a Service,
    /// Where the host's Docker comes from.
    pub docker: DockerSource,
    /// The host.
    pub target: Target,
    /// What will run.
    pub artifact: Making<'m>,
    /// What it will hold at first.
    pub begin: Begin<'a>,
    /// What it accepts, and what seeds it; none where access is open.
    pub tokens: Option<(&'a TokenList, Option<&'a Token>)>,
}

/// What a service holds when it begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin<'a> {
    /// What there is.
    AsItIs,
    /// The fixtures, too.
    Seeded(&'a Fixtures),
    /// What will come: until then it takes no writes.
    Waiting,
}

impl<'a> Begin<'a> {
    /// With the fixtures, unless that is not wanted.
    pub fn with(fixtures: &'a Fixtures, no_seed: bool) -> Self {
        if no_seed { Self::AsItIs } else { Self::Seeded(fixtures) }
    }
}

impl Site<'_, '_> {
    /// How the service is seeded: where that takes a token, through the host's connection.
    fn client(&self, host: &Host, ready: &Ready) -> Client {
        let endpoint = ready.endpoint().clone();
        match self.tokens {
            Some((_, token)) => {
                Client::through(host.port(self.service.port), endpoint, token.cloned())
            }
            None => endpoint.into(),
        }
    }
}

/// How long a step took.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// In seconds.
    pub seconds: f64,
}

/// Takes the time of steps that follow each other.
#[derive(Debug)]
pub struct Stopwatch {
    last: Instant,
    steps: Vec<Step>,
}

impl Stopwatch {
    /// Begins with the first step.
    pub fn start() -> Self {
        Self { last: Instant::now(), steps: Vec::new() }
    }

    /// Ends a step.
    pub fn lap(&mut self, name: &'static str) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        self.steps.push(Step { name, seconds });
    }

    /// The steps so far.
    pub fn steps(self) -> Vec<Step> {
        self.steps
    }
}

/// Begins to make what runs in a service's container; it goes on when it is waited for.
pub fn make<'a>(config: &'a Config, service: &'a Service, sink: &'a dyn EventSink) -> Making<'a> {
    let work = async move {
        if let Source::Image(name) = &service.source {
            return Ok(Artifact::Registry(name.clone()));
        }
        let reporter = Reporter::new(sink, "build");
        let name = service.name.as_str();
        let program = binary::provide(config, service, reporter).await;
        let program = program.inspect_err(|_| reporter.failed(format!("{name} has no program")))?;
        let bytes = tokio::fs::read(&program).await.map_err(|error| BinaryError::Cargo {
            program: service.name.to_string(),
            cause: format!("{}: {error}", program.display()),
        })?;
        let image = image::build(name, &bytes);
        reporter.done(format!("{} is ready to ship", image.tag));
        Ok(Artifact::Built(image))
    };
    work.boxed_local().shared()
}

/// Brings the service to where it is ready and holds what it begins with; returns its
/// host, too. `settle` is done on a connection
/// of its own while Docker is being installed.
pub async fn deploy(
    site: &Site<'_, '_>,
    settle: impl AsyncFnOnce(&Host) -> Result<(), Error>,
    reporter: Reporter<'_>,
    watch: &mut Stopwatch,
) -> Result<(Host, Ready), Error> {
    let Site { service, target, .. } = site;
    reporter.step("connecting");
    let host = ssh::connect(target, Deadline::after(SSH_LIMIT), reporter).await?;
    watch.lap("SSH");

    reporter.step("installing Docker");
    let beside = async {
        let second = ssh::connect(target, Deadline::after(SSH_LIMIT), reporter).await?;
        settle(&second).await?;
        match site.artifact.clone().await.map_err(Error::Binary)? {
            Artifact::Registry(name) => Ok((name, None)),
            Artifact::Built(image) => {
                let file = docker::upload(&second, &image, reporter).await?;
                Ok::<_, Error>((image.tag, file))
            }
        }
    };
    let install = async { Ok(docker::install(&host, site.docker, reporter).await?) };
    let ((), (image, file)) = tokio::try_join!(install, beside)?;
    watch.lap("Docker and image");

    reporter.step("starting the container");
    if let Some(file) = file {
        docker::load(&host, &file).await?;
    }
    let taking = match site.begin {
        Begin::Waiting => Taking::NoWrites,
        Begin::AsItIs | Begin::Seeded(_) => Taking::Writes,
    };
    if let Some((list, _)) = site.tokens {
        docker::write_tokens(&host, service, list).await?;
    }
    docker::run(&host, service, &image, taking, reporter).await?;
    let ready = wait_ready(site, &host, reporter).await?;
    watch.lap("container");
    if let Begin::Seeded(fixtures) = site.begin {
        reporter.step("seeding");
        let ready = ready.clone().by(site.client(&host, &ready));
        seed::apply(&ready, &service.collection(), fixtures, false, reporter).await?;
        watch.lap("seed");
    }
    Ok((host, ready))
}

async fn wait_ready(
    site: &Site<'_, '_>,
    host: &Host,
    reporter: Reporter<'_>,
) -> Result<Ready, Error> {
    let service = site.service;
    let endpoint = Client::from(Endpoint::at((site.target.address.ip(), service.port).into()));
    reporter.step("waiting until it is ready");
    let deadline = Deadline::after(READY_LIMIT);
    let (name, path) = (service.name.as_str(), &service.health);
    let waited = health::wait_ready(name, &endpoint, path, deadline, reporter);
    // A container that comes to its end again and again will never be ready.
    let gave_up = async {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if let Ok(Some(container)) = docker::inspect(host, service).await
                && (container.state.starts_with("restarting")
                    || container.state.starts_with("exited"))
            {
                return format!("{}: its container is {}", service.name, container.state);
            }
        }
    };
    let problem = tokio::select! {
        ready = waited => match ready {
            Ok(ready) => return Ok(ready),
            Err(error) => error.to_string(),
        },
        problem = gave_up => problem,
    };
    let lines = docker::last_lines(host, service).await;
    Err(Error::Container { problem, lines })
}
