//! The bad line: what passes it is unchanged, and what goes wrong on it is what was ordered.

mod faults;
mod passing;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Connection, Ended, run, towline};

/// `towline chaos` as a child process.
#[derive(Debug)]
struct Chaos {
    child: Child,
    address: SocketAddr,
    hello: String,
}

impl Chaos {
    fn start(to: SocketAddr, arguments: &[&str]) -> Self {
        let mut command = towline();
        command.args(["chaos", "--json", "--seed", "7", "--to", &to.to_string()]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut hello = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut hello).unwrap();
        let address = hello.split("http://").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {hello:?}"));
        Self { child, address, hello }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// What it says it has carried and done so far, without ending it.
    fn ask(&mut self) -> Value {
        self.signal("USR1");
        let mut line = String::new();
        // Byte by byte, so that nothing is taken that comes later.
        let out = self.child.stdout.as_mut().unwrap();
        while !line.ends_with('\n') {
            let mut byte = [0];
            out.read_exact(&mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
        serde_json::from_str(&line).unwrap()
    }

    /// Ends it; gives what it has carried and done.
    fn end(mut self) -> Value {
        self.signal("TERM");
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out:?}"))
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        // Harmless when it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn ended(arguments: &[&str]) -> Ended {
    run(&[&["chaos"], arguments].concat())
}

#[test]
fn it_says_where_it_is_how_bad_and_at_its_end_what_it_did() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut chaos = Chaos::start(
        nobody,
        &["--rate", "10mbit", "--latency", "100ms", "--loss", "1%", "--cut-every", "20MiB"],
    );
    let address = chaos.address;
    assert_eq!(
        chaos.hello,
        format!(
            "towline chaos: http://{address} -> http://127.0.0.1:9 (seed 7, rate 10 Mbit/s, latency 100ms, loss 1%, \
             cut every 20.0 MiB)\n"
        )
    );
    let so_far = chaos.ask();
    assert_eq!((&so_far["seed"], &so_far["connections"]), (&7.into(), &0.into()));
    assert_eq!(chaos.end(), so_far);

    let table = ended(&["--to", "127.0.0.1:9", "--for", "1ms"]);
    assert_eq!(table.code, Some(0));
    assert!(table.err.contains("(seed "), "{}", table.err);
    let names: Vec<&str> = table.out.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(
        names,
        [
            "connections",
            "requests",
            "up",
            "up passed",
            "down",
            "down passed",
            "losses",
            "stalls",
            "cuts",
            "errors",
            "swallowed",
            "unreachable"
        ]
    );

    let interrupted = Chaos::start(nobody, &[]);
    interrupted.signal("INT");
    let mut interrupted = interrupted;
    assert_eq!(interrupted.child.wait().unwrap().code(), Some(130));
}

#[test]
fn what_no_line_can_be_is_refused_with_what_is_allowed() {
    for (flag, value, allowed) in [
        ("--rate", "10", "such as 10mbit"),
        ("--line-rate", "fast", "such as 10mbit"),
        ("--latency", "100", "such as 100ms"),
        ("--jitter", "-1ms", "such as 100ms"),
        ("--window", "1KiB", "from 4KiB to 1GiB"),
        ("--loss", "80%", "from 0% to 50%"),
        ("--cut-every", "often", "20MiB, or a time such as 30s"),
        ("--stall-every", "0", "20MiB, or a time such as 30s"),
        ("--error-rate", "5", "such as 5%"),
        ("--swallow-rate", "0.05", "such as 5%"),
        ("--to", "https://example.com", "give HOST:PORT"),
        ("--to", "http://example.com/bucket", "without a path"),
        ("--listen", "8000", "such as 127.0.0.1:0"),
    ] {
        let flag = format!("{flag}={value}");
        let ended = ended(&[&flag]);
        assert_eq!(ended.code, Some(2), "{flag}");
        assert!(ended.err.contains(allowed), "{flag}: {}", ended.err);
    }
    let nowhere = ended(&["--to", "nowhere.invalid:80"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.err.starts_with("error: cannot find nowhere.invalid:80"), "{}", nowhere.err);
}

#[test]
fn its_help_fits_a_screen() {
    insta::assert_snapshot!(ended(&["-h"]).out, @r"
    Be a bad line between a client and a server: slow, far away, and broken now and then

    Usage: towline chaos [OPTIONS] --to <ADDRESS>

    Options:
          --to <ADDRESS>      The server: http://HOST:PORT or HOST:PORT
          --listen <ADDRESS>  Where clients connect to; port 0 is any free one [default: 127.0.0.1:0]
          --seed <NUMBER>     The same number, the same chances [default: a random one]
          --for <TIME>        End after this time
          --json              Print a JSON object
      -h, --help              Print help

    Slow and far away:
          --rate <RATE>       What a connection gets, each way: 10mbit, 500kbit, 2MiB … a second
          --line-rate <RATE>  What all connections get together, each way
          --latency <TIME>    How long bytes are on their way, each way
          --jitter <TIME>     Up to so much longer, by chance; bytes stay in order
          --window <SIZE>     At most so much of a connection is on its way, each way [default: 4MiB]
          --loss <SHARE>      Lose packets: each is a pause of 200 ms and twice the latency

    Broken:
          --cut-every <SIZE|TIME>    Reset a connection after 20MiB, or 30s, on average
          --stall-every <SIZE|TIME>  Let a connection fall silent every so often
          --stall <TIME>             How long it stays silent [default: 5s]
          --error-rate <SHARE>       Answer so many requests with 429, 500, 502 or 503 instead
          --swallow-rate <SHARE>     Let the server do what so many ask, and cut instead of a reply

    Examples:
      towline chaos --to http://127.0.0.1:8000 --rate 10mbit --latency 100ms
      towline chaos --to localhost:3900 --listen 127.0.0.1:4000 --cut-every 20MiB --error-rate 5%

    Point any client at the address that is printed. Ctrl-C prints what was carried and done.
    ");
}
