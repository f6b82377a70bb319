//! Up, status, seed, replace, down, with nothing in the way.

use std::fs;

use serde_json::{Value, json};

use super::{BOTH, ONE};
use crate::harness::http::{ask, send};
use crate::harness::region::{Stack, answers_at, elements, on_host};
use crate::harness::snapshot::assert_text;

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_stack_is_launched_replaced_and_ended_and_nothing_else_is_touched() {
    let stack = Stack::new("life", BOTH);
    // An instance called `events` that somebody else has.
    let bystander = stack.call(
        "Action=RunInstances&ImageId=ami-055744c75048d8296&InstanceType=t2.micro&MinCount=1\
         &MaxCount=1&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name\
         &TagSpecification.1.Tag.1.Value=events",
    );
    let bystander = elements(&bystander, "instanceId").remove(0);

    let plan = stack.run(&["plan", "--output", "json"]);
    assert_eq!(plan.code, Some(2), "{plan:?}");
    let plan = plan.json();
    assert_eq!(plan["operations"].as_array().unwrap().len(), 6, "{plan}");
    assert_eq!(
        (&plan["cost"]["hourly"], &plan["last_time_seconds"]),
        (&json!(0.3812), &json!(null))
    );
    assert!(stack.instances().is_empty());

    let rows = stack.run(&["up", "--output", "json"]).succeeded().json();
    assert!(rows[0]["url"].as_str().unwrap().ends_with(".amazonaws.com/events"), "{rows}");
    let steps: Vec<_> = rows[0]["steps"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(steps, ["launch", "SSH", "Docker and image", "container", "seed"]);
    let first = stack.instances();
    assert_eq!(first.len(), 2);
    check_healthy(&stack);
    check_hardening(&stack, &first);

    let seeded = stack.run(&["seed", "--output", "json"]).succeeded().json();
    assert_eq!((&seeded[0]["added"], &seeded[1]["added"]), (&json!(0), &json!(0)));

    check_dry_run(&stack, &first);
    let status = stack.run(&["status"]).succeeded();
    assert_text("ec2", "status", &columns(&status.stdout));

    // The hosts hold data, and nobody can be asked.
    let refused = stack.run(&["up", "--fresh"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("the data on them will be lost"), "{refused:?}");
    assert_eq!(stack.instances(), first);

    stack.run(&["up", "--fresh", "--yes"]).succeeded();
    let second = stack.instances();
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|id| !first.contains(id)), "{first:?} {second:?}");
    check_healthy(&stack);

    check_down(&stack, &second);

    let text = stack.call(&format!("Action=DescribeInstances&InstanceId.1={bystander}"));
    assert!(text.contains("<name>running</name>"), "{text}");
    stack.call(&format!("Action=TerminateInstances&InstanceId.1={bystander}"));
}

