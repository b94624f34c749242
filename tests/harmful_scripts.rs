//! Scripts that do harm: each ends with an error, and the next request is served. They take much memory, and so have a process
//! of their own.
#![cfg(feature = "scripting")]

use minibroker::Broker;

/// Scripts that fail, with what their error contains.
const HARMFUL: [(&str, &str); 7] = [
    ("while true do end", "Script ended by minibroker"),
    ("local function f() return f() + 1 end return f()", "stack overflow"),
    ("return string.rep('x', 1e10)", "not enough memory"),
    ("local t = {} t[1] = t return cjson.encode(t)", "excessive nesting"),
    ("local s = '' while true do s = s .. string.rep('y', 1000000) end", "not enough memory"),
    ("return redis.call('nosuch')", "Unknown Redis command"),
    ("x = 1", "Attempt to modify a readonly table"),
];

#[test]
fn a_harmful_script_ends_with_an_error_and_the_next_request_is_served() {
    let broker = Broker::start().unwrap();
    for (script, wanted) in HARMFUL {
        let error = broker.command(["EVAL", script, "0"]).unwrap_err().to_string();
        assert!(error.contains(wanted), "{script}: {error}");
        assert_eq!(broker.command(["EVAL", "return 7", "0"]).unwrap(), 7, "after {script}");
    }
}

#[test]
fn an_error_in_a_script_within_pcall_in_a_loop_does_not_keep_it_running() {
    let broker = Broker::start().unwrap();
    let script = "while true do pcall(function() while true do end end) end";
    let error = broker.command(["EVAL", script, "0"]).unwrap_err().to_string();
    assert!(error.contains("Script ended by minibroker"), "{error}");
    assert_eq!(broker.command(["PING"]).unwrap(), "PONG");
}
