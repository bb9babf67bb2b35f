// The keys: a page of them under a prefix. Prefixes and keys stand percent-encoded in the address, as they are bytes.

const kKeysShown = 50;

function showKeys(place, parts, query, signal) {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('after') ?? '';
  const list = table('Keys', keyColumns(query));
  const none = el('p', {class: 'empty'}, 'Asking the node\u2026');
  const pages = pager('keys', prefix, after);
  const load = {now: () => {}};
  place.append(
    viewTitle(
      'Keys',
      button('New key\u2026', () => openKey(null, () => load.now())),
    ),
    filterBar('keys', 'Keys that begin with', prefix, pages.element, signal),
    prefixCrumbs(prefix),
    el('section', {class: 'card flush', 'aria-label': 'Keys'}, none, list.element),
  );
  load.now = poll(signal, 10000, async () => {
    const {data, next} = await getPage(
      `/kv?keys&limit=${kKeysShown}&prefix=${prefix}${after && `&after=${after}`}`,
      signal,
    );
    const rows = data.items.map((item) => ({...item, ...nameOf(item, 'key')}));
    none.hidden = rows.length > 0;
    list.element.hidden = rows.length === 0;
    setText(none, prefix ? 'No key begins so.' : after ? 'No more keys.' : 'There are no keys yet.');
    syncList(
      list.body,
      rows,
      (row) => row.path,
      (row) => textRow(keyColumns(query), row),
    );
    pages.update(next, rows.length);
  });
  let opened = null;
  const show = (newParts) => {
    const key = newParts[0] ?? '';
    opened?.close(true);
    opened =
      key === ''
        ? null
        : openKey(
            key,
            () => load.now(),
            () => leaveDrawer(['keys'], key),
          );
  };
  show(parts);
  return (newParts, newQuery) => {
    if ((newQuery.get('prefix') ?? '') !== prefix || (newQuery.get('after') ?? '') !== after) return false;
    show(newParts);
    return true;
  };
}

// The parts of a prefix between slashes, as links upwards.
function prefixCrumbs(prefix) {
  const parts = prefix.split(/(?<=%2F)/i).filter(Boolean);
  const links = parts.map((part, i) =>
    el('a', {class: 'data', href: hashOf(['keys'], {prefix: parts.slice(0, i + 1).join('')})}, pathText(part)),
  );
  return el(
    'p',
    {class: 'crumbs', hidden: parts.length === 0},
    el('a', {href: '#/keys'}, 'All keys'),
    ' \u203a ',
    links,
  );
}

function keyColumns(query) {
  const values = Object.fromEntries(query);
  return [
    {
      head: 'Key',
      class: 'name',
      text: (row) => row.path,
      node: (row) =>
        el(
          'a',
          {class: 'data', href: hashOf(['keys', row.path], values)},
          row.text.length > 200 ? `${row.text.slice(0, 200)}\u2026` : row.text,
        ),
    },
    {head: 'Type', class: 'w2', text: (row) => brief(row.content_type ?? '', 40)},
    {head: 'Version', class: 'number', hint: 'How often it was written', text: (row) => count(row.version)},
    {
      head: 'Changed at',
      class: 'number w2',
      hint: 'The index of the log entry that wrote it last',
      text: (row) => count(row.mod_index),
    },
    {
      head: 'Lease',
      class: 'number w2',
      text: (row) => (row.lease ? String(row.lease) : ''),
      node: (row) => (row.lease ? el('a', {href: hashOf(['leases', row.lease])}, String(row.lease)) : ''),
    },
    {
      head: 'Ends in',
      class: 'number w3',
      text: (row) => (row.ttl_ms === null || row.ttl_ms === undefined ? '' : duration(row.ttl_ms)),
    },
  ];
}

// The path of a key under /kv. A browser takes the names . and .. out of paths, whatever way they are written.
function keyPath(key) {
  return /^(\.|%2e){1,2}$/i.test(key) ? null : `/kv/${key}`;
}

// --- one key

// The drawer for a key: its value as text to edit, or as bytes to look at. `key` is percent-encoded; null: a new one.
// `onclose` is called when the user closed it. Returns the dialog.
function openKey(key, changed, onclose = () => {}) {
  let editor = null;
  const drawer = openDialog({
    title: key === null ? 'New key' : brief(pathText(key), 200),
    kind: 'drawer',
    dirty: () => editor?.dirty() ?? false,
    onclose: (leaving) => leaving || onclose(),
  });
  const done = () => {
    drawer.close();
    changed();
  };
  if (key === null) {
    editor = keyEditor(drawer, null, {data: new Uint8Array(), etag: null, type: 'text/plain'}, null, done, changed);
  } else {
    loadKey(drawer, key).then((found) => {
      if (found) editor = keyEditor(drawer, key, found.value, found.item, done, changed);
    });
  }
  return drawer;
}

// The value of a key and what the listing says of it; null when there is none, which the drawer then says.
async function loadKey(drawer, key) {
  const state = progress();
  drawer.body.replaceChildren(state.element);
  state.say('Asking the node\u2026');
  const path = keyPath(key);
  try {
    if (path === null)
      throw new ApiError(400, 'a browser cannot ask for a key of this name: use wormhole-cli or curl --path-as-is');
    const value = await getBytes(path);
    const item = await getItem(key);
    state.say('');
    return {value, item};
  } catch (error) {
    state.say(error.status === 404 ? 'There is no such key any more.' : sentence(error.message), 'bad');
    return null;
  }
}

// What the listing says of a key; null when there is none.
async function getItem(key) {
  const {items} = await getJson(`/kv?keys&limit=1&prefix=${key}`);
  return items.find((item) => nameOf(item, 'key').path === key) ?? null;
}

function keyFacts(item, etag) {
  const facts = [
    ['ETag', etag],
    ['Version', item && count(item.version)],
    ['Made at', item && count(item.create_index)],
    ['Changed at', item && count(item.mod_index)],
    ['Lease', item?.lease ? String(item.lease) : null],
    ['Ends in', item?.ttl_ms ? duration(item.ttl_ms) : null],
  ].filter(([, value]) => value);
  return el(
    'dl',
    {class: 'facts'},
    facts.map(([name, value]) => el('div', null, el('dt', null, name), el('dd', null, value))),
  );
}

// How long a key lives: as it is now, for ever, or for a time. Returns the field, whether something else than what it
// offered was chosen, and the parameters of a PUT.
function lifetime(item) {
  const options = [
    ['', 'does not expire'],
    ['ttl', 'expires after\u2026'],
  ];
  if (item?.lease) options.unshift(['lease', `ends with lease ${item.lease}`]);
  else if (item?.ttl_ms) options.unshift(['keep', `in ${duration(item.ttl_ms)}, as now`]);
  const kind = choice(options, options[0][0]);
  const ttl = textInput('', {placeholder: '10m', 'aria-label': 'Expires after', hidden: true});
  kind.addEventListener('change', () => {
    ttl.hidden = kind.value !== 'ttl';
  });
  const read = Date.now();
  return {
    element: el('div', {class: 'pair'}, field('This key', kind), ttl),
    chosen: () => kind.value !== options[0][0],
    query() {
      if (kind.value === 'lease') return `?lease=${item.lease}`;
      if (kind.value === 'keep') return `?ttl=${Math.max(1, item.ttl_ms - (Date.now() - read))}ms`;
      return kind.value === 'ttl' ? `?ttl=${encodeURIComponent(ttl.value.trim())}` : '';
    },
  };
}
