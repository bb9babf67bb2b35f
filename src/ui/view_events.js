// The events of a queue: the list, one of them in full, putting one in, deleting.

// A page of events that is longer than this is not asked for again by itself.
const kHeavy = 100000;

function queueEvents(context, state, after) {
  const columns = eventColumns(context);
  const list = table(`Events of ${context.text}`, columns);
  const none = el('p', {class: 'empty'}, 'Asking the node\u2026');
  const tabs = [
    ['', 'All'],
    ['ready', 'Ready'],
    ['delayed', 'Delayed'],
    ['reserved', 'Reserved'],
  ];
  const first = el(
    'a',
    {class: 'button', href: hashOf(['queues', context.name], {state}), hidden: after === ''},
    '\u00ab First',
  );
  const next = el('a', {class: 'button', hidden: true}, 'Next \u203a');
  const remove = button('Delete selected\u2026', () => removeEvents(context, ticked(list.body)), 'small');
  const all = el('input', {type: 'checkbox', 'aria-label': 'Select all on this page'});
  const boxes = () => [...list.body.querySelectorAll('input:not(:disabled)')];
  const showTicks = () => {
    remove.disabled = !boxes().some((box) => box.checked);
    all.checked = !remove.disabled && boxes().every((box) => box.checked);
  };
  showTicks();
  list.body.addEventListener('change', showTicks);
  all.addEventListener('change', () => {
    for (const box of boxes()) box.checked = all.checked;
    showTicks();
  });
  list.element.querySelector('th').replaceChildren(all);
  const element = el(
    'section',
    {class: 'card flush', 'aria-label': 'Events'},
    el(
      'div',
      {class: 'card-head'},
      el(
        'nav',
        {class: 'tabs', 'aria-label': 'State of the events'},
        tabs.map(([key, label]) =>
          el(
            'a',
            {href: hashOf(['queues', context.name], {state: key}), 'aria-current': key === state && 'true'},
            label,
          ),
        ),
      ),
      el('span', {class: 'pager'}, remove, button('Refresh', context.changed, 'small'), first, next),
    ),
    none,
    list.element,
  );
  let loading = false;
  let heavy = false;
  // Whether the events were shown: not while others are being asked for.
  const load = async (signal) => {
    if (loading) return false;
    loading = true;
    try {
      const {
        data,
        next: following,
        size,
      } = await getPage(
        `${context.path}/events?limit=${kEventsShown}${state && `&state=${state}`}${after && `&after=${after}`}`,
        signal,
      );
      heavy = size > kHeavy;
      none.hidden = data.length > 0;
      list.element.hidden = data.length === 0;
      setText(
        none,
        after ? 'No more events.' : state ? `No event is ${state}.` : 'No events. What is put in shows up here.',
      );
      syncList(
        list.body,
        data,
        (event) => event.id,
        (event) => textRow(columns, event),
      );
      next.hidden = following === null;
      if (following !== null) next.href = hashOf(['queues', context.name], {state, after: following});
    } catch (error) {
      if (error.status !== 404) throw error;
      none.hidden = false;
      list.element.hidden = true;
      setText(none, 'No events.');
    } finally {
      loading = false;
      showTicks();
    }
    return true;
  };
  return {element, load, heavy: () => heavy};
}

function ticked(body) {
  return [...body.querySelectorAll('input:checked')].map((box) => Number(box.value));
}

function eventColumns(context) {
  return [
    {
      head: '',
      class: 'tick',
      text: (event) => `${event.id} ${event.state === 'reserved'}`,
      node: (event) =>
        el('input', {
          type: 'checkbox',
          value: String(event.id),
          'aria-label': `Select event ${event.id}`,
          disabled: event.state === 'reserved',
        }),
    },
    {
      head: 'Event',
      class: 'name short',
      text: (event) => String(event.id),
      node: (event) => el('a', {href: hashOf(['queues', context.name, event.id], context.page)}, String(event.id)),
    },
    {
      head: 'State',
      text: (event) => `${event.state} ${event.reason ?? ''}`,
      node: (event) =>
        badge(event.state, event.state === 'reserved' ? 'leader' : event.state === 'ready' ? 'good' : ''),
    },
    {
      head: 'Body',
      class: 'body',
      text: (event) => preview(event),
      node: (event) => [
        el('span', {class: 'data'}, preview(event)),
        event.reason ? el('small', null, brief(event.reason)) : '',
      ],
    },
    {head: 'Type', class: 'short w3', text: (event) => brief(event.content_type, 28)},
    {head: 'Group', class: 'short w3', text: (event) => (event.group === null ? '' : brief(event.group, 24))},
    {head: 'Prio', class: 'number w3', text: (event) => String(event.priority)},
    {head: 'Tries', hint: 'How often it was delivered', class: 'number w2', text: (event) => String(event.deliveries)},
    {
      head: 'Enqueued',
      class: 'number w2',
      text: (event) => clockTime(event.enqueued_at),
      title: (event) => dateTime(event.enqueued_at),
    },
  ];
}

