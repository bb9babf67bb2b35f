// What must not be lost, hidden or promised: typed text that nobody was asked about, data shown otherwise than written,
// changes of which nobody knows whether they took effect.
import {Cluster, closePage, dialog, equal, eventually, goTo, openPage, test} from './harness.mjs';

export async function run() {
  const cluster = await Cluster.start('careful', {size: 1});
  const [node] = cluster.nodes;
  const ask = (...request) => cluster.ask(node, ...request);
  const press = (page, name) => page.locator('main').getByRole('button', {name, exact: true}).click();
  const inDialog = (page, label) => dialog(page).getByLabel(label, {exact: true});
  const noDialog = (page) => eventually(async () => (await page.locator('dialog[open]').count()) === 0);
  await ask('PUT', '/queues/orders', {});
  await ask('PUT', '/kv/key', 'old');

  // [the view, the button that opens the dialog, the label of a field, what is typed]
  const typed = [['#/keys/key', null, 'Value', 'new']];
  for (const [hash, button, label, text] of typed)
    await test(`typed text is kept or asked about: ${button ?? 'a key'}, ${label}`, async () => {
      const page = await openPage(node.url, hash);
      if (button) await press(page, button);
      await inDialog(page, label).fill(text);
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
  await cluster.stop();
}
