// SPDX-License-Identifier: Apache-2.0
// bullmq.js work CONCURRENCY: jobs that do nothing, until it is ended.
// bullmq.js push JOBS: waits for a worker, pushes in batches of 1000, waits until all are done, and
// prints jobs a second.
'use strict';
const { Queue, Worker } = require('bullmq');

const BATCH = 1000;
const NAME = 'bench';
const url = new URL(process.env.REDIS_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const job = { name: 'nothing', data: { text: 'x'.repeat(87) }, opts: { removeOnComplete: true } };

function work(concurrency) {
  const worker = new Worker(NAME, async () => {}, { connection, concurrency });
  process.on('SIGTERM', () => worker.close(true).finally(() => process.exit(0)));
}

async function waitUntilEmpty(queue) {
  const deadline = Date.now() + 60000;
  for (;;) {
    const counts = await queue.getJobCounts('wait', 'active', 'prioritized');
    if (Object.values(counts).every((n) => n === 0)) return;
    if (Date.now() > deadline) throw new Error('BullMQ takes no jobs');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function push(jobs) {
  const queue = new Queue(NAME, { connection });
  await queue.addBulk([job]);
  await waitUntilEmpty(queue);
  const begun = process.hrtime.bigint();
  for (let left = jobs; left > 0; left -= BATCH) {
    await queue.addBulk(Array(Math.min(left, BATCH)).fill(job));
  }
  await waitUntilEmpty(queue);
  console.log(Math.round(jobs / (Number(process.hrtime.bigint() - begun) / 1e9)));
  await queue.close();
}

const [role, number] = process.argv.slice(2);
if (role === 'work') {
  work(Number(number));
} else {
  push(Number(number)).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