function bodyOf(event) {
  return event.data_base64 === undefined ? new TextEncoder().encode(event.data ?? '') : fromBase64(event.data_base64);
}

function preview(event) {
  if (event.data_base64 === undefined) return brief(event.data ?? '', 160);
  const data = fromBase64(event.data_base64.slice(0, 44));
  const hex = Array.from(data.subarray(0, 24), (one) => one.toString(16).padStart(2, '0')).join(' ');
  return data.length > 24 ? `${hex}\u2026` : hex;
}

// --- one event

// The drawer that shows the event in the address, if there is one.
function eventDrawer(context) {
  let drawer = null;
  return {
    show(parts) {
      const id = parts[1];
      drawer?.close(true);
      drawer = null;
      if (id === undefined || !/^\d+$/.test(id)) return;
      drawer = openDialog({
        title: `Event ${id}`,
        kind: 'drawer',
        onclose: (leaving) => leaving || leaveDrawer(['queues', context.name], id),
      });
      showEvent(drawer, context, id);
    },
  };
}

async function showEvent(drawer, context, id) {
  const state = progress();
  drawer.body.append(state.element);
  state.say('Asking the node\u2026');
  let event;
  try {
    event = await getJson(`${context.path}/events/${id}`);
  } catch (error) {
    return state.say(
      error.status === 404 ? 'This event is gone: it was acknowledged, deleted or moved.' : explain(error),
      'bad',
    );
  }
  const data = bodyOf(event);
  const facts = [
    ['State', event.state],
    ['Reason', event.reason],
    ['From the queue', event.source_queue],
    [event.state === 'reserved' ? 'Reserved until' : 'Ready at', event.visible_at && dateTime(event.visible_at)],
    ['Deliveries', String(event.deliveries)],
    ['Enqueued', dateTime(event.enqueued_at)],
    ['Content type', event.content_type],
    ['Size', bytes(data.length)],
    ['Priority', String(event.priority)],
    ['Group', event.group],
    ...Object.entries(event.attributes).map(([name, value]) => [name, value, true]),
  ].filter(([, value]) => value !== null && value !== undefined && value !== '');
  state.say('');
  drawer.body.replaceChildren(
    el(
      'dl',
      {class: 'pairs'},
      facts.map(([name, value, attribute]) => [
        el('dt', attribute ? {class: 'data', title: 'An attribute'} : null, shown(name)),
        el('dd', attribute ? {class: 'data'} : null, shown(value)),
      ]),
    ),
    bodyView(data, event.content_type),
    el(
      'div',
      {class: 'actions'},
      event.state === 'reserved'
        ? el('p', {class: 'muted'}, 'A consumer works on it, so it cannot be deleted now.')
        : button('Delete\u2026', () => removeEvents(context, [event.id], drawer), 'danger'),
    ),
  );
}

// Bytes as text, as indented JSON or in hexadecimal: whichever fits, with a switch between them.
function bodyView(data, contentType) {
  const {text, pretty, hex} = readable(data, contentType);
  const forms = [
    ['JSON', pretty],
    ['Text', text],
    ['Hex', hex],
  ].filter(([, content]) => content !== null);
  const place = el('pre', {class: 'data', tabindex: '0', 'aria-label': 'Content'});
  const buttons = forms.map(([label, content]) =>
    button(
      label,
      () => {
        place.textContent = shown(
          content.length > kTextShown ? `${content.slice(0, kTextShown)}\u2026` : content,
          true,
        );
        buttons.forEach((one) => setAttribute(one, 'aria-pressed', String(one.textContent === label)));
      },
      'small',
    ),
  );
  buttons[0].click();
  return el(
    'div',
    {class: 'content'},
    el('div', {class: 'switch', role: 'group', 'aria-label': 'Shown as'}, buttons),
    place,
  );
}

