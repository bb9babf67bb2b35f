// A client in some twenty lines: ask() asks one node after the other until one answers, and has nothing done twice.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const password = process.env.WORMHOLE_PASSWORD;

// The status, headers and body of the answer. `nodes`, an array of URLs, is turned until its first one answers; one that
// has not answered after `timeout` seconds is given up. Once `stop` says true, a failure ends the
// program.
export async function ask(nodes, method, path, body, headers = {}, timeout = 30, stop = () => false) {
  headers = { "Content-Type": "text/plain", ...headers };
  if (method !== "GET") headers["Idempotency-Key"] = randomUUID(); // the same for each try: done once
  if (password) headers.Authorization = `Bearer ${password}`;
  for (;;) {
    let pause = 1;
    try {
      const signal = AbortSignal.timeout(Math.ceil(timeout * 1000));
      const answer = await fetch(nodes[0] + path, { method, body, headers, signal });
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (![429, 502, 503, 504].includes(answer.status))
        return { status: answer.status, headers: answer.headers, body: bytes };
      pause = Number(answer.headers.get("Retry-After")) || pause; // a proxy may send a date
    } catch {
      // this node is gone, or its answer was lost
    }
    if (stop()) process.exit();
    nodes.push(nodes.shift());
    await sleep(pause * 1000);
  }
}
