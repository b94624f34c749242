//! Scripts that do harm: each ends with an error, and the next request is served. They use much memory, so they have
//! their own process.
#![cfg(feature = "scripting")]

use minibroker::Broker;

/// Scripts that fail, with what their error contains.
const HARMFUL: [(&str, &str); 14] = [
    ("local function f() return f() + 1 end return f()", "stack overflow"),
    ("return string.rep('x', 1e10)", "not enough memory"),
    ("return string.gsub(string.rep('x', 1e6), 'x', string.rep('y', 1e6))", "not enough memory"),
    ("local t = {} t[1] = t return cjson.encode(t)", "excessive nesting"),
    ("local s = 'y' while true do s = s .. s end", "not enough memory"),
    ("return cjson.decode(string.rep('[', 100000))", "nested"),
    ("return string.find('x', string.rep('(', 50))", "too many captures"),
    ("return string.find(string.rep('a', 1000), string.rep('a?', 1000))", "pattern too complex"),
    ("return tostring(setmetatable({}, {__tostring = tostring}))", "stack overflow"),
    ("local t = {} setmetatable(t, {__index = t}) return t.x", "loop in gettable"),
    ("error(setmetatable({}, {__index = error, __tostring = error}))", ""),
    ("return loadstring(string.rep('(', 1000) .. '1')()", ""),
    ("return redis.call('nosuch')", "Unknown Redis command"),
    ("x = 1", "Attempt to modify a readonly table"),
];

/// Scripts that would never end.
const ENDLESS: [&str; 13] = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "coroutine.wrap(function() while true do coroutine.wrap(function() while true do end end)() end end)()",
    "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
    "while true do pcall(error, setmetatable({}, {__index = function() while true do end end})) end",
    "return string.find(string.rep('a', 100), string.rep('a-', 50) .. 'b')",
    "return load(function() return ' ' end)",
    // Few instructions, each of which takes long.
    "local s = string.rep('x', 1e6) while true do s:gsub('.', s, 100):gsub('^.', function() end) end",
    "local s = string.rep('x', 1e6) while true do s:gsub('.', '%0%0') end",
    "local s = string.rep('x', 90) while true do s:find('y') end",
    "while true do string.rep('x', 1e8) end",
];

/// Unusual scripts that have a result.
const STRANGE: [&str; 12] = [
    "local t = {} for i = 1, 255 do t = {t} end return t",
    "local t = {} t[1] = t return cmsgpack.pack(t)",
    "local n = 0 local function f() n = n + 1 return pcall(f) end f() return n",
    "local n = 0 local function f() n = n + 1 return xpcall(error, f) end f() return n",
    "local n = 0 local function f() n = n + 1 pcall(string.gsub, 'a', 'a', f) end f() return n",
    "local n = 0 local function f() n = n + 1 return coroutine.wrap(f)() end pcall(f) return n",
    "return {xpcall(error, function() error('again') end)}",
    "return {xpcall(error, function(thrown) return nil + thrown end)}",
    "return {pcall(string.gsub, 'a', 'a', function() return coroutine.yield() end)}",
    "return {coroutine.resume(coroutine.create(function() return pcall(coroutine.yield) end))}",
    "return setmetatable({}, {__index = function() error('x') end, __len = error})",
    "return {pcall(function() return getfenv(0), setfenv(1, {}) end)}",
];

/// A broker that ends no script before its error, however slow the machine is.
fn patient_broker() -> Broker {
    Broker::builder().config("busy-reply-threshold", "600000").start().unwrap()
}

#[test]
fn a_harmful_script_ends_with_an_error_and_the_next_request_is_served() {
    let broker = patient_broker();
    for (script, expected) in HARMFUL {
        let error = broker.command(["EVAL", script, "0"]).unwrap_err().to_string();
        assert!(error.contains(expected), "{script}: {error}");
        assert_eq!(broker.command(["EVAL", "return 7", "0"]).unwrap(), 7, "after {script}");
    }
}

#[test]
fn an_endless_script_is_ended_and_the_next_request_is_served() {
    let broker = Broker::builder().config("busy-reply-threshold", "50").start().unwrap();
    for script in ENDLESS {
        let error = broker.command(["EVAL", script, "0"]).unwrap_err().to_string();
        assert!(error.contains("Script ended by minibroker"), "{script}: {error}");
        assert_eq!(broker.command(["PING"]).unwrap(), "PONG", "after {script}");
    }
}

#[test]
fn a_strange_script_is_answered_and_the_next_request_is_served() {
    let broker = patient_broker();
    for script in STRANGE {
        let outcome = broker.command(["EVAL", script, "0"]);
        if let Err(error) = outcome {
            panic!("{script}: {error}");
        }
        assert_eq!(broker.command(["PING"]).unwrap(), "PONG", "after {script}");
    }
}

#[test]
fn a_library_of_endless_functions_is_not_loaded_and_the_next_is() {
    let broker = Broker::start().unwrap();
    let endless = "#!lua name=a\nlocal i = 0 while true do i = i + 1 redis.register_function('f' .. i, function() end) end";
    let error = broker.command(["FUNCTION", "LOAD", endless]).unwrap_err().to_string();
    assert!(error.contains("FUNCTION LOAD timeout"), "{error}");
    let short = "#!lua name=a\nredis.register_function('f', function() return 1 end)";
    assert_eq!(broker.command(["FUNCTION", "LOAD", short]).unwrap(), "a");
    assert_eq!(broker.command(["FCALL", "f", "0"]).unwrap(), 1);
}
