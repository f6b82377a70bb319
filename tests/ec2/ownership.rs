//! What has a name that the stack would use, and belongs to somebody else.

use serde_json::json;

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, elements};
use crate::harness::{Signal, signal, wait_for};

const FROM: &str = "127.0.0.0/8";

/// A stack whose file does not name a security group, in a region.
fn unnamed(name: &str, region: &str) -> Stack {
    let stack = Stack::new(name, ONE);
    stack.world.describe(&format!(
        "stack: {name}\nregion: {region}\nsecurity_group: {{ssh_from: {FROM}}}\nservices:\n{ONE}"
    ));
    stack
}

/// The ids of the groups of a name.
fn groups(stack: &Stack, name: &str) -> Vec<String> {
    let query =
        format!("Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1={name}");
    elements(&stack.call(&query), "groupId")
}

/// A group that somebody else made in a VPC, or in the default one.
fn make_group(stack: &Stack, vpc: Option<&str>) -> String {
    let name = &stack.name;
    for left in groups(stack, name) {
        stack.call(&format!("Action=DeleteSecurityGroup&GroupId={left}"));
    }
    let vpc = vpc.map(|vpc| format!("&VpcId={vpc}")).unwrap_or_default();
    let made = stack
        .call(&format!("Action=CreateSecurityGroup&GroupName={name}&GroupDescription=theirs{vpc}"));
    elements(&made, "groupId").remove(0)
}

fn open(stack: &Stack, group: &str, port: u16) {
    stack.call(&format!(
        "Action=AuthorizeSecurityGroupIngress&GroupId={group}&IpPermissions.1.IpProtocol=tcp\
         &IpPermissions.1.FromPort={port}&IpPermissions.1.ToPort={port}\
         &IpPermissions.1.IpRanges.1.CidrIp={FROM}"
    ));
}

/// Everything that the account knows of a group: its rules and its tags.
fn known(stack: &Stack, group: &str) -> String {
    let text = stack.call(&format!("Action=DescribeSecurityGroups&GroupId.1={group}"));
    assert_eq!(elements(&text, "groupId"), [group], "{text}");
    text.split_once("<securityGroupInfo>").unwrap().1.to_owned()
}

/// The names of the stack's key pairs.
fn keys(stack: &Stack) -> Vec<String> {
    let query = format!(
        "Action=DescribeKeyPairs&Filter.1.Name=tag:eventpost:stack&Filter.1.Value.1={}",
        stack.name
    );
    elements(&stack.call(&query), "keyName")
}

