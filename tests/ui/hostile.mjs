// What others put into queues, keys, names, types and attributes is shown as text: nothing of it runs, nothing of it
// sends a request, nothing of it breaks the page.
import net from 'node:net';
import {Cluster, check, closePage, dialog, equal, eventually, goTo, openPage, settled, test} from './harness.mjs';

const kScripts = [
  '<script>window.ran = 1</script>',
  '<img src=x onerror="window.ran = 2">',
  '"><svg onload=window.ran=3>',
  'javascript:window.ran=4//\'"',
  '</style></script><iframe srcdoc="<script>parent.ran=5</script>">',
  '<a href="https://elsewhere.example/">x</a><link rel=stylesheet href=https://elsewhere.example/x.css>',
  '{{constructor.constructor("window.ran=6")()}}',
  '`${window.ran=7}`',
];
const kOdd = [
  'right \u202eto left\u202c',
  '\u0627\u0644\u0639\u0631\u0628\u064a\u0629',
  '\u0000\u0001\u001b[31mred\u0007',
  '\u200bhidden\ufeff',
  'tagged\u{e0061}\u{e0062}, joined\ufe0f, filled\u3164',
  '__proto__',
  'constructor',
  'toString',
  'x'.repeat(3000),
  '\ud83d\ude80 \u4e2d\u6587 e\u0301',
  ' spaces  ',
  '{"__proto__": {"polluted": 1}, "constructor": 2}',
  '[1, 2',
  '%00%ff%zz',
  '../../ui',
  'a//b/./..',
];

// RPUSH at the debug port, which takes queues of any name.
function pushByDebugPort(port, queue, value) {
  const words = ['RPUSH', queue, value].map((word) => Buffer.from(word));
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', reject);
    socket.on('data', (data) => {
      socket.destroy();
      if (data.toString().startsWith(':')) resolve();
      else reject(new Error(data.toString()));
    });
    socket.write(
      Buffer.concat([
        Buffer.from('*3\r\n'),
        ...words.map((word) => Buffer.concat([Buffer.from(`$${word.length}\r\n`), word, Buffer.from('\r\n')])),
      ]),
    );
  });
}

