// How numbers, times, names and bytes are written for people.

// A text from outside as one that can be shown: characters that are invisible or turn the direction of what follows are
// written out. Line breaks and tabs stay in texts of several lines.
function shown(text, lines = false) {
  const hidden = /[\p{Cc}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]/gu;
  return String(text).replace(hidden, (one) => {
    if (lines && (one === '\n' || one === '\t')) return one;
    const code = one.codePointAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, '0')}\u203a`;
  });
}

// The beginning of a text, on one line.
function brief(text, most = 120) {
  const start = shown(text.length > most ? text.slice(0, most) : text);
  return text.length > most ? `${start}\u2026` : start;
}

const grouped = new Intl.NumberFormat('en-US');

function count(number) {
  return number === null || number === undefined ? '\u2013' : grouped.format(number);
}

function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function rate(number) {
  if (number === null || number === undefined) return '\u2013';
  if (number === 0) return '0';
  return number < 10 ? number.toFixed(1) : count(Math.round(number));
}

function bytes(number) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = number;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    ++unit;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}\u00a0${units[unit]}`;
}

// Milliseconds as one or two units: 3m 12s.
function duration(ms) {
  if (ms === null || ms === undefined) return '\u2013';
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const parts = [
    ['d', 86400000],
    ['h', 3600000],
    ['m', 60000],
    ['s', 1000],
  ];
  const first = parts.findIndex(([, size]) => ms >= size);
  const [unit, size] = parts[first];
  const whole = Math.floor(ms / size);
  if (unit === 's' || first === parts.length - 1) return `${whole}s`;
  const [small, smallSize] = parts[first + 1];
  const rest = Math.floor((ms % size) / smallSize);
  return rest === 0 || whole >= 100 ? `${whole}${unit}` : `${whole}${unit} ${rest}${small}`;
}

function latency(us) {
  if (us === null || us === undefined) return '\u2013';
  if (us < 1000) return `${Math.round(us)}\u00a0\u00b5s`;
  if (us < 1000000) return `${Number((us / 1000).toFixed(us < 10000 ? 1 : 0))}\u00a0ms`;
  return `${Number((us / 1000000).toFixed(1))}\u00a0s`;
}

function clockTime(time) {
  return time ? new Date(time).toLocaleTimeString('en-GB') : '\u2013';
}

function dateTime(time) {
  if (!time) return '\u2013';
  const date = new Date(time);
  const two = (number) => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(time)}`;
}

// --- bytes and text

const kHexShown = 4096;
const kTextShown = 200000;

function fromBase64(text) {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

function toBase64(data) {
  let text = '';
  for (const one of data) text += String.fromCharCode(one);
  return btoa(text);
}

// The text of these bytes; null when they are not UTF-8.
function utf8(data) {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(data);
  } catch {
    return null;
  }
}

// Rows of offset, sixteen bytes and what of them is printable.
function hexDump(data) {
  const rows = [];
  for (let at = 0; at < Math.min(data.length, kHexShown); at += 16) {
    const row = [...data.subarray(at, Math.min(at + 16, kHexShown))];
    const hex = row.map((one) => one.toString(16).padStart(2, '0'));
    const halves = [hex.slice(0, 8).join(' '), hex.slice(8).join(' ')].join('  ').padEnd(48);
    const letters = row.map((one) => (one > 0x1f && one < 0x7f ? String.fromCharCode(one) : '.')).join('');
    rows.push(`${at.toString(16).padStart(6, '0')}  ${halves}  ${letters}`);
  }
  if (data.length > kHexShown) rows.push(`\u2026 ${plural(data.length - kHexShown, 'more byte')}`);
  return rows.join('\n');
}

// The bytes that hexadecimal digits stand for; null when they are none.
function fromHex(text) {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

// A name that the server gave as {NAME} or {NAME_base64}: what to show, and what to write into a path.
function nameOf(item, member) {
  if (typeof item[member] === 'string') return {text: shown(item[member]), path: encodeURIComponent(item[member])};
  const data = fromBase64(item[`${member}_base64`]);
  const parts = [...data].map((one) =>
    one > 0x20 && one < 0x7f && one !== 0x25 && one !== 0x5c
      ? [String.fromCharCode(one), encodeURIComponent(String.fromCharCode(one))]
      : [`\\x${one.toString(16).padStart(2, '0')}`, `%${one.toString(16).toUpperCase().padStart(2, '0')}`],
  );
  return {text: parts.map(([text]) => text).join(''), path: parts.map(([, path]) => path).join('')};
}

// What a part of a path stands for, to be shown.
function pathText(path) {
  try {
    return shown(decodeURIComponent(path));
  } catch {
    return path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => {
      const code = parseInt(hex, 16);
      return code > 0x20 && code < 0x7f ? String.fromCharCode(code) : `\\x${hex.toLowerCase()}`;
    });
  }
}

// JSON with a line for each value, its strings and numbers as they were written; not much longer than what is shown.
// Throws when it is no JSON.
function indented(text) {
  JSON.parse(text);
  const opens = (token) => token === '{' || token === '[';
  let line = '\n';
  let before = '';
  let made = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]+|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const closes = token === '}' || token === ']';
    if (closes) line = line.slice(0, -2);
    if (before === ',' || opens(before) !== closes) made += line;
    made += token === ':' ? ': ' : token;
    if (opens(token)) line += '  ';
    if (made.length > kTextShown) break;
    before = token;
  }
  return made;
}

// A value or body as the page can show it: {text, pretty, hex, editable}. A text is editable when a text field gives
// back just what it was given: one with a carriage return or with other control characters is not.
function readable(data, contentType = '') {
  const text = utf8(data);
  if (text === null || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text))
    return {text: null, pretty: null, hex: hexDump(data), editable: false};
  let pretty = null;
  if (/json/i.test(contentType) || /^\s*[[{]/.test(text)) {
    try {
      pretty = indented(text);
    } catch {
      // It only looks like JSON.
    }
  }
  return {text, pretty, hex: hexDump(data), editable: !text.includes('\r')};
}
