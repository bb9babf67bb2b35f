#!/usr/bin/env node
// worker.mjs QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.
import { spawn } from "node:child_process";
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

let stop = false;
process.on("SIGTERM", () => (stop = true));
while (!stop) {
  const { status, headers, body } = await ask(nodes, "POST", `/queues/${queue}/receive?wait=20s&visibility_timeout=${hold}s`);
  if (status === 204) continue;
  if (status !== 200) {
    console.error(body.toString()); // refused: the sentence says why
    process.exit(1);
  }
  const event = `/queues/${queue}/events/${headers.get("Wormhole-Event-Id")}`;
  const receipt = `receipt=${headers.get("Wormhole-Receipt")}`;
  // Longer work keeps its event.
  const keep = () => ask([...nodes], "POST", `${event}/extend?${receipt}&visibility_timeout=${hold}s`);
  const keeper = setInterval(keep, (hold * 1000) / 3);
  const worked = await run(body);
  clearInterval(keeper);
  if (worked) await ask(nodes, "DELETE", `${event}?${receipt}`);
  else await ask(nodes, "POST", `${event}/release?${receipt}`); // `backoff` says when it comes again
}
