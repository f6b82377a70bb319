//! What hosts are launched with, and what an account's policies want of a launch.

use serde_json::{Value, json};

use super::ONE;
use crate::harness::region::{Stack, elements};

/// Hosts that need nothing but the API.
const NO_HOST: &str = r#"{"host": {"none": true}}"#;

fn filtered(stack: &Stack, action: &str) -> String {
    stack.call(&format!("Action={action}&Filter.1.Name=tag:owner&Filter.1.Value.1={}", stack.name))
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_policy_is_met_by_the_plan_and_by_the_launch() {
    let stack = Stack::new("policy", ONE);
    let none: Value = serde_json::from_str(NO_HOST).unwrap();
    let policy = json!({"policy": {"tags": ["owner"], "tokens": true}, "host": none["host"]});
    stack.faults(&policy);
    // Found before anything is made, and told from a permission that is missing.
    for keys in ["", "tags: {owner: policy}\nmetadata_tokens: optional\n"] {
        stack.describe_with(keys, ONE);
        for command in ["plan", "up"] {
            let denied = stack.run(&[command]);
            assert_eq!(denied.code, Some(1), "{denied:?}");
            assert!(denied.stderr.contains("A policy of the account"), "{denied:?}");
            assert!(!denied.stderr.contains("xxxx"), "{denied:?}");
        }
    }
    assert!(filtered(&stack, "DescribeSecurityGroups").matches("<groupId>").count() == 0);

    let key = "alias/data";
    stack.describe_with(
        &format!(
            "address: elastic\ntags: {{owner: policy, Name: mine}}\n\
             disk: {{size: 30, type: gp2, kms_key: {key}}}\n"
        ),
        ONE,
    );
    let plan = stack.run(&["plan"]);
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.stdout.contains("no standard security updates since 2023-05"), "{plan:?}");
    let mut up = stack.begin(&["up"]);
    let launched = crate::harness::wait_for("the launch", || {
        let text = filtered(&stack, "DescribeInstances");
        elements(&text, "instanceId").pop().map(|_| text)
    });
    up.kill().unwrap();
    up.wait().unwrap();
    for part in
        ["<value>mine</value>", "<value>events</value>", "<httpTokens>required</httpTokens>"]
    {
        assert!(launched.contains(part), "{part}: {launched}");
    }
    for (action, element) in [
        ("DescribeSecurityGroups", "groupId"),
        ("DescribeKeyPairs", "keyName"),
        ("DescribeVolumes", "volumeId"),
        ("DescribeAddresses", "publicIp"),
    ] {
        let text = filtered(&stack, action);
        assert!(!elements(&text, element).is_empty(), "{action}: {text}");
    }
    let volumes = filtered(&stack, "DescribeVolumes");
    for part in ["<size>30</size>", "<volumeType>gp2</volumeType>", key] {
        assert!(volumes.contains(part), "{part}: {volumes}");
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn what_cannot_boot_the_services_is_found_before_the_launch() {
    let stack = Stack::new("images", ONE);
    for (keys, problem) in [
        ("image: ami-0a6400000000000a6\n", "is for arm64 processors"),
        ("instance_type: t4g.large\n", "t4g.large has arm64 processors"),
        ("disk: {size: 8}\n", "disk.size is 8 GiB, and ami-055744c75048d8296 needs 15"),
        ("image: ami-0123456789abcdef0\n", "ami-0123456789abcdef0"),
    ] {
        stack.describe_with(keys, ONE);
        let refused = stack.run(&["plan"]);
        assert_eq!(refused.code, Some(1), "{keys}: {refused:?}");
        assert!(refused.stderr.contains(problem), "{keys}: {refused:?}");
    }
    for (image, id) in [
        ("ubuntu-18.04", "ami-055744c75048d8296"),
        ("ubuntu-24.04", "ami-0f0ca1000000024a4"),
        ("debian-13", "ami-0deb1a0000000013a"),
    ] {
        stack.describe_with(&format!("image: {image}\n"), ONE);
        let plan = stack.run(&["plan"]);
        assert_eq!(plan.code, Some(2), "{image}: {plan:?}");
        assert!(plan.stdout.contains(id), "{image}: {plan:?}");
        assert_eq!(plan.stdout.contains("security updates"), image == "ubuntu-18.04", "{plan:?}");
    }
}
