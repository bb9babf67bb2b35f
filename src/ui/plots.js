// Plots of the last fifteen minutes: lines over time, with the values under the pointer, by the arrow keys, and as
// text.

const kPlotSpan = 15 * 60 * 1000;
const kPlotHeight = 132;
const kPlotLeft = 46;
const kPlotBottom = 18;
const kPlotTop = 8;

// The smallest round number that is not below `value`.
function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

// From zero to a round number: {ticks, part(value)}, where `part` is 0 at the bottom and 1 at the top.
function evenScale(values) {
  const top = niceCeiling(Math.max(0, ...values));
  return {ticks: [0, top / 2, top], part: (value) => value / top};
}

// From a power of ten to another, so that what is usual and what is rare can both be seen.
function powersScale(values) {
  if (values.length === 0) return evenScale(values);
  const bottom = Math.floor(Math.log10(Math.min(...values)));
  const top = Math.max(bottom + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({length: top - bottom + 1}, (_, i) => 10 ** (bottom + i));
  return {ticks, part: (value) => Math.max(0, (Math.log10(Math.max(value, 1e-9)) - bottom) / (top - bottom))};
}

// Plots that share one place in time: {add(options), update(samples, now)}. `options`: {title, format, series, about, powers},
// where a series is {name, kind, of(sample)} and `of` is null where there is nothing to draw.
function plotGroup() {
  const plots = [];
  let samples = [];
  let now = 0;
  let chosen = null; // index of a sample
  const draw = () => plots.forEach((plot) => plot.draw(samples, now));
  const point = () => plots.forEach((plot) => plot.point(samples, now, chosen));
  const choose = (index) => {
    chosen = index === null || samples.length === 0 ? null : Math.max(0, Math.min(samples.length - 1, index));
    point();
  };
  return {
    add(options) {
      const plot = makePlot(options, {
        pick: (time) => choose(time === null ? null : nearest(samples, time)),
        step: (by) => choose((chosen ?? samples.length - 1) + by),
        last: () => choose(null),
        redraw: () => {
          draw();
          point();
        },
      });
      plots.push(plot);
      return plot.element;
    },
    update(newSamples, newNow) {
      const time = chosen === null ? null : samples[chosen].time;
      samples = newSamples;
      now = newNow;
      chosen = time === null || samples.length === 0 ? null : nearest(samples, time);
      draw();
      point();
    },
  };
}

function nearest(samples, time) {
  let best = 0;
  samples.forEach((sample, i) => {
    if (Math.abs(sample.time - time) < Math.abs(samples[best].time - time)) best = i;
  });
  return best;
}

function makePlot({title, format, series, about, powers = false}, {pick, step, last, redraw}) {
  const values = series.map(() => el('b'));
  const when = el('span', {class: 'when'});
  const legend = el(
    'p',
    {class: 'legend'},
    series.map((one, i) => el('span', {class: one.kind}, el('i'), `${one.name} `, values[i])),
    when,
  );
  const picture = svg('svg', {class: 'plot', height: kPlotHeight, 'aria-hidden': 'true'});
  const summary = el('p', {class: 'hidden'});
  const handle = el(
    'div',
    {
      class: 'plot-handle',
      tabindex: '0',
      role: 'slider',
      'aria-label': `${title}, the last 15 minutes`,
      'aria-orientation': 'horizontal',
      'aria-valuemin': '0',
      'aria-valuemax': '0',
      'aria-valuenow': '0',
    },
    picture,
  );
  const element = el(
    'section',
    {class: 'card plot-card', 'aria-label': title},
    el('h2', null, title),
    legend,
    handle,
    summary,
  );
  const line = svg('line', {class: 'cursor', y1: kPlotTop, y2: kPlotHeight - kPlotBottom});
  const dots = series.map((one) => svg('circle', {class: one.kind, r: 3}));
  let width = 0;
  let scale = evenScale([]);

  const x = (time, now) => kPlotLeft + (1 - (now - time) / kPlotSpan) * (width - kPlotLeft - 6);
  const y = (value) => kPlotTop + (1 - scale.part(value)) * (kPlotHeight - kPlotTop - kPlotBottom);

  // A line for each run of samples without a gap; a lone sample is a point.
  const path = (samples, now, of) => {
    let text = '';
    let before = null;
    for (const sample of samples) {
      const value = of(sample);
      if (value === null || value === undefined) {
        before = null;
        continue;
      }
      const joined = before !== null && sample.time - before < 15000;
      const place = `${x(sample.time, now).toFixed(1)} ${y(value).toFixed(1)}`;
      text += joined ? `L${place}` : `M${place}h0.1`;
      before = sample.time;
    }
    return text;
  };

  const draw = (samples, now) => {
    if (width === 0) return;
    const all = samples.flatMap((sample) => series.map((one) => one.of(sample) ?? 0));
    const shownValues = all.filter((value) => value > 0);
    const empty = shownValues.length === 0;
    scale = powers ? powersScale(shownValues) : evenScale(shownValues);
    const grid = scale.ticks.map((value) => [
      svg('line', {class: 'grid', x1: kPlotLeft, x2: width - 6, y1: y(value), y2: y(value)}),
      empty
        ? []
        : svg('text', {x: kPlotLeft - 6, y: y(value) + 4, 'text-anchor': 'end'}, value === 0 ? '0' : format(value)),
    ]);
    const times = [15, 10, 5, 0].map((minutes) =>
      svg(
        'text',
        {
          x: x(now - minutes * 60000, now),
          y: kPlotHeight - 3,
          'text-anchor': minutes === 15 ? 'start' : minutes === 0 ? 'end' : 'middle',
        },
        minutes === 0 ? 'now' : `${minutes} min`,
      ),
    );
    const lines = series
      .map((one) => svg('path', {class: `line ${one.kind}`, d: path(samples, now, one.of)}))
      .reverse();
    const nothing = empty
      ? [
          svg(
            'text',
            {class: 'nothing', x: (width + kPlotLeft) / 2, y: kPlotHeight / 2, 'text-anchor': 'middle'},
            about,
          ),
        ]
      : [];
    picture.replaceChildren(...grid.flat(2), ...times, ...lines, ...nothing, line, ...dots);
  };

  const point = (samples, now, chosen) => {
    const index = chosen ?? samples.length - 1;
    const sample = samples[index];
    const texts = series.map((one) => (sample ? format(one.of(sample)) : '\u2013'));
    texts.forEach((text, i) => setText(values[i], text));
    setText(when, chosen === null ? '' : clockTime(sample.time));
    const spoken = sample
      ? `${clockTime(sample.time)}: ${series.map((one, i) => `${one.name} ${texts[i]}`).join(', ')}`
      : 'nothing yet';
    setAttribute(handle, 'aria-valuemax', String(Math.max(0, samples.length - 1)));
    setAttribute(handle, 'aria-valuenow', String(Math.max(0, index)));
    setAttribute(handle, 'aria-valuetext', spoken);
    setText(summary, series.map((one) => summaryOf(one, samples, format)).join(' '));
    const visible = chosen !== null && width > 0;
    line.toggleAttribute('hidden', !visible);
    if (visible) for (const end of ['x1', 'x2']) line.setAttribute(end, x(sample.time, now));
    series.forEach((one, i) => {
      const value = visible ? one.of(sample) : null;
      dots[i].toggleAttribute('hidden', value === null || value === undefined);
      if (value === null || value === undefined) return;
      dots[i].setAttribute('cx', x(sample.time, now));
      dots[i].setAttribute('cy', y(value));
    });
  };

  new ResizeObserver(([entry]) => {
    const size = Math.floor(entry.contentRect.width);
    if (size === width) return;
    width = size;
    picture.setAttribute('width', width);
    redraw();
  }).observe(handle);
  handle.addEventListener('pointermove', (event) => {
    const at = event.clientX - handle.getBoundingClientRect().left;
    const part = (at - kPlotLeft) / (width - kPlotLeft - 6);
    pick(handle.now - (1 - part) * kPlotSpan);
  });
  handle.addEventListener('pointerleave', last);
  handle.addEventListener('blur', last);
  handle.addEventListener('keydown', (event) => {
    const steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -12, PageUp: 12, Home: -1e6};
    if (event.key === 'End' || event.key === 'Escape') last();
    else if (event.key in steps) step(steps[event.key]);
    else return;
    event.preventDefault();
  });
  return {
    element,
    draw(samples, now) {
      handle.now = now;
      draw(samples, now);
    },
    point,
  };
}

function summaryOf(one, samples, format) {
  const values = samples.map(one.of).filter((value) => value !== null && value !== undefined);
  if (values.length === 0) return `${one.name}: none.`;
  return `${one.name}: now ${format(values.at(-1))}, lowest ${format(Math.min(...values))}, highest ${format(Math.max(...values))}.`;
}
