// Building and updating the document. Data enters it as text and attributes only: nothing here parses HTML.

// An element: el('a', {class: 'x', href: '#', onclick: f}, 'text', child, [more]). A property that is null or false is
// left out; `on...` is a listener; all else is an attribute, `true` an empty one.
function el(name, properties, ...children) {
  return fill(document.createElement(name), properties, children);
}

function svg(name, properties, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Changes a text or an attribute only when it differs, so that a poll without news costs no layout and no
// announcement by a screen reader.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// Makes the children of `parent` those of `items`, in order, and reuses the elements of items that stay, so that focus,
// selection and ticked boxes stay too. `create(item)` returns {element, update(item)}.
const listed = new WeakMap(); // parent to its rows, by key

function syncList(parent, items, keyOf, create) {
  const before = listed.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (after.has(key)) continue;
    const row = before.get(key) ?? create(item);
    row.update(item);
    after.set(key, row);
  }
  // Those that are gone go first: to move one that stays would take the focus from it.
  for (const [key, row] of before) if (!after.has(key)) row.element.remove();
  let place = parent.firstChild;
  for (const {element} of after.values()) {
    if (element === place) place = place.nextSibling;
    else parent.insertBefore(element, place);
  }
  listed.set(parent, after);
}

// A table row whose cells are texts: `columns` are {class, text(item), node(item), title(item)}. A `node` is made anew
// when its text changes.
function textRow(columns, item) {
  const cells = columns.map((column) => el('td', {class: column.class}));
  const seen = [];
  return {
    element: el('tr', null, cells),
    update(now) {
      columns.forEach((column, i) => {
        const text = column.text(now);
        if (seen[i] === text) return;
        seen[i] = text;
        cells[i].classList.toggle('zero', text === '0');
        cells[i].replaceChildren(...(column.node ? [column.node(now)].flat() : [text]));
        if (column.title) cells[i].title = column.title(now);
      });
    },
  };
}

function table(caption, columns) {
  const body = el('tbody');
  const heads = columns.map((column) => el('th', {class: column.class, scope: 'col', title: column.hint}, column.head));
  const element = el(
    'div',
    {class: 'scroller'},
    el('table', null, el('caption', {class: 'hidden'}, caption), el('thead', null, el('tr', null, heads)), body),
  );
  return {element, body};
}

function button(label, onclick, kind = '') {
  return el('button', {type: 'button', class: kind, onclick}, label);
}

function badge(text, kind = '') {
  return el('span', {class: `badge ${kind}`}, text);
}

// Markdown as the tables of messages have it: code spans, links, bold. The addresses of links are left out, as they are
// those of documents that no node serves.
function markdown(text) {
  const nodes = [];
  let rest = text;
  while (rest !== '') {
    const match = /\x60([^\x60]+)\x60|\[([^\]]+)\]\([^)]*\)|\*\*([^*]+)\*\*/.exec(rest);
    if (!match) break;
    nodes.push(rest.slice(0, match.index));
    if (match[1] !== undefined) nodes.push(el('code', null, shown(match[1])));
    else if (match[2] !== undefined) nodes.push(el('em', null, markdown(match[2])));
    else nodes.push(el('strong', null, markdown(match[3])));
    rest = rest.slice(match.index + match[0].length);
  }
  nodes.push(shown(rest));
  return nodes;
}
