'use strict';

// --- Elements: text is always set as text ---------------------------------------------------------------------

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value != null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter(child => child != null && child !== false));
  return node;
}
const el = (name, attributes, ...children) => make(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) =>
  make(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

const counted = (count, thing) => `${count} ${thing}${count === 1 ? '' : 's'}`;
const number = (value, places = 3) => value == null ? '–' : value.toFixed(places).replace('-', '−');

// --- Charts: drawn by the program; here they get a pointer and a keyboard -------------------------------------

/** The markers of a chart: each has its layer, its word model and its place. */
const marks = chart => [...chart.querySelectorAll('[data-layer]')];

/**
 * Pointer and keyboard move along the curves of `chart`: `act` is {choose(layer, words), hover(layer, words), leave(),
 * here() -> [layer, words], layers, models() -> places of the word models that are shown}.
 */
function listen(chart, act) {
  const nearest = event => {
    const shown = marks(chart).filter(mark => act.models().includes(Number(mark.dataset.words)));
    const far = mark => {
      const box = mark.getBoundingClientRect();
      return Math.hypot(4 * (box.x + box.width / 2 - event.clientX), box.y + box.height / 2 - event.clientY);
    };
    const best = shown.map(mark => [far(mark), mark]).reduce((a, b) => b[0] < a[0] ? b : a)[1];
    return [Number(best.dataset.layer), Number(best.dataset.words)];
  };
  chart.setAttribute('tabindex', 0);
  chart.setAttribute('role', 'application');
  chart.setAttribute('aria-roledescription', 'chart');
  chart.setAttribute('aria-label', `${chart.getAttribute('aria-label')}. Arrow keys read out the values.`);
  chart.addEventListener('pointermove', event => event.pointerType === 'mouse' && act.hover(...nearest(event)));
  chart.addEventListener('pointerleave', () => act.leave());
  chart.addEventListener('click', event => act.choose(...nearest(event)));
  chart.addEventListener('keydown', event => {
    const [layer, words] = act.here(), order = act.models(), now = order.indexOf(words);
    const moves = { ArrowRight: [layer + 1, now], ArrowLeft: [layer - 1, now], ArrowDown: [layer, now + 1], ArrowUp: [layer, now - 1],
      Home: [0, now], End: [act.layers - 1, now] };
    const to = moves[event.key];
    if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const within = (value, count) => Math.max(0, Math.min(count - 1, value));
    act.choose(within(to[0], act.layers), order[within(to[1], order.length)]);
  });
}

/** Marks the chosen layer, and hides the word models that are not wanted. */
function mark(chart, layer, words, hidden) {
  for (const e of marks(chart)) e.classList.toggle('here', Number(e.dataset.layer) === layer && Number(e.dataset.words) === words);
  for (const e of chart.querySelectorAll('[data-words], [data-curve]')) e.classList.toggle('off', hidden(Number(e.dataset.words ?? e.dataset.curve)));
}

/** Moves the markers and lines of `chart` to other values: `values(layer, words)`, null where there is none. */
function move(chart, values) {
  const [zero, one] = chart.querySelector('[data-scale]').dataset.scale.split(' ').map(Number);
  const places = new Map();
  for (const mark of marks(chart)) {
    const [x, y] = mark.dataset.at.split(' ').map(Number), { layer, words } = mark.dataset, value = values(Number(layer), Number(words));
    const to = zero + value * (one - zero);
    mark.classList.toggle('off', value == null);
    mark.setAttribute('transform', `translate(0 ${to - y})`);
    mark.append(svg('title', {}, number(value)));
    if (value != null) places.set(words, `${places.get(words) ?? ''} ${x},${to}`);
  }
  for (const curve of chart.querySelectorAll('[data-curve]')) {
    const lines = [...curve.querySelectorAll('polyline')];
    lines.slice(1).forEach(line => line.remove());
    lines[0]?.setAttribute('points', places.get(curve.dataset.curve) ?? '');
  }
}
