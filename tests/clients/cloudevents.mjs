// cloudevents.mjs URL: the `cloudevents` package sends events to a node and takes them back, in binary, structured and
// batched mode, in all nine combinations, through a queue, a topic and /event. Prints a line per case, then the totals.
import { strict as assert } from 'node:assert';
import { CloudEvent, HTTP } from 'cloudevents';
import { end, test } from './harness.mjs';

const node = process.argv[2];
const batched = { headers: { 'content-type': 'application/cloudevents-batch+json' } };

async function ask(method, path, { headers = {}, body } = {}) {
  const answer = await fetch(node + path, { method, headers, body, redirect: 'follow' });
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
}

const send = {
  binary: async (path, events) => {
    for (const event of events) await sent(path, HTTP.binary(event));
  },
  structured: async (path, events) => {
    for (const event of events) await sent(path, HTTP.structured(event));
  },
  batched: (path, events) => sent(path, { ...batched, body: JSON.stringify(events) }),
};

async function sent(path, message) {
  const answer = await ask('POST', path, message);
  assert.equal(answer.status, 201, answer.body);
  assert.equal(answer.body, '');
}

// Each takes `count` events and acknowledges them.
const receive = {
  binary: async (queue, count) => one(queue, count, {}, (answer) => answer.headers['wormhole-receipt']),
  structured: async (queue, count) =>
    one(queue, count, { accept: 'application/cloudevents+json' }, (answer, event) =>
      answer.headers['wormhole-receipt'] ?? event.wormholereceipt),
  batched: async (queue, count) => {
    const answer = await ask('POST', `/queues/${queue}/receive?max=${count}`,
      { headers: { accept: batched.headers['content-type'] } });
    assert.equal(answer.status, 200, answer.body);
    const events = HTTP.toEvent({ headers: answer.headers, body: answer.body });
    for (const event of events) await acknowledge(queue, event.wormholereceipt);
    return events;
  },
};

async function one(queue, count, headers, receiptOf) {
  const events = [];
  for (let i = 0; i < count; i++) {
    const answer = await ask('POST', `/queues/${queue}/receive`, { headers });
    assert.equal(answer.status, 200, answer.body);
    const event = HTTP.toEvent({ headers: answer.headers, body: answer.body });
    await acknowledge(queue, receiptOf(answer, event));
    events.push(event);
  }
  return events;
}

async function acknowledge(queue, receipt) {
  assert.ok(receipt, 'the answer has a receipt');
  const answer = await ask('DELETE', `/queues/${queue}/events/${receipt.split('-')[0]}?receipt=${receipt}`);
  assert.equal(answer.status, 204, answer.body);
}

let made = 0;
const event = (rest) => new CloudEvent({ id: `e-${++made}`, source: '/shop/orders', type: 'order.new', ...rest });
// The package neither encodes nor decodes the percent-encoding of the HTTP binding (3.1.3.2): what needs it goes through
// the other modes only.
const examples = (...modes) => [
  event({ data: { total: 12, who: 'Zoë "€" 50%' }, datacontenttype: 'application/json' }),
  event({ subject: modes.includes('binary') ? 'a/b' : 'a b/ü', time: '2018-04-05T17:31:00.000Z', data: 'plain, ümlaut\nand a line', datacontenttype: 'text/plain' }),
  event({ data: '<much wow="xml"/>', datacontenttype: 'application/xml', comexampleextension1: 'value' }),
  event({ partitionkey: 'customer-7', comexampleothervalue: 5, dataschema: 'https://example.com/schema' }),
];

function same(got, wanted) {
  for (const name of ['id', 'source', 'type', 'specversion', 'subject', 'time', 'dataschema', 'partitionkey', 'comexampleextension1'])
    assert.equal(got[name], wanted[name], name);
  // In binary mode an extension's value is text (HTTP binding, 3.1.3), so a number comes back as its digits.
  if (wanted.comexampleothervalue !== undefined)
    assert.equal(String(got.comexampleothervalue), String(wanted.comexampleothervalue));
  const payload = (data) => (data === '' || data === null ? undefined : data);
  assert.deepEqual(payload(got.data), payload(wanted.data), 'data');
}

for (const sending of Object.keys(send))
  for (const receiving of Object.keys(receive))
    await test(`cloudevents: sent ${sending}, received ${receiving}`, async () => {
      const queue = `${sending}-${receiving}`, wanted = examples(sending, receiving);
      await send[sending](`/queues/${queue}/events`, wanted);
      const got = await receive[receiving](queue, wanted.length);
      assert.equal(got.length, wanted.length);
      wanted.forEach((each, i) => same(got[i], each));
      assert.equal((await ask('POST', `/queues/${queue}/receive`)).status, 204);
    });

for (const sending of Object.keys(send))
  await test(`cloudevents: sent ${sending} twice, stored once`, async () => {
    const queue = `twice-${sending}`, wanted = examples(sending);
    await send[sending](`/queues/${queue}/events`, wanted);
    await send[sending](`/queues/${queue}/events`, wanted);
    assert.equal(JSON.parse((await ask('GET', `/queues/${queue}`)).body).ready, wanted.length);
  });

await test('cloudevents: a topic hands on what its filters let through', async () => {
  for (const [queue, type] of [['billing', 'order.*'], ['audit', '*']]) {
    const made = await ask('PUT', `/topics/shop/queues/${queue}`,
      { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ filter: { type } }) });
    assert.ok(made.status < 300, made.body);
  }
  const wanted = [event({ data: 1 }), event({ type: 'refund.new', data: 2 })];
  for (const each of wanted) await sent('/topics/shop/events', HTTP.structured(each));
  same((await receive.structured('billing', 1))[0], wanted[0]);
  assert.equal((await ask('POST', '/queues/billing/receive')).status, 204);
  (await receive.batched('audit', 2)).forEach((each, i) => same(each, wanted[i]));
});

await test('cloudevents: /event takes all modes, and its queue gives them back', async () => {
  for (const sending of Object.keys(send)) {
    const [wanted] = examples(sending);
    await send[sending]('/event', [wanted]);
    same((await receive[sending]('event', 1))[0], wanted);
  }
});

await test('cloudevents: what the package would not send is refused with the attribute named', async () => {
  const answer = await ask('POST', '/queues/bad/events',
    { headers: { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s' }, body: 'x' });
  assert.equal(answer.status, 400);
  assert.match(answer.body, /'type'/);
});

end();
