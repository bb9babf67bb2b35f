// Pictures of every view, light and dark, wide and narrow, from a cluster with plausible data and load, into
// SCREENSHOTS.
import {mkdirSync} from 'node:fs';
import {idsOf, showView, viewsOf} from './access.mjs';
import {fill} from './fill.mjs';
import {Cluster, closePage, eventually, openPage, test} from './harness.mjs';
import {load} from './load.mjs';

const sizes = [
  ['wide', {width: 1280, height: 860}],
  ['narrow', {width: 360, height: 740}],
];

export async function run() {
  const cluster = await Cluster.start('pictures');
  const [node] = cluster.nodes;
  const folder = process.env.SCREENSHOTS;
  mkdirSync(folder, {recursive: true});
  await fill(node.url);
  // An election, and some minutes of load for the plots, which has an ebb and a flood.
  const stop = load(node.url, (seconds) => 24 + 9 * Math.sin(seconds / 70) + 3 * Math.sin(seconds / 11));
  const killed = await cluster.leader();
  if (killed !== node) {
    await cluster.kill(killed);
    await cluster.leader();
    cluster.run(killed);
  }
  await cluster.allAlive();
  await cluster.leadElsewhere(node);
  const minutes = Number(process.env.MINUTES ?? 3);
  const first = Date.now();
  await eventually(() => Date.now() - first > minutes * 60_000, minutes * 60 + 20);
  const views = viewsOf(await idsOf(cluster, node));
  for (const [wide, size] of sizes)
    for (const scheme of ['light', 'dark'])
      await test(`pictures, ${wide}, ${scheme}`, async () => {
        const page = await openPage(node.url, '', {size, scheme});
        await page.getByText('All 3 members are alive.').first().waitFor();
        for (const view of views) {
          await showView(page, view);
          if (view[0] === 'cluster')
            await eventually(
              async () =>
                /highest/.test(await page.locator('.plot-card .hidden').first().innerText()) &&
                (await page.locator('.messages details').count()) > 0,
            );
          // Rates come with the second poll.
          if (['queue', 'queues'].includes(view[0]))
            await eventually(
              async () =>
                !(await page.locator('main').innerText()).includes('\u2013/s') &&
                !/\t\u2013\t/.test(await page.locator('main').innerText()),
            );
          if (view[0] === 'messages') await page.locator('.messages summary').first().click();
          await page.screenshot({path: `${folder}/${view[0]}-${wide}-${scheme}.png`});
        }
        await closePage(page);
      });
  await test('pictures: a silent member, a conflict, the node gone, the password', async () => {
    const page = await openPage(node.url, '#/keys/config%2Fshop%2Fcurrency');
    await page.locator('dialog textarea').fill('USD');
    await cluster.ask(node, 'PUT', '/kv/config/shop/currency', 'CHF');
    await page.getByRole('button', {name: 'Save', exact: true}).click();
    await page.getByText('Somebody changed it meanwhile').waitFor();
    await page.screenshot({path: `${folder}/conflict-wide-light.png`});
    await page.getByRole('button', {name: 'Save mine over it'}).click();
    const silent = cluster.nodes.find((one) => one !== node && one.process);
    await cluster.leadElsewhere(silent);
    await cluster.kill(silent);
    await page.evaluate(() => {
      location.hash = '#/cluster';
    });
    await page.getByText('is silent. No more may fail.').first().waitFor();
    await page.screenshot({path: `${folder}/silent-wide-light.png`});
    stop();
    await cluster.kill(node);
    await page.getByText('connection lost').waitFor();
    await page.screenshot({path: `${folder}/lost-wide-light.png`});
    await closePage(page);
    const locked = await Cluster.start('locked', {size: 1, password: 'secret'});
    const other = await openPage(locked.nodes[0].url);
    await other.getByRole('textbox', {name: 'Password'}).waitFor();
    await other.screenshot({path: `${folder}/password-wide-light.png`});
    await closePage(other);
    await locked.stop();
  });
  stop();
  await cluster.stop();
}
