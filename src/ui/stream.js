// The stream of the cluster's own changes, GET /cluster/events. It is read with fetch, as EventSource cannot send a
// password, and opened again where it broke off.

const kSilence = 40000; // the node sends something each 15 s

const clusterStream = {lastId: null, delay: 1000};

// Reads until the page goes away. Calls `onEvent(name, data)`.
async function followCluster(onEvent) {
  for (;;) {
    await until(() => !document.hidden && connection.state === 'live');
    const ended = new AbortController();
    const hide = () => document.hidden && ended.abort();
    document.addEventListener('visibilitychange', hide);
    try {
      const headers = clusterStream.lastId === null ? {} : {'Last-Event-ID': clusterStream.lastId};
      const answer = await send('GET', '/cluster/events', {headers, signal: ended.signal, endless: true});
      clusterStream.delay = 1000;
      await readEvents(answer.body.getReader(), onEvent, ended);
    } catch {
      // The poll of the cluster says whether the node is there.
    }
    document.removeEventListener('visibilitychange', hide);
    ended.abort();
    await new Promise((resolve) => setTimeout(resolve, clusterStream.delay));
    clusterStream.delay = Math.min(clusterStream.delay * 2, 15000);
  }
}

async function readEvents(reader, onEvent, ended) {
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const timer = setTimeout(() => ended.abort(), kSilence);
    const {done, value} = await reader.read();
    clearTimeout(timer);
    if (done) return;
    text += decoder.decode(value, {stream: true});
    const parts = text.split('\n\n');
    text = parts.pop();
    for (const part of parts) readEvent(part, onEvent);
  }
}

function readEvent(part, onEvent) {
  let name = 'message';
  const data = [];
  for (const line of part.split('\n')) {
    const match = /^(id|event|data): ?(.*)$/.exec(line);
    if (!match) continue;
    if (match[1] === 'id') clusterStream.lastId = match[2];
    else if (match[1] === 'event') name = match[2];
    else data.push(match[2]);
  }
  if (data.length > 0) onEvent(name, JSON.parse(data.join('\n')));
}

function until(condition) {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition()) return;
      connection.listeners.delete(look);
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    connection.listeners.add(look);
    document.addEventListener('visibilitychange', look);
    look();
  });
}
