// What happened lately: the node's messages with what they mean and what to do, and the cluster's own changes as the
// stream tells them.

// Messages of each node that answered, {list, readAt}, newest first, and which one answered last: behind a proxy it may
// be any. Their ids grow, also when a node starts anew. Polled by whichever view shows them.
const messages = {of: new Map(), node: null};

async function getMessages(signal) {
  // What every node known so far has more of; of one that is not known, all.
  forgetOld(messages.of);
  const lasts = [...messages.of.values()].map(({list}) => list[0]?.id ?? 0);
  let data = await getJson(`/node/messages?after=${lasts.length > 0 ? Math.min(...lasts) : 0}`, signal);
  if (lasts.length > 0 && !messages.of.has(data.node_id)) data = await getJson('/node/messages?after=0', signal);
  messages.node = data.node_id;
  const before = messages.of.get(messages.node)?.list ?? [];
  const byId = new Map([...before, ...data.messages].map((one) => [one.id, one]));
  const list = [...byId.values()].sort((a, b) => b.id - a.id).slice(0, 400);
  messages.of.set(messages.node, {list, readAt: Date.now()});
}

function newestMessages(level) {
  return messages.of.get(messages.node).list.filter((one) => level === 'notice' || one.level === level);
}

function messageRow(message) {
  const help = [
    message.means && el('p', null, el('strong', null, 'Means: '), markdown(message.means)),
    message.do && el('p', null, el('strong', null, 'Do: '), markdown(message.do)),
  ].filter(Boolean);
  const line = [
    el('time', {datetime: message.at, title: dateTime(message.at)}, clockTime(message.at)),
    message.level === 'warning' ? badge('warning', 'warn') : '',
    el('span', {class: 'data'}, shown(message.text)),
  ];
  const element =
    help.length > 0
      ? el('li', null, el('details', null, el('summary', null, line), el('div', {class: 'help'}, help)))
      : el('li', null, el('div', {class: 'plain'}, line));
  return {element, update() {}};
}

function showMessages(place, parts, query, signal) {
  const level = query.get('level') === 'warning' ? 'warning' : 'notice';
  const list = el('ul', {class: 'messages'});
  const none = el('p', {class: 'empty'}, 'Asking the node\u2026');
  const filter = el(
    'div',
    {class: 'tabs'},
    [
      ['notice', 'All'],
      ['warning', 'Warnings'],
    ].map(([key, label]) =>
      el(
        'a',
        {href: hashOf(['messages'], {level: key === 'notice' ? '' : key}), 'aria-current': key === level && 'true'},
        label,
      ),
    ),
  );
  const title = el('p', {class: 'about'});
  place.append(
    viewTitle('Messages', title),
    filter,
    el('section', {class: 'card flush', 'aria-label': 'Messages'}, none, list),
  );
  poll(signal, 5000, async () => {
    await getMessages(signal);
    const rows = newestMessages(level);
    setText(
      title,
      `What ${shown(messages.node)} logged, newest first. A line with a mark opens to what it means and what to do.`,
    );
    none.hidden = rows.length > 0;
    setText(none, level === 'warning' ? 'No warnings. That is how it should be.' : 'Nothing was logged yet.');
    syncList(list, rows, (row) => row.id, messageRow);
  });
}

// The last few of them, and the last elections, for the view of the cluster.
function recentMessages(signal) {
  const list = el('ul', {class: 'messages'});
  const none = el('p', {class: 'empty'}, 'Nothing yet.');
  const changes = el('ul', {class: 'messages'});
  const quiet = el('p', {class: 'empty'}, 'No change since the page was opened.');
  poll(signal, 5000, async () => {
    await getMessages(signal);
    const rows = newestMessages('notice').slice(0, 8);
    none.hidden = rows.length > 0;
    syncList(list, rows, (row) => row.id, messageRow);
  });
  const showChanges = () => {
    quiet.hidden = clusterChanges.length > 0;
    syncList(changes, clusterChanges.slice(0, 8), (row) => row.key, changeRow);
  };
  changeListeners.add(showChanges);
  signal.addEventListener('abort', () => changeListeners.delete(showChanges));
  showChanges();
  return el(
    'div',
    {class: 'columns even'},
    el(
      'section',
      {class: 'card flush', 'aria-label': 'Recent messages'},
      el('div', {class: 'card-head'}, el('h2', null, 'Messages of this node'), el('a', {href: '#/messages'}, 'All')),
      none,
      list,
    ),
    el(
      'section',
      {class: 'card flush', 'aria-label': 'Elections and members', 'aria-live': 'polite'},
      el('div', {class: 'card-head'}, el('h2', null, 'Elections and members')),
      quiet,
      changes,
    ),
  );
}

// --- the cluster's changes since the page was opened

const clusterChanges = []; // newest first: {key, at, kind, text}
const changeListeners = new Set();
let lastLeader = null;
const silentMembers = new Set(); // as the stream told

function noteClusterEvent(name, data) {
  const known = cluster.data !== null;
  const text = changeText(name, data);
  if (text !== null) {
    clusterChanges.unshift({key: randomKey(), at: Date.now(), ...text});
    clusterChanges.length = Math.min(clusterChanges.length, 50);
    for (const listener of changeListeners) listener();
  }
  if (known) refreshCluster();
}

// What to say of an event of the stream; null of what only repeats how things are.
function changeText(name, data) {
  if (name === 'leader') {
    const key = `${data.leader_id} ${data.term}`;
    if (key === lastLeader) return null;
    lastLeader = key;
    return data.leader_id === null
      ? {kind: 'bad', text: `No leader is known (term ${data.term}).`}
      : {kind: 'good', text: `${shown(data.leader_id)} leads in term ${data.term}.`};
  }
  if (name === 'version') return {kind: 'good', text: `The cluster's version is ${data.cluster_version}.`};
  if (name !== 'member' || data.change === 'present') return null;
  // A new leader hears everybody anew: that is news only of a member that was silent.
  if (data.change === 'failed') silentMembers.add(data.id);
  else if (!silentMembers.delete(data.id) && data.change === 'alive') return null;
  const words = {
    added: 'was added',
    removed: 'was removed',
    promoted: 'is a voter now',
    failed: 'is silent',
    alive: 'is heard again',
  };
  return {
    kind: ['failed', 'removed'].includes(data.change) ? 'warn' : 'good',
    text: `${shown(data.id)} ${words[data.change] ?? shown(data.change)}.`,
  };
}

function changeRow(change) {
  const element = el(
    'li',
    null,
    el(
      'div',
      {class: 'plain'},
      el('time', null, clockTime(change.at)),
      el('span', {class: `dot ${change.kind}`}),
      el('span', {class: 'data'}, change.text),
    ),
  );
  return {element, update() {}};
}
