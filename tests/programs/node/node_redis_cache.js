// redis: a cache in the client, which the server invalidates

const { setTimeout: sleep } = require('node:timers/promises');
const { createClient } = require('redis');
const { url } = require('./connection');

// Waits for what a message of the server brings about.
async function until(met) {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await met()) return true;
    await sleep(10);
  }
  return false;
}

async function main() {
  const client = createClient({ url, RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } });
  const other = createClient({ url, RESP: 3 });
  await client.connect();
  await other.connect();
  await other.flushAll();
  console.log('nothing yet', await client.get('mood'));
  await other.set('mood', 'calm');
  console.log('changed by another', await until(async () => (await client.get('mood')) === 'calm'));
  await client.set('mood', 'glad');
  console.log('changed by itself', await until(async () => (await client.get('mood')) === 'glad'));
  await other.hSet('user:1', { name: 'ann', room: 'a' });
  console.log('a hash', { ...(await client.hGetAll('user:1')) });
  await other.hSet('user:1', 'room', 'b');
  console.log('a field', await until(async () => (await client.hGetAll('user:1')).room === 'b'));
  await other.set('mood', 'brief', { expiration: { type: 'PX', value: 30 } });
  console.log('expired', await until(async () => (await client.get('mood')) === null));
  await other.flushAll();
  console.log('flushed', await until(async () => Object.keys(await client.hGetAll('user:1')).length === 0));

  console.log('tracked', (await client.clientTrackingInfo()).flags);
  client.destroy();
  const tracking = async () => (await other.info('clients')).match(/tracking_clients:(\d+)/)[1];
  console.log('after it has closed', await until(async () => (await tracking()) === '0'));

  await other.clientTracking(true, { BCAST: true, PREFIX: ['user:', 'room:'], NOLOOP: true });
  const { flags, redirect, prefixes } = await other.clientTrackingInfo();
  console.log('options', flags, redirect, prefixes, await other.clientGetRedir());
  other.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
