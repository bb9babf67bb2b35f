// node_redis.mjs PORT: node-redis at its defaults, which are RESP3 and CLIENT SETINFO, against the debug port. Prints a
// line per case, then the totals.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { createClient, RESP_TYPES } from 'redis';
import { compare, end, eventually, restart, test } from './harness.mjs';

const port = Number(process.argv[2]);
const binary = Buffer.from([0, 255, 13, 10, 36, 45, 49, 13, 10, 128]);

async function connect(options = {}) {
  const client = createClient({ socket: { port }, ...options });
  client.on('error', () => {});  // of a connection that ends: it connects anew
  return client.connect();
}
const redis = await connect();

await test('node-redis: connects with RESP3, and says who it is', async () => {
  const me = await redis.clientInfo();
  assert.equal(me.resp, 3);
  assert.equal(me.libName, 'node-redis');
  assert.match(me.addr, /^127\.0\.0\.1:\d+$/);
  assert.equal(me.id, await redis.clientId());
  assert.equal(me.user, 'default');
});

await test('node-redis: PING, ECHO, INFO, COMMAND', async () => {
  assert.equal(await redis.ping(), 'PONG');
  assert.equal(await redis.ping('hello'), 'hello');
  assert.equal(await redis.echo('ü'), 'ü');
  assert.match(await redis.info(), /\r\nloading:0\r\n/);
  const [get, none] = await redis.commandInfo(['get', 'none']);
  assert.ok(get.flags.has('readonly'));
  assert.equal(none, null);
  assert.equal((await redis.command()).length, await redis.commandCount());
  assert.equal((await redis.configGet('maxclients')).maxclients, '10000');
});

await test('node-redis: keys', async () => {
  assert.equal(await redis.get('nr:none'), null);
  const before = await redis.dbSize();
  assert.equal(await redis.set('nr:a', '1'), 'OK');
  assert.equal(await redis.mSet({ 'nr:b': '2', 'nr:c': 'Zoë' }), 'OK');
  assert.equal(await redis.get('nr:c'), 'Zoë');
  assert.equal(await redis.exists(['nr:a', 'nr:b', 'nr:none']), 2);
  assert.equal(await redis.type('nr:a'), 'string');
  assert.equal(await redis.type('nr:none'), 'none');
  assert.equal(await redis.dbSize(), before + 3);
  assert.equal(await redis.del(['nr:a', 'nr:b', 'nr:c', 'nr:none']), 3);
});

await test('node-redis: queues as lists', async () => {
  assert.equal(await redis.rPush('nr', ['a', 'b', 'c', 'd']), 4);
  assert.equal(await redis.lLen('nr'), 4);
  assert.deepEqual(await redis.lRange('nr', 0, -1), ['a', 'b', 'c', 'd']);
  assert.equal(await redis.lIndex('nr', -1), 'd');
  assert.equal(await redis.lPop('nr'), 'a');
  assert.deepEqual(await redis.lPopCount('nr', 2), ['b', 'c']);
  assert.deepEqual(await redis.blPop('nr', 1), { key: 'nr', element: 'd' });
  assert.equal(await redis.lPop('nr'), null);
  assert.equal(await redis.lPopCount('nr', 2), null);
  assert.equal(await redis.blPop('nr', 0.01), null);
});

await test('node-redis: a BLPOP waits for another client', async () => {
  const other = await connect();
  const waiting = other.blPop('nr-wait', 20);
  await eventually(async () => /\r\nblocked_clients:[1-9]/.test(await redis.info('clients')));
  await redis.rPush('nr-wait', 'late');
  assert.deepEqual(await waiting, { key: 'nr-wait', element: 'late' });
  await other.close();
});

await test('node-redis: binary values', async () => {
  await redis.set('nr:binary', binary);
  const raw = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  assert.deepEqual(await raw.get('nr:binary'), binary);
  await redis.rPush('nr-binary', binary);
  assert.deepEqual(await raw.lPop('nr-binary'), binary);
});

await test('node-redis: a pipeline of 1000, in order', async () => {
  const pipeline = redis.multi();
  for (let i = 0; i < 500; i++) pipeline.set('nr:p', `${i}`).get('nr:p');
  const answers = await pipeline.execAsPipeline();
  assert.equal(answers.length, 1000);
  for (let i = 0; i < 500; i++) assert.deepEqual(answers.slice(2 * i, 2 * i + 2), ['OK', `${i}`]);
  const together = await Promise.all([...Array(1000).keys()].map((i) => redis.echo(`${i}`)));
  assert.deepEqual(together, [...Array(1000).keys()].map(String));
});

