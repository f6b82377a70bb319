//! The real programs, from outside: services over TCP, the command as a process.

mod access;
mod api;
mod backup;
mod bench;
mod command;
mod conformance;
mod connections;
mod crash;
mod ec2;
mod full_disk;
mod harness;
mod help;
mod hostile;
mod layers;
mod leaving;
mod local;
mod mail;
mod openapi;
mod page;
mod search;
mod service_process;
mod storage;
mod verbose;
