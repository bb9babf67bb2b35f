// Inside a queue: how it stands, its events by state, and what can be done to it.

const kEventsShown = 25;

function showQueue(place, parts, query, signal) {
  const name = parts[0];
  if (!hasPath(name)) {
    place.append(
      viewTitle(pathText(name)),
      el('p', {class: 'empty'}, 'A browser has no path for a queue of this name: use the debug port.'),
    );
    return null;
  }
  const path = `/queues/${name}`;
  const state = query.get('state') ?? '';
  const after = query.get('after') ?? '';
  let queue = null;
  const refresh = {now: () => {}, events: () => {}};
  const context = {
    name,
    text: pathText(name),
    path,
    page: {state, after},
    queue: () => queue,
    // How long an Idempotency-Key counts.
    safe: () => (queue ? `within ${queue.settings.dedup_window}` : 'soon'),
    changed: () => {
      refresh.now();
      refresh.events(true);
    },
  };
  const marks = el('span', {class: 'marks'});
  const pauses = el('span', {class: 'marks'});
  const figures = el('dl', {class: 'facts wide'});
  const card = el('section', {class: 'card', 'aria-label': 'Figures'}, figures);
  const dead = el('div', {class: 'dead', hidden: true});
  const problem = el('p', {class: 'empty', hidden: true});
  const events = queueEvents(context, state, after);
  place.append(
    el('p', {class: 'crumbs'}, el('a', {href: '#/queues'}, 'Queues')),
    viewTitle(
      context.text,
      marks,
      el(
        'span',
        {class: 'actions'},
        el('button', {type: 'button', class: 'primary', onclick: () => enqueueDialog(context)}, 'Enqueue\u2026'),
        pauses,
        button('Settings\u2026', () => settingsDialog(context)),
        button('Purge\u2026', () => purge(context)),
        button('Delete\u2026', () => deleteQueue(context)),
      ),
    ),
    problem,
    card,
    dead,
    events.element,
  );
  let seen = '';
  refresh.events = (always) => {
    const now =
      queue &&
      [
        queue.ready,
        queue.delayed,
        queue.reserved,
        queue.enqueued_total,
        queue.acknowledged_total,
        queue.redelivered_total,
      ].join();
    if (!always && (now === seen || events.heavy())) return;
    // What could not be shown is asked for again.
    const loaded = (is) => {
      if (is) seen = now;
    };
    events.load(signal).then(loaded, () => {});
  };
  const rates = {in: ratesOf(), out: ratesOf()};
  refresh.now = poll(signal, 3000, async () => {
    try {
      queue = await getJson(path, signal);
    } catch (error) {
      if (error.status !== 404) throw error;
      queue = null;
      // Its figures are over.
      card.hidden = dead.hidden = true;
      marks.replaceChildren();
      pauses.replaceChildren();
      for (const place of [dead, pauses]) for (const name in place.dataset) delete place.dataset[name];
      problem.hidden = false;
      setText(problem, `There is no queue ${context.text}. The first event that is put into it makes it.`);
      events.load(signal).catch(() => {});
      return;
    }
    problem.hidden = true;
    card.hidden = false;
    showFigures(figures, queue, rates);
    marks.replaceChildren(...(queue.paused ? [badge(pausedText(queue.paused), 'warn')] : []));
    showPauses(pauses, context, queue.paused);
    await showDead(dead, context, queue, signal);
    refresh.events(false);
  });
  const opened = eventDrawer(context);
  opened.show(parts);
  // The drawer opens and closes within the view.
  return (newParts, newQuery) => {
    if (newParts[0] !== name || (newQuery.get('state') ?? '') !== state || (newQuery.get('after') ?? '') !== after)
      return false;
    opened.show(newParts);
    return true;
  };
}

function showFigures(place, queue, rates) {
  const figures = [
    ['Ready', count(queue.ready)],
    ['Delayed', count(queue.delayed)],
    ['Reserved', count(queue.reserved)],
    ['Oldest', duration(queue.oldest_age_ms)],
    ['In', `${rate(rates.in('in', queue.enqueued_total))}/s`],
    ['Done', `${rate(rates.out('out', queue.acknowledged_total))}/s`],
    ['Size', bytes(queue.bytes)],
    ['Enqueued', count(queue.enqueued_total)],
    ['Acknowledged', count(queue.acknowledged_total)],
    ['Redelivered', count(queue.redelivered_total)],
    ['Expired', count(queue.expired_total)],
    ['Dead-lettered', count(queue.dead_lettered_total)],
    ['Dropped', count(queue.dropped_total)],
    ['Waiting here', count(queue.waiting), 'Requests that wait for an event, as far as this node knows'],
  ];
  if (place.children.length === 0)
    place.append(...figures.map(([name, , title]) => el('div', {title}, el('dt', null, name), el('dd'))));
  figures.forEach(([, value], i) => setText(place.children[i].lastElementChild, value));
}

