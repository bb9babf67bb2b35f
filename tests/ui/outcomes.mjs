// What the page says when a proxy answers 504 to a change that took effect, and when the same button is pressed again:
// of each kind of change that it makes, that nobody knows, and in the end what is true.
import {Cluster, check, closePage, dialog, equal, eventually, openPage, test} from './harness.mjs';

const unknown = 'The proxy got no answer from a node. It is not known whether it took effect.';
const safe = (when) => `${unknown} To send it again ${when} is safe: it happens once.`;
const unsafe = `${unknown} Look before you repeat it.`;

export async function run() {
  const cluster = await Cluster.start('outcomes', {spare: 1});
  const [asked] = cluster.nodes;
  const spare = cluster.nodes.at(-1);
  const ask = (...request) => cluster.ask(asked, ...request);
  const status = (...request) => ask(...request).then(
    () => 200,
    (error) => error.status,
  );
  let page = null;
  const press = (name) => page.locator('main').getByRole('button', {name, exact: true}).click();
  const fill = (label, text) => dialog(page).getByLabel(label, {exact: true}).fill(text);
  const dialogs = (many) => eventually(async () => (await page.locator('dialog[open]').count()) === many);
  const noted = (text) => page.locator('#notes').getByText(text).first().waitFor();
  const queue = (name) => ask('GET', `/queues/${name}`);
  const events = (name) => ask('GET', `/queues/${name}/events`);

  // The first change of the page takes effect, and is answered 504; the bodies and keys of all that it sent.
  const lose = async () => {
    const sent = [];
    await page.route('**', async (route) => {
      const request = route.request();
      if (request.method() === 'GET') return route.fallback();
      sent.push(`${request.method()} ${request.url()} ${request.postData()} ${request.headers()['idempotency-key']}`);
      if (sent.length > 1) return route.fallback();
      await route.fetch();
      return route.fulfill({status: 504, headers: {'Content-Type': 'text/html'}, body: '<h1>Gateway Timeout</h1>'});
    });
    return sent;
  };

  // `open` opens the dialog; `verb` is pressed, and again: then `holds` is true, and the page said `after`, in a note,
  // or in the dialog, which stays (`stays`) where nothing is left to do.
  const kinds = [
    {
      name: 'making a queue',
      hash: '#/queues',
      open: () => press('New queue\u2026').then(() => fill('Name', 'orders')),
      verb: 'Make',
      holds: async () => page.url().endsWith('#/queues/orders') && (await queue('orders')).ready === 0,
    },
    {
      name: 'putting an event in',
      hash: '#/queues/orders',
      open: () => press('Enqueue\u2026').then(() => fill('Body', 'once')),
      verb: 'Enqueue',
      said: safe('within 10m'),
      after: /^Event \d+ is in orders\.$/,
      holds: async () => (await events('orders')).length === 1,
    },
    {
      name: 'changing settings',
      hash: '#/queues/orders',
      open: async () => {
        await press('Settings\u2026');
        await fill('Deliveries at most', '3');
      },
      verb: 'Save',
      after: 'Saved: max_deliveries.',
      holds: async () => (await queue('orders')).settings.max_deliveries === 3,
    },
    {
      name: 'pausing a queue',
      hash: '#/queues/orders',
      open: () => press('Pause\u2026'),
      verb: 'Pause',
      said: safe('within 10m'),
      holds: async () => (await queue('orders')).paused === 'all',
    },
    {
      name: 'deleting events',
      before: () => ask('POST', '/queues/orders/resume?direction=all'),
      hash: '#/queues/orders',
      open: async () => {
        await page.getByRole('checkbox', {name: /^Select event/}).check();
        await press('Delete selected\u2026');
      },
      verb: 'Delete it',
      said: safe('within 10m'),
      after: '1 event deleted.',
      holds: async () => (await events('orders')).length === 0,
    },
    {
      name: 'redriving dead letters',
      before: async () => {
        for (const body of ['a', 'b', 'c']) await ask('POST', '/queues/orders.dead/events', body);
      },
      hash: '#/queues/orders.dead',
      open: () => press('Redrive\u2026').then(() => fill('At most', '1')),
      verb: 'Move them',
      said: safe('soon'),
      after: '1 event moved into orders.',
      holds: async () => (await events('orders')).length === 1 && (await events('orders.dead')).length === 2,
    },
    {
      name: 'purging a queue',
      hash: '#/queues/orders.dead',
      open: () => page.locator('main tbody tr').nth(1).waitFor().then(() => press('Purge\u2026')),
      verb: 'Remove all events',
      said: safe('within 10m'),
      after: '2 events removed.',
      holds: async () => (await events('orders.dead')).length === 0,
    },
    {
      name: 'deleting a queue',
      before: () => ask('PUT', '/queues/spare', {}),
      hash: '#/queues/spare',
      open: () => press('Delete\u2026'),
      verb: 'Delete the queue',
      after: /no queue/i,
      stays: true,
      holds: async () => (await status('GET', '/queues/spare')) === 404,
    },
    {
      name: 'making a key',
      hash: '#/keys',
      open: () =>
        press('New key\u2026')
          .then(() => fill('Name', 'made'))
          .then(() => fill('Value', 'new')),
      verb: 'Make it',
      after: 'Saved made.',
      holds: async () => (await ask('GET', '/kv/made')) === 'new',
    },
    {
      name: 'writing a key',
      hash: '#/keys/made',
      open: () => fill('Value', 'mine'),
      verb: 'Save',
      after: 'Saved made.',
      holds: async () => (await ask('GET', '/kv/made')) === 'mine',
    },
    {
      name: 'deleting a key',
      hash: '#/keys/made',
      open: () => dialog(page).getByRole('button', {name: 'Delete\u2026'}).click(),
      verb: 'Delete it',
      after: 'made is deleted.',
      holds: async () => (await status('GET', '/kv/made')) === 404,
    },
    {
      name: 'revoking a lease',
      before: async () => {
        const {id} = await ask('POST', '/leases?ttl=10m');
        return `#/leases/${id}`;
      },
      open: () => dialog(page).getByRole('button', {name: 'Revoke\u2026'}).click(),
      verb: 'Revoke',
      after: /no such lease/i,
      stays: true,
      holds: async () => (await ask('GET', '/leases')).leases.length === 0,
    },
    {
      name: 'adding a member',
      before: async () => cluster.run(spare),
      hash: '#/cluster',
      open: () =>
        press('Add a member\u2026')
          .then(() => fill('Its node-id', spare.id))
          .then(() => fill('Its address', `127.0.0.1:${spare.raft}`)),
      verb: 'Add',
      holds: async () => (await ask('GET', '/cluster')).members.length === 4,
    },
    {
      name: 'removing a member',
      hash: '#/cluster',
      open: () => press(`Remove ${spare.id}`),
      verb: 'Remove',
      after: /member/,
      stays: true,
      holds: async () => (await ask('GET', '/cluster')).members.length === 3,
    },
    {
      name: 'handing leadership over',
      before: () => cluster.leadElsewhere(asked),
      hash: '#/cluster',
      open: () => press(`Let lead: ${asked.id}`),
      verb: 'Hand over',
      after: `${asked.id} leads.`,
      holds: async () => (await cluster.leader()) === asked,
    },
  ];
  for (const kind of kinds)
    await test(`an answer 504 to ${kind.name}: unknown, and true when it is pressed again`, async () => {
      const made = await kind.before?.();
      page = await openPage(asked.url, kind.hash ?? made);
      if (/queues\/./.test(kind.hash)) await page.getByText('Enqueued', {exact: true}).first().waitFor();
      await kind.open();
      const sent = await lose();
      const press = () => dialog(page).getByRole('button', {name: kind.verb, exact: true}).click();
      await press();
      const said = dialog(page).locator('.progress.bad');
      await said.waitFor();
      equal(await said.textContent(), kind.said ?? unsafe, 'what is said');
      await press();
      if (!kind.stays) await dialogs(0);
      if (kind.after)
        await (kind.stays ? said.filter({hasText: kind.after}).waitFor() : noted(kind.after));
      check(await eventually(kind.holds), 'what is so in the end');
      if (kind.said) equal(sent[1], sent[0], 'what was sent again');
      await closePage(page);
    });

  await test('an answer 504 to resuming a queue: a note says that it is unknown', async () => {
    await ask('POST', '/queues/orders/pause?direction=in');
    page = await openPage(asked.url, '#/queues/orders');
    await lose();
    await press('Resume');
    await noted(unsafe);
    await page.getByRole('button', {name: 'Pause\u2026'}).waitFor();
    await closePage(page);
  });

  await test('who closed a dialog before the answer came hears of it all the same', async () => {
    page = await openPage(asked.url, '#/queues/orders');
    const answers = [];
    await page.route('**/purge', (route) => answers.push(() => route.fulfill({status: 504, body: ''})));
    await page.getByText('Enqueued', {exact: true}).first().waitFor();
    await press('Purge\u2026');
    await dialog(page).getByRole('button', {name: 'Remove all events'}).click();
    await eventually(() => answers.length === 1);
    await page.keyboard.press('Escape');
    await dialogs(0);
    answers[0]();
    await noted(`Purge orders?: ${safe('within 10m')}`);
    await closePage(page);
  });
  await cluster.stop();
}
