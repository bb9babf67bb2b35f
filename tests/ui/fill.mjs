// Plausible data for the pictures of the page: queues of a shop with dead letters, keys under prefixes, leases.

// `url` is any node's, without a slash at its end.
export async function fill(url) {
  const ask = async (method, path, body, headers = {}) => {
    const answer = await fetch(url + path, {
      method,
      body:
        body === undefined
          ? undefined
          : typeof body === 'string' || body instanceof Uint8Array
            ? body
            : JSON.stringify(body),
      headers: {
        ...(body === undefined || headers['Content-Type'] ? {} : {'Content-Type': 'application/json'}),
        ...headers,
      },
    });
    const text = await answer.text();
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  };
  const order = (i) => ({
    data: JSON.stringify({
      order: 48210 + i,
      customer: ['Ada Byron', 'Grace Hopper', 'Barbara Liskov', 'Frances Allen'][i % 4],
      items: [{sku: `BK-${100 + ((i * 7) % 60)}`, quantity: 1 + (i % 3)}],
      total: `${(19.9 + ((i * 13) % 80)).toFixed(2)} EUR`,
      express: i % 5 === 0,
    }),
    content_type: 'application/json',
    attributes: {type: i % 4 === 3 ? 'order.changed' : 'order.created', source: '/shop/checkout'},
    group: `customer-${(i * 7) % 23}`,
    priority: i % 5 === 0 ? 1 : 4,
  });
  const text = (i, words) => ({data: `${words} ${i}`, content_type: 'text/plain'});
  const put = (queue, many, make) =>
    ask(
      'POST',
      `/queues/${queue}/batch`,
      Array.from({length: many}, (_, i) => make(i)),
    );
  const take = async (queue, max, then) => {
    const got = await ask('POST', `/queues/${queue}/receive?max=${max}&visibility_timeout=10m`, undefined, {
      Accept: 'application/json',
    });
    for (const event of got ?? []) await then(event);
  };
  await ask('PUT', '/queues/payments', {max_deliveries: 3, backoff: ['1s', '10s', '2m'], visibility_timeout: '1m'});
  await put('orders', 340, order);
  await put('orders', 12, (i) => ({...order(i + 400), delay: `${10 + i}m`}));
  await put('payments', 58, (i) => ({
    ...order(i + 90),
    attributes: {type: 'payment.requested', method: i % 3 ? 'card' : 'invoice'},
  }));
  await put('emails.outgoing', 1000, (i) => text(i, 'To: customer; Subject: Your order has left our house. Number'));
  await put('images.resize', 24, (i) => ({
    data_base64: Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, i, 255, 216, (7 * i) % 256, 1, 2, 3]).toString(
      'base64',
    ),
    content_type: 'image/png',
  }));
  await put('invoices', 6, (i) => ({...order(i), delay: '6h'}));
  await put('search.reindex', 3, (i) => text(i, 'product'));
  await put('stock.updates', 120, (i) => ({
    data: `{"sku":"BK-${i}","stock":${(i * 31) % 90}}`,
    content_type: 'application/json',
  }));
  await put('webhooks.partners', 42, (i) => ({
    ...order(i),
    attributes: {type: 'webhook', url: `https://partner-${i % 5}.example/hook`},
  }));
  await put('reports.nightly', 1, (i) => ({...text(i, 'sales'), delay: '9h'}));
  await ask('POST', '/queues/stock.updates/pause?direction=out');
  await take('orders', 9, async () => {});
  await take('orders', 40, (event) => ask('DELETE', `/queues/orders/events/${event.id}?receipt=${event.receipt}`));
  await take('emails.outgoing', 4, async () => {});
  const reasons = ['card issuer answered 402', 'timeout after 30 s at psp.example', 'currency XTS is not known'];
  let n = 0;
  await take('payments', 7, (event) =>
    ask(
      'POST',
      `/queues/payments/events/${event.id}/bury?receipt=${event.receipt}&reason=${encodeURIComponent(reasons[n++ % 3])}`,
    ),
  );
  await take('webhooks.partners', 3, (event) =>
    ask('POST', `/queues/webhooks.partners/events/${event.id}/bury?receipt=${event.receipt}&reason=410%20Gone`),
  );

  const lease = async (ttl) => (await ask('POST', `/leases?ttl=${ttl}`)).id;
  const key = (name, value, query = '', type = 'text/plain') =>
    ask('PUT', `/kv/${name}${query}`, value, {'Content-Type': type});
  const [leader, worker, cron] = [await lease('15m'), await lease('90s'), await lease('5m')];
  await key('config/shop/currency', 'EUR');
  await key('config/shop/free-shipping-from', '49.00');
  await key(
    'config/shop/features',
    JSON.stringify({express: true, giftWrap: false, newCheckout: {percent: 25, countries: ['DE', 'FR', 'NL']}}),
    '',
    'application/json',
  );
  await key('config/mail/sender', 'orders@shop.example');
  await key('config/mail/retry', JSON.stringify({attempts: 5, backoff: '30s'}), '', 'application/json');
  await key('locks/reindex', 'worker-7', `?lease=${cron}`);
  await key('leaders/billing', 'billing-2.internal:7001', `?lease=${leader}`);
  for (let i = 1; i <= 5; ++i)
    await key(
      `services/checkout/10.0.4.${10 + i}:8443`,
      JSON.stringify({weight: 10 * i, zone: 'abc'[i % 3]}),
      `?lease=${worker}`,
      'application/json',
    );
  for (let i = 0; i < 30; ++i)
    await key(
      `sessions/${((0x9e3779b1 * (i + 1)) % 0x100000000).toString(16).padStart(8, '0')}`,
      `{"user":${1000 + i}}`,
      `?ttl=${5 + i}m`,
      'application/json',
    );
  await key(
    'images/logo',
    Uint8Array.from({length: 300}, (_, i) => (i * 37 + 11) % 256),
    '',
    'image/png',
  );
  for (let i = 0; i < 4; ++i) await ask('POST', '/kv/counters/orders/incr?by=12052');
}