/// Runs `up` until it has launched an instance that no host is behind, and returns the
/// security groups of that.
fn launched_into(stack: &Stack) -> Vec<String> {
    stack.faults(&json!({"host": {"none": true}}));
    let up = stack.begin(&["up"]);
    let id = wait_for("an instance", || stack.instances().pop());
    signal(up.id(), Signal::INT);
    let ran = Ran::of(up.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let text = stack.call(&format!("Action=DescribeInstances&InstanceId.1={id}"));
    let mut groups = elements(&text, "groupId");
    groups.sort();
    groups.dedup();
    groups
}

/// Runs `up`, which must refuse before anything is made.
fn refused(stack: &Stack) -> String {
    let ran = stack.run(&["up"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(stack.instances().is_empty(), "{ran:?}");
    assert!(keys(stack).is_empty(), "{ran:?}");
    ran.stderr
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn somebody_elses_group_of_the_stacks_name_is_neither_used_nor_changed() {
    let stack = unnamed("namesake", "us-east-1");
    let group = make_group(&stack, None);
    open(&stack, &group, 5432);
    let before = known(&stack, &group);
    let error = refused(&stack);
    for part in [group.as_str(), " in vpc-", "eventpost:stack=namesake", "security_group.name"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(stack.run(&["plan"]).code, Some(1));
    stack.run(&["down", "--yes"]).succeeded();
    assert_eq!(known(&stack, &group), before);

    // Another stack's is no better.
    stack.call(&format!(
        "Action=CreateTags&ResourceId.1={group}&Tag.1.Key=eventpost:stack&Tag.1.Value=other"
    ));
    assert!(refused(&stack).contains(&group));
    stack.call(&format!("Action=DeleteSecurityGroup&GroupId={group}"));
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_group_of_the_stacks_name_in_another_network_is_left_alone() {
    let stack = unnamed("elsewhere", "us-east-1");
    let vpc = elements(&stack.call("Action=CreateVpc&CidrBlock=10.9.0.0/16"), "vpcId").remove(0);
    let other = make_group(&stack, Some(&vpc));
    let before = known(&stack, &other);
    let used = launched_into(&stack);
    assert!(used.len() == 1 && used[0] != other, "{used:?}");
    let own = known(&stack, &used[0]);
    assert!(own.contains("<value>elsewhere</value>") && own.contains("<toPort>443<"), "{own}");
    stack.run(&["down", "--yes"]).succeeded();
    assert_eq!(groups(&stack, "elsewhere"), [other.as_str()]);
    assert_eq!(known(&stack, &other), before);
    stack.call(&format!("Action=DeleteSecurityGroup&GroupId={other}"));
    stack.call(&format!("Action=DeleteVpc&VpcId={vpc}"));
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_group_that_the_file_names_is_used_as_it_is() {
    let stack = Stack::new("given", ONE);
    let group = make_group(&stack, None);
    open(&stack, &group, 22);
    let before = known(&stack, &group);
    let error = refused(&stack);
    let command = format!("--group-id {group} --protocol tcp --port 80 --cidr {FROM}");
    assert!(
        error.contains("does not open port 80 from 127.0.0.0/8") && error.contains(&command),
        "{error}"
    );
    assert!(!error.contains("--port 22"), "{error}");
    assert_eq!(known(&stack, &group), before);

    open(&stack, &group, 80);
    let before = known(&stack, &group);
    assert_eq!(launched_into(&stack), [group.as_str()]);
    assert_eq!(stack.status()[0]["drift"], json!([]));
    stack.run(&["down", "--yes"]).succeeded();
    assert_eq!(known(&stack, &group), before);
    stack.call(&format!("Action=DeleteSecurityGroup&GroupId={group}"));
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_group_that_the_file_names_and_that_is_missing_is_made_and_removed() {
    let stack = Stack::new("to-make", ONE);
    // An answer that is lost, or a rival that gave up: nothing has the name in the end.
    stack.faults(&json!({"host": {"none": true}, "api": [{"action": "CreateSecurityGroup",
        "code": "InvalidGroup.Duplicate", "times": 2}]}));
    let ran = stack.begin(&["up"]);
    wait_for("an instance", || stack.instances().pop());
    signal(ran.id(), Signal::INT);
    Ran::of(ran.wait_with_output().unwrap());
    let made = groups(&stack, "to-make");
    assert!(made.len() == 1 && known(&stack, &made[0]).contains("<value>to-make</value>"));
    stack.faults(&json!({}));
    stack.run(&["down", "--yes"]).succeeded();
    assert!(groups(&stack, "to-make").is_empty());
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_missing_default_network_is_found_before_anything_is_made() {
    let region = "eu-west-3";
    let stack = unnamed("nowhere", region);
    let default = "Filter.1.Name=is-default&Filter.1.Value.1=true";
    let found = stack.call_in(region, &format!("Action=DescribeVpcs&{default}"));
    for vpc in elements(&found, "vpcId") {
        let of_vpc = format!("Filter.1.Name=vpc-id&Filter.1.Value.1={vpc}");
        let subnets = stack.call_in(region, &format!("Action=DescribeSubnets&{of_vpc}"));
        for subnet in elements(&subnets, "subnetId") {
            stack.call_in(region, &format!("Action=DeleteSubnet&SubnetId={subnet}"));
        }
        let deleted = stack.call_in(region, &format!("Action=DeleteVpc&VpcId={vpc}"));
        assert!(deleted.starts_with("HTTP/1.1 200"), "{deleted}");
    }
    let error = refused(&stack);
    assert!(error.contains("`aws ec2 create-default-vpc --region eu-west-3`"), "{error}");
    let names = stack.call_in(region, "Action=DescribeKeyPairs");
    assert!(elements(&names, "keyName").is_empty(), "{names}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_key_pair_of_somebody_else_is_neither_launched_with_nor_removed() {
    let stack = Stack::new("locksmith", ONE);
    launched_into(&stack);
    let name = keys(&stack).remove(0);
    stack.run(&["down", "--yes"]).succeeded();
    assert!(keys(&stack).is_empty());

    let tag = "&TagSpecification.1.ResourceType=key-pair&TagSpecification.1.Tag.1.Key=eventpost:stack\
        &TagSpecification.1.Tag.1.Value=locksmith";
    for (tag, problem) in [("", "lacks the tag"), (tag, "has another public key")] {
        let made = stack.call(&format!("Action=CreateKeyPair&KeyName={name}{tag}"));
        let id = elements(&made, "keyPairId").remove(0);
        let ran = stack.run(&["up"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(&id) && ran.stderr.contains(problem), "{ran:?}");
        assert!(stack.instances().is_empty() && groups(&stack, "locksmith").is_empty());
        stack.run(&["down", "--yes"]).succeeded();
        let left = stack.call(&format!(
            "Action=DescribeKeyPairs&Filter.1.Name=key-name&Filter.1.Value.1={name}"
        ));
        assert_eq!(elements(&left, "keyPairId").is_empty(), !tag.is_empty(), "{left}");
        stack.call(&format!("Action=DeleteKeyPair&KeyName={name}"));
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_key_pair_that_only_has_the_name_of_the_lock_is_no_lock() {
    let stack = Stack::new("squatter", ONE);
    let name = "eventpost-lock-squatter";
    stack.call(&format!("Action=DeleteKeyPair&KeyName={name}"));
    let made = stack.call(&format!("Action=CreateKeyPair&KeyName={name}"));
    let id = elements(&made, "keyPairId").remove(0);
    for args in [&["up"][..], &["down", "--yes"]] {
        let ran = stack.run(args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(&format!("the key pair {id} has the name")), "{ran:?}");
    }
    stack.run(&["unlock", "--yes"]).succeeded();
    let left = stack.call("Action=DescribeKeyPairs");
    assert!(elements(&left, "keyPairId").contains(&id), "{left}");
    stack.call(&format!("Action=DeleteKeyPair&KeyName={name}"));
}
