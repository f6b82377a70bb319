//! Which instances are launched, resumed and terminated, and whose data are carried over.

use super::*;

fn instance(id: &str, service: &str, generation: u32, serving: bool, state: &str) -> Instance {
    Instance {
        id: id.into(),
        service: service.into(),
        generation,
        serving,
        state: InstanceState::new(state),
        reason: None,
        address: None,
        dns: None,
        instance_type: "t2.xlarge".into(),
        image: "ami-1".into(),
        launched: 0,
        launched_by: None,
        expires: None,
        in_database: false,
        host_keys: Vec::new(),
    }
}

static NO_FIXTURES: BTreeMap<String, usize> = BTreeMap::new();

/// A launch of services that keep their data on their hosts, and are not seeded.
fn spec(services: &[String]) -> LaunchSpec<'_> {
    LaunchSpec {
        services,
        addresses: None,
        databases: &[],
        setup: &[],
        fixtures: &NO_FIXTURES,
        instance_type: "t2.xlarge",
        image: "ami-1",
        fresh: false,
        terminate_first: false,
    }
}

fn planned(services: &[&str], instances: &[Instance], fresh: bool) -> LaunchPlan {
    let services: Vec<_> = services.iter().map(|name| (*name).to_owned()).collect();
    let wanted = LaunchSpec { fresh, ..spec(&services) };
    plan(wanted, instances, 100)
}

/// The generation, and each operation as its service, verb and target.
fn pair(instances: &[Instance]) -> (u32, Vec<String>) {
    let plan = planned(&["events", "notifications"], instances, false);
    (plan.generation, texts(&plan))
}

fn texts(plan: &LaunchPlan) -> Vec<String> {
    let text = |it: &Operation| {
        let data = if it.loses_data() { ", data lost" } else { "" };
        format!(
            "{}: {} {}{data}",
            it.service.as_deref().unwrap(),
            it.action.verb(),
            it.action.target()
        )
    };
    plan.operations.iter().map(text).collect()
}

const NEW_EVENTS: &str = "events: launch t2.xlarge with ami-1";
const NEW_NOTIFICATIONS: &str = "notifications: launch t2.xlarge with ami-1";

#[test]
fn a_new_launch_has_a_number_never_used() {
    assert_eq!(pair(&[]), (100, vec![NEW_EVENTS.into(), NEW_NOTIFICATIONS.into()]));
    let terminated = instance("i-1", "events", 100, true, "terminated");
    assert_eq!(pair(&[terminated]).0, 101);
}

#[test]
fn hosts_that_serve_are_replaced_and_their_data_carried_over() {
    let (generation, operations) = pair(&[
        instance("i-1", "events", 7, true, "running"),
        instance("i-2", "notifications", 7, true, "stopped"),
    ]);
    assert_eq!(generation, 100);
    assert_eq!(
        operations,
        [
            NEW_EVENTS,
            NEW_NOTIFICATIONS,
            "events: carry over data of i-1",
            "notifications: carry over data of i-2",
            "events: terminate i-1",
            "notifications: terminate i-2",
        ]
    );
}

#[test]
fn an_interrupted_launch_is_resumed_and_the_older_pair_replaced() {
    let (generation, operations) = pair(&[
        instance("i-1", "events", 7, true, "running"),
        instance("i-2", "notifications", 7, true, "running"),
        instance("i-3", "events", 9, false, "pending"),
    ]);
    assert_eq!(generation, 9);
    assert_eq!(operations[..2], ["events: resume i-3", NEW_NOTIFICATIONS]);
    assert_eq!(operations[4..], ["events: terminate i-1", "notifications: terminate i-2"]);
}

#[test]
fn hosts_of_another_type_or_state_are_not_resumed() {
    let mut other = instance("i-1", "events", 9, false, "running");
    other.instance_type = "t2.micro".into();
    let stopped = instance("i-2", "notifications", 9, false, "stopped");
    let (generation, operations) = pair(&[other, stopped]);
    assert_eq!(generation, 100);
    assert_eq!(operations[..2], [NEW_EVENTS, NEW_NOTIFICATIONS]);
}

#[test]
fn only_hosts_that_have_served_hold_data() {
    let loss = |serving| {
        planned(&["events"], &[instance("i-1", "events", 7, serving, "stopped")], true).loss()
    };
    assert!(loss(true).unwrap().starts_with("i-1 (events) will be terminated"));
    assert_eq!(loss(false), None);
}

