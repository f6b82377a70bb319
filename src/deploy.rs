//! Deploys one service to one new host: connect, Docker, image, container, health, seed. Steps
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
use crate::binary::{self, BinaryError, Destination};
use crate::config::{Config, DockerSource, Service, Source};
use crate::docker::{self, TlsFiles, WriteMode};
use crate::error::Error;
use crate::fixtures::Fixtures;
use crate::health::{self, Ready};
use crate::image::{self, Image};
use crate::seed;

/// A host boots within a minute; some types take longer for their first start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(300);
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What runs in a service's container.
#[derive(Debug, Clone)]
pub enum Artifact {
    /// An image that was built here.
    Built(Image),
    /// The name of an image in a registry.
    Registry(String),
}

impl Artifact {
    /// The image's name.
    pub fn image(&self) -> &str {
        match self {
            Self::Built(image) => &image.tag,
            Self::Registry(name) => name,
        }
    }
}

/// An artifact that is being built, which several can wait for.
pub type PendingArtifact<'a> = Shared<LocalBoxFuture<'a, Result<Artifact, BinaryError>>>;

/// A service that is deployed to a new host.
pub struct Deployment<'a, 'm> {
    /// The service.
    pub service: &'a Service,
    /// Where the host's Docker comes from.
    pub docker: DockerSource,
    /// The host.
    pub target: Target,
    /// What will run.
    pub artifact: PendingArtifact<'m>,
    /// The data that it begins with.
    pub data: InitialData<'a>,
    /// The list of tokens that it accepts and the token that seeds it; `None` if access is
    /// open.
    pub tokens: Option<(&'a TokenList, Option<&'a Token>)>,
    /// The certificate that its previous host had from an authority.
    pub tls: Option<&'a TlsFiles>,
}

/// The data that a service begins with.
#[derive(Debug, Clone, Copy)]
pub enum InitialData<'a> {
    /// Those that its volume holds.
    Existing,
    /// The fixtures as well.
    Fixtures(&'a Fixtures),
    /// Those that are carried over later: until then, the service refuses writes.
    CarriedOver,
}

impl Deployment<'_, '_> {
    /// A client that seeds the service: if that takes a token, through the host's connection.
    fn client(&self, host: &Host, ready: &Ready) -> Client {
        let endpoint = ready.endpoint().clone();
        match self.tokens {
            Some((_, token)) => {
                Client::through(host.port(self.service.port), endpoint, token.cloned())
            }
            None => reach(host, self.service, endpoint),
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

/// Measures steps that follow each other.
#[derive(Debug)]
pub struct Stopwatch {
    last: Instant,
    steps: Vec<Step>,
}

impl Stopwatch {
    /// Starts the first step.
    pub fn start() -> Self {
        Self { last: Instant::now(), steps: Vec::new() }
    }

    /// Ends a step and starts the next one.
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

/// The artifact of a service. It is built while the future is polled, once for all clones.
pub fn artifact<'a>(
    config: &'a Config,
    service: &'a Service,
    sink: &'a dyn EventSink,
) -> PendingArtifact<'a> {
    let work = async move {
        if let Source::Image(name) = &service.source {
            return Ok(Artifact::Registry(name.clone()));
        }
        let reporter = Reporter::new(sink, "build");
        let name = service.name.as_str();
        let program = binary::provide(config, service, Destination::Hosts, reporter).await;
        let program =
            program.inspect_err(|_| reporter.failed(format!("{name} could not be built")))?;
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

/// Runs the service and waits until it is ready and has its data; returns the connection, too.
/// `secure` runs on a connection of its own while Docker is being installed.
pub async fn deploy(
    deployment: &Deployment<'_, '_>,
    secure: impl AsyncFnOnce(&Host) -> Result<(), Error>,
    reporter: Reporter<'_>,
    watch: &mut Stopwatch,
) -> Result<(Host, Ready), Error> {
    let Deployment { service, target, .. } = deployment;
    reporter.step("connecting");
    let host = ssh::connect(target, Deadline::after(CONNECT_TIMEOUT), reporter).await?;
    watch.lap("SSH");

    reporter.step("installing Docker");
    let beside = async {
        let second = ssh::connect(target, Deadline::after(CONNECT_TIMEOUT), reporter).await?;
        secure(&second).await?;
        match deployment.artifact.clone().await.map_err(Error::Binary)? {
            Artifact::Registry(name) => Ok((name, None)),
            Artifact::Built(image) => {
                let file = docker::upload(&second, &image, reporter).await?;
                Ok::<_, Error>((image.tag.clone(), file.map(|file| (image, file))))
            }
        }
    };
    let install = async { Ok(docker::install(&host, deployment.docker, reporter).await?) };
    let ((), (image, uploaded)) = tokio::try_join!(install, beside)?;
    watch.lap("Docker and image");

    reporter.step("starting the container");
    if let Some((image, file)) = uploaded {
        docker::load(&host, &image, &file).await?;
    }
    let write_mode = match deployment.data {
        InitialData::CarriedOver => WriteMode::ReadOnly,
        InitialData::Existing | InitialData::Fixtures(_) => WriteMode::ReadWrite,
    };
    if let Some((list, _)) = deployment.tokens {
        docker::write_tokens(&host, service, list).await?;
    }
    if let Some(files) = deployment.tls {
        docker::write_tls(&host, service, files).await?;
    }
    docker::run(&host, service, &image, write_mode, reporter).await?;
    let ready = wait_ready(deployment, &host, reporter).await?;
    watch.lap("container");
    if let InitialData::Fixtures(fixtures) = deployment.data {
        reporter.step("seeding");
        let ready = ready.clone().with_client(deployment.client(&host, &ready));
        seed::apply(&ready, &service.collection(), fixtures, false, reporter).await?;
        watch.lap("seed");
    }
    Ok((host, ready))
}

/// A client of a service on a host that sends no token: from here if clients elsewhere connect to
/// the service itself, else through the host's connection.
pub fn reach(host: &Host, service: &Service, endpoint: Endpoint) -> Client {
    if service.is_public() {
        return endpoint.into();
    }
    Client::through(host.port(service.port), endpoint, None)
}

async fn wait_ready(
    deployment: &Deployment<'_, '_>,
    host: &Host,
    reporter: Reporter<'_>,
) -> Result<Ready, Error> {
    let service = deployment.service;
    let endpoint = Endpoint::at((deployment.target.address.ip(), service.port).into());
    let endpoint = reach(host, service, endpoint);
    reporter.step("waiting until it is ready");
    let deadline = Deadline::after(READY_TIMEOUT);
    let (name, path) = (service.name.as_str(), &service.health);
    let waited = health::wait_ready(name, &endpoint, path, deadline, reporter);
    // A container that ends again and again will never be ready.
    let gave_up = async {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if let Ok(Some(container)) = docker::inspect(host, service).await
                && container.has_failed()
            {
                return format!("{}: its container is {container}", service.name);
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
