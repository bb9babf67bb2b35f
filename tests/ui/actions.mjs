// Every action on queues, events, keys and leases, each while the leader is killed with SIGKILL and started again; and
// what needs no leader to be killed: lists, paging, filters.
import {
  Cluster,
  check,
  closePage,
  confirm,
  dialog,
  equal,
  eventually,
  goTo,
  leave,
  openPage,
  recover,
  settled,
  test,
} from './harness.mjs';

export async function run() {
  const cluster = await Cluster.start('actions');
  const [asked] = cluster.nodes;
  const ask = (...request) => cluster.ask(asked, ...request);
  const page = await openPage(asked.url, '#/queues');

  // Presses the button in the dialog on top right after the leader, which is never the node of the page, was killed.
  // The page waits for the election, or says that it may be tried again; in the end it is done once.
  const duringElection = async (name) => {
    await cluster.leadElsewhere(asked);
    const leader = await cluster.leader();
    await cluster.kill(leader);
    await confirm(page, name);
    cluster.run(leader);
    await cluster.allAlive();
  };
  const inDialog = (label) => dialog(page).getByLabel(label, {exact: true});
  const press = (name) => page.locator('main').getByRole('button', {name, exact: true}).click();

  recover(async () => {
    for (const node of cluster.nodes.filter((one) => !one.process)) cluster.run(node);
    await cluster.allAlive();
    await leave(page);
    await page.goto(`${asked.url}/ui#/queues/orders`);
  });

  await test('a queue is made', async () => {
    await press('New queue\u2026');
    await inDialog('Name').fill('orders');
    await duringElection('Make');
    await page.getByRole('heading', {name: 'orders', exact: true}).waitFor();
    equal((await ask('GET', '/queues/orders')).ready, 0, 'it is there and empty');
  });

  await test('an event is put in once, with all that it can have, and read', async () => {
    await press('Enqueue\u2026');
    await inDialog('Body').fill('{"order": 17, "lines": [1, 2]}');
    await page.keyboard.press('Escape');
    await dialog(page).getByText('Leave what you typed?').waitFor();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    await inDialog('Content type').fill('application/json');
    await dialog(page).getByText('This is JSON.').waitFor();
    await inDialog('Priority').selectOption('2');
    await inDialog('Group').fill('customer-1');
    await inDialog('Time to live').fill('2h');
    await inDialog('Attributes').fill('type=order.created\nsource=/shop?a=b');
    await duringElection('Enqueue');
    const [event, ...more] = await ask('GET', '/queues/orders/events');
    equal(more.length, 0, 'more events');
    equal(
      [event.data, event.content_type, event.priority, event.group, event.attributes],
      [
        '{"order": 17, "lines": [1, 2]}',
        'application/json',
        2,
        'customer-1',
        {source: '/shop?a=b', type: 'order.created'},
      ],
      'the event',
    );
    await page.getByRole('link', {name: String(event.id), exact: true}).click();
    await dialog(page).getByText('"order": 17,').waitFor(); // indented
    await dialog(page).getByText('order.created').waitFor();
    await dialog(page).getByRole('button', {name: 'Hex'}).click();
    await dialog(page).getByText('7b 22 6f 72').waitFor();
    await page.reload();
    await dialog(page).getByText('"order": 17,').waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
    check(page.url().endsWith('#/queues/orders'), page.url());
    await page.goBack();
    await dialog(page).getByText('"order": 17,').waitFor();
    await page.goForward();
    await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
  });

  await test('bytes are put in and shown in hexadecimal; a delayed event stands under Delayed', async () => {
    await press('Enqueue\u2026');
    await inDialog('Body').fill('00 ff zz');
    await inDialog('Body is').selectOption('hex');
    await dialog(page).getByRole('button', {name: 'Enqueue', exact: true}).click();
    await dialog(page)
      .getByText(/no hexadecimal bytes/)
      .waitFor();
    await inDialog('Body').fill('00 ff fe 41');
    await inDialog('Delay').fill('1h');
    await inDialog('Content type').fill('application/octet-stream');
    await confirm(page, 'Enqueue');
    await page.getByRole('link', {name: 'Delayed'}).click();
    await settled(page);
    const row = page.locator('main tbody tr');
    await eventually(async () => (await row.count()) === 1);
    check((await row.innerText()).includes('00 ff fe 41'), await row.innerText());
    await row.getByRole('link').click();
    await dialog(page).getByText('000000  00 ff fe 41').waitFor();
    equal(await dialog(page).getByRole('button', {name: 'Text'}).count(), 0, 'ways to show it as text');
    await dialog(page).getByRole('button', {name: 'Close'}).click();
  });

  await test('settings are shown and changed; what is out of range is said', async () => {
    await goTo(page, '#/queues/orders');
    await page.getByText('Enqueued', {exact: true}).first().waitFor();
    await press('Settings\u2026');
    equal(await inDialog('Visibility timeout').inputValue(), '30s', 'the timeout shown');
    await inDialog('Visibility timeout').fill('1ms');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await dialog(page)
      .getByText(/visibility_timeout is/i)
      .waitFor();
    await inDialog('Visibility timeout').fill('45s');
    await inDialog('Deliveries at most').fill('1');
    await inDialog('Backoff').fill('1s, 10s');
    await inDialog('When it is full').selectOption('drop_oldest');
    await duringElection('Save');
    const {settings} = await ask('GET', '/queues/orders');
    equal(
      [settings.visibility_timeout, settings.max_deliveries, settings.backoff, settings.overflow],
      ['45s', 1, ['1s', '10s'], 'drop_oldest'],
      'settings',
    );
  });

  await test('a queue is paused and goes on', async () => {
    await press('Pause\u2026');
    await inDialog('Direction').selectOption('in');
    await duringElection('Pause');
    equal((await ask('GET', '/queues/orders')).paused, 'in', 'paused');
    await page.getByText('in paused').waitFor();
    await press('Resume');
    await page.getByRole('button', {name: 'Pause'}).waitFor();
    equal((await ask('GET', '/queues/orders')).paused, '', 'paused');
  });

  const bury = async (many) => {
    await ask(
      'POST',
      '/queues/orders/batch',
      Array.from({length: many}, (_, i) => ({data: `to be buried ${i}`})),
    );
    for (const event of await ask('POST', `/queues/orders/receive?max=100`, undefined, {Accept: 'application/json'}))
      await ask('POST', `/queues/orders/events/${event.id}/bury?receipt=${event.receipt}&reason=a%20test`);
  };

  await test('dead letters: their reason, redriving some and all', async () => {
    await ask('PUT', '/queues/orders', {max_deliveries: 5});
    await bury(6);
    const dead = async () => (await ask('GET', '/queues/orders.dead')).ready;
    const before = await dead();
    check(before >= 6, `${before} dead events`);
    await goTo(page, '#/queues/orders.dead');
    await page.locator('main tbody tr').first().getByRole('link').click();
    await dialog(page).getByText('a test').waitFor();
    await dialog(page).getByText('orders', {exact: true}).waitFor();
    await dialog(page).getByRole('button', {name: 'Close'}).click();
    await press('Redrive\u2026');
    await inDialog('At most').fill('1');
    await duringElection('Move them');
    equal(await dead(), before - 1, 'dead ones');
    await goTo(page, '#/queues/orders');
    await page.getByText(/dead events? in/).waitFor();
    await press('Redrive\u2026');
    await confirm(page, 'Move them');
    equal(await dead(), 0, 'dead ones');
    equal((await ask('GET', '/queues/orders')).ready, before, 'events that came back');
  });

  await test('events are deleted one by one and several at once', async () => {
    await bury(5);
    const dead = async () => (await ask('GET', '/queues/orders.dead')).ready;
    const before = await dead();
    await goTo(page, '#/queues/orders.dead');
    await page.locator('main tbody tr').first().getByRole('link').click();
    await dialog(page).getByRole('button', {name: 'Delete'}).click();
    await dialog(page)
      .getByText(/It cannot be brought back/)
      .waitFor();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    equal(await dead(), before, 'dead ones after Cancel');
    await dialog(page).getByRole('button', {name: 'Delete'}).click();
    await duringElection('Delete it');
    equal(await dead(), before - 1, 'dead ones');
    await eventually(async () => (await page.locator('main tbody tr').count()) === before - 1);
    for (const i of [0, 1]) await page.locator('main tbody tr').nth(i).getByRole('checkbox').check();
    await press('Delete selected\u2026');
    await duringElection('Delete 2 events');
    equal(await dead(), before - 3, 'dead ones');
    await eventually(async () => (await page.locator('main tbody tr').count()) === before - 3);
  });

  await test('a queue is purged and deleted, after it was said what will be lost', async () => {
    await goTo(page, '#/queues/orders');
    await page.locator('main tbody tr').first().waitFor();
    const {ready} = await ask('GET', '/queues/orders');
    await eventually(async () => (await page.locator('.facts.wide dd').first().innerText()) === String(ready));
    await press('Purge\u2026');
    await dialog(page)
      .getByText(new RegExp(`removes ${ready} ready events, 1 delayed and 0 reserved`))
      .waitFor();
    await page.keyboard.press('Escape');
    equal((await ask('GET', '/queues/orders')).ready, ready, 'events after Escape');
    await press('Purge\u2026');
    await duringElection('Remove all events');
    const after = await ask('GET', '/queues/orders');
    equal([after.ready, after.delayed], [0, 0], 'what is left');
    await goTo(page, '#/queues/orders.dead');
    await press('Delete\u2026');
    await dialog(page).getByRole('button', {name: 'Delete the queue'}).click();
    await eventually(
      async () =>
        (await page.locator('dialog[open] .progress.bad').count()) > 0 ||
        (await page.locator('dialog[open]').count()) === 0,
    );
    await page.keyboard.press('Escape');
    await ask('POST', '/queues/spare/events', 'x');
    await goTo(page, '#/queues/spare');
    await press('Delete\u2026');
    await duringElection('Delete the queue');
    equal(await ask('GET', '/queues/spare').catch((error) => error.status), 404, 'the queue');
  });

  await test('large events: the list is not asked for again and again', async () => {
    await ask(
      'POST',
      '/queues/large/batch',
      Array.from({length: 20}, () => ({data: 'x'.repeat(20000)})),
    );
    await goTo(page, '#/queues/large');
    await eventually(async () => (await page.locator('main tbody tr').count()) === 20);
    const asks = () => page.sent.filter((request) => request.url.includes('/queues/large/events')).length;
    const before = asks();
    await ask('POST', '/queues/large/events', 'one more');
    await eventually(async () => (await page.locator('.facts.wide dd').first().innerText()) === '21');
    equal(asks(), before, 'requests for the events');
    await press('Refresh');
    await eventually(async () => (await page.locator('main tbody tr').count()) === 21);
  });

  await test('thousands of queues: pages, filter, back', async () => {
    const names = Array.from({length: 120}, (_, i) => `many.${String(i).padStart(3, '0')}`);
    await Promise.all(names.map((name) => ask('PUT', `/queues/${name}`, {})));
    await goTo(page, '#/queues');
    await page.getByLabel('Queues whose name begins with').fill('many.');
    await page.getByRole('link', {name: 'many.000'}).waitFor();
    await eventually(
      async () => page.url().endsWith('?prefix=many.') && (await page.locator('main tbody tr').count()) === 50,
    );
    await page.getByRole('link', {name: 'Next'}).click();
    await page.getByRole('link', {name: 'many.050'}).waitFor();
    await page.getByRole('link', {name: 'Next'}).click();
    await page.getByRole('link', {name: 'many.119'}).waitFor();
    equal(await page.locator('main tbody tr').count(), 20, 'queues on the last page');
    await page.goBack();
    await page.getByRole('link', {name: 'many.050'}).waitFor();
    await page.getByRole('link', {name: 'Previous'}).click();
    await page.getByRole('link', {name: 'many.000'}).waitFor();
    await page.reload();
    await page.getByRole('link', {name: 'many.000'}).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('11');
    await page.getByRole('link', {name: 'many.110'}).waitFor();
    await eventually(async () => (await page.locator('main tbody tr').count()) === 10);
  });

  await test('a key is made, read and written', async () => {
    await goTo(page, '#/keys');
    await press('New key\u2026');
    await inDialog('Name').fill('config/shop/currency');
    await inDialog('Value (empty now)').or(inDialog('Value')).fill('EUR');
    await duringElection('Make it');
    await page.getByRole('link', {name: 'config/shop/currency'}).click();
    const value = inDialog('Value');
    await eventually(async () => (await value.inputValue()) === 'EUR');
    await value.fill('USD');
    await inDialog('Content type').fill('text/x-currency');
    await inDialog('This key').selectOption('ttl');
    await inDialog('Expires after').fill('1h');
    await duringElection('Save');
    const {
      items: [item],
    } = await ask('GET', '/kv?prefix=config/shop/currency');
    equal([item.value, item.content_type], ['USD', 'text/x-currency'], 'the key');
    check(item.ttl_ms > 3_000_000, `it ends in ${item.ttl_ms}`);
    // Without another word, its time goes on.
    await goTo(page, '#/keys/config%2Fshop%2Fcurrency');
    await inDialog('Value').fill('CHF');
    await confirm(page, 'Save');
    const {
      items: [again],
    } = await ask('GET', '/kv?prefix=config/shop/currency');
    check(again.value === 'CHF' && again.ttl_ms > 3_000_000, JSON.stringify(again));
  });

  await test('a key that somebody else changed: both versions are there, and nothing typed is lost', async () => {
    await ask('PUT', '/kv/disputed', 'first');
    await goTo(page, '#/keys/disputed');
    await inDialog('Value').fill('what I typed');
    await ask('PUT', '/kv/disputed', 'theirs');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await dialog(page).getByText('Somebody changed it meanwhile').waitFor();
    equal(await dialog(page).locator('.conflict pre').innerText(), 'theirs', 'their version');
    equal(await inDialog('Value').inputValue(), 'what I typed', 'mine');
    equal(await ask('GET', '/kv/disputed'), 'theirs', 'the key');
    await dialog(page).getByRole('button', {name: 'Edit theirs instead'}).click();
    equal(await inDialog('Value').inputValue(), 'theirs', 'the field');
    equal(await dialog(page).locator('.conflict pre').innerText(), 'what I typed', 'what was typed');
    await inDialog('Value').fill('both');
    await ask('PUT', '/kv/disputed', 'theirs again');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await dialog(page).getByRole('button', {name: 'Save mine over it'}).click();
    await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
    equal(await ask('GET', '/kv/disputed'), 'both', 'the key');
    // To leave what was typed is asked first, by Escape and by another address.
    await goTo(page, '#/keys/disputed');
    await inDialog('Value').fill('unsaved');
    await page.keyboard.press('Escape');
    await dialog(page).getByText('Leave what you typed?').waitFor();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    equal(await inDialog('Value').inputValue(), 'unsaved', 'what was typed');
    await page.evaluate(() => {
      location.hash = '#/queues';
    });
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    equal(await inDialog('Value').inputValue(), 'unsaved', 'what was typed');
    // Deleted meanwhile: it can be made anew.
    await ask('DELETE', '/kv/disputed');
    await dialog(page).getByRole('button', {name: 'Save', exact: true}).click();
    await dialog(page).getByText('Somebody deleted it meanwhile').waitFor();
    await dialog(page).getByRole('button', {name: 'Save mine over it'}).click();
    await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
    equal(await ask('GET', '/kv/disputed'), 'unsaved', 'the key');
    // One that is there is not overwritten by a new one.
    await press('New key\u2026');
    await inDialog('Name').fill('disputed');
    await inDialog('Value').fill('another');
    await dialog(page).getByRole('button', {name: 'Make it'}).click();
    await dialog(page).getByText('This key is there already').waitFor();
    await page.keyboard.press('Escape');
    await confirm(page, 'Leave it');
    equal(await ask('GET', '/kv/disputed'), 'unsaved', 'the key');
  });

  await test('a key is deleted only as it was seen', async () => {
    await goTo(page, '#/keys/disputed');
    await dialog(page).getByRole('button', {name: 'Delete'}).click();
    await ask('PUT', '/kv/disputed', 'changed');
    await dialog(page).getByRole('button', {name: 'Delete it'}).click();
    await dialog(page)
      .getByText(/it was not deleted/)
      .waitFor();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    await dialog(page).getByRole('button', {name: 'Close'}).first().click();
    await goTo(page, '#/keys/disputed');
    await dialog(page).getByRole('button', {name: 'Delete'}).click();
    const open = page.locator('dialog.drawer[open]');
    await duringElection('Delete it');
    await eventually(async () => (await open.count()) === 0);
    equal(await ask('GET', '/kv/disputed').catch((error) => error.status), 404, 'the key');
  });

  await test('bytes are shown in hexadecimal and not offered for editing; nor is what a field would change', async () => {
    await ask('PUT', '/kv/bytes', Uint8Array.from([0, 255, 254, 65]));
    await ask('PUT', '/kv/carriage', 'a\r\nb');
    for (const [key, reason] of [
      ['bytes', 'no text'],
      ['carriage', 'carriage returns'],
    ]) {
      await goTo(page, `#/keys/${key}`);
      await dialog(page).getByText(reason).waitFor();
      equal(await dialog(page).locator('textarea').count(), 0, 'fields for a value');
      equal(await dialog(page).getByRole('button', {name: 'Save'}).count(), 0, 'ways to save it');
      await page.keyboard.press('Escape');
    }
  });

  await test('keys by prefix: pages, levels, filter', async () => {
    await Promise.all(
      Array.from({length: 110}, (_, i) => ask('PUT', `/kv/levels/a/${String(i).padStart(3, '0')}`, 'x')),
    );
    await goTo(page, '#/keys');
    await page.getByLabel('Keys that begin with').fill('levels/a/');
    await page.getByRole('link', {name: 'levels/a/000'}).waitFor();
    await eventually(() => page.url().endsWith('?prefix=levels%2Fa%2F'));
    await page.getByRole('link', {name: 'Next'}).click();
    await page.getByRole('link', {name: 'levels/a/050'}).waitFor();
    await page.getByRole('link', {name: 'Next'}).click();
    await page.getByRole('link', {name: 'levels/a/109'}).waitFor();
    await page.locator('.crumbs').getByRole('link', {name: 'levels/', exact: true}).click();
    await page.getByRole('link', {name: 'levels/a/000'}).waitFor();
    check(page.url().endsWith('#/keys?prefix=levels%2F'), page.url());
  });

  await test('leases: their keys and time, and what is lost when one is revoked', async () => {
    const {id} = await ask('POST', '/leases?ttl=10m');
    await ask('PUT', `/kv/leased/one?lease=${id}`, 'x');
    await ask('PUT', `/kv/leased/two?lease=${id}`, 'x');
    await goTo(page, '#/leases');
    await page.getByRole('link', {name: String(id)}).click();
    await dialog(page).getByRole('link', {name: 'leased/two'}).waitFor();
    await dialog(page).getByRole('button', {name: 'Revoke'}).click();
    await dialog(page)
      .getByText(/2 keys will be deleted with it: leased\/one, leased\/two/)
      .waitFor();
    await duringElection('Revoke');
    await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
    equal((await ask('GET', '/kv?prefix=leased/')).items, [], 'its keys');
    await page.getByText('There are no leases.').waitFor();
  });

  await test('a change without an answer: the page says that it is unknown', async () => {
    await ask('POST', '/queues/unknown/events', 'x');
    await goTo(page, '#/queues/unknown');
    await page.locator('main tbody tr').first().waitFor();
    await press('Purge\u2026');
    // Without a majority a write is 504 or 503, after request-timeout.
    const others = cluster.nodes.filter((node) => node !== asked);
    for (const node of others) await cluster.kill(node);
    await dialog(page).getByRole('button', {name: 'Remove all events'}).click();
    await dialog(page).getByText('Waiting for the cluster.').waitFor();
    await dialog(page)
      .getByText(/It is not known whether it took effect\. To send it again within 10m is safe|Nothing was changed: try again/)
      .waitFor();
    await eventually(
      async () =>
        /No leader is known/.test(await page.evaluate(() => document.title + document.body.innerText)) ||
        /no leader/.test(await page.title()),
    );
    for (const node of others) cluster.run(node);
    await confirm(page, 'Remove all events');
    equal((await ask('GET', '/queues/unknown')).ready, 0, 'events');
    await cluster.allAlive();
  });

  await test('the page passed all of that', async () => closePage(page));
  recover(null);
  await cluster.stop();
}
