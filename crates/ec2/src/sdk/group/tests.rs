//! Whose group is used, and which rules are added to it or asked for.

use aws_sdk_ec2::types::{PrefixListId, UserIdGroupPair};

use super::*;
use crate::model::SshFrom;

fn with_name(name: GroupName) -> GroupSpec {
    let network = SshFrom::Network("203.0.113.7/32".into());
    GroupSpec { stack: "life".into(), name, ssh_from: network, ports: vec![80, 8080] }
}

/// Nobody has named a group.
fn unnamed() -> GroupSpec {
    with_name(GroupName::Default("life".into()))
}

fn named(name: &str) -> GroupSpec {
    with_name(GroupName::Configured(name.into()))
}

fn group(id: &str, vpc: &str, stack: Option<&str>, rules: &[(&str, i32, i32, &str)]) -> SdkGroup {
    let permission = |(protocol, first, last, network): &(&str, i32, i32, &str)| {
        IpPermission::builder()
            .ip_protocol(*protocol)
            .from_port(*first)
            .to_port(*last)
            .ip_ranges(IpRange::builder().cidr_ip(*network).build())
            .build()
    };
    SdkGroup::builder()
        .group_id(id)
        .group_name("life")
        .vpc_id(vpc)
        .set_tags(stack.map(|stack| vec![tags::tag(tags::STACK, stack)]))
        .set_ip_permissions(Some(rules.iter().map(permission).collect()))
        .build()
}

fn among(groups: &[SdkGroup], spec: &GroupSpec) -> GroupMatch {
    let groups = groups.iter().filter_map(Group::of).collect();
    GroupMatch::among(groups, &spec.name, "vpc-default", "life")
}

fn step(group: SdkGroup, spec: &GroupSpec) -> Result<GroupStep, AccountError> {
    among(&[group], spec).step(spec, "203.0.113.7/32", "us-east-1")
}

fn ports(rules: &[Ingress]) -> Vec<u16> {
    rules.iter().map(|rule| rule.port).collect()
}

#[test]
fn a_group_is_used_only_where_it_is_the_stacks_or_named() {
    let group = |vpc, stack| group("sg-1", vpc, stack, &[]);
    let judge = |group: &SdkGroup, spec: &GroupSpec| among(std::slice::from_ref(group), spec);
    let own = group("vpc-default", Some("life"));
    let (nobodys, others) = (group("vpc-default", None), group("vpc-default", Some("other")));
    for spec in [unnamed(), named("life")] {
        assert!(matches!(judge(&own, &spec), GroupMatch::Own(_)));
        assert_eq!(among(&[], &spec), GroupMatch::Missing);
    }
    for foreign in [nobodys, others] {
        assert!(matches!(judge(&foreign, &unnamed()), GroupMatch::Foreign(_)));
        assert!(matches!(judge(&foreign, &named("life")), GroupMatch::Named(_)));
        assert_eq!(judge(&foreign, &named("web")), GroupMatch::Missing);
    }
}

#[test]
fn only_groups_of_the_vpc_that_hosts_are_launched_in_count() {
    let elsewhere = [None, Some("life")].map(|stack| group("sg-1", "vpc-other", stack, &[]));
    assert_eq!(among(&elsewhere, &unnamed()), GroupMatch::Missing);
    assert_eq!(among(&elsewhere, &named("life")), GroupMatch::Missing);
    let here = group("sg-2", "vpc-default", Some("life"), &[]);
    let all = [&elsewhere[..], &[here]].concat();
    let GroupMatch::Own(found) = among(&all, &unnamed()) else { panic!() };
    assert_eq!(found.id, "sg-2");
}

#[test]
fn a_filter_with_wildcards_does_not_choose_another_group() {
    assert_eq!(
        among(&[group("sg-1", "vpc-default", None, &[])], &named("'l*'")),
        GroupMatch::Missing
    );
}

#[test]
fn the_stacks_own_group_gets_the_rules_that_it_lacks() {
    let has = [
        ("tcp", 80, 80, EVERYBODY),
        ("tcp", 22, 22, "203.0.113.8/32"),
        ("udp", 443, 443, EVERYBODY),
    ];
    let Ok(GroupStep::Open { id, missing }) =
        step(group("sg-1", "vpc-default", Some("life"), &has), &unnamed())
    else {
        panic!()
    };
    assert_eq!((id.as_str(), ports(&missing)), ("sg-1", vec![22, 443, 8080]));
    assert_eq!(missing[0].from, "203.0.113.7/32");
    let all = [("-1", 0, 0, EVERYBODY)];
    let step = step(group("sg-1", "vpc-default", Some("life"), &all), &unnamed());
    assert_eq!(step.unwrap(), GroupStep::Open { id: "sg-1".into(), missing: Vec::new() });
}

