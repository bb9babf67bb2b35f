// What the scripts here share: test() prints a line a case, end() the totals.
import { execFileSync } from 'node:child_process';

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
