//! Decides which hosts a run of `up` resumes and which it replaces. Pure: it works from what
//! EC2 reports.

use support::machine::Machine;

/// What `up` does with hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchPlan {
    /// The number of the launch: that of the resumed one, or a new one.
    pub generation: u32,
    /// Hosts of a launch that was cut short, to be gone on with.
    pub resumed: Vec<Machine>,
    /// Hosts that are ended when the new ones serve.
    pub replaced: Vec<Machine>,
    /// Those of them whose data the new ones get: of each service, the newest that has
    /// served.
    pub carried: Vec<Machine>,
}

/// Decides. A host of the newest launch is gone on with where that launch has never
/// served and the host is of the wanted type and image; everything else that lives is
/// replaced, and its data are carried over unless `fresh` is set.
pub fn plan(
    services: &[String],
    kind: &str,
    image: &str,
    machines: &[Machine],
    now: u32,
    fresh: bool,
) -> LaunchPlan {
    let alive = || machines.iter().filter(|machine| machine.is_alive());
    let newest = alive().map(|machine| machine.generation).max().unwrap_or(0);
    let cut_short = !alive().any(|machine| machine.generation == newest && machine.serving);
    let usable = |machine: &&Machine| {
        cut_short
            && machine.generation == newest
            && matches!(machine.state.as_str(), "pending" | "running")
            && (machine.kind == kind && machine.image == image)
            && services.contains(&machine.service)
    };
    let resumed: Vec<_> = alive().filter(usable).cloned().collect();
    let replaced: Vec<_> = alive().filter(|it| !resumed.contains(it)).cloned().collect();
    let newest_served = |service: &String| {
        let served = replaced.iter().filter(|it| it.serving && it.service == *service);
        served.max_by_key(|machine| machine.generation).cloned()
    };
    let carried = services.iter().filter(|_| !fresh).filter_map(newest_served).collect();
    let used = machines.iter().map(|machine| machine.generation).max().unwrap_or(0);
    let generation = if resumed.is_empty() { now.max(used.saturating_add(1)) } else { newest };
    LaunchPlan { generation, resumed, replaced, carried }
}

impl LaunchPlan {
    /// Whether hosts will be gone with data that nothing else has.
    pub fn loses_data(&self) -> bool {
        self.replaced.iter().any(|machine| self.is_lost(machine))
    }

    /// Whether a host's data will be gone. What has not served holds none; of a service
    /// whose data are carried over, older hosts hold older ones.
    pub fn is_lost(&self, machine: &Machine) -> bool {
        machine.serving && !self.carried.iter().any(|it| it.service == machine.service)
    }

    /// The host whose data the service's new one gets.
    pub fn source(&self, service: &str) -> Option<&Machine> {
        self.carried.iter().find(|machine| machine.service == service)
    }

    /// What will be gone, as a sentence.
    pub fn loss(&self) -> String {
        let lost = self.replaced.iter().filter(|machine| self.is_lost(machine));
        let hosts = lost.map(|machine| format!("{} ({})", machine.id, machine.service));
        let hosts = hosts.collect::<Vec<_>>().join(" and ");
        format!("{hosts} will be replaced, and the data on them will be lost.")
    }

    /// The ids of what is replaced.
    pub fn replaced_ids(&self) -> String {
        self.replaced.iter().map(|machine| machine.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn machine(
        id: &str,
        service: &str,
        generation: u32,
        serving: bool,
        state: &str,
    ) -> Machine {
        Machine {
            id: id.into(),
            service: service.into(),
            generation,
            serving,
            state: state.into(),
            address: None,
            dns: None,
            kind: "t2.xlarge".into(),
            image: "ami-1".into(),
            launched: 0,
            launched_by: None,
            ends: None,
            host_keys: Vec::new(),
        }
    }

    fn planned(machines: &[Machine]) -> (u32, Vec<String>, Vec<String>) {
        let services = ["events".to_owned(), "notifications".to_owned()];
        let plan = plan(&services, "t2.xlarge", "ami-1", machines, 100, false);
        let ids = |machines: &[Machine]| machines.iter().map(|m| m.id.clone()).collect();
        (plan.generation, ids(&plan.resumed), ids(&plan.replaced))
    }

    fn ids(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn without_hosts_there_is_a_new_launch_with_a_number_never_used() {
        assert_eq!(planned(&[]), (100, vec![], vec![]));
        let ended = machine("i-1", "events", 100, true, "terminated");
        assert_eq!(planned(&[ended]), (101, vec![], vec![]));
    }

    #[test]
    fn hosts_that_serve_are_replaced() {
        let pair = [
            machine("i-1", "events", 7, true, "running"),
            machine("i-2", "notifications", 7, true, "stopped"),
        ];
        assert_eq!(planned(&pair), (100, vec![], ids(&["i-1", "i-2"])));
    }

    #[test]
    fn a_launch_that_was_cut_short_is_gone_on_with_and_the_older_pair_replaced() {
        let machines = [
            machine("i-1", "events", 7, true, "running"),
            machine("i-2", "notifications", 7, true, "running"),
            machine("i-3", "events", 9, false, "pending"),
        ];
        assert_eq!(planned(&machines), (9, ids(&["i-3"]), ids(&["i-1", "i-2"])));
    }

    #[test]
    fn hosts_of_another_type_or_state_are_not_gone_on_with() {
        let mut other = machine("i-1", "events", 9, false, "running");
        other.kind = "t2.micro".into();
        let stopped = machine("i-2", "notifications", 9, false, "stopped");
        assert_eq!(planned(&[other, stopped]), (100, vec![], ids(&["i-1", "i-2"])));
    }

    #[test]
    fn only_hosts_that_have_served_hold_data() {
        let services = ["events".to_owned()];
        let of = |serving| {
            let machines = [machine("i-1", "events", 7, serving, "stopped")];
            plan(&services, "t2.xlarge", "ami-1", &machines, 100, true)
        };
        assert!(of(true).loses_data());
        assert!(of(true).loss().starts_with("i-1 (events) will be replaced"));
        assert!(!of(false).loses_data());
    }

    #[test]
    fn data_are_carried_from_the_newest_that_served_and_lost_without_their_service() {
        let services = ["events".to_owned()];
        let machines = [
            machine("i-1", "events", 7, true, "running"),
            machine("i-2", "events", 8, true, "running"),
            machine("i-3", "events", 9, false, "running"),
            machine("i-4", "mails", 7, true, "running"),
        ];
        let plan = plan(&services, "t2.xlarge", "ami-1", &machines, 100, false);
        assert_eq!(plan.source("events").unwrap().id, "i-2");
        let lost: Vec<_> = plan.replaced.iter().filter(|it| plan.is_lost(it)).collect();
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].id, "i-4");
        assert!(plan.loss().starts_with("i-4 (mails) will be replaced"));
    }
}
