//! The page in a real browser.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{bench, prepare};

/// Opens a page, and returns the browser's output: the document on standard output, the console on
/// standard error.
fn browse(url: &str, more: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--log-level=0", "--hide-scrollbars"])
        .args(["--window-size=1200,1800", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(url)
        .output()
        .expect("chromium, which scripts/test installs");
    assert!(output.status.success(), "{output:?}");
    output
}

/// What a page's console says.
fn console(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect()
}

fn file(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[test]
#[ignore = "needs Chromium: run scripts/test"]
fn the_page_opens_in_a_browser_without_errors_in_light_and_dark() {
    let (world, _dir, service) = prepare();
    // Something fails, so that there is a picture of it.
    let wrong = "scenarios.all.requests.1.url=/events/<none>";
    let html = ["--html", "page.html", "-o", "scenarios.all.requests.1.label=<i>&", "-o"];
    let fails = wrong.replace("<none>", "none");
    let args: Vec<_> = html.into_iter().chain([fails.as_str()]).collect();
    bench(&world, &service, &args).succeeded();
    let page = world.path().join("page.html");
    let text = fs::read_to_string(&page).unwrap();
    for outside in ["src=", "@import", "url(", "<script", "<link rel=\"stylesheet"] {
        assert!(!text.contains(outside), "{outside}");
    }

    let dumped = browse(&file(&page), &["--dump-dom"]);
    assert_eq!(console(&dumped), Vec::<String>::new());
    let dom = String::from_utf8(dumped.stdout).unwrap();
    // Throughput and percentiles of all, then throughput, times and errors of the one.
    assert_eq!(dom.matches("<svg").count(), 5, "{dom}");
    assert_eq!(dom.matches("<tr>").count(), 1 + 5 + 1 + 1, "{dom}");
    assert!(dom.contains("&lt;i&gt;&amp;"), "{dom}");
    assert!(dom.contains("status 404 (10)"), "{dom}");
    assert!(!dom.contains("NaN") && !dom.contains("inf"), "{dom}");

    let pictures = ["light", "dark"].map(|scheme| {
        let picture = world.path().join(format!("{scheme}.png"));
        let number = u8::from(scheme == "light");
        let shot = format!("--screenshot={}", picture.display());
        let scheme = format!("--blink-settings=preferredColorScheme={number}");
        browse(&file(&page), &[&shot, &scheme]);
        fs::read(picture).unwrap()
    });
    assert!(pictures[0] != pictures[1], "light and dark look alike");
    assert!(pictures.iter().all(|png| png.len() > 20_000), "there is nothing in the pictures");
}

#[test]
#[ignore = "needs Chromium: run scripts/test"]
fn what_a_console_says_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    fs::write(&page, "<!doctype html><script>console.error('look here')</script>").unwrap();
    let said = console(&browse(&file(&page), &["--dump-dom"]));
    assert!(said.iter().any(|line| line.contains("look here")), "{said:?}");
}
