// What the page shows: the members, the plots, the messages; what it sends while nothing happens.
import {Cluster, check, closePage, confirm, dialog, equal, eventually, goTo, openPage, test} from './harness.mjs';

export async function run() {
  const cluster = await Cluster.start('views', {spare: 1});
  const [first] = cluster.nodes;

  await test('the page: one document below 120 kB, its policy, and / leads there', async () => {
    const answer = await fetch(`${first.url}/ui`);
    const size = (await answer.arrayBuffer()).byteLength;
    console.log(`the page has ${size} bytes`);
    check(size < 120_000, `${size} is below 120,000`);
    const policy = answer.headers.get('Content-Security-Policy');
    for (const part of [
      "default-src 'none'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ])
      check(policy.includes(part), `${part} is in ${policy}`);
    check(!/unsafe|\*|http|data:/.test(policy), `nothing else is allowed by ${policy}`);
    const root = await fetch(`${first.url}/`, {headers: {Accept: 'text/html'}, redirect: 'manual'});
    equal([root.status, root.headers.get('Location')], [302, 'ui'], 'GET / of a browser');
  });

  await test('members: who leads, who follows, how many may fail, as text and as a picture', async () => {
    for (const node of cluster.nodes.slice(0, 3)) {
      const page = await openPage(node.url);
      await page.getByText('All 3 members are alive. One may fail.').first().waitFor();
      const leader = await cluster.leader();
      const picture = await page.getByRole('img').getAttribute('aria-label');
      check(picture.includes(`${leader.id}: leader.`), picture);
      equal(await page.locator('main tbody tr').count(), 3, 'rows of members');
      equal(
        await page.getByRole('row').filter({hasText: leader.id}).locator('.badge.leader').innerText(),
        'leader',
        'its row',
      );
      equal(await page.locator('.member.leads').count(), 1, 'leaders in the picture');
      await eventually(async () => (await page.locator('#connection').innerText()).startsWith(`${node.id} \u00b7 `));
      await closePage(page);
    }
  });

  await test('members: one is silent, and comes back', async () => {
    const leader = await cluster.leader();
    const silent = cluster.nodes.slice(0, 3).find((node) => node !== leader);
    const asked = cluster.nodes.slice(0, 3).find((node) => node !== leader && node !== silent);
    const page = await openPage(asked.url);
    await page.getByText('All 3 members are alive.').first().waitFor();
    await cluster.kill(silent);
    await page.getByText(`${silent.id} is silent. No more may fail.`).first().waitFor();
    equal(await page.locator('.member.failed').count(), 1, 'silent ones in the picture');
    for (let i = 0; i < 20; ++i) await cluster.ask(asked, 'PUT', `/kv/lag/${i}`, 'x');
    await eventually(
      async () =>
        Number(
          (await page.getByRole('row').filter({hasText: silent.id}).getByRole('cell').nth(2).innerText()).replace(
            ',',
            '',
          ),
        ) >= 20,
    );
    cluster.run(silent);
    await page.getByText('All 3 members are alive.').first().waitFor();
    await closePage(page);
  });

  await test('members: learners, lag, five of them, no leader, and one that was removed, as a made-up node tells', async () => {
    const page = await openPage(first.url);
    const member = (id, more = {}) => ({
      id,
      raft_address: `${id}:1112`,
      http_address: null,
      https_address: null,
      suffrage: 'voter',
      status: null,
      version: 4,
      match_index: null,
      ...more,
    });
    const told = (id, silent, index) => ({id, silent, match_index: index});
    const base = {
      cluster_id: 'c'.repeat(32),
      node_id: 'n1',
      role: 'follower',
      term: 7,
      leader_id: 'n2',
      commit_index: 900,
      applied_index: 900,
      last_log_index: 900,
      tolerates: null,
      cluster_version: 4,
      removed: false,
      members: ['n1', 'n2', 'n3', 'n4', 'n5'].map((id) => member(id)).concat(member('n6', {suffrage: 'learner'})),
      leader_view: {
        told_by: 'n2',
        age_ms: 10,
        may_fail: 1,
        members: [
          told('n1', false, 900),
          told('n2', false, 900),
          told('n3', true, 100),
          told('n4', false, 850),
          told('n5', false, 900),
          told('n6', false, 400),
        ],
      },
    };
    let answer = base;
    await page.route('**/cluster', (route) => route.fulfill({json: answer}));
    await page.getByText('n3 is silent. One more may fail.').first().waitFor();
    equal(await page.locator('.member').count(), 6, 'members in the picture');
    equal(await page.locator('.member.learner').count(), 1, 'learners');
    equal((await page.locator('.ring .lag').allTextContents()).sort(), ['\u221250', '\u2212500'], 'lag on the lines');
    equal(
      await page.getByRole('row').filter({hasText: 'n4'}).getByRole('cell').nth(2).innerText(),
      '50',
      'lag in the table',
    );
    equal(await page.getByRole('button', {name: 'Let lead: n6'}).count(), 0, 'ways to let a learner lead');
    // What is not known is not called alive: the word of another leader, an old one, none.
    for (const [i, leader_view] of [
      {...base.leader_view, told_by: 'n3'},
      {...base.leader_view, age_ms: 3_600_000},
      null,
    ].entries()) {
      answer = {...base, leader_view, commit_index: i};
      await page.locator('.facts dd').nth(1).getByText(String(i), {exact: true}).waitFor();
      await page.getByText('Who is alive is not known here: see the page of the leader, n2.').first().waitFor();
      equal(
        await page.locator('main tbody .badge').allTextContents(),
        ['this page', 'follower', 'leader', 'unknown', 'unknown', 'unknown', 'unknown'],
        'their states',
      );
    }
    answer = {...base, leader_id: null, leader_view: null};
    await page.getByText('No leader is known. Writes wait until one is elected.').first().waitFor();
    equal(await page.locator('.ring line').count(), 0, 'lines without a leader');
    answer = {
      ...base,
      members: [member('n1', {status: 'alive', match_index: 900})],
      role: 'leader',
      leader_id: 'n1',
      tolerates: 0,
      leader_view: null,
    };
    await page.getByText('One member. It is the only member: none may fail.').first().waitFor();
    answer = {...base, removed: true};
    await page.getByText('This node was removed from its cluster.').first().waitFor();
    await page.unroute('**/cluster');
    await closePage(page);
  });

  await test('plots: values of what was done, by pointer and by keys', async () => {
    const page = await openPage(first.url);
    const plot = page.getByRole('slider', {name: 'Requests per second, the last 15 minutes'});
    for (let i = 0; i < 40; ++i) await cluster.ask(first, 'PUT', `/kv/plot/${i}`, 'x');
    await eventually(async () =>
      /writes: now .*, highest [1-9]/.test(await page.locator('.plot-card .hidden').first().innerText()),
    );
    const latency = page.locator('.plot-card').nth(1);
    await eventually(async () =>
      /p99: now .*highest .*[\u00b5m]?s\./.test(await latency.locator('.hidden').innerText()),
    );
    check((await page.locator('.plot path.line').first().getAttribute('d')) !== '', 'a line is drawn');
    // Samples come each five seconds; the keys need two of them.
    await eventually(async () => Number(await plot.getAttribute('aria-valuemax')) >= 1);
    await plot.focus();
    const at = async () => Number(await plot.getAttribute('aria-valuenow'));
    await page.keyboard.press('Home');
    equal(await at(), 0, 'the first sample');
    check(
      /^\d\d:\d\d:\d\d: writes /.test(await plot.getAttribute('aria-valuetext')),
      await plot.getAttribute('aria-valuetext'),
    );
    await page.keyboard.press('ArrowRight');
    equal(await at(), 1, 'the second sample');
    equal(await page.locator('.plot .cursor:not([hidden])').count(), 3, 'all plots show the same time');
    await page.keyboard.press('Escape');
    equal(await page.locator('.plot .cursor:not([hidden])').count(), 0, 'none is chosen');
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + box.width - 20, box.y + 40);
    await eventually(async () => (await page.locator('.plot .cursor:not([hidden])').count()) === 3);
    check(/^\d\d:\d\d:\d\d$/.test(await page.locator('.legend .when').first().innerText()), 'the time is shown');
    await closePage(page);
  });

  await test('messages: elections, with what they mean and what to do', async () => {
    const page = await openPage((await cluster.leader()).url, '#/messages');
    await page
      .locator('.messages li')
      .filter({hasText: /elected leader of term/})
      .first()
      .waitFor();
    const explained = page.locator('.messages details').first();
    await explained.locator('summary').click();
    await explained.getByText('Means:').waitFor();
    equal(await page.getByText(/`|\]\(/).count(), 0, 'marks of Markdown that are left');
    await page.getByRole('link', {name: 'Warnings'}).click();
    await eventually(
      async () => (await page.locator('.messages li').filter({hasText: 'elected leader'}).count()) === 0,
    );
    await goTo(page, '#/cluster');
    await page.getByRole('region', {name: 'Recent messages'}).locator('li').first().waitFor();
    await page
      .getByRole('region', {name: 'Elections and members'})
      .getByText(/leads in term/)
      .first()
      .waitFor();
    await closePage(page);
  });

  await test('leadership is handed over', async () => {
    const leader = await cluster.leader();
    const to = cluster.nodes.slice(0, 3).find((node) => node !== leader);
    const page = await openPage(leader.url);
    await page.getByRole('button', {name: `Let lead: ${to.id}`}).click();
    await confirm(page, 'Hand over');
    await eventually(async () => (await cluster.leader()).id === to.id);
    await page.getByRole('row').filter({hasText: to.id}).locator('.badge.leader').waitFor();
    await page.getByText(`${to.id} leads in term`).first().waitFor();
    await closePage(page);
  });

  await test('a member is added and removed; what the server refuses is said in its words', async () => {
    const spare = cluster.nodes[3];
    const asked = await cluster.leader();
    const page = await openPage(asked.url);
    const add = async (id, address) => {
      await dialog(page).getByLabel('Its node-id').fill(id);
      await dialog(page).getByLabel('Its address').fill(address);
      await dialog(page).getByRole('button', {name: 'Add', exact: true}).click();
    };
    await page.getByRole('button', {name: 'Add a member'}).click();
    await add(spare.id, `127.0.0.1:${spare.raft}`);
    await dialog(page)
      .getByText(/No node answers at .* nothing was changed\./)
      .waitFor();
    cluster.run(spare);
    await eventually(() => cluster.ask(spare, 'GET', '/cluster'));
    await eventually(async () => {
      if ((await page.locator('dialog[open]').count()) === 0) return true;
      await add(spare.id, `127.0.0.1:${spare.raft}`);
      await eventually(async () => (await page.locator('dialog[open] .progress:not(.bad)').count()) === 0);
      return (await page.locator('dialog[open]').count()) === 0;
    });
    await page.getByText('All 4 members are alive. One may fail.').first().waitFor();
    await page.getByRole('button', {name: `Remove ${spare.id}`}).click();
    await dialog(page)
      .getByText(/3 voters will be left, of which 1 may fail/)
      .waitFor();
    await dialog(page).getByRole('button', {name: 'Cancel'}).click();
    equal((await cluster.ask(asked, 'GET', '/cluster')).members.length, 4, 'members after Cancel');
    await page.getByRole('button', {name: `Remove ${spare.id}`}).click();
    await confirm(page, 'Remove');
    await page.getByText('All 3 members are alive.').first().waitFor();
    await cluster.kill(spare);
    // With one of three silent, a second must not be removed.
    const other = cluster.nodes.slice(0, 3).find((node) => node !== asked);
    const third = cluster.nodes.slice(0, 3).find((node) => node !== asked && node !== other);
    await cluster.kill(other);
    await page.getByText(`${other.id} is silent.`).first().waitFor();
    await page.getByRole('button', {name: `Remove ${third.id}`}).click();
    await dialog(page).getByRole('button', {name: 'Remove', exact: true}).click();
    await dialog(page).locator('.progress.bad').waitFor();
    const said = await dialog(page).locator('.progress.bad').innerText();
    const words = await cluster.ask(asked, 'DELETE', `/cluster/members/${third.id}`).then(
      () => 'it was done',
      (error) => JSON.parse(error.message.replace(/^[^{]*/, '')).error,
    );
    check(said.toLowerCase().includes(words.toLowerCase()), `${said} has ${words}`);
    cluster.run(other);
    await closePage(page);
    await cluster.allAlive();
  });

  await test('the node is gone: the page says so, leads to the others, and finds it again by itself', async () => {
    const [, asked] = cluster.nodes;
    const page = await openPage(asked.url, '#/keys');
    await page.getByRole('link', {name: 'plot/0', exact: true}).waitFor();
    await cluster.kill(asked);
    await page.getByText('connection lost, trying again').waitFor();
    await page.getByRole('alert').filter({hasText: 'The node does not answer.'}).waitFor();
    equal(await page.locator('#banner a').count(), 2, 'links to other pages');
    check(
      (await page.locator('#banner a').first().getAttribute('href')).endsWith('/ui#/keys'),
      'they lead to the same view',
    );
    await page.getByRole('link', {name: 'plot/0', exact: true}).waitFor(); // what was seen stays
    cluster.run(asked);
    await eventually(async () => await page.locator('#banner').isHidden(), 30);
    await cluster.ask(first, 'PUT', '/kv/after-the-loss', 'x');
    await page.getByRole('link', {name: 'after-the-loss'}).waitFor();
    await closePage(page);
    await cluster.allAlive();
  });

  await test('a node that hangs: requests do not pile up, and it is found again', async () => {
    const asked = cluster.nodes.slice(0, 3).find((node) => node !== first);
    const page = await openPage(asked.url, '#/queues');
    await page.getByText('There are no queues yet.').waitFor();
    asked.process.kill('SIGSTOP');
    const before = page.sent.length;
    await page.getByText('connection lost, trying again').waitFor();
    check(page.sent.length - before <= 4, `${page.sent.length - before} requests to a node that does not answer`);
    asked.process.kill('SIGCONT');
    await eventually(async () => await page.locator('#banner').isHidden(), 30);
    await closePage(page);
    await cluster.allAlive();
  });

  await test('it asks little, and nothing while the tab is hidden', async () => {
    for (const hash of ['#/cluster', '#/queues', '#/keys', '#/leases', '#/messages']) {
      const page = await openPage(first.url, hash, {fakeTime: true});
      await page.locator('main h1').waitFor();
      const seconds = async (many) => {
        for (let i = 0; i < many; ++i) {
          await page.clock.runFor(1000);
          await eventually(() => page.evaluate(() => performance.now() >= 0));
        }
      };
      await seconds(10);
      let before = page.sent.length;
      await seconds(30);
      const sent = page.sent.length - before;
      check(sent > 3 && sent <= 45, `${hash} sends ${sent} requests in 30 s`);
      await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});
        document.dispatchEvent(new Event('visibilitychange'));
      });
      await seconds(2);
      before = page.sent.length;
      await seconds(60);
      equal(page.sent.length - before, 0, `requests of a hidden ${hash}`);
      await page.evaluate(() => {
        delete document.hidden;
        document.dispatchEvent(new Event('visibilitychange'));
      });
      await seconds(6);
      check(page.sent.length > before, `${hash} goes on`);
      await closePage(page);
    }
  });
  await cluster.stop();
}
