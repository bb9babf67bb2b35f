#!/usr/bin/env node
// worker.mjs QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.
// HOLD (30): seconds for which an event is held, again and again while COMMAND runs. A node that hangs is given up
// after a part of them.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "./wormhole.mjs";

const [queue, command, ...nodes] = process.argv.slice(2);
const hold = Number(process.env.HOLD ?? 30);

function run(input) {
  return new Promise((resolve) => {
    const child = spawn("sh", ["-c", command], { stdio: ["pipe", "inherit", "inherit"] });
    child.on("close", (code) => resolve(code === 0));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

// Longer work keeps its event.
async function keep(event, receipt, done) {
  const others = [...nodes];
  while (await sleep((hold * 1000) / 3, true, { signal: done }).catch(() => false))
    await ask(others, "POST", `${event}/extend?${receipt}&visibility_timeout=${hold}s`, undefined, {}, hold / 6);
}

let stop = false;
process.on("SIGTERM", () => (stop = true));
while (!stop) {
  const receive = `/queues/${queue}/receive?wait=${Math.floor((hold * 1000) / 6)}ms&visibility_timeout=${hold}s`;
  const { status, headers, body } = await ask(nodes, "POST", receive, undefined, {}, hold / 3, () => stop);
  if (status === 204) continue;
  if (status !== 200) {
    console.error(body.toString()); // refused: the sentence says why
    process.exit(1);
  }
  const event = `/queues/${queue}/events/${headers.get("Wormhole-Event-Id")}`;
  const receipt = `receipt=${headers.get("Wormhole-Receipt")}`;
  const done = new AbortController();
  keep(event, receipt, done.signal);
  const worked = await run(body);
  done.abort();
  const [method, path] = worked ? ["DELETE", event] : ["POST", `${event}/release`]; // `backoff` says when it comes again
  const settled = await ask(nodes, method, `${path}?${receipt}`, undefined, {}, hold / 6);
  if (settled.status >= 300) console.error(settled.body.toString()); // too late: it comes again, or came already
}
