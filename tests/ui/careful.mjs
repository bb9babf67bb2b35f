// What must not be lost, hidden or promised: typed text that nobody was asked about, data shown otherwise than written,
// changes of which nobody knows whether they took effect.
import {Cluster, check, closePage, dialog, equal, eventually, goTo, openPage, test} from './harness.mjs';

export async function run() {
  const cluster = await Cluster.start('careful', {size: 1});
  const [node] = cluster.nodes;
  const ask = (...request) => cluster.ask(node, ...request);
  const press = (page, name) => page.locator('main').getByRole('button', {name, exact: true}).click();
  const inDialog = (page, label) => dialog(page).getByLabel(label, {exact: true});
  const noDialog = (page) => eventually(async () => (await page.locator('dialog[open]').count()) === 0);
  const holdsTheTab = (page) => page.evaluate(() => !dispatchEvent(new Event('beforeunload', {cancelable: true})));
  await ask('PUT', '/queues/orders', {});
  await ask('PUT', '/kv/key', 'old');

  // [the view, the button that opens the dialog, the label of a field, what is typed]
  const typed = [
    ['#/keys/key', null, 'Value', 'new'],
    ['#/keys/key', null, 'Content type', 'text/new'],
    ['#/keys', 'New key\u2026', 'Name', 'new'],
    ['#/queues/orders', 'Enqueue\u2026', 'Body', 'new'],
    ['#/queues/orders', 'Settings\u2026', 'Delay', '1s'],
  ];
  for (const [hash, button, label, text] of typed)
    await test(`typed text is kept or asked about: ${button ?? 'a key'}, ${label}`, async () => {
      const page = await openPage(node.url, hash);
      if (button) await press(page, button);
      equal(await holdsTheTab(page), false, 'whether closing the tab is asked about before');
      await inDialog(page, label).fill(text);
      equal(await holdsTheTab(page), true, 'whether closing the tab is asked about');
      for (let i = 0; i < 4; ++i) {
        await page.keyboard.press('Escape');
        equal(await page.locator('dialog[open]').count(), i % 2 === 0 ? 2 : 1, `dialogs after Escape ${i + 1}`);
      }
      equal(await inDialog(page, label).inputValue(), text, 'what was typed');
      await page.keyboard.press('Escape');
      await dialog(page).getByRole('button', {name: 'Leave it'}).click();
      await noDialog(page);
      await closePage(page);
    });

  await test('Back asks about what was typed, and leaves no dialog over another view', async () => {
    const page = await openPage(node.url, '#/queues');
    await goTo(page, '#/queues/orders');
    await press(page, 'Enqueue\u2026');
    await inDialog(page, 'Body').fill('typed');
    await page.goBack();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    equal(await inDialog(page, 'Body').inputValue(), 'typed', 'what was typed');
    check(page.url().endsWith('#/queues/orders'), page.url());
    await goTo(page, '#/keys');
    await dialog(page).getByRole('button', {name: 'Leave it'}).click();
    await page.getByRole('heading', {name: 'Keys'}).waitFor();
    await noDialog(page);
    await closePage(page);
  });

  await test('JSON is shown as it was written, a value a line', async () => {
    const cases = [
      [
        '{"order":12345678901234567891,"price":1.10,"a":1,"a":2,"e":1e400}',
        '{\n  "order": 12345678901234567891,\n  "price": 1.10,\n  "a": 1,\n  "a": 2,\n  "e": 1e400\n}',
      ],
      [' [ ] ', '[]'],
      ['{"a":{},"b":[[],{}]}', '{\n  "a": {},\n  "b": [\n    [],\n    {}\n  ]\n}'],
      ['["\\u00e9, \\"{[:]}\\"", -0.0,true ,null]', '[\n  "\\u00e9, \\"{[:]}\\"",\n  -0.0,\n  true,\n  null\n]'],
      ['{"a":1', '{"a":1'],
    ];
    const {ids} = await ask(
      'POST',
      '/queues/json/batch',
      cases.map(([data]) => ({data, content_type: 'application/json'})),
    );
    const page = await openPage(node.url, '#/queues/json');
    for (const [i, [, wanted]] of cases.entries()) {
      await goTo(page, `#/queues/json/${ids[i]}`);
      await dialog(page)
        .getByRole('heading', {name: `Event ${ids[i]}`})
        .waitFor();
      equal(await dialog(page).locator('pre').textContent(), wanted, 'what is shown');
    }
    // Much of it and deep: it is cut, and the page goes on.
    const deep = `${'['.repeat(3000)}${'[],'.repeat(90000)}1${']'.repeat(3000)}`;
    const {
      ids: [large],
    } = await ask('POST', '/queues/json/batch', [{data: deep, content_type: 'application/json'}]);
    await goTo(page, `#/queues/json/${large}`);
    await dialog(page)
      .getByRole('heading', {name: `Event ${large}`})
      .waitFor();
    equal((await dialog(page).locator('pre').textContent()).length, 200001, 'what is shown of it');
    await closePage(page);
  });

  await test('a failed change: unknown, unless the node says that it was not applied', async () => {
    const unknown = /It is not known whether it took effect\. Look before you repeat it\./;
    const page = await openPage(node.url, '#/queues/orders');
    for (const [status, headers, body, wanted] of [
      [502, {}, '<h1>Bad Gateway</h1>', unknown],
      [503, {}, '<h1>Service Unavailable</h1>', unknown],
      [504, {}, '', unknown],
      [200, {}, '<h1>Please log in</h1>', unknown],
      [
        503,
        {'Wormhole-Outcome': 'not-applied'},
        '{"error": "no leader"}',
        /^No leader\. Nothing was changed: try again\.$/,
      ],
      [500, {'Wormhole-Outcome': 'unknown'}, '{"error": "broken"}', /^Broken\. It is not known/],
      [403, {}, '<h1>Forbidden</h1>', /^The answer was 403\.$/],
    ]) {
      await page.route('**/queues/orders', (route) =>
        route.request().method() === 'DELETE' ? route.fulfill({status, headers, body}) : route.fallback(),
      );
      await press(page, 'Delete\u2026');
      await dialog(page).getByRole('button', {name: 'Delete the queue'}).click();
      await dialog(page).locator('.progress.bad').filter({hasText: wanted}).waitFor();
      await page.keyboard.press('Escape');
      await noDialog(page);
      await page.unroute('**/queues/orders');
    }
    await closePage(page);
  });

  await test('redriving moves as many as it says, also after a lost answer', async () => {
    const many = Array.from({length: 1000}, (_, i) => ({data: String(i)}));
    await ask('PUT', '/queues/large', {});
    for (let i = 0; i < 3; ++i) await ask('POST', '/queues/large.dead/batch', many);
    const dead = async () => (await ask('GET', '/queues/large.dead')).ready;
    const page = await openPage(node.url, '#/queues/large.dead');
    // The answer to the second request is lost, after it took effect.
    let requests = 0;
    await page.route(/redrive/, async (route) => {
      const answer = await route.fetch();
      if (++requests === 2) await route.fulfill({status: 502, body: ''});
      else await route.fulfill({response: answer});
    });
    await press(page, 'Redrive\u2026');
    await inDialog(page, 'At most').fill('1500');
    await dialog(page).getByRole('button', {name: 'Move them'}).click();
    await dialog(page).getByText('To send it again is safe: it happens once.').waitFor();
    await dialog(page).getByRole('button', {name: 'Move them'}).click();
    await page.getByText('1,500 events moved into large.').waitFor();
    equal([await dead(), requests], [1500, 3], 'dead ones, and requests');
    await page.getByText('1,500 dead events of').waitFor();
    await press(page, 'Redrive\u2026');
    await dialog(page).getByRole('button', {name: 'Move them'}).click();
    await noDialog(page);
    equal([await dead(), (await ask('GET', '/queues/large')).ready], [0, 3000], 'dead ones, and those that came back');
    await closePage(page);
  });

  await test('behind a proxy that asks any node: messages and plots are of one of them', async () => {
    const page = await openPage(node.url, '', {fakeTime: true, path: '/healthz'});
    const nodes = {
      n1: {messages: [[2000, 'n1 began']], writes: 5},
      n2: {messages: [[1000, 'n2 began']], writes: 50},
    };
    let now = 'n1';
    const query = (route) => new URL(route.request().url()).searchParams;
    await page.route('**/node/messages*', (route) => {
      const after = Number(query(route).get('after'));
      const messages = nodes[now].messages
        .filter(([id]) => id > after)
        .map(([id, text]) => ({id, at: '2026-01-01T00:00:00Z', level: 'notice', text, means: null, do: null}));
      return route.fulfill({json: {node_id: now, messages}});
    });
    await page.route('**/node/history*', async (route) => {
      const time = await page.evaluate(() => Date.now());
      const {writes} = nodes[now];
      const samples = [15, 10, 5].map((ago) => ({
        at: new Date(time - ago * 1000).toISOString(),
        lasted_ms: 5000,
        writes,
        reads: 0,
        write_p50_us: null,
        write_p99_us: null,
        read_p50_us: null,
        read_p99_us: null,
      }));
      const last = Number(query(route).get('last'));
      return route.fulfill({
        json: {node_id: now, interval_ms: 5000, now: new Date(time).toISOString(), samples: samples.slice(-last)},
      });
    });
    await page.goto(`${node.url}/ui`);
    const list = page.getByRole('region', {name: 'Recent messages'});
    const seen = async (texts, plot) => {
      await eventually(async () => {
        await page.clock.runFor(1000);
        return (
          JSON.stringify(await list.locator('li .data').allTextContents()) === JSON.stringify(texts) &&
          (await page.locator('.plot-card .hidden').first().textContent()).startsWith(plot)
        );
      });
    };
    const [slow, fast] = ['writes: now 1.0, lowest 1.0, highest 1.0.', 'writes: now 10, lowest 10, highest 10.'];
    await seen(['n1 began'], slow);
    now = 'n2';
    await seen(['n2 began'], fast);
    now = 'n1';
    nodes.n1.messages.push([3000, 'n1 went on']);
    await seen(['n1 went on', 'n1 began'], slow);
    now = 'n2';
    nodes.n2.messages.push([2500, 'n2 went on']);
    await seen(['n2 went on', 'n2 began'], fast);
    await closePage(page);
  });

  await test('a filter that was typed does not lead back from another view, nor cut a composition', async () => {
    const page = await openPage(node.url, '#/queues', {fakeTime: true});
    const filter = page.getByLabel('Queues whose name begins with');
    await filter.fill('or');
    await page.getByRole('link', {name: 'Keys', exact: true}).click();
    await page.getByRole('heading', {name: 'Keys'}).waitFor();
    await page.clock.runFor(1000);
    check(page.url().endsWith('#/keys'), page.url());
    await goTo(page, '#/queues');
    await filter.evaluate((input) => {
      input.value = 'or';
      input.dispatchEvent(new InputEvent('input', {isComposing: true}));
    });
    await page.clock.runFor(1000);
    check(page.url().endsWith('#/queues'), page.url());
    await filter.evaluate((input) => input.dispatchEvent(new CompositionEvent('compositionend')));
    await page.clock.runFor(1000);
    await eventually(() => page.url().endsWith('#/queues?prefix=or'));
    await closePage(page);
  });

  await test('a content type that cannot be sent is said to be one, and nothing is sent', async () => {
    const page = await openPage(node.url, '#/keys/key');
    await inDialog(page, 'Content type').fill('text/plain\u2192');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await dialog(page).getByText('This content type cannot be sent').waitFor();
    equal(page.sent.filter(({method}) => method !== 'GET').length, 0, 'changes that were sent');
    await closePage(page);
  });

  await test('what a key got meanwhile, a lease or a time, it keeps when mine is saved over it', async () => {
    const {id} = await ask('POST', '/leases?ttl=1h');
    for (const [query, holds] of [
      [`?lease=${id}`, (item) => item.lease === id],
      ['?ttl=1h', (item) => item.ttl_ms > 3_000_000],
      ['', (item) => !item.lease && !item.ttl_ms],
    ]) {
      await ask('PUT', '/kv/key', 'old');
      const page = await openPage(node.url, '#/keys/key');
      await inDialog(page, 'Value').fill('mine');
      await ask('PUT', `/kv/key${query}`, 'theirs');
      await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
      await dialog(page).getByRole('button', {name: 'Save mine over it'}).click();
      await noDialog(page);
      const {items} = await ask('GET', '/kv?prefix=key');
      check(items[0].value === 'mine' && holds(items[0]), `${query}: ${JSON.stringify(items[0])}`);
      await closePage(page);
    }
  });

  await test('a node that refuses is not called silent; a queue that is gone has no figures', async () => {
    const page = await openPage(node.url, '#/queues/short', {fakeTime: true});
    const appears = (what) =>
      eventually(async () => {
        await page.clock.runFor(1000);
        return what.isVisible();
      });
    const figures = page.getByRole('region', {name: 'Figures'});
    await appears(page.getByText('There is no queue short.'));
    equal(await figures.isVisible(), false, 'figures at first');
    await ask('PUT', '/queues/short', {});
    await appears(figures);
    await ask('POST', '/queues/short/pause');
    await appears(page.getByRole('button', {name: 'Resume'}));
    await ask('DELETE', '/queues/short');
    await appears(page.getByText('There is no queue short.'));
    equal(await figures.isVisible(), false, 'figures of what is gone');
    equal(await page.getByRole('button', {name: 'Resume'}).count(), 0, 'what is said of it');
    await ask('PUT', '/queues/short', {});
    await appears(figures);
    await appears(page.getByRole('button', {name: 'Pause'}));
    await page.route('**/cluster', (route) => route.fulfill({status: 403, json: {error: 'not from this address'}}));
    await appears(page.getByRole('alert').getByText('Not from this address. The page tries again by itself.'));
    await appears(page.getByText('refused, trying again'));
    await page.unroute('**/cluster');
    await appears(page.locator('#connection').getByText('leader'));
    equal(await page.locator('#banner').isVisible(), false, 'the banner');
    await closePage(page);
  });
  await cluster.stop();
}
