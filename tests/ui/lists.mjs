// What lists and polls must not get wrong: places, the focus and ticks are kept; what could not be had is asked for
// again; behind a proxy, nodes are kept apart.
import {Cluster, check, closePage, dialog, equal, eventually, goTo, openPage, test} from './harness.mjs';

export async function run() {
  const cluster = await Cluster.start('lists', {size: 1});
  const [node] = cluster.nodes;
  const ask = (...request) => cluster.ask(node, ...request);
  const noDialog = (page) => eventually(async () => (await page.locator('dialog[open]').count()) === 0);

  await test('a list of events that could not be had at first is asked for again', async () => {
    const page = await openPage(node.url, '', {fakeTime: true});
    await ask('POST', '/queues/late/events', 'here');
    let refused = 0;
    await page.route('**/queues/late/events*', (route) =>
      ++refused === 1 ? route.fulfill({status: 503, json: {error: 'no leader'}}) : route.fallback(),
    );
    await page.evaluate(() => {
      location.hash = '#/queues/late';
    });
    await eventually(async () => {
      await page.clock.runFor(1000);
      return page.locator('main tbody').getByText('here').isVisible();
    });
    await closePage(page);
  });

  await test('what has the focus keeps it when a row before it goes, and "all" is ticked while all are', async () => {
    const {ids} = await ask('POST', '/queues/rows/batch', [{data: 'a'}, {data: 'b'}, {data: 'c'}]);
    const page = await openPage(node.url, '#/queues/rows', {fakeTime: true});
    const box = (id) => page.getByRole('checkbox', {name: `Select event ${id}`});
    const all = page.getByRole('checkbox', {name: 'Select all on this page'});
    const rows = (many) =>
      eventually(async () => {
        await page.clock.runFor(1000);
        return (await page.locator('main tbody tr').count()) === many;
      });
    await rows(3);
    await box(ids[2]).focus();
    await ask('POST', '/queues/rows/remove', [{id: ids[0]}]);
    await rows(2);
    check(await box(ids[2]).evaluate((one) => one === document.activeElement), 'it has the focus');
    await all.check();
    await box(ids[1]).uncheck();
    equal(await all.isChecked(), false, 'whether "all" is ticked, with one unticked');
    await box(ids[1]).check();
    equal(await all.isChecked(), true, 'whether "all" is ticked');
    await ask('POST', '/queues/rows/events', 'd');
    await rows(3);
    equal(await all.isChecked(), false, 'whether "all" is ticked, with a new one');
    await closePage(page);
  });

  await test('who opens an event or a lease comes back to the same page of the same list', async () => {
    const many = Array.from({length: 30}, (_, i) => ({data: String(i), delay: '1h'}));
    const {ids} = await ask('POST', '/queues/pages/batch', many);
    const leases = [];
    for (let i = 0; i < 52; ++i) leases.push((await ask('POST', '/leases?ttl=1h')).id);
    for (const [hash, last] of [
      ['#/queues/pages?state=delayed', ids.at(-1)],
      ['#/leases', leases.at(-1)],
    ]) {
      const page = await openPage(node.url, hash);
      await page.getByRole('link', {name: 'Next'}).click();
      const link = page.getByRole('link', {name: String(last), exact: true});
      await link.waitFor();
      const place = page.url();
      check(/after=/.test(place), place);
      await link.click();
      await dialog(page).getByRole('button', {name: 'Close', exact: true}).click();
      await noDialog(page);
      equal([page.url(), await link.isVisible()], [place, true], 'where that leads');
      await closePage(page);
    }
    for (const id of leases) await ask('DELETE', `/leases/${id}`);
  });

  await test('who closes an event, a lease or a key and goes back at once sees it again', async () => {
    const {
      ids: [event],
    } = await ask('POST', '/queues/pages/batch', [{data: 'one'}]);
    const {id: lease} = await ask('POST', '/leases?ttl=1h');
    await ask('PUT', '/kv/pages', 'one');
    for (const hash of [`#/queues/pages/${event}`, `#/leases/${lease}`, '#/keys/pages']) {
      const page = await openPage(node.url, hash);
      await dialog(page).waitFor();
      // In one turn of the page, as the address may change before the browser tells of the first change.
      await page.evaluate((back) => {
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}));
        window.left = location.hash;
        location.hash = back;
      }, hash);
      check((await page.evaluate(() => window.left)) !== hash, `closing ${hash} leads elsewhere`);
      await dialog(page).waitFor();
      await page.keyboard.press('Escape');
      await noDialog(page);
      check(!page.url().endsWith(hash), page.url());
      await closePage(page);
    }
    await ask('DELETE', `/leases/${lease}`);
    await ask('DELETE', '/kv/pages');
  });

  await test('a node behind the proxy that is gone does not have the others tell all again and again', async () => {
    const page = await openPage(node.url, '', {fakeTime: true, path: '/healthz'});
    let now = 'n1';
    const asked = [];
    const parameter = (route, name) => new URL(route.request().url()).searchParams.get(name);
    await page.route('**/node/messages*', (route) => {
      asked.push(parameter(route, 'after'));
      const one = {level: 'notice', text: 'x', means: null, do: null, at: '2026-01-01T00:00:00Z'};
      return route.fulfill({json: {node_id: now, messages: [{...one, id: now === 'n1' ? 1000 : 2000}]}});
    });
    await page.route('**/node/history*', async (route) => {
      asked.push(parameter(route, 'last'));
      const at = new Date(await page.evaluate(() => Date.now())).toISOString();
      return route.fulfill({json: {node_id: now, interval_ms: 5000, now: at, samples: []}});
    });
    await page.goto(`${node.url}/ui`);
    const after = async (times) => {
      const before = asked.length;
      await eventually(async () => {
        await page.clock.runFor(1000);
        return asked.length >= before + times;
      });
    };
    await after(2);
    now = 'n2';
    await after(40);
    equal(asked.slice(-4).sort(), ['2', '2', '2000', '2000'], 'what is asked for');
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

  await test('what leads elsewhere is not called a follower when something was read', async () => {
    const page = await openPage(node.url, '', {path: '/healthz'});
    await page.route('**/cluster', (route) => route.fulfill({status: 302, headers: {Location: '/login'}, body: ''}));
    await page.goto(`${node.url}/ui`);
    await page.getByRole('alert').getByText('The answer leads elsewhere').waitFor();
    await closePage(page);
  });

  await test('bytes are said to go on only where they do', async () => {
    const data = (many) => ({data_base64: Buffer.alloc(many, 0xff).toString('base64')});
    await ask('POST', '/queues/bytes/batch', [data(24), data(25)]);
    const page = await openPage(node.url, '#/queues/bytes');
    const bodies = page.locator('main tbody td.body');
    await eventually(async () => (await bodies.count()) === 2);
    const shown = Array(24).fill('ff').join(' ');
    equal(await bodies.allTextContents(), [shown, `${shown}\u2026`], 'what is shown');
    await closePage(page);
  });
  await cluster.stop();
}
