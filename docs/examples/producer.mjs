#!/usr/bin/env node
// producer.mjs QUEUE URL...: each line of standard input becomes one event, however often it has to be sent.
import { createInterface } from "node:readline";
import { ask } from "./wormhole.mjs";

const [queue, ...nodes] = process.argv.slice(2);
for await (const line of createInterface({ input: process.stdin })) {
  const { status, body } = await ask(nodes, "POST", `/queues/${queue}/events`, line);
  if (status !== 201) {
    console.error(body.toString()); // refused: the sentence says why
    process.exit(1);
  }
}
