// redlock: locks on one and several keys, extended, expired and contended

const Redis = require('ioredis');
const Redlock = require('redlock');
const { connection } = require('./connection');

async function main() {
  const redis = new Redis(connection());
  const impatient = new Redlock([redis], { retryCount: 0 });
  const patient = new Redlock([redis], { retryCount: 1000, retryDelay: 5, retryJitter: 5 });
  const outcome = async (promise) => {
    try {
      await promise;
      return 'done';
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  };

  const lock = await impatient.lock('room', 60000);
  const left = await redis.pttl('room');
  console.log('locked', lock.value === (await redis.get('room')), 0 < left && left <= 60000);
  console.log('by another', await outcome(impatient.lock('room', 60000)));
  const extended = await lock.extend(120000);
  console.log('extended', (await redis.pttl('room')) > 60000);
  await extended.unlock();
  console.log('unlocked', await redis.exists('room'));
  console.log('unlocked again', await outcome(extended.unlock()));

  const several = await impatient.lock(['a', 'b', 'c'], 60000);
  console.log('several', await redis.exists('a', 'b', 'c'), await outcome(impatient.lock(['c', 'd'], 60000)), await redis.exists('d'));
  await redis.set('b', 'stolen');
  console.log('stolen', await outcome(several.unlock()), await redis.keys('*'));
  await redis.flushall();

  await patient.lock('brief', 20);
  const next = await patient.lock('brief', 60000);
  console.log('after its time', next.attempts > 1);
  await next.unlock();

  let counter = 0;
  const count = async () => {
    const lock = await patient.lock('counter', 60000);
    const before = counter;
    await redis.ping();
    counter = before + 1;
    await lock.unlock();
  };
  await Promise.all(Array.from({ length: 10 }, count));
  console.log('counted', counter, await redis.dbsize());
  await patient.quit();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
