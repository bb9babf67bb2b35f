#!/usr/bin/env node
// producer.mjs QUEUE URL...: each line of standard input becomes one event, however often it has to be sent.
// Empty lines are skipped.
import { ask } from "./wormhole.mjs";

const [queue, ...nodes] = process.argv.slice(2);

async function send(line) {
  if (line.length === 0) return;
  const { status, body } = await ask(nodes, "POST", `/queues/${queue}/events`, line);
  if (status === 201) return;
  console.error(body.toString()); // refused: the sentence says why
  process.exit(1);
}

let rest = Buffer.alloc(0); // bytes, as they may be no UTF-8
for await (const piece of process.stdin) {
  rest = Buffer.concat([rest, piece]);
  for (let end; (end = rest.indexOf("\n")) >= 0; rest = rest.subarray(end + 1)) await send(rest.subarray(0, end));
}
await send(rest); // the last one may lack its newline
