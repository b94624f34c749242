// What the programs share is here. It is no program itself.

exports.url = process.env.REDIS_URL;

exports.connection = () => {
  const { hostname, port } = new URL(process.env.REDIS_URL);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
};

exports.sorted = (items) => [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
