// Dialogs: questions before something is lost, forms, the password, and short notes about what was done.

// A modal dialog. `mayClose()` is asked before Escape or the close button close it. Returns {element, body, close}.
function openDialog({title, kind = '', mayClose = async () => true, onclose = () => {}}) {
  const heading = el('h2', {id: `title-${++openDialog.number}`, tabindex: '-1'}, title);
  const body = el('div', {class: 'dialog-body'});
  const element = el('dialog', {class: kind, 'aria-labelledby': heading.id});
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    element.close();
    element.remove();
    onclose();
  };
  const askToClose = async () => {
    if (open && (await mayClose())) close();
  };
  const cross = el('button', {type: 'button', class: 'icon', 'aria-label': 'Close', onclick: askToClose}, '\u00d7');
  element.append(el('header', null, heading, cross), body);
  element.addEventListener('cancel', (event) => {
    event.preventDefault();
    askToClose();
  });
  // The browser closes by itself at a second Escape.
  element.addEventListener('close', close);
  document.body.append(element);
  element.showModal();
  heading.focus();
  return {element, heading, body, close, askToClose};
}
openDialog.number = 0;

// What is wrong with what was typed or wanted, in a sentence for the user.
class Wrong extends Error {}

// Where a dialog says what is under way, and what went wrong. `run(button, work)` runs the work once at a time; it is
// true when the work went well. `safe`: the same request can be sent again without taking effect twice.
function progress(safe = false) {
  const element = el('p', {class: 'progress', role: 'status'});
  const say = (text, kind = '') => {
    setText(element, text);
    element.className = `progress ${kind}`;
  };
  let running = false;
  const run = async (starter, work) => {
    if (running) return false;
    running = true;
    starter.setAttribute('aria-disabled', 'true');
    say('Working\u2026');
    const slow = setTimeout(() => say('Waiting for the cluster. During an election this takes a moment\u2026'), 1200);
    try {
      await work();
      say('');
      return true;
    } catch (error) {
      if (error instanceof ApiError) {
        say(explain(error, safe), 'bad');
      } else {
        if (!(error instanceof Wrong)) console.error(error);
        say(error.message, 'bad');
      }
      return false;
    } finally {
      clearTimeout(slow);
      running = false;
      starter.removeAttribute('aria-disabled');
    }
  };
  return {element, say, run};
}

// Asks whether to do something, and does it: `lines` say exactly what it does, `work` does it. Failures are shown in
// the dialog, where it can be tried again (`safe`: without happening twice). While something typed would be lost
// (`dirty`), leaving is asked first. Resolves to whether it was done.
function ask({title, lines, verb, danger = true, fields = [], safe = false, dirty = () => false, work}) {
  return new Promise((resolve) => {
    let done = false;
    const dialog = openDialog({
      title,
      kind: 'question',
      mayClose: async () => !dirty() || (await confirmLoss()),
      onclose: () => resolve(done),
    });
    const state = progress(safe);
    const go = el('button', {type: 'submit', class: danger ? 'danger' : 'primary'}, verb);
    const back = button('Cancel', dialog.askToClose);
    const form = el(
      'form',
      {
        onsubmit: async (event) => {
          event.preventDefault();
          done = await state.run(go, work);
          if (done) dialog.close();
        },
      },
      lines.map((line) => el('p', null, line)),
      fields,
      state.element,
      el('div', {class: 'actions'}, back, go),
    );
    dialog.body.append(form);
    (fields.length > 0 ? form.querySelector('input, select, textarea') : back).focus();
  });
}

function confirmLoss() {
  return ask({
    title: 'Leave what you typed?',
    lines: ['It is not saved and will be lost.'],
    verb: 'Leave it',
    work: async () => {},
  });
}

// A labelled field.
let fieldNumber = 0;
function field(label, input, hint = null) {
  input.id ||= `field-${++fieldNumber}`;
  const note = hint && el('small', {id: `${input.id}-hint`}, hint);
  if (note) input.setAttribute('aria-describedby', note.id);
  return el('div', {class: 'field'}, el('label', {for: input.id}, label), input, note);
}

function textInput(value = '', more = {}) {
  const input = el('input', {type: 'text', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off', ...more});
  input.value = value;
  return input;
}

function textArea(value = '', more = {}) {
  const input = el('textarea', {spellcheck: 'false', autocomplete: 'off', rows: 8, ...more});
  input.value = value;
  return input;
}

function choice(options, value) {
  const input = el(
    'select',
    null,
    options.map(([key, label]) => el('option', {value: key}, label)),
  );
  input.value = value;
  return input;
}

// A note that goes away by itself, and is read out.
function note(text) {
  const place = document.getElementById('notes');
  const one = el('p', {class: 'note'}, text);
  place.append(one);
  setTimeout(() => one.remove(), 6000);
}

// --- the password

let passwordDialog = null;

function askPassword(sentenceOfServer) {
  connection.set('locked');
  if (passwordDialog) return;
  const state = progress();
  const input = el('input', {type: 'password', autocomplete: 'off', required: true});
  const go = el('button', {type: 'submit', class: 'primary'}, 'Unlock');
  const dialog = openDialog({title: 'Password', kind: 'question', mayClose: async () => false});
  dialog.element.querySelector('header button').remove();
  passwordDialog = dialog;
  const form = el(
    'form',
    {
      onsubmit: async (event) => {
        event.preventDefault();
        const before = password;
        password = input.value;
        const fine = await state.run(go, async () => {
          try {
            await send('GET', '/cluster');
          } catch (error) {
            password = before;
            throw error.status === 401 ? new Wrong('This password is wrong.') : error;
          }
        });
        if (!fine) return input.select();
        passwordDialog = null;
        dialog.close();
        refreshCluster();
      },
    },
    el(
      'p',
      null,
      'This cluster asks for its password (requirepass). The page keeps it in memory until it is closed or reloaded.',
    ),
    field('Password', input),
    state.element,
    el('div', {class: 'actions'}, go),
  );
  dialog.body.append(form);
  if (password !== null) state.say(sentence(sentenceOfServer || 'the password is wrong'), 'bad');
  input.focus();
}
