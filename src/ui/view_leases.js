// The leases: who holds how many keys for how long, and ending one.

const kLeasesShown = 50;

function showLeases(place, parts, query, signal) {
  const after = query.get('after') ?? '';
  const columns = leaseColumns(after);
  const list = table('Leases', columns);
  const none = el('p', {class: 'empty'}, 'Asking the node\u2026');
  const pages = pager('leases', '', after);
  place.append(
    viewTitle('Leases', el('p', {class: 'about'}, 'A lease ends with its keys unless its owner keeps it alive.')),
    el('div', {class: 'filter'}, pages.element),
    el('section', {class: 'card flush', 'aria-label': 'Leases'}, none, list.element),
  );
  const refresh = poll(signal, 3000, async () => {
    const {data, next} = await getPage(`/leases?limit=${kLeasesShown}${after && `&after=${after}`}`, signal);
    none.hidden = data.leases.length > 0;
    list.element.hidden = data.leases.length === 0;
    setText(
      none,
      after ? 'No more leases.' : 'There are no leases. Locks, leaders and lists of services are made of them.',
    );
    syncList(
      list.body,
      data.leases,
      (lease) => lease.id,
      (lease) => textRow(columns, lease),
    );
    pages.update(next, data.leases.length);
  });
  let drawer = null;
  const show = (newParts) => {
    drawer?.close(true);
    drawer = /^\d+$/.test(newParts[0] ?? '') ? leaseDrawer(newParts[0], refresh) : null;
  };
  show(parts);
  return (newParts, newQuery) => {
    if ((newQuery.get('after') ?? '') !== after) return false;
    show(newParts);
    return true;
  };
}

function leaseColumns(after) {
  return [
    {
      head: 'Lease',
      class: 'name',
      text: (lease) => String(lease.id),
      node: (lease) => el('a', {href: hashOf(['leases', lease.id], {after})}, String(lease.id)),
    },
    {head: 'Keys', class: 'number', text: (lease) => count(lease.keys)},
    {head: 'Time to live', class: 'number', text: (lease) => duration(lease.ttl_ms)},
    {head: 'Remaining', class: 'number', text: (lease) => duration(lease.remaining_ms)},
    {
      head: el('span', {class: 'hidden'}, 'As a bar'),
      class: 'w2',
      text: (lease) => String(Math.round((100 * lease.remaining_ms) / lease.ttl_ms)),
      node: (lease) =>
        svg(
          'svg',
          {class: 'bar', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
          svg('rect', {width: 100, height: 6}),
          svg('rect', {class: 'full', width: Math.min(100, (100 * lease.remaining_ms) / lease.ttl_ms), height: 6}),
        ),
    },
  ];
}

function leaseDrawer(id, refresh) {
  const drawer = openDialog({
    title: `Lease ${id}`,
    kind: 'drawer',
    onclose: (leaving) => leaving || leaveDrawer(['leases'], id),
  });
  const state = progress();
  drawer.body.append(state.element);
  state.say('Asking the node\u2026');
  showLease(drawer, state, id, refresh);
  return drawer;
}

async function showLease(drawer, state, id, refresh) {
  let page;
  try {
    page = await getPage(`/leases/${id}`);
  } catch (error) {
    return state.say(error.status === 404 ? 'This lease is over.' : explain(error), 'bad');
  }
  state.say('');
  const lease = page.data;
  const keys = [
    ...lease.keys.map((key) => nameOf({key}, 'key')),
    ...(lease.keys_base64 ?? []).map((key) => nameOf({key_base64: key}, 'key')),
  ];
  const list = el(
    'ul',
    {class: 'keys'},
    keys.map((key) => el('li', null, el('a', {class: 'data', href: hashOf(['keys', key.path])}, key.text))),
  );
  drawer.body.replaceChildren(
    el(
      'dl',
      {class: 'pairs'},
      el('dt', null, 'Time to live'),
      el('dd', null, duration(lease.ttl_ms)),
      el('dt', null, 'Remaining'),
      el('dd', null, duration(lease.remaining_ms)),
    ),
    el(
      'h3',
      null,
      keys.length === 0 ? 'No keys' : page.next === null ? plural(keys.length, 'key') : `The first ${keys.length} keys`,
    ),
    list,
    el(
      'div',
      {class: 'actions'},
      button('Revoke\u2026', () => revoke(id, keys, page.next !== null, drawer, refresh), 'danger'),
    ),
  );
}

function revoke(id, keys, more, drawer, refresh) {
  const names = keys
    .slice(0, 10)
    .map((key) => brief(key.text, 60))
    .join(', ');
  ask({
    title: `Revoke lease ${id}?`,
    lines: [
      keys.length === 0
        ? 'It has no keys. Its owner is told at its next keepalive.'
        : `Its ${more ? `keys (more than ${keys.length})` : plural(keys.length, 'key')} will be deleted with it: ${names}${keys.length > 10 ? ', \u2026' : ''}.`,
      'Who holds a lock by it loses the lock.',
    ],
    verb: 'Revoke',
    work: async () => {
      await change('DELETE', `/leases/${id}`);
      note(`Lease ${id} is revoked.`);
      drawer.close();
      refresh();
    },
  });
}