// Pausing: what is not paused can be, what is can be resumed. The buttons change only when the state does.
function showPauses(place, context, paused) {
  if (place.dataset.paused === paused) return;
  place.dataset.paused = paused;
  place.replaceChildren(
    paused === ''
      ? button('Pause\u2026', () => pauseDialog(context))
      : button('Resume', async (event) => {
          const starter = event.currentTarget;
          starter.disabled = true;
          try {
            await change('POST', `${context.path}/resume?direction=all`, {key: randomKey()});
            note(`${context.text} goes on.`);
          } catch (error) {
            note(explain(error), 20000);
          }
          starter.disabled = false;
          context.changed();
        }),
  );
}

function pauseDialog(context) {
  const direction = choice(
    [
      ['all', 'In and out'],
      ['in', 'In: producers are refused'],
      ['out', 'Out: consumers get nothing'],
    ],
    'all',
  );
  const key = randomKey();
  ask({
    title: `Pause ${context.text}?`,
    lines: ['Nothing is lost. Into a paused queue, producers are answered 429; out of it, consumers find nothing.'],
    verb: 'Pause',
    safe: context.safe,
    danger: false,
    fields: [field('Direction', direction)],
    work: async () => {
      await change('POST', `${context.path}/pause?direction=${direction.value}`, {key: `${key}-${direction.value}`});
      context.changed();
    },
  });
}

function contentText(queue) {
  if (!queue) return 'all its events';
  return `${plural(queue.ready, 'ready event')}, ${count(queue.delayed)} delayed and ${count(queue.reserved)} reserved (${bytes(queue.bytes)})`;
}

function purge(context) {
  const key = randomKey();
  ask({
    title: `Purge ${context.text}?`,
    lines: [
      `This removes ${contentText(context.queue())}, those that consumers work on now included. They cannot be brought back.`,
      'The queue and its settings stay.',
    ],
    verb: 'Remove all events',
    safe: context.safe,
    work: async () => {
      const {removed} = await change('POST', `${context.path}/purge`, {key});
      note(`${plural(removed, 'event')} removed.`);
      context.changed();
    },
  });
}

function deleteQueue(context) {
  ask({
    title: `Delete ${context.text}?`,
    lines: [`This removes the queue, its settings and ${contentText(context.queue())}. They cannot be brought back.`],
    verb: 'Delete the queue',
    work: async () => {
      await change('DELETE', context.path);
      note(`${context.text} is deleted.`);
      go('#/queues');
    },
  });
}

// --- dead letters

