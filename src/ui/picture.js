// The members as a picture: a ring, with lines from the leader to those that follow it.

const kRing = {width: 380, height: 236, x: 190, y: 112, rx: 118, ry: 72, size: 25};

function memberPlace(index, all) {
  if (all === 1) return {x: kRing.x, y: kRing.y};
  const angle = -Math.PI / 2 + (2 * Math.PI * index) / all;
  return {x: kRing.x + kRing.rx * Math.cos(angle), y: kRing.y + kRing.ry * Math.sin(angle)};
}

// `members` are those of memberRows (view_cluster.js), by name; `flowing`: entries are being committed.
function drawMembers(picture, members, flowing, description) {
  const places = members.map((member, i) => ({...member, ...memberPlace(i, members.length)}));
  const leader = places.find((one) => one.leads);
  const lines = leader ? places.filter((one) => one !== leader).map((one) => drawLine(leader, one, flowing)) : [];
  picture.replaceChildren(svg('title', null, description), ...lines.flat(), ...places.map(drawMember));
}

function drawLine(from, to, flowing) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const step = {x: (to.x - from.x) / length, y: (to.y - from.y) / length};
  const gap = kRing.size + 7;
  const ends = {x1: from.x + step.x * gap, y1: from.y + step.y * gap, x2: to.x - step.x * gap, y2: to.y - step.y * gap};
  const kind = to.failed ? 'failed' : flowing ? 'alive flowing' : 'alive';
  const lag =
    to.failed || !(to.lag > 0)
      ? []
      : [
          svg(
            'text',
            {class: 'lag', x: (ends.x1 + ends.x2) / 2, y: (ends.y1 + ends.y2) / 2 + 4, 'text-anchor': 'middle'},
            `\u2212${count(to.lag)}`,
          ),
        ];
  return [svg('line', {class: kind, ...ends}), ...lag];
}

function drawMember(one) {
  const kind = ['member', one.leads && 'leads', one.failed && 'failed', one.learner && 'learner']
    .filter(Boolean)
    .join(' ');
  const letter = one.failed ? '\u00d7' : one.leads ? 'L' : one.learner ? '+' : 'F';
  const name = one.name.length > 16 ? `${one.name.slice(0, 15)}\u2026` : one.name;
  return svg(
    'g',
    {class: kind},
    one.self ? svg('circle', {class: 'self', cx: one.x, cy: one.y, r: kRing.size + 5}) : null,
    svg('circle', {cx: one.x, cy: one.y, r: kRing.size}),
    svg('text', {class: 'letter', x: one.x, y: one.y + 6, 'text-anchor': 'middle'}, letter),
    svg('text', {class: 'name', x: one.x, y: one.y + kRing.size + 21, 'text-anchor': 'middle'}, name),
    svg('text', {class: 'word', x: one.x, y: one.y + kRing.size + 36, 'text-anchor': 'middle'}, one.word),
  );
}
