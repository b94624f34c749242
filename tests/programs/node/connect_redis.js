// connect-redis: sessions that are stored, touched, listed, expired and destroyed

const { createClient } = require('redis');
const { RedisStore } = require('connect-redis');
const { url, sorted } = require('./connection');

async function main() {
  const client = createClient({ url });
  await client.connect();
  const store = new RedisStore({ client, prefix: 'session:', ttl: 60 });

  const session = (user, seconds) => ({ user, cookie: { originalMaxAge: null, expires: seconds && new Date(Date.now() + seconds * 1000) } });
  await store.set('ann', session('Ann'));
  await store.set('bob', session('Bob', 3600));
  const ttl = async (name) => Math.ceil((await client.ttl(`session:${name}`)) / 60);
  console.log('stored', (await store.get('ann')).user, await ttl('ann'), await ttl('bob'), await store.get('nobody'));
  await store.touch('ann', session('Ann', 7200));
  console.log('touched', await ttl('ann'));
  console.log('all', await store.length(), sorted(await store.ids()), sorted((await store.all()).map((s) => s.id)));
  await store.set('gone', session('Gone', -1));
  console.log('already over', await store.get('gone'));
  await store.destroy('bob');
  console.log('destroyed', await store.get('bob'), await store.length());
  for (let i = 0; i < 250; i++) await store.set(`many${i}`, session(i));
  console.log('many', await store.length());
  await client.set('other', 1);
  await store.clear();
  console.log('cleared', await store.length(), await client.keys('*'));
  await client.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
