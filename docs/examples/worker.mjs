#!/usr/bin/env node
// worker.mjs QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const [queue, command, ...nodes] = process.argv.slice(2);
const hold = Number(process.env.HOLD ?? 30);
let turn = 0; // which node is asked

// Asks one node after the other until one answers.
async function ask(method, path) {
  for (;;) {
    let pause = 1;
    try {
      const url = `${nodes[turn % nodes.length]}/queues/${queue}/${path}`;
      const answer = await fetch(url, { method, signal: AbortSignal.timeout(30_000) });
      const body = Buffer.from(await answer.arrayBuffer());
      if (![429, 503, 504].includes(answer.status)) return { status: answer.status, headers: answer.headers, body };
      pause = Number(answer.headers.get("Retry-After") ?? pause);
    } catch {
      // this node is gone
    }
    turn += 1;
    await sleep(pause * 1000);
  }
}

function run(input) {
  return new Promise((resolve) => {
    const child = spawn("sh", ["-c", command], { stdio: ["pipe", "inherit", "inherit"] });
    child.on("close", (code) => resolve(code === 0));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

let stop = false;
process.on("SIGTERM", () => (stop = true));
while (!stop) {
  const { status, headers, body } = await ask("POST", `receive?wait=20s&visibility_timeout=${hold}s`);
  if (status === 204) continue;
  if (status !== 200) {
    console.error(body.toString()); // refused: the sentence says why
    process.exit(1);
  }
  const event = `events/${headers.get("Wormhole-Event-Id")}`;
  const receipt = `receipt=${headers.get("Wormhole-Receipt")}`;
  // Longer work keeps its event.
  const keeper = setInterval(() => ask("POST", `${event}/extend?${receipt}&visibility_timeout=${hold}s`), (hold * 1000) / 3);
  const worked = await run(body);
  clearInterval(keeper);
  if (worked) await ask("DELETE", `${event}?${receipt}`);
  else await ask("POST", `${event}/release?${receipt}`); // `backoff` says when it comes again
}