await test('node-redis: a transaction, one that a watched key stops, and one with an error', async () => {
  const answers = await redis.multi().set('nr:t', '1').incrBy('nr:t', 41).rPush('nr-t', ['a', 'b']).get('nr:t').exec();
  assert.deepEqual(answers, ['OK', 42, 2, '42']);
  const watching = await connect();
  await watching.watch(['nr:t', 'nr:none']);
  await redis.set('nr:t', 'text');
  await assert.rejects(watching.multi().set('nr:t', 'lost').exec(), /WatchError|watched keys/i);
  assert.equal(await redis.get('nr:t'), 'text');
  await assert.rejects(redis.multi().set('nr:u', '1').incr('nr:t').exec(), /EXECABORT/);
  assert.equal(await redis.get('nr:u'), null);
  await assert.rejects(redis.multi().hSet('nr:h', 'f', 'v').set('nr:u', '1').exec());
  assert.equal(await redis.get('nr:u'), null);
  const many = redis.multi();
  for (let i = 0; i < 1000; i++) many.incr('nr:many');
  assert.equal((await many.exec()).at(-1), 1000);
  await watching.close();
});

if (process.env.REDIS_PORT) await test('node-redis: each form of each command is answered as by redis-server', async () => {
  const here = await connect();
  const there = await connect({ socket: { port: Number(process.env.REDIS_PORT) } });
  await compare((client, words) => client.sendCommand(words), here, there);
  await Promise.all([here.close(), there.close()]);
});

await test('node-redis: names and lists of clients, CLIENT KILL', async () => {
  assert.equal(await redis.clientGetName(), null);
  assert.equal(await redis.clientSetName('tester'), 'OK');
  assert.equal(await redis.clientGetName(), 'tester');
  const other = await connect({ name: 'other' });
  const list = await redis.clientList();
  assert.ok(list.some((one) => one.name === 'tester'));
  const { id } = list.find((one) => one.name === 'other');
  assert.equal(id, await other.clientId());
  assert.equal(await redis.clientKill({ filter: 'ID', id }), 1);
  await eventually(async () => (await other.clientId()) !== id);
  assert.equal(await other.clientGetName(), 'other');
  await other.close();
});

await test('node-redis: errors reject, and the connection goes on', async () => {
  await assert.rejects(redis.sendCommand(['NOSUCH', 'x']), /^Error: ERR unknown command 'NOSUCH'/);
  await assert.rejects(redis.sendCommand(['GET']), /wrong number of arguments for 'get' command/);
  await assert.rejects(redis.select(1), /ERR DB index is out of range/);
  await redis.select(0);
  assert.equal(await redis.ping(), 'PONG');
});

await test('node-redis: a password', async () => {
  await redis.configSet('requirepass', 'secret');
  try {
    const other = await connect({ password: 'secret' });
    assert.equal(await other.ping(), 'PONG');
    await other.close();
    const wrong = createClient({ socket: { port, reconnectStrategy: false }, password: 'wrong' });
    wrong.on('error', () => {});
    await assert.rejects(wrong.connect(), /WRONGPASS/);
  } finally {
    await redis.configSet('requirepass', '');
  }
});

await test('node-redis: over TLS', async () => {
  const tls = { port: Number(process.env.TLS_PORT), tls: true, ca: readFileSync(process.env.TLS_CA) };
  const secure = await connect({ socket: tls });
  assert.equal((await secure.clientInfo()).resp, 3);
  const large = 'x'.repeat(500_000);
  assert.equal(await secure.set('nr:tls', large), 'OK');
  assert.equal(await redis.get('nr:tls'), large);
  const waiting = secure.blPop('nr-tls', 20);
  await eventually(async () => /\r\nblocked_clients:[1-9]/.test(await redis.info('clients')));
  await redis.rPush('nr-tls', 'late');
  assert.deepEqual(await waiting, { key: 'nr-tls', element: 'late' });
  await secure.close();
  const strict = createClient({ socket: { ...tls, ca: undefined, reconnectStrategy: false } });
  strict.on('error', () => {});
  await assert.rejects(strict.connect(), /self-signed|self signed/);
});

await test('node-redis: connects anew after a restart', async () => {
  await redis.set('nr:kept', 'yes');
  restart();
  assert.equal(await eventually(() => redis.get('nr:kept')), 'yes');
  assert.equal((await redis.clientInfo()).resp, 3);
});

await redis.close();
end();
