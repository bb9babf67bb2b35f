// openapi.mjs URL: GET /openapi.json is a valid OpenAPI 3.1 document, and its schemas are JSON Schemas that say what
// the node answers. Prints a line per case, then the totals.
import { strict as assert } from 'node:assert';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import { end, test } from './harness.mjs';

const node = process.argv[2];
const text = await (await fetch(`${node}/openapi.json`)).text();
const document = JSON.parse(text);

await test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate(JSON.parse(text));
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
  assert.equal(validator.version, '3.1');
  validator.resolveRefs();
});

await test('the validator finds what is wrong: an operation without responses is not valid', async () => {
  const wrong = JSON.parse(text);
  wrong.paths['/event'].get.responses = 'none';
  assert.ok(!(await new Validator().validate(wrong)).valid);
});

const ajv = new Ajv({ strict: true, strictRequired: false, strictTypes: false, validateFormats: false });
ajv.addKeyword('components');
ajv.addSchema({ components: document.components }, 'document');

const fits = (name, value) => {
  const check = ajv.compile({ $ref: `document#/components/schemas/${name}` });
  assert.ok(check(value), `${name}: ${JSON.stringify(check.errors)} in ${JSON.stringify(value)}`);
};

await test('each schema compiles', async () => {
  for (const name of Object.keys(document.components.schemas))
    ajv.compile({ $ref: `document#/components/schemas/${name}` });
});

await test('answers are as their schemas say', async () => {
  const ask = async (method, path, body) => {
    const answer = await fetch(node + path, { method, body, headers: { 'content-type': 'application/json' } });
    return answer.json();
  };
  fits('Description', document);
  fits('Cluster', await ask('GET', '/cluster'));
  fits('QueueSettings', await ask('PUT', '/queues/described', '{"ttl":"1h"}'));
  fits('Ids', await ask('POST', '/queues/described/batch', '[{"data":"a"},{"data_base64":"/w=="}]'));
  fits('Events', await ask('GET', '/queues/described/events'));
  fits('Queue', await ask('GET', '/queues/described'));
  fits('Deliveries', await ask('POST', '/queues/described/receive?max=2'));
  fits('ClusterSettings', await ask('GET', '/cluster/settings'));
  const transaction = { compare: [{ key: 'd', exists: false }], success: [{ put: { key: 'd', value: '1' } },
    { incr: { key: 'd' } }, { get: { prefix: 'd' } }, { delete: { key: 'd' } }] };
  fits('Transaction', transaction);
  fits('TransactionResult', await ask('POST', '/txn', JSON.stringify(transaction)));
  fits('Error', await ask('GET', '/get'));
});

end();
