// What the scripts here share: test() prints a line a case, end() the totals.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

let passed = 0, failed = 0;
export async function test(name, body) {
  try {
    await body();
    passed++;
    console.log(`passed: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${name}: ${error.stack}`);
  }
}

export function end() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

// The commands of commands.txt, each as its words.
export const commands = () => readFileSync(new URL('commands.txt', import.meta.url), 'utf8').split('\n')
  .filter((line) => line && !line.startsWith('#')).map((line) => line.split(' ').map((word) => word === "''" ? '' : word));

// Sends them one by one to both, and says where the answers differ. An error is an answer.
export async function compare(ask, here, there) {
  const answer = (client, words) => ask(client, words).catch((error) => `error: ${error.message}`);
  const differ = [];
  for (const words of commands()) {
    const [ours, theirs] = [await answer(here, words), await answer(there, words)];
    if (!isDeepStrictEqual(ours, theirs)) differ.push({ command: words.join(' '), ours, theirs });
  }
  if (differ.length) throw new Error(`other answers than Redis's: ${JSON.stringify(differ, null, 1)}`);
}

// Ends the node's process and starts it anew, on the same ports and data.
export const restart = () => execFileSync(process.env.RESTART, { stdio: 'inherit' });

// Polls until `what` gives something true; an error counts as false.
export async function eventually(what) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await Promise.resolve().then(what).catch(() => false);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within 20 seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
