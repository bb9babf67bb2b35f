// What open pages cost a node: requests and bytes a second of one page, by view; and how long writes take with ten
// pages open and with none, in turns.
import {readFileSync} from 'node:fs';
import {fill} from './fill.mjs';
import {Cluster, eventually, openPage, test} from './harness.mjs';
import {load} from './load.mjs';

const kRounds = Number(process.env.ROUNDS ?? 4);
const kSeconds = Number(process.env.SECONDS_EACH ?? 15);
const kViews = ['#/cluster', '#/queues', '#/queues/orders', '#/keys', '#/leases', '#/messages'];

const after = (ms) => {
  const begun = Date.now();
  return eventually(() => Date.now() - begun >= ms, ms / 1000 + 5);
};
const part = (sorted, of) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))].toFixed(2);

// The seconds of CPU that the node's process took since it began; ticks are hundredths.
function cpuOf(node) {
  const fields = readFileSync(`/proc/${node.process.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export async function run() {
  const cluster = await Cluster.start('cost');
  const [node] = cluster.nodes;
  await fill(node.url);
  await test('one page, by view', async () => {
    for (const hash of kViews) {
      const page = await openPage(node.url, hash);
      await page.locator('main h1').waitFor();
      await after(5000);
      const [requests, bytes, begun] = [page.sent.length, page.received, Date.now()];
      await after(30000);
      const seconds = (Date.now() - begun) / 1000;
      console.log(
        `${hash}: ${((page.sent.length - requests) / seconds).toFixed(2)} requests/s, ${Math.round((page.received - bytes) / seconds)} bytes of bodies/s`,
      );
      await page.context().close();
    }
  });
  await test('writes beside ten pages', async () => {
    const times = {without: [], with: []};
    const cpu = {without: 0, with: 0};
    let now = null;
    const stop = load(
      node.url,
      () => 60,
      (ms, status) => now !== null && status === 201 && times[now].push(ms),
    );
    for (let round = 0; round < kRounds; ++round)
      for (const kind of ['without', 'with']) {
        const pages = [];
        if (kind === 'with') {
          for (let i = 0; i < 10; ++i) pages.push(await openPage(node.url, kViews[i % kViews.length]));
          for (const page of pages) await page.locator('main h1').waitFor();
        }
        await after(2000);
        const before = cpuOf(node);
        now = kind;
        await after(kSeconds * 1000);
        now = null;
        cpu[kind] += cpuOf(node) - before;
        for (const page of pages) await page.context().close();
      }
    stop();
    for (const kind of ['without', 'with']) {
      const sorted = times[kind].sort((a, b) => a - b);
      console.log(
        `${kind} ten pages: ${sorted.length} writes, p50 ${part(sorted, 0.5)} ms, p99 ${part(sorted, 0.99)} ms, ` +
          `the node's CPU ${((100 * cpu[kind]) / (kRounds * kSeconds)).toFixed(1)} % of a core`,
      );
    }
  });
  await cluster.stop();
}
