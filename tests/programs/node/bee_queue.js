// bee-queue: jobs with a delay, retries, progress and failures

const Queue = require('bee-queue');
const { connection } = require('./connection');

async function main() {
  const redis = connection();
  const queue = new Queue('jobs', { redis, activateDelayedJobs: true });
  await queue.ready();

  const outcome = (job) =>
    new Promise((resolve) => {
      job.on('succeeded', (result) => resolve(result));
      job.on('failed', (error) => resolve(`failed: ${error.message}`));
    });
  const run = async (job) => {
    const finished = outcome(job);
    await job.save();
    return finished;
  };

  const waiting = await queue.createJob({ kind: 'add', a: 1, b: 1 }).save();
  console.log('waiting', waiting.id, (await queue.checkHealth()).waiting);
  const first = outcome(waiting);
  queue.process(async (job) => {
    const { kind, a, b, succeedsAt } = job.data;
    if (kind === 'add') return a + b;
    if (kind === 'progress') {
      job.reportProgress({ percent: 50 });
      return 'progressed';
    }
    if (kind === 'fail') throw new Error('no');
    const attempt = job.options.retries;
    if (attempt > succeedsAt) throw new Error(`${attempt} tries left`);
    return `with ${attempt} tries left`;
  });
  console.log('first', await first);
  console.log('result', await run(queue.createJob({ kind: 'add', a: 2, b: 3 })));
  console.log('delay', await run(queue.createJob({ kind: 'add', a: 20, b: 3 }).delayUntil(Date.now() + 200)));
  console.log('retried', await new Promise((resolve) => {
    const job = queue.createJob({ kind: 'flaky', succeedsAt: 1 }).retries(3).backoff('fixed', 20);
    job.on('succeeded', resolve);
    job.save();
  }));
  const job = queue.createJob({ kind: 'fail' });
  console.log('failed', await run(job), (await queue.getJob(job.id)).status);
  const progressing = queue.createJob({ kind: 'progress' });
  const progress = new Promise((resolve) => progressing.on('progress', resolve));
  console.log('progress', await run(progressing), await progress);
  const together = [queue.createJob({ kind: 'add', a: 1, b: 2 }), queue.createJob({ kind: 'add', a: 3, b: 4 })];
  const finished = together.map(outcome);
  await queue.saveAll(together);
  console.log('together', await Promise.all(finished));
  await queue.removeJob(job.id);
  console.log('removed', await queue.getJob(job.id));
  await queue.close(60000);

  const other = new Queue('jobs', { redis, isWorker: false });
  const { waiting: left, active, succeeded, failed, delayed, newestJob } = await other.checkHealth();
  console.log('health', { left, active, finished: succeeded, failed, delayed, newestJob });
  await other.destroy();
  console.log('destroyed', (await other.checkHealth()).newestJob);
  await other.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
