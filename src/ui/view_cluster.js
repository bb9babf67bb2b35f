// The cluster: its members as a picture and a table, throughput and latency, what happened lately.

const kFreshWord = 5000; // ms

// What the leader told of everybody, if this node heard it lately, and from the leader that it follows.
function leaderView(data) {
  const view = data.leader_view;
  return view && data.leader_id && view.told_by === data.leader_id && view.age_ms <= kFreshWord ? view : null;
}

// The members as the page shows them, from an answer of GET /cluster: what the leader told last is used where this node
// does not know by itself.
function memberRows(data) {
  const view = new Map((leaderView(data)?.members ?? []).map((member) => [member.id, member]));
  const indices = data.members.map((member) => view.get(member.id)?.match_index ?? member.match_index ?? 0);
  const highest = Math.max(0, ...indices, data.role === 'leader' ? (data.last_log_index ?? 0) : 0);
  return data.members
    .map((member) => {
      const seen = view.get(member.id);
      const status = member.status ?? (seen ? (seen.silent ? 'failed' : 'alive') : null);
      const index = member.match_index ?? seen?.match_index ?? null;
      const leads = member.id === data.leader_id;
      const learner = member.suffrage === 'learner';
      const failed = status === 'failed' && !leads;
      const self = member.id === data.node_id;
      const known = status !== null || leads || self;
      return {
        id: member.id,
        name: shown(member.id),
        leads,
        learner,
        failed,
        self,
        known,
        lag: index === null || leads ? (leads ? 0 : null) : Math.max(0, highest - index),
        version: member.version,
        raft: shown(member.raft_address),
        http: shown(member.https_address ?? member.http_address ?? ''),
        word: failed ? 'silent' : leads ? 'leader' : !known ? 'unknown' : learner ? 'learner' : 'follower',
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

// How the cluster is, in one sentence: {kind, text}.
function clusterState(data, rows) {
  const tolerates = leaderView(data)?.may_fail ?? data.tolerates;
  if (data.removed) return {kind: 'bad', text: 'This node was removed from its cluster.'};
  if (rows.length === 0) return {kind: 'warn', text: 'This node is in no cluster yet.'};
  if (!data.leader_id) return {kind: 'bad', text: 'No leader is known. Writes wait until one is elected.'};
  const silent = rows.filter((row) => row.failed).map((row) => row.name);
  const may =
    tolerates === null || tolerates === undefined
      ? 'How many may fail is not known here yet.'
      : tolerates === 0
        ? rows.length === 1
          ? 'It is the only member: none may fail.'
          : 'No more may fail.'
        : `${tolerates === 1 ? 'One more' : count(tolerates)} may fail.`;
  if (silent.length > 0) {
    const who = silent.length > 3 ? plural(silent.length, 'member') : silent.join(' and ');
    return {kind: tolerates > 0 ? 'warn' : 'bad', text: `${who} ${silent.length === 1 ? 'is' : 'are'} silent. ${may}`};
  }
  if (!rows.every((row) => row.known))
    return {
      kind: 'warn',
      text: `Who is alive is not known here: see the page of the leader, ${shown(data.leader_id)}.`,
    };
  const all = rows.length === 1 ? 'One member.' : `All ${rows.length} members are alive.`;
  return {kind: tolerates > 0 || rows.length === 1 ? 'good' : 'warn', text: `${all} ${may.replace('One more', 'One')}`};
}

function showCluster(place, parts, query, signal) {
  const state = el('p', {class: 'headline', role: 'status'});
  const facts = el('dl', {class: 'facts'});
  const picture = svg('svg', {class: 'ring', viewBox: `0 0 ${kRing.width} ${kRing.height}`, role: 'img'});
  const members = table('Members', memberColumns);
  const add = button('Add a member\u2026', addMember);
  place.append(
    viewTitle('Cluster', state),
    el(
      'div',
      {class: 'columns'},
      el('section', {class: 'card picture', 'aria-label': 'Picture of the members'}, picture, facts),
      el(
        'section',
        {class: 'card', 'aria-label': 'Members'},
        el('div', {class: 'card-head'}, el('h2', null, 'Members'), add),
        members.element,
      ),
    ),
    clusterPlots(signal),
    recentMessages(signal),
  );
  let committed = null;
  const show = (data) => {
    const rows = memberRows(data);
    const {kind, text} = clusterState(data, rows);
    setText(state, text);
    state.dataset.kind = kind;
    setAttribute(picture, 'aria-label', `${text} ${rows.map(memberText).join(' ')}`);
    const flowing = committed !== null && data.commit_index > committed + 5;
    committed = data.commit_index;
    drawMembers(picture, rows, flowing, text);
    syncList(
      members.body,
      rows,
      (row) => row.id,
      (row) => textRow(memberColumns, row),
    );
    showFacts(facts, data);
  };
  cluster.listeners.add(show);
  signal.addEventListener('abort', () => cluster.listeners.delete(show));
  if (cluster.data) show(cluster.data);
  else setText(state, 'Asking the node\u2026');
}

function memberText(row) {
  const lag = row.lag > 0 && !row.failed ? `, ${plural(row.lag, 'entry', 'entries')} behind` : '';
  return `${row.name}: ${row.word}${lag}.`;
}

function lagText(row) {
  if (row.lag === null) return '\u2013';
  return row.leads ? '' : count(row.lag);
}

const memberColumns = [
  {
    head: 'Member',
    class: 'name',
    text: (row) => `${row.name} ${row.self} ${row.raft}`,
    node: (row) => [el('b', null, row.name), row.self ? badge('this page') : '', el('small', null, row.raft)],
  },
  {
    head: 'State',
    text: (row) => row.word,
    node: (row) => badge(row.word, row.failed ? 'bad' : row.leads ? 'leader' : row.known ? 'good' : ''),
  },
  {head: 'Lag', class: 'number', hint: 'Log entries that the member does not have yet', text: lagText},
  {
    head: 'Version',
    class: 'number w2',
    hint: 'The highest cluster version that it can do',
    text: (row) => count(row.version),
  },
  {head: 'Clients at', class: 'w3', text: (row) => row.http || '\u2013'},
  {
    head: el('span', {class: 'hidden'}, 'Actions'),
    class: 'acts',
    text: (row) => `${row.id} ${row.leads} ${row.learner} ${row.failed}`,
    node: (row) => [
      row.leads || row.learner || row.failed
        ? ''
        : el(
            'button',
            {type: 'button', class: 'small', 'aria-label': `Let lead: ${row.name}`, onclick: () => transferTo(row)},
            'Let lead',
          ),
      el(
        'button',
        {type: 'button', class: 'small quiet', 'aria-label': `Remove ${row.name}`, onclick: () => removeMember(row)},
        'Remove',
      ),
    ],
  },
];

function showFacts(place, data) {
  const facts = [
    ['Term', count(data.term)],
    ['Committed', count(data.commit_index)],
    ['Version', String(data.cluster_version)],
    ['Cluster', data.cluster_id ? data.cluster_id.slice(0, 8) : '\u2013', data.cluster_id],
  ];
  if (place.children.length === 0)
    place.append(...facts.map(([name, , title]) => el('div', {title}, el('dt', null, name), el('dd'))));
  facts.forEach(([, value], i) => setText(place.children[i].lastElementChild, value));
}

function transferTo(row) {
  ask({
    title: `Let ${row.name} lead?`,
    lines: [`Leadership is handed to ${row.name} once it has all entries. Writes wait for a moment; nothing is lost.`],
    verb: 'Hand over',
    danger: false,
    work: async () => {
      await change('POST', '/cluster/transfer', {json: {id: row.id}});
      note(`${row.name} leads.`);
      refreshCluster();
    },
  });
}

function removeMember(row) {
  const voters = memberRows(cluster.data).filter((one) => !one.learner && one.id !== row.id).length;
  const left = row.learner
    ? ''
    : ` ${plural(voters, 'voter')} will be left, of which ${Math.ceil(voters / 2) - 1 > 0 ? Math.ceil(voters / 2) - 1 : 'none'} may fail.`;
  ask({
    title: `Remove ${row.name} from the cluster?`,
    lines: [
      `${row.name} will no longer be a member.${left} Its data stays on its disk, but it serves clients no more.`,
      row.self ? 'It is the node that this page asks: the page will lose its node.' : null,
      row.leads ? 'It leads now: another member will be elected first.' : null,
    ].filter(Boolean),
    verb: 'Remove',
    work: async () => {
      await change('DELETE', `/cluster/members/${encodeURIComponent(row.id)}`);
      note(`${row.name} was removed.`);
      refreshCluster();
    },
  });
}

function addMember() {
  const id = textInput('', {required: true});
  const address = textInput('', {required: true, placeholder: '10.0.0.4:1112'});
  ask({
    title: 'Add a member',
    lines: ['Start the new node first, with an empty data directory. It becomes a voter once it has caught up.'],
    verb: 'Add',
    danger: false,
    fields: [field('Its node-id', id), field('Its address', address, 'host:raft-port, as the members reach it')],
    work: async () => {
      await change('POST', '/cluster/members', {json: {id: id.value.trim(), raft_address: address.value.trim()}});
      note(`${shown(id.value.trim())} is a member.`);
      refreshCluster();
    },
  });
}

// --- throughput and latency

function clusterPlots(signal) {
  const group = plotGroup();
  const perSecond = (name) => (sample) => (sample[name] === null ? null : sample[name] / sample.seconds);
  const latencies = (kind) => [
    {name: 'p50', kind: 'one', of: (sample) => sample[`${kind}_p50_us`]},
    {name: 'p99', kind: 'two', of: (sample) => sample[`${kind}_p99_us`]},
  ];
  const place = el(
    'div',
    {class: 'plots'},
    group.add({
      title: 'Requests per second',
      format: rate,
      about: 'no requests yet',
      series: [
        {name: 'writes', kind: 'one', of: perSecond('writes')},
        {name: 'reads', kind: 'two', of: perSecond('reads')},
      ],
    }),
    group.add({
      title: 'Write latency',
      format: latency,
      powers: true,
      series: latencies('write'),
      about: 'no writes yet',
    }),
    group.add({title: 'Read latency', format: latency, powers: true, series: latencies('read'), about: 'no reads yet'}),
  );
  const histories = new Map();
  poll(signal, 5000, async () => {
    const {samples, now} = await getHistory(histories, signal);
    group.update([...samples.values()], now);
  });
  return place;
}

const kAllSamples = 180;

// Of several nodes behind a proxy, one that does not answer any more would have all others asked for what they told.
function forgetOld(nodes) {
  if (nodes.size > 1)
    for (const [node, {readAt}] of nodes) if (Date.now() - readAt > 60000) nodes.delete(node);
}

// Adds to `histories` (node to {samples: time to sample, readAt, now}) what is missing of the node that answers, and
// returns its own: behind a proxy it may be any node.
async function getHistory(histories, signal) {
  forgetOld(histories);
  const since = Date.now() - Math.min(...[...histories.values()].map((one) => one.readAt));
  const missing = histories.size > 0 ? Math.min(Math.ceil(since / 5000) + 1, kAllSamples) : kAllSamples;
  let data = await getJson(`/node/history?last=${missing}`, signal);
  if (missing < kAllSamples && !histories.has(data.node_id))
    data = await getJson(`/node/history?last=${kAllSamples}`, signal);
  const history = histories.get(data.node_id) ?? {samples: new Map()};
  histories.set(data.node_id, history);
  history.readAt = Date.now();
  history.now = Date.parse(data.now);
  const {samples, now} = history;
  for (const sample of data.samples) {
    const time = Date.parse(sample.at);
    if (!samples.has(time))
      samples.set(time, {...sample, time, seconds: (sample.lasted_ms ?? data.interval_ms) / 1000});
  }
  for (const time of samples.keys()) if (time < now - kPlotSpan || time > now + 60000) samples.delete(time);
  return history;
}
