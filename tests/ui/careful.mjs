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
    await dialog(page).getByText('To send it again soon is safe: it happens once.').waitFor();
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

  await test('"Edit theirs instead" takes their type, and what was typed is not left unasked', async () => {
    await ask('PUT', '/kv/typed', 'old');
    const page = await openPage(node.url, '#/keys/typed');
    await inDialog(page, 'Value').fill('mine');
    await inDialog(page, 'Content type').fill('text/mine');
    await ask('PUT', '/kv/typed', '{"theirs": 1}', {'Content-Type': 'application/json'});
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await dialog(page).getByRole('button', {name: 'Edit theirs instead'}).click();
    equal(await inDialog(page, 'Content type').inputValue(), 'application/json', 'the type');
    await dialog(page).getByRole('heading', {name: 'What you had typed, of type text/mine'}).waitFor();
    await page.keyboard.press('Escape');
    await dialog(page).getByText('Leave what you typed?').waitFor();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await noDialog(page);
    const {items} = await ask('GET', '/kv?prefix=typed');
    equal([items[0].value, items[0].content_type], ['{"theirs": 1}', 'application/json'], 'the key');
    await closePage(page);
  });

  for (const [how, leaving, where] of [
    [
      'the address of a queue of the same name',
      (page) => page.evaluate(() => (location.hash = '#/queues/orders')),
      'orders',
    ],
    ['Escape', (page) => page.keyboard.press('Escape'), 'Keys'],
  ])
    await test(`who leaves by ${how} while it is saved is asked only until it is saved`, async () => {
      await ask('PUT', '/kv/orders', 'old');
      const page = await openPage(node.url, '#/keys/orders');
      const answers = [];
      await page.route('**/kv/orders', (route) =>
        route.request().method() === 'PUT' ? answers.push(() => route.continue()) : route.continue(),
      );
      await inDialog(page, 'Value').fill('new');
      await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
      await eventually(() => answers.length === 1);
      await leaving(page);
      await dialog(page).getByText('Leave what you typed?').waitFor();
      answers[0]();
      await noDialog(page);
      await page.locator('#notes').getByText('Saved orders.').waitFor();
      await page.locator('main h1').getByText(where, {exact: true}).waitFor();
      equal(await page.evaluate(() => location.hash), where === 'Keys' ? '#/keys' : '#/queues/orders', 'the address');
      equal(await ask('GET', '/kv/orders'), 'new', 'the key');
      await closePage(page);
    });

  await test('nothing can be typed while it is saved, as it would be lost; after a failure it can', async () => {
    await ask('PUT', '/kv/held', 'old');
    const page = await openPage(node.url, '#/keys/held');
    const answers = [];
    await page.route('**/kv/held', (route) =>
      route.request().method() === 'PUT' ? answers.push(route) : route.continue(),
    );
    await inDialog(page, 'Value').fill('new');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await eventually(() => answers.length === 1);
    await inDialog(page, 'Value').focus();
    await page.keyboard.type('er');
    equal(await inDialog(page, 'Value').inputValue(), 'new', 'the value while it is saved');
    equal(await inDialog(page, 'This key').isDisabled(), true, 'whether its lifetime is held');
    answers[0].fulfill({status: 503, json: {error: 'not now'}});
    await dialog(page).locator('.progress.bad').waitFor();
    equal(await inDialog(page, 'This key').isDisabled(), false, 'whether its lifetime is held after a failure');
    await inDialog(page, 'Value').focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('er');
    equal(await inDialog(page, 'Value').inputValue(), 'newer', 'the value after a failure');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await eventually(() => answers.length === 2);
    answers[1].continue();
    await noDialog(page);
    equal(await ask('GET', '/kv/held'), 'newer', 'the key');
    await closePage(page);
  });

  await test('a key that is gone is not called changed when it is deleted', async () => {
    await ask('PUT', '/kv/gone', 'x');
    const page = await openPage(node.url, '#/keys/gone');
    await dialog(page).getByRole('button', {name: 'Delete\u2026'}).click();
    await ask('DELETE', '/kv/gone');
    await dialog(page).getByRole('button', {name: 'Delete it'}).click();
    await noDialog(page);
    await page.locator('#notes').getByText('gone is deleted.').waitFor();
    await closePage(page);
  });

  await test('a weak ETag, as a proxy that compresses makes it, does not keep a key from being saved', async () => {
    await ask('PUT', '/kv/weak', 'old');
    const page = await openPage(node.url);
    await page.route('**/kv/weak', async (route) => {
      if (route.request().method() !== 'GET') return route.fallback();
      const answer = await route.fetch();
      const headers = {...answer.headers(), etag: `W/${answer.headers().etag}`};
      return route.fulfill({response: answer, headers});
    });
    await goTo(page, '#/keys/weak');
    await inDialog(page, 'Value').fill('new');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await noDialog(page);
    equal(await ask('GET', '/kv/weak'), 'new', 'the key');
    await closePage(page);
  });

  await test('a link does not lead out of the keys, whatever stands in it', async () => {
    await ask('PUT', '/kv/x', 'x');
    const page = await openPage(node.url);
    for (const [hash, key] of [
      ['#/keys/a\\..\\..\\queues\\orders', 'a\\..\\..\\queues\\orders'],
      ['#/keys/x#y', 'x#y'],
    ]) {
      await goTo(page, hash);
      await dialog(page).getByRole('heading', {name: key, exact: true}).waitFor();
      await dialog(page).getByText('There is no such key any more.').waitFor();
    }
    await goTo(page, '#/keys?prefix=x#y');
    await page.getByText('No key begins so.').waitFor();
    await closePage(page);
  });
  await cluster.stop();
}
