// redis: over TLS, with and without a certificate of its own, over RESP2 and RESP3

const { readFileSync } = require('node:fs');
const { createClient } = require('redis');
const { url } = require('./connection');

const read = (name) => readFileSync(process.env[name]);
const own = () => ({ cert: read('REDIS_CERT_FILE'), key: read('REDIS_KEY_FILE') });

async function connect(RESP, certificate = {}, ca = read('REDIS_CA_FILE')) {
  const client = createClient({ url, RESP, socket: { tls: true, ca, reconnectStrategy: false, ...certificate } });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function outcome(connecting) {
  try {
    const client = await connecting();
    const answer = await client.ping();
    client.destroy();
    return answer;
  } catch {
    return 'not connected';
  }
}

async function chat(RESP) {
  console.log(`RESP${RESP}`);
  const client = await connect(RESP);
  await client.flushDb();
  const listener = await connect(RESP, own());
  let hear;
  const heard = new Promise((resolve) => { hear = resolve; });
  await listener.subscribe('chat', hear);
  console.log('published', await client.publish('chat', 'hello'));
  console.log('heard', await heard);
  listener.destroy();
  const lengths = await Promise.all(Array.from({ length: 1000 }, (_, number) => client.rPush('history', `message ${number}`)));
  console.log('history', lengths.at(-1), await client.lRange('history', 0, 1));
  const text = 'x'.repeat(3_000_000);
  await client.set('long', text);
  console.log('long', (await client.get('long')) === text);
  console.log('transaction', await client.multi().incr('visits').incr('visits').exec());
  client.destroy();
}

async function main() {
  await chat(2);
  await chat(3);
  const client = await connect(3, own());
  await client.configSet('tls-auth-clients', 'yes');
  console.log('without a certificate', await outcome(() => connect(3)));
  console.log('with one', await outcome(() => connect(3, own())));
  await client.configSet('tls-auth-clients', 'optional');
  console.log('without one', await outcome(() => connect(3)));
  console.log('strangers', await outcome(() => connect(3, {}, [])));
  client.destroy();
}

main();
