//! Judges what a host reports about itself. Pure: it works from the facts that
//! `templates/doctor.sh` prints.

use std::collections::BTreeMap;

use super::Check;
use crate::docker::ContainerStatus;

/// A disk is full from this percentage on: Docker and the logs of services need room.
const FULL: u32 = 95;
/// The folders with data, images and logs.
const FOLDERS: [&str; 2] = ["/", "/var/lib/docker"];
/// The largest difference of clocks, in seconds: notifications would be late, and AWS refuses
/// signatures from five minutes on.
const CLOCK: u64 = 30;

/// The facts of a host, by name.
#[derive(Debug, Clone, Default)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Reads what the script printed.
    pub fn parse(text: &str) -> Self {
        let fact = |line: &str| {
            let (name, value) = line.split_once('\t')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        Self(text.lines().filter_map(fact).collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Checks the facts, in the order in which one thing depends on another. `now` is the time of
    /// this machine, in seconds since 1970.
    pub fn judge(&self, now: u64) -> Vec<Check> {
        let mut checks = vec![self.cloud_init(), self.disk(), self.docker()];
        if self.get("docker") != "missing" {
            checks.push(self.container());
        }
        if self.status() == Some(ContainerStatus::Running) {
            checks.push(self.ready());
        }
        checks.push(self.held_back());
        checks.push(self.clock(now));
        checks
    }

    /// The status of the container; `None` if there is none, or nobody knows.
    fn status(&self) -> Option<ContainerStatus> {
        ContainerStatus::parse(self.get("container"))
    }

    fn cloud_init(&self) -> Check {
        let subject = "cloud-init";
        match self.get("cloud-init") {
            "done" | "disabled" => Check::fine(subject, "has set the host up"),
            "" => Check::fine(subject, "is not used here"),
            "running" | "not run" => Check::wrong(
                subject,
                "has not set the host up yet",
                "wait a minute, then check again; /var/log/cloud-init-output.log says what it does",
            ),
            other => Check::wrong(
                subject,
                format!("says `{other}`"),
                "`eventpost ssh SERVICE`, and read /var/log/cloud-init-output.log",
            ),
        }
    }

    /// The fullest of the disks that matter.
    fn disk(&self) -> Check {
        let percent = |what: &str, folder: &str| {
            let value = self.get(&format!("{what} {folder}"));
            Some((value.trim_end_matches('%').parse::<u32>().ok()?, folder.to_owned()))
        };
        let fullest = |what: &str| FOLDERS.iter().filter_map(|it| percent(what, it)).max();
        let Some((bytes, folder)) = fullest("disk") else {
            return Check::unknown("disk", "the host does not report it");
        };
        let found = match fullest("inodes") {
            Some((inodes, folder)) if inodes >= FULL => {
                format!("{folder} has used {inodes} % of its inodes")
            }
            _ => format!("{folder} is {bytes} % full"),
        };
        if bytes < FULL && !found.ends_with("inodes") {
            return Check::fine("disk", found);
        }
        Check::wrong(
            "disk",
            found,
            "free some space: `eventpost exec SERVICE -- sudo docker system prune` removes what no \
             container uses; `sudo du -xh / | sort -h | tail` shows what is large",
        )
    }

    fn docker(&self) -> Check {
        match self.get("docker") {
            "runs" => Check::fine("Docker", "runs"),
            "missing" => Check::wrong("Docker", "is not installed", "`eventpost up` installs it"),
            problem => Check::wrong(
                "Docker",
                if problem.is_empty() { "does not answer" } else { problem },
                "`eventpost exec SERVICE -- sudo systemctl restart docker`; `sudo journalctl -u \
                 docker` says why it stopped",
            ),
        }
    }

    fn container(&self) -> Check {
        let (subject, state) = ("container", self.get("container"));
        let last = self.get("last-line");
        let ended = format!(
            "is {state}, exit code {}, {} restarts; its last line: {last}",
            self.get("exit-code"),
            self.get("restarts")
        );
        if self.get("out-of-memory") == "true" {
            return Check::wrong(
                subject,
                "was killed because it exceeded its memory limit",
                "`eventpost logs SERVICE`; a larger instance_type does not help: the limit is the \
                 container's own, 1 GiB",
            );
        }
        match self.status() {
            Some(ContainerStatus::Running) => Check::fine(subject, "runs"),
            None if state == "missing" => Check::wrong(
                subject,
                "there is none",
                "`eventpost deploy` starts one with the existing data",
            ),
            None => Check::unknown(subject, "Docker does not report it"),
            Some(ContainerStatus::Exited | ContainerStatus::Dead)
                if !self.get("error").is_empty() =>
            {
                Check::wrong(
                    subject,
                    format!("could not be started: {}", self.get("error")),
                    "fix what it says, then `eventpost deploy`",
                )
            }
            Some(ContainerStatus::Exited) if self.get("exit-code") == "0" => Check::wrong(
                subject,
                "was stopped",
                "`eventpost exec SERVICE -- sudo docker start eventpost-SERVICE`",
            ),
            _ => Check::wrong(
                subject,
                ended,
                "`eventpost logs SERVICE` has the rest; `eventpost deploy` restarts it, and \
                 `eventpost rollback` returns to the previous release",
            ),
        }
    }

    fn ready(&self) -> Check {
        match self.get("ready") {
            "0" => Check::fine("service", "reports inside its container that it is ready"),
            // Programs of others have no such command; asking from outside shows it.
            "1" => Check::wrong(
                "service",
                "reports inside its container that it is not ready",
                "`eventpost logs SERVICE` says why: a full disk, or data that are damaged",
            ),
            _ => Check::unknown("service", "its program cannot say whether it is ready"),
        }
    }

    fn held_back(&self) -> Check {
        match self.get("held-back") {
            "" | "0" => Check::fine("packet filter", "blocks no connections"),
            _ => Check::wrong(
                "packet filter",
                "blocks new connections, as switching containers does for a second",
                "if no `eventpost deploy` or `rollback` is running, one was interrupted: \
                 `eventpost exec SERVICE -- sudo iptables -t raw -F`, the same with `ip6tables`, then \
                 `eventpost deploy`",
            ),
        }
    }

    fn clock(&self, now: u64) -> Check {
        let Ok(there) = self.get("clock").parse::<u64>() else {
            return Check::unknown("clock", "the host does not report it");
        };
        let off = there.abs_diff(now);
        if off < CLOCK {
            return Check::fine("clock", format!("within {} s of this machine's", off.max(1)));
        }
        let way = if there > now { "ahead of" } else { "behind" };
        Check::wrong(
            "clock",
            format!("{off} s {way} this machine's"),
            "find out which of the two is wrong with `date -u`; on the host `sudo timedatectl set-ntp true`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Verdict, cause};
    use super::*;

    const FINE: &str = "clock\t1000\ncloud-init\tdone\ndisk /\t40%\ninodes /\t3%\n\
        disk /var/lib/docker\t41%\ninodes /var/lib/docker\t3%\ndocker\truns\n\
        container\trunning\nexit-code\t0\nrestarts\t0\nready\t0\nheld-back\t0\n";

    /// The cause that is found if these facts differ.
    fn caused(others: &[(&str, &str)]) -> (&'static str, String) {
        let mut facts = Facts::parse(FINE);
        for (name, value) in others {
            facts.0.insert((*name).into(), (*value).into());
        }
        let checks = facts.judge(1010);
        let found = cause(&checks).unwrap_or_else(|| panic!("{checks:?}"));
        assert!(found.fix.is_some());
        (found.subject, found.found.clone())
    }

    #[test]
    fn a_host_that_is_well_has_no_cause() {
        let checks = Facts::parse(FINE).judge(1010);
        assert_eq!(cause(&checks), None, "{checks:?}");
    }

    #[test]
    fn a_docker_that_does_not_answer_leaves_the_container_unknown() {
        let refused = "Cannot connect to the Docker daemon";
        for docker in [refused, "runs"] {
            let text = FINE.replace("docker\truns", &format!("docker\t{docker}"));
            let text = text.replace("container\trunning", "container\tunknown");
            let checks = Facts::parse(&text).judge(1010);
            let container = checks.iter().find(|check| check.subject == "container").unwrap();
            assert_eq!((container.verdict, &container.fix), (Verdict::Unknown, &None));
            let cause = cause(&checks).map(|check| check.found.as_str());
            assert_eq!(cause, Some(refused).filter(|it| *it == docker));
        }
    }

    #[test]
    fn a_container_is_missing_only_if_docker_says_so() {
        let (subject, found) = caused(&[("container", "missing")]);
        assert_eq!((subject, found.as_str()), ("container", "there is none"));
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_the_cause() {
        let restarting = [("container", "restarting"), ("exit-code", "65"), ("last-line", "bad")];
        let (subject, found) = caused(&restarting);
        assert_eq!(subject, "container");
        assert!(found.contains("exit code 65") && found.ends_with("bad"), "{found}");
        // A full disk is why it does not run.
        let full = [&restarting[..], &[("disk /var/lib/docker", "100%")]].concat();
        assert_eq!(caused(&full), ("disk", "/var/lib/docker is 100 % full".into()));
        assert_eq!(caused(&[("inodes /", "99%")]).1, "/ has used 99 % of its inodes");
        assert_eq!(caused(&[("docker", "missing"), ("container", "missing")]).0, "Docker");
        assert_eq!(caused(&[("out-of-memory", "true")]).0, "container");
        assert_eq!(caused(&[("ready", "1")]).0, "service");
        assert_eq!(caused(&[("held-back", "1")]).0, "packet filter");
        assert_eq!(caused(&[("clock", "2000")]), ("clock", "990 s ahead of this machine's".into()));
        assert_eq!(caused(&[("cloud-init", "error")]).0, "cloud-init");
    }
}
