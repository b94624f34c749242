// redis: scripts and functions as methods, over RESP2 and RESP3

const { inspect } = require('node:util');
const { createClient, defineScript } = require('redis');
const { url } = require('./connection');

const script = (numberOfKeys, text) => defineScript({
  SCRIPT: text,
  NUMBER_OF_KEYS: numberOfKeys,
  parseCommand(parser, key, ...values) {
    parser.pushKey(key);
    parser.push(...values.map(String));
  },
  transformReply: (reply) => reply,
});

const LIBRARY = `#!lua name=lists
redis.register_function{
    function_name = 'push_capped',
    callback = function(keys, args)
        redis.call('LPUSH', keys[1], args[1])
        redis.call('LTRIM', keys[1], 0, 1)
        return redis.call('LRANGE', keys[1], 0, -1)
    end,
    description = 'a list of two'
}
redis.register_function{
    function_name = 'newest',
    callback = function(keys) return redis.call('LINDEX', keys[1], 0) end,
    flags = {'no-writes'}
}`;

const call = {
  NUMBER_OF_KEYS: 1,
  parseCommand(parser, key, ...values) {
    parser.pushKey(key);
    parser.push(...values.map(String));
  },
  transformReply: (reply) => reply,
};

async function scripts(RESP) {
  const client = createClient({
    url,
    RESP,
    scripts: {
      increaseAll: script(1, `
        local changed = {}
        for i, field in ipairs(redis.call('HKEYS', KEYS[1])) do
            changed[i] = field .. '=' .. redis.call('HINCRBY', KEYS[1], field, ARGV[1])
        end
        table.sort(changed)
        return changed`),
      types: script(1, `redis.setresp(3)
        return {1, 1.9, true, false, {double = 1.5}, {map = {k = 'v'}}, {set = {m = true}}, {big_number = '12345678901234567890'}, {verbatim_string = {format = 'txt', string = 'hi'}}, {ok = 'FINE'}}`),
    },
    functions: { lists: { push_capped: call, newest: { ...call, IS_READ_ONLY: true } } },
  });
  await client.connect();
  await client.flushAll();
  await client.scriptFlush();
  await client.functionFlush();
  const outcome = async (promise) => {
    try {
      return await promise;
    } catch (error) {
      return `${error.constructor.name}: ${error.message}`;
    }
  };

  await client.hSet('h', { a: 1, b: 2 });
  console.log('script', await client.increaseAll('h', 5));
  await client.scriptFlush();
  console.log('after a flush', await client.increaseAll('h', 1));
  console.log('transaction', await client.multi().set('x', 1).increaseAll('h', 1).exec());
  console.log('wrong', await outcome(client.increaseAll('h', 'x')));
  console.log('types', inspect(await client.types('h'), { breakLength: Infinity }));
  console.log('eval', await client.eval('return {KEYS[1], ARGV[1]}', { keys: ['k'], arguments: ['a'] }));
  console.log('read only', await outcome(client.evalRo("return redis.call('DEL', KEYS[1])", { keys: ['k'] })));

  console.log('load', await client.functionLoad(LIBRARY));
  for (const value of [1, 2]) await client.lists.push_capped('l', value);
  console.log('function', await client.lists.push_capped('l', 3), await client.lists.newest('l'));
  const [library] = await client.functionList();
  console.log('list', library.library_name, library.engine, library.functions.map((f) => [f.name, f.description, [...f.flags]]).sort());
  console.log('stats', (await client.functionStats()).running_script, Object.keys((await client.functionStats()).engines));
  console.log('delete', await client.functionDelete('lists'), await outcome(client.lists.newest('l')));
  await client.close();
}

async function main() {
  for (const RESP of [2, 3]) {
    console.log(`-- RESP${RESP}`);
    await scripts(RESP);
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
