// bullmq: jobs with a delay, retries, priorities, flows, a rate limit, schedulers, deduplication and events

const { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } = require('bullmq');
const { connection, sorted } = require('./connection');

async function main() {
  const options = { connection: connection() };
  const queue = new Queue('jobs', options);
  const events = new QueueEvents('jobs', { connection: connection() });
  await events.waitUntilReady();
  const seen = [];
  for (const event of ['completed', 'failed', 'delayed', 'progress', 'retries-exhausted', 'duplicated', 'deduplicated']) {
    events.on(event, () => seen.push(event));
  }
  const order = [];

  // Queued before anybody works: priorities decide.
  const notes = [];
  for (const priority of [5, 1, 3, undefined, 1]) {
    notes.push(await queue.add('note', { word: `priority ${priority}` }, { priority }));
  }
  notes.push(
    ...(await queue.addBulk([
      { name: 'note', data: { word: 'in bulk' } },
      { name: 'note', data: { word: 'last in, first out' }, opts: { lifo: true } },
    ])),
  );
  console.log('waiting', await queue.getJobCounts('waiting', 'prioritized', 'delayed'));
  console.log('counts per priority', await queue.getCountsPerPriority([0, 1, 3, 5]));

  const worker = new Worker(
    'jobs',
    async (job) => {
      switch (job.name) {
        case 'add':
          return job.data.a + job.data.b;
        case 'note':
          order.push(job.data.word);
          return job.data.word;
        case 'flaky':
          if (job.attemptsMade + 1 < job.data.succeedsAt) throw new Error(`try ${job.attemptsMade + 1}`);
          return `after ${job.attemptsMade + 1} tries`;
        case 'hopeless':
          throw new UnrecoverableError('hopeless');
        case 'progress':
          await job.updateProgress(50);
          await job.log('half of it');
          await job.updateData({ ...job.data, touched: true });
          return 'progressed';
        case 'parent':
          return { children: sorted(Object.values(await job.getChildrenValues())) };
      }
    },
    { connection: connection(), concurrency: 1, drainDelay: 1 },
  );
  // A failed job tells of itself here; nothing else may go wrong.
  worker.on('error', (error) => console.log('worker error', error.message));

  const outcome = async (job) => {
    try {
      return await job.waitUntilFinished(events, 60000);
    } catch (error) {
      return `failed: ${error.message}`;
    }
  };
  const run = async (name, data, opts) => outcome(await queue.add(name, data, opts));

  for (const note of notes) await outcome(note);
  console.log('order', order);
  console.log('result', await run('add', { a: 2, b: 3 }));
  console.log('delay', await run('add', { a: 20, b: 3 }, { delay: 200 }));
  console.log('retried', await run('flaky', { succeedsAt: 3 }, { attempts: 5 }));
  console.log('with a backoff', await run('flaky', { succeedsAt: 3 }, { attempts: 5, backoff: { type: 'exponential', delay: 10 } }));
  const failed = await queue.add('flaky', { succeedsAt: 9 }, { attempts: 2 });
  console.log('retried too often', await outcome(failed), await failed.getState());
  console.log('hopeless', await run('hopeless', {}, { attempts: 5 }));
  const progress = await queue.add('progress', {});
  console.log('progress', await outcome(progress));
  const again = await queue.getJob(progress.id);
  console.log('kept', again.progress, again.data, (await queue.getJobLogs(progress.id)).logs);
  await failed.updateData({ succeedsAt: 1 });
  await failed.retry('failed');
  console.log('by hand', await outcome(failed));

  const flow = await new FlowProducer({ connection: connection() }).add({
    name: 'parent',
    queueName: 'jobs',
    children: [
      { name: 'add', data: { a: 1, b: 1 }, queueName: 'jobs' },
      { name: 'flaky', data: { succeedsAt: 2 }, queueName: 'jobs', opts: { attempts: 3 } },
    ],
  });
  console.log('flow', await outcome(flow.job), await flow.job.getState());

  await queue.add('note', { word: 'once' }, { jobId: 'unique', delay: 3600000 });
  const same = await queue.add('note', { word: 'twice' }, { jobId: 'unique', delay: 3600000 });
  console.log('the same id', (await queue.getJob(same.id)).data);
  await same.changeDelay(1800000);
  await (await queue.getJob('unique')).promote();
  console.log('promoted', await outcome(await queue.getJob('unique')));
  const first = await queue.add('note', { word: 'first' }, { deduplication: { id: 'one' }, delay: 3600000 });
  const second = await queue.add('note', { word: 'second' }, { deduplication: { id: 'one' }, delay: 3600000 });
  console.log('deduplicated', first.id === second.id, (await queue.getDelayedCount()));
  await first.remove();

  await queue.pause();
  const paused = await queue.add('add', { a: 100, b: 1 });
  console.log('paused', await queue.isPaused(), await paused.getState());
  await queue.resume();
  console.log('resumed', await outcome(paused));

  await queue.upsertJobScheduler('tick', { every: 20, limit: 3 }, { name: 'note', data: { word: 'tick' } });
  while (order.filter((word) => word === 'tick').length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  console.log('ticks', order.filter((word) => word === 'tick').length, await queue.removeJobScheduler('tick'));
  await worker.close();

  console.log('counts', await queue.getJobCounts('completed', 'failed', 'waiting', 'active'));
  console.log('cleaned', (await queue.clean(0, 100, 'failed')).length, (await queue.getJobCounts('failed')).failed);
  const kinds = new Set(seen);
  console.log('events', sorted([...kinds]));

  const limited = new Queue('limited', options);
  for (let i = 0; i < 4; i++) await limited.add('note', { i }, { removeOnComplete: true });
  const done = [];
  const slow = new Worker('limited', async (job) => done.push(job.data.i), {
    connection: connection(),
    limiter: { max: 2, duration: 200 },
  });
  await new Promise((resolve) => slow.on('drained', () => done.length === 4 && resolve()));
  console.log('limited', done, (await limited.getJobCounts('completed')).completed);
  await slow.close();

  await queue.obliterate({ force: true });
  console.log('obliterated', await queue.count());
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