export async function run() {
  const cluster = await Cluster.start('hostile');
  const [asked] = cluster.nodes;
  const ask = (...request) => cluster.ask(asked, ...request);
  const all = [...kScripts, ...kOdd];

  await test('hostile events: bodies, types, attributes, groups, reasons', async () => {
    // Groups and attributes have no control characters; bodies have all there are.
    const plain = (text) => text.replace(/[\u0000-\u001f]/g, '');
    await ask(
      'POST',
      '/queues/__proto__/batch',
      all.map((text, i) => ({
        data: text,
        content_type: `text/html; x="${i}<script>"`,
        group: plain(text).slice(0, 60),
        attributes: Object.fromEntries([
          ['__proto__', plain(text).slice(0, 300)],
          ['constructor', '<b>bold</b>'],
          [`n${i}`, plain(text).slice(0, 100)],
        ]),
      })),
    );
    await ask('POST', '/queues/__proto__/batch', [
      {data_base64: Buffer.from([0xff, 0xfe, 0x3c, 0x73, 0x80]).toString('base64'), content_type: 'application/json'},
      {data_base64: Buffer.from('{"a":"\xff"}', 'latin1').toString('base64'), content_type: 'application/json'},
    ]);
    const [one] = await ask('POST', '/queues/__proto__/receive', undefined, {Accept: 'application/json'});
    await ask(
      'POST',
      `/queues/__proto__/events/${one.id}/bury?receipt=${one.receipt}&reason=${encodeURIComponent(kScripts[1])}`,
    );
    const page = await openPage(asked.url, '#/queues/__proto__');
    await page.locator('main tbody tr').nth(5).waitFor();
    const events = [
      ...(await ask('GET', '/queues/__proto__/events')),
      ...(await ask('GET', '/queues/__proto__.dead/events')),
    ];
    equal(events.length, all.length + 2, 'events');
    for (const event of events) {
      const queue = event.source_queue ? '__proto__.dead' : '__proto__';
      await goTo(page, `#/queues/${queue}/${event.id}`);
      await dialog(page).locator('pre').waitFor();
      if (event.data) {
        const text = dialog(page).getByRole('button', {name: 'Text'});
        if ((await text.count()) > 0) await text.click();
        const start = event.data.slice(0, 12);
        if (/^[ -~]+$/.test(start))
          check((await dialog(page).locator('pre').textContent()).startsWith(start), `${start} is shown`);
        check(
          (await dialog(page).locator('dl').textContent()).includes('<b>bold</b>'),
          'an attribute is shown as text',
        );
        check(
          !/[\u202e\u0000\u001b\u3164\ufe0f\u{e0061}]/u.test(await dialog(page).textContent()),
          'what turns or hides text is written out',
        );
      }
      equal(await dialog(page).locator('script, iframe, img, link, svg').count(), 0, 'elements that it made');
    }
    await goTo(page, '#/queues');
    await page.getByRole('link', {name: '__proto__', exact: true}).waitFor();
    equal(await page.evaluate(() => ({}).polluted ?? null), null, 'what the prototype of all objects has');
    await closePage(page);
  });

  await test('hostile names of queues, as the debug port makes them', async () => {
    for (const name of [...kScripts, kOdd[0], Buffer.from([0xff, 0x3c, 0x62])])
      await pushByDebugPort(asked.debug, name, 'x');
    const page = await openPage(asked.url, '#/queues');
    await page.getByText('<script>window.ran = 1</script>').waitFor();
    await page.getByText('\\xff<b').waitFor();
    equal(await page.locator('main a[href*="script"]').count(), 0, 'links made of such names');
    for (const hash of [
      `#/queues/${encodeURIComponent(kScripts[0])}`,
      '#/queues/%',
      '#/queues/..',
      '#/nonsense/<script>',
      '#/queues/__proto__/7<b>',
      '#/queues?prefix=%ff&after=%',
      '#/__proto__',
      '#',
    ]) {
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await page.locator('main h1').waitFor();
    }
    await closePage(page);
  });

  await test('hostile keys and values', async () => {
    const keys = all.filter((key) => key.length < 2000);
    for (const key of keys) await ask('PUT', `/kv/${encodeURIComponent(key)}`, key, {'Content-Type': 'text/html'});
    await ask('PUT', '/kv/%FF%3Cscript%3E', 'not UTF-8');
    await ask('POST', '/key', {'..': 'dots', '.': 'dot'});
    const {id} = await ask('POST', '/leases?ttl=1h');
    await ask('PUT', `/kv/%FE%3Cb%3E?lease=${id}`, 'x');
    await ask('PUT', `/kv/${encodeURIComponent(`lease ${kScripts[1]}`)}?lease=${id}`, 'x');
    const page = await openPage(asked.url, '#/keys');
    await page.getByRole('link', {name: '<script>window.ran = 1</script>'}).waitFor();
    const links = await page
      .locator('main tbody a')
      .evaluateAll((found) => found.map((link) => link.getAttribute('href')));
    check(links.length >= keys.length + 5, `${links.length} keys`);
    let read = 0;
    for (const href of links.filter((one) => one.startsWith('#/keys/'))) {
      await goTo(page, href);
      await settled(page);
      await eventually(async () => (await dialog(page).locator('textarea, pre, .progress.bad').count()) > 0);
      read += (await dialog(page).locator('textarea, pre').count()) > 0 ? 1 : 0;
      equal(await dialog(page).locator('script, iframe, img, link, svg').count(), 0, 'elements that it made');
    }
    equal(read, links.filter((one) => one.startsWith('#/keys/')).length - 2, 'keys that were read: all but . and ..');
    // Written back as it was read, byte for byte.
    const odd = '\u202eright \ud83d\ude80 {{<b>}}\n\ttab';
    await goTo(page, `#/keys/${encodeURIComponent(kScripts[0])}`);
    await dialog(page).locator('textarea').fill(odd);
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await eventually(async () => (await ask('GET', `/kv/${encodeURIComponent(kScripts[0])}`)) === odd);
    await goTo(page, `#/leases/${id}`);
    await dialog(page).getByText('\\xfe<b>').waitFor();
    await dialog(page).getByText('lease <img src=x').waitFor();
    await goTo(page, `#/keys?prefix=${encodeURIComponent(kScripts[1])}`);
    await page.locator('main tbody').getByRole('link', {name: kScripts[1]}).waitFor();
    await closePage(page);
  });
  await cluster.stop();
}
