#!/usr/bin/env node
// change.mjs KEY COMMAND URL...: COMMAND reads the value of KEY and writes the new one, which is stored only if nobody else
// changed it meanwhile; else COMMAND is run again with what is there now. So it should do nothing but compute.
import { execFileSync } from "node:child_process";
import { ask } from "./wormhole.mjs";

const [key, command, ...nodes] = process.argv.slice(2);
const path = `/kv/${encodeURIComponent(key)}`;
let status = 412;
let body;
while (status === 412) { // somebody else was faster, or this is the first time
  const now = await ask(nodes, "GET", path);
  const there = now.status === 200;
  const condition = there ? { "If-Match": now.headers.get("ETag") } : { "If-None-Match": "*" };
  const changed = execFileSync("sh", ["-c", command], { input: there ? now.body : "", stdio: ["pipe", "pipe", "inherit"] });
  ({ status, body } = await ask(nodes, "PUT", path, changed, condition));
}
if (![201, 204].includes(status)) {
  console.error(body.toString()); // refused: the sentence says why
  process.exit(1);
}
