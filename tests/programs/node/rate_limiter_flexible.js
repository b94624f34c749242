// rate-limiter-flexible: points, penalties, rewards, blocks, bursts, unions and a queue, over ioredis and redis

const Redis = require('ioredis');
const { createClient } = require('redis');
const { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis, RateLimiterUnion } = require('rate-limiter-flexible');
const { connection, url } = require('./connection');

async function limits(storeClient, useRedisPackage) {
  const make = (options) => new RateLimiterRedis({ storeClient, useRedisPackage, points: 3, duration: 3600, ...options });
  const shown = (result) =>
    result && {
      consumed: result.consumedPoints,
      left: result.remainingPoints,
      first: result.isFirstInDuration,
      waits: 0 < result.msBeforeNext && result.msBeforeNext <= 3600000,
    };
  const outcome = async (promise) => {
    try {
      return shown(await promise);
    } catch (rejected) {
      if (rejected instanceof Error) throw rejected;
      return { rejected: shown(rejected) };
    }
  };

  const limiter = make({ keyPrefix: 'plain' });
  for (let i = 0; i < 4; i++) console.log('consume', await outcome(limiter.consume('ann')));
  console.log('two at once', await outcome(limiter.consume('bob', 2)), await outcome(limiter.consume('bob', 2)));
  console.log('penalty', await outcome(limiter.penalty('carl', 2)));
  console.log('reward', await outcome(limiter.reward('carl', 1)));
  console.log('get', await outcome(limiter.get('carl')), await limiter.get('nobody'));
  console.log('deleted', await limiter.delete('carl'), await limiter.delete('carl'));
  await limiter.block('dora', 3600);
  console.log('blocked', await outcome(limiter.consume('dora')));
  await limiter.set('emil', 2, 3600);
  console.log('set', await outcome(limiter.consume('emil')));

  const blocking = make({ keyPrefix: 'blocking', blockDuration: 3600 });
  const all = [];
  for (let i = 0; i < 5; i++) all.push(await outcome(blocking.consume('ann')));
  console.log('block duration', all[3], all[4]);

  const window = make({ keyPrefix: 'short', points: 1, duration: 1 });
  await window.consume('ann');
  let tries = 0;
  for (let over = false; !over; tries++) {
    over = await window.consume('ann').then(() => true, () => false);
    if (!over) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log('a window passed', tries > 0);

  const bursty = new BurstyRateLimiter(make({ keyPrefix: 'steady', points: 1 }), make({ keyPrefix: 'burst', points: 2 }));
  const bursts = [];
  for (let i = 0; i < 4; i++) bursts.push(await bursty.consume('ann').then(() => 'passed', () => 'rejected'));
  console.log('bursts', bursts);

  const union = new RateLimiterUnion(make({ keyPrefix: 'small', points: 1 }), make({ keyPrefix: 'large', points: 5 }));
  console.log('union', Object.keys(await union.consume('ann')), Object.keys(await union.consume('ann').catch((rejected) => rejected)));

  const queue = new RateLimiterQueue(make({ keyPrefix: 'queue', points: 2, duration: 1 }), { maxQueueSize: 4 });
  const served = await Promise.all(Array.from({ length: 4 }, () => queue.removeTokens(1)));
  console.log('queue', served.length);
}

async function main() {
  console.log('-- ioredis');
  const ioredis = new Redis(connection());
  await limits(ioredis, false);
  await ioredis.flushall();
  console.log('-- redis');
  const redis = createClient({ url });
  await redis.connect();
  await limits(redis, true);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
