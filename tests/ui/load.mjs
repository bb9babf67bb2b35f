// A load of writes and reads: a producer, a worker and a reader of keys, with so many rounds a second.

// `perSecond(seconds since the start)` gives the rate. Returns what stops it. `onWrite(ms)` is told each write's time.
export function load(url, perSecond, onWrite = () => {}) {
  const started = Date.now();
  let stopped = false;
  let n = 0;
  const ask = (method, path, body) =>
    fetch(url + path, {method, body, headers: {Accept: 'application/json'}, signal: AbortSignal.timeout(10000)});
  const round = async () => {
    const i = ++n;
    const begun = performance.now();
    const answer = await ask('POST', '/queues/orders/events', `{"order":${50000 + i}}`);
    await answer.arrayBuffer();
    onWrite(performance.now() - begun, answer.status);
    const got = await ask('POST', '/queues/orders/receive?max=1');
    if (got.status === 200)
      for (const event of await got.json())
        await (await ask('DELETE', `/queues/orders/events/${event.id}?receipt=${event.receipt}`)).arrayBuffer();
    for (let k = 0; k < 5; ++k) await (await ask('GET', '/kv/config/shop/currency')).arrayBuffer();
  };
  const next = () => {
    if (stopped) return;
    round().catch(() => {});
    setTimeout(next, 1000 / perSecond((Date.now() - started) / 1000));
  };
  next();
  return () => {
    stopped = true;
  };
}
