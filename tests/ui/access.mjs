// Who may look and from where: the password, TLS, a proxy's prefix; and who can look: keyboard, narrow screens,
// contrast, screen readers.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {fill} from './fill.mjs';
import {
  Cluster,
  check,
  closePage,
  confirm,
  dialog,
  equal,
  eventually,
  goTo,
  openPage,
  prefixProxy,
  settled,
  test,
} from './harness.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// Every view, and the dialogs in them: [name, hash, what opens it].
export function viewsOf(ids) {
  const press = (name) => (page) => page.locator('main').getByRole('button', {name}).first().click();
  return [
    ['cluster', '#/cluster', null],
    ['add-member', '#/cluster', press('Add a member')],
    ['remove-member', '#/cluster', press('Remove node2')],
    ['queues', '#/queues', null],
    ['queue', '#/queues/orders', null],
    ['dead-letters', '#/queues/payments.dead', null],
    ['event', `#/queues/orders/${ids.event}`, null],
    ['enqueue', '#/queues/orders', press('Enqueue')],
    ['settings', '#/queues/payments', press('Settings')],
    ['purge', '#/queues/emails.outgoing', press('Purge')],
    ['redrive', '#/queues/payments', press('Redrive')],
    ['keys', '#/keys', null],
    ['keys-prefix', '#/keys?prefix=config%2Fshop%2F', null],
    ['key', '#/keys/config%2Fshop%2Ffeatures', null],
    ['bytes', '#/keys/images%2Flogo', null],
    ['leases', '#/leases', null],
    ['lease', `#/leases/${ids.lease}`, null],
    ['messages', '#/messages', null],
    ['empty', '#/queues?prefix=nothing', null],
  ];
}

export async function idsOf(cluster, node) {
  const [event] = await cluster.ask(node, 'GET', '/queues/orders/events?state=ready&limit=1');
  const {leases} = await cluster.ask(node, 'GET', '/leases');
  return {event: event.id, lease: leases.find((lease) => lease.keys > 1)?.id ?? leases[0].id};
}

export async function showView(page, [, hash, open]) {
  for (const left of await page.locator('dialog[open]').all()) {
    if (!(await left.isVisible())) continue;
    await page.keyboard.press('Escape');
  }
  await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
  await goTo(page, hash);
  await eventually(async () => (await page.locator('main tr, main li, main .empty').count()) > 0);
  if (hash.startsWith('#/queues/')) await page.locator('.facts.wide dd').first().waitFor();
  if (!open) return;
  await open(page);
  await dialog(page).waitFor();
}

async function passwordAndTls() {
  const cluster = await Cluster.start('locked', {
    tls: true,
    password: 'pass w\u00f6rd <b> ',
    more: ['--cluster-secret', 'a secret of the members'],
  });
  const [asked] = cluster.nodes;
  await test('TLS and a password: asked for once, a wrong one is called wrong, kept nowhere', async () => {
    const page = await openPage(asked.url, '#/queues');
    const field = () => dialog(page).getByLabel('Password', {exact: true});
    await field().fill('wrong');
    await page.keyboard.press('Enter');
    await dialog(page).getByText('This password is wrong.').waitFor();
    for (let i = 0; i < 4; ++i) {
      await page.keyboard.press('Escape');
      check(await dialog(page).isVisible(), 'Escape does not lead past it');
    }
    await field().fill(cluster.password);
    await page.keyboard.press('Enter');
    await page.getByText('There are no queues yet.').waitFor();
    equal(await page.locator('dialog[open]').count(), 0, 'dialogs');
    await goTo(page, '#/cluster');
    await page.getByText('All 3 members are alive.').first().waitFor();
    await page
      .getByText(/leads in term/)
      .first()
      .waitFor(); // the stream is open
    await goTo(page, '#/queues');
    await page.getByRole('button', {name: 'New queue'}).click();
    await dialog(page).getByLabel('Name').fill('locked');
    await confirm(page, 'Make');
    const kept = await page.evaluate(() =>
      JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href]),
    );
    check(!kept.includes('pass'), `it is not in ${kept}`);
    check(
      page.sent.every((request) => !request.url.includes('pass') && !('cookie' in request.headers)),
      'no URL or cookie carries it',
    );
    check(
      page.sent
        .filter((request) => !/\/ui$/.test(request.url))
        .every((request) => request.headers['x-requested-with'] === 'wormhole-ui'),
      'each request says whose it is',
    );
    await page.reload();
    await field().waitFor();
    check(!(await page.content()).includes(cluster.password), 'it is not in the document');
    await closePage(page);
  });
  await cluster.stop();
}

async function behindProxy(cluster, node) {
  await test('behind a proxy, under a prefix, with and without a slash at the end', async () => {
    const prefix = '/ops/worm%20hole';
    const proxy = await prefixProxy(node, prefix);
    for (const path of ['/ui', '/ui/', '/']) {
      const page = await openPage(proxy.url, '', {path});
      await page.getByText('All 3 members are alive.').first().waitFor();
      await goTo(page, '#/keys');
      await page.getByRole('button', {name: 'New key'}).click();
      await dialog(page).getByLabel('Name').fill(`proxied/by${path}`);
      await dialog(page).getByLabel('Value').fill('x');
      await confirm(page, 'Make it');
      await page.getByRole('link', {name: `proxied/by${path}`, exact: true}).click();
      await eventually(async () => (await dialog(page).locator('textarea').inputValue()) === 'x');
      check(
        page.sent.every((request) => new URL(request.url).pathname.startsWith(`${prefix}/`)),
        'all requests are under the prefix',
      );
      await closePage(page);
    }
    proxy.close();
  });
}

