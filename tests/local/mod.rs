//! `up`, `status`, `seed` and `down` with real services on this machine.

mod access;
mod data;
mod database;
mod failures;
mod isolation;
mod lifecycle;
mod privacy;
mod seeding;

use std::fs;

use serde_json::Value;

use crate::harness::cli::World;
use crate::harness::http::send;

/// The resources that a service holds.
fn resources(world: &World, service: &str) -> Vec<Value> {
    let address = world.holder(service).expect("it must run").address;
    let list = send(address, "GET", &format!("/{service}"), None).json();
    list.as_array().unwrap().clone()
}

/// How many fixtures a service has.
fn fixtures(service: &str) -> usize {
    let path = format!("{}/fixtures/{service}.yml", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap().lines().filter(|line| line.starts_with("- ")).count()
}
