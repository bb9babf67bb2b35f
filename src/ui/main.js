// The frame around the views: routes in the address's hash, the state of the connection, light and dark.

// The views by the first part of the hash. Each is {title, show(place, parts, query, signal)}: it fills `place` and
// polls until `signal` is aborted.
const views = {
  cluster: {title: 'Cluster', show: showCluster},
  queues: {title: 'Queues', show: showQueues},
  keys: {title: 'Keys', show: showKeys},
  leases: {title: 'Leases', show: showLeases},
  messages: {title: 'Messages', show: showMessages},
};

// The cluster as last heard: what GET /cluster answered. Views listen.
const cluster = {data: null, listeners: new Set()};

let current = null; // {name, key, abort, leave}
let shownHash = null;
let changes = 0; // of the address

// #/queues/NAME/ID?state=ready: {name, parts, query}. Parts and values stay percent-encoded, as names are bytes; what a
// link has beside that, such as # and \, would lead out of the path that it becomes a part of, and is encoded.
function readHash() {
  const encoded = (text) => text.replace(/[^\w\-.!~*'()%]+/g, encodeURIComponent);
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...parts] = path.split('/').map(encoded);
  const values = new Map(
    query
      .split('&')
      .filter(Boolean)
      .map((one) => {
        const at = one.indexOf('=');
        return [one.slice(0, at), encoded(one.slice(at + 1))];
      }),
  );
  return {name: Object.hasOwn(views, name) ? name : 'cluster', parts, query: values};
}

function hashOf(parts, query = {}) {
  const values = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  const tail = values.length > 0 ? `?${values.map(([key, value]) => `${key}=${value}`).join('&')}` : '';
  return `#/${parts.join('/')}${tail}`;
}

function go(hash) {
  location.hash = hash;
}

// A drawer closed that the address #/`parts`/`last` stood for: if it still does, it becomes that of `parts`, which the
// view shows already. The browser tells of a new address only later: until then, who goes Back at once would be taken
// for one who is still there.
function leaveDrawer(parts, last) {
  const now = readHash();
  if ([now.name, ...now.parts].join('/') !== [...parts, last].join('/')) return;
  location.hash = hashOf(parts, Object.fromEntries(now.query));
  shownHash = location.hash;
}

async function route() {
  if (location.hash === shownHash) return;
  const change = ++changes;
  if (somethingTyped() && !(await confirmLoss())) {
    history.replaceState(null, '', shownHash);
    return;
  }
  if (change !== changes) return; // the address changed again meanwhile
  for (const dialog of [...dialogs]) if (!dialog.fixed) dialog.close(true);
  const first = shownHash === null;
  shownHash = location.hash;
  const {name, parts, query} = readHash();
  // Within one view it is the view that shows the difference, such as an open event.
  if (current && current.name === name && current.moved?.(parts, query)) return;
  current?.abort.abort();
  const abort = new AbortController();
  current = {name, abort, moved: null};
  for (const link of document.querySelectorAll('nav a'))
    setAttribute(link, 'aria-current', link.hash === `#/${name}` ? 'page' : null);
  const place = document.getElementById('view');
  place.replaceChildren();
  current.moved = views[name].show(place, parts, query, abort.signal) ?? null;
  showTitle();
  if (!first) {
    scrollTo(0, 0);
    place.querySelector('h1')?.focus({preventScroll: true});
  }
}

function viewTitle(text, ...more) {
  return el('div', {class: 'title'}, el('h1', {tabindex: '-1'}, text), ...more);
}

function showTitle() {
  const {name, parts} = readHash();
  const what = parts[0] ? pathText(parts[0]) : views[name].title;
  const mark = connection.state === 'lost' ? '(lost) ' : cluster.data && !cluster.data.leader_id ? '(no leader) ' : '';
  document.title = `${mark}${what} \u00b7 ${cluster.data ? shown(cluster.data.node_id) : 'Wormhole'}`;
}

// --- the connection

let clusterTimer = null;
let clusterRunning = false;

// The one poll that goes on while the node does not answer: then less and less often.
async function refreshCluster() {
  clearTimeout(clusterTimer);
  if (clusterRunning || document.hidden || passwordDialog) return;
  clusterRunning = true;
  try {
    cluster.data = await getJson('/cluster');
    connection.failures = 0;
    connection.set('live');
    for (const listener of cluster.listeners) listener(cluster.data);
  } catch (error) {
    if (connection.state !== 'locked') {
      connection.problem = error;
      ++connection.failures;
      connection.retryAt = Date.now() + Math.min(1000 * 2 ** (connection.failures - 1), 15000);
      connection.set('lost');
    }
  }
  clusterRunning = false;
  showConnection();
  const wait =
    connection.state === 'lost' ? connection.retryAt - Date.now() : readHash().name === 'cluster' ? 2000 : 5000;
  clusterTimer = setTimeout(refreshCluster, wait);
}

function showConnection() {
  const pill = document.getElementById('connection');
  const data = cluster.data;
  const {state} = connection;
  pill.dataset.state = state === 'live' && !data.leader_id ? 'warn' : state;
  const texts = {
    connecting: 'connecting\u2026',
    locked: 'locked',
    lost: refusal() ? 'refused, trying again' : 'connection lost, trying again',
    live: data ? `${shown(data.node_id)} \u00b7 ${data.leader_id ? data.role : 'no leader'}` : '',
  };
  setText(pill.lastElementChild, texts[state]);
  document.body.classList.toggle('stale', state === 'lost');
  const banner = document.getElementById('banner');
  banner.hidden = state !== 'lost';
  if (state === 'lost') showLoss(banner);
  showTitle();
}

// What the node, or a proxy before it, said instead of an answer; null when it said nothing.
function refusal() {
  const {problem} = connection;
  return problem?.status > 0 ? sentence(problem.message) : null;
}

// What still can be done when this node is gone: another member's page, if this page came from the node itself.
function showLoss(banner) {
  const since = connection.lastHeard ? `What you see is from ${clockTime(connection.lastHeard)}.` : '';
  const others = otherPages();
  const text = `${refusal() ?? 'The node does not answer.'} The page tries again by itself. ${since}`;
  if (banner.dataset.text === text && banner.dataset.others === String(others.length)) return;
  banner.dataset.text = text;
  banner.dataset.others = String(others.length);
  banner.replaceChildren(
    text,
    ...others.flatMap(({name, href}, i) => [i === 0 ? ' Or open the page of ' : ', ', el('a', {href}, name)]),
  );
}

function otherPages() {
  const members = cluster.data?.members ?? [];
  const address = (member) => (location.protocol === 'https:' ? member.https_address : member.http_address);
  const self = members.find((member) => member.id === cluster.data?.node_id);
  if (!self || address(self) !== location.host) return [];
  const silent = new Set(
    memberRows(cluster.data)
      .filter((row) => row.failed)
      .map((row) => row.id),
  );
  return members
    .filter((member) => member !== self && address(member) && !silent.has(member.id))
    .map((member) => ({name: shown(member.id), href: `${location.protocol}//${address(member)}/ui${location.hash}`}));
}

// --- light and dark

function showTheme(theme) {
  if (theme === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset.theme = theme;
  const names = {auto: 'as the system has it', light: 'light', dark: 'dark'};
  const switcher = document.getElementById('theme');
  switcher.dataset.value = theme;
  setAttribute(switcher, 'aria-label', `Colours: ${names[theme]}. Change`);
  switcher.title = `Colours: ${names[theme]}`;
}

function storedTheme() {
  try {
    const theme = localStorage.getItem('wormhole-theme');
    return ['light', 'dark'].includes(theme) ? theme : 'auto';
  } catch {
    return 'auto'; // the browser allows no storage
  }
}

function nextTheme() {
  const order = ['auto', 'light', 'dark'];
  const theme = order[(order.indexOf(document.getElementById('theme').dataset.value) + 1) % order.length];
  showTheme(theme);
  try {
    localStorage.setItem('wormhole-theme', theme);
  } catch {
    // It lasts as long as the page.
  }
}

// --- the start

function start() {
  showTheme(storedTheme());
  document.getElementById('theme').addEventListener('click', nextTheme);
  // The hash is the route, so this link goes there by itself.
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('view').focus();
  });
  document.addEventListener('visibilitychange', refreshCluster);
  connection.listeners.add(showConnection);
  addEventListener('hashchange', route);
  addEventListener('beforeunload', (event) => somethingTyped() && event.preventDefault());
  document.addEventListener('keydown', closeByEscape, true);
  // "/" goes to the view's filter.
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, textarea, select, dialog')) return;
    const filter = document.querySelector('#view input[type="search"]');
    if (!filter) return;
    event.preventDefault();
    filter.focus();
  });
  refreshCluster();
  route();
  followCluster(noteClusterEvent);
}

start();
