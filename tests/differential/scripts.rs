//! The scripts and libraries that programs run. A program names them, as they have spaces and lines.

use sha1_smol::Sha1;

/// Runs each of several requests, and returns all replies.
macro_rules! each {
    ($before:literal) => {
        concat!(
            $before,
            "local replies, request = {}, {}
for _, word in ipairs(ARGV) do
  if word == ';' then
    replies[#replies + 1] = redis.pcall(unpack(request))
    request = {}
  else
    request[#request + 1] = word
  end
end
return replies"
        )
    };
}

/// Scripts. A command that may find a value of a wrong type mostly runs by `pcall`, so that more of the script runs.
const SCRIPTS: [(&str, &str); 27] = [
    // Runs any request, given as arguments.
    ("call", "return redis.call(unpack(ARGV))"),
    ("pcall", "return redis.pcall(unpack(ARGV))"),
    ("call3", "redis.setresp(3)\nreturn redis.call(unpack(ARGV))"),
    ("pcall3", "redis.setresp(3)\nreturn redis.pcall(unpack(ARGV))"),
    // Several requests, with `;` between them.
    ("each", each!("")),
    ("each3", each!("redis.setresp(3)\n")),
    (
        "read",
        "local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'string' then return redis.call('GET', KEYS[1]) end
if kind == 'list' then return redis.call('LRANGE', KEYS[1], 0, -1) end
if kind == 'zset' then return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') end
if kind == 'stream' then return redis.call('XRANGE', KEYS[1], '-', '+') end
return redis.status_reply(kind)",
    ),
    (
        "look",
        "#!lua flags=no-writes
if ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
return {redis.pcall('GET', KEYS[1]), redis.call('EXISTS', KEYS[1])}",
    ),
    (
        "count",
        "local count = redis.pcall('INCR', KEYS[1])
if type(count) == 'table' then return count.err end
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count",
    ),
    (
        "release",
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0",
    ),
    (
        "expire",
        "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local left = redis.call('PTTL', KEYS[1])
return {left > 0, redis.call('EXISTS', KEYS[1], KEYS[2])}",
    ),
    (
        "publish",
        "local first = redis.call('PUBLISH', ARGV[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[2])
return {first, redis.call('PUBLISH', ARGV[3], ARGV[4]), redis.call('SPUBLISH', ARGV[3], ARGV[5])}",
    ),
    // Adds elements that others wait for.
    (
        "push",
        "return {redis.pcall('RPUSH', KEYS[1], ARGV[1], ARGV[2]), redis.pcall('ZADD', KEYS[2], ARGV[3], ARGV[4]),
redis.pcall('XADD', KEYS[3], ARGV[5], 'f', ARGV[1]), redis.pcall('LPUSH', KEYS[4], ARGV[6])}",
    ),
    // Adds them, and removes them again.
    (
        "push-and-pop",
        "redis.call('RPUSH', KEYS[1], ARGV[1], ARGV[2])
return {redis.call('LPOP', KEYS[1]), redis.call('LLEN', KEYS[1])}",
    ),
    (
        "add-and-remove",
        "redis.pcall('ZADD', KEYS[1], 1, ARGV[1])
redis.pcall('XADD', KEYS[2], ARGV[2], 'f', ARGV[1])
return {redis.pcall('ZREM', KEYS[1], ARGV[1]), redis.pcall('XDEL', KEYS[2], ARGV[2])}",
    ),
    // Gives a key several types, one after the other.
    (
        "replace",
        "redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[1], 1, ARGV[1])
redis.call('DEL', KEYS[1])
return redis.call('LPUSH', KEYS[1], unpack(ARGV))",
    ),
    (
        "move",
        "local moved = {}
for number = 1, 3 do
  local value = redis.pcall('LPOP', KEYS[1])
  if type(value) ~= 'string' then return {moved, value} end
  moved[number] = redis.pcall('RPUSH', KEYS[2], value)
end
return moved",
    ),
    (
        "due",
        "local due = redis.pcall('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 2)
if due.err then return due end
for _, member in ipairs(due) do
  redis.call('ZREM', KEYS[1], member)
  redis.pcall('LPUSH', KEYS[2], member)
end
return #due",
    ),
    (
        "select",
        "redis.call('SELECT', ARGV[1])
redis.pcall('RPUSH', KEYS[1], ARGV[2])
redis.pcall('XADD', KEYS[2], ARGV[3], 'f', ARGV[2])
return redis.call('DBSIZE')",
    ),
    (
        "group",
        "redis.pcall('XGROUP', 'CREATE', KEYS[1], 'g', 0, 'MKSTREAM')
local read = redis.pcall('XREADGROUP', 'GROUP', 'g', 'lua', 'COUNT', 2, 'BLOCK', 0, 'STREAMS', KEYS[1], '>')
redis.pcall('XADD', KEYS[1], ARGV[1], 'f', ARGV[2])
return read",
    ),
    ("fail", "redis.call('SET', KEYS[1], ARGV[1])\nredis.call('RPUSH', KEYS[2], ARGV[1])\nerror('no ' .. ARGV[1])"),
    ("throw", "redis.call('LPUSH', KEYS[1], ARGV[1])\nerror({err = 'MY ' .. ARGV[1]})"),
    ("refuse", "redis.call('PUBLISH', ARGV[1], ARGV[2])\nreturn redis.error_reply('MY ' .. ARGV[2])"),
    (
        "kinds",
        "return {1, 2.9, 'x', false, true, {ok = 'fine'}, {err = 'MY bad'}, {double = 1.5}, {map = {a = {1}}},
{set = {b = true}}, {big_number = '123456789012345678901'}, {verbatim_string = {format = 'txt', string = 'y'}}, nil, 3}",
    ),
    ("nothing", "redis.setresp(3)\nreturn {redis.call('GET', KEYS[1]), KEYS[1], false}"),
    ("number", "return #KEYS"),
    ("broken", "return redis.call('GET' KEYS[1])"),
];

