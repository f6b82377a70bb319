//! Describes what `up` would do, for people and for programs. Pure: it works from the same
//! plans that `up` carries out.

use serde::Serialize;

use super::launch::LaunchPlan;
use super::{Action, price};

/// What `up` would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The stack.
    pub stack: String,
    /// What would become of what, in the order in which it happens.
    pub changes: Vec<Change>,
    /// What its hosts would cost from then on, where that is known.
    pub cost: Option<Cost>,
    /// How long `up` took the last time, in seconds.
    pub last_time_seconds: Option<f64>,
}

/// Something that would change, or stay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The service.
    pub service: String,
    /// What would be done.
    pub action: Verb,
    /// With what.
    pub what: String,
    /// Why.
    pub why: String,
    /// Whether data would be gone with it.
    pub loses_data: bool,
    /// Whether its data would be carried over to what takes its place.
    pub carries_data: bool,
    /// How many resources these are, where the service says.
    pub resources: Option<u64>,
}

/// What would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Something new comes.
    Create,
    /// Something that was begun is brought to its end.
    Continue,
    /// Something changes where it is.
    Update,
    /// Something goes.
    Destroy,
    /// It stays as it is.
    Keep,
}

/// What hosts cost, in USD.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// An hour.
    pub hourly: f64,
    /// A month of 730 hours.
    pub monthly: f64,
    /// The region whose prices these are.
    pub region: &'static str,
    /// When they were looked up.
    pub as_of: &'static str,
}

impl Preview {
    /// Whether everything would stay as it is.
    pub fn changes_nothing(&self) -> bool {
        self.changes.iter().all(|change| change.action == Verb::Keep)
    }
}

impl Verb {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Continue => "continue",
            Self::Update => "update",
            Self::Destroy => "destroy",
            Self::Keep => "keep",
        }
    }
}

/// The changes of a launch: hosts that come, and then hosts that go.
pub fn of_launch(plan: &LaunchPlan, services: &[String], kind: &str, image: &str) -> Vec<Change> {
    let change = |service: &str, action, what, why: &str| Change {
        service: service.into(),
        action,
        what,
        why: why.into(),
        loses_data: false,
        carries_data: false,
        resources: None,
    };
    let come = services.iter().map(|service| {
        let begun = plan.resumed.iter().find(|machine| machine.service == *service);
        if let Some(machine) = begun {
            let id = machine.id.clone();
            return change(service, Verb::Continue, id, "its launch was cut short");
        }
        let replaces = plan.replaced.iter().any(|machine| machine.service == *service);
        let why = if replaces { "up launches hosts anew" } else { "there is no host" };
        change(service, Verb::Create, format!("a {kind} of {image}"), why)
    });
    let go = plan.replaced.iter().map(|machine| {
        let why = match (machine.serving, services.contains(&machine.service)) {
            (_, false) => "there is no such service any more",
            (true, true) if plan.is_lost(machine) => "the new host takes its place",
            (true, true) => "the new host takes its place and its data",
            (false, true) => "it has never served, and cannot be gone on with",
        };
        Change {
            loses_data: plan.is_lost(machine),
            carries_data: plan.carried.contains(machine),
            ..change(&machine.service, Verb::Destroy, machine.id.clone(), why)
        }
    });
    come.chain(go).collect()
}

/// The change of a service on this machine.
pub fn of_local(service: &str, program: String, action: &Action) -> Change {
    let (action, why) = match action {
        Action::Keep => (Verb::Keep, "it runs as described".to_owned()),
        Action::Start => (Verb::Create, "it does not run".to_owned()),
        Action::Restart { reason } => (Verb::Update, reason.clone()),
    };
    let service = service.into();
    let (loses_data, carries_data) = (false, false);
    Change { service, action, what: program, why, loses_data, carries_data, resources: None }
}

/// What so many hosts of a type cost; `None` where their price is not known.
pub fn cost(kind: &str, hosts: usize) -> Option<Cost> {
    let hosts = f64::from(u32::try_from(hosts).ok()?);
    let hourly = price::hourly(kind)? * hosts;
    let monthly = hourly * price::HOURS_A_MONTH;
    Some(Cost { hourly, monthly, region: price::REGION, as_of: price::AS_OF })
}

#[cfg(test)]
mod tests {
    use super::super::launch::tests::machine;
    use super::*;

    #[test]
    fn a_launch_is_told_as_hosts_that_come_and_hosts_that_go() {
        let services = ["events".to_owned(), "notifications".to_owned()];
        let old = machine("i-1", "events", 7, true, "running");
        let plan = LaunchPlan {
            generation: 9,
            resumed: vec![machine("i-3", "notifications", 9, false, "running")],
            replaced: vec![
                old.clone(),
                machine("i-2", "mails", 7, true, "running"),
                machine("i-4", "events", 8, false, "stopped"),
            ],
            carried: vec![old],
        };
        let changes = of_launch(&plan, &services, "t2.xlarge", "ami-1");
        let told: Vec<_> = changes
            .iter()
            .map(|it| (it.action.as_str(), it.what.as_str(), it.loses_data))
            .collect();
        let expected = [
            ("create", "a t2.xlarge of ami-1", false),
            ("continue", "i-3", false),
            ("destroy", "i-1", false),
            ("destroy", "i-2", true),
            ("destroy", "i-4", false),
        ];
        assert_eq!(told, expected);
        assert!(changes[2].carries_data && !changes[4].carries_data);
        assert_eq!(changes[3].why, "there is no such service any more");
    }

    #[test]
    fn hosts_cost_what_the_table_says() {
        let cost = cost("t2.xlarge", 2).unwrap();
        assert!((cost.hourly - 0.3712).abs() < 1e-9 && (cost.monthly - 270.976).abs() < 1e-6);
        assert_eq!(super::cost("x9.huge", 2), None);
    }
}