async function showDead(place, context, queue, signal) {
  const from = queue.settings.dead_letter_queue;
  let waiting = 0;
  // A queue that nothing died in needs no second request.
  if (from !== '' && queue.dead_lettered_total > 0) {
    try {
      waiting = (await getJson(`/queues/${encodeURIComponent(from)}`, signal)).ready;
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  const home = queue.name?.endsWith('.dead') ? queue.name.slice(0, -5) : null;
  const key = `${from} ${waiting} ${home ? queue.ready : ''}`;
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.hidden = waiting === 0 && (home === null || queue.ready === 0);
  if (waiting > 0) {
    place.replaceChildren(
      el(
        'span',
        null,
        `${plural(waiting, 'dead event')} in `,
        el('a', {href: hashOf(['queues', encodeURIComponent(from)])}, shown(from)),
        '.',
      ),
      button('Redrive\u2026', () => redrive(context, from, context.text, waiting)),
    );
  } else if (!place.hidden) {
    place.replaceChildren(
      el(
        'span',
        null,
        `${plural(queue.ready, 'dead event')} of `,
        el('a', {href: hashOf(['queues', encodeURIComponent(home)])}, shown(home)),
        '.',
      ),
      button('Redrive\u2026', () => redrive(context, queue.name, home, queue.ready)),
    );
  }
}

const kMovedAtOnce = 1000; // at most, by one request

// Moves so many events, request after request. Each has a key of its own: one that failed is sent again under its key
// when the button is pressed again.
function redrive(context, from, target, waiting) {
  const into = textInput(target, {required: true});
  const most = el('input', {type: 'number', min: 1, max: 1000000, placeholder: String(waiting)});
  let run = null; // what was asked for, and how far it came: {of, moved, key}
  ask({
    title: `Redrive ${shown(from)}?`,
    lines: [
      `${shown(from)} has ${plural(waiting, 'event')} that ${waiting === 1 ? 'is' : 'are'} ready. They are moved, in their order, with new ids and a delivery count of zero. Nothing is lost.`,
    ],
    verb: 'Move them',
    safe: () => 'soon', // as long as the queue that they go into says
    danger: false,
    fields: [field('Into the queue', into), field('At most', most, `Empty: all ${count(waiting)}`)],
    work: async (say) => {
      const of = `${most.value} ${into.value}`;
      if (run?.of !== of) run = {of, moved: 0, key: randomKey()};
      const wanted = most.value === '' ? waiting : Number(most.value);
      const path = `/queues/${encodeURIComponent(into.value)}/redrive?from=${encodeURIComponent(from)}`;
      // Until so many are moved, none is left, or the dialog was closed.
      while (run.moved < wanted && into.isConnected) {
        const max = Math.min(kMovedAtOnce, wanted - run.moved);
        const {moved} = await change('POST', `${path}&max=${max}`, {key: run.key});
        run.moved += moved;
        run.key = randomKey();
        if (moved === 0) break;
        say(`${plural(run.moved, 'event')} moved\u2026`);
      }
      note(`${plural(run.moved, 'event')} moved into ${shown(into.value)}.`);
      context.changed();
    },
  });
}

// --- settings

const queueSettings = [
  ['visibility_timeout', 'Visibility timeout', 'How long a consumer has an event before another may get it: 1s to 12h'],
  ['max_deliveries', 'Deliveries at most', 'Then it is a dead letter; 0: no limit', 'number'],
  ['dead_letter_queue', 'Dead letter queue', 'Empty: dead events are dropped'],
  ['backoff', 'Backoff', 'Delays before the 2nd, 3rd, \u2026 delivery: 1s, 10s, 2m', 'list'],
  ['delay', 'Delay', 'How long each event waits before it is ready'],
  ['ttl', 'Time to live', 'After this an event expires; 0: never'],
  [
    'on_expiry',
    'Expired events',
    null,
    [
      ['drop', 'are dropped'],
      ['dead_letter', 'become dead letters'],
    ],
  ],
  ['max_length', 'Events at most', '0: no limit', 'number'],
  ['max_bytes', 'Bytes at most', '0: no limit', 'number'],
  [
    'overflow',
    'When it is full',
    null,
    [
      ['refuse', 'new events are refused'],
      ['drop_oldest', 'the oldest is dropped'],
    ],
  ],
  ['dedup_window', 'Idempotency keys', 'How long they are known'],
];

function settingsDialog(context) {
  const settings = context.queue()?.settings;
  if (!settings) return note('The queue is not there yet.');
  const textOf = (value) => (Array.isArray(value) ? value.join(', ') : String(value));
  const inputs = queueSettings.map(([name, , , kind]) =>
    Array.isArray(kind) && kind.length > 0 ? choice(kind, settings[name]) : textInput(textOf(settings[name])),
  );
  const valueOf = (text, kind) => {
    if (kind === 'list') return text.split(/[\s,]+/).filter(Boolean);
    return kind === 'number' && /^\d+$/.test(text) ? Number(text) : text;
  };
  ask({
    title: `Settings of ${context.text}`,
    lines: [],
    verb: 'Save',
    danger: false,
    fields: el(
      'div',
      {class: 'grid'},
      queueSettings.map(([, label, hint], i) => field(label, inputs[i], hint)),
    ),
    work: async () => {
      const changed = queueSettings
        .map(([name, , , kind], i) => [name, inputs[i].value.trim(), kind])
        .filter(([name, text]) => text !== textOf(settings[name]));
      if (changed.length === 0) return;
      const json = Object.fromEntries(changed.map(([name, text, kind]) => [name, valueOf(text, kind)]));
      await change('PUT', context.path, {json});
      note(`Saved: ${changed.map(([name]) => name).join(', ')}.`);
      context.changed();
    },
  });
}
