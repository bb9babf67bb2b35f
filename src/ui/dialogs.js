// Dialogs: questions before something is lost, forms, the password, and short notes about what was done.

const dialogs = []; // those that are open, the one on top last

// A modal dialog. Escape and the close button ask first while something typed would be lost (`dirty`), and do nothing to
// one that is `fixed`. `onclose(leaving)` hears whether it ended because another view is shown. Returns {element,
// heading, body, dirty, fixed, close(leaving), askToClose}.
function openDialog({title, kind = '', fixed = false, dirty = () => false, onclose = () => {}}) {
  const heading = el('h2', {id: `title-${++openDialog.number}`, tabindex: '-1'}, title);
  const body = el('div', {class: 'dialog-body'});
  const element = el('dialog', {class: kind, 'aria-labelledby': heading.id});
  const close = (leaving = false) => {
    if (!dialogs.includes(dialog)) return;
    dialogs.splice(dialogs.indexOf(dialog), 1);
    element.close();
    element.remove();
    onclose(leaving);
    dropLossQuestion();
  };
  const askToClose = async () => {
    if (!fixed && (!dirty() || (await confirmLoss()))) close();
  };
  const dialog = {element, heading, body, dirty, fixed, close, askToClose};
  const cross = el('button', {type: 'button', class: 'icon', 'aria-label': 'Close', onclick: askToClose}, '\u00d7');
  element.append(el('header', null, heading, fixed ? null : cross), body);
  element.addEventListener('cancel', (event) => {
    event.preventDefault();
    askToClose();
  });
  // A browser closes by itself at a second gesture: what was typed is still there.
  element.addEventListener('close', () => {
    if (!dialogs.includes(dialog)) return;
    element.showModal();
    askToClose();
  });
  document.body.append(element);
  dialogs.push(dialog);
  element.showModal();
  heading.focus();
  return dialog;
}
openDialog.number = 0;

// Escape asks the dialog on top, each time: the browser would close it unasked at the second.
function closeByEscape(event) {
  if (event.key !== 'Escape' || event.isComposing || dialogs.length === 0) return;
  event.preventDefault();
  event.stopPropagation();
  dialogs.at(-1).askToClose();
}

// What stands in the fields of a form.
function typedIn(form) {
  return JSON.stringify(Array.from(form.querySelectorAll('input, select, textarea'), (one) => one.value));
}

// What is wrong with what was typed or wanted, in a sentence for the user.
class Wrong extends Error {}

// Keeps the fields of a form as they are, with the focus where it is; returns what lets them be edited again.
function holdFields(form) {
  const held = [];
  for (const one of form?.querySelectorAll('input, select, textarea') ?? []) {
    // Browsers know readOnly only of fields of text.
    const property = one.matches('select, [type="checkbox"]') ? 'disabled' : 'readOnly';
    if (one[property]) continue;
    one[property] = true;
    held.push(() => (one[property] = false));
  }
  return () => held.forEach((release) => release());
}

// Where a dialog says what is under way, and what went wrong. `run(button, work)` runs the work, work(say), once at a
// time; it is true when the work went well. Meanwhile nothing can be typed, as it would not be sent and then be lost. `safe` says when the same request can be sent again without taking effect
// twice.
function progress(safe = () => '') {
  const element = el('p', {class: 'progress', role: 'status'});
  const say = (text, kind = '') => {
    setText(element, text);
    element.className = `progress ${kind}`;
  };
  const fail = (dialog, text) => {
    say(text, 'bad');
    // Who closed it meanwhile hears of it too.
    if (!element.isConnected) note(`${dialog}: ${text}`, 20000);
  };
  let running = false;
  const run = async (starter, work) => {
    if (running) return false;
    running = true;
    const dialog = element.closest('dialog').querySelector('h2').textContent;
    starter.setAttribute('aria-disabled', 'true');
    const release = holdFields(element.closest('form'));
    say('Working\u2026');
    const slow = setTimeout(() => say('Waiting for the cluster. During an election this takes a moment\u2026'), 1200);
    try {
      await work(say);
      say('');
      return true;
    } catch (error) {
      if (error instanceof ApiError) {
        fail(dialog, explain(error, safe()));
      } else {
        if (!(error instanceof Wrong)) console.error(error);
        fail(dialog, error.message);
      }
      return false;
    } finally {
      clearTimeout(slow);
      running = false;
      release();
      starter.removeAttribute('aria-disabled');
    }
  };
  return {element, say, run};
}

// Asks whether to do something, and does it: `lines` say exactly what it does, `work` does it. Failures are shown in
// the dialog, where it can be tried again (`safe` says when, without happening twice). `opened` gets what says yes in
// the user's place. Resolves to whether it was done.
function ask({title, lines, verb, danger = true, fields = [], safe = undefined, opened = () => {}, work}) {
  return new Promise((resolve) => {
    let done = false;
    const dialog = openDialog({
      title,
      kind: 'question',
      dirty: () => typedIn(form) !== before,
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
    const before = typedIn(form);
    (fields.length > 0 ? form.querySelector('input, select, textarea') : back).focus();
    opened(() => form.requestSubmit());
  });
}

let lossQuestion = null; // whether what was typed may be lost, while it is open: {answer, sayYes}

function confirmLoss() {
  if (lossQuestion) return lossQuestion.answer;
  const question = {};
  question.answer = ask({
    title: 'Leave what you typed?',
    lines: ['It is not saved and will be lost.'],
    verb: 'Leave it',
    opened: (sayYes) => {
      question.sayYes = sayYes;
    },
    work: async () => {},
  }).finally(() => {
    lossQuestion = null;
  });
  lossQuestion = question;
  return question.answer;
}

// What was typed may have been saved while the user was asked whether it may be lost: then there is nothing to ask.
function dropLossQuestion() {
  if (lossQuestion && !somethingTyped()) lossQuestion.sayYes();
}

function somethingTyped() {
  return dialogs.some((dialog) => dialog.dirty());
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

// A note that goes away by itself, after so many ms, and is read out.
function note(text, lasts = 6000) {
  const place = document.getElementById('notes');
  const one = el('p', {class: 'note'}, text);
  place.append(one);
  setTimeout(() => one.remove(), lasts);
}

// --- the password

let passwordDialog = null;

function askPassword(sentenceOfServer) {
  connection.set('locked');
  if (passwordDialog) return;
  const state = progress();
  const input = el('input', {type: 'password', autocomplete: 'one-time-code', required: true});
  const go = el('button', {type: 'submit', class: 'primary'}, 'Unlock');
  const dialog = openDialog({
    title: 'Password',
    kind: 'question',
    fixed: true,
    onclose: () => {
      passwordDialog = null;
    },
  });
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