function removeEvents(context, ids, drawer = null) {
  if (ids.length === 0) return;
  const which = ids.length === 1 ? `event ${ids[0]}` : `${ids.length} events`;
  const key = randomKey();
  ask({
    title: `Delete ${which}?`,
    lines: [
      ids.length === 1
        ? `This removes event ${ids[0]} of ${context.text}, body and attributes.`
        : `This removes these ${ids.length} events of ${context.text}: ${ids.slice(0, 20).join(', ')}${ids.length > 20 ? ', \u2026' : ''}.`,
      'It cannot be brought back. An event that a consumer has taken meanwhile stays.',
    ],
    verb: ids.length === 1 ? 'Delete it' : `Delete ${ids.length} events`,
    safe: context.safe,
    work: async () => {
      const outcomes = await change('POST', `${context.path}/remove`, {json: ids.map((id) => ({id})), key});
      const of = (outcome) => outcomes.filter((one) => one.outcome === outcome).length;
      const rest = [
        of('reserved') && `${of('reserved')} reserved, and stay`,
        of('gone') && `${of('gone')} were gone already`,
      ].filter(Boolean);
      note(`${plural(of('removed'), 'event')} deleted${rest.length > 0 ? `; ${rest.join('; ')}` : ''}.`);
      drawer?.close();
      context.changed();
    },
  });
}

// --- putting one in

function enqueueDialog(context) {
  const body = textArea('', {rows: 7, 'aria-label': 'Body'});
  const form = choice(
    [
      ['text', 'Text'],
      ['hex', 'Hexadecimal bytes'],
    ],
    'text',
  );
  const type = textInput('text/plain', {list: 'content-types'});
  const delay = textInput('', {placeholder: '10s'});
  const ttl = textInput('', {placeholder: '1h'});
  const priority = choice(
    Array.from({length: 10}, (_, i) => [String(i), i === 0 ? '0, first' : i === 4 ? '4, usual' : String(i)]),
    '4',
  );
  const group = textInput('');
  const attributes = textArea('', {rows: 2, placeholder: 'type=order.created'});
  const hint = el('small', {class: 'check', role: 'status'});
  const check = () => {
    if (!/json/i.test(type.value) || form.value === 'hex' || body.value === '') return setText(hint, '');
    try {
      JSON.parse(body.value);
      setText(hint, 'This is JSON.');
    } catch (error) {
      setText(hint, `This is not JSON: ${error.message}. It can be put in all the same.`);
    }
  };
  for (const input of [body, type, form]) input.addEventListener('input', check);
  // The same content is put in once, however often it is sent.
  let sent = {text: null, key: null};
  ask({
    title: `Put an event into ${context.text}`,
    lines: [],
    verb: 'Enqueue',
    safe: context.safe,
    danger: false,
    fields: [
      field('Body', body),
      hint,
      el(
        'datalist',
        {id: 'content-types'},
        ['text/plain', 'application/json', 'application/octet-stream'].map((value) => el('option', {value})),
      ),
      el(
        'div',
        {class: 'grid'},
        field('Body is', form),
        field('Content type', type),
        field('Delay', delay, 'Until it is ready'),
        field('Time to live', ttl, 'Until it expires'),
        field('Priority', priority),
        field('Group', group, 'One at a time, in order'),
      ),
      field('Attributes', attributes, 'One a line: name=value'),
    ],
    work: async () => {
      const event = eventOf({body, form, type, delay, ttl, priority, group, attributes});
      const text = JSON.stringify([event]);
      if (sent.text !== text) sent = {text, key: randomKey()};
      const {ids} = await change('POST', `${context.path}/batch`, {
        body: text,
        type: 'application/json',
        key: sent.key,
      });
      note(`Event ${ids[0]} is in ${context.text}.`);
      context.changed();
    },
  });
}

// The event as an item of a batch.
function eventOf({body, form, type, delay, ttl, priority, group, attributes}) {
  const event = {};
  if (form.value === 'hex') {
    const data = fromHex(body.value);
    if (data === null) throw new Wrong('These are no hexadecimal bytes, such as 0a ff 00.');
    event.data_base64 = toBase64(data);
  } else {
    event.data = body.value;
  }
  if (type.value.trim() !== '') event.content_type = type.value.trim();
  if (delay.value.trim() !== '') event.delay = delay.value.trim();
  if (ttl.value.trim() !== '') event.ttl = ttl.value.trim();
  if (priority.value !== '4') event.priority = Number(priority.value);
  if (group.value !== '') event.group = group.value;
  const pairs = attributes.value
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const at = line.indexOf('=');
      if (at < 1) throw new Wrong(`An attribute is name=value, and "${line}" is not.`);
      return [line.slice(0, at).trim(), line.slice(at + 1)];
    });
  if (pairs.length > 0) event.attributes = Object.fromEntries(pairs);
  return event;
}
