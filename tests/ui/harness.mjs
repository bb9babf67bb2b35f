// What the page's tests share: clusters of real nodes, the browser, a proxy that serves a node under a prefix, test()
// and the checks that every page must pass.
import {spawn} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import http from 'node:http';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';

const home = fileURLToPath(new URL('.', import.meta.url));
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // the nodes' certificate is its own authority
process.removeAllListeners('warning');
process.on('warning', () => {});

let passed = 0;
let failed = 0;
const children = new Set();
const started = Date.now();

let recovering = null;

// What is done after a test that failed, so that those after it do not fail because of it.
export function recover(how) {
  recovering = how;
}

export async function test(name, body) {
  if (process.env.ONLY && !name.includes(process.env.ONLY)) return;
  const begun = Date.now();
  try {
    await body();
    ++passed;
    console.log(`passed: ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  } catch (error) {
    ++failed;
    console.log(`FAILED: ${name}: ${error.stack}`);
    await recovering?.();
  }
}

export async function end() {
  await browser?.close();
  for (const child of children) child.kill('SIGKILL');
  console.log(`the page's tests took ${Math.round((Date.now() - started) / 1000)} s`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

export function check(condition, what) {
  if (!condition) throw new Error(`it does not hold: ${what}`);
}

export function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

// Polls until `what` gives something true, which it returns; an error counts as false, and is shown if time is over.
export async function eventually(what, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  let last = null;
  for (;;) {
    try {
      const found = await what();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`not within ${seconds} seconds: ${what}${last ? `; ${last.message}` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

// --- nodes

// So many free ports, held against other tests as long as this program runs.
function freePorts(many) {
  const holder = spawn(process.env.HOLD_PORTS, Array(many).fill('0'), {stdio: ['pipe', 'pipe', 'inherit']});
  children.add(holder);
  return new Promise((resolve, reject) => {
    let text = '';
    holder.stdout.on('data', (data) => {
      text += data;
      const ports = text.split(/\s+/).filter(Boolean).map(Number);
      if (ports.length >= many && /\s$/.test(text)) resolve(ports);
    });
    holder.on('exit', () => reject(new Error('no free ports')));
  });
}

// `more`: arguments of every node. `spare`: nodes that are not started at first and are in nobody's list.
export class Cluster {
  static async start(name, {size = 3, spare = 0, more = [], tls = false, password = null} = {}) {
    const cluster = new Cluster();
    const ports = await freePorts(3 * (size + spare));
    cluster.tls = tls;
    cluster.password = password;
    cluster.nodes = Array.from({length: size + spare}, (_, i) => ({
      id: `node${i + 1}`,
      port: ports[3 * i],
      raft: ports[3 * i + 1],
      debug: ports[3 * i + 2],
      process: null,
      dir: `${home}${name}-${i + 1}`,
    }));
    cluster.join = cluster.nodes.slice(0, size).map((node) => `127.0.0.1:${node.raft}`);
    cluster.more = more;
    for (const node of cluster.nodes) node.url = `${tls ? 'https' : 'http'}://127.0.0.1:${node.port}`;
    for (const node of cluster.nodes.slice(0, size)) cluster.run(node);
    await eventually(async () => {
      const {members, tolerates} = await cluster.ask(cluster.nodes[0], 'GET', '/cluster');
      return members.length === size && members.every((one) => one.suffrage === 'voter') && tolerates !== undefined;
    });
    await cluster.allAlive();
    return cluster;
  }

  run(node) {
    mkdirSync(node.dir, {recursive: true});
    const ports = this.tls
      ? [
          '--port',
          '0',
          '--tls-port',
          node.port,
          '--tls-cert-file',
          `${home}node.pem`,
          '--tls-key-file',
          `${home}node-key.pem`,
        ]
      : ['--port', node.port];
    const spare = !this.join.includes(`127.0.0.1:${node.raft}`);
    // A node ends with this program, however that ends.
    node.process = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        process.env.SERVER,
        '--node-id',
        node.id,
        ...ports,
        '--raft-port',
        node.raft,
        '--debug-port',
        node.debug,
        '--dir',
        node.dir,
        '--pidfile',
        '',
        ...(spare ? [] : ['--join', ...this.join]),
        ...(this.password ? ['--requirepass', this.password] : []),
        ...this.more,
      ].map(String),
      {stdio: 'ignore'},
    );
    children.add(node.process);
    node.process.on('exit', () => children.delete(node.process));
  }

  async kill(node, signal = 'SIGKILL') {
    const {process: child} = node;
    node.process = null;
    const gone = new Promise((resolve) => child.on('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async stop() {
    for (const node of this.nodes.filter((one) => one.process)) await this.kill(node);
  }

  // A request beside the page; JSON where the answer is. Fails on a status from 400 on.
  async ask(node, method, path, body = undefined, headers = {}) {
    const plain = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const answer = await fetch(node.url + path, {
      method,
      body: plain ? body : JSON.stringify(body),
      headers: {
        ...(plain ? {} : {'Content-Type': 'application/json'}),
        ...(this.password ? {Authorization: `Basic ${Buffer.from(`:${this.password}`).toString('base64')}`} : {}),
        ...headers,
      },
      signal: AbortSignal.timeout(15000),
    });
    const text = await answer.text();
    if (answer.status >= 400)
      throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${text}`), {status: answer.status});
    return /json/.test(answer.headers.get('Content-Type') ?? '') ? JSON.parse(text) : text;
  }

  async leader() {
    return eventually(async () => {
      for (const node of this.nodes.filter((one) => one.process)) {
        const {leader_id: id, role} = await this.ask(node, 'GET', '/cluster');
        if (role === 'leader') return this.nodes.find((one) => one.id === id);
      }
      return null;
    });
  }

  // Waits until every member is heard and has everything.
  async allAlive() {
    await eventually(async () => {
      const leader = await this.leader();
      const {members, last_log_index: last} = await this.ask(leader, 'GET', '/cluster');
      return members.every((one) => one.status === 'alive' && one.match_index >= last - 1000);
    });
  }

  // Sees to it that another node than this one leads.
  async leadElsewhere(node) {
    await eventually(async () => {
      const leader = await this.leader();
      if (leader !== node) return true;
      const to = this.nodes.find((one) => one !== node && one.process);
      await this.ask(leader, 'POST', '/cluster/transfer', {id: to.id});
      return false;
    });
  }
}

// Serves a node under a prefix, as a reverse proxy does. Returns its URL with the prefix.
export async function prefixProxy(node, prefix) {
  const [port] = await freePorts(1);
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) {
      response.writeHead(404);
      return response.end('outside of the prefix');
    }
    const {hostname, port: to} = new URL(node.url);
    const passed = http.request(
      {
        host: hostname,
        port: to,
        method: request.method,
        path: request.url.slice(prefix.length),
        headers: request.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  await new Promise((resolve) => proxy.listen(port, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${port}${prefix}`, close: () => proxy.close()};
}

// --- the browser

let browser = null;

// Opens the page of `url` at that hash. The page's `problems` gather what no page may do: errors on the console,
// requests to elsewhere, what the policy blocked, scripts of others that ran, dialogs of the browser.
export async function openPage(
  url,
  hash = '',
  {size = {width: 1280, height: 860}, scheme = 'light', motion = 'reduce', fakeTime = false, path = '/ui'} = {},
) {
  browser ??= await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const context = await browser.newContext({
    viewport: size,
    colorScheme: scheme,
    reducedMotion: motion,
    ignoreHTTPSErrors: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.problems = [];
  page.sent = [];
  page.received = 0;
  const origin = new URL(url).origin;
  page.on('pageerror', (error) => page.problems.push(`error: ${error.stack}`));
  page.on('dialog', (dialog) => {
    if (page.leaving && dialog.type() === 'beforeunload') return dialog.accept();
    page.problems.push(`a dialog of the browser: ${dialog.message()}`);
    dialog.dismiss();
  });
  // What the browser itself notes of refused requests, and of a node that is gone, is no error of the page.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      page.problems.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (request.redirectedFrom()) return; // told of, but the page asks for no redirect to be followed
    page.sent.push({method: request.method(), url: request.url(), headers: request.headers()});
    if (new URL(request.url()).origin !== origin) page.problems.push(`a request to ${request.url()}`);
  });
  page.on('response', async (response) => {
    page.received += (await response.body().catch(() => '')).length;
  });
  await page.addInitScript(() => {
    window.blocked = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.blocked.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  if (fakeTime) await page.clock.install();
  await page.goto(`${url}${path}${hash}`);
  await page.bringToFront();
  return page;
}

// Leaves the page, whatever was typed there.
export async function leave(page) {
  page.leaving = true;
  await page.goto('about:blank');
  page.leaving = false;
}

// Closes the page after it passed what every page must.
export async function closePage(page) {
  equal(page.problems, [], 'what the page must not do');
  equal(await page.evaluate(() => window.blocked), [], 'what the policy blocked');
  equal(await page.evaluate(() => window.ran ?? null), null, 'what ran of others');
  await page.context().close();
}

// Goes to a view and waits until it has asked for what it shows.
export async function goTo(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await page.locator('main h1').waitFor();
  await settled(page);
}

export async function settled(page) {
  await eventually(async () => !/Asking the node/.test(await page.locator('body').innerText()));
}

// The dialog on top.
export function dialog(page) {
  return page.locator('dialog[open]').last();
}

// Presses the button of that name in the dialog on top, and again as long as the page says that it may be tried again
// or that nothing is known: until the dialog is gone.
export async function confirm(page, name) {
  const open = page.locator('dialog[open]');
  const before = await open.count();
  await eventually(async () => {
    if ((await open.count()) < before) return true;
    const go = dialog(page).getByRole('button', {name, exact: true});
    if ((await go.getAttribute('aria-disabled')) !== 'true') await go.click({timeout: 1000});
    await eventually(
      async () => (await open.count()) < before || (await dialog(page).locator('.progress.bad').count()) > 0,
      15,
    );
    return (await open.count()) < before;
  }, 40);
}