async function keyboardOnly(node) {
  await test('by keyboard alone: to a queue, an event put in, read and left; what has the focus is seen', async () => {
    const page = await openPage(node.url);
    await page.getByText('All 3 members are alive.').first().waitFor();
    const focused = () =>
      page.evaluate(() => {
        const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
        return {
          text: document.activeElement.textContent.trim(),
          name: document.activeElement.localName,
          seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
        };
      });
    // Presses Tab until that has the focus; each that has it on the way can be seen.
    const tabTo = async (text) => {
      for (let i = 0; i < 120; ++i) {
        await page.keyboard.press('Tab');
        const now = await focused();
        if (now.name !== 'body') check(now.seen, `the focus on ${now.name} ${now.text.slice(0, 40)} is seen`);
        if (now.text === text) return;
      }
      throw new Error(`Tab does not lead to ${text}`);
    };
    await page.keyboard.press('Tab');
    equal((await focused()).text, 'To the content', 'what Tab leads to first');
    await tabTo('Queues');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {name: 'Queues'}).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('search');
    await page.getByRole('link', {name: 'search.reindex'}).waitFor();
    await eventually(async () => (await page.locator('main tbody tr').count()) === 1);
    await tabTo('search.reindex');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {name: 'search.reindex'}).waitFor();
    await tabTo('Enqueue\u2026');
    await page.keyboard.press('Enter');
    await page.keyboard.type('typed by hand');
    await tabTo('Enqueue');
    await page.keyboard.press('Enter');
    await page.getByText('typed by hand').waitFor();
    const id = await page.locator('main tbody tr').filter({hasText: 'typed by hand'}).getByRole('link').innerText();
    await tabTo(id);
    await page.keyboard.press('Enter');
    await dialog(page).locator('pre').getByText('typed by hand').waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => (await page.locator('dialog[open]').count()) === 0);
    await tabTo('Purge\u2026').catch(() => page.keyboard.press('Shift+Tab'));
    await closePage(page);
  });
}

async function forEveryone(views, node) {
  for (const scheme of ['light', 'dark']) {
    await test(`contrast and names for screen readers, every view, ${scheme}`, async () => {
      const page = await openPage(node.url, '', {scheme});
      await page.getByText('All 3 members are alive.').first().waitFor();
      await page.evaluate(axe);
      for (const view of views) {
        await showView(page, view);
        const found = await page.evaluate(() =>
          window.axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
          }),
        );
        equal(
          found.violations.map(
            (one) => `${view[0]}: ${one.id}: ${one.nodes.map((at) => `${at.target} ${at.failureSummary}`).join('; ')}`,
          ),
          [],
          'what axe finds',
        );
      }
      await closePage(page);
    });
  }
  await test('360 pixels wide: nothing stands out to the side', async () => {
    const page = await openPage(node.url, '', {size: {width: 360, height: 740}});
    await page.getByText('All 3 members are alive.').first().waitFor();
    for (const view of views) {
      await showView(page, view);
      const wide = await page.evaluate(() =>
        [document.documentElement, ...document.querySelectorAll('main, dialog, .card, .scroller')]
          .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > 361)
          .map((one) => `${one.localName}.${one.className} ${one.scrollWidth}`),
      );
      equal(wide, [], `what is too wide in ${view[0]}`);
    }
    await closePage(page);
  });
  await test('light and dark by the switch, kept by the browser; no motion where none is wanted', async () => {
    const page = await openPage(node.url, '', {scheme: 'light'});
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    const switcher = page.getByRole('button', {name: /^Colours/});
    await switcher.click(); // light
    equal(await ground(), light, 'the ground');
    await switcher.click(); // dark
    const dark = await ground();
    check(dark !== light, `${dark} is not ${light}`);
    await page.reload();
    equal(await ground(), dark, 'the ground after a reload');
    await settled(page);
    const moving = await page.evaluate(() => document.getAnimations().length);
    equal(moving, 0, 'animations');
    await closePage(page);
  });
}

async function redirected() {
  const cluster = await Cluster.start('redirected', {more: ['--follower-writes', 'redirect']});
  const [asked] = cluster.nodes;
  await test('a follower that redirects writes: the page says where to go, and changes nothing', async () => {
    await cluster.leadElsewhere(asked);
    const page = await openPage(asked.url, '#/keys');
    await page.getByRole('button', {name: 'New key'}).click();
    await dialog(page).getByLabel('Name').fill('redirected');
    await dialog(page).getByLabel('Value').fill('x');
    await dialog(page).getByRole('button', {name: 'Make it'}).click();
    await dialog(page).getByText('use the page of the leader').waitFor();
    equal((await cluster.ask(asked, 'GET', '/kv?prefix=')).items, [], 'keys');
    await closePage(page);
  });
  await cluster.stop();
}

export async function run() {
  await passwordAndTls();
  await redirected();
  const cluster = await Cluster.start('access');
  const [node] = cluster.nodes;
  await fill(node.url);
  const views = viewsOf(await idsOf(cluster, node));
  await behindProxy(cluster, node);
  await forEveryone(views, node);
  await keyboardOnly(node);
  await cluster.stop();
}
