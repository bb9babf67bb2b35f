// The queues: a page of them, by name, with their depth, age and rates.

const kQueuesShown = 50;

// How fast a total grows, from what was seen before: rates.of(name, total) each time that it is polled.
function ratesOf() {
  const seen = new Map();
  return (name, total) => {
    const now = Date.now();
    const before = seen.get(name);
    if (before && now - before.at < 1000) return before.rate;
    const grown = before ? Math.max(0, total - before.total) / ((now - before.at) / 1000) : null;
    seen.set(name, {at: now, total, rate: grown});
    return grown;
  };
}

function showQueues(place, parts, query, signal) {
  if (parts.length > 0 && parts[0] !== '') return showQueue(place, parts, query, signal);
  const prefix = query.get('prefix') ?? '';
  const after = query.get('after') ?? '';
  const columns = queueColumns();
  const list = table('Queues', columns);
  const none = el('p', {class: 'empty'}, 'Asking the node\u2026');
  const pages = pager('queues', prefix, after);
  place.append(
    viewTitle('Queues', button('New queue\u2026', newQueue)),
    filterBar('queues', 'Queues whose name begins with', prefix, pages.element, signal),
    el('section', {class: 'card flush', 'aria-label': 'Queues'}, none, list.element),
  );
  const enqueued = ratesOf();
  const acknowledged = ratesOf();
  poll(signal, 5000, async () => {
    const {data, next} = await getPage(
      `/queues?limit=${kQueuesShown}${prefix && `&prefix=${prefix}`}${after && `&after=${after}`}`,
      signal,
    );
    const rows = data.map((queue) => {
      const name = nameOf(queue, 'name');
      return {
        ...queue,
        ...name,
        in: enqueued(name.path, queue.enqueued_total),
        out: acknowledged(name.path, queue.acknowledged_total),
      };
    });
    none.hidden = rows.length > 0;
    list.element.hidden = rows.length === 0;
    setText(
      none,
      prefix
        ? 'No queue has a name that begins so.'
        : after
          ? 'No more queues.'
          : 'There are no queues yet. The first event that is put into one makes it.',
    );
    syncList(
      list.body,
      rows,
      (row) => row.path,
      (row) => textRow(columns, row),
    );
    pages.update(next, rows.length);
  });
  return null;
}

// Whether a browser has a path for a queue of this name: HTTP takes these characters only, and . and .. are no names
// within a path.
function hasPath(name) {
  return /^[A-Za-z0-9._-]{1,128}$/.test(name) && !/^\.\.?$/.test(name);
}

function queueColumns() {
  const number = (head, hint, of, more = '') => ({head, hint, class: `number ${more}`, text: of});
  const some = (value) => (value === 0 ? '0' : count(value));
  return [
    {
      head: 'Queue',
      class: 'name',
      text: (row) => `${row.path} ${row.paused}`,
      node: (row) => [
        hasPath(row.path)
          ? el('a', {href: hashOf(['queues', row.path])}, row.text)
          : el('span', {class: 'data', title: 'A browser has no path for this name: use the debug port'}, row.text),
        row.paused ? badge(pausedText(row.paused), 'warn') : '',
      ],
    },
    number('Ready', 'Events that a consumer would get now', (row) => some(row.ready)),
    number('Delayed', 'Events that wait for their time', (row) => some(row.delayed), 'w2'),
    number('Reserved', 'Events that a consumer works on', (row) => some(row.reserved), 'w2'),
    number('Oldest', 'Age of the oldest event', (row) => duration(row.oldest_age_ms)),
    number('In/s', 'Events put in, each second', (row) => rate(row.in), 'w3'),
    number('Done/s', 'Events acknowledged, each second', (row) => rate(row.out), 'w3'),
    number('Redelivered', 'Deliveries that were not the first', (row) => some(row.redelivered_total), 'w3'),
    {
      head: 'Dead',
      hint: 'Events that were moved to the dead letter queue, in all',
      class: 'number',
      text: (row) => some(row.dead_lettered_total),
      node: (row) => (row.dead_lettered_total > 0 ? el('b', {class: 'warn'}, some(row.dead_lettered_total)) : '0'),
    },
    number('Size', 'Bytes of all its events', (row) => bytes(row.bytes), 'w3'),
  ];
}

function pausedText(paused) {
  return paused === 'all' ? 'paused' : `${paused} paused`;
}

// The filter by prefix above a list, with the pager beside it.
function filterBar(view, label, prefix, pages, signal) {
  const input = el('input', {
    type: 'search',
    'aria-label': label,
    placeholder: `${label}\u2026  ( / )`,
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  try {
    input.value = decodeURIComponent(prefix);
  } catch {
    input.value = ''; // a prefix that is no text: it stands in the address only
  }
  const apply = () => go(hashOf([view], {prefix: encodeURIComponent(input.value)}));
  let timer = null;
  const stop = () => clearTimeout(timer);
  const later = (event) => {
    stop();
    if (event.isComposing) return;
    timer = setTimeout(() => {
      filterBar.focused = true;
      apply();
    }, 350);
  };
  input.addEventListener('input', later);
  input.addEventListener('compositionend', later);
  // Who has gone elsewhere meanwhile stays there.
  addEventListener('hashchange', stop, {signal});
  signal.addEventListener('abort', stop);
  const form = el(
    'form',
    {
      class: 'filter',
      role: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        stop();
        filterBar.focused = true;
        apply();
      },
    },
    input,
    pages,
  );
  // The view was made anew because of what was typed: go on typing.
  if (filterBar.focused) {
    filterBar.focused = false;
    setTimeout(() => {
      input.focus({preventScroll: true});
      input.setSelectionRange(input.value.length, input.value.length);
    });
  }
  return form;
}

// First page, previous page, next page. The page before is known only when one came from there.
const pageBefore = new Map();

function pager(view, prefix, after) {
  const text = el('span', {class: 'muted'});
  const first = el('a', {href: hashOf([view], {prefix}), class: 'button'}, '\u00ab First');
  const known = pageBefore.get(`${view} ${prefix} ${after}`);
  const previous = el('a', {href: hashOf([view], {prefix, after: known ?? ''}), class: 'button'}, '\u2039 Previous');
  const next = el('a', {class: 'button'}, 'Next \u203a');
  first.hidden = after === '';
  previous.hidden = known === undefined;
  next.hidden = true;
  return {
    element: el('span', {class: 'pager'}, text, first, previous, next),
    update(following, shownNow) {
      setText(
        text,
        following !== null || after !== '' ? `${shownNow} on this page` : shownNow === 0 ? '' : `${shownNow} in all`,
      );
      next.hidden = following === null;
      if (following === null) return;
      pageBefore.set(`${view} ${prefix} ${following}`, after);
      setAttribute(next, 'href', hashOf([view], {prefix, after: following}));
    },
  };
}

function newQueue() {
  const name = textInput('', {required: true, maxlength: 128, pattern: '[A-Za-z0-9._\\-]+'});
  ask({
    title: 'New queue',
    lines: ['A queue is also made by the first event that is put into it.'],
    verb: 'Make',
    danger: false,
    fields: [field('Name', name, 'A-Z a-z 0-9 . _ -')],
    work: async () => {
      await change('PUT', `/queues/${encodeURIComponent(name.value)}`, {json: {}});
      go(hashOf(['queues', name.value]));
    },
  });
}
