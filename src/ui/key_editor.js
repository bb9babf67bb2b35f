// Writing and deleting one key by compare-and-set: a change of another client meanwhile is shown beside what was typed,
// and neither is lost.

const kEditableSize = 256 * 1024;

// Fills the drawer; `value` is {data, etag, type}, `done` is called when the key was saved or deleted. Returns
// {dirty()}.
function keyEditor(drawer, key, value, item, done, changed) {
  const content = readable(value.data, value.type);
  const editable = content.editable && value.data.length <= kEditableSize;
  const name = key === null ? textInput('', {required: true}) : null;
  const text = textArea(editable ? content.text : '', {rows: 14, class: 'value'});
  const type = textInput(value.type, {list: 'value-types'});
  let life = lifetime(item);
  const state = progress();
  const conflict = el('div', {class: 'conflict', role: 'alert', hidden: true});
  let etag = value.etag;
  // What was in the fields when they were last those of the server; null: something typed is only here.
  let clean = null;
  let unsure = null; // what was in the fields when they were sent without an answer
  const dirty = () => typedIn(form) !== clean;
  const named = () => key ?? encodeURIComponent(name.value);
  const path = () => keyPath(named());

  const save = async () => {
    if (path() === null) throw new Wrong('A browser cannot write a key of this name.');
    const headers = etag === null ? {'If-None-Match': '*'} : {'If-Match': etag};
    try {
      await change('PUT', path() + life.query(), {
        body: text.value,
        type: type.value.trim() || 'application/octet-stream',
        headers,
      });
    } catch (error) {
      if (error.unknown) unsure = typedIn(form);
      if (error.status !== 412) throw error;
      if (!(await isSaved())) return;
    }
    note(`Saved ${brief(key === null ? name.value : pathText(key), 60)}.`);
    done();
  };

  // Whether what is there now is what was sent before without an answer. Else it is shown beside what was typed.
  const isSaved = async () => {
    let now = null;
    try {
      now = await getBytes(path());
    } catch (error) {
      if (error.status !== 404) throw error;
    }
    const mine = text.value;
    const theirs = now && readable(now.data, now.type);
    if (unsure === typedIn(form) && theirs?.text === mine) return true;
    // It goes on ending as it does now, with a lease or after a time that it has got meanwhile.
    const current = lifetime(now && (await getItem(named())));
    if (!life.chosen()) {
      life.element.replaceWith(current.element);
      life = current;
    }
    changed();
    const overwrite = button(
      'Save mine over it',
      () => {
        etag = now?.etag ?? null;
        conflict.hidden = true;
        state.run(saver, save);
      },
      'danger',
    );
    const take = theirs?.editable
      ? button('Edit theirs instead', () => {
          etag = now.etag;
          text.value = theirs.text;
          clean = null;
          take.remove();
          overwrite.remove();
          conflict.querySelector('h3').textContent =
            `What you had typed${type.value === now.type ? '' : `, of type ${shown(type.value)}`}`;
          type.value = now.type;
          conflict.querySelector('p').textContent = 'The field above has the value that is on the server now.';
          conflict.querySelector('pre').textContent = shown(mine, true);
          text.focus();
        })
      : null;
    conflict.hidden = false;
    conflict.replaceChildren(
      el(
        'h3',
        null,
        now === null
          ? 'Somebody deleted it meanwhile'
          : etag === null
            ? 'This key is there already'
            : 'Somebody changed it meanwhile',
      ),
      el(
        'p',
        null,
        now === null
          ? 'Nothing was saved. What you typed is still above.'
          : 'Nothing was saved. What you typed is still above; this is what is on the server now:',
      ),
      now === null ? '' : el('pre', {class: 'data', tabindex: '0'}, shown(theirs.text ?? theirs.hex, true)),
      el('div', {class: 'actions'}, take, overwrite),
    );
    overwrite.focus();
    return false;
  };

  const saver = el('button', {type: 'submit', class: 'primary'}, key === null ? 'Make it' : 'Save');
  const remover =
    key === null
      ? null
      : button('Delete\u2026', () => deleteKey(key, etag, value.data.length, done, changed), 'danger');
  const reason =
    content.text === null
      ? 'Its bytes are no text, so it is not offered for editing.'
      : !content.editable
        ? 'It has carriage returns, which a text field would change, so it is not offered for editing.'
        : 'It is too long to be edited here.';
  const form = el(
    'form',
    {
      onsubmit: (event) => {
        event.preventDefault();
        if (editable) state.run(saver, save);
      },
    },
    name && field('Name', name, 'Any text; slashes make levels'),
    key === null ? null : keyFacts(item, value.etag),
    editable
      ? [
          field(content.text === '' && key !== null ? 'Value (empty now)' : 'Value', text),
          el(
            'datalist',
            {id: 'value-types'},
            ['text/plain', 'application/json'].map((one) => el('option', {value: one})),
          ),
          el('div', {class: 'grid'}, field('Content type', type), life.element),
        ]
      : [bodyView(value.data, value.type), el('p', {class: 'muted'}, reason)],
    conflict,
    state.element,
    el(
      'div',
      {class: 'actions'},
      remover,
      el('span', {class: 'space'}),
      button('Close', drawer.askToClose),
      editable ? saver : null,
    ),
  );
  clean = typedIn(form);
  drawer.body.replaceChildren(form);
  (name ?? (editable ? text : drawer.heading)).focus();
  return {dirty};
}

function deleteKey(key, etag, size, done, changed) {
  const name = brief(pathText(key), 100);
  ask({
    title: `Delete ${name}?`,
    lines: [
      `This removes the key and its value (${bytes(size)}), if it is still as you see it. It cannot be brought back.`,
    ],
    verb: 'Delete it',
    work: async () => {
      try {
        await change('DELETE', keyPath(key), {headers: {'If-Match': etag}});
      } catch (error) {
        if (error.status !== 412) throw error;
        changed();
        if (await getItem(key))
          throw new Wrong('Somebody changed it meanwhile, so it was not deleted. Close it and look at it anew.');
      }
      note(`${name} is deleted.`);
      done();
    },
  });
}
