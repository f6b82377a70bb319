//! Drives a real browser in which tests look at pages: Debian's chromium, through its driver
//! and the `WebDriver` protocol (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::http::Client;
use super::wait_for;

/// The name of an element in answers of the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window, closed at the end of the test.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    /// Opens a window of so many pixels.
    pub(crate) fn open(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver, which scripts/test installs");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let address =
            SocketAddr::from(([127, 0, 0, 1], port.expect("chromedriver prints its port")));
        let mut browser = Self { driver, address, session: String::new() };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
            &format!("--window-size={width},{height}"),
        ];
        let made = browser.ask(
            "POST",
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        browser.session = format!("/{}", made["sessionId"].as_str().unwrap());
        // The smallest window that Chromium opens is wider than a phone.
        let metrics = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        }});
        browser.ask("POST", "/goog/cdp/execute", &metrics);
        browser
    }

    /// Opens a page.
    pub(crate) fn go(&self, url: &str) {
        self.ask("POST", "/url", &json!({"url": url}));
    }

    /// Runs a script and returns its value.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Clicks on what a CSS selector finds.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.ask("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into what a CSS selector finds.
    pub(crate) fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.ask("POST", &format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Presses keys, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let press =
            |key: char| ["keyDown", "keyUp"].map(|type_| json!({"type": type_, "value": key}));
        let actions: Vec<_> = keys.chars().flat_map(press).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.ask("POST", "/actions", &json!({"actions": [keyboard]}));
    }

    /// The visible text of what a CSS selector finds.
    pub(crate) fn text(&self, selector: &str) -> String {
        self.of(selector, "text")
    }

    /// The name that a screen reader says of what a CSS selector finds.
    pub(crate) fn label(&self, selector: &str) -> String {
        self.of(selector, "computedlabel")
    }

    /// Waits until what a CSS selector finds has a text in it.
    pub(crate) fn wait_for_text(&self, selector: &str, part: &str) -> String {
        wait_for(&format!("{selector} to have {part}"), || {
            // The element may be missing while the next page loads.
            let script = format!("return document.querySelector('{selector}').innerText");
            let text =
                self.try_ask("POST", "/execute/sync", &json!({"script": script, "args": []}));
            text.ok()?.as_str().filter(|text| text.contains(part)).map(str::to_owned)
        })
    }

    /// The errors and warnings on the browser's console.
    pub(crate) fn console(&self) -> Vec<Value> {
        self.ask("POST", "/se/log", &json!({"type": "browser"})).as_array().unwrap().clone()
    }

    /// What makes the page hard to use for people with disabilities, as axe-core finds it.
    pub(crate) fn barriers(&self) -> Value {
        let axe = std::env::var_os("EVENTPOST_AXE")
            .expect("EVENTPOST_AXE is not set: run scripts/test, or EVENTPOST_AXE=$(testbed/axe)");
        let axe = std::fs::read_to_string(axe).unwrap();
        let check = "const done = arguments[arguments.length - 1];
            const where = ({id, nodes}) => `${id}: ${nodes.map(it => it.target).join(', ')}`;
            axe.run().then(({violations}) => done(violations.map(where)), e => done([`${e}`]));";
        let script = format!("{axe};{check}");
        self.ask("POST", "/execute/async", &json!({"script": script, "args": []}))
    }

    /// A picture of the page, as base64 of a PNG.
    pub(crate) fn picture(&self) -> String {
        self.ask("GET", "/screenshot", &Value::Null).as_str().unwrap().to_owned()
    }

    fn of(&self, selector: &str, what: &str) -> String {
        let path = format!("/element/{}/{what}", self.find(selector));
        self.ask("GET", &path, &Value::Null).as_str().unwrap().to_owned()
    }

    fn find(&self, selector: &str) -> String {
        let found =
            self.ask("POST", "/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let path = format!("/session{}{path}", self.session);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = Client::connect(self.address).unwrap().send(method, &path, &body).unwrap();
        let value = answer.json()["value"].clone();
        if answer.status == 200 { Ok(value) } else { Err(value) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(mut client) = Client::connect(self.address) {
            let _ = client.send("DELETE", &format!("/session{}", self.session), "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
