// bull: jobs with a delay, retries, priorities, a rate limit and repetition

const Queue = require('bull');
const { connection, sorted } = require('./connection');

async function main() {
  const queue = new Queue('jobs', { redis: connection(), settings: { drainDelay: 1, guardInterval: 200 } });
  const order = [];
  const events = new Set();
  for (const event of ['global:completed', 'global:failed', 'global:progress', 'global:waiting', 'global:active']) {
    queue.on(event, () => events.add(event));
  }
  await queue.isReady();

  // Queued before anybody works: priorities decide.
  const notes = [];
  for (const priority of [5, 1, 3, 1]) notes.push(await queue.add('note', { word: `priority ${priority}` }, { priority }));
  notes.push(await queue.add('note', { word: 'last in, first out' }, { lifo: true }));
  console.log('waiting', await queue.getJobCounts());

  queue.process('note', 1, async (job) => {
    order.push(job.data.word);
    return job.data.word;
  });
  queue.process('add', 1, async (job) => job.data.a + job.data.b);
  queue.process('flaky', 1, async (job) => {
    if (job.attemptsMade + 1 < job.data.succeedsAt) throw new Error(`try ${job.attemptsMade + 1}`);
    return `after ${job.attemptsMade + 1} tries`;
  });
  queue.process('progress', 1, async (job) => {
    await job.progress({ percent: 50 });
    await job.log('half of it');
    await job.update({ touched: true });
    return 'progressed';
  });

  const outcome = async (job) => {
    try {
      return await job.finished();
    } catch (error) {
      return `failed: ${error.message}`;
    }
  };
  const run = async (name, data, options) => outcome(await queue.add(name, data, options));

  for (const note of notes) await outcome(note);
  console.log('done', sorted(order));
  console.log('result', await run('add', { a: 2, b: 3 }));
  console.log('delay', await run('add', { a: 20, b: 3 }, { delay: 200 }));
  console.log('retried', await run('flaky', { succeedsAt: 3 }, { attempts: 5 }));
  console.log('with a backoff', await run('flaky', { succeedsAt: 3 }, { attempts: 5, backoff: { type: 'fixed', delay: 20 } }));
  const failed = await queue.add('flaky', { succeedsAt: 9 }, { attempts: 2 });
  console.log('retried too often', await outcome(failed), await failed.getState());
  const progress = await queue.add('progress', {});
  console.log('progress', await outcome(progress));
  const again = await queue.getJob(progress.id);
  console.log('kept', again.progress(), again.data, (await queue.getJobLogs(progress.id)).logs);
  await failed.update({ succeedsAt: 1 });
  await failed.retry();
  console.log('by hand', await outcome(failed));

  await queue.add('note', { word: 'once' }, { jobId: 'unique', delay: 3600000 });
  const same = await queue.add('note', { word: 'twice' }, { jobId: 'unique', delay: 3600000 });
  console.log('the same id', (await queue.getJob(same.id)).data, await queue.getDelayedCount());
  await (await queue.getJob('unique')).promote();
  console.log('promoted', await outcome(await queue.getJob('unique')));

  await queue.pause();
  const paused = await queue.add('add', { a: 100, b: 1 });
  console.log('paused', await queue.isPaused(), await paused.getState());
  await queue.resume();
  console.log('resumed', await outcome(paused));

  const repeated = await queue.add('note', { word: 'tick' }, { repeat: { every: 20, limit: 3 } });
  while (order.filter((word) => word === 'tick').length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  console.log('ticks', order.filter((word) => word === 'tick').length, repeated.name);
  await queue.removeRepeatable('note', { every: 20, limit: 3 });
  console.log('events', sorted([...events]));
  await queue.close();

  // A queue whose worker starts late: strictly in the order of priorities.
  const strict = new Queue('strict', { redis: connection(), limiter: { max: 3, duration: 200 }, settings: { drainDelay: 1, guardInterval: 200 } });
  for (const priority of [4, 2, 3, 1, 2]) await strict.add({ priority }, { priority, removeOnComplete: true });
  const done = [];
  await new Promise((resolve) => {
    strict.process(1, async (job) => done.push(job.data.priority) && done.length === 5 && resolve());
  });
  console.log('strict', done);
  await strict.whenCurrentJobsFinished();
  console.log('counts', await strict.getJobCounts());
  await strict.pause(true);
  await strict.add({ priority: 1 }, { timestamp: Date.now() - 1000 });
  console.log('cleaned', (await strict.clean(0, 'wait')).length);
  await strict.obliterate({ force: true });
  await strict.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
