//! Deployments to real hosts of the testbed: over the EC2 API, SSH and Docker.

mod access;
mod account;
mod address;
mod bench;
mod change;
mod clients;
mod copies;
mod database;
mod doctor;
mod existing;
mod faults;
mod greeting;
mod https;
mod inside;
mod interrupts;
mod launch;
mod lifecycle;
mod locks;
mod logins;
mod mail;
mod ownership;
mod refusals;
mod reminders;
mod replace;
mod verbose;

/// Both services, as `World` lays them out.
const BOTH: &str = "  events:\n    build: events\n    fixtures: events.yml\n    \
    page: {reminders: notifications}\n  notifications: {build: notifications, fixtures: notifications.yml}\n";
/// One service is enough where the fault is of one host.
const ONE: &str = "  events: {build: events, fixtures: events.yml}\n";
