// ioredis: over TLS, with and without a certificate of its own

const { readFileSync } = require('node:fs');
const Redis = require('ioredis');
const { url } = require('./connection');

const read = (name) => readFileSync(process.env[name]);
const own = () => ({ cert: read('REDIS_CERT_FILE'), key: read('REDIS_KEY_FILE') });

function connect(certificate = {}) {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    tls: { ca: read('REDIS_CA_FILE'), ...certificate },
  });
  client.on('error', () => {});
  return client;
}

async function outcome(certificate) {
  const client = connect(certificate);
  try {
    return await client.ping();
  } catch {
    return 'not connected';
  } finally {
    client.disconnect();
  }
}

async function main() {
  const client = connect();
  await client.flushdb();
  const listener = connect(own());
  await listener.subscribe('chat');
  const heard = new Promise((resolve) => { listener.on('message', (channel, text) => resolve([channel, text])); });
  console.log('published', await client.publish('chat', 'hello'));
  console.log('heard', await heard);
  listener.disconnect();
  const pipeline = client.pipeline();
  for (let number = 0; number < 1000; number += 1) pipeline.rpush('history', `message ${number}`);
  console.log('pipeline', (await pipeline.exec()).at(-1));
  console.log('history', await client.lrange('history', 0, 1));
  const text = 'x'.repeat(3_000_000);
  await client.set('long', text);
  console.log('long', (await client.get('long')) === text);
  await client.config('SET', 'tls-auth-clients', 'yes');
  console.log('without a certificate', await outcome());
  console.log('with one', await outcome(own()));
  await client.config('SET', 'tls-auth-clients', 'optional');
  console.log('without one', await outcome());
  client.disconnect();
}

main();
