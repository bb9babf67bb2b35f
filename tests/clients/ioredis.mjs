// ioredis.mjs PORT: ioredis at its defaults, which ask INFO whether the server is loading, against the debug port.
// Prints a line per case, then the totals.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import Redis from 'ioredis';
import { compare, end, eventually, restart, test } from './harness.mjs';

const port = Number(process.argv[2]);
const binary = Buffer.from([0, 255, 13, 10, 36, 45, 49, 13, 10, 128]);

async function connect(options = {}) {
  const client = new Redis({ port, ...options });
  client.on('error', () => {});  // of a connection that ends: it connects anew
  await once(client, 'ready');
  return client;
}
const redis = await connect();

await test('ioredis: connects, asks INFO, and says who it is', async () => {
  const me = await redis.client('INFO');
  assert.match(me, / lib-name=ioredis /);
  assert.match(me, / resp=3 /);
  assert.match(await redis.info(), /\r\nloading:0\r\n/);
  assert.match(await redis.info('server'), /\r\nredis_version:7\.0\.0\r\n/);
});

await test('ioredis: PING, ECHO, COMMAND', async () => {
  assert.equal(await redis.ping(), 'PONG');
  assert.equal(await redis.ping('hello'), 'hello');
  assert.equal(await redis.echo('ü'), 'ü');
  assert.equal((await redis.command()).length, await redis.command('COUNT'));
  assert.equal((await redis.command('INFO', 'get'))[0][0], 'get');
});

await test('ioredis: keys', async () => {
  assert.equal(await redis.get('io:none'), null);
  const before = await redis.dbsize();
  assert.equal(await redis.set('io:a', '1'), 'OK');
  assert.equal(await redis.mset({ 'io:b': '2', 'io:c': 'Zoë' }), 'OK');
  assert.equal(await redis.get('io:c'), 'Zoë');
  assert.equal(await redis.exists('io:a', 'io:b', 'io:none'), 2);
  assert.equal(await redis.type('io:a'), 'string');
  assert.equal(await redis.dbsize(), before + 3);
  assert.equal(await redis.del('io:a', 'io:b', 'io:c', 'io:none'), 3);
});

await test('ioredis: queues as lists', async () => {
  assert.equal(await redis.rpush('io', 'a', 'b', 'c', 'd'), 4);
  assert.equal(await redis.llen('io'), 4);
  assert.deepEqual(await redis.lrange('io', 0, -1), ['a', 'b', 'c', 'd']);
  assert.equal(await redis.lindex('io', -1), 'd');
  assert.equal(await redis.lpop('io'), 'a');
  assert.deepEqual(await redis.lpop('io', 2), ['b', 'c']);
  assert.deepEqual(await redis.blpop('io', 1), ['io', 'd']);
  assert.equal(await redis.lpop('io'), null);
  assert.equal(await redis.lpop('io', 2), null);
  assert.equal(await redis.blpop('io', 0.01), null);
});

await test('ioredis: a BLPOP waits for another client', async () => {
  const other = await connect();
  const waiting = other.blpop('io-wait', 20);
  await eventually(async () => /\r\nblocked_clients:[1-9]/.test(await redis.info('clients')));
  await redis.rpush('io-wait', 'late');
  assert.deepEqual(await waiting, ['io-wait', 'late']);
  await other.quit();
});

await test('ioredis: binary values', async () => {
  await redis.set('io:binary', binary);
  assert.deepEqual(await redis.getBuffer('io:binary'), binary);
  await redis.rpush('io-binary', binary);
  assert.deepEqual(await redis.lpopBuffer('io-binary'), binary);
});

await test('ioredis: a pipeline of 1000, in order', async () => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 500; i++) pipeline.set('io:p', `${i}`).get('io:p');
  const answers = await pipeline.exec();
  assert.equal(answers.length, 1000);
  for (let i = 0; i < 500; i++) assert.deepEqual(answers.slice(2 * i, 2 * i + 2), [[null, 'OK'], [null, `${i}`]]);
});

