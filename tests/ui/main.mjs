// Runs the page's tests, or makes its pictures, or measures what it costs.
import {end} from './harness.mjs';

const {SCREENSHOTS, COST, PARTS} = process.env;
const parts = SCREENSHOTS
  ? ['pictures']
  : COST
    ? ['cost']
    : (PARTS || 'views actions lists careful outcomes hostile access').split(' ');
for (const part of parts) await (await import(`./${part}.mjs`)).run();
await end();