/// A table with its columns separated by bars, and with no value that differs between runs.
fn columns(table: &str) -> String {
    let cells = |line: &str| -> Vec<_> {
        line.split("  ").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let headings = cells(table.lines().next().unwrap());
    let differs = ["INSTANCE", "ADDRESS", "AGE", "SPENT", "IMAGE"];
    let row = |line| {
        let row = headings.iter().zip(cells(line)).map(|(heading, cell)| match cell {
            cell if cell != *heading && differs.contains(&heading.as_str()) => "…".to_owned(),
            cell => cell,
        });
        row.collect::<Vec<_>>().join(" | ")
    };
    table.lines().map(row).collect::<Vec<_>>().join("\n")
}

/// A dry run shows that the hosts are replaced, and changes nothing.
fn check_dry_run(stack: &Stack, hosts: &[String]) {
    let plan = stack.run(&["up", "--dry-run"]);
    for id in hosts {
        assert_eq!(plan.stdout.matches(id.as_str()).count(), 2, "{plan:?}");
    }
    stack.world.assert_shown("ec2", "plan-replaces-hosts", &plan);
    assert_eq!(stack.instances(), hosts);
}

/// `down` asks, and then leaves nothing of the stack.
fn check_down(stack: &Stack, hosts: &[String]) {
    let refused = stack.run(&["down"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(hosts.iter().all(|id| refused.stderr.contains(id)), "{refused:?}");
    let ended = stack.run(&["down", "--yes", "--output", "json"]).succeeded().json();
    let ended = ended.as_array().unwrap().clone();
    assert_eq!(ended.len(), hosts.len());
    assert!(ended.iter().all(|row| hosts.iter().any(|id| row["what"] == id.as_str())));
    assert!(stack.instances().is_empty());
    let tagged = "Filter.1.Name=tag:eventpost:stack&Filter.1.Value.1=life";
    let groups = stack.call(&format!("Action=DescribeSecurityGroups&{tagged}"));
    assert!(elements(&groups, "groupId").is_empty(), "{groups}");
    let keys = stack.call(&format!("Action=DescribeKeyPairs&{tagged}"));
    assert!(elements(&keys, "keyName").is_empty(), "{keys}");
    assert_eq!(stack.run(&["status"]).code, Some(3));

    // The tags of terminated instances need no key, which another machine does not have.
    let other = stack.world.path().join("other");
    let history = ["history", "--state-dir", other.to_str().unwrap(), "--output", "json"];
    let launches = stack.run(&history).succeeded().json();
    assert!(launches.as_array().unwrap().len() >= hosts.len(), "{launches}");
    assert!(!other.exists(), "history creates no key");
}

fn check_healthy(stack: &Stack) {
    let rows = stack.status();
    assert_eq!(rows.len(), 2);
    check_page(&rows[0], &rows[1]);
    for row in rows {
        assert_eq!(row["health"], "healthy", "{row}");
        assert_eq!(row["state"], "running", "{row}");
        assert_eq!(row["instance_type"], "t2.xlarge", "{row}");
        assert_eq!(row["container"], "running", "{row}");
        assert_eq!(row["drift"], json!([]), "{row}");
        assert_eq!(row["resources"], 8, "{row}");
        let list =
            send(answers_at(&row), "GET", &format!("/{}", row["service"].as_str().unwrap()), None);
        assert_eq!(list.json().as_array().unwrap().len(), 8);
    }
}

/// The page may use the other host. It offers no reminders, since anybody may write events here.
fn check_page(events: &Value, notifications: &Value) {
    let page = send(answers_at(events), "GET", "/", None);
    let policy = page.header("content-security-policy").unwrap();
    assert!(!policy.contains("connect-src"), "{policy}");
    for own in [&events["dns"], &events["address"]] {
        let origin = format!("http://{}", own.as_str().unwrap());
        let header = format!("Origin: {origin}\r\n");
        let answer = ask(answers_at(notifications), "OPTIONS", "/notifications", &header, "");
        assert_eq!(answer.header("access-control-allow-origin"), Some(&*origin), "{answer:?}");
    }
}

/// What the hosts and their containers must be, seen from their consoles.
fn check_hardening(stack: &Stack, instances: &[String]) {
    for id in instances {
        let format = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}} \
            {{.HostConfig.SecurityOpt}} {{.HostConfig.RestartPolicy.Name}}";
        let service = on_host(id, &["sh", "-c", "docker ps --format '{{.Names}}'"]);
        let seen = on_host(id, &["docker", "inspect", "--format", format, service.trim()]);
        assert_eq!(seen.trim(), "true [ALL] 65532:65532 [no-new-privileges] unless-stopped");
        // The host key of the user data has been replaced by one made on the host.
        let key = on_host(id, &["cut", "-d ", "-f2", "/etc/ssh/ssh_host_ed25519_key.pub"]);
        let user_data = on_host(id, &["cat", "/var/lib/cloud/seed/nocloud/user-data"]);
        assert!(user_data.contains("ssh_keys") && !user_data.contains(key.trim()), "{user_data}");
        let text = stack.call(&format!("Action=DescribeInstances&InstanceId.1={id}"));
        assert!(text.contains(&format!("<value>{}</value>", key.trim())), "{text}");
        assert!(text.contains("<httpTokens>required</httpTokens>"), "{text}");
        assert!(text.contains("<key>Name</key>"), "{text}");
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn drift_from_the_file_is_reported() {
    let stack = Stack::new("drift", ONE);
    stack.run(&["up"]).succeeded();
    let group =
        stack.call("Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1=drift");
    let group = elements(&group, "groupId").remove(0);
    stack.call(&format!(
        "Action=RevokeSecurityGroupIngress&GroupId={group}&IpPermissions.1.IpProtocol=tcp\
         &IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80\
         &IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"
    ));
    let path = stack.world.path().join("eventpost.yml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("instance_type: t3.large\nimage: ami-04b9e92b5572fa0d1\n{text}"))
        .unwrap();
    let drift = stack.status()[0]["drift"].to_string();
    for part in
        ["type is t2.xlarge, not t3.large", "not ami-04b9e92b5572fa0d1", "port 80 is closed"]
    {
        assert!(drift.contains(part), "{drift}");
    }
}