#[test]
fn a_group_that_the_file_names_is_used_as_it_is_or_refused_with_the_commands_to_open_it() {
    let foreign = |rules: &[_]| group("sg-1", "vpc-default", None, rules);
    let enough = [("tcp", 20, 90, "203.0.113.0/24"), ("6", 8080, 8080, "203.0.113.7/32")];
    let used = step(foreign(&enough), &named("life")).unwrap();
    assert_eq!(used, GroupStep::Use { id: "sg-1".into() });
    let narrow = [("tcp", 22, 22, "203.0.113.8/32"), ("tcp", 80, 80, EVERYBODY)];
    let refused = step(foreign(&narrow), &named("life")).unwrap_err().to_string();
    for part in [
        "us-east-1: the security group sg-1, which security_group.name calls `life`",
        "does not open port 22 from 203.0.113.7/32, port 8080 from 203.0.113.7/32",
        "\n    aws ec2 authorize-security-group-ingress --region us-east-1 --group-id sg-1 \
         --protocol tcp --port 22 --cidr 203.0.113.7/32\n",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
}

#[test]
fn a_prefix_list_may_let_this_machine_in_and_another_group_cannot() {
    let permission = || IpPermission::builder().ip_protocol("-1");
    let list = permission().prefix_list_ids(PrefixListId::builder().prefix_list_id("pl-1").build());
    let other = permission().user_id_group_pairs(UserIdGroupPair::builder().build());
    let group = |stack: Option<&str>, permission: IpPermission| {
        let mut group = group("sg-1", "vpc-default", stack, &[]);
        group.ip_permissions = Some(vec![permission]);
        group
    };
    let used = step(group(None, list.clone().build()), &named("life")).unwrap();
    assert_eq!(used, GroupStep::Use { id: "sg-1".into() });
    assert!(step(group(None, other.build()), &named("life")).is_err());
    // If rules may be added, nothing in such a list is relied on.
    let Ok(GroupStep::Open { missing, .. }) = step(group(Some("life"), list.build()), &unnamed())
    else {
        panic!()
    };
    assert_eq!(ports(&missing), [22, 80, 443, 8080]);
}

#[test]
fn a_foreign_group_is_named_with_the_way_out_and_its_rules_are_not_told() {
    let all = [("-1", 0, 0, EVERYBODY)];
    let foreign = || group("sg-1", "vpc-default", Some("other"), &all);
    let text = step(foreign(), &unnamed()).unwrap_err().to_string();
    for part in ["sg-1 in vpc-default", "`life`", "tag eventpost:stack=life", "security_group.name"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let state = among(&[foreign()], &unnamed()).state(&unnamed());
    assert_eq!(state, GroupState::Foreign { id: "sg-1".into() });
}

#[test]
fn ports_are_open_where_anybody_is_let_in() {
    let rules = [("tcp", 0, 1024, "10.0.0.0/8")];
    let state = |stack| {
        let spec = named("life");
        among(&[group("sg-1", "vpc-default", stack, &rules)], &spec).state(&spec)
    };
    let found = |own| GroupState::Usable { id: "sg-1".into(), own, closed: vec![8080] };
    assert_eq!((state(Some("life")), state(None)), (found(true), found(false)));
}

#[test]
fn a_network_contains_itself_and_narrower_ones() {
    let network = |text| Network::new(text).unwrap();
    let contains = |outer, inner| network(outer).contains(network(inner));
    assert!(contains(EVERYBODY, "203.0.113.7/32") && contains(EVERYBODY, EVERYBODY));
    assert!(contains("203.0.113.0/24", "203.0.113.255/32"));
    assert!(contains("203.0.113.7/32", "203.0.113.7/32"));
    assert!(!contains("203.0.113.0/24", "203.0.112.0/23"));
    assert!(!contains("203.0.113.0/24", "203.0.114.0/32"));
    for junk in ["203.0.113.0", "203.0.113.0/33", "::/0", "x/8"] {
        assert_eq!(Network::new(junk), None, "{junk}");
    }
}