/// Libraries of functions.
const LIBRARIES: [(&str, &str); 5] = [
    (
        "chat",
        "#!lua name=chat
local calls = 0
local function send(keys, args)
  calls = calls + 1
  redis.call('RPUSH', keys[1], args[1])
  return {calls, redis.call('PUBLISH', args[2], args[1])}
end
redis.register_function('send', send)
redis.register_function('run', function(_, args) return redis.call(unpack(args)) end)
redis.register_function{function_name = 'peek', callback = function(keys, args)
  if args[2] then redis.call('SET', keys[1], args[2]) end
  return {redis.pcall('LRANGE', keys[1], 0, -1), calls}
end, flags = {'no-writes'}}",
    ),
    // The same library, with another version of one function and without another.
    (
        "chat-again",
        "#!lua name=chat
redis.register_function('send', function(keys, args)
  redis.call('PUBLISH', args[2], args[1])
  return redis.call('LPUSH', keys[1], args[1], 'again')
end)
redis.register_function('run', function(_, args) return redis.pcall(unpack(args)) end)",
    ),
    (
        "other",
        "#!lua name=other\nredis.register_function('fail', function(keys, args)
  redis.call('RPUSH', keys[1], args[1])
  redis.call('INCR', keys[1])
end)",
    ),
    // Its function has the name of one in another library.
    ("clash", "#!lua name=clash\nredis.register_function('send', function() return 1 end)"),
    ("none", "redis.register_function('send', function() return 1 end)"),
];

fn named(texts: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    texts.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}

/// The text for a word of a program: `script:count` is the text of a script, `sha:count` its SHA1, `library:chat` a
/// library.
pub fn text(word: &str) -> Option<Vec<u8>> {
    let (kind, name) = word.split_once(':')?;
    match kind {
        "script" => Some(named(&SCRIPTS, name)?.into()),
        "sha" => Some(Sha1::from(named(&SCRIPTS, name)?).digest().to_string().into()),
        "library" => Some(named(&LIBRARIES, name)?.into()),
        _ => None,
    }
}
