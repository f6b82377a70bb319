//! Elastic IP addresses that point elsewhere than to the host that serves: after a move that failed,
//! or when somebody has moved them.

use ec2::ElasticIp;

use crate::config::PublicAddress;
use crate::error::Error;
use crate::plan::{Action, Operation};
use crate::session::{Placement, ServiceHost, Session};

/// An address, and the instance that it should point to.
struct Move {
    elastic: ElasticIp,
    instance: String,
}

impl Move {
    fn operation(&self) -> Operation {
        let Self { elastic: ElasticIp { service, address, instance, .. }, .. } = self;
        let reason = match instance {
            Some(other) => format!("it points to {other}"),
            None => "it points to no host".into(),
        };
        let action = Action::MoveAddress { address: *address, from: None };
        Operation::new(service, action, reason)
    }
}

/// What a deploy does about addresses.
pub(super) async fn operations(
    session: &Session,
    hosts: &[ServiceHost],
) -> Result<Vec<Operation>, Error> {
    Ok(moves(session, hosts).await?.iter().map(Move::operation).collect())
}

/// Makes the addresses point to the hosts that serve. Says whether any did not.
pub(super) async fn correct(session: &Session, hosts: &[ServiceHost]) -> Result<bool, Error> {
    let needed = moves(session, hosts).await?;
    for Move { elastic, instance } in &needed {
        let reporter = session.reporter(&elastic.service);
        reporter.step(format!("moving {} to {instance}", elastic.address));
        let ec2 = session.ec2().await?;
        let moved = async {
            ec2.move_address(elastic, instance).await?;
            ec2.wait_moved(elastic, instance, reporter).await
        };
        moved.await.inspect_err(|error| reporter.failed(error.to_string()))?;
    }
    Ok(!needed.is_empty())
}

async fn moves(session: &Session, hosts: &[ServiceHost]) -> Result<Vec<Move>, Error> {
    if session.placement != Placement::Ec2 || session.config.address != PublicAddress::Elastic {
        return Ok(Vec::new());
    }
    let addresses = session.ec2().await?.addresses(session.stack()).await?;
    let needed = |host: &ServiceHost| {
        let id = &host.instance.as_ref()?.id;
        let elastic = ElasticIp::of_service(&addresses, host.service.name.as_str())?;
        let points_elsewhere = elastic.instance.as_ref() != Some(id);
        points_elsewhere.then(|| Move { elastic: elastic.clone(), instance: id.clone() })
    };
    Ok(hosts.iter().filter_map(needed).collect())
}
