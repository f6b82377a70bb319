//! Finds the services of a stack and their hosts.

use std::net::{IpAddr, SocketAddr};

use ec2::Instance;
use ssh::Target;
use support::http::Endpoint;

use super::identity::{existing_target, instance_target};
use super::{Placement, Session};
use crate::config::{Config, Service};
use crate::error::Error;
use crate::local;

/// A service and where it answers.
#[derive(Debug)]
pub(crate) struct ServiceLocation {
    /// The service as the file describes it.
    pub(crate) service: Service,
    /// The address and port that it answers at.
    pub(crate) address: SocketAddr,
    /// The instance that it runs on, if it is on EC2.
    pub(crate) instance: Option<Instance>,
}

/// A service and the host that it runs on.
#[derive(Debug)]
pub(crate) struct ServiceHost {
    /// The service with the settings that depend on where it runs.
    pub(crate) service: Service,
    /// How its host is logged in to.
    pub(crate) target: Target,
    /// The instance, if the host is on EC2.
    pub(crate) instance: Option<Instance>,
}

impl ServiceLocation {
    /// Where the service answers.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::at(self.address)
    }
}

impl ServiceHost {
    /// Where the service answers.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::at((self.target.address.ip(), self.service.port).into())
    }

    /// The instance's id, or the host's address.
    pub(crate) fn host_name(&self) -> String {
        match &self.instance {
            Some(instance) => instance.id.clone(),
            None => self.target.address.ip().to_string(),
        }
    }
}

impl Session {
    /// The service of a name. Fails with the names that exist.
    pub(crate) fn service(&self, name: &str) -> Result<&Service, Error> {
        let services = &self.config.services;
        services.iter().find(|service| service.name.as_str() == name).ok_or_else(|| {
            let known: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
            let (origin, known) = (&self.config.origin, known.join(", "));
            Error::Request(format!("{origin} has no service {name}, only {known}"))
        })
    }

    /// All services of the stack and where they answer. Fails if one of them does not run.
    pub(crate) async fn locate(&self) -> Result<Vec<ServiceLocation>, Error> {
        let located = self.locate_running().await?;
        let is_missing =
            |service: &&Service| located.iter().all(|found| found.service.name != service.name);
        match self.config.services.iter().find(is_missing) {
            None => Ok(located),
            Some(missing) => {
                let service = missing.name.to_string();
                Err(match self.placement {
                    Placement::Local => Error::NoProcess { service },
                    Placement::Hosts(_) | Placement::Ec2 => Error::NoHost { service },
                })
            }
        }
    }

    /// The services that run, and where they answer.
    async fn locate_running(&self) -> Result<Vec<ServiceLocation>, Error> {
        match &self.placement {
            Placement::Local => self.locate_processes().await,
            Placement::Hosts(addresses) => {
                let located = |service: &Service| {
                    let address = *addresses.get(service.name.as_str())?;
                    let address = (address, service.port).into();
                    Some(ServiceLocation { service: service.clone(), address, instance: None })
                };
                Ok(self.config.services.iter().filter_map(located).collect())
            }
            Placement::Ec2 => {
                let instances = self.ec2().await?.instances(self.stack()).await?;
                Ok(self.locate_on(&instances))
            }
        }
    }

    async fn locate_processes(&self) -> Result<Vec<ServiceLocation>, Error> {
        let mut located = Vec::new();
        for service in &self.config.services {
            let process = local::find(&self.folder.service(service.name.as_str())).await?;
            located.extend(process.map(|process| ServiceLocation {
                service: service.clone(),
                address: process.address,
                instance: None,
            }));
        }
        Ok(located)
    }

    /// The services that these instances serve.
    pub(crate) fn locate_on(&self, instances: &[Instance]) -> Vec<ServiceLocation> {
        let located = |service: &Service| {
            let serving = instances.iter().filter(|it| it.is_alive() && it.serving);
            let of_service = serving.filter(|it| it.service == service.name.as_str());
            // Older ones are left over from a launch that did not come to terminating them.
            let instance = of_service.max_by_key(|it| it.generation)?;
            let address = (instance.address?, service.port).into();
            Some(ServiceLocation {
                service: service.clone(),
                address,
                instance: Some(instance.clone()),
            })
        };
        self.config.services.iter().filter_map(located).collect()
    }

    /// All services of a stack on hosts, and how these are logged in to.
    pub(crate) async fn service_hosts(&self) -> Result<Vec<ServiceHost>, Error> {
        self.hosts_of(self.locate().await?)
    }

    /// The host of one service.
    pub(crate) async fn service_host(&self, name: &str) -> Result<ServiceHost, Error> {
        self.service(name)?;
        let mut hosts = self.service_hosts().await?;
        hosts.retain(|host| host.service.name.as_str() == name);
        hosts.pop().ok_or_else(|| Error::NoHost { service: name.into() })
    }

    /// How the hosts of services are logged in to. Needs no key if there are none.
    pub(crate) fn hosts_of(
        &self,
        located: Vec<ServiceLocation>,
    ) -> Result<Vec<ServiceHost>, Error> {
        if located.is_empty() {
            return Ok(Vec::new());
        }
        self.check_placement()?;
        let identity = self.identity()?;
        let urls = located.iter().map(|it| {
            let dns = it.instance.as_ref().and_then(|instance| instance.dns.as_deref());
            (it.service.name.to_string(), urls(&it.service, it.address.ip(), dns))
        });
        let config = self.config.on_hosts(&urls.collect());
        let host = |ServiceLocation { service, address, instance }: ServiceLocation| {
            let (name, address) = (service.name.as_str(), address.ip());
            let target = match &instance {
                Some(instance) => instance_target(&config, instance, &identity)?,
                None => existing_target(&config, name, address, &identity),
            };
            let service = service_of(&config, &service);
            Some(ServiceHost { service, target, instance })
        };
        Ok(located.into_iter().filter_map(host).collect())
    }
}

fn service_of(config: &Config, service: &Service) -> Service {
    let found = config.services.iter().find(|it| it.name == service.name);
    found.unwrap_or(service).clone()
}

/// The URLs at which browsers find a service on a host, the preferred one first.
pub(crate) fn urls(service: &Service, address: IpAddr, dns: Option<&str>) -> Vec<String> {
    let address = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    if let Some(url) = service.named_url() {
        return vec![url];
    }
    let url = |host: &str| match service.port {
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    };
    dns.into_iter().chain([address.as_str()]).map(url).collect()
}

/// The URL of a service's collection, by its name if it has one.
pub(crate) fn url_of(service: &Service, endpoint: &Endpoint) -> String {
    match service.named_url() {
        Some(url) => format!("{url}{}", service.collection()),
        None => endpoint.url(&service.collection()),
    }
}