#[test]
fn data_of_a_removed_service_are_lost_and_others_come_from_the_newest_that_served() {
    let instances = [
        instance("i-1", "events", 7, true, "running"),
        instance("i-2", "events", 8, true, "running"),
        instance("i-3", "events", 9, false, "running"),
        instance("i-4", "mails", 7, true, "running"),
    ];
    let plan = planned(&["events"], &instances, false);
    assert_eq!(plan.source("events").unwrap().id, "i-2");
    assert_eq!(plan.resumed("events").unwrap().id, "i-3");
    assert_eq!(
        texts(&plan)[1..],
        [
            "events: carry over data of i-2",
            "events: terminate i-1",
            "events: terminate i-2",
            "mails: terminate i-4, data lost",
        ]
    );
    assert!(plan.loss().unwrap().starts_with("i-4 (mails) will be terminated"));
}

#[test]
fn data_in_a_database_are_neither_carried_over_nor_lost_nor_seeded_again() {
    let services = ["events".to_owned()];
    let fixtures = BTreeMap::from([("events".to_owned(), 3)]);
    let planned = |fresh, instances: &[Instance]| {
        let wanted =
            LaunchSpec { databases: &services, fixtures: &fixtures, fresh, ..spec(&services) };
        texts(&plan(wanted, instances, 100))
    };
    let mut old = instance("i-1", "events", 7, true, "running");
    // It was launched when its data were on it: whoever goes on has taken a backup.
    let operations = planned(false, std::slice::from_ref(&old));
    assert_eq!(operations.last().unwrap(), "events: terminate i-1, data lost");
    old.in_database = true;
    for fresh in [false, true] {
        let operations = planned(fresh, std::slice::from_ref(&old));
        assert_eq!(operations, [NEW_EVENTS, "events: terminate i-1"]);
    }
    assert_eq!(planned(false, &[]).len(), 2);
}

#[test]
fn hosts_can_be_terminated_before_the_launch() {
    let services = ["events".to_owned()];
    let wanted = LaunchSpec { fresh: true, terminate_first: true, ..spec(&services) };
    let plan = plan(wanted, &[instance("i-1", "events", 7, true, "running")], 100);
    assert_eq!(texts(&plan), ["events: terminate i-1, data lost", NEW_EVENTS]);
}

fn elastic(instance: Option<&str>) -> ElasticIp {
    ElasticIp {
        id: "eipalloc-1".into(),
        address: "203.0.113.7".parse().unwrap(),
        service: "events".into(),
        instance: instance.map(String::from),
    }
}

/// The operations on addresses, each as its verb and reason, and who serves at the address.
fn with_address(
    addresses: &[ElasticIp],
    instances: &[Instance],
    terminate_first: bool,
) -> (Vec<String>, Option<String>) {
    let services = ["events".to_owned()];
    let wanted =
        LaunchSpec { addresses: Some(addresses), fresh: true, terminate_first, ..spec(&services) };
    let plan = plan(wanted, instances, 100);
    let is_address =
        |it: &&Operation| matches!(it.action, Action::AllocateAddress | Action::MoveAddress { .. });
    let operations = plan.operations.iter().filter(is_address);
    let texts = operations.map(|it| format!("{}: {}", it.action.verb(), it.reason)).collect();
    (texts, plan.address_holder("events").map(|it| it.id.clone()))
}

#[test]
fn an_address_points_to_the_old_host_until_the_new_one_serves() {
    let old = instance("i-1", "events", 1, true, "running");
    let (operations, holder) =
        with_address(&[elastic(Some("i-1"))], std::slice::from_ref(&old), false);
    assert_eq!(operations, ["move: the new host takes it over from i-1"]);
    assert_eq!(holder.as_deref(), Some("i-1"));
    // Nobody serves there: the new host gets it as soon as it runs.
    let gone = instance("i-1", "events", 1, true, "stopped");
    for (address, instances, terminate_first) in [
        (elastic(Some("i-1")), vec![old.clone()], true),
        (elastic(Some("i-1")), vec![gone], false),
        (elastic(Some("i-9")), vec![old.clone()], false),
        (elastic(None), vec![old.clone()], false),
    ] {
        let (operations, holder) = with_address(&[address], &instances, terminate_first);
        assert!(operations[0].ends_with("the new host gets it"), "{operations:?}");
        assert_eq!(holder, None);
    }
}

#[test]
fn a_service_without_an_address_gets_one_and_a_resumed_host_keeps_it() {
    let (operations, holder) = with_address(&[], &[], false);
    assert_eq!(operations, ["allocate: the service keeps it from launch to launch"]);
    assert_eq!(holder, None);
    let resumed = instance("i-1", "events", 1, false, "running");
    let (operations, _) = with_address(&[elastic(Some("i-1"))], &[resumed], false);
    assert_eq!(operations, [""; 0]);
}
