// Requests to the node that served the page: the password, errors as sentences, and the state of the connection. All
// addresses are relative to where the page is, so that it works behind a proxy under a prefix.

const base = location.origin + location.pathname.replace(/\/ui\/?$/, '').replace(/\/$/, '');
const kReadTimeout = 8000;
const kWriteTimeout = 60000;

// What went wrong with a request. `status` 0: no answer came. `unknown`: it may have taken effect.
class ApiError extends Error {
  constructor(status, message, unknown = false) {
    super(message);
    this.status = status;
    this.unknown = unknown;
  }
}

// The connection: 'connecting', 'live', 'lost' (no answer), 'locked' (a password is wanted). Listeners hear of each
// change.
const connection = {
  state: 'connecting',
  failures: 0,
  problem: null, // the error of the last failure
  retryAt: 0,
  lastHeard: null,
  listeners: new Set(),
  set(state) {
    if (this.state === state && state !== 'lost') return;
    this.state = state;
    for (const listener of this.listeners) listener(state);
  },
};

let password = null; // in memory only

function requestHeaders(more) {
  const headers = {'X-Requested-With': 'wormhole-ui', ...more};
  // In base64, as a header's value loses blanks at its end.
  if (password !== null) headers.Authorization = `Basic ${toBase64(new TextEncoder().encode(`:${password}`))}`;
  try {
    return new Headers(headers);
  } catch {
    throw new Wrong('This content type cannot be sent: it has characters that no header may have.');
  }
}

// Sends a request; the answer is a Response of any status below 400. Else throws ApiError, or AbortError when `signal`
// ended it.
async function send(method, path, {body = null, type = null, headers = {}, signal = null, endless = false} = {}) {
  const timer = AbortSignal.timeout(method === 'GET' ? kReadTimeout : kWriteTimeout);
  const signals = [signal, endless ? null : timer].filter(Boolean);
  const allHeaders = requestHeaders(type ? {'Content-Type': type, ...headers} : headers);
  let answer;
  try {
    answer = await fetch(base + path, {
      method,
      body,
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'manual',
      headers: allHeaders,
      signal: signals.length > 0 ? AbortSignal.any(signals) : undefined,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw noAnswer(method);
  }
  connection.lastHeard = Date.now();
  if (answer.type === 'opaqueredirect')
    throw new ApiError(
      307,
      method === 'GET'
        ? 'the answer leads elsewhere, as that of a proxy that wants a login: reload the page'
        : 'this node leads to another for that (follower-writes redirect): use the page of the leader',
    );
  if (answer.status < 400) return answer;
  let sentence = '';
  try {
    const text = await answer.text();
    sentence = String(JSON.parse(text).error ?? text);
  } catch {
    // A proxy's page, or nothing: the status has to do.
  }
  if (answer.status === 401) askPassword(sentence);
  const kind = [502, 503, 504].includes(answer.status) && sentence === '' ? 'the proxy got no answer from a node' : '';
  // Proxies answer 502 and 503 too, also after they passed the request on.
  const outcome = answer.headers.get('Wormhole-Outcome');
  const unknown = method !== 'GET' && (outcome ?? (answer.status >= 500 ? 'unknown' : '')) === 'unknown';
  throw new ApiError(answer.status, shown(sentence || kind || `the answer was ${answer.status}`), unknown);
}

// What was sent may have arrived.
function noAnswer(method) {
  return new ApiError(0, 'the node did not answer', method !== 'GET');
}

async function readBody(answer, read) {
  try {
    return await answer[read]();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw noAnswer('GET');
  }
}

// GET of JSON: {data, next, size}, where `next` is the parameter `after` of the next page as it stands in the link, or
// null, and `size` is how long the answer was.
async function getPage(path, signal) {
  const answer = await send('GET', path, {signal});
  const link = /[?&]after=([^&>]*)[^>]*>;\s*rel="next"/.exec(answer.headers.get('Link') ?? '');
  const text = await readBody(answer, 'text');
  return {data: readJson(text), next: link ? link[1] : null, size: text.length};
}

// A proxy may answer with a page of its own.
function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(502, "the answer is not the server's");
  }
}

async function getJson(path, signal) {
  return (await getPage(path, signal)).data;
}

// GET of a value: its bytes, and what the headers say of it.
async function getBytes(path, signal) {
  const answer = await send('GET', path, {signal});
  const data = new Uint8Array(await readBody(answer, 'arrayBuffer'));
  // A proxy that compresses makes a weak ETag of the server's.
  const etag = answer.headers.get('ETag')?.replace(/^W\//, '') ?? null;
  return {data, etag, type: answer.headers.get('Content-Type') ?? ''};
}

// A change, with an Idempotency-Key where one is given: it can be sent again without happening twice. The answer's
// JSON, or null.
async function change(method, path, {json, body = null, type = null, key = null, headers = {}} = {}) {
  const answer = await send(method, path, {
    body: json === undefined ? body : JSON.stringify(json),
    type: json === undefined ? type : 'application/json',
    headers: key ? {...headers, 'Idempotency-Key': key} : headers,
  });
  try {
    const text = await readBody(answer, 'text');
    return text.trim() === '' ? null : readJson(text);
  } catch (error) {
    error.unknown = true;
    throw error;
  }
}

function randomKey() {
  return `ui-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (one) => one.toString(16).padStart(2, '0')).join('')}`;
}

// What to tell the user of a failed change; `safe`: when it can be sent again without happening twice, in words.
function explain(error, safe = '') {
  if (error.unknown) {
    const next = safe ? `To send it again ${safe} is safe: it happens once.` : 'Look before you repeat it.';
    return `${sentence(error.message)} It is not known whether it took effect. ${next}`;
  }
  if (error.status === 503) return `${sentence(error.message)} Nothing was changed: try again.`;
  return sentence(error.message);
}

function sentence(text) {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

// --- polling

// Calls `work(signal)` now and then each `interval` ms after it ended: never twice at once, not while the tab is
// hidden, and not while the connection is lost, which only the cluster's own poll finds out about. Ends with `signal`.
function poll(signal, interval, work) {
  let timer = null;
  let running = false;
  const ready = () => !signal.aborted && !document.hidden && connection.state === 'live';
  const run = async () => {
    clearTimeout(timer);
    if (running || !ready()) return;
    running = true;
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted && error instanceof ApiError === false) console.error(error);
    }
    running = false;
    if (!signal.aborted) timer = setTimeout(run, interval);
  };
  document.addEventListener('visibilitychange', run, {signal});
  connection.listeners.add(run);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    connection.listeners.delete(run);
  });
  run();
  return run;
}
