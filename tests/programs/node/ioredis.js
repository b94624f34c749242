// ioredis: commands that are scripts, in pipelines and transactions, with buffers, and with automatic pipelines

const Redis = require('ioredis');
const { connection, sorted } = require('./connection');

const scripts = {
  take: {
    numberOfKeys: 1,
    lua: `
      local stock = tonumber(redis.call('GET', KEYS[1]) or 0)
      if stock < tonumber(ARGV[1]) then return {err = 'EMPTY only ' .. stock .. ' left'} end
      return redis.call('DECRBY', KEYS[1], ARGV[1])`,
  },
  peek: { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1])", readOnly: true },
  both: { lua: 'return {KEYS, ARGV}' },
  say: { numberOfKeys: 0, lua: "return redis.call('PUBLISH', ARGV[1], ARGV[2])" },
};

async function main() {
  const redis = new Redis({ ...connection(), scripts });
  const outcome = async (promise) => {
    try {
      return await promise;
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  };

  await redis.set('stock', 5);
  console.log('take', await redis.take('stock', 2), await outcome(redis.take('stock', 9)));
  console.log('peek', await redis.peek('stock'));
  console.log('keys and arguments', JSON.stringify(await redis.both(2, 'a', 'b', 'c')), JSON.stringify(await redis.both(0)));
  console.log('buffers', await redis.peekBuffer('stock'), await redis.bothBuffer(1, Buffer.from([0, 255]), 'x'));
  await redis.script('FLUSH');
  console.log('after a flush', await redis.take('stock', 1));

  await redis.script('FLUSH');
  const pipeline = await redis.pipeline().set('stock', 4).take('stock', 1).take('stock', 7).peek('stock').exec();
  console.log('pipeline', pipeline.map(([error, value]) => error?.message ?? value));
  const transaction = await redis.multi().take('stock', 1).incr('stock').peek('stock').exec();
  console.log('transaction', transaction.map(([error, value]) => error?.message ?? value));

  redis.defineCommand('later', { numberOfKeys: 1, lua: "return redis.call('HGETALL', KEYS[1])" });
  await redis.hset('h', { a: 1, b: 2 });
  console.log('defined later', await redis.later('h'));

  const automatic = new Redis({ ...connection(), scripts, enableAutoPipelining: true });
  await redis.script('FLUSH');
  const all = await Promise.all([automatic.set('stock', 50), ...Array.from({ length: 5 }, () => automatic.take('stock', 10))]);
  console.log('automatic', sorted(all));

  const listener = new Redis(connection());
  await listener.subscribe('news');
  const heard = new Promise((resolve) => listener.on('message', (channel, message) => resolve([channel, message])));
  console.log('said', await redis.say('news', 'hello'), await heard);

  const other = new Redis({ ...connection(), keyPrefix: 'prefix:', scripts });
  console.log('a prefix', JSON.stringify(await other.both(1, 'key', 'argument')));
  const next = new Redis({ ...connection(), db: 3, scripts });
  await next.set('stock', 1);
  console.log('another database', await next.take('stock', 1), await redis.peek('stock'));
  console.log('wrong', await outcome(redis.eval('return foo', 0)), await outcome(redis.evalsha('f'.repeat(40), 0)));
  console.log('infinite', await outcome(redis.eval("return tostring(1/0) .. tostring(-1/0) .. tostring(0/0)", 0)));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
