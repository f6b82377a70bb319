//! Clients whose addresses Docker's proxy hides, and one beside them whose address is seen.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;

use rustix::net::{self, AddressFamily, SocketType, socket};

use crate::harness::region::docker;
use crate::harness::{program, temp_dir, wait_for};

/// What one client may have.
const CONNECTIONS: usize = 3;
/// How many clients those behind the proxy count as.
const TIMES: usize = 16;

/// A container that is removed with this value, and its image with it.
struct Container {
    name: String,
    port: u16,
}

/// Runs a command of Docker's, and returns what it says.
fn run(args: &[&str]) -> String {
    let output = docker().args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

impl Container {
    /// A container as the templates run it, with the program of this build in it.
    fn start(dir: &Path) -> Self {
        let name = format!("eventpost-clients-{}", std::process::id());
        std::fs::write(dir.join("Dockerfile"), "FROM scratch\nUSER 65532\n").unwrap();
        run(&["build", "-q", "-t", &name, &dir.display().to_string()]);
        let events = format!("{}:/events:ro", program("events").display());
        let limit = format!("LIMIT_CONNECTIONS={CONNECTIONS}");
        let template = include_str!("../../templates/container.sh");
        let told = template.split_ascii_whitespace().find(|word| word.starts_with("DOCKER_PROXY="));
        let told = told.unwrap().trim_end_matches('\'');
        // The program is linked to the system's libraries, unlike the one that is deployed.
        let libraries = ["/lib", "/lib64", "/usr"].map(|it| format!("{it}:{it}:ro"));
        let mut args =
            vec!["run", "-d", "--name", &name, "-p", "8080", "--tmpfs", "/data:mode=1777"];
        args.extend(libraries.iter().chain([&events]).flat_map(|it| ["-v", it]));
        args.extend(["-e", told, "-e", &limit, "-e", "ACCESS=open"]);
        args.extend([&name, "/events", "--data", "/data/events"]);
        run(&args);
        let ports = run(&["port", &name, "8080"]);
        let port = ports.lines().next().and_then(|line| line.rsplit(':').next()).unwrap();
        Self { port: port.parse().unwrap(), name }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker().args(["rm", "-f", "-v", &self.name]).output();
        let _ = docker().args(["rmi", &self.name]).output();
    }
}

/// Sends a request from one address of this machine to another one. Returns the status of the answer,
/// and the connection, which stays open.
fn ask(from: IpAddr, to: SocketAddr) -> std::io::Result<(u16, TcpStream)> {
    let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    net::bind(&socket, &SocketAddr::new(from, 0))?;
    net::connect(&socket, &to)?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok((String::from_utf8_lossy(&head[9..]).parse().unwrap(), stream))
}

/// Opens so many connections, or as many as there may be.
fn open(from: IpAddr, to: SocketAddr, most: usize) -> Vec<TcpStream> {
    let answered = |(status, stream)| match status {
        200 => Some(stream),
        429 => None,
        _ => panic!("{status}"),
    };
    (0..most).map_while(|_| answered(ask(from, to).unwrap())).collect()
}

/// Two addresses whose clients come through Docker's proxy: of IPv6, if this machine has it.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to see it")]
fn hidden() -> [IpAddr; 2] {
    let loopback = IpAddr::from(Ipv6Addr::LOCALHOST);
    let probe = UdpSocket::bind((loopback, 0));
    if probe.is_err() {
        eprintln!("SKIPPED: this machine has no IPv6; clients of its loopback stand for those");
        return [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into()];
    }
    let outside = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(("2001:db8::1", 9))?;
        socket.local_addr()
    });
    [loopback, outside.map_or(loopback, |address| address.ip())]
}

/// The address of this machine by which it reaches others with IPv4.
fn seen() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

#[test]
#[ignore = "needs root and the testbed: run scripts/test"]
fn clients_behind_dockers_proxy_have_as_much_as_many_and_others_as_much_as_one() {
    let dir = temp_dir();
    let container = Container::start(dir.path());
    let [one, other] = hidden();
    let seen = seen();
    let at = |address: IpAddr| SocketAddr::new(address, container.port);
    wait_for("the service to answer", || ask(seen, at(seen)).ok());
    let first = open(one, at(one), 2 * CONNECTIONS);
    assert_eq!(first.len(), 2 * CONNECTIONS, "{one}");
    let second = open(other, at(other), 2 * CONNECTIONS);
    assert_eq!(second.len(), 2 * CONNECTIONS, "{other}");
    let rest = open(one, at(one), 2 * TIMES * CONNECTIONS);
    assert_eq!(first.len() + second.len() + rest.len(), TIMES * CONNECTIONS);
    // One whose address is seen has its own, and no more.
    let own = open(seen, at(seen), 2 * CONNECTIONS);
    assert_eq!(own.len(), CONNECTIONS, "{seen}");
}