await test('ioredis: a transaction, one that a watched key stops, and one with an error', async () => {
  const answers = await redis.multi().set('io:t', '1').incrby('io:t', 41).rpush('io-t', 'a', 'b').get('io:t').exec();
  assert.deepEqual(answers, [[null, 'OK'], [null, 42], [null, 2], [null, '42']]);
  const watching = await connect();
  await watching.watch('io:t', 'io:none');
  await redis.set('io:t', 'text');
  assert.equal(await watching.multi().set('io:t', 'lost').exec(), null);
  assert.equal(await redis.get('io:t'), 'text');
  await assert.rejects(redis.multi().set('io:u', '1').incr('io:t').exec(), /EXECABORT/);
  assert.equal(await redis.get('io:u'), null);
  await assert.rejects(redis.multi().hset('io:h', 'f', 'v').set('io:u', '1').exec(), /EXECABORT/);
  assert.equal(await redis.get('io:u'), null);
  await watching.quit();
});

if (process.env.REDIS_PORT) await test('ioredis: each form of each command is answered as by redis-server', async () => {
  const here = await connect();
  const there = await connect({ port: Number(process.env.REDIS_PORT) });
  await compare((client, words) => client.call(...words), here, there);
  await Promise.all([here.quit(), there.quit()]);
});

await test('ioredis: names and lists of clients, CLIENT KILL', async () => {
  assert.equal(await redis.client('GETNAME'), null);
  assert.equal(await redis.client('SETNAME', 'tester'), 'OK');
  assert.equal(await redis.client('GETNAME'), 'tester');
  const other = await connect({ connectionName: 'other' });
  const line = (await redis.client('LIST')).split('\n').find((one) => / name=other /.test(one));
  const id = await other.client('ID');
  assert.ok(line.startsWith(`id=${id} addr=127.0.0.1:`), line);
  assert.equal(await redis.client('KILL', 'ID', id), 1);
  await eventually(async () => (await other.client('ID')) !== id);
  await other.quit();
});

await test('ioredis: errors reject, and the connection goes on', async () => {
  await assert.rejects(redis.call('NOSUCH', 'x'), /ERR unknown command 'NOSUCH'/);
  await assert.rejects(redis.call('GET'), /wrong number of arguments for 'get' command/);
  await assert.rejects(redis.select(1), /ERR DB index is out of range/);
  assert.equal(await redis.select(0), 'OK');
  assert.equal(await redis.ping(), 'PONG');
});

await test('ioredis: a password', async () => {
  await redis.config('SET', 'requirepass', 'secret');
  try {
    const other = await connect({ password: 'secret' });
    assert.equal(await other.ping(), 'PONG');
    await other.quit();
    const wrong = new Redis({ port, password: 'wrong', retryStrategy: null, maxRetriesPerRequest: 0 });
    const [error] = await once(wrong, 'error');
    assert.match(error.message, /WRONGPASS/);
    wrong.disconnect();
  } finally {
    await redis.config('SET', 'requirepass', '');
  }
});

await test('ioredis: over TLS', async () => {
  const secure = await connect({ port: Number(process.env.TLS_PORT), tls: { ca: readFileSync(process.env.TLS_CA) } });
  assert.equal(await secure.set('io:tls', '1'), 'OK');
  assert.equal(await redis.get('io:tls'), '1');
  const pipeline = secure.pipeline();
  for (let i = 0; i < 500; i++) pipeline.set('io:tls', `${i}`).get('io:tls');
  const answers = await pipeline.exec();
  for (let i = 0; i < 500; i++) assert.deepEqual(answers[2 * i + 1], [null, `${i}`]);
  await secure.quit();
});

await test('ioredis: connects anew after a restart', async () => {
  await redis.set('io:kept', 'yes');
  restart();
  assert.equal(await eventually(() => redis.get('io:kept')), 'yes');
});

await redis.quit();
end();
